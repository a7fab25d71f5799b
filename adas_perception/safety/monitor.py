"""The safety monitor: which functions may act, and what the car does when one of them is lost.

Modes
  NORMAL       every function is available
  DEGRADED     at least one function is not available; the others go on
  FALLBACK     a function was lost while it controlled speed: keep the lane, brake gently to a stop, alert the driver
  DISENGAGED   the vehicle state is missing or contradicts itself: ask for nothing

A lost function returns after it has been healthy for ``recovery_s``. One that was lost while engaged stays locked
until it reports that it is no longer engaged: nothing restarts into active. So does comfort that is engaged when the
monitor first hears of it: then it is the monitor that was started again. FALLBACK ends by the driver only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from adas_perception.limits import Limits
from adas_perception.params import Params, param
from adas_perception.safety.arbitration import DriverParams
from adas_perception.safety.faults import (
    BUS_NODE,
    DRIVER,
    HAND_OVER,
    NEEDS,
    NODES,
    VEHICLE,
    VEHICLE_FAULTS,
    Fault,
    FaultKind,
    affected,
)
from adas_perception.safety.freshness import age_s, fresh
from adas_perception.safety.response import ResponseParams
from adas_perception.safety.watch import WatchParams
from adas_perception.types import DriverInput, EgoState, Function, FunctionState, Request, nanoseconds, seconds

# Functions whose request always rests on a sensor sample, so that its age tells whether the chain is alive.
SAMPLED = (Function.AEB, Function.ACC, Function.LKA)
# States in which a function holds the speed of the car: losing it then calls for the fallback.
ENGAGED: dict[Function, tuple[str, ...]] = {
    Function.ACC: ("ACTIVE", "HOLD"),
    Function.AEB: ("PARTIAL", "FULL", "HOLD"),
    Function.APA: ("MANOEUVRING", "PAUSED"),
}
COMFORT = frozenset({Function.ACC, Function.APA})
# A function may notice the loss of its input first and let go: for this long it still counts as engaged.
ENGAGED_MEMORY_S = 0.5


class Mode(Enum):
    """Modes of the whole stack, described at the top of this file."""

    NORMAL = "normal"
    DEGRADED = "degraded"
    FALLBACK = "fallback"
    DISENGAGED = "disengaged"


@dataclass(frozen=True)
class MonitorParams(Params):
    """Recovery policy and the minimal-risk manoeuvre."""

    recovery_s: float = param(1.0, "healthy time before a lost function returns", unit="s", low=0.0, high=60.0)
    fallback_decel_mps2: float = param(2.0, "braking of the fallback", unit="m/s2", low=0.5, high=4.0)
    bus: bool = param(True, "the CAN bridge must be alive; false for a replay, where a recording is the car")
    driver: DriverParams = DriverParams()
    watch: WatchParams = WatchParams()
    response: ResponseParams = ResponseParams()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the monitor allows in this cycle and why."""

    mode: Mode
    allowed: frozenset[Function]
    faults: tuple[Fault, ...]
    fallback: Request | None
    takeover: bool


