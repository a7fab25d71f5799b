"""Primitives into Rerun: where a recording goes, how the first look is laid out, one call for each kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from adas_perception.types import Level, seconds
from adas_perception.view.primitives import Dots, Figure, Note, Picture, Primitive, Strips

APPLICATION = "adas"
TIMELINE = "time"
JPEG_QUALITY = 80
LEVELS = {Level.OK: "INFO", Level.WARN: "WARN", Level.ERROR: "ERROR", Level.STALE: "DEBUG"}
# Place, title, and the range that is shown at first.
CHARTS = (
    ("speed", "Speed (km/h)", None), ("command", "Command (m/s2, deg)", None),
    ("time", "Time left (s)", (0.0, 10.0)), ("distance", "Distance (m)", (-5.0, 80.0)),
)  # fmt: skip
# What the two views from above show at first: so far ahead, behind, and to each side, in m.
FAR_M, NEAR_M = (60.0, 15.0, 15.0), (9.0, 7.0, 8.0)


@dataclass(frozen=True)
class Target:
    """Where the drawing goes: a file, a viewer that runs elsewhere, a browser, or (none of them) a new window."""

    file: Path | None = None
    connect: str = ""
    web: bool = False


def blueprint(camera: bool = True) -> rrb.Blueprint:
    """Return the first look: picture and view from above, charts, alerts and states as a log."""
    above = rrb.Vertical(_above("From above", *FAR_M), _above("Close by", *NEAR_M), row_shares=[3, 2])
    charts = [
        rrb.TimeSeriesView(origin=origin, name=name, axis_y=rrb.ScalarAxis(range=limits) if limits else None)
        for origin, name, limits in CHARTS
    ]
    logs = rrb.Horizontal(
        rrb.TextLogView(origin="log/alerts", name="Alerts"), rrb.TextLogView(origin="log/states", name="States")
    )
    picture = [rrb.Spatial2DView(origin="camera", name="Camera")] if camera else []
    left = rrb.Vertical(*picture, rrb.Grid(*charts, grid_columns=2), logs, row_shares=[5, 4, 2][-2 - len(picture) :])
    return rrb.Blueprint(rrb.Horizontal(left, above, column_shares=[3, 1.4]), collapse_panels=True)


def _above(name: str, ahead_m: float, behind_m: float, beside_m: float) -> rrb.Spatial2DView:
    bounds = rrb.VisualBounds2D(x_range=[-beside_m, beside_m], y_range=[-ahead_m, behind_m])
    return rrb.Spatial2DView(origin="top", name=name, background=[18, 21, 26], visual_bounds=bounds)


class RerunLog:
    """One recording."""

    def __init__(self, target: Target, camera: bool = True) -> None:
        """Open the recording and send the layout."""
        self._recording = rr.RecordingStream(APPLICATION)
        first_look = blueprint(camera)
        if target.file is not None:
            target.file.parent.mkdir(parents=True, exist_ok=True)
            self._recording.save(target.file, default_blueprint=first_look)
        elif target.connect:
            self._recording.connect_grpc(target.connect, default_blueprint=first_look)
        elif target.web:
            url = self._recording.serve_grpc(default_blueprint=first_look)
            rr.serve_web_viewer(open_browser=True, connect_to=url)
        else:
            self._recording.spawn(default_blueprint=first_look)

    def fixed(self, primitives: Iterable[Primitive]) -> None:
        """Draw what holds for all times."""
        for primitive in primitives:
            self._recording.log(primitive.place, _component(primitive), static=True)

    def draw(self, time_ns: int, primitives: Iterable[Primitive]) -> None:
        """Draw at a time since the beginning."""
        self._recording.set_time(TIMELINE, duration=seconds(time_ns))
        for primitive in primitives:
            self._recording.log(primitive.place, _component(primitive))

    def close(self) -> None:
        """Write what is still under way."""
        self._recording.flush()
        self._recording.disconnect()


def _component(primitive: Primitive) -> rr.AsComponents:
    if isinstance(primitive, Strips):
        labels = list(primitive.labels) or None
        return rr.LineStrips2D(
            [line.astype(np.float32) for line in primitive.lines], colors=list(primitive.colours), labels=labels,
            radii=primitive.width / 2 or None, show_labels=True,
        )  # fmt: skip
    if isinstance(primitive, Dots):
        return rr.Points2D(primitive.points, colors=primitive.colour, radii=primitive.radius)
    if isinstance(primitive, Figure):
        return rr.Scalars(primitive.value)
    if isinstance(primitive, Note):
        return rr.TextLog(primitive.text, level=LEVELS[primitive.level])
    if isinstance(primitive, Picture):
        return rr.Image(primitive.rgb).compress(jpeg_quality=JPEG_QUALITY)
    raise TypeError(f"nothing draws {primitive!r}")
