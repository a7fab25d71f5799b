"""Scripted road users: they follow a line at an offset and change speed or offset when an event triggers.

The line is the road, or a way of their own for those who cross it, turn, or come from elsewhere.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from adas_perception.sim.bodies import CAR, Colour, Kind
from adas_perception.sim.curve import Way
from adas_perception.sim.following import Spot, following_mps2, next_ahead
from adas_perception.sim.road import Road
from adas_perception.types import ObjectClass


class When(Enum):
    """What an event waits for; its value is compared with ``Event.threshold``."""

    TIME = "scenario time in s reaches the threshold"
    EGO_AT = "the ego's front bumper reaches the distance in m along the road"
    GAP = "bumper-to-bumper distance ahead of the ego in m has grown to the threshold"
    NEAR = "bumper-to-bumper distance ahead of the ego in m has shrunk to the threshold"
    TTC = "bumper-to-bumper distance ahead of the ego over the closing speed in s has shrunk to the threshold"
    AHEAD = "distance to the actor named by Event.other, in m, has shrunk to the threshold"


@dataclass(frozen=True)
class Event:
    """Change speed (``speed_mps`` at ``accel_mps2``, reached within ``ramp_s``) and/or offset (``d_m`` in time)."""

    when: When
    threshold: float
    speed_mps: float | None = None
    accel_mps2: float = 1.5
    d_m: float | None = None
    duration_s: float = 3.0
    other: str = ""
    ramp_s: float = 0.0


@dataclass(frozen=True)
class ActorSpec:
    """A road user at the start of a scenario; ``s_m`` is its centre. Events happen in their order.

    ``s_m`` and ``d_m`` count along ``way``, the road if None; ``turned_rad`` is its heading against the line.
    ``profile`` gives its speed at times (s, m/s), linear between them, and takes the place of speed events.
    One that ``reacts`` holds its speed only as far as who is ahead of it on the same line lets it; it has no speed
    events.
    """

    name: str
    s_m: float
    d_m: float
    speed_mps: float
    events: tuple[Event, ...] = ()
    kind: Kind = CAR
    way: Way | None = None
    turned_rad: float = 0.0
    profile: tuple[tuple[float, float], ...] = ()
    reacts: bool = False
    rgb: Colour | None = None

    @property
    def length_m(self) -> float:
        """Return the length of the body."""
        return self.kind.length_m

    @property
    def width_m(self) -> float:
        """Return the width of the body."""
        return self.kind.width_m

    @property
    def height_m(self) -> float:
        """Return the height of the body."""
        return self.kind.height_m

    @property
    def label(self) -> ObjectClass | None:
        """Return what a camera calls it."""
        return self.kind.label

    @property
    def colour(self) -> Colour:
        """Return the colour to paint it with."""
        return self.rgb or self.kind.rgb


@dataclass(frozen=True)
class _SpeedChange:
    """A change of speed: the acceleration builds up linearly within ``ramp_s`` and ends at the target."""

    start_mps: float
    target_mps: float
    accel_mps2: float
    ramp_s: float
    begin_s: float

    def speed(self, time_s: float) -> float:
        t = time_s - self.begin_s
        if t <= 0.0:
            return self.start_mps
        gain = self.accel_mps2 * (t * t / (2.0 * self.ramp_s) if t < self.ramp_s else t - self.ramp_s / 2.0)
        if self.target_mps > self.start_mps:
            return min(self.start_mps + gain, self.target_mps)
        return max(self.start_mps - gain, self.target_mps)


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
    _change: _SpeedChange | None = None
    _shift: tuple[float, float, float, float] | None = None  # from d, to d, start time, duration

    @classmethod
    def from_spec(cls, spec: ActorSpec, road: Road) -> Actor:
        """Place a road user at its start."""
        speed = _profiled(spec.profile, 0.0) if spec.profile else spec.speed_mps
        actor = cls(spec, spec.s_m, spec.d_m, speed, _events=list(spec.events))
        actor._place(road)
        return actor

    @property
    def velocity_mps(self) -> tuple[float, float]:
        """Return the velocity in the map frame."""
        speed = math.hypot(self.speed_mps, self.d_rate_mps)
        course = self.yaw_rad - self.spec.turned_rad
        return speed * math.cos(course), speed * math.sin(course)

    @property
    def braking(self) -> bool:
        """Tell whether the brake lights are on."""
        return self.spec.kind.wheeled and (self.accel_mps2 < -0.7 or self.speed_mps == 0.0)

    def step(
        self,
        dt_s: float,
        time_s: float,
        road: Road,
        ego_front_s_m: float,
        others: Sequence[Actor],
        ego_speed_mps: float = 0.0,
        ego: Spot | None = None,
    ) -> None:
        """Advance by ``dt_s``; ``ego_front_s_m`` is the ego's front bumper along the road, ``ego`` for who reacts."""
        if self._events:
            wait_s = self._wait(self._events[0], time_s, dt_s, ego_front_s_m, ego_speed_mps, others)
            if wait_s < dt_s:
                self._begin(self._events.pop(0), time_s + wait_s)
        if self._resting():
            return
        moved_m = self._follow(dt_s, others, ego) if self.spec.reacts else self._advance(time_s, dt_s)
        if self.spec.way is None and not road.straight:
            moved_m /= 1.0 - road.point(self.s_m).curvature * self.d_m
        self.s_m += moved_m
        self._shift_lane(time_s + dt_s, dt_s)
        self._place(road)

    def _resting(self) -> bool:
        still = self.speed_mps == 0.0 and self.accel_mps2 == 0.0 and self.d_rate_mps == 0.0
        return still and self._change is None and self._shift is None and not self.spec.profile and not self.spec.reacts

    def _wait(
        self, event: Event, time_s: float, dt_s: float, front_m: float, ego_mps: float, others: Sequence[Actor]
    ) -> float:
        """Return the time until an event happens: exact within this step for times and for a steady ego."""
        if event.when is When.TIME:
            return max(event.threshold - time_s, 0.0)
        if event.when is When.EGO_AT:
            left_m = event.threshold - front_m
            return max(left_m / ego_mps, 0.0) if ego_mps > 0.1 else (0.0 if left_m <= 0.0 else math.inf)
        return 0.0 if self._near(event, front_m, ego_mps, others) else math.inf

    def _near(self, event: Event, front_m: float, ego_mps: float, others: Sequence[Actor]) -> bool:
        if event.when is When.AHEAD:
            other = next(actor for actor in others if actor.spec.name == event.other)
            return other.s_m - self.s_m - (other.spec.length_m + self.spec.length_m) / 2.0 <= event.threshold
        gap = self.s_m - self.spec.length_m / 2.0 - front_m
        if event.when is When.TTC:
            return gap <= event.threshold * (ego_mps - self.speed_mps)
        return gap >= event.threshold if event.when is When.GAP else gap <= event.threshold

    def _begin(self, event: Event, time_s: float) -> None:
        if event.speed_mps is not None:
            speed = self.speed_mps if self._change is None else self._change.speed(time_s)
            self._change = _SpeedChange(speed, event.speed_mps, event.accel_mps2, event.ramp_s, time_s)
        if event.d_m is not None:
            self._shift = (self.d_m, event.d_m, time_s, event.duration_s)

    def _advance(self, time_s: float, dt_s: float) -> float:
        """Set the speed at the end of the step and return the way of the step."""
        before = self.speed_mps
        if self.spec.profile:
            middle, after = (_profiled(self.spec.profile, time_s + part * dt_s) for part in (0.5, 1.0))
        elif self._change is not None:
            middle, after = self._change.speed(time_s + dt_s / 2.0), self._change.speed(time_s + dt_s)
            if after == self._change.target_mps:
                self._change = None
        else:
            self.accel_mps2 = 0.0
            return before * dt_s
        self.speed_mps, self.accel_mps2 = after, (after - before) / dt_s
        return (before + 4.0 * middle + after) / 6.0 * dt_s

    def _follow(self, dt_s: float, others: Sequence[Actor], ego: Spot | None) -> float:
        """Set the speed at the end of the step by who is ahead and return the way of the step."""
        spots = [
            Spot(other.s_m - other.spec.length_m / 2.0, other.d_m, other.speed_mps)
            for other in others
            if other is not self and other.spec.way is self.spec.way and other.spec.kind.solid
        ]  # fmt: skip
        if ego is not None and self.spec.way is None:
            spots.append(ego)
        front, before = self.s_m + self.spec.length_m / 2.0, self.speed_mps
        accel = following_mps2(before, self.spec.speed_mps, front, next_ahead(front, self.d_m, spots))
        self.speed_mps = max(before + accel * dt_s, 0.0)
        self.accel_mps2 = (self.speed_mps - before) / dt_s
        return (before + self.speed_mps) / 2.0 * dt_s

    def _shift_lane(self, time_s: float, dt_s: float) -> None:
        if self._shift is None:
            self.d_rate_mps = 0.0
            return
        start, end, begin, duration = self._shift
        part = min(max((time_s - begin) / duration, 0.0), 1.0)
        # Quintic: no step in lateral speed or acceleration at either end.
        d = start + (end - start) * part**3 * (10.0 + part * (6.0 * part - 15.0))
        self.d_rate_mps = (d - self.d_m) / dt_s
        self.d_m = d
        if part >= 1.0:
            self._shift = None

    def _place(self, road: Road) -> None:
        x, y, yaw, _ = (self.spec.way or road).point(self.s_m)
        self.x_m, self.y_m = x - self.d_m * math.sin(yaw), y + self.d_m * math.cos(yaw)
        slip = math.atan2(self.d_rate_mps, self.speed_mps) if self.speed_mps > 0.1 and self.d_rate_mps else 0.0
        self.yaw_rad = yaw + slip + self.spec.turned_rad


def _profiled(profile: tuple[tuple[float, float], ...], time_s: float) -> float:
    index = bisect.bisect_right(profile, (time_s, math.inf))
    if index in (0, len(profile)):
        return profile[min(index, len(profile) - 1)][1]
    (t0, v0), (t1, v1) = profile[index - 1], profile[index]
    return v0 + (time_s - t0) / (t1 - t0) * (v1 - v0)
