"""The timing of test protocols: targets that reach the point of collision together with an ego that nobody slows.

The impact location is where the target's centre meets the ego's width, 0 % the right edge and 100 % the left one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import Vehicle
from adas_perception.sim.bodies import CAR, Kind
from adas_perception.sim.curve import Polyline
from adas_perception.sim.road import Road
from adas_perception.sim.traffic import ActorSpec, Event, When
from adas_perception.types import Side

_AFTER_M = 40.0
_SEARCH_STEP_M = 0.1
_STOP_MPS2 = 2.0


@dataclass(frozen=True)
class Approach:
    """How the ego comes: from base_link at (s, d) on the road with a constant speed."""

    road: Road
    start_s_m: float
    d_m: float
    speed_mps: float
    vehicle: Vehicle = Vehicle()

    def front_reaches_s(self, s_m: float) -> float:
        """Return the time in s at which the front bumper reaches a distance along the road."""
        return (s_m - self.start_s_m - self.vehicle.front_x_m) / self.speed_mps

    def front_at(self, time_s: float) -> tuple[float, float]:
        """Return the map position of the middle of the front bumper at a time."""
        x, y, yaw = self.road.place(self.start_s_m + self.speed_mps * time_s, self.d_m)
        return x + self.vehicle.front_x_m * math.cos(yaw), y + self.vehicle.front_x_m * math.sin(yaw)


def impact_offset_m(impact_percent: float, vehicle: Vehicle) -> float:
    """Return how far left of the ego's middle an impact location lies."""
    return (impact_percent / 100.0 - 0.5) * vehicle.width_m


def crossing(
    name: str,
    kind: Kind,
    ego: Approach,
    at_s_m: float,
    side: Side,
    speed_mps: float,
    start_m: float,
    *,
    impact_percent: float = 50.0,
    run_up_m: float = 0.0,
    stop_m: float | None = None,
) -> ActorSpec:
    """Return a target that crosses the road at ``at_s_m`` from a side and meets the ego at the impact location.

    It starts ``start_m`` beside the ego's middle and reaches ``speed_mps`` within ``run_up_m``; without a run-up it
    comes with that speed from farther away. ``stop_m`` lets it stop so far beside the ego's middle (the speed falls
    with 2 m/s2 at the end). Raises ValueError when the ego starts too near for the target to arrive in time.
    """
    toward = -int(side)
    x0, y0, yaw = ego.road.place(at_s_m, ego.d_m + side * start_m)
    across = yaw + toward * math.pi / 2.0
    way = Polyline([(x0, y0), (x0 + _AFTER_M * math.cos(across), y0 + _AFTER_M * math.sin(across))])
    face_s = at_s_m - kind.width_m / 2.0
    travel_m = start_m - side * impact_offset_m(impact_percent, ego.vehicle)
    events: tuple[Event, ...] = ()
    if run_up_m > 0.0:
        travel_s = 2.0 * run_up_m / speed_mps + (travel_m - run_up_m) / speed_mps
        go_s = face_s - ego.speed_mps * travel_s
        if go_s < ego.start_s_m + ego.vehicle.front_x_m:
            raise ValueError(
                f"{name}: the ego starts {ego.front_reaches_s(face_s):.2f} s before the collision, the target needs "
                f"{travel_s:.2f} s; start the ego farther away"
            )
        events = (Event(When.EGO_AT, go_s, speed_mps, speed_mps**2 / (2.0 * run_up_m)),)
        start_s, start_mps, start_time = 0.0, 0.0, ego.front_reaches_s(go_s)
    else:
        start_time = ego.front_reaches_s(face_s) - travel_m / speed_mps
        start_s, start_mps = -speed_mps * start_time, speed_mps
    if stop_m is not None:
        brake_m = speed_mps**2 / (2.0 * _STOP_MPS2)
        run_s = (start_m - stop_m - brake_m + run_up_m) / speed_mps
        events += (Event(When.TIME, start_time + run_s, 0.0, _STOP_MPS2),)
    return ActorSpec(name, start_s, 0.0, start_mps, events, kind, way)



def turned_across(name: str, kind: Kind, ego: Approach, way: Polyline, speed_mps: float) -> ActorSpec:
    """Return a target on a straight ``way`` whose front meets the front of the turning ego where their ways cross.

    Raises ValueError when the ego does not cross the way.
    """
    start = way.point(0.0)
    c, s = math.cos(start.yaw_rad), math.sin(start.yaw_rad)

    def beside(time_s: float) -> float:
        x, y = ego.front_at(time_s)
        return (y - start.y_m) * c - (x - start.x_m) * s

    steps = round((ego.road.length_m - ego.start_s_m) / _SEARCH_STEP_M)
    times = (k * _SEARCH_STEP_M / ego.speed_mps for k in range(steps))
    before = beside(0.0)
    meets = next((t for t in times if beside(t) * before <= 0.0), None)
    if meets is None:
        raise ValueError(f"{name}: the ego's road does not cross the target's way; turn the road across it")
    x, y = ego.front_at(meets)
    at_m = (x - start.x_m) * c + (y - start.y_m) * s
    return ActorSpec(name, at_m - kind.length_m / 2.0 - speed_mps * meets, 0.0, speed_mps, (), kind, way)


def parked_row(
    name: str, front_s_m: float, d_m: float, count: int, *, kind: Kind = CAR, gap_m: float = 1.0
) -> tuple[ActorSpec, ...]:
    """Return cars parked along the road, the farthest with its front at ``front_s_m``, ``gap_m`` apart."""
    pitch = kind.length_m + gap_m
    first = front_s_m - kind.length_m / 2.0
    return tuple(ActorSpec(f"{name}{i + 1}", first - i * pitch, d_m, 0.0, (), kind) for i in range(count))
