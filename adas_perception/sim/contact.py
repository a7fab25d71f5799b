"""When and how the ego runs into something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from adas_perception.params import Vehicle
from adas_perception.sim.sensors import Box, Point, overlap
from adas_perception.sim.traffic import Actor

_HALVINGS = 7
_FRONT_OVERHANG_M, _TYRE_M = Vehicle().front_overhang_m, 0.33


class Pose(NamedTuple):
    """Position and heading in the map frame."""

    x_m: float
    y_m: float
    yaw_rad: float


@dataclass(frozen=True)
class Contact:
    """The first touch of a body.

    ``closing_mps`` is the ego's speed over that of the body along the ego; ``location_pct`` is where the body's
    centre lies across the ego's width, 0 the right edge and 100 the left one; ``front`` tells that the body is
    before the front bumper or in its line.
    """

    name: str
    time_s: float
    ego_mps: float
    closing_mps: float
    location_pct: float
    front: bool


def outline(vehicle: Vehicle) -> tuple[Point, Point, Point, Point]:
    """Return the corners of the ego in base_link."""
    front, rear, half = vehicle.front_x_m, -vehicle.rear_overhang_m, vehicle.width_m / 2.0
    return (front, half), (rear, half), (rear, -half), (front, -half)


def box_at(actor: Actor, place: Pose, ego: Pose, velocity_mps: tuple[float, float] = (0.0, 0.0)) -> Box:
    """Return a body in the base_link of an ego at a pose; ``velocity_mps`` is its own in the map frame."""
    c, s = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
    dx, dy = place.x_m - ego.x_m, place.y_m - ego.y_m
    vx, vy = velocity_mps
    kind = actor.spec.kind
    return Box(
        c * dx + s * dy, c * dy - s * dx, math.remainder(place.yaw_rad - ego.yaw_rad, math.tau),
        kind.length_m, kind.width_m, kind.height_m, c * vx + s * vy, c * vy - s * vx, kind,
    )  # fmt: skip


def touches(box: Box, ego: tuple[Point, Point, Point, Point]) -> bool:
    """Tell whether a body overlaps the ego, whose corners are given in base_link."""
    if box.kind.low:
        ego = tyres(ego)
    (front, half), (rear, _) = ego[0], ego[1]
    reach = math.hypot(box.length_m, box.width_m) / 2.0
    beyond = rear - reach < box.x_m < front + reach and abs(box.y_m) < half + reach
    return beyond and box.kind.solid and overlap(ego, box.outline)


def tyres(ego: tuple[Point, Point, Point, Point]) -> tuple[Point, Point, Point, Point]:
    """Return the corners of the rectangle around the tyres of a car with these corners: less the overhangs."""
    (front, half), (_, _) = ego[0], ego[1]
    ahead = front - _FRONT_OVERHANG_M + _TYRE_M
    return (ahead, half), (-_TYRE_M, half), (-_TYRE_M, -half), (ahead, -half)


def gap_m(box: Box, ego: tuple[Point, Point, Point, Point]) -> float:
    """Return the distance between a body and the ego, whose corners are given in base_link; 0 when they touch."""
    if touches(box, ego):
        return 0.0
    own = tyres(ego) if box.kind.low else ego
    other = box.outline
    return min(
        _to_edge(p, a[i], a[(i + 1) % 4]) for a, b in ((own, other), (other, own)) for p in b for i in range(4)
    )


def _to_edge(p: Point, a: Point, b: Point) -> float:
    ex, ey = b[0] - a[0], b[1] - a[1]
    share = ((p[0] - a[0]) * ex + (p[1] - a[1]) * ey) / max(ex * ex + ey * ey, 1e-12)
    share = min(max(share, 0.0), 1.0)
    return math.hypot(p[0] - a[0] - share * ex, p[1] - a[1] - share * ey)


def first_touch(
    actor: Actor, before: tuple[Pose, Pose], after: tuple[Pose, Pose], ego: tuple[Point, Point, Point, Point]
) -> tuple[float, Box]:
    """Return at which share of a step they touch, and the body then; poses are (ego's, actor's), straight between."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if touches(_between(actor, before, after, middle), ego):
            high = middle
        else:
            low = middle
    return high, _between(actor, before, after, high)


def _between(actor: Actor, before: tuple[Pose, Pose], after: tuple[Pose, Pose], share: float) -> Box:
    own, other = (
        Pose(
            a.x_m + share * (b.x_m - a.x_m),
            a.y_m + share * (b.y_m - a.y_m),
            a.yaw_rad + share * math.remainder(b.yaw_rad - a.yaw_rad, math.tau),
        )
        for a, b in zip(before, after, strict=True)
    )
    return box_at(actor, other, own)
