"""A flat road: a centreline of linearly changing curvature with lanes, lines and rails beside it.

Road coordinates are (s, d): the distance along the centreline and the offset from it, positive to the left.
The map frame starts at s = 0 and points along the road there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
        yaw = self.yaw(s_m)
        x = self._look_up(self._x, s_m) - d_m * np.sin(yaw)
        y = self._look_up(self._y, s_m) + d_m * np.cos(yaw)
        return np.stack(np.broadcast_arrays(x, y), axis=-1)

    def to_road(self, xy_m: ArrayLike, s_hint_m: float | None = None) -> FloatArray:
        """Road positions (..., 2) of map positions (..., 2).

        ``s_hint_m``, a distance near to all the points, saves the search over the whole road.
        """
        xy = np.asarray(xy_m, dtype=np.float64)
        if s_hint_m is None:
            coarse = slice(None, None, 10)
            away = np.hypot(xy[..., 0, None] - self._x[coarse], xy[..., 1, None] - self._y[coarse])
            s = np.argmin(away, axis=-1) * 10 * _STEP_M
        else:
            s = np.full(xy.shape[:-1], s_hint_m)
        for _ in range(6):
            along, d = self._offsets(xy, s)
            s = s + along / np.maximum(1.0 - self.curvature(s) * d, 0.2)
        return np.stack([s, self._offsets(xy, s)[1]], axis=-1)

    def _offsets(self, xy: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        yaw = self.yaw(s)
        dx, dy = xy[..., 0] - self._look_up(self._x, s), xy[..., 1] - self._look_up(self._y, s)
        return dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw)

    def lane_of(self, d_m: float) -> int:
        """Index of the lane whose centre is nearest to an offset."""
        return int(np.argmin([abs(d_m - centre) for centre in self.lane_centres_m]))
