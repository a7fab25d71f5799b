"""The front camera at lane level: the boundaries that lane perception would report, without a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from adas_perception.params import Params, param
from adas_perception.sim.curve import RoadPoint
from adas_perception.sim.road import Line, Road
from adas_perception.types import LaneLine, LaneLines, LineKind


@dataclass(frozen=True)
class LaneErrors(Params):
    """How lane perception errs. ``latency_s`` passes from exposure to result."""

    latency_s: float = param(0.05, "from exposure to result", unit="s", low=0.0, high=0.5)
    range_m: float = param(60.0, "farthest point seen of a fresh line", unit="m", low=10.0, high=150.0)
    offset_sigma_m: float = param(0.03, "noise of the lateral position", unit="m", low=0.0, high=0.5)
    heading_sigma_rad: float = param(0.002, "noise of the direction", unit="rad", low=0.0, high=0.05)
    curvature_sigma: float = param(5e-5, "noise of the curvature", unit="1/m", low=0.0, high=0.01)
    miss_share: float = param(0.01, "share of lines missed", low=0.0, high=1.0)
    sees_edges: bool = param(True, "the edge of the asphalt counts as a boundary")

    def blur(self, lanes: LaneLines, rng: Random | None) -> LaneLines:
        """Return lines with these errors; without ``rng`` the same."""
        if rng is None:
            return lanes
        left, right = (line and self.blurred(line, rng) for line in (lanes.left, lanes.right))
        return replace(lanes, left=left, right=right)

    def blurred(self, line: LaneLine, rng: Random) -> LaneLine | None:
        """Return a line with errors of position, direction and curvature, None where it is missed."""
        if rng.random() < self.miss_share:
            return None
        c0, c1, c2, c3 = line.coefficients
        coefficients = (
            c0 + rng.gauss(0.0, self.offset_sigma_m),
            c1 + rng.gauss(0.0, self.heading_sigma_rad),
            c2 + rng.gauss(0.0, self.curvature_sigma) / 2.0,
            c3,
        )
        sigma = math.hypot(line.sigma_m, self.offset_sigma_m)
        return LaneLine(coefficients, line.x_min, line.x_max, line.confidence, line.kind, sigma)


VIEW_START_M = 4.0
# A cubic cannot follow the road farther than it turns by this.
_TURN_MAX_RAD = 0.6
_LOOKED_FOR_M = 6.0
_CLEAN_SIGMA_M = 0.02


def see_lanes(
    stamp_ns: int, road: Road, pose: RoadPoint, s_m: float, d_m: float, errors: LaneErrors, rng: Random | None
) -> LaneLines:
    """Return the boundary next to the car on each side; ``pose`` is base_link in the map frame, (s, d) on the road."""
    near = [
        line for line in road.boundaries
        if abs(line.d_m - d_m) < _LOOKED_FOR_M and (errors.sees_edges or line.kind is not LineKind.ROAD_EDGE)
    ]  # fmt: skip
    left = min((line for line in near if line.d_m > d_m), key=_offset, default=None)
    right = max((line for line in near if line.d_m <= d_m), key=_offset, default=None)
    ahead = _places_ahead(road, pose, s_m, errors.range_m)
    return LaneLines(
        stamp_ns,
        _fitted(ahead, left, errors, rng) if left is not None else None,
        _fitted(ahead, right, errors, rng) if right is not None else None,
    )


def _offset(line: Line) -> float:
    return line.d_m


def _places_ahead(
    road: Road, pose: RoadPoint, s_m: float, range_m: float
) -> list[tuple[float, float, float, float]]:
    """Return four points of the centreline, from beside the car to as far as a cubic can follow, in base_link.

    They are x, y and the unit vector to the left of the road.
    """
    far = range_m
    if not road.straight:
        while far > 8.0 and abs(math.remainder(road.point(s_m + far).yaw_rad - pose.yaw_rad, math.tau)) > _TURN_MAX_RAD:
            far *= 0.7
    c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    places = []
    for share in (0.0, 0.25, 0.65, 1.0):
        x, y, yaw, _ = road.point(s_m + share * far)
        dx, dy, turned = x - pose.x_m, y - pose.y_m, yaw - pose.yaw_rad
        places.append((c * dx + s * dy, c * dy - s * dx, -math.sin(turned), math.cos(turned)))
    return places


def _fitted(
    ahead: list[tuple[float, float, float, float]], line: Line, errors: LaneErrors, rng: Random | None
) -> LaneLine | None:
    d = line.d_m
    xs = [x + d * left_x for x, _, left_x, _ in ahead]
    coefficients = cubic_through(xs, [y + d * left_y for _, y, _, left_y in ahead])
    reach = max(xs[-1] * (0.5 + 0.5 * line.contrast), VIEW_START_M + 1.0)
    clean = LaneLine(coefficients, VIEW_START_M, reach, line.contrast, line.kind, _CLEAN_SIGMA_M)
    return clean if rng is None else errors.blurred(clean, rng)


def cubic_through(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float, float]:
    """Return c0..c3 of the cubic through four points of different x (Newton's divided differences)."""
    x0, x1, x2, x3 = xs
    y0, y1, y2, y3 = ys
    a01, a12, a23 = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1), (y3 - y2) / (x3 - x2)
    b02, b13 = (a12 - a01) / (x2 - x0), (a23 - a12) / (x3 - x1)
    cubic = (b13 - b02) / (x3 - x0)
    # y = y0 + (x - x0) (a01 + (x - x1) (b02 + (x - x2) cubic)), multiplied out.
    square = b02 - cubic * (x0 + x1 + x2)
    linear = a01 - b02 * (x0 + x1) + cubic * (x0 * x1 + x0 * x2 + x1 * x2)
    constant = y0 - a01 * x0 + b02 * x0 * x1 - cubic * x0 * x1 * x2
    return constant, linear, square, cubic
