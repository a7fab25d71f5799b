"""The latest of everything, how often it comes and how old it is, and which alerts that raises."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import Any

from adas_perception.alerts import Alert, AlertBook, AlertTable, situations
from adas_perception.types import Command, DriverInput, EgoState, Function, FunctionState, RadarTargets, seconds
from adas_perception.view.reading import COMMAND, SAFETY, Health, SafetyView

WINDOW_S = 2.0
# A state that is older says nothing of now.
ALIVE_S = 1.0


class Board:
    """Takes every sample with the time of its arrival; knows no clock."""

    def __init__(self, table: AlertTable) -> None:
        self.latest: dict[str, Any] = {}
        self.states: dict[Function, FunctionState] = {}
        self.health: dict[str, Health] = {}
        self._arrivals: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=400))
        self._book = AlertBook(table)

    def take(self, now_ns: int, topic: str, sample: Any) -> None:
        """Keep a sample; targets of several radars, states and heartbeats are kept apart."""
        key = topic
        if isinstance(sample, RadarTargets):
            key = f"{topic} {sample.sensor}"
        elif isinstance(sample, FunctionState):
            self.states[sample.function] = sample
        elif isinstance(sample, Health):
            self.health[sample.node] = sample
            key = f"{topic} {sample.node}"
        self.latest[key] = sample
        arrivals = self._arrivals[key]
        if arrivals and now_ns < arrivals[-1]:  # the clock stepped back
            arrivals.clear()
        arrivals.append(now_ns)

    def rate_hz(self, key: str, now_ns: int) -> float:
        """Return how often samples of ``key`` have come within the last two seconds, from their spacing."""
        recent = [ns for ns in self._arrivals.get(key, ()) if 0.0 <= seconds(now_ns - ns) <= WINDOW_S]
        if len(recent) < 2 or recent[-1] == recent[0]:
            return 0.0
        return (len(recent) - 1) / seconds(recent[-1] - recent[0])

    def age_s(self, key: str, now_ns: int) -> float:
        """Return the age of the exposure behind the latest sample, or of its arrival; infinite when there is none."""
        if key not in self.latest:
            return math.inf
        stamp_ns = getattr(self.latest[key], "stamp_ns", 0) or self._arrivals[key][-1]
        return seconds(now_ns - stamp_ns)

    def quiet_s(self, key: str, now_ns: int) -> float:
        """Return how long nothing has come; infinite when nothing ever came."""
        return seconds(now_ns - self._arrivals[key][-1]) if self._arrivals.get(key) else math.inf

    @property
    def safety(self) -> SafetyView | None:
        """Return the latest word of the safety monitor."""
        return self.latest.get(SAFETY)

    @property
    def command(self) -> Command | None:
        """Return the latest command."""
        return self.latest.get(COMMAND)

    @property
    def ego(self) -> EgoState | None:
        """Return the latest vehicle state."""
        return self.latest.get("vehicle/odometry")

    @property
    def driver(self) -> DriverInput | None:
        """Return what the driver does."""
        return self.latest.get("vehicle/driver")

    def alerts(self, now_ns: int) -> tuple[Alert, ...]:
        """Return what the driver is told now; who is silent raises nothing by the last it said."""
        states = [
            state for state in self.states.values()
            if self.quiet_s(f"{state.function.value}/state", now_ns) <= ALIVE_S
        ]  # fmt: skip
        safety = self.safety
        if safety is None or self.quiet_s(SAFETY, now_ns) > ALIVE_S:
            return self._book.step(now_ns, [])
        return self._book.step(now_ns, situations(states, safety.mode, safety.takeover, safety.faults))
