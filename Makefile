# The Python (3.10-3.12) that the environment is made with; an existing one keeps its own.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
BIN := .venv/bin

# What a sourced ROS or another venv left in the shell must not leak into .venv.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE RMW_IMPLEMENTATION ROS_DISTRO
export AMENT_PREFIX_PATH := $(CURDIR)/.venv

.DEFAULT_GOAL := help
.PHONY: help env demo test mutation lint clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-6s %s\n", $$1, $$2}' Makefile

env: ## make the environment in .venv (once; afterwards only what changed)
	@command -v $(PYTHON) >/dev/null || { echo "make env: there is no $(PYTHON) on PATH: install Python 3.10-3.12 or name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) tools/setup_env.py

demo: env ## drive the simulated car; ends with out/demo/report.html
	@$(BIN)/adas demo

test: env lint ## check the code and run the whole test suite, headless
	@$(BIN)/pytest $(PYTEST_ARGS)

mutation: env ## mutate gate, arbitration, monitor and E2E; the tests must notice (up to 45 min)
	@$(BIN)/python tools/mutation.py

lint: env ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean: ## remove everything that was made, the environment too
	rm -rf .venv out build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
