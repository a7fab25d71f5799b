"""The own lane seen from the car: how near each line is, how soon it would be crossed, where the middle is.

Distances are measured from the side of the body at the front axle to the line, positive inside the lane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import Vehicle
from adas_perception.types import EgoState, LaneLine, Side


@dataclass(frozen=True, slots=True)
class Departure:
    """How near the car is to a line: distance inside, speed towards it, time to crossing."""

    side: Side
    distance_m: float
    nearing_mps: float
    ttlc_s: float


def departure(line: LaneLine, side: Side, ego: EgoState, vehicle: Vehicle, preview_s: float) -> Departure:
    """Return the state of the car against a line, ``nearing_mps`` as it will be ``preview_s`` ahead in a curve."""
    x, v = vehicle.wheelbase_m, ego.speed_mps
    distance = side * line.y(x) - vehicle.width_m / 2.0
    nearing = -side * drift(line, ego, x)
    bending = -side * v * (v * line.curvature(x + preview_s * v) - ego.yaw_rate_radps)
    return Departure(side, distance, nearing + bending * preview_s, time_to_line(distance, nearing, bending))


def drift(line: LaneLine, ego: EgoState, x: float) -> float:
    """Return how fast a line moves to the left in m/s, seen from the car at ``x`` metres ahead."""
    return line.slope(x) * ego.speed_mps - ego.yaw_rate_radps * x


def time_to_line(distance_m: float, nearing_mps: float, bending_mps2: float) -> float:
    """Return the first time t >= 0 at which distance = nearing t + bending t^2 / 2, infinite if there is none."""
    if distance_m <= 0.0:
        return 0.0
    root = nearing_mps**2 + 2.0 * bending_mps2 * distance_m
    if root < 0.0:
        return math.inf
    # This form of the quadratic solution stays exact when the curvature term vanishes.
    divisor = nearing_mps + math.sqrt(root)
    return 2.0 * distance_m / divisor if divisor > 1e-9 else math.inf


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
    lines: tuple[LaneLine | None, LaneLine | None],
    ego: EgoState,
    vehicle: Vehicle,
    *,
    preview_s: float,
    steering_delay_s: float,
    keep_off_m: float,
) -> Lane | None:
    """Return the lane between two lines, of which one may be missing; None without any.

    Drift in curves is taken ``preview_s`` ahead, curvature where steering takes effect after ``steering_delay_s``;
    with one line the car is to be ``keep_off_m`` away from it.
    """
    x, half_car = vehicle.wheelbase_m, vehicle.width_m / 2.0
    seen = [(line, side) for line, side in zip(lines, (Side.LEFT, Side.RIGHT), strict=True) if line]
    if not seen:
        return None
    departures = tuple(departure(line, side, ego, vehicle, preview_s) for line, side in seen)
    drifts = sum(drift(line, ego, x) for line, _ in seen) / len(seen)
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
