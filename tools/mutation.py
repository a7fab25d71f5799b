"""Mutation testing of the last line of defence: ``make mutation``.

mutmut makes the mutants; each is written into a copy of the repository and judged there by the module's own tests, in
a fork of a process that has the libraries loaded already. What survives must stand in test/mutation/survivors.md with
the reason; any other survivor, or a share of killed mutants below the limit, fails.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "mutation"
SURVIVORS = ROOT / "test" / "mutation" / "survivors.md"
KILLED_MIN = 0.95
COPIED = ("adas_perception", "config", "test", "pyproject.toml", "setup.cfg")
# The module and the tests that must kill its mutants.
TARGETS = {
    "safety/gate.py": ("test_gate.py", "test_gate_sweep.py"),
    "safety/arbitration.py": ("test_arbitration.py",),
    "safety/monitor.py": ("test_monitor.py",),
    "can/e2e.py": ("test_e2e.py",),
}
# A mutant that never comes to an end is noticed too.
TIMEOUT_S = 120
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:timeout", "--hypothesis-seed=0")


@dataclass(frozen=True)
class Outcome:
    """What became of the mutants of one module; ``survived`` holds their changed lines."""

    module: str
    killed: int
    survived: tuple[str, ...]

    @property
    def share(self) -> float:
        """Return the share of killed mutants."""
        return self.killed / max(self.killed + len(self.survived), 1)


def mutants(source: str) -> list[tuple[str, str]]:
    """Return (changed line, mutated source) of every mutant that can change behaviour."""
    from mutmut import Context, list_mutations, mutate

    found = []
    for number in list_mutations(Context(source=source, filename="module.py")):
        mutated, _ = mutate(Context(source=source, filename="module.py", mutation_id=number))
        line = change(source, mutated)
        if not equivalent(line):
            found.append((line, mutated))
    return found


def change(before: str, after: str) -> str:
    """Return the changed lines as 'before -> after'."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{old} -> {new}"


def equivalent(line: str) -> bool:
    """Return whether a mutant cannot change behaviour: annotations are not evaluated, frozen and slots are for people.

    Texts for people, those of enums among them, are no decisions either.
    """
    before, after = line.split(" -> ", 1)
    text = re.sub(r'"[^"]*"', '""', before) == re.sub(r'"[^"]*"', '""', after.replace("XX", ""))
    member = re.fullmatch(r'[A-Z_]+ = "[^"]*"', before) is not None
    annotation = before == after.replace(" & ", " | ")
    return member or annotation or before.startswith("@dataclass") or text and "= None" not in before


def judge(module: str, limit: int = 0) -> Outcome:
    """Judge the mutants of one module, or only the first ``limit``, in a copy of the repository."""
    place = OUT / module.replace("/", "_").removesuffix(".py")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
        else:
            shutil.copy(source, place / name)
    path = place / "adas_perception" / module
    original = path.read_text(encoding="utf-8")
    tests = [f"test/{name}" for name in TARGETS[module]]
    if not passes(place, tests):
        raise SystemExit(f"{module}: its tests fail without a mutant")
    chosen = mutants(original)[: limit or None]
    survived = []
    for number, (line, mutated) in enumerate(chosen, 1):
        path.write_text(mutated, encoding="utf-8")
        if passes(place, tests):
            survived.append(line)
            print(f"{module} {number}/{len(chosen)} survived: {line}", flush=True)
    return Outcome(module, len(chosen) - len(survived), tuple(survived))


def passes(place: Path, tests: list[str]) -> bool:
    """Return whether the tests pass in ``place``, run in a fork."""
    import hypothesis  # noqa: F401 - loaded once, for all forks
    import numpy  # noqa: F401
    import pytest

    child = os.fork()
    if child == 0:
        signal.alarm(TIMEOUT_S)
        os.chdir(place)
        os.environ |= {"GATE_COMMANDS": "3000", "HYPOTHESIS_STORAGE_DIRECTORY": str(place / ".hypothesis")}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(place))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os._exit(1 if pytest.main([*OPTIONS, *tests]) else 0)
    return os.waitpid(child, 0)[1] == 0


def main() -> int:
    """Mutate, report, compare with the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="modules below adas_perception")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=int, default=0, help="only so many mutants a module")
    chosen = parser.parse_args()
    began = time.monotonic()
    listed = SURVIVORS.read_text(encoding="utf-8") if SURVIVORS.exists() else ""
    with ProcessPoolExecutor(chosen.jobs) as pool:
        outcomes = list(pool.map(judge, chosen.modules, [chosen.limit] * len(chosen.modules)))
    fine = True
    for outcome in outcomes:
        unknown = [line for line in outcome.survived if f"`{line}`" not in listed]
        fine &= outcome.share >= KILLED_MIN and not unknown
        total = outcome.killed + len(outcome.survived)
        print(f"{outcome.module}: {outcome.killed} of {total} killed ({100 * outcome.share:.1f} %)")
        for line in unknown:
            print(f"  not in {SURVIVORS.relative_to(ROOT)}: `{line}`")
    print(f"{(time.monotonic() - began) / 60:.1f} min")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
