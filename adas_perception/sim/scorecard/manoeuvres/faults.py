"""Faults in the middle of a drive: a sensor, the bus, the clock, a node, an actuator or the computer fails.

Four contexts, each with its function at work: approach (AEB), following (ACC), drift (LKA), parking (APA).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from adas_perception.params import param
from adas_perception.pipeline import Output
from adas_perception.safety.faults import FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.fault_loop import FaultLoop
from adas_perception.sim.faults import FAULTS, Fault, Several
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import Scenario
from adas_perception.sim.scorecard.manoeuvres.common import KMH, RIGHT_LANE_M, START_S_M, ahead_m, body, scene, with_acc
from adas_perception.sim.scorecard.manoeuvres.departure import Departure
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import Event, When
from adas_perception.types import Function

CONTEXTS = ("approach", "following", "drift", "parking", "emergency")
_AFTER_S = 3.0
_LATEST_S = 10.0
_FULL_AT_S = 5.1
K = FaultKind
_VEHICLE_LOST = (K.NO_VEHICLE_STATE, K.INPUT_SILENT, K.INPUT_REFUSED)
_REFUSED = (K.INPUT_REFUSED, K.INPUT_SILENT, K.NO_DRIVER_INPUT, K.NO_VEHICLE_STATE)
_ALL = "aeb acc lka bsd apa"


@dataclass(frozen=True)
class Expected:
    """What the monitor should say; ``seen_by`` may stay empty where the fault does no harm.

    ``modes`` are those that may be reached, ``neutral`` that nothing may reach the car, ``emergency`` that AEB
    brakes rightly in this context.
    """

    seen_by: tuple[FaultKind, ...]
    modes: tuple[Mode, ...]
    neutral: bool = False
    emergency: bool = False
    seconds: float = 1e9


@dataclass(frozen=True)
class FaultRun(Manoeuvre):
    """One fault in one context; ``pair`` instead draws two faults."""

    context: str = param("following", "what the car does", choices=CONTEXTS)
    fault: str = param("none", "kind of the fault", choices=tuple(FAULTS))
    what: str = param("", "what it hurts")
    seconds: float = param(1e9, "length of the fault", unit="s", low=0.05)
    mirrored: bool = param(False, "the drift goes to the right")
    pair: int = param(0, "seed of a pair of faults, 0: none", low=0, high=1000)

    def stage(self) -> Stage:
        """Return the run."""
        scenario, begins = self._context()
        fault = _pair(self.pair) if self.pair else FAULTS[self.fault](self.what)
        return Stage(scenario, loop=FaultLoop(fault, begins, self.seconds, _AFTER_S, self._expected()))

    def _context(self) -> tuple[Scenario, Callable[[Output, float], bool]]:
        road = Road(4000.0, ((0.0, 0.0), (START_S_M - 300.0, 0.0), (START_S_M - 200.0, 1 / 1500.0)))
        speed = {"approach": 50.0, "emergency": 50.0, "parking": 12.0}.get(self.context, 100.0) * KMH
        # A stuck speed does no harm before the speed changes.
        brake = 0.35 if (self.fault, self.what) == ("frozen", "speed") else 0.0
        by_hand = DriverScript((Phase(0.0, speed_mps=speed), Phase(2.5, speed_mps=speed, brake=brake)))
        if self.context == "approach":
            other = 20.0 * KMH
            target = body("target", "car", ahead_m(8.0 * (speed - other), KINDS["car"]), RIGHT_LANE_M, other)
            return scene("approach", 20.0, speed, by_hand, (target,), road=road), _from_the_braking
        if self.context == "emergency":
            target = body("target", "car", ahead_m(5.0 * speed, KINDS["car"]), RIGHT_LANE_M, 0.0)
            alone = DriverScript((Phase(0.0, speed_mps=speed),))
            return scene("emergency", 20.0, speed, alone, (target,)), _brakes_fully
        if self.context == "parking":
            parked = tuple(
                body(f"parked {i}", "car", START_S_M + 12.0 + 7.0 * i, RIGHT_LANE_M - 3.7, 0.0) for i in range(6)
            )
            return scene("parking", 20.0, speed, by_hand, parked, road=road), _from_the_braking
        if self.context == "drift":
            side = "right" if self.mirrored else "left"
            drifting = Departure(speed_kmh=80.0, lateral_mps=0.5, side=side).stage().scenario
            begins = _from_the_braking if brake else _steers
            first, then = drifting.driver.phases
            driver = replace(drifting.driver, phases=(first, replace(then, brake=brake)))
            return replace(drifting, driver=driver, road=replace(drifting.road, rails_m=(-7.5, 7.5))), begins
        braking = Event(When.TIME, 3.0, 50.0 * KMH, 2.0)
        lead = body("lead", "car", ahead_m(1.6 * speed, KINDS["car"]), RIGHT_LANE_M, speed, braking)
        return scene("following", 20.0, speed, with_acc(speed), (lead,), road=road), _brakes

    def _expected(self) -> Expected:
        """Return what the monitor should make of the fault: derived from what the functions need."""
        seen, lost, vehicle = _EFFECTS.get((self.fault, self.what), _EFFECTS.get((self.fault, ""), ((), "", False)))
        if self.fault == "loss" and self.what == "us" and self.context != "parking":
            seen, lost = (), ""  # at speed the rangers rest
        if self.fault == "disorder":
            lost = {"radar": "aeb acc", "camera": "lka", "driver": "acc lka bsd apa", "ego": _ALL}[self.what.split()[1]]
            vehicle = self.what.endswith("ego")
            if vehicle and self.what.startswith("order"):
                return Expected(seen, (Mode.FALLBACK, Mode.DISENGAGED))  # half of the samples are good
        if self.pair:
            return Expected((), tuple(Mode))
        modes: tuple[Mode, ...] = (Mode.NORMAL,)
        if vehicle:
            modes = (Mode.DISENGAGED,)
        elif self.context == "following" and "acc" in lost.split():
            modes = (Mode.FALLBACK,)
        elif self.context == "emergency" and "acc" in lost.split():
            modes = (Mode.DEGRADED, Mode.FALLBACK)
        elif lost:
            modes = (Mode.DEGRADED,)
        if self.fault == "clock" or self.what == "safety_monitor":
            modes = tuple(Mode)  # what counts is that no command steps, and that the car is neutral
        if self.fault == "bus" and self.seconds < 0.2:
            seen, modes = (), (Mode.NORMAL, Mode.DISENGAGED)
        neutral = (self.fault == "bus" and self.seconds > 0.2) or self.what == "safety_monitor"
        return Expected(seen, modes, neutral, self._emergency(), self.seconds)

    def _emergency(self) -> bool:
        """Tell whether AEB may brake rightly: without ACC's braking the lead comes too near."""
        return self.context == "emergency" or self.what == "safety_monitor" and self.context == "following"


