"""Point-mass worlds that close the loop around one function: straight road, one lead, perfect sensing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from adas_perception.params import Vehicle
from adas_perception.types import Decision, EgoState, ObjectClass, Objects, Sensor, Track, nanoseconds

KMH = 1 / 3.6
CYCLE_S = 0.05
STEP_S = 0.01
START_NS = 1_000_000_000
VEHICLE = Vehicle()
BOTH = Sensor.RADAR | Sensor.CAMERA


class Plant:
    """A car that accelerates as asked: dead time, then a linear ramp, at most ``grip`` deceleration."""

    def __init__(self, speed: float, grip: float = 8.83, dead_s: float = 0.1, ramp_s: float = 0.3) -> None:
        self.x, self.v, self.a = 0.0, speed, 0.0
        self.grip, self.rate = grip, grip / ramp_s
        self.queue = deque([0.0] * round(dead_s / STEP_S))

    def step(self, wanted: float) -> None:
        self.queue.append(wanted)
        target = max(self.queue.popleft(), -self.grip)
        self.a += min(max(target - self.a, -self.rate * STEP_S), self.rate * STEP_S)
        if self.v <= 0.0 and self.a < 0.0:
            self.v = self.a = 0.0
        self.x += self.v * STEP_S
        self.v = max(self.v + self.a * STEP_S, 0.0)


@dataclass
class Lead:
    """A car ahead that follows an acceleration given over time."""

    x: float
    v: float
    accel: Callable[[float], float] = lambda t: 0.0
    v_min: float = 0.0
    a: float = 0.0

    def step(self, t: float) -> None:
        self.a = self.accel(t) if self.v > self.v_min or self.accel(t) > 0 else 0.0
        self.x += self.v * STEP_S
        self.v = max(self.v + self.a * STEP_S, self.v_min)


@dataclass
class Run:
    """What happened: one row per cycle (time, speed, accel, gap, lead speed, decision)."""

    impact_kmh: float = 0.0
    gap_min: float = math.inf
    rows: list[tuple[float, float, float, float, float, Decision]] = field(default_factory=list)

    def states(self) -> list[str]:
        return [row[-1].state.state for row in self.rows]

    def first(self, state: str) -> float:
        return next((row[0] for row in self.rows if row[-1].state.state == state), math.inf)


def objects_of(now: int, gap: float, v: float, a: float, age: int = 100, **extra: object) -> Objects:
    """A car ``gap`` metres before the bumper."""
    track = Track(
        7, VEHICLE.front_x_m + gap + 2.25, 0.0, v, 0.0, a, label=ObjectClass.CAR, sources=BOTH, age=age, **extra
    )
    return Objects(now, (track,))


def drive(
    function, speed, lead, *, seconds, driver=None, free_accel=0.0, plant=None, until_stop=True, visible=lambda t: True
) -> Run:
    """Close the loop; ``driver(t, decision)`` gives the driver's own acceleration, the lower one counts."""
    car = plant or Plant(speed)
    run, wanted, t = Run(), 0.0, 0.0
    for i in range(round(seconds / STEP_S)):
        t = i * STEP_S
        gap = lead.x - car.x
        if i % round(CYCLE_S / STEP_S) == 0:
            now = START_NS + nanoseconds(t)
            ego = EgoState(now, car.v, car.a)
            seen = objects_of(now, gap, lead.v, lead.a) if visible(t) else Objects(now)
            decision = function.step(now, ego, None, seen, None)
            request = decision.request.accel_mps2
            wanted = free_accel if request is None else request
            if driver:
                wanted = min(wanted, driver(t, decision))
            run.rows.append((t, car.v, car.a, gap, lead.v, decision))
        car.step(wanted)
        lead.step(t)
        run.gap_min = min(run.gap_min, lead.x - car.x)
        if lead.x <= car.x:
            run.impact_kmh = (car.v - lead.v) / KMH
            break
        if until_stop and car.v == 0.0 and t > 1.0:
            break
    return run
