"""What the driver is shown for the states of the functions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.can.hmi import (
    AccState,
    AebState,
    BsdLevel,
    BsdState,
    FcwLevel,
    Hmi,
    LdwSide,
    LkaState,
    ParkState,
    SafetyMode,
    hmi_from_states,
)
from adas_perception.types import Function, FunctionState, Level


def shown(function: Function, state: str, level: Level = Level.OK, mode: str = "NORMAL", **values: float) -> Hmi:
    return hmi_from_states({function: FunctionState(function, 1, level, state, "NONE", values)}, mode)


def test_nothing_known_is_shown_as_fault_and_disengaged() -> None:
    assert hmi_from_states({}, "") == Hmi()
    assert Hmi().acc is AccState.FAULT
    assert Hmi().mode is SafetyMode.DISENGAGED


@pytest.mark.parametrize(
    ("mode", "expected", "takeover"),
    [
        ("NORMAL", SafetyMode.NORMAL, False),
        ("degraded", SafetyMode.DEGRADED, False),
        ("FALLBACK", SafetyMode.FALLBACK, True),
        ("DISENGAGED", SafetyMode.DISENGAGED, False),
        ("whatever", SafetyMode.DISENGAGED, False),
    ],
)
def test_mode(mode: str, expected: SafetyMode, takeover: bool) -> None:
    hmi = hmi_from_states({}, mode)
    assert (hmi.mode, hmi.takeover) == (expected, takeover)


def test_acc_values() -> None:
    hmi = shown(Function.ACC, "ACTIVE", set_speed_mps=30.0, time_gap_s=1.8, gap_m=42.0)
    assert (hmi.acc, hmi.set_speed_mps, hmi.time_gap_s, hmi.gap_m) == (AccState.ACTIVE, 30.0, 1.8, 42.0)


def test_no_lead_is_no_gap() -> None:
    assert shown(Function.ACC, "ACTIVE", set_speed_mps=30.0).gap_m is None


def test_a_silent_function_is_not_shown_in_its_last_state() -> None:
    assert shown(Function.ACC, "ACTIVE", Level.STALE).acc is AccState.FAULT


def test_a_severe_state_is_shown_as_it_is() -> None:
    assert shown(Function.AEB, "FULL", Level.ERROR).aeb is AebState.FULL


def test_an_unknown_state_is_a_fault() -> None:
    assert shown(Function.APA, "FLYING").park is ParkState.FAULT


@pytest.mark.parametrize(
    ("state", "fcw"),
    [
        ("OFF", FcwLevel.NONE),
        ("READY", FcwLevel.NONE),
        ("WARN", FcwLevel.WARN),
        ("PARTIAL", FcwLevel.PARTIAL_BRAKING),
        ("FULL", FcwLevel.FULL_BRAKING),
        ("HOLD", FcwLevel.FULL_BRAKING),
    ],
)
def test_collision_warning(state: str, fcw: FcwLevel) -> None:
    hmi = shown(Function.AEB, state)
    assert (hmi.aeb, hmi.fcw) == (AebState[state], fcw)


@pytest.mark.parametrize(
    ("state", "side", "ldw"),
    [
        ("WARN", 1.0, LdwSide.LEFT),
        ("WARN", -1.0, LdwSide.RIGHT),
        ("ACTIVE", 1.0, LdwSide.LEFT),
        ("READY", 1.0, LdwSide.NONE),
        ("WARN", 0.0, LdwSide.NONE),
        ("WARN", math.nan, LdwSide.NONE),
    ],
)
def test_lane_departure_warning(state: str, side: float, ldw: LdwSide) -> None:
    hmi = shown(Function.LKA, state, side=side)
    assert (hmi.lka, hmi.ldw) == (LkaState[state], ldw)


def test_blind_spot_levels() -> None:
    hmi = shown(Function.BSD, "WARN", left_level=2.0, right_level=1.0)
    assert (hmi.bsd, hmi.bsd_left, hmi.bsd_right) == (BsdState.WARN, BsdLevel.WARNING, BsdLevel.PRESENT)


@given(
    st.sampled_from([Function.ACC, Function.BSD, Function.LKA]),
    st.sampled_from(["ACTIVE", "WARN"]),
    st.dictionaries(
        st.sampled_from(["set_speed_mps", "time_gap_s", "gap_m", "left_level", "right_level", "side"]),
        st.floats(allow_nan=True, allow_infinity=True),
    ),
)
def test_any_value_can_be_shown(function: Function, state: str, values: dict[str, float]) -> None:
    hmi = shown(function, state, **values)
    assert 0.0 <= hmi.set_speed_mps <= 100.0
    assert 0.0 <= hmi.time_gap_s <= 6.0
    assert hmi.gap_m is None or 0.0 <= hmi.gap_m <= 300.0
