"""Mutation testing of the last line of defence: ``make mutation``.

Each module is mutated in a copy of the repository by mutmut and judged by its own tests. What survives must stand in
test/mutation/survivors.md with the reason; any other survivor, or a share of killed mutants below the limit, fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
JUDGE = """import sys, pytest
options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "--hypothesis-seed=0"]
sys.exit(bool(pytest.main([*options, *sys.argv[1:]])))
"""


@dataclass(frozen=True)
class Outcome:
    """What became of the mutants of one module; ``survived`` holds their diffs."""

    module: str
    killed: int
    survived: tuple[str, ...]


def mutate(module: str) -> Outcome:
    """Mutate one module in a copy of its own."""
    place = OUT / module.replace("/", "_")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
        else:
            shutil.copy(source, place / name)
    tests = " ".join(f"test/{name}" for name in TARGETS[module] if (place / "test" / name).exists())
    # mutmut takes only exit status 1 for a failure; an error while collecting is one too.
    (place / "judge.py").write_text(JUDGE)
    runner = f"{sys.executable} judge.py {tests}"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
    env |= {"HYPOTHESIS_STORAGE_DIRECTORY": str(place / ".hypothesis"), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"GATE_COMMANDS": "3000"}

    def mutmut(*arguments: str) -> str:
        command = [sys.executable, "-m", "mutmut", *arguments]
        return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False).stdout

    log = mutmut(
        "run", "--paths-to-mutate", f"adas_perception/{module}", "--tests-dir", "test", "--runner", runner,
        "--no-progress", "--simple-output",
    )  # fmt: skip
    (place / "mutmut.log").write_text(log)
    # Suspicious is killed, but slowly.
    killed = sum(len(mutmut("result-ids", status).split()) for status in ("killed", "timeout", "suspicious"))
    alive = mutmut("result-ids", "survived").split()
    diffs = (mutmut("show", number) for number in alive)
    return Outcome(module, killed, tuple(diff for diff in diffs if not equivalent(diff)))


def equivalent(diff: str) -> bool:
    """Return whether a mutant cannot change behaviour: annotations are not evaluated, frozen and slots are for people.

    Texts for people, those of enums among them, are no decisions either.
    """
    before, after = change(diff).split(" -> ", 1)
    text = re.sub(r'"[^"]*"', '""', before) == re.sub(r'"[^"]*"', '""', after.replace("XX", ""))
    member = re.fullmatch(r'[A-Z_]+ = "[^"]*"', before) is not None
    annotation = before == after.replace(" & ", " | ")
    return member or annotation or before.startswith("@dataclass") or text and "= None" not in before


def change(diff: str) -> str:
    """Return the changed line of a diff as 'before -> after'."""
    before = [line[1:].strip() for line in diff.splitlines() if re.match(r"-(?!--)", line)]
    after = [line[1:].strip() for line in diff.splitlines() if re.match(r"\+(?!\+\+)", line)]
    return f"{' '.join(before)} -> {' '.join(after)}"


def main() -> int:
    """Mutate, report, compare with the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TARGETS), help="modules below adas_perception")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    began = time.monotonic()
    listed = SURVIVORS.read_text(encoding="utf-8") if SURVIVORS.exists() else ""
    with ThreadPoolExecutor(chosen.jobs) as pool:
        outcomes = list(pool.map(mutate, chosen.modules))
    fine = True
    for outcome in outcomes:
        total = outcome.killed + len(outcome.survived)
        share = outcome.killed / total if total else 0.0
        unknown = [line for line in map(change, outcome.survived) if f"`{line}`" not in listed]
        fine &= share >= KILLED_MIN and not unknown
        print(f"{outcome.module}: {outcome.killed} of {total} killed ({100 * share:.1f} %)")
        for line in unknown:
            print(f"  not in {SURVIVORS.relative_to(ROOT)}: `{line}`")
    print(f"{(time.monotonic() - began) / 60:.1f} min")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
