"""A flat road: a centreline of linearly changing curvature with lanes, lines and rails beside it.

Road coordinates are (s, d): the distance along the centreline and the offset from it, positive to the left.
The map frame starts at s = 0 and points along the road there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adas_perception.types import LineKind

FloatArray = NDArray[np.float64]

_STEP_M = 0.5


@dataclass(frozen=True)
class Line:
    """A painted line at offset ``d_m``; dashes of ``dash_m`` repeat every ``period_m``."""

    d_m: float
    kind: LineKind
    width_m: float = 0.15
    dash_m: float = 6.0
    period_m: float = 18.0


class RoadPoint(NamedTuple):
    """The centreline at one distance: map position, heading and curvature."""

    x_m: float
    y_m: float
    yaw_rad: float
    curvature: float


@dataclass(frozen=True)
class Road:
    """Curvature (1/m) given at knots ``s_m`` and linear between them, so bends begin and end as clothoids.

    ``edges_m`` are the right and left edge of the asphalt; ``rails_m`` the offsets of guard rails.
    """

    length_m: float
    curvature_knots: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    lane_centres_m: tuple[float, ...] = (-1.75, 1.75)
    lane_width_m: float = 3.5
    lines: tuple[Line, ...] = (
        Line(-3.5, LineKind.SOLID, 0.20),
        Line(0.0, LineKind.DASHED),
        Line(3.5, LineKind.SOLID, 0.20),
    )
    edges_m: tuple[float, float] = (-6.2, 4.4)
    rails_m: tuple[float, ...] = (5.2,)
    _x: FloatArray = field(init=False, repr=False, compare=False)
    _y: FloatArray = field(init=False, repr=False, compare=False)
    _yaw: FloatArray = field(init=False, repr=False, compare=False)
    _curvature: FloatArray = field(init=False, repr=False, compare=False)
    _points: list[RoadPoint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        s = np.arange(0.0, self.length_m + _STEP_M, _STEP_M)
        knots_s, knots_c = zip(*self.curvature_knots, strict=True)
        if any(b <= a for a, b in zip(knots_s, knots_s[1:], strict=False)):
            raise ValueError("curvature_knots: the distances must increase")
        curvature = np.interp(s, knots_s, knots_c)
        yaw = np.concatenate([[0.0], np.cumsum((curvature[1:] + curvature[:-1]) / 2.0 * _STEP_M)])
        middle = (yaw[1:] + yaw[:-1]) / 2.0
        object.__setattr__(self, "_curvature", curvature)
        object.__setattr__(self, "_yaw", yaw)
        object.__setattr__(self, "_x", np.concatenate([[0.0], np.cumsum(np.cos(middle) * _STEP_M)]))
        object.__setattr__(self, "_y", np.concatenate([[0.0], np.cumsum(np.sin(middle) * _STEP_M)]))
        columns = (self._x.tolist(), self._y.tolist(), yaw.tolist(), curvature.tolist())
        object.__setattr__(self, "_points", [RoadPoint(*row) for row in zip(*columns, strict=True)])

    def _look_up(self, table: FloatArray, s: ArrayLike) -> FloatArray:
        """Interpolate a table at s; beyond both ends the road goes on in its last direction."""
        position = np.asarray(s, dtype=np.float64) / _STEP_M
        index = np.clip(position.astype(np.intp), 0, len(table) - 2)
        return np.asarray(table[index] + (position - index) * (table[index + 1] - table[index]))

    def curvature(self, s_m: ArrayLike) -> FloatArray:
        """Curvature in 1/m at s, positive to the left."""
        return self._look_up(self._curvature, np.clip(s_m, 0.0, self.length_m))

    def yaw(self, s_m: ArrayLike) -> FloatArray:
        """Heading of the centreline in the map frame at s, in radians, unwrapped."""
        return self._look_up(self._yaw, np.clip(s_m, 0.0, self.length_m))

    def to_map(self, s_m: ArrayLike, d_m: ArrayLike) -> FloatArray:
        """Map positions (..., 2) of road positions; s and d broadcast."""
        yaw, d = self.yaw(s_m), np.asarray(d_m, dtype=np.float64)
        x = self._look_up(self._x, s_m) - d * np.sin(yaw)
        y = self._look_up(self._y, s_m) + d * np.cos(yaw)
        return np.stack(np.broadcast_arrays(x, y), axis=-1)

    def point(self, s_m: float) -> RoadPoint:
        """Return the centreline at one distance; quick, for the steps of the simulation."""
        inside = min(max(s_m, 0.0), self.length_m)
        index = min(int(inside / _STEP_M), len(self._points) - 2)
        a, b, part = self._points[index], self._points[index + 1], inside / _STEP_M - index
        x, y, yaw, curvature = (u + part * (v - u) for u, v in zip(a, b, strict=True))
        beyond = s_m - inside
        return RoadPoint(x + beyond * math.cos(yaw), y + beyond * math.sin(yaw), yaw, curvature)

    def to_road(self, x_m: float, y_m: float, s_hint_m: float) -> tuple[float, float]:
        """Return (s, d) of a map position near the distance ``s_hint_m``."""
        s = s_hint_m
        d = 0.0
        for _ in range(4):
            p = self.point(s)
            c, sine = math.cos(p.yaw_rad), math.sin(p.yaw_rad)
            along, d = (x_m - p.x_m) * c + (y_m - p.y_m) * sine, (y_m - p.y_m) * c - (x_m - p.x_m) * sine
            if abs(along) < 1e-6:
                break
            s += along / max(1.0 - p.curvature * d, 0.2)
        return s, d

    def lane_of(self, d_m: float) -> int:
        """Index of the lane whose centre is nearest to an offset."""
        return int(np.argmin([abs(d_m - centre) for centre in self.lane_centres_m]))
