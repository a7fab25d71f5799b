"""Monitor, arbitration and gate joined: requests in, one safe command out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import Proposal, Reason, arbitrate
from adas_perception.safety.faults import Fault, FaultKind
from adas_perception.safety.freshness import fresh
from adas_perception.safety.gate import Gate, Violation
from adas_perception.safety.monitor import Mode, Monitor, MonitorParams
from adas_perception.safety.pace import Pace
from adas_perception.safety.response import ResponseCheck
from adas_perception.safety.watch import Sample, Watch
from adas_perception.types import Command, DriverInput, EgoState, Function, FunctionState, Request


@dataclass(frozen=True, slots=True)
class SafetyOutput:
    """The command of one cycle with the reasons behind it; ``takeover`` calls the driver to drive.

    ``owners`` says why speed and steering belong to whom they do.
    """

    command: Command
    mode: Mode
    allowed: frozenset[Function]
    faults: tuple[Fault, ...]
    violations: tuple[Violation, ...]
    takeover: bool = False
    owners: tuple[Reason, Reason] = (Reason.NO_REQUEST, Reason.NO_REQUEST)

    @property
    def reason(self) -> str:
        """Return what is wrong, the gravest first, as one line; 'ok' when nothing is."""
        parts = [v.value for v in self.violations] + [str(f) for f in self.faults]
        return "; ".join(parts) or "ok"


class SafetyChain:
    """``take`` every sample as it arrives; one ``step`` a cycle, and at once when an urgent request arrives."""

    def __init__(self, params: MonitorParams, limits: Limits, vehicle: Vehicle) -> None:
        self._driver = params.driver
        self._driver_age_s = limits.age.ego_s
        self._watch = Watch(params.watch, vehicle)
        self._pace = Pace(params.watch.pace)
        # A recording does not obey: its own driver drove it.
        self._response = ResponseCheck(params.response, vehicle) if params.bus else None
        self._monitor = Monitor(params, limits)
        self._gate = Gate(limits, vehicle)
        self._command = Command(0)
        self._locked: frozenset[Function] = frozenset()

    def take(self, now_ns: int, sample: Sample) -> bool:
        """Return whether a sample may be used; one that may not goes no further."""
        return self._watch.take(now_ns, sample)

    def step(
        self,
        now_ns: int,
        requests: Mapping[Function, Request],
        states: Mapping[Function, FunctionState],
        ego: EgoState | None,
        driver: DriverInput | None,
        heartbeats: Mapping[str, int],
    ) -> SafetyOutput:
        """Judge, choose, limit."""
        driver = driver if fresh(driver, now_ns, self._driver_age_s) else None
        found = self._found(now_ns, ego, driver)
        verdict = self._monitor.step(now_ns, requests, states, ego, driver, heartbeats, found)
        allowed = {function: request for function, request in requests.items() if function in verdict.allowed}
        proposal = arbitrate(allowed, driver, verdict.fallback, self._driver)
        trusted = ego if verdict.mode is not Mode.DISENGAGED else None
        if trusted is None:
            proposal = Proposal()
        enabled = verdict.allowed | {Function.FALLBACK} if verdict.fallback else verdict.allowed
        result = self._gate.step(now_ns, proposal, trusted, driver, enabled)
        self._command, self._locked = result.command, result.locked
        return SafetyOutput(
            result.command, verdict.mode, verdict.allowed, verdict.faults, result.violations, verdict.takeover,
            proposal.reasons,
        )  # fmt: skip

    def _found(self, now_ns: int, ego: EgoState | None, driver: DriverInput | None) -> tuple[Fault, ...]:
        """Return what the checks beside the monitor have found."""
        by_foot, by_hand = self._driver.longitudinal(driver), self._driver.lateral(driver)
        check = self._response
        return (
            *self._pace.step(now_ns),
            *self._watch.faults(now_ns),
            *(check.step(now_ns, self._command, ego, by_foot=by_foot, by_hand=by_hand) if check else ()),
            *(Fault(FaultKind.REQUEST_REFUSED, function.value) for function in sorted(self._locked, key=str)),
        )
