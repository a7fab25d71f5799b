"""The report of a replay: figures as JSON, tables and plots as one self-contained page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from adas_perception.replay.job import Result
from adas_perception.replay.kpi import Columns, Drive, Summary, samples_of, summarise
from adas_perception.sim.style import STYLE

# Okabe and Ito's palette: told apart by everybody.
BLUE, ORANGE, RED, GREEN, GREY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#8A939E"
TOTAL = "all"
# Recordings beyond these have figures but no curves: the page stays small enough to open.
CURVES_MAX = 6

# title, unit, curves: name, column, factor, colour
PANELS: tuple[tuple[str, str, tuple[tuple[str, str, float, str], ...]], ...] = (
    ("Speed", "km/h", (("car", "speed_mps", 3.6, BLUE), ("lead", "lead_speed_mps", 3.6, ORANGE))),
    ("Gap to the lead", "m", (("gap", "gap_m", 1.0, BLUE),)),
    (
        "Acceleration",
        "m/s²",
        (
            ("recorded", "accel_mps2", 1.0, GREY),
            ("ACC request", "acc_request_mps2", 1.0, ORANGE),
            ("AEB request", "aeb_request_mps2", 1.0, RED),
        ),
    ),
    ("Place in lane", "m", (("left of the middle", "lane_offset_m", 1.0, GREEN), ("to the line", "line_m", 1.0, GREY))),
    ("Tracked objects", "", (("objects", "objects", 1.0, GREY),)),
)
LABELS = {
    "ttc_s": "TTC to the lead while closing in [s]",
    "gap_m": "gap to the lead [m]",
    "time_gap_s": "time gap [s]",
    "lane_offset_m": "left of the lane's middle [m]",
    "line_m": "side of the car to the nearer line [m]",
    "age_ms": "age of the sample behind a command [ms]",
}


def page_template() -> jinja2.Template:
    """Return the template of the page."""
    text = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def write_report(results: Sequence[Result], out: Path) -> Path:
    """Write ``replay.json`` and ``replay.html`` into ``out``; returns the page."""
    out.mkdir(parents=True, exist_ok=True)
    content = as_json(results)
    (out / "replay.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    drives = [r.drive for r in results if r.drive]
    figures = [_histograms(drives), *(_curves(d.columns) for d in drives[:CURVES_MAX])] if drives else []
    config = {"displayModeBar": False}
    plots = [f.to_html(full_html=False, include_plotlyjs=i == 0, config=config) for i, f in enumerate(figures)]
    page = out / "replay.html"
    names = [d.name for d in drives]
    text = page_template().render(
        rows=content["recordings"], total=content[TOTAL], results=results, names=names, labels=LABELS, plots=plots,
        style=STYLE,
    )
    page.write_text(text, encoding="utf-8")
    return page


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of every recording and of all together; only ``timing`` differs between two runs."""
    drives = [r.drive for r in results if r.drive]
    return {
        "recordings": [_recording(r) for r in results],
        TOTAL: _finite(asdict(summarise(drives))) if drives else None,
        "timing": {r.name: {"real_time_factor": r.real_time_factor, "picture_ms": r.picture_ms} for r in results},
    }


def _recording(result: Result) -> dict[str, Any]:
    if result.drive is None:
        return {"name": result.name, "error": result.error}
    drive = result.drive
    return {
        "name": result.name,
        "summary": _finite(asdict(summarise([drive]))),
        "events": [asdict(event) for event in drive.events],
        "inputs": [asdict(i) for i in drive.inputs],
        "pictures_without_camera_info": result.pictures_unseen,
    }


def _finite(value: Any) -> Any:
    """Return ``value`` with None for what JSON cannot say."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _histograms(drives: Iterable[Drive]) -> go.Figure:
    tables = [samples_of(d.columns) for d in drives]
    samples = {name: np.concatenate([t[name] for t in tables]) for name in LABELS}
    shown = [name for name, values in samples.items() if len(values)]
    rows = max(-(-len(shown) // 3), 1)
    titles = [LABELS[name] for name in shown]
    figure = make_subplots(rows=rows, cols=3, subplot_titles=titles, vertical_spacing=0.32 / rows)
    for i, name in enumerate(shown):
        counts, edges = np.histogram(samples[name], bins=30)
        share = 100.0 * counts / counts.sum()
        bars = go.Bar(x=np.round((edges[:-1] + edges[1:]) / 2, 4), y=np.round(share, 2), marker_color=BLUE)
        figure.add_trace(bars, row=i // 3 + 1, col=i % 3 + 1)
    figure.update_yaxes(ticksuffix=" %")
    figure.update_annotations(font_size=13)
    figure.update_layout(
        height=240 * rows, template="plotly_white", showlegend=False, bargap=0.02, margin={"t": 30, "l": 10, "r": 10}
    )
    return figure


def _curves(table: Columns) -> go.Figure:
    figure = make_subplots(rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.04)
    for row, (title, unit, curves) in enumerate(PANELS, start=1):
        for name, column, factor, colour in curves:
            y = np.round(factor * table[column], 3)
            style: dict[str, Any] = {"mode": "lines", "line": {"color": colour, "width": 1.6}, "connectgaps": False}
            figure.add_trace(go.Scatter(x=np.round(table["time_s"], 3), y=y, name=name, **style), row=row, col=1)
        figure.update_yaxes(title_text=f"{title} [{unit}]" if unit else title, row=row, col=1)
    figure.update_xaxes(title_text="time [s]", row=len(PANELS), col=1)
    figure.update_layout(height=950, template="plotly_white", hovermode="x unified", margin={"t": 20})
    return figure


def figures(summary: Summary) -> list[tuple[str, str]]:
    """Return the figures with their names and units, for the terminal."""
    s = summary
    rows = [
        ("recorded", f"{s.duration_s:.1f} s, {s.distance_km:.2f} km"),
        ("ACC engaged", f"{100 * s.acc_active_share:.0f} % of the time"),
        ("ACC has a lead", f"{100 * s.lead_share:.0f} % of the time, {s.lead_changes} changes of target"),
    ]
    if math.isfinite(s.acc_decel_max_mps2):
        rows.append(("strongest ACC braking asked for", f"{s.acc_decel_max_mps2:.2f} m/s2"))
    for kind, rate in s.interventions.items():
        false = s.false_activations.get(kind)
        note = f", {false.count} false" if false else ""
        rows.append((kind, f"{rate.count}{note}; {rate.per_100_km:g} per 100 km, {rate.per_hour:g} per hour"))
    if not s.interventions:
        rows.append(("interventions", "none"))
    rows += [
        (LABELS[name], f"{d.percentiles['p50']:g} (5 % below {d.percentiles['p5']:g}, least {d.low:g})")
        for name, d in s.distributions.items()
    ]
    rows.append(("inputs", f"{s.dropped_inputs} dropped, {s.stale_inputs} stale, {s.rejected_inputs} rejected"))
    return rows
