"""The report: one page with every row, every run and the plots of the runs whose trace was kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from plotly.offline import get_plotlyjs

from adas_perception.sim.scorecard.page import PAGE
from adas_perception.sim.scorecard.play import Result
from adas_perception.sim.scorecard.score import Scorecard
from adas_perception.sim.scorecard.trace import Trace
from adas_perception.sim.style import STYLE

_POINTS = 300
# Columns that are plotted, with their factor and digits.
_PLOTTED = (
    ("time_s", 1.0, 2), ("x_m", 1.0, 2), ("y_m", 1.0, 2), ("speed_mps", 3.6, 1), ("target_speed_mps", 3.6, 1),
    ("gap_m", 1.0, 2), ("ttc_s", 1.0, 2), ("accel_mps2", 1.0, 2), ("accel_request_mps2", 1.0, 2),
    ("offset_m", 1.0, 3), ("to_left_m", 1.0, 3), ("to_right_m", 1.0, 3), ("target_x_m", 1.0, 2),
    ("target_y_m", 1.0, 2), ("bsd_left", 1.0, 0), ("bsd_right", 1.0, 0), ("aeb_stage", 1.0, 0),
)  # fmt: skip


def write_report(card: Scorecard, path: Path) -> None:
    """Write the page; everything it needs is inside it."""
    runs = {run["key"]: run["trace"] for score in card.rows for run in map(_run, score.results) if run["trace"]}
    groups = [
        {
            "name": name,
            "rows": [
                {
                    "id": score.row.id,
                    "scenario": score.row.scenario,
                    "source": score.row.source,
                    "passes": score.row.passes,
                    "passed": score.passed,
                    "total": len(score.results),
                    "points": f"{100.0 * score.points:.0f} %",
                    "broken": len(score.broken),
                    "worst": f"{score.worst.main.name} {score.worst.main.text}",
                    "runs": [_run(result) for result in score.results],
                }
                for score in scores
            ],
        }
        for name, scores in card.groups().items()
    ]
    page = Environment(autoescape=True).from_string(PAGE)
    first = card.conditions[0]
    text = page.render(
        style=STYLE,
        groups=groups,
        traces=runs,
        plotly=get_plotlyjs() if runs else "",
        broken=len(card.broken),
        passed=sum(score.passed for score in card.rows),
        total=sum(len(score.results) for score in card.rows),
        preset=first.preset or "default",
        sensors="clean" if first.noise_seed is None else f"noise, {len(card.conditions)} seeds",
        mu="as in the rows" if first.mu is None else f"at most {first.mu:g}",
    )
    path.write_text(text, encoding="utf-8")


def _run(result: Result) -> dict[str, Any]:
    noisy = "" if result.seed is None else f" seed {result.seed}"
    return {
        "key": f"{result.case_id}{noisy}",
        "varied": ", ".join(f"{name} {value}" for name, value in result.varied.items()),
        "passed": result.passed,
        "colour": result.colour,
        "checks": [(f"{check.name} {check.text}", check.passed) for check in result.checks],
        "gates": result.broken_gates,
        "trace": _plotted(result.trace) if result.trace else None,
    }


def _plotted(trace: Trace) -> dict[str, Any]:
    every = max(1, len(trace["time_s"]) // _POINTS)
    columns = {
        name: [_number(v, digits) for v in factor * trace[name][::every]] for name, factor, digits in _PLOTTED
    }
    return {**columns, "states": [list(state) for state in trace.states]}


def _number(value: np.floating[Any], digits: int) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None
