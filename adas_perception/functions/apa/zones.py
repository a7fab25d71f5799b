"""Stop, slow and approach zones around the moving car: they act on echoes at once and need no plan.

Only what lies in the strip that the body sweeps on its present arc counts (the idea of a collision monitor). An echo
that known points explain is taken to be there; one that nothing explains may lie anywhere on its arc. A new obstacle
slows the car at its first echo and stops it at the second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from adas_perception.functions.apa.geometry import Array, Body, Pose, Segment, sweep
from adas_perception.functions.apa.local_map import Heard
from adas_perception.params import Params, Vehicle, param


class Zone(Enum):
    """The zone in which the nearest obstacle ahead is."""

    FREE = "nothing near"
    APPROACH = "approach"
    SLOW = "slow"
    STOP = "stop"


@dataclass(frozen=True)
class ZoneParams(Params):
    """How far before what the car stops."""

    look_m: float = param(2.5, "how far ahead the strip is looked at", unit="m", low=0.5, high=5.0)
    reserve_m: float = param(0.35, "gap to keep to something new", unit="m", low=0.05, high=1.0)
    found_reserve_m: float = param(0.22, "gap to keep to what was found on the way", unit="m", low=0.05, high=1.0)
    known_reserve_m: float = param(0.03, "gap to keep to what the plan knows", unit="m", low=0.0, high=0.5)
    beside_m: float = param(0.12, "gap to keep beside something new", unit="m", low=0.0, high=0.5)
    known_beside_m: float = param(0.0, "gap to keep beside what the plan knows", unit="m", low=0.0, high=0.5)
    reaction_s: float = param(0.6, "time until the car slows down", unit="s", low=0.0, high=1.0)
    decel_mps2: float = param(1.0, "deceleration counted on", unit="m/s2", low=0.2, high=5.0)
    slow_mps: float = param(0.4, "speed in the slow zone", unit="m/s", low=0.1, high=1.0)
    half_cone_rad: float = param(0.55, "half the arc on which something new may lie", unit="rad", low=0.1, high=1.2)
    located_rad: float = param(0.3, "half the arc when the map has a place for it", unit="rad", low=0.0, high=1.2)
    located_m: float = param(0.3, "the same across, where that is more", unit="m", low=0.0, high=1.0)
    touch_m: float = param(0.4, "nothing new may be nearer to a sensor ahead", unit="m", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True)
class ZoneState:
    """The nearest obstacle ahead: its zone, the way to it (infinite: none), the speed it allows, who sees it."""

    zone: Zone = Zone.FREE
    way_m: float = math.inf
    cap_mps: float = math.inf
    sensor: str = ""


@dataclass(frozen=True, slots=True)
class Echo:
    """An echo with what the map says of it.

    ``known`` was there before the manoeuvre, ``located`` has a place on the map, ``planned`` is in the present plan.
    """

    heard: Heard
    known: bool
    located: bool
    planned: bool = False


class Zones:
    """Keeps, per sensor, how often it has seen something new in the strip."""

    def __init__(self, params: ZoneParams, vehicle: Vehicle) -> None:
        self._p = params
        self._body = Body.outline(vehicle)
        self._count: dict[str, int] = {}

    def reset(self) -> None:
        """Forget what was seen, when the direction changes."""
        self._count.clear()

    def step(
        self, car: Pose, curvature: float, way: int, speed_mps: float, echoes: Sequence[Echo], fresh: frozenset[str]
    ) -> ZoneState:
        """Return the state for a car that moves on an arc, forwards or backwards; ``fresh`` are new echoes."""
        poses = sweep(car, Segment(way * self._p.look_m, curvature), _STEP_M)
        nearest = ZoneState()
        for echo in echoes:
            points = echo.heard.points if echo.known else self._arc(echo)
            sensor = echo.heard.sensor
            # From what comes near from behind it is best to drive away.
            beside = self._p.known_beside_m if echo.known or _looks(sensor, -way) else self._p.beside_m
            free = self._body.free(poses, points, beside)
            touching = not echo.known and echo.heard.range_m < self._p.touch_m and _looks(sensor, way)
            if free.all() and not touching:
                if not echo.known and sensor in fresh:
                    self._count[sensor] = 0
                continue
            if not echo.known and sensor in fresh:
                self._count[sensor] = self._count.get(sensor, 0) + 1
            way_m = 0.0 if touching else int(np.argmin(free)) * _STEP_M
            state = self._judge(echo, way_m, speed_mps)
            nearest = min(nearest, state, key=lambda s: s.cap_mps)
        return nearest

    def _judge(self, echo: Echo, way_m: float, speed_mps: float) -> ZoneState:
        """Return the zone of one obstacle that the body meets after ``way_m``."""
        p, sensor = self._p, echo.heard.sensor
        reserve = p.known_reserve_m if echo.known else p.reserve_m if not echo.planned else p.found_reserve_m
        room = way_m - reserve
        cap = math.sqrt(2.0 * p.decel_mps2 * max(room, 0.0))
        if echo.known:
            return ZoneState(Zone.STOP if room <= 0.0 else Zone.APPROACH, way_m, cap, sensor)
        # From the order until it slows down the car goes on, and may still gain speed.
        late_mps = p.decel_mps2 * p.reaction_s
        cap = math.sqrt(late_mps**2 + 2.0 * p.decel_mps2 * max(room, 0.0)) - late_mps
        if echo.planned:
            return ZoneState(Zone.STOP if cap < _CREEP_MPS else Zone.APPROACH, way_m, cap, sensor)
        room -= abs(speed_mps) * p.reaction_s
        if cap > _CREEP_MPS and room > abs(speed_mps) ** 2 / (2.0 * p.decel_mps2):
            return ZoneState(Zone.APPROACH, way_m, cap, sensor)
        if self._count.get(sensor, 0) < 2:
            return ZoneState(Zone.SLOW, way_m, min(cap, p.slow_mps) or p.slow_mps, sensor)
        return ZoneState(Zone.STOP, way_m, 0.0, sensor)

    def _arc(self, echo: Echo) -> Array:
        """Return where something new may be: the range is sure, the place on the map is less so, and may be old."""
        heard, middle, half = echo.heard, 0.0, self._p.half_cone_rad
        if echo.located:
            x, y = heard.points.mean(axis=0).tolist()
            bearing = math.remainder(math.atan2(y - heard.at.y_m, x - heard.at.x_m) - heard.at.yaw_rad, math.tau)
            middle, half = bearing, max(self._p.located_rad, self._p.located_m / max(heard.range_m, _STEP_M))
        low, high = max(middle - half, -self._p.half_cone_rad), min(middle + half, self._p.half_cone_rad)
        angle = heard.at.yaw_rad + np.linspace(min(low, high), high, 9)
        return np.column_stack(
            (heard.at.x_m + heard.range_m * np.cos(angle), heard.at.y_m + heard.range_m * np.sin(angle))
        )


_STEP_M = 0.05
# A car that may not go faster than this does not move on.
_CREEP_MPS = 0.08


def _looks(sensor: str, way: int) -> bool:
    """Tell whether a sensor looks where the car goes."""
    return sensor.startswith("front" if way > 0 else "rear") and not sensor.endswith("_side")
