"""Scripted road users: they follow the road at an offset and change speed or lane when an event triggers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from adas_perception.sim.road import Road
from adas_perception.types import ObjectClass


class When(Enum):
    """What an event waits for; its value is compared with ``Event.threshold``."""

    TIME = "scenario time in s reaches the threshold"
    GAP = "bumper-to-bumper distance ahead of the ego in m has grown to the threshold"
    NEAR = "bumper-to-bumper distance ahead of the ego in m has shrunk to the threshold"
    AHEAD = "distance to the actor named by Event.other, in m, has shrunk to the threshold"


@dataclass(frozen=True)
class Event:
    """Change speed (``speed_mps`` at ``accel_mps2``) and/or offset (``d_m`` within ``duration_s``)."""

    when: When
    threshold: float
    speed_mps: float | None = None
    accel_mps2: float = 1.5
    d_m: float | None = None
    duration_s: float = 3.0
    other: str = ""


@dataclass(frozen=True)
class ActorSpec:
    """A road user at the start of a scenario; ``s_m`` is its centre. Events happen in their order."""

    name: str
    s_m: float
    d_m: float
    speed_mps: float
    events: tuple[Event, ...] = ()
    length_m: float = 4.6
    width_m: float = 1.85
    height_m: float = 1.5
    label: ObjectClass = ObjectClass.CAR
    rgb: tuple[int, int, int] = (150, 30, 35)


@dataclass
class Actor:
    """A road user in motion. ``yaw_rad`` and the velocities are in the map frame."""

    spec: ActorSpec
    s_m: float
    d_m: float
    speed_mps: float
    x_m: float = 0.0
    y_m: float = 0.0
    yaw_rad: float = 0.0
    accel_mps2: float = 0.0
    d_rate_mps: float = 0.0
    _events: list[Event] = field(default_factory=list)
    _target_mps: float = 0.0
    _limit_mps2: float = 1.5
    _shift: tuple[float, float, float, float] | None = None  # from d, to d, start time, duration

    @classmethod
    def from_spec(cls, spec: ActorSpec, road: Road) -> Actor:
        """Place a road user at its start."""
        actor = cls(spec, spec.s_m, spec.d_m, spec.speed_mps, _events=list(spec.events), _target_mps=spec.speed_mps)
        actor._place(road)
        return actor

    @property
    def velocity_mps(self) -> tuple[float, float]:
        """Return the velocity in the map frame."""
        speed = math.hypot(self.speed_mps, self.d_rate_mps)
        return speed * math.cos(self.yaw_rad), speed * math.sin(self.yaw_rad)

    @property
    def braking(self) -> bool:
        """Tell whether the brake lights are on."""
        return self.accel_mps2 < -0.7 or (self.speed_mps == 0.0 and self.spec.label is ObjectClass.CAR)

    def step(self, dt_s: float, time_s: float, road: Road, ego_front_s_m: float, others: Sequence[Actor]) -> None:
        """Advance by ``dt_s``; ``ego_front_s_m`` is the ego's front bumper along the road."""
        if self._events and self._triggered(self._events[0], time_s, ego_front_s_m, others):
            self._begin(self._events.pop(0), time_s)
        change = self._limit_mps2 * dt_s
        before = self.speed_mps
        self.speed_mps = max(before + min(max(self._target_mps - before, -change), change), 0.0)
        self.accel_mps2 = (self.speed_mps - before) / dt_s
        self.s_m += before * dt_s / (1.0 - road.point(self.s_m).curvature * self.d_m)
        self._shift_lane(time_s + dt_s, dt_s)
        self._place(road)

    def _triggered(self, event: Event, time_s: float, ego_front_s_m: float, others: Sequence[Actor]) -> bool:
        if event.when is When.TIME:
            return time_s >= event.threshold
        if event.when is When.AHEAD:
            other = next(actor for actor in others if actor.spec.name == event.other)
            return other.s_m - self.s_m - (other.spec.length_m + self.spec.length_m) / 2.0 <= event.threshold
        gap = self.s_m - self.spec.length_m / 2.0 - ego_front_s_m
        return gap >= event.threshold if event.when is When.GAP else gap <= event.threshold

    def _begin(self, event: Event, time_s: float) -> None:
        if event.speed_mps is not None:
            self._target_mps, self._limit_mps2 = event.speed_mps, event.accel_mps2
        if event.d_m is not None:
            self._shift = (self.d_m, event.d_m, time_s, event.duration_s)

    def _shift_lane(self, time_s: float, dt_s: float) -> None:
        if self._shift is None:
            self.d_rate_mps = 0.0
            return
        start, end, begin, duration = self._shift
        part = min((time_s - begin) / duration, 1.0)
        # Quintic: no step in lateral speed or acceleration at either end.
        d = start + (end - start) * part**3 * (10.0 + part * (6.0 * part - 15.0))
        self.d_rate_mps = (d - self.d_m) / dt_s
        self.d_m = d
        if part >= 1.0:
            self._shift = None

    def _place(self, road: Road) -> None:
        centre = road.point(self.s_m)
        self.x_m = centre.x_m - self.d_m * math.sin(centre.yaw_rad)
        self.y_m = centre.y_m + self.d_m * math.cos(centre.yaw_rad)
        slip = math.atan2(self.d_rate_mps, self.speed_mps) if self.speed_mps > 0.1 else 0.0
        self.yaw_rad = centre.yaw_rad + slip
