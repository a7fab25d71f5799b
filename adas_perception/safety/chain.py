"""Monitor, arbitration and gate joined: requests in, one safe command out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import arbitrate
from adas_perception.safety.freshness import fresh
from adas_perception.safety.gate import Gate, Violation
from adas_perception.safety.monitor import Fault, Mode, Monitor, MonitorParams
from adas_perception.types import Command, DriverInput, EgoState, Function, FunctionState, Request


@dataclass(frozen=True, slots=True)
class SafetyOutput:
    """The command of one cycle with the reasons behind it; ``takeover`` calls the driver to drive."""

    command: Command
    mode: Mode
    allowed: frozenset[Function]
    faults: tuple[Fault, ...]
    violations: tuple[Violation, ...]
    takeover: bool = False

    @property
    def reason(self) -> str:
        """Return what is wrong, the gravest first, as one line; 'ok' when nothing is."""
        parts = [v.value for v in self.violations] + [str(f) for f in self.faults]
        return "; ".join(parts) or "ok"


class SafetyChain:
    """One step a cycle, and at once when an urgent request arrives."""

    def __init__(self, params: MonitorParams, limits: Limits, vehicle: Vehicle) -> None:
        self._driver = params.driver
        self._driver_age_s = limits.age.ego_s
        self._monitor = Monitor(params, limits)
        self._gate = Gate(limits, vehicle)

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
        verdict = self._monitor.step(now_ns, requests, states, ego, driver, heartbeats)
        allowed = {function: request for function, request in requests.items() if function in verdict.allowed}
        proposal = arbitrate(allowed, driver, verdict.fallback, self._driver)
        result = self._gate.step(now_ns, proposal, ego)
        return SafetyOutput(
            result.command, verdict.mode, verdict.allowed, verdict.faults, result.violations, verdict.takeover
        )
