"""The monitor's own clock: jumps forwards and backwards, and cycles that come too late."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import Params, param
from adas_perception.safety.faults import Fault, FaultKind
from adas_perception.types import seconds

SUBJECT = "safety_monitor"


@dataclass(frozen=True)
class PaceParams(Params):
    """When the clock has jumped and when the computer is overloaded."""

    cycle_max_s: float = param(0.075, "a longer cycle is missed", unit="s", low=0.01, high=1.0)
    jump_s: float = param(0.4, "a longer cycle is a jump of the clock", unit="s", low=0.1, high=5.0)
    shown_s: float = param(0.3, "a jump is shown this long", unit="s", low=0.0, high=5.0)
    missed_limit: float = param(1.5, "score of missed cycles that is an overload", low=0.5, high=20.0)
    missed_leak: float = param(0.25, "score that a cycle in time takes back", low=0.01, high=1.0)


def jumped(last_ns: int, now_ns: int, limit_s: float) -> bool:
    """Return whether the clock has gone back, or on by more than ``limit_s``."""
    return not 0.0 <= seconds(now_ns - last_ns) <= limit_s


class Pace:
    """Steps once a cycle."""

    def __init__(self, params: PaceParams) -> None:
        self._p = params
        self._last_ns: int | None = None
        self._jump_ns: int | None = None
        self._score = 0.0

    def step(self, now_ns: int) -> tuple[Fault, ...]:
        """Return what is wrong with the clock or the cycle."""
        p = self._p
        last_ns, self._last_ns = self._last_ns or now_ns, now_ns
        if jumped(last_ns, now_ns, p.jump_s):
            self._jump_ns = now_ns
        elif seconds(now_ns - last_ns) > p.cycle_max_s:
            self._score = min(self._score + 1.0, 2.0 * p.missed_limit)
        else:
            self._score = max(self._score - p.missed_leak, 0.0)
        shown = self._jump_ns is not None and 0.0 <= seconds(now_ns - self._jump_ns) <= p.shown_s
        kinds = ((shown, FaultKind.CLOCK_JUMP), (self._score > p.missed_limit, FaultKind.OVERLOAD))
        return tuple(Fault(kind, SUBJECT) for wrong, kind in kinds if wrong)
