"""Time plots of a drive, one below the other over one time axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from adas_perception.sim.draw import Colour
from adas_perception.sim.recorder import Record, StateChange
from adas_perception.sim.video import lamp_rgb

# Okabe and Ito's palette: told apart by everybody.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#A0588C", "#8A939E"
_INK, _GRID = "#27303A", "#E6EAEE"
_POINTS = 2000
_ORDER = ("bsd", "apa", "lka", "aeb", "acc", "safety")
_NAMES = {"safety": "Monitor"}
_LEVELS = {0: "ok", 1: "warning", 2: "error", 3: "stale"}

_ROWS = (
    ("Speed", "km/h", 1.0),
    ("Gap to the next car", "m", 0.8),
    ("Acceleration", "m/s²", 1.0),
    ("Offset in the lane", "m", 1.0),
    ("Functions", "", 0.9),
    ("Camera to CAN", "ms", 0.7),
)


def time_plots(record: Record) -> go.Figure:
    """Return the figure of a drive."""
    rows = _ROWS if len(record.latency_ms) + len(record.network_ms) else _ROWS[:-1]
    figure = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.04,
        row_heights=[weight for _, _, weight in rows],
    )  # fmt: skip
    s = record.signals
    step = max(1, len(s["time_s"]) // _POINTS)
    t = s["time_s"][::step]

    def line(row: int, name: str, values: Any, colour: str, **style: Any) -> None:
        y = np.round(np.asarray(values, dtype=float), 3)
        figure.add_trace(
            go.Scatter(
                x=np.round(t, 3), y=y, name=name, mode="lines", connectgaps=False,
                line={"color": colour, "width": 1.8, **style}, hovertemplate="%{y:.2f}",
            ),
            row=row, col=1,
        )  # fmt: skip

    line(1, "set speed", s["set_speed_mps"][::step] * 3.6, GREY, dash="dash")
    line(1, "speed", s["speed_mps"][::step] * 3.6, BLUE)
    line(1, "speed of the next car", s["lead_speed_mps"][::step] * 3.6, ORANGE, width=1.3)
    line(2, "gap", s["gap_m"][::step], BLUE)
    line(3, "request on the bus", s["accel_request_mps2"][::step], ORANGE)
    line(3, "acceleration", s["accel_mps2"][::step], BLUE, width=1.4)
    line(4, "car", s["offset_m"][::step], BLUE)
    _lane_limits(figure, record)
    _hands_off(figure, record)
    _bands(figure, record)
    if len(rows) == len(_ROWS):
        _latency(figure, record)
    _notes(figure, record)
    _style(figure, record, rows)
    return figure


def _lane_limits(figure: go.Figure, record: Record) -> None:
    """Mark where the side of a straight-going car touches a line."""
    room = (float(record.info.get("lane_width_m", 3.5)) - float(record.info.get("car_width_m", 1.83))) / 2.0
    for side, name in ((1.0, "left"), (-1.0, "right")):
        figure.add_hline(
            y=side * room, line={"color": RED, "width": 1, "dash": "dot"}, row=4, col=1,
            annotation={"text": f"side on the {name} line", "font": {"size": 10, "color": RED}},
            annotation_position="top left" if side > 0 else "bottom left",
        )  # fmt: skip
    figure.update_yaxes(range=[-1.9 * room, 1.9 * room], row=4, col=1)


def _hands_off(figure: go.Figure, record: Record) -> None:
    t, off = record.signals["time_s"], record.signals["hands_on"] < 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], off, [False]]).astype(int)))
    for start, end in edges.reshape(-1, 2):
        figure.add_vrect(
            x0=t[start], x1=t[end - 1], row=4, col=1, fillcolor=ORANGE, opacity=0.14, line_width=0,
            annotation={"text": "hands off", "font": {"size": 10, "color": "#8A6000"}},
            annotation_position="bottom right",
        )  # fmt: skip


def _hex(rgb: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _band_colour(change: StateChange) -> str:
    resting = lamp_rgb("OFF", 0)
    colour = lamp_rgb(change.state, change.level)
    if change.level == 3:
        return "#6B7280"
    return "#E3E7EB" if colour == resting else _hex(colour)


def _bands(figure: go.Figure, record: Record) -> None:
    """Draw the states of every function as a band."""
    known = {change.function for change in record.states}
    names = [n for n in _ORDER if n in known] + sorted(known - set(_ORDER))
    end = float(record.signals["time_s"][-1])
    for name in names:
        changes = [c for c in record.states if c.function == name]
        ends = [c.time_s for c in changes[1:]] + [end]
        label = _NAMES.get(name, name.upper())
        figure.add_trace(
            go.Bar(
                orientation="h", y=[label] * len(changes), base=[c.time_s for c in changes],
                x=[max(stop - c.time_s, 0.0) for c, stop in zip(changes, ends, strict=True)],
                marker={"color": [_band_colour(c) for c in changes], "line": {"width": 0}},
                customdata=[[c.state, c.reason, _LEVELS.get(c.level, "?"), c.time_s] for c in changes],
                hovertemplate="<b>%{customdata[0]}</b> from %{customdata[3]:.2f} s<br>%{customdata[1]}<extra></extra>",
                showlegend=False, width=0.72,
            ),
            row=5, col=1,
        )  # fmt: skip


def _latency(figure: go.Figure, record: Record) -> None:
    for name, time, values, colour in (
        ("camera stamp to CAN frame", record.latency_time_s, record.latency_ms, PURPLE),
        ("lane network", record.network_time_s, record.network_ms, GREEN),
    ):
        if len(values):
            figure.add_trace(
                go.Scatter(
                    x=np.round(time, 3), y=np.round(values, 2), name=name, mode="markers",
                    marker={"size": 3, "color": colour}, hovertemplate="%{y:.1f} ms",
                ),
                row=6, col=1,
            )  # fmt: skip
    high = [float(np.percentile(values, 99)) for values in (record.latency_ms, record.network_ms) if len(values)]
    figure.update_yaxes(range=[0, 1.25 * max(high, default=20.0)], row=6, col=1)


def _notes(figure: go.Figure, record: Record) -> None:
    if record.notes:
        figure.add_trace(
            go.Scatter(
                x=[n.time_s for n in record.notes], y=[2.5] * len(record.notes), mode="markers", name="alert",
                marker={"symbol": "triangle-down", "size": 9, "color": RED},
                text=[n.text for n in record.notes], hovertemplate="%{text}<extra>alert</extra>",
            ),
            row=3, col=1,
        )  # fmt: skip


def _style(figure: go.Figure, record: Record, rows: tuple[tuple[str, str, float], ...]) -> None:
    s = record.signals
    font = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
    figure.update_layout(
        height=200 * len(rows), margin={"l": 64, "r": 18, "t": 44, "b": 40}, hovermode="x unified", barmode="overlay",
        template="plotly_white", font={"family": font, "size": 12, "color": _INK},
        legend={"orientation": "h", "y": -0.06, "x": 0, "font": {"size": 11}}, hoverlabel={"font": {"size": 11}},
        plot_bgcolor="#FFFFFF", paper_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    figure.update_xaxes(
        range=[float(s["time_s"][0]), float(s["time_s"][-1])], gridcolor=_GRID, zeroline=False, showspikes=True,
        spikemode="across", spikethickness=1, spikecolor=GREY, spikedash="solid",
    )  # fmt: skip
    figure.update_xaxes(title_text="time / s", row=len(rows), col=1)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(zeroline=True, zerolinecolor="#C9D0D8", row=3, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_yaxes(rangemode="tozero", range=[0, 120], row=2, col=1)
    for row, (title, unit, _) in enumerate(rows, start=1):
        axis = "" if row == 1 else str(row)
        text = f"<b>{title}</b>" + (f"  <span style='color:{GREY}'>{unit}</span>" if unit else "")
        figure.add_annotation(
            text=text, x=0, xref="paper", y=1, yref=f"y{axis} domain", xanchor="left", yanchor="bottom",
            showarrow=False, font={"size": 13},
        )  # fmt: skip
    _chapters(figure, record)


def _chapters(figure: go.Figure, record: Record) -> None:
    first = float(record.signals["time_s"][0])
    for number, (planned, text) in enumerate(record.info.get("chapters") or []):
        start = max(planned, first)
        if number:
            figure.add_vline(x=start, line={"color": "#C9D0D8", "width": 1})
        figure.add_annotation(
            text=text, x=start, xref="x", y=1.0, yref="paper", yshift=24, xanchor="left", yanchor="bottom",
            showarrow=False, font={"size": 11, "color": "#5B6570"},
        )  # fmt: skip
