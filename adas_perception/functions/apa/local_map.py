"""The map around the car: points of edges with normals, from echoes and odometry; it corrects itself and forgets.

An echo says three things: something lies on the arc at its range, nothing that would have answered lies nearer, and a
known point on the arc needs no new one. The direction of a new point follows from how the range changes while the car
moves: the derivative of the distance to any body is minus the cosine of the angle to its nearest point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa.geometry import Array, Body, Frame, Pose
from adas_perception.params import Mount, Params, param


@dataclass(frozen=True)
class MapParams(Params):
    """How echoes become points."""

    reach_m: float = param(3.5, "echoes from farther away are left out", unit="m", low=0.5, high=6.0)
    half_cone_rad: float = param(0.60, "half the opening angle of the sensors", unit="rad", low=0.1, high=1.2)
    match_m: float = param(0.15, "an echo this near to a known point is that point", unit="m", low=0.02, high=0.5)
    through_m: float = param(0.3, "a point this much nearer than the echo is not there", unit="m", low=0.1, high=1.0)
    square_rad: float = param(0.25, "a point answers when seen this square on", unit="rad", low=0.05, high=1.0)
    baseline_m: float = param(0.12, "way between two echoes that give a direction", unit="m", low=0.02, high=1.0)
    correction: float = param(0.3, "share of its error by which a known point is moved", low=0.0, high=1.0)
    tentative_s: float = param(2.0, "a point seen only once is forgotten after", unit="s", low=0.1, high=30.0)
    kerb_m: float = param(0.55, "what is heard from nearer is no kerb", unit="m", low=0.0, high=2.0)
    passed_m: float = param(0.2, "nothing is so near to a car whose driver passes", unit="m", low=0.0, high=0.5)
    forget_m: float = param(20.0, "points farther away are forgotten", unit="m", low=5.0, high=100.0)


class Heard(NamedTuple):
    """How an echo was understood: the points (N, 2) in odometry that explain it, none when it was new.

    ``since_ns`` is when the oldest of them came into the map, ``sure`` that one of them was confirmed, ``low`` that it
    is a kerb.
    """

    sensor: str
    range_m: float
    at: Pose
    points: Array
    since_ns: int
    sure: bool
    low: bool = False


class _Last(NamedTuple):
    at: Pose
    range_m: float


_SURE, _TENTATIVE, _MOST, _LOSS = 1.0, 0.5, 3.0, 0.4
_STEADY_M = 0.5
# An echo is from the kerb, and not from what stands on it, when the kerb explains it so much better.
_BETTER_M, _TWICE = 0.03, 2
_SAME_M = 0.02
_EDGE_RAD = 0.1
_SAME_RAD, _AGREE_M, _NEIGHBOUR_M = 0.1, 0.25, 1.2
# So many echoes without a direction, from a standing car, are laid on the axis of the sensor.
_PATIENCE = 6


class LocalMap:
    """Points in odometry: ``xy`` (N, 2) with the direction that each faces, weight, and when it was born and seen."""

    def __init__(self, params: MapParams) -> None:
        self._p = params
        self._last: dict[str, _Last] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._xy: Array = np.empty((0, 2))
        self._facing: Array = np.empty(0)
        self._weight: Array = np.empty(0)
        self._low: NDArray[np.bool_] = np.empty(0, dtype=bool)
        self._born_ns: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._seen_ns: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._last.clear()
        self._near_kerb = 0
        # When what was taken for a kerb turned out to be a wall.
        self.raised_ns = 0
        self._unplaced: dict[str, int] = {}

    @property
    def points(self) -> Array:
        """Return the points (N, 2) of all that the body can touch."""
        return self._xy[~self._low]

    def found_since(self, since_ns: int, sure: bool = False) -> Array:
        """Return the points (N, 2) that echoes have brought since a time: known to exist, their place less so.

        With ``sure`` only those that were heard again and again.
        """
        found = (self._born_ns > since_ns) & ~self._low
        return self._xy[found & (self._weight >= _MOST) if sure else found]

    def known_since(self, since_ns: int) -> Array:
        """Return the points (N, 2) that were known at a time, where they are known to be now."""
        return self._xy[(self._born_ns <= since_ns) & ~self._low]

    @property
    def low(self) -> Array:
        """Return the points (N, 2) of kerbs."""
        return self._xy[self._low]

    def assume(self, now_ns: int, xy: Array, facing_rad: Array, low: bool = False) -> None:
        """Take in points that follow from a measured slot, where no point is yet; ``low`` for a kerb.

        What was heard beside a kerb was that kerb, whose place is now known better: take it in first, then what stands
        on it.
        """
        if low and len(xy):
            self._keep(_gaps(self._xy, xy).min(axis=1) >= 2.0 * self._p.match_m)
        # A point seen only once may soon be forgotten: it does not stand for this one.
        there = self._xy[self._weight >= _SURE]
        new = _gaps(xy, there).min(axis=1, initial=math.inf) > self._p.match_m / 2.0
        self._append(now_ns, xy[new], facing_rad[new], _SURE, low)

    def hear(self, now_ns: int, sensor: str, mount: Mount, car: Pose, range_m: float) -> Heard | None:
        """Take in an echo (infinite: none) measured at the pose ``car``; returns how it was understood."""
        c, s = math.cos(car.yaw_rad), math.sin(car.yaw_rad)
        x, y = car.x_m + c * mount.x_m - s * mount.y_m, car.y_m + s * mount.x_m + c * mount.y_m
        at = Pose(x, y, car.yaw_rad + mount.yaw_rad)
        dx, dy = self._xy[:, 0] - at.x_m, self._xy[:, 1] - at.y_m
        distance = np.hypot(dx, dy)
        bearing = _turn(np.arctan2(dy, dx) - at.yaw_rad)
        inside = np.abs(bearing) < self._p.half_cone_rad
        # The foot of the perpendicular on a face must be in the cone too, or the face does not answer.
        middle = np.abs(bearing) < self._p.half_cone_rad - self._p.square_rad
        aslant = np.abs(_turn(self._facing - np.arctan2(-dy, -dx)))
        square = aslant < self._p.square_rad
        self._see_through(middle & square, distance, range_m)
        last, self._last[sensor] = self._last.get(sensor), _Last(at, range_m)
        if last is not None and math.hypot(at.x_m - last.at.x_m, at.y_m - last.at.y_m) < self._p.baseline_m:
            self._last[sensor] = last if abs(last.range_m - range_m) < _STEADY_M else self._last[sensor]
        if range_m > self._p.reach_m:
            return None
        # Where a point is known to lie may be a little beyond the edge of the cone when the thing itself is within.
        # A point that was seen only once must not grow sure by that.
        beyond = (np.abs(bearing) < self._p.half_cone_rad + _EDGE_RAD) & (self._weight >= _SURE)
        match = (inside | beyond) & (np.abs(distance - range_m) < self._p.match_m)
        if range_m < self._p.kerb_m:
            # From so near a kerb is not heard, and a wall that was taken for one answers square on.
            match &= square | ~self._low
        if match.any():
            square &= match & inside & ~self._nearer_to_others(sensor, match, distance)
            self._confirm(now_ns, match, square, distance, distance * np.cos(aslant), range_m)
            sure = bool((self._weight[match] > _SURE).any())
            low = bool(self._low[match].all())  # as it is now: _confirm may have found otherwise
            return Heard(sensor, range_m, at, self._xy[match], int(self._born_ns[match].min()), sure, low)
        new = Heard(sensor, range_m, at, np.empty((0, 2)), now_ns, False)
        bearing_rad = self._direction(sensor, last, at, range_m)
        self._unplaced[sensor] = self._unplaced.get(sensor, 0) + 1 if bearing_rad is None else 0
        if bearing_rad is None and self._unplaced[sensor] < _PATIENCE:
            return new
        angle = at.yaw_rad + (bearing_rad or 0.0)
        point = np.array([[at.x_m + range_m * math.cos(angle), at.y_m + range_m * math.sin(angle)]])
        self._append(now_ns, point, np.array([angle + math.pi]), _TENTATIVE)
        return new

    def passed(self, body: Body, car: Pose) -> None:
        """Forget points where the car is while its driver passes: nobody brushes past a parked car."""
        lengthwise, sideways = body.beyond(np.array([car], dtype=np.float64), self._xy)
        self._weight[np.maximum(lengthwise, sideways)[0] < self._p.passed_m] = 0.0

    def free(self, slot: Frame, half_m: float, y_m: tuple[float, float], lean: float = 0.0) -> None:
        """Forget points between two lines along a slot, where the side sensors have found nothing; kerbs stay.

        ``lean`` is how far the sides of the slot run along the street for a metre of its depth.
        """
        local = slot.points_to_local(self._xy)
        inside = np.abs(local[:, 0] - lean * local[:, 1]) < half_m
        inside &= (local[:, 1] > y_m[0]) & (local[:, 1] < y_m[1]) & ~self._low
        self._weight[inside] = 0.0

    def tidy(self, now_ns: int, car: Pose) -> None:
        """Forget what is far away, what was contradicted, and what was seen only once long ago."""
        far = np.hypot(self._xy[:, 0] - car.x_m, self._xy[:, 1] - car.y_m) > self._p.forget_m
        lonely = (self._weight < _SURE) & (now_ns - self._seen_ns > self._p.tentative_s * 1e9)
        self._keep(~(far | lonely | (self._weight <= 0.0)))

    def _keep(self, keep: NDArray[np.bool_]) -> None:
        """Forget all other points."""
        if not keep.all():
            self._xy, self._facing, self._weight = self._xy[keep], self._facing[keep], self._weight[keep]
            self._born_ns, self._seen_ns, self._low = self._born_ns[keep], self._seen_ns[keep], self._low[keep]

    def _see_through(self, square: NDArray[np.bool_], distance: Array, range_m: float) -> None:
        """Weaken points that should have answered before the echo; a kerb is silent from near, and lets sound pass."""
        p = self._p
        near = distance < min(range_m - p.through_m, p.reach_m / 2.0)
        self._weight[square & near & (distance > p.through_m) & ~self._low] -= _LOSS

    def _confirm(
        self, now_ns: int, match: NDArray[np.bool_], square: NDArray[np.bool_], distance: Array, face_m: Array,
        range_m: float,
    ) -> None:  # fmt: skip
        """Strengthen the points that explain an echo.

        The nearest of them move towards it, square to their face, if they are seen square on; a corner that answers
        from aside says nothing of the faces next to it. What answers is a point itself or the foot of the perpendicular
        on its face, at ``face_m``: nobody knows which, and between the two there is nothing to put right.
        """
        self._doubt_kerb(now_ns, match, np.abs(distance - range_m), range_m)
        self._weight[match] = np.minimum(self._weight[match] + _TENTATIVE, _MOST)
        self._seen_ns[match] = now_ns
        # A kerb is not put right by what may come from something higher.
        high = match & ~self._low
        answering = high if high.any() else match
        first = square & answering & (distance < distance[answering].min(initial=math.inf) + _SAME_M)
        away = self._p.correction * (np.clip(range_m, face_m[first], distance[first]) - range_m)
        self._xy[first] += np.column_stack((np.cos(self._facing[first]) * away, np.sin(self._facing[first]) * away))

    def _nearer_to_others(self, sensor: str, match: NDArray[np.bool_], distance: Array) -> NDArray[np.bool_]:
        """Tell which points another sensor hears from nearer: its burst may be the one that is heard."""
        nearer = np.zeros(len(match), dtype=bool)
        for name, other in self._last.items():
            if name != sensor:
                dx, dy = self._xy[match, 0] - other.at.x_m, self._xy[match, 1] - other.at.y_m
                inside = np.abs(_turn(np.arctan2(dy, dx) - other.at.yaw_rad)) < self._p.half_cone_rad
                nearer[match] |= inside & (np.hypot(dx, dy) < distance[match] - _SAME_M)
        return nearer

    def _doubt_kerb(self, now_ns: int, match: NDArray[np.bool_], off_m: Array, range_m: float) -> None:
        """Take the kerb for a wall when it is heard from so near that it could not be heard were it low."""
        low, high = match & self._low, match & ~self._low
        if range_m >= self._p.kerb_m or not off_m[low].min(initial=math.inf) + _BETTER_M < off_m[high].min(
            initial=math.inf
        ):
            return
        self._near_kerb += 1
        if self._near_kerb >= _TWICE:
            self._low[:] = False
            self.raised_ns = now_ns

    def _direction(self, sensor: str, last: _Last | None, at: Pose, range_m: float) -> float | None:
        """Return the bearing of a new echo against the axis of its sensor, None while nothing tells it."""
        if last is None or not math.isfinite(last.range_m) or abs(range_m - last.range_m) > _STEADY_M:
            return None
        mx, my = at.x_m - last.at.x_m, at.y_m - last.at.y_m
        way = math.hypot(mx, my)
        if way < self._p.baseline_m:
            return None
        course = math.remainder(math.atan2(my, mx) - at.yaw_rad, math.tau)
        off = math.acos(min(max((last.range_m - range_m) / way, -1.0), 1.0))
        limit = self._p.half_cone_rad
        sides = [min(max(math.remainder(course + turn, math.tau), -limit), limit) for turn in (off, -off)]
        if max(sides) - min(sides) < _SAME_RAD:
            return min(sides, key=abs)
        # Left and right of the course look the same to one sensor: its neighbours tell them apart.
        off_m = [self._disagreement(sensor, at, range_m, side) for side in sides]
        if min(off_m) > _AGREE_M:
            return min(sides, key=abs) if abs(abs(sides[0]) - abs(sides[1])) > _SAME_RAD else None
        return sides[off_m.index(min(off_m))]

    def _disagreement(self, sensor: str, at: Pose, range_m: float, bearing_rad: float) -> float:
        """Return how far the range of the neighbour that fits best is from a place at a bearing."""
        angle = at.yaw_rad + bearing_rad
        x, y = at.x_m + range_m * math.cos(angle), at.y_m + range_m * math.sin(angle)
        off = math.inf
        for name, other in self._last.items():
            if name == sensor or not math.isfinite(other.range_m):
                continue
            if math.hypot(other.at.x_m - at.x_m, other.at.y_m - at.y_m) > _NEIGHBOUR_M:
                continue
            off = min(off, abs(math.hypot(x - other.at.x_m, y - other.at.y_m) - other.range_m))
        return off

    def _append(self, now_ns: int, xy: Array, facing: Array, weight: float, low: bool = False) -> None:
        count = len(xy)
        self._low = np.concatenate((self._low, np.full(count, low)))
        self._xy = np.concatenate((self._xy, xy))
        self._facing = np.concatenate((self._facing, facing))
        self._weight = np.concatenate((self._weight, np.full(count, weight)))
        stamps = np.full(count, now_ns, dtype=np.int64)
        self._born_ns = np.concatenate((self._born_ns, stamps))
        self._seen_ns = np.concatenate((self._seen_ns, stamps))


def _turn(angle: Array) -> Array:
    turned: Array = (angle + math.pi) % math.tau - math.pi
    return turned


def _gaps(xy: Array, others: Array) -> Array:
    """Return the distances (N, M) of points (N, 2) to others (M, 2)."""
    gaps: Array = np.hypot(xy[:, None, 0] - others[None, :, 0], xy[:, None, 1] - others[None, :, 1])
    return gaps
