"""Automatic parking assist, first version: finds parallel and perpendicular slots and offers them.

It refuses to drive and says so. The smallest slot follows from the car's own size (ISO 16787).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from adas_perception.functions import guide
from adas_perception.functions.apa.slots import Gap, SideScan, Slot, SlotKind, SlotParams
from adas_perception.functions.common import Press, decide, driver_usable, ego_usable
from adas_perception.limits import Limits
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import Decision, DriverInput, Echoes, EgoState, Function, Gear, Level, Side


class State(Enum):
    """States of APA."""

    OFF = "not available"
    SEARCH = "looks for slots"
    OFFERED = "offers a slot"
    CONFIRMED = "the driver has confirmed"
    MANOEUVRING = "drives"
    PAUSED = "waits for an obstacle"
    DONE = "parked"
    ABORTED = "given up"


class Reason(Enum):
    """Why APA is in its state."""

    SEARCHING = "no slot found yet"
    SLOT_FOUND = "a slot is near"
    CANNOT_DRIVE = "this version finds slots but does not drive into them"
    SENSOR_SILENT = "a side sensor is silent"
    SPEED = "too fast"
    GEAR = "not driving forward"
    EGO_STALE = "no recent vehicle state"
    ECHOES_STALE = "no recent echoes"


@dataclass(frozen=True)
class ApaParams(Params):
    """Parameters of APA."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    slots: SlotParams = SlotParams()
    guide: guide.ApaRule = guide.ApaRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    echoes_age_s: float = param(0.3, "oldest usable echoes", unit="s", low=0.02, high=1.0)
    left_sensor: str = param("front_left_side", "sensor that looks to the left")
    right_sensor: str = param("front_right_side", "sensor that looks to the right")
    speed_max_mps: float = param(8.34, "fastest drive past, 30 km/h", unit="m/s", low=1.0, high=15.0)
    parallel_extra_m: float = param(0.8, "parallel slot: car length plus this", unit="m", low=0.3, high=3.0)
    perpendicular_extra_m: float = param(0.8, "perpendicular slot: car width plus this", unit="m", low=0.3, high=3.0)
    depth_extra_m: float = param(0.1, "depth of a slot: the car plus this", unit="m", low=0.0, high=1.0)
    forget_m: float = param(15.0, "a slot this far away is no longer offered", unit="m", low=5.0, high=50.0)


@dataclass(frozen=True, slots=True)
class ApaDecision(Decision):
    """A decision with the slots on offer, nearest first, and the planned path as (x, y, yaw) in odometry."""

    slots: tuple[Slot, ...] = ()
    path: tuple[tuple[float, float, float], ...] = ()


