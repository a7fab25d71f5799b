"""``adas replay --record-reference`` and ``--compare``: recordings replayed again, held against what was said before.

A reference folder holds ``<recording>.outputs`` bags and ``compare.yaml``, the tolerances and the ignored fields.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from adas_perception.replay.bags import BagError
from adas_perception.replay.reference import RULES_FILE, Difference, compare, load_rules
from adas_perception.replay.run import Options, jobs_of, replay_all

# Lines shown of one recording.
LINES_MAX = 40
RULES = """\
# How alike the outputs must be. Patterns name 'topic field', * is anything; the first that fits counts.
# Without a pattern, numbers must be equal.
tolerances:
  "* *stamp": 1.0e-6
  "/adas/objects *": 1.0e-3
  "/adas/lanes *": 1.0e-2
  "*/state *": 1.0e-3
  "*": 1.0e-4
# Fields that are not compared, for example "/diagnostics *".
ignored: []
"""


def record_all(options: Options, folder: Path, console: Console | None = None) -> int:
    """Keep what the stack says now as reference; returns 2 if a recording could not be used."""
    console = console or Console()
    status = 0
    with TemporaryDirectory() as place:
        for result in replay_all(replace(options, out=Path(place), bags=True), console):
            if result.drive is None or result.bag is None:
                console.print(f"adas: {result.error}", style="red", highlight=False, markup=False, soft_wrap=True)
                status = 2
                continue
            target = folder / result.bag.name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(result.bag, target)
            console.print(f"reference: {target}", soft_wrap=True)
    if not (folder / RULES_FILE).exists() and folder.is_dir():
        (folder / RULES_FILE).write_text(RULES, encoding="utf-8")
    return status


def compare_all(options: Options, folder: Path, console: Console | None = None) -> int:
    """Replay and compare; returns 1 for a difference, 2 if a recording or its reference cannot be used, else 0."""
    console = console or Console()
    rules = load_rules(folder / RULES_FILE)
    status = 0
    with TemporaryDirectory() as place:
        own = replace(options, out=Path(place), bags=True)
        names = {job.bag: job.path for job in jobs_of(own)}
        for result in replay_all(own, console):
            try:
                if result.drive is None or result.bag is None:
                    raise BagError(result.error)
                reference = folder / result.bag.name
                if not reference.is_dir():
                    remedy = f"'adas replay {names[result.bag]} --record-reference {folder}' makes one"
                    raise BagError(f"{reference}: there is no reference of this recording; {remedy}")
                found = compare(reference, result.bag, rules)
            except BagError as error:
                console.print(f"adas: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
                status = 2
                continue
            _show(result.name, found, console)
            status = max(status, 1 if found else 0)
    return status


def _show(name: str, found: list[Difference], console: Console) -> None:
    if not found:
        console.print(f"{name}: as the reference", style="green", highlight=False)
        return
    lines = [line for difference in found for line in difference.lines()]
    total = sum(difference.count for difference in found)
    console.print(f"{name}: {total} values differ, in {len(found)} kinds of field", style="bold red", highlight=False)
    for line in lines[:LINES_MAX]:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if len(lines) > LINES_MAX:
        console.print(f"  and {len(lines) - LINES_MAX} lines more")
