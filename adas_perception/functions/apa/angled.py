"""Rows of cars at an angle to the street, nose outwards, told by the two front corners of the car before a gap.

Sideways sensors hear only the corners of such cars, or their fronts when these are nearly square to the street. Where
an echo comes from follows from how the range changes on the way: dr/dx is minus the sine of its bearing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

Point = tuple[float, float]


class Sample(NamedTuple):
    """A measurement in the frame of the street: where the sensor was and what it met; no echo is infinite."""

    x_m: float
    y_m: float
    range_m: float

    @property
    def lateral_m(self) -> float:
        """Return how far from the street's axis the echo lies when it comes from straight beside."""
        return self.y_m + self.range_m


class Leaning(NamedTuple):
    """A slot between two cars at an angle: its opening on the line of the corners next to the street.

    ``axis_rad`` is the heading of a parked car against the street, ``inner_m`` how far the inner front corner of the
    car before the gap lies behind the line.
    """

    begin_m: float
    end_m: float
    row_m: float
    axis_rad: float
    inner_m: float


# Neighbouring echoes are of one body as long as their range changes no faster than the cone allows.
_STEEPEST, _JUMP_M = 0.7, 0.08
_WINDOW_M, _WINDOW, _SLOPE_MAX = 0.4, 0.35, 0.6
# A front is so wide, and leans so far.
_WIDTH_M, _AXIS_RAD = (1.4, 2.4), (0.6, 1.3)
# Echoes of one corner come from places so near to each other; a face that is longer is no corner.
_CORNER_M, _FACE_M = 0.1, 0.7
_DEPTH_M, _LENGTH_M = (0.3, 2.0), 4.0


def leaning(before: Sequence[Sample], after: Sequence[Sample]) -> Leaning | None:
    """Return the slot between two cars at an angle, None when they do not stand so.

    ``before`` are the measurements of the car before the gap and of the gap, ``after`` those of the car after it.
    """
    near, far = reflections(before), reflections(after)
    outer, next_outer = _corner(near), _corner(far)
    if outer is None or next_outer is None or abs(outer[1] - next_outer[1]) > 0.4:
        return None
    inner = _inner(near, outer)
    if inner is None:
        return None
    across, deep = inner[0] - outer[0], inner[1] - outer[1]
    axis = math.atan2(across, deep)
    if not _AXIS_RAD[0] <= axis <= _AXIS_RAD[1]:
        return None
    row = (outer[1] + next_outer[1]) / 2.0
    inner_m = inner[1] - row
    begin = inner[0] + inner_m / math.tan(axis)
    free = Leaning(begin, next_outer[0], row, axis, inner_m)
    return None if _occupied(free, near) else free


def reflections(samples: Iterable[Sample]) -> list[Point]:
    """Return the places (x, lateral) that echoes come from, in the frame of the street."""
    points: list[Point] = []
    run: list[Sample] = []
    for sample in samples:
        if not math.isfinite(sample.range_m):
            continue
        if run and abs(sample.range_m - run[-1].range_m) > _STEEPEST * (sample.x_m - run[-1].x_m) + _JUMP_M:
            points.extend(_places(run))
            run = []
        run.append(sample)
    points.extend(_places(run))
    return points


def _places(run: Sequence[Sample]) -> Iterable[Point]:
    for sample in run:
        window_m = min(_WINDOW_M, _WINDOW * sample.range_m)
        near = [s for s in run if abs(s.x_m - sample.x_m) <= window_m]
        spread = sum((s.x_m - sample.x_m) ** 2 for s in near)
        if len(near) < 3 or spread < 1e-3:
            continue
        mean_x = sum(s.x_m for s in near) / len(near)
        mean_r = sum(s.range_m for s in near) / len(near)
        slope = sum((s.x_m - mean_x) * (s.range_m - mean_r) for s in near) / sum((s.x_m - mean_x) ** 2 for s in near)
        slope = min(max(slope, -_SLOPE_MAX), _SLOPE_MAX)
        ahead = -mean_r * slope
        yield mean_x + ahead, sample.y_m + math.sqrt(mean_r**2 - ahead**2)


def _corner(points: Sequence[Point]) -> Point | None:
    """Return the corner next to the street, None when it is a face along the street."""
    if len(points) < 3:
        return None
    row = sorted(lateral for _, lateral in points)[2]
    front = [x for x, lateral in points if lateral < row + _CORNER_M]
    if max(front) - min(front) > _FACE_M:
        return None
    return median(front), row


def _inner(points: Sequence[Point], outer: Point) -> Point | None:
    """Return the other front corner of the car: the deepest place that is the width of a car away."""
    places = [
        (x, lateral) for x, lateral in points
        if _WIDTH_M[0] <= math.hypot(x - outer[0], lateral - outer[1]) <= _WIDTH_M[1]
        and _DEPTH_M[0] <= lateral - outer[1] <= _DEPTH_M[1] and x > outer[0] + _DEPTH_M[0]
    ]  # fmt: skip
    if len(places) < 3:
        return None
    deepest = sorted(lateral for _, lateral in places)[-3]
    ends = [place for place in places if place[1] > deepest - _CORNER_M]
    return median(x for x, _ in ends), median(lateral for _, lateral in ends)


def _occupied(slot: Leaning, points: Sequence[Point]) -> bool:
    """Tell whether something in the slot answers."""
    c, s = math.cos(slot.axis_rad), math.sin(slot.axis_rad)
    across_m = (slot.end_m - slot.begin_m) * s
    inside = 0
    for x, lateral in points:
        deep = lateral - slot.row_m
        across = s * (x - slot.begin_m) + c * deep
        inside += 0.3 < across < across_m - 0.3 and 0.0 < deep < _LENGTH_M * s
    return inside > 2