class Apa:
    """Automatic parking assist."""

    def __init__(self, params: ApaParams, limits: Limits) -> None:
        self._p = params
        self._scans = {side: SideScan(params.slots, side) for side in (Side.LEFT, Side.RIGHT)}
        self._sensors = {Side.LEFT: params.left_sensor, Side.RIGHT: params.right_sensor}
        self._confirm = Press()
        self._refused = False
        self._slots: tuple[Slot, ...] = ()
        self._position: tuple[float, float] | None = None
        self._travelled_m = 0.0
        self._echo_ns = 0

    def step(self, now_ns: int, ego: EgoState | None, driver: DriverInput | None, echoes: Echoes | None) -> ApaDecision:
        """Decide one cycle; the request never has an opinion in this version."""
        p = self._p
        sample_ns = echoes.stamp_ns if echoes else 0
        if not ego_usable(ego, now_ns, p.ego_age_s):
            return self._off(now_ns, sample_ns, Reason.EGO_STALE)
        # Rangers rest at speed: that is no fault.
        if not 0.0 <= ego.speed_mps <= p.speed_max_mps:
            return self._off(now_ns, sample_ns, Reason.SPEED)
        if not fresh(echoes, now_ns, p.echoes_age_s):
            return self._off(now_ns, sample_ns, Reason.ECHOES_STALE)
        if ego.gear is not Gear.DRIVE:
            return self._off(now_ns, sample_ns, Reason.GEAR)

        self._move(ego)
        if echoes.stamp_ns != self._echo_ns:
            self._echo_ns = echoes.stamp_ns
            self._scan(ego, echoes)
        self._slots = self._near(ego)
        confirmed = driver_usable(driver, now_ns, p.driver_age_s) and self._confirm.edge(driver.park_confirm)
        self._refused = bool(self._slots) and (self._refused or confirmed)
        silent = any(sensor in echoes.silent for sensor in self._sensors.values())
        return self._finish(now_ns, sample_ns, silent)

    def _move(self, ego: EgoState) -> None:
        """Keep the distance travelled."""
        here = (ego.x_m, ego.y_m)
        if self._position is not None:
            self._travelled_m += math.dist(here, self._position)
        self._position = here

    def _scan(self, ego: EgoState, echoes: Echoes) -> None:
        """Feed both sides and keep the gaps that serve as slots."""
        points = {point.sensor: point for point in echoes.points}
        for side, scan in self._scans.items():
            sensor = self._sensors[side]
            if sensor in echoes.silent:
                scan.reset()
                continue
            gap = scan.step(ego, self._travelled_m, points.get(sensor))
            kind = self._kind(gap) if gap else None
            if gap and kind:
                slot = Slot(kind, side, gap.x_m, gap.y_m, gap.yaw_rad, gap.length_m, gap.depth_m)
                self._slots = (slot, *self._slots)

    def _kind(self, gap: Gap) -> SlotKind | None:
        """Return how the car fits into a gap, None when it does not."""
        p, v = self._p, self._p.vehicle
        parallel = gap.length_m >= v.length_m + p.parallel_extra_m
        perpendicular = gap.length_m >= v.width_m + p.perpendicular_extra_m
        if p.rule == "guide":
            parallel, perpendicular = guide.parking(gap.length_m, p.guide)
        if parallel and gap.depth_m >= v.width_m + p.depth_extra_m:
            return SlotKind.PARALLEL
        if perpendicular and gap.depth_m >= v.length_m + p.depth_extra_m:
            return SlotKind.PERPENDICULAR
        return None

    def _near(self, ego: EgoState) -> tuple[Slot, ...]:
        """Return the slots within reach, nearest first."""
        here = (ego.x_m, ego.y_m)
        away = {slot: math.dist(here, (slot.x_m, slot.y_m)) for slot in self._slots}
        return tuple(sorted((s for s in self._slots if away[s] <= self._p.forget_m), key=away.__getitem__))

    def _finish(self, now_ns: int, sample_ns: int, silent: bool) -> ApaDecision:
        state = State.OFFERED if self._slots else State.SEARCH
        reason = Reason.SLOT_FOUND if self._slots else Reason.SEARCHING
        level = Level.OK
        if silent:
            reason, level = Reason.SENSOR_SILENT, Level.WARN
        if self._refused:
            reason, level = Reason.CANNOT_DRIVE, Level.WARN
        values = {"slots": float(len(self._slots))}
        if self._slots:
            values["slot_length_m"] = self._slots[0].length_m
        return self._decision(decide(Function.APA, now_ns, sample_ns, level, state.name, reason.name, values))

    def _off(self, now_ns: int, sample_ns: int, reason: Reason) -> ApaDecision:
        """Drop the slots: without odometry or echoes nobody knows where they are."""
        self._slots, self._position, self._refused = (), None, False
        for scan in self._scans.values():
            scan.reset()
        level = Level.OK if reason in (Reason.SPEED, Reason.GEAR) else Level.WARN
        values = {"slots": 0.0}
        return self._decision(decide(Function.APA, now_ns, sample_ns, level, State.OFF.name, reason.name, values))

    def _decision(self, decision: Decision) -> ApaDecision:
        return ApaDecision(decision.request, decision.state, self._slots)
