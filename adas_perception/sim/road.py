"""A flat road: a centreline of linearly changing curvature with lanes, lines and rails beside it.

Road coordinates are (s, d): the distance along the centreline and the offset from it, positive to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adas_perception.sim.curve import Curve, RoadPoint
from adas_perception.types import LineKind

__all__ = ["Line", "Road", "RoadPoint"]

FloatArray = NDArray[np.float64]

_RAIL_POST_M = 4.0
# A line that is more worn is not seen; the edge of the asphalt is seen like a line of this contrast.
_CONTRAST_MIN, _EDGE_CONTRAST = 0.15, 0.7


@dataclass(frozen=True)
class Line:
    """A painted line at offset ``d_m``; dashes of ``dash_m`` repeat every ``period_m``.

    ``contrast`` is how well a lane camera sees it: 1 fresh paint, 0.4 worn, 0 gone.
    """

    d_m: float
    kind: LineKind
    width_m: float = 0.15
    dash_m: float = 6.0
    period_m: float = 18.0
    contrast: float = 1.0


@dataclass(frozen=True)
class Road(Curve):
    """A curve with a cross-section that stays the same along it.

    ``edges_m`` are the right and left edge of the asphalt; ``rails_m`` the offsets of guard rails.
    """

    lane_centres_m: tuple[float, ...] = (-1.75, 1.75)
    lane_width_m: float = 3.5
    lines: tuple[Line, ...] = (
        Line(-3.5, LineKind.SOLID, 0.20),
        Line(0.0, LineKind.DASHED),
        Line(3.5, LineKind.SOLID, 0.20),
    )
    edges_m: tuple[float, float] = (-6.2, 4.4)
    rails_m: tuple[float, ...] = (5.2,)
    _rail_posts: dict[int, list[tuple[float, float]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @cached_property
    def boundaries(self) -> tuple[Line, ...]:
        """Return all lines that a camera can see, and the edges of the asphalt where no line is painted on them."""
        lines = tuple(line for line in self.lines if line.contrast >= _CONTRAST_MIN)
        edges = (Line(d, LineKind.ROAD_EDGE, contrast=_EDGE_CONTRAST) for d in self.edges_m)
        return lines + tuple(edge for edge in edges if all(abs(edge.d_m - line.d_m) > 0.5 for line in lines))

    def _look_up(self, table: FloatArray, s: ArrayLike) -> FloatArray:
        """Interpolate a table at s; beyond both ends the road goes on in its last direction."""
        position = np.asarray(s, dtype=np.float64) / self.table_step_m
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

    def place(self, s_m: float, d_m: float) -> tuple[float, float, float]:
        """Return map position and heading of one road position."""
        x, y, yaw, _ = self.point(s_m)
        return x - d_m * math.sin(yaw), y + d_m * math.cos(yaw), yaw

    def rail_posts(self, s_m: float, reach_m: float) -> list[tuple[float, float]]:
        """Return the map positions of the posts of all guard rails within ``reach_m`` along the road."""
        if not self.rails_m:
            return []
        found: list[tuple[float, float]] = []
        first, last = math.ceil((s_m - reach_m) / _RAIL_POST_M), math.ceil((s_m + reach_m) / _RAIL_POST_M)
        for number in range(first, last):
            posts = self._rail_posts.get(number)
            if posts is None:
                posts = [self.place(number * _RAIL_POST_M, d)[:2] for d in self.rails_m]
                self._rail_posts[number] = posts
            found += posts
        return found

    def lane_of(self, d_m: float) -> int:
        """Index of the lane whose centre is nearest to an offset."""
        centres = self.lane_centres_m
        return min(range(len(centres)), key=lambda lane: abs(d_m - centres[lane]))
