"""What the instrument cluster shows, taken from the states of the functions.

The enums carry the codes of the DBC's value tables (a test compares them). A function that is missing, silent
or in a state unknown here is shown as FAULT, never as the state it had last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from adas_perception.types import Function, FunctionState, Level, Side


class SafetyMode(IntEnum):
    """Mode of the safety monitor."""

    NORMAL = 0
    DEGRADED = 1
    FALLBACK = 2
    DISENGAGED = 3


class AccState(IntEnum):
    """State of adaptive cruise control."""

    OFF = 0
    STANDBY = 1
    ACTIVE = 2
    HOLD = 3
    OVERRIDE = 4
    FAULT = 7


class AebState(IntEnum):
    """State of emergency braking."""

    OFF = 0
    READY = 1
    WARN = 2
    PARTIAL = 3
    FULL = 4
    HOLD = 5
    FAULT = 7


class LkaState(IntEnum):
    """State of lane keeping."""

    OFF = 0
    READY = 1
    WARN = 2
    ACTIVE = 3
    DEGRADED = 4
    FAULT = 7


class BsdState(IntEnum):
    """State of blind-spot detection."""

    OFF = 0
    READY = 1
    WARN = 2
    FAULT = 3


class ParkState(IntEnum):
    """State of automated parking."""

    OFF = 0
    SEARCH = 1
    OFFERED = 2
    CONFIRMED = 3
    MANOEUVRING = 4
    PAUSED = 5
    DONE = 6
    ABORTED = 7
    FAULT = 15


class FcwLevel(IntEnum):
    """Forward collision warning and intervention."""

    NONE = 0
    WARN = 1
    PARTIAL_BRAKING = 2
    FULL_BRAKING = 3


class BsdLevel(IntEnum):
    """Blind-spot lamp in one mirror: steady when somebody is there, flashing when the driver indicates."""

    NONE = 0
    PRESENT = 1
    WARNING = 2


class LdwSide(IntEnum):
    """Side on which the car leaves its lane."""

    NONE = 0
    LEFT = 1
    RIGHT = 2


FCW_LEVELS = {
    AebState.WARN: FcwLevel.WARN,
    AebState.PARTIAL: FcwLevel.PARTIAL_BRAKING,
    AebState.FULL: FcwLevel.FULL_BRAKING,
    AebState.HOLD: FcwLevel.FULL_BRAKING,
}
# By the value "side" of LKA, which is a Side.
LDW_SIDES: Mapping[float, LdwSide] = {Side.LEFT: LdwSide.LEFT, Side.RIGHT: LdwSide.RIGHT}

# Largest values that the displays can show; they lie within the ranges of the DBC.
SET_SPEED_SHOWN_MPS = 100.0
TIME_GAP_SHOWN_S = 6.0
GAP_SHOWN_M = 300.0


@dataclass(frozen=True, slots=True)
class Hmi:
    """Warnings and states to show; the default is a stack that offers nothing.

    ``set_speed_mps`` and ``time_gap_s`` are 0 when none is set, ``gap_m`` is None without a lead.
    """

    mode: SafetyMode = SafetyMode.DISENGAGED
    takeover: bool = False
    acc: AccState = AccState.FAULT
    aeb: AebState = AebState.FAULT
    lka: LkaState = LkaState.FAULT
    bsd: BsdState = BsdState.FAULT
    park: ParkState = ParkState.FAULT
    ldw: LdwSide = LdwSide.NONE
    bsd_left: BsdLevel = BsdLevel.NONE
    bsd_right: BsdLevel = BsdLevel.NONE
    set_speed_mps: float = 0.0
    time_gap_s: float = 0.0
    gap_m: float | None = None

    @property
    def fcw(self) -> FcwLevel:
        """Return the forward collision warning that belongs to the state of AEB."""
        return FCW_LEVELS.get(self.aeb, FcwLevel.NONE)


def hmi_from_states(states: Mapping[Function, FunctionState], mode: str, takeover: bool = False) -> Hmi:
    """Return what to show for the latest states and the name of the safety mode.

    The driver is asked to take over in FALLBACK and when the monitor says so; an unknown mode counts as DISENGAGED.
    """
    acc, lka, bsd = (states.get(function) for function in (Function.ACC, Function.LKA, Function.BSD))
    gap_m = _value(acc, "gap_m", GAP_SHOWN_M)
    lka_state = _state(lka, LkaState)
    leaving = lka_state in (LkaState.WARN, LkaState.ACTIVE)
    safety_mode = SafetyMode.__members__.get(mode.upper(), SafetyMode.DISENGAGED)
    return Hmi(
        mode=safety_mode,
        takeover=takeover or safety_mode is SafetyMode.FALLBACK,
        acc=_state(acc, AccState),
        aeb=_state(states.get(Function.AEB), AebState),
        lka=lka_state,
        bsd=_state(bsd, BsdState),
        park=_state(states.get(Function.APA), ParkState),
        ldw=_side(lka) if leaving else LdwSide.NONE,
        bsd_left=BsdLevel(int(_value(bsd, "left_level", max(BsdLevel)) or 0)),
        bsd_right=BsdLevel(int(_value(bsd, "right_level", max(BsdLevel)) or 0)),
        set_speed_mps=_value(acc, "set_speed_mps", SET_SPEED_SHOWN_MPS) or 0.0,
        time_gap_s=_value(acc, "time_gap_s", TIME_GAP_SHOWN_S) or 0.0,
        gap_m=gap_m,
    )


S = TypeVar("S", AccState, AebState, LkaState, BsdState, ParkState)


def _state(state: FunctionState | None, kind: type[S]) -> S:
    if state is None or state.level is Level.STALE:
        return kind["FAULT"]
    return kind.__members__.get(state.state.upper(), kind["FAULT"])


def _value(state: FunctionState | None, name: str, high: float) -> float | None:
    """Return a figure of a state, clamped to 0..``high``; None when it is missing or not finite."""
    value = state.values.get(name, math.nan) if state else math.nan
    return min(max(value, 0.0), high) if math.isfinite(value) else None


def _side(lka: FunctionState | None) -> LdwSide:
    side = lka.values.get("side", 0.0) if lka else 0.0
    return LDW_SIDES.get(side, LdwSide.NONE)
