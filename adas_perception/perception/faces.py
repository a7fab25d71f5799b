"""Which part of a box a sensor sees: typical sizes, and the point that a sensor reports of a box at some place."""

from __future__ import annotations

import math
from typing import NamedTuple

from adas_perception.types import ObjectClass, Sensor

# Spread of a point on what is seen of a face, in halves of it. A single point anywhere has 0.58; a mean has less.
ANYWHERE = 0.5
# How far that may lie between two faces seen at once, in what is seen of them.
MIXED = 1.0
# A side that shows less than this does not spoil the width of an outline.
SIDE_SHOWN_M = 0.3
# What a radar target is the mean of: points no deeper than this behind the nearest.
RADAR_DEPTH_M = 0.7


class Size(NamedTuple):
    """Length, width and height of a box in metres."""

    length_m: float
    width_m: float
    height_m: float


TYPICAL_SIZE = {
    ObjectClass.UNKNOWN: Size(4.5, 1.8, 1.5),
    ObjectClass.CAR: Size(4.5, 1.8, 1.5),
    ObjectClass.PEDESTRIAN: Size(0.5, 0.6, 1.75),
    ObjectClass.CYCLIST: Size(1.8, 0.6, 1.7),
}


class Face(NamedTuple):
    """The point of a box that a sensor sees: its offset from the centre (m) and its covariance (m2)."""

    x_m: float
    y_m: float
    xx: float
    xy: float
    yy: float


# The same as plain numbers, in the axes of the box.
_Numbers = tuple[float, float, float, float, float]


def near_face(
    x_m: float, y_m: float, yaw_rad: float, size: Size, origin: tuple[float, float], kind: Sensor = Sensor.RADAR
) -> Face:
    """Return where on a box with this centre, heading and size a sensor at ``origin`` sees it.

    From before or behind the box it is the middle of that face, from abeam the part of the side next to the sensor.
    Seen over a corner, a radar reports the points around that corner, a camera the middle of the outline: taken for
    the middle of the rear, either would set parked cars a metre towards the road and let them drift as we pass.
    """
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    dx, dy = origin[0] - x_m, origin[1] - y_m
    ahead, left = c * dx + s * dy, c * dy - s * dx
    seen = _outline_middle if kind is Sensor.CAMERA else _around_corner
    u, v, uu, uv, vv = seen(ahead, left, size.length_m / 2.0, size.width_m / 2.0)
    cc, cs, ss = c * c, c * s, s * s
    return Face(
        c * u - s * v,
        s * u + c * v,
        cc * uu - 2.0 * cs * uv + ss * vv,
        cs * (uu - vv) + (cc - ss) * uv,
        ss * uu + 2.0 * cs * uv + cc * vv,
    )


def shows_end(x_m: float, y_m: float, yaw_rad: float, size: Size, origin: tuple[float, float]) -> bool:
    """Return whether a sensor sees hardly more than one end of a box: less than SIDE_SHOWN_M of its side."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    dx, dy = origin[0] - x_m, origin[1] - y_m
    front, side = abs(c * dx + s * dy) - size.length_m / 2.0, abs(c * dy - s * dx) - size.width_m / 2.0
    return front > 0.0 and side * size.length_m < SIDE_SHOWN_M * (front + size.length_m)


def _around_corner(ahead: float, left: float, half_l: float, half_w: float) -> _Numbers:
    """Return the mean of a radar's points within RADAR_DEPTH_M of the nearest, in the axes of the box."""
    front, side = abs(ahead) - half_l, abs(left) - half_w
    if side <= 0.0 or front > 0.0 and front * front > 400.0 * side * side:
        return math.copysign(half_l, ahead), 0.0, 0.0, 0.0, (ANYWHERE * half_w) ** 2
    if front <= 0.0:
        reach = _within_depth(side, 0.0)
        low, high = max(ahead - reach, -half_l), min(ahead + reach, half_l)
        spread = ANYWHERE * half_l  # a lone point of the side may lie anywhere along it
        return (low + high) / 2.0, math.copysign(half_w, left), spread * spread, 0.0, 0.0
    distance = math.hypot(front, side)
    of_end = min(_within_depth(distance, side / distance), 2.0 * half_w) / 2.0
    of_side = min(_within_depth(distance, front / distance), 2.0 * half_l) / 2.0
    # A face returns the fewer points the more it is seen at a slant, and only those within the depth count.
    end, flank = front / distance * of_end / half_w, side / distance * of_side / half_l
    share = end / (end + flank)
    # A near object may come as two targets, one of either face: where the point lies between them is uncertain.
    mixed = share * (1.0 - share)
    across, along = MIXED * half_w, MIXED * max(of_side, half_w)
    return (
        math.copysign(half_l - (1.0 - share) * of_side, ahead),
        math.copysign(half_w - share * of_end, left),
        (1.0 - share) * (ANYWHERE * of_side) ** 2 + mixed * along * along,
        -mixed * along * across * math.copysign(1.0, ahead * left),
        share * (ANYWHERE * of_end) ** 2 + mixed * across * across,
    )


def _within_depth(distance_m: float, cosine: float) -> float:
    """Return how far along a face the distance grows by RADAR_DEPTH_M from a point at ``distance_m``."""
    leg = distance_m * cosine
    return math.sqrt(leg * leg + RADAR_DEPTH_M * (2.0 * distance_m + RADAR_DEPTH_M)) - leg


def _outline_middle(ahead: float, left: float, half_l: float, half_w: float) -> _Numbers:
    """Return the point at the distance of the nearest corner, in the middle of the outline, in the axes of the box."""
    away, distance = math.atan2(-left, -ahead), math.hypot(ahead, left)
    nearest, low, high = math.inf, 0.0, 0.0
    for u, v in ((half_l, half_w), (half_l, -half_w), (-half_l, half_w), (-half_l, -half_w)):
        du, dv = u - ahead, v - left
        nearest = min(nearest, math.hypot(du, dv))
        turn = math.remainder(math.atan2(dv, du) - away, math.tau)
        low, high = min(low, turn), max(high, turn)
    middle = away + (low + high) / 2.0
    nearest = min(nearest, distance)
    spread = ANYWHERE * min(half_w, half_l)
    c, s = math.cos(middle), math.sin(middle)
    return ahead + nearest * c, left + nearest * s, (spread * s) ** 2, -spread * spread * c * s, (spread * c) ** 2


def centred(x_m: float, y_m: float, size: Size, origin: tuple[float, float], kind: Sensor) -> tuple[float, float, Face]:
    """Return the centre of a box without turn of which a sensor sees the point ``x_m``, ``y_m``, and that face."""
    dx, dy = x_m - origin[0], y_m - origin[1]
    reach = max(math.hypot(dx, dy), 1e-3)
    face = Face(-dx / reach * size.length_m / 2.0, -dy / reach * size.width_m / 2.0, 0.0, 0.0, 0.0)
    for _ in range(4):
        face = near_face(x_m - face.x_m, y_m - face.y_m, 0.0, size, origin, kind)
    return x_m - face.x_m, y_m - face.y_m, face
