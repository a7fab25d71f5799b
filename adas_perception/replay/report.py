"""The report of a replay: figures as JSON, plots as one self-contained page."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from adas_perception.replay.kpi import Columns, Summary, figures

# Okabe and Ito's palette: told apart by everybody.
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#8A939E"

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
    ("Tracked objects", "", (("objects", "objects", 1.0, GREY),)),
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Replay of {name}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;color:#1d2530;max-width:1100px;margin:24px auto;padding:0 16px}}
table{{border-collapse:collapse;margin-bottom:16px}}td{{padding:4px 24px 4px 0;border-bottom:1px solid #e1e6eb}}
td+td{{font-weight:600}}</style></head>
<body><h1>Replay of {name}</h1><table>{rows}</table>{plot}</body></html>
"""


def _figure(table: Columns) -> go.Figure:
    figure = make_subplots(rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.05)
    for row, (title, unit, curves) in enumerate(PANELS, start=1):
        for name, column, factor, colour in curves:
            y = np.round(factor * table[column], 3)
            style: dict[str, Any] = {"mode": "lines", "line": {"color": colour, "width": 1.6}, "connectgaps": False}
            figure.add_trace(go.Scatter(x=np.round(table["time_s"], 3), y=y, name=name, **style), row=row, col=1)
        figure.update_yaxes(title_text=f"{title} [{unit}]" if unit else title, row=row, col=1)
    figure.update_xaxes(title_text="time [s]", row=len(PANELS), col=1)
    figure.update_layout(height=850, template="plotly_white", hovermode="x unified", margin={"t": 20})
    return figure


def write_report(name: str, summary: Summary, table: Columns, out: Path) -> Path:
    """Write ``replay.json`` and ``replay.html`` into ``out``; returns the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "replay.json").write_text(json.dumps(asdict(summary), indent=2), encoding="utf-8")
    rows = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in figures(summary))
    plot = _figure(table).to_html(full_html=False, include_plotlyjs=True)
    page = out / "replay.html"
    page.write_text(PAGE.format(name=escape(name), rows=rows, plot=plot), encoding="utf-8")
    return page
