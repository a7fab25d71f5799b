"""What belongs to one object: further observations of a track, and second tracks of one body.

Radars see a body in several places: a second echo of a car, the flank of a lorry far behind its rear, the side of a
parked car beside its end. None of that may become an object of its own, which would stand in or beside the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from adas_perception.perception import kalman
from adas_perception.perception.faces import near_face
from adas_perception.perception.measurement import Observations, Point
from adas_perception.perception.track_life import Life
from adas_perception.perception.views import HIDING
from adas_perception.types import ObjectClass, Sensor

# Reflecting parts of a lorry follow each other this closely.
PARTS_M = 3.5
# Nobody follows another so closely from this speed on, but parked cars stand so.
ON_ITS_WAY_MPS = 5.0
# Lorries with trailers are no longer than this.
LENGTH_MAX_M = 18.0
# The end of a second track this near to the box of an older one is a part of that.
DOUBLE_M = 0.2
# Somewhere in our car: all objects show it their near ends.
MIDDLE = (1.5, 0.0)
# The state of a track as plain floats.
Row = Sequence[float]


def owner(
    lives: Sequence[Life], rows: Sequence[Row], seen: Observations, point: Point, merge_m: float, merge_mps: float
) -> int | None:
    """Return the confirmed object of which an observation is a further part: near its box, and as fast along the ray.

    What the camera calls something else is something else: a person beside a parked car, also while only radar knows
    that car.
    """
    x, y, label, slack = point.x, point.y, point.label, merge_mps + point.speed_sigma
    far = LENGTH_MAX_M + PARTS_M + 2.0 * merge_m
    # Tracks that begin in this cycle have no row.
    for i, (life, row) in enumerate(zip(lives, rows, strict=False)):
        if (
            life.confirmed
            and abs(x - row[kalman.X]) < far  # spares most tracks the rest
            and life.holds(x - row[kalman.X], y - row[kalman.Y], merge_m, _room_behind(row, x, y, seen.origin))
            and abs(point.speed - row[kalman.VX] * point.ray_x - row[kalman.VY] * point.ray_y) <= slack
            and (label is ObjectClass.UNKNOWN or life.as_large_as(label))
        ):
            return i
    return None


def lies_in_body(lives: Sequence[Life], rows: Sequence[Row], point: Point, merge_mps: float, but: int) -> bool:
    """Return whether what a radar sees lies in the box of another confirmed object that it knows, and moves with it.

    Then it is a part of that, however near somebody may be who is hidden behind it, or whom no radar has seen yet.
    """
    return any(
        i != but
        and life.confirmed
        and Sensor.RADAR in life.sources
        and life.label in HIDING
        and life.holds(point.x - row[kalman.X], point.y - row[kalman.Y], DOUBLE_M)
        and abs(point.speed - row[kalman.VX] * point.ray_x - row[kalman.VY] * point.ray_y)
        <= merge_mps + point.speed_sigma
        for i, (life, row) in enumerate(zip(lives, rows, strict=True))
    )


def stretch(life: Life, row: Row, seen: Observations, part: Point) -> tuple[float, float]:
    """Lengthen a vehicle to a further part behind its far end; returns how its centre moves, its near end staying."""
    c, s = math.cos(life.yaw_rad), math.sin(life.yaw_rad)
    x, y = row[kalman.X], row[kalman.Y]
    if c * (x - seen.origin[0]) + s * (y - seen.origin[1]) < 0.0:
        c, s = -c, -s
    growth = c * (part.x - x) + s * (part.y - y) - life.size.length_m / 2.0
    whole_m = life.size.length_m + max(growth, 0.0)
    if life.label is not ObjectClass.CAR or seen.kind is not Sensor.RADAR or growth <= 0.0 or whole_m >= LENGTH_MAX_M:
        return 0.0, 0.0
    life.size = life.size._replace(length_m=whole_m)
    return growth / 2.0 * c, growth / 2.0 * s


def doubles(lives: Sequence[Life], rows: Sequence[Row], merge_mps: float) -> set[int]:
    """Return which tracks are parts of an older one: they move with it, and sit in its box or show their end there."""
    found: set[int] = set()
    if len(rows) < 2:
        return found
    # In the order of x only few follow each other so closely that one may sit in the other's box.
    order = sorted((row[kalman.X], row[kalman.Y], i) for i, row in enumerate(rows))
    reach = max(life.size.length_m + life.size.width_m for life in lives) + PARTS_M
    for place, (x, y, one) in enumerate(order):
        for other_x, other_y, other in islice(order, place + 1, None):
            if other_x - x > reach:
                break
            if abs(other_y - y) > reach:
                continue
            older, younger = (one, other) if (-lives[one].age, one) < (-lives[other].age, other) else (other, one)
            if _double(lives[older], lives[younger], rows[older], rows[younger], merge_mps):
                found.add(younger)
    return found


def _double(older: Life, younger: Life, row: Row, other: Row, merge_mps: float) -> bool:
    (x, y, vx, vy, _), (other_x, other_y, other_vx, other_vy, _) = row, other
    dx, dy = other_x - x, other_y - y
    if math.hypot(vx - other_vx, vy - other_vy) >= merge_mps or not _may_be_one(older, younger):
        return False
    if older.holds(dx, dy, 0.0):
        return True
    # Only of what lies farther off can the near end reach into the box; most others are spared the geometry.
    if younger.label not in HIDING or math.dist((other_x, other_y), MIDDLE) <= math.dist((x, y), MIDDLE):
        return False
    room = DOUBLE_M + _room_behind(row, other_x, other_y, MIDDLE)
    if math.hypot(dx, dy) >= (older.size.length_m + younger.size.length_m) / 2.0 + room:
        return False
    face = near_face(other_x, other_y, younger.yaw_rad, younger.size, MIDDLE)
    end_x, end_y = other_x + face.x_m, other_y + face.y_m
    return older.holds(end_x - x, end_y - y, DOUBLE_M, _room_behind(row, end_x, end_y, MIDDLE))


def _may_be_one(older: Life, younger: Life) -> bool:
    """Return whether two tracks may be the same body by their classes."""
    return older.may_be(younger.label) and (younger.label is ObjectClass.UNKNOWN or older.as_large_as(younger.label))


def _room_behind(row: Row, x: float, y: float, origin: tuple[float, float]) -> float:
    """Return how far behind an object a point may lie and still be a part of it: of a lorry on its way."""
    if math.hypot(row[kalman.VX], row[kalman.VY]) <= ON_ITS_WAY_MPS:
        return 0.0
    farther = math.dist((x, y), origin) > math.dist((row[kalman.X], row[kalman.Y]), origin)
    return PARTS_M if farther else 0.0