_EFFECTS: dict[tuple[str, str], tuple[tuple[FaultKind, ...], str, bool]] = {
    ("loss", "radar"): ((K.INPUT_SILENT, K.STALE_REQUEST), "aeb acc bsd", False),
    ("loss", "camera"): ((K.INPUT_SILENT, K.STALE_REQUEST), "lka", False),
    ("loss", "us"): ((K.INPUT_SILENT,), "apa", False),
    ("loss", ""): (_VEHICLE_LOST, _ALL, True),
    ("frozen", "radar"): ((K.INPUT_FROZEN,), "aeb acc bsd", False),
    ("frozen", "camera"): ((K.INPUT_FROZEN,), "lka", False),
    ("frozen", "speed"): ((K.SPEED_DOUBTFUL,), _ALL, True),
    ("wild", ""): (_REFUSED, _ALL, True),
    ("wild", "driver.brake"): (_REFUSED, "acc lka bsd apa", False),
    ("wild", "driver.accelerator"): (_REFUSED, "acc lka bsd apa", False),
    ("wild", "driver.steering_torque_nm"): (_REFUSED, "acc lka bsd apa", False),
    ("wild", "radar.range"): ((*_REFUSED, K.STALE_REQUEST), "aeb acc bsd", False),
    ("wild", "lanes.left"): (_REFUSED, "lka", False),
    ("wild", "us.range_m"): (_REFUSED, "apa", False),
    ("disorder", ""): ((*_REFUSED, K.STALE_REQUEST), "", False),
    ("bus", ""): (_VEHICLE_LOST, _ALL, True),
    ("e2e", ""): (_VEHICLE_LOST, _ALL, True),
    ("clock", ""): ((K.CLOCK_JUMP,), "", False),
    ("node", "lane_object"): ((K.NODE_SILENT, K.INPUT_SILENT, K.STALE_REQUEST), "lka", False),
    ("node", "fusion"): ((K.NODE_SILENT, K.STALE_REQUEST), "aeb acc bsd", False),
    ("node", "acc"): ((K.NODE_SILENT, K.STALE_REQUEST), "acc", False),
    ("node", "lka"): ((K.NODE_SILENT, K.STALE_REQUEST), "lka", False),
    ("node", "safety_monitor"): ((), "", False),
    ("actuator", "brake none"): ((K.BRAKE_DISOBEYS,), "acc apa", False),
    ("actuator", "brake half"): ((K.BRAKE_DISOBEYS,), "acc apa", False),
    ("actuator", "brake stuck"): ((K.BRAKE_DISOBEYS,), "acc apa", False),
    ("actuator", "drive stuck"): ((K.BRAKE_DISOBEYS,), "acc apa", False),
    ("actuator", "steering none"): ((K.STEERING_DISOBEYS,), "lka apa", False),
    ("actuator", "steering late"): ((K.STEERING_DISOBEYS,), "lka apa", False),
    ("overload", ""): ((K.OVERLOAD,), "apa bsd", False),
}


def _brakes_fully(output: Output, time_s: float) -> bool:
    seen = output.decisions[Function.AEB].state
    return seen.state == "FULL" and output.safety.command.longitudinal is Function.AEB and time_s > _FULL_AT_S


def _brakes(output: Output, time_s: float) -> bool:
    asked = output.safety.command.accel_mps2
    return time_s >= 3.2 and asked is not None and asked < -0.8 or time_s >= _LATEST_S


def _from_the_braking(_: Output, time_s: float) -> bool:
    return time_s >= 2.6


def _steers(output: Output, time_s: float) -> bool:
    return output.safety.command.lateral is Function.LKA or time_s >= _LATEST_S


def _pair(seed: int) -> Fault:
    """Return two different faults drawn from all kinds."""
    drawn = Random(seed).sample([key for key in _EFFECTS if key[1]], 2)
    return Several(f"{drawn[0]} and {drawn[1]}", parts=tuple(FAULTS[kind](what) for kind, what in drawn))


MANOEUVRES: dict[str, type[Manoeuvre]] = {"fault": FaultRun}
