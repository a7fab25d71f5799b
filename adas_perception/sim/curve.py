"""Lines in the map that things move along: curves of linearly changing curvature, and polylines.

Both answer ``point(s)``. Beyond their ends they go on straight.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class RoadPoint(NamedTuple):
    """A line at one distance: map position, heading and curvature."""

    x_m: float
    y_m: float
    yaw_rad: float
    curvature: float


class Way(Protocol):
    """What a body can follow."""

    def point(self, s_m: float) -> RoadPoint:
        """Return the line at the distance ``s_m`` from its start."""
        ...


@dataclass(frozen=True)
class Curve:
    """Curvature (1/m) given at knots (s in m, curvature) and linear between them, so bends begin and end as clothoids.

    It starts at the map position ``x_m, y_m`` with the heading ``yaw_rad``; tables are kept every ``table_step_m``.
    """

    length_m: float
    curvature_knots: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    x_m: float = 0.0
    y_m: float = 0.0
    yaw_rad: float = 0.0
    table_step_m: float = 0.5
    straight: bool = field(init=False, repr=False, compare=False)
    _x: FloatArray = field(init=False, repr=False, compare=False)
    _y: FloatArray = field(init=False, repr=False, compare=False)
    _yaw: FloatArray = field(init=False, repr=False, compare=False)
    _curvature: FloatArray = field(init=False, repr=False, compare=False)
    _points: list[RoadPoint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        step = self.table_step_m
        s = np.arange(0.0, self.length_m + step, step)
        knots_s, knots_c = zip(*self.curvature_knots, strict=True)
        if any(b <= a for a, b in zip(knots_s, knots_s[1:], strict=False)):
            raise ValueError("curvature_knots: the distances must increase")
        curvature = np.interp(s, knots_s, knots_c)
        yaw = self.yaw_rad + np.concatenate([[0.0], np.cumsum((curvature[1:] + curvature[:-1]) / 2.0 * step)])
        middle = (yaw[1:] + yaw[:-1]) / 2.0
        object.__setattr__(self, "straight", not any(knots_c))
        object.__setattr__(self, "_curvature", curvature)
        object.__setattr__(self, "_yaw", yaw)
        object.__setattr__(self, "_x", self.x_m + np.concatenate([[0.0], np.cumsum(np.cos(middle) * step)]))
        object.__setattr__(self, "_y", self.y_m + np.concatenate([[0.0], np.cumsum(np.sin(middle) * step)]))
        columns = (self._x.tolist(), self._y.tolist(), yaw.tolist(), curvature.tolist())
        object.__setattr__(self, "_points", [RoadPoint(*row) for row in zip(*columns, strict=True)])

    def point(self, s_m: float) -> RoadPoint:
        """Return the line at one distance; quick, for the steps of the simulation."""
        if self.straight:
            yaw = self.yaw_rad
            return RoadPoint(self.x_m + s_m * math.cos(yaw), self.y_m + s_m * math.sin(yaw), yaw, 0.0)
        inside = min(max(s_m, 0.0), self.length_m)
        place = inside / self.table_step_m
        index = min(int(place), len(self._points) - 2)
        part = place - index
        ax, ay, ayaw, ac = self._points[index]
        bx, by, byaw, bc = self._points[index + 1]
        x, y = ax + part * (bx - ax), ay + part * (by - ay)
        yaw, curvature = ayaw + part * (byaw - ayaw), ac + part * (bc - ac)
        if inside == s_m:
            return RoadPoint(x, y, yaw, curvature)
        beyond = s_m - inside
        return RoadPoint(x + beyond * math.cos(yaw), y + beyond * math.sin(yaw), yaw, curvature)

    def to_road(self, x_m: float, y_m: float, s_hint_m: float) -> tuple[float, float]:
        """Return (s, d) of a map position near the distance ``s_hint_m``: along the line, and left of it."""
        s, d = s_hint_m, 0.0
        for _ in range(4):
            px, py, yaw, curvature = self.point(s)
            c, sine = math.cos(yaw), math.sin(yaw)
            along, d = (x_m - px) * c + (y_m - py) * sine, (y_m - py) * c - (x_m - px) * sine
            if abs(along) < 1e-6:
                break
            s += along / max(1.0 - curvature * d, 0.2)
            if self.straight:
                break
        return s, d


class Polyline:
    """A line through given map points (N, 2), N >= 2; its heading changes at the points."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        if len(points) < 2 or any(a == b for a, b in zip(points, points[1:], strict=False)):
            raise ValueError("a polyline needs two or more points, neighbours apart from each other")
        self._points = [(float(x), float(y)) for x, y in points]
        steps = [(bx - ax, by - ay) for (ax, ay), (bx, by) in zip(self._points, self._points[1:], strict=False)]
        lengths = [math.hypot(dx, dy) for dx, dy in steps]
        self._yaws = [math.atan2(dy, dx) for dx, dy in steps]
        self._starts = [sum(lengths[:i]) for i in range(len(lengths))]
        self.length_m = sum(lengths)

    def point(self, s_m: float) -> RoadPoint:
        """Return the line at one distance."""
        index = max(bisect.bisect_right(self._starts, s_m) - 1, 0)
        (x, y), yaw, along = self._points[index], self._yaws[index], s_m - self._starts[index]
        return RoadPoint(x + along * math.cos(yaw), y + along * math.sin(yaw), yaw, 0.0)


def turn_knots(
    lead_in_m: float, radius_m: float, angle_rad: float, clothoid_m: float, start_m: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """Return curvature knots of straight + clothoid + arc + clothoid + straight, turning by ``angle_rad`` (left > 0).

    Euro NCAP's turning paths have this form. Raises ValueError when the clothoids alone turn farther.
    """
    arc_m = radius_m * abs(angle_rad) - clothoid_m
    if arc_m <= 0.0:
        raise ValueError(
            f"clothoid_m = {clothoid_m} is too long to turn {abs(angle_rad):.2f} rad with a radius of {radius_m} m"
        )
    curvature = math.copysign(1.0 / radius_m, angle_rad)
    a = start_m + lead_in_m
    b, c, d = a + clothoid_m, a + clothoid_m + arc_m, a + 2.0 * clothoid_m + arc_m
    return ((a, 0.0), (b, curvature), (c, curvature), (d, 0.0))
