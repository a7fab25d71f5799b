"""The closed loop with a CAN bus in it and a fault: real frames with end-to-end protection in both directions.

Time is virtual. What happened is kept cycle by cycle, as evidence for the judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from adas_perception.can.car import CarEncoder, CarReceiver
from adas_perception.can.hmi import Hmi
from adas_perception.can.profile import load_profile
from adas_perception.can.vehicle import Transmitter, VehicleReceiver
from adas_perception.limits import load_limits
from adas_perception.pipeline import Output, Pipeline, Sample
from adas_perception.resources import config_path, profile_path
from adas_perception.safety.faults import NODES, FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.sim.faults import FAULTS, Fault, Obeyed
from adas_perception.sim.loop import TICK_S, cue
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import Command, DriverInput, EgoState, Function

CAN_S = 0.01
GATE = "safety_monitor"


class Moment(NamedTuple):
    """One cycle: what the stack said, what it asked for, and what reached the controllers of the car."""

    time_s: float
    mode: Mode
    kinds: frozenset[FaultKind]
    takeover: bool
    owner: Function
    wire_accel: float | None
    wire_steering: float | None
    obeyed_accel: float | None
    obeyed_steering: float | None
    speed_mps: float
    stack_speed_mps: float


@dataclass(frozen=True)
class Evidence:
    """A drive with a fault: its kind, when it began, all cycles, and what was ``expected`` of the stack."""

    kind: str
    start_s: float
    moments: tuple[Moment, ...]
    expected: Any

    @property
    def after(self) -> tuple[Moment, ...]:
        """Return the cycles since the fault began."""
        return tuple(m for m in self.moments if m.time_s > self.start_s)


class FaultLoop:
    """Drives world and pipeline together while ``fault`` is at work from the moment ``begins`` says so."""

    def __init__(
        self,
        fault: Fault,
        begins: Callable[[Output, float], bool],
        seconds: float,
        after_s: float,
        expected: Any = None,
    ) -> None:
        self._fault = fault
        self._begins = begins
        self._seconds = seconds
        self._after_s = after_s
        self._expected = expected
        self._moments: list[Moment] = []
        self._seen_speed = 0.0
        self._stamps: dict[type, int] = {}

    def evidence(self) -> Evidence:
        """Return what happened."""
        kind = next((name for name, cls in FAULTS.items() if cls is type(self._fault)), "")
        return Evidence(
            f"{kind} {self._fault.what}", self._fault.start_s, tuple(self._moments), self._expected
        )

    def __call__(self, world: World, pipeline: Pipeline) -> Iterator[Output]:
        """Yield what the stack decided at every cycle."""
        profile = load_profile(profile_path("adas"))
        codec = profile.codec()
        limits = load_limits(config_path("limits.yaml"))
        car_sends, car_hears = CarEncoder(codec), CarReceiver(codec)
        sends, hears = Transmitter(codec, limits), VehicleReceiver(codec, profile.signals)
        sensors, fault = SensorSuite(world), self._fault
        command, received_ns = Command(0), 0
        output: Output | None = None
        while not world.done and not world.time_s > fault.start_s + self._after_s:
            noticed = cue(output) if output else None
            for _ in range(round(TICK_S / CAN_S)):
                wire = car_hears.request(world.stamp_ns)
                bites = fault.active(world.time_s)
                obeyed = fault.obeyed(*wire, world.time_s) if bites else wire
                gear, hold = car_hears.parking(world.stamp_ns)
                world.step(CAN_S, *obeyed, noticed, gear, hold)
                bites = fault.active(world.time_s)
                now_ns = self._clock_ns(world)
                ego = world.ego()
                for frame in car_sends.frames(ego, world.driver_input(), (ego.speed_mps,) * 4):
                    arrived = fault.from_car(frame, codec) if bites else frame
                    if arrived is not None:
                        hears.feed(arrived, now_ns)
                for frame in sends.frames(now_ns, command, received_ns, Hmi()):
                    arrived = fault.to_car(frame) if bites else frame
                    if arrived is not None:
                        car_hears.feed(arrived, world.stamp_ns)
            waits = output is not None and fault.start_s == math.inf
            if output is not None and waits and self._begins(output, world.time_s):
                fault.start_s, fault.end_s = world.time_s, world.time_s + self._seconds
                bites = True
            stopped = fault.stopped() if bites else frozenset()
            pipeline.running = frozenset(NODES) - stopped
            samples = list(self._samples(world, sensors, hears, now_ns, bites))
            if output is None or not (bites and fault.stalls(world.time_s)):
                output = pipeline.step(now_ns, samples)
                if GATE not in stopped:
                    command, received_ns = output.safety.command, now_ns
            self._keep(world, output, wire, obeyed)
            yield output

    def _clock_ns(self, world: World) -> int:
        return world.stamp_ns + (self._fault.jump_ns() if self._fault.active(world.time_s) else 0)

    def _samples(
        self, world: World, sensors: SensorSuite, hears: VehicleReceiver, now_ns: int, bites: bool
    ) -> Iterator[Sample]:
        """Yield what reaches the stack: from the bus the car and its driver, from the sensors the rest."""
        start_ns = world.start_ns + round(self._fault.start_s * 1e9) if bites else 0
        jump_ns = self._fault.jump_ns() if bites else 0
        # Only new content is published.
        own = [s for s in (hears.ego(now_ns), hears.driver(now_ns)) if s and s.stamp_ns != self._stamps.get(type(s))]
        self._stamps |= {type(sample): sample.stamp_ns for sample in own}
        seen = [s for s in sensors.samples() if not isinstance(s, (EgoState, DriverInput))]
        # What was measured before the clock jumped carries the old time.
        shifted = [replace(s, stamp_ns=s.stamp_ns + jump_ns) if jump_ns and s.stamp_ns >= start_ns else s for s in seen]
        for sample in (*own, *shifted):
            arrived = self._fault.sample(sample) if bites else sample
            if isinstance(arrived, EgoState):
                self._seen_speed = arrived.speed_mps
            if arrived is not None:
                yield arrived

    def _keep(self, world: World, output: Output, wire: Obeyed, obeyed: Obeyed) -> None:
        safety = output.safety
        self._moments.append(Moment(
            world.time_s, safety.mode, frozenset(fault.kind for fault in safety.faults), safety.takeover,
            safety.command.longitudinal, *wire, *obeyed, world.car.speed_mps, self._seen_speed,
        ))  # fmt: skip
