"""Rows of the scorecard as data: what is driven, with which figures, and by which criteria it is judged.

A row is a manoeuvre with its parameters. A list of values in ``runs`` stands for one run per value; several lists
in one entry stand for every combination. An entry may name its own manoeuvre and criteria.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adas_perception.params import ParameterError
from adas_perception.sim.scorecard.criteria import CRITERIA, Criterion
from adas_perception.sim.scorecard.manoeuvres import MANOEUVRES, Manoeuvre
from adas_perception.sim.scorecard.sections import Section, as_section, build, demand, read_sections

ROWS_DIR = Path(__file__).parent / "rows"
_OWN = ("manoeuvre", "criteria", "hard_gate")


@dataclass(frozen=True)
class Case:
    """One run: what varies in it as written in the file, what is driven, what is judged.

    A broken criterion of ``gates`` is a safety failure, not just a lost point.
    """

    row: str
    number: int
    varied: Mapping[str, Any]
    manoeuvre: Manoeuvre
    criteria: tuple[Criterion, ...]
    gates: tuple[Criterion, ...]

    @property
    def id(self) -> str:
        """Return the name of the run, for example A01.07."""
        return f"{self.row}.{self.number:02d}"


@dataclass(frozen=True)
class Row:
    """A row of the matrix."""

    id: str
    group: str
    scenario: str
    source: str
    passes: str
    cases: tuple[Case, ...]


def load_rows(folder: Path = ROWS_DIR) -> tuple[Row, ...]:
    """Read every row file of a folder, in order; raises ParameterError with file, line and field."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ParameterError(f"{folder}: there are no row files (*.yaml)")
    rows: dict[str, Row] = {}
    for path in files:
        for row in _read_file(path):
            if row.id in rows:
                raise ParameterError(f"{path}: the row '{row.id}' stands in two files")
            rows[row.id] = row
    return tuple(rows.values())


def select(rows: Iterable[Row], patterns: str) -> tuple[Row, ...]:
    """Return the rows whose id matches one of the patterns, 'A01,C*'; raises ParameterError for one without match."""
    rows = tuple(rows)
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(row.id, pattern) for row in rows):
            raise ParameterError(f"--rows: no row matches '{pattern}'; known: {', '.join(row.id for row in rows)}")
    return tuple(row for row in rows if any(fnmatch.fnmatchcase(row.id, p) for p in wanted))


def _read_file(path: Path) -> list[Row]:
    top, place = read_sections(path), path.name
    demand(top, place, ("group", "rows"))
    rows = as_section(top["rows"], place, top.line_of("rows"), "rows")
    return [
        _read_row(name, as_section(value, place, rows.line_of(name), name), str(top["group"]), place)
        for name, value in sorted(rows.items())
    ]


def _read_row(name: str, section: Section, group: str, place: str) -> Row:
    demand(section, place, ("scenario", "source", "passes", "runs"), ("manoeuvre", "criteria", "hard_gate", "fixed"))
    fixed = as_section(section.get("fixed", _empty(section)), place, section.line_of("fixed"), "fixed")
    entries = section["runs"]
    if not isinstance(entries, list) or not entries:
        raise ParameterError(f"{place}:{section.line_of('runs')}: {name}.runs must be a list of mappings")
    cases: list[Case] = []
    for entry in entries:
        block = as_section(entry, place, section.line_of("runs"), f"each entry of {name}.runs")
        for varied in _spread(block):
            cases.append(_read_case(name, len(cases) + 1, section, fixed, block, varied, place))
    varying = [key for key in dict.fromkeys(k for case in cases for k in case.varied)
               if len({repr(case.varied.get(key)) for case in cases}) > 1]  # fmt: skip
    named = (replace(case, varied={k: case.varied[k] for k in varying if k in case.varied}) for case in cases)
    return Row(name, group, section["scenario"], section["source"], section["passes"], tuple(named))


def _read_case(
    row: str, number: int, section: Section, fixed: Section, block: Section, varied: Section, place: str
) -> Case:
    def chosen(key: str) -> tuple[Any, Section]:
        holder = block if key in block else section
        return holder.get(key), holder

    name, holder = chosen("manoeuvre")
    if name not in MANOEUVRES:
        raise ParameterError(
            f"{place}:{holder.line_of('manoeuvre')}: there is no manoeuvre '{name}'; known: {', '.join(MANOEUVRES)}"
        )
    merged = Section({**fixed, **varied})
    merged.line, merged.lines = block.line, {**fixed.lines, **block.lines}
    manoeuvre = build(MANOEUVRES[name], merged, place)
    criteria, holder = chosen("criteria")
    if not criteria:
        raise ParameterError(f"{place}:{section.line}: {row} has no criteria")
    gates, gate_holder = chosen("hard_gate")
    return Case(
        row, number, dict(varied), manoeuvre,
        _criteria(criteria, place, holder.line_of("criteria")),
        _criteria(gates or [], place, gate_holder.line_of("hard_gate")),
    )  # fmt: skip


def _criteria(entries: Any, place: str, line: int) -> tuple[Criterion, ...]:
    if not isinstance(entries, list):
        raise ParameterError(f"{place}:{line}: criteria must be a list of mappings with a 'rule' each")
    found = []
    for entry in entries:
        section = as_section(entry, place, line, "each criterion")
        rule = section.get("rule")
        if rule not in CRITERIA:
            raise ParameterError(
                f"{place}:{section.line_of('rule')}: there is no rule '{rule}'; known: {', '.join(CRITERIA)}"
            )
        found.append(build(CRITERIA[rule], section, place, skip=("rule",)))
    return tuple(found)


def _spread(block: Section) -> list[Section]:
    """Return one section per combination of the values of a block's lists."""
    axes = [
        [(key, value) for value in (values if isinstance(values, list) else [values])]
        for key, values in block.items()
        if key not in _OWN
    ]
    spread = []
    for combination in itertools.product(*axes):
        section = Section(combination)
        section.line, section.lines = block.line, block.lines
        spread.append(section)
    return spread


def _empty(section: Section) -> Section:
    empty = Section()
    empty.line, empty.lines = section.line, {}
    return empty
