"""The own lane seen from the car: how near each line is, how soon it would be crossed, where the middle is.

Distances are measured from the side of the body at the front axle to the line, positive inside the lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from adas_perception.functions.lead import Lines
from adas_perception.params import Vehicle
from adas_perception.types import EgoState, LaneLine, Side, seconds

SIDES = (Side.LEFT, Side.RIGHT)
# A line that is suddenly elsewhere by this, or was away for so long, is another line.
_ANOTHER_LINE_M = 0.5
_FORGET_S = 0.4
# How soon the rate of a line believes its direction.
_DIRECTION_S = 0.2


@dataclass(frozen=True, slots=True)
class Departure:
    """How near the car is to a line: distance inside, speed towards it, time to crossing."""

    side: Side
    distance_m: float
    nearing_mps: float
    ttlc_s: float


def departure(
    line: LaneLine, drift_mps: float, side: Side, ego: EgoState, vehicle: Vehicle, preview_s: float
) -> Departure:
    """Return the state of the car against a line that moves to the left with ``drift_mps``, seen from the car.

    ``nearing_mps`` is as it will be ``preview_s`` ahead in a curve.
    """
    x, v = vehicle.wheelbase_m, ego.speed_mps
    distance = side * line.y(x) - vehicle.width_m / 2.0
    nearing = -side * drift_mps
    bending = -side * v * (v * line.curvature(x + preview_s * v) - ego.yaw_rate_radps)
    return Departure(side, distance, nearing + bending * preview_s, time_to_line(distance, nearing, bending))


@dataclass(slots=True)
class _Seen:
    """A line as last seen: its position and how fast it moves to the left."""

    stamp_ns: int
    y_m: float
    rate_mps: float


class Drift:
    """How fast each line moves sideways, seen from a point ``x_m`` ahead of the rear axle.

    Yaw rate tells every change at once, the direction of the line what the yaw rate has missed. But in a bend the
    tyres slip sideways and the nose points into the bend: direction alone hides just the drift that this makes.
    What it lacks is learned within about ``settle_s`` from where the lines really go; it belongs to the car, so both
    lines share it.
    """

    def __init__(self, x_m: float, slip_rad_per_mps2: float, settle_s: float) -> None:
        self._x_m = x_m
        self._slip_rad_per_mps2 = slip_rad_per_mps2
        self._settle_s = settle_s
        self._lacking_mps = 0.0
        self._seen: dict[Side, _Seen] = {}

    def step(self, stamp_ns: int, lines: Lines, ego: EgoState) -> dict[Side, float]:
        """Return the rate in m/s, positive to the left, of each line that is there."""
        there = {side: line for side, line in zip(SIDES, lines, strict=True) if line}
        errors = [self._follow(stamp_ns, side, line, ego) for side, line in there.items()]
        known = [error for error in errors if error is not None]
        if known:
            self._lacking_mps += sum(known) / len(known) / self._settle_s**2
        return {side: self._seen[side].rate_mps for side in there}

    def _follow(self, stamp_ns: int, side: Side, line: LaneLine, ego: EgoState) -> float | None:
        """Take in a line; return its distance from where it was expected times the time passed, None if it is new."""
        v, y = ego.speed_mps, line.y(self._x_m)
        slip = self._slip_rad_per_mps2 * v * v * ego.yaw_rate_radps
        direction = line.slope(self._x_m) * v - ego.yaw_rate_radps * self._x_m + slip + self._lacking_mps
        last = self._seen.get(side)
        dt = seconds(stamp_ns - last.stamp_ns) if last else math.inf
        expected = last.y_m + last.rate_mps * dt if last else math.inf
        if not last or not 0.0 <= dt <= _FORGET_S or abs(y - expected) > _ANOTHER_LINE_M:
            self._seen[side] = _Seen(stamp_ns, y, direction)
            return None
        rate = last.rate_mps + v * (v * line.curvature(self._x_m) - ego.yaw_rate_radps) * dt
        rate += (direction - rate) * min(dt / _DIRECTION_S, 1.0)
        error = y - expected
        self._seen[side] = _Seen(stamp_ns, expected + error * min(2.0 * dt / self._settle_s, 1.0), rate)
        return error * dt


def time_to_line(distance_m: float, nearing_mps: float, bending_mps2: float) -> float:
    """Return the first time t >= 0 at which distance = nearing t + bending t^2 / 2, infinite if there is none."""
    if distance_m <= 0.0:
        return 0.0
    square = nearing_mps**2 + 2.0 * bending_mps2 * distance_m
    if square < 0.0:
        return math.inf
    # Of the two forms of the quadratic solution the one that subtracts no like numbers.
    root = math.sqrt(square)
    if nearing_mps < 0.0:
        return (root - nearing_mps) / bending_mps2 if bending_mps2 > 1e-9 else math.inf
    return 2.0 * distance_m / (nearing_mps + root) if nearing_mps + root > 1e-9 else math.inf


@dataclass(frozen=True, slots=True)
class Lane:
    """The own lane seen from the car.

    ``target_m`` is how far to the left the car should be, ``target_mps`` how fast that grows, ``curvature`` that of
    the road where steering takes effect. Offset and width need both lines.
    """

    departures: tuple[Departure, ...]
    target_m: float
    target_mps: float
    curvature: float
    offset_m: float | None = None
    width_m: float | None = None


def view_lane(
    lines: Lines,
    drifts_mps: Mapping[Side, float],
    ego: EgoState,
    vehicle: Vehicle,
    *,
    preview_s: float,
    steering_delay_s: float,
    keep_off_m: float,
) -> Lane | None:
    """Return the lane between two lines, of which one may be missing; None without any.

    ``drifts_mps`` tells how fast each line moves to the left, seen from the car at the front axle. Nearing in curves
    is taken ``preview_s`` ahead, curvature where steering takes effect after ``steering_delay_s``; with one line the
    car is to be ``keep_off_m`` away from it.
    """
    x, half_car = vehicle.wheelbase_m, vehicle.width_m / 2.0
    seen = [(line, side) for line, side in zip(lines, SIDES, strict=True) if line]
    if not seen:
        return None
    departures = tuple(departure(line, drifts_mps[side], side, ego, vehicle, preview_s) for line, side in seen)
    drifts = sum(drifts_mps[side] for _, side in seen) / len(seen)
    ahead = x + steering_delay_s * ego.speed_mps
    curvature = sum(line.curvature(ahead) for line, _ in seen) / len(seen)
    positions = [line.y(x) for line, _ in seen]
    if len(seen) == 2:
        middle, width = sum(positions) / 2.0, positions[0] - positions[1]
        return Lane(departures, middle, drifts, curvature, -middle, width)
    side = seen[0][1]
    beside = positions[0] - side * (half_car + keep_off_m)
    # With one line the car is only kept off it, never drawn towards it.
    return Lane(departures, min(beside * side, 0.0) * side, drifts, curvature)
