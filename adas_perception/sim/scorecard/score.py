"""The scorecard: results summed up by row and group, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adas_perception import __version__
from adas_perception.sim.scorecard.criteria import Check
from adas_perception.sim.scorecard.play import Conditions, Result
from adas_perception.sim.scorecard.rows import Row

_DIGITS = 6


@dataclass(frozen=True)
class RowScore:
    """All results of one row."""

    row: Row
    results: tuple[Result, ...]

    @property
    def passed(self) -> int:
        """Return the number of runs that passed."""
        return sum(result.passed for result in self.results)

    @property
    def points(self) -> float:
        """Return the share of the protocol's points, 0..1."""
        return sum(result.points for result in self.results) / max(len(self.results), 1)

    @property
    def broken(self) -> tuple[Result, ...]:
        """Return the runs that broke a hard gate."""
        return tuple(result for result in self.results if result.broken_gates)

    @property
    def worst(self) -> Result:
        """Return the run with the smallest margin; one that failed goes before all that passed."""
        return min(self.results, key=lambda r: (r.passed, r.main.passed, _finite(r.main.margin)))


@dataclass(frozen=True)
class Scorecard:
    """What was run under which conditions, and how it ended."""

    conditions: tuple[Conditions, ...]
    rows: tuple[RowScore, ...]

    @property
    def broken(self) -> tuple[Result, ...]:
        """Return all runs that broke a hard gate."""
        return tuple(result for row in self.rows for result in row.broken)

    def groups(self) -> dict[str, tuple[RowScore, ...]]:
        """Return the rows by group, in order."""
        names = dict.fromkeys(score.row.group for score in self.rows)
        return {name: tuple(score for score in self.rows if score.row.group == name) for name in names}


def summed_up(rows: Iterable[Row], conditions: Sequence[Conditions], results: Iterable[Result]) -> Scorecard:
    """Return the scorecard of results that may stand in any order of rows."""
    results = tuple(results)
    scores = (RowScore(row, tuple(r for r in results if r.row == row.id)) for row in rows)
    return Scorecard(tuple(conditions), tuple(scores))


def as_json(card: Scorecard) -> dict[str, Any]:
    """Return the scorecard as plain data; the same runs give the same data, bit for bit."""
    first = card.conditions[0]
    runs = [result for score in card.rows for result in score.results]
    return {
        "version": __version__,
        "preset": first.preset,
        "mu": first.mu,
        "noise_seeds": [c.noise_seed for c in card.conditions if c.noise_seed is not None],
        "runs": len(runs),
        "passed": sum(run.passed for run in runs),
        "broken_gates": len(card.broken),
        "rows": [_row(score) for score in card.rows],
    }


def _row(score: RowScore) -> dict[str, Any]:
    row = score.row
    return {
        "id": row.id,
        "group": row.group,
        "scenario": row.scenario,
        "source": row.source,
        "passes": row.passes,
        "runs": len(score.results),
        "passed": score.passed,
        "points": _number(score.points),
        "broken_gates": len(score.broken),
        "worst": {"run": score.worst.case_id, **_check(score.worst.main)},
        "results": [_result(result) for result in score.results],
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "run": result.case_id,
        "noise_seed": result.seed,
        "varied": result.varied,
        "passed": result.passed,
        "colour": result.colour,
        "points": _number(result.points),
        "broken_gates": list(result.broken_gates),
        "checks": [_check(check) for check in result.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "value": _number(check.value),
        "limit": _number(check.limit),
        "unit": check.unit,
        "margin": _number(check.margin),
        "passed": check.passed,
    }


def _number(value: float) -> float | None:
    return round(value, _DIGITS) if math.isfinite(value) else None


def _finite(margin: float) -> float:
    return -math.inf if math.isnan(margin) else margin