class Monitor:
    """Judges inputs, nodes and requests once a cycle."""

    def __init__(self, params: MonitorParams, limits: Limits) -> None:
        self._params = params
        self._limits = limits
        self._age = limits.age
        self._healthy_since: dict[Function, int] = {}
        self._available: set[Function] = set()
        self._locked: set[Function] = set()
        self._known: set[Function] = set()
        self._engaged_ns: dict[Function, int] = {}
        self._fallback = False

    def step(
        self,
        now_ns: int,
        requests: Mapping[Function, Request],
        states: Mapping[Function, FunctionState],
        ego: EgoState | None,
        driver: DriverInput | None,
        heartbeats: Mapping[str, int],
        found: tuple[Fault, ...] = (),
    ) -> Verdict:
        """Return the mode and the functions that may act.

        ``heartbeats`` maps the name of a node to the time it was last heard; ``found`` is what the checks of
        inputs, clock, actuators and gate have found.
        """
        driver_ok = fresh(driver, now_ns, self._age.ego_s)
        faults = (*self._faults(now_ns, requests, heartbeats, fresh(ego, now_ns, self._age.ego_s), driver_ok), *found)
        kinds = {fault.kind for fault in faults}
        vehicle_ok = not kinds & VEHICLE_FAULTS
        driver_acts = driver_ok and self._driver_acts(driver)
        lost = self._update_available(now_ns, affected(faults))
        lost_control = lost & self._update_engaged(now_ns, states, driver_acts)
        unknown = COMFORT & states.keys() - self._known
        self._known |= unknown
        if lost_control or self._locked or unknown:
            self._locked = {f for f in self._locked | lost_control | unknown if _engaged(f, states)}
        self._fallback = not driver_acts and (self._fallback or bool(lost_control))
        allowed = frozenset(self._available - self._locked)
        return Verdict(
            mode=self._mode(vehicle_ok, allowed),
            allowed=allowed if vehicle_ok else frozenset(),
            faults=faults,
            fallback=self._fallback_request(now_ns, requests, ego) if self._fallback and ego and vehicle_ok else None,
            takeover=self._fallback or bool(kinds & HAND_OVER),
        )

    def _faults(
        self,
        now_ns: int,
        requests: Mapping[Function, Request],
        heartbeats: Mapping[str, int],
        vehicle_ok: bool,
        driver_ok: bool,
    ) -> tuple[Fault, ...]:
        faults = [] if vehicle_ok else [Fault(FaultKind.NO_VEHICLE_STATE, VEHICLE)]
        if not driver_ok:
            faults.append(Fault(FaultKind.NO_DRIVER_INPUT, DRIVER))
        limit_ns = nanoseconds(self._age.heartbeat_s)
        faults += [
            Fault(FaultKind.NODE_SILENT, node)
            for node in NODES
            # What was heard in the future was heard before the clock stepped back.
            if not 0 <= now_ns - heartbeats.get(node, 0) <= limit_ns and (node != BUS_NODE or self._params.bus)
        ]
        for function in SAMPLED:
            if age_s(requests.get(function), now_ns) > self._age.request_s:
                faults.append(Fault(FaultKind.STALE_REQUEST, function.value))
        return tuple(faults)

    def _update_available(self, now_ns: int, affected: set[Function]) -> set[Function]:
        """Take out the affected functions, let recovered ones in; return those lost in this cycle."""
        if not affected and len(self._available) == len(NEEDS):
            return set()  # all is well and stays so
        lost = self._available & affected
        self._available -= affected
        for function in NEEDS:
            if function in affected:
                self._healthy_since.pop(function, None)
                continue
            since = self._healthy_since[function] = min(self._healthy_since.get(function, now_ns), now_ns)
            if seconds(now_ns - since) >= self._params.recovery_s:
                self._available.add(function)
        return lost

    def _update_engaged(
        self, now_ns: int, states: Mapping[Function, FunctionState], driver_acts: bool
    ) -> set[Function]:
        """Return the functions that control speed now or did a moment ago, unless the driver took over."""
        if driver_acts:
            self._engaged_ns.clear()
        for function, engaged in ENGAGED.items():
            if function in self._available and function in states and states[function].state in engaged:
                self._engaged_ns[function] = now_ns
        return {f for f, since in self._engaged_ns.items() if 0.0 <= seconds(now_ns - since) <= ENGAGED_MEMORY_S}

    def _driver_acts(self, driver: DriverInput | None) -> bool:
        by_hand = self._params.driver.longitudinal(driver) or self._params.driver.lateral(driver)
        return by_hand or driver is not None and driver.acc_cancel

    def _mode(self, vehicle_ok: bool, allowed: frozenset[Function]) -> Mode:
        if not vehicle_ok:
            return Mode.DISENGAGED
        if self._fallback:
            return Mode.FALLBACK
        return Mode.NORMAL if len(allowed) == len(NEEDS) else Mode.DEGRADED

    def _fallback_request(self, now_ns: int, requests: Mapping[Function, Request], ego: EgoState) -> Request:
        """Return gentle braking, or that of ACC when it asks for more, within the comfort limit."""
        acc = requests.get(Function.ACC) if Function.ACC in self._available else None
        asked = acc.accel_mps2 if acc and acc.accel_mps2 is not None and math.isfinite(acc.accel_mps2) else 0.0
        accel = min(-self._params.fallback_decel_mps2, asked)
        return Request(Function.FALLBACK, now_ns, max(accel, -self._limits.longitudinal.decel_max(ego.speed_mps)))


def _engaged(function: Function, states: Mapping[Function, FunctionState]) -> bool:
    return function in states and states[function].state in ENGAGED.get(function, ())
