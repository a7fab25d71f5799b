"""The gate: nothing unsafe leaves, whatever comes in."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import Proposal
from adas_perception.safety.gate import TOLERANCE, Gate, Violation
from adas_perception.types import Command, DriverInput, EgoState, Function, Gear

LIMITS, VEHICLE = Limits(), Vehicle()
TICK_NS = 20_000_000
START_NS = 10_000_000_000
EVERYONE = frozenset(Function)


def accel(value: float, owner: Function = Function.ACC) -> Proposal:
    return Proposal(accel_mps2=value, longitudinal=owner, accel_stamp_ns=START_NS)


def steer(value: float) -> Proposal:
    return Proposal(steering_rad=value, lateral=Function.LKA, steering_stamp_ns=START_NS)


def at(now: int, proposal: Proposal) -> Proposal:
    return replace(proposal, accel_stamp_ns=now, steering_stamp_ns=now)


def step(gate: Gate, now: int, proposal: Proposal, ego: EgoState | None, driver=None, enabled=EVERYONE):
    return gate.step(now, proposal, ego, driver, enabled)


def drive(gate: Gate, proposal: Proposal, ticks: int, **ego: float):
    result = None
    for tick in range(ticks):
        now = START_NS + tick * TICK_NS
        result = step(gate, now, at(now, proposal), EgoState(now, **ego))
    return result


def path_gain(speed: float) -> float:
    v2 = max(abs(speed), 1.0) ** 2
    return v2 / (VEHICLE.wheelbase_m + VEHICLE.understeer_rad_per_mps2 * v2)


def test_silent_by_default():
    result = step(Gate(LIMITS, VEHICLE), START_NS, Proposal(), EgoState(START_NS))
    assert (result.command.accel_mps2, result.command.steering_rad, result.violations) == (None, None, ())


@pytest.mark.parametrize("ego", [None, EgoState(START_NS - 201_000_000), EgoState(START_NS + 60_000_000)])
def test_silent_without_a_fresh_vehicle_state(ego):
    result = step(Gate(LIMITS, VEHICLE), START_NS, accel(-1.0), ego)
    assert result.command.accel_mps2 is None
    assert result.violations == (Violation.NO_VEHICLE_STATE,)


@pytest.mark.parametrize(
    ("speed", "value", "passes"),
    [
        (3.0, 4.0, True), (3.0, 4.1, False), (3.0, -5.0, True), (3.0, -5.2, False),
        (30.0, 2.0, True), (30.0, 2.1, False), (30.0, -3.5, True), (30.0, -3.6, False),
        (12.5, 3.0, True), (12.5, 3.1, False), (12.5, -4.25, True), (12.5, -4.4, False),
    ],
)  # fmt: skip
def test_the_comfort_envelope_of_iso_15622(speed, value, passes):
    gate = Gate(LIMITS, VEHICLE)
    first = drive(gate, accel(value), 1, speed_mps=speed)
    assert first.violations == (() if passes else (Violation.ACCEL_RANGE,))
    assert (drive(gate, accel(value), 200, speed_mps=speed).command.accel_mps2 == value) is passes


def test_aeb_is_not_throttled_by_comfort_limits():
    gate = Gate(LIMITS, VEHICLE)
    step(gate, START_NS, accel(1.0), EgoState(START_NS, speed_mps=30.0))
    now = START_NS + TICK_NS
    result = step(gate, now, accel(-9.5, Function.AEB), EgoState(now, speed_mps=30.0))
    assert result.command.accel_mps2 == -9.5


@pytest.mark.parametrize("value", [-10.3, 0.1, math.inf])
def test_aeb_has_an_envelope_of_its_own(value):
    result = drive(Gate(LIMITS, VEHICLE), accel(value, Function.AEB), 1, speed_mps=30.0)
    assert result.command.accel_mps2 is None


def test_after_aeb_the_request_returns_by_jerk_not_by_a_step():
    gate = Gate(LIMITS, VEHICLE)
    drive(gate, accel(-9.0, Function.AEB), 1, speed_mps=30.0)
    now = START_NS + TICK_NS
    result = step(gate, now, accel(0.0), EgoState(now, speed_mps=30.0))
    assert result.command.accel_mps2 == pytest.approx(-9.0 + 2.5 * 0.02)


BUTTONS = {Function.ACC: "acc_set", Function.LKA: "lka_toggle", Function.APA: "park_confirm"}


@pytest.mark.parametrize("function", list(BUTTONS))
def test_a_violation_locks_until_the_driver_arms_and_starts_over_from_the_measured_value(function):
    gate, now = Gate(LIMITS, VEHICLE), START_NS
    lateral = function is Function.LKA
    good = Proposal(None, 0.01, lateral=function) if lateral else Proposal(2.0, longitudinal=function)
    bad = Proposal(None, math.nan, lateral=function) if lateral else Proposal(math.nan, longitudinal=function)
    measured = {"speed_mps": 10.0, "accel_mps2": -1.0, "steering_rad": -0.02}

    def run(proposal: Proposal, **pressed: bool):
        nonlocal now
        now += TICK_NS
        return step(gate, now, at(now, proposal), EgoState(now, **measured), DriverInput(now, **pressed))

    for _ in range(100):
        assert run(good).violations == ()
    refused = run(bad)
    assert refused.locked == {function}
    assert refused.command == Command(now)
    assert [run(good).violations for _ in range(50)] == [(Violation.LOCKED,)] * 50
    armed = run(good, **{BUTTONS[function]: True})
    assert armed.violations == () and armed.locked == frozenset()
    if lateral:
        assert -0.02 < armed.command.steering_rad < -0.01
    else:
        assert -1.0 < armed.command.accel_mps2 < -0.9
    run(bad, **{BUTTONS[function]: True})
    assert run(good, **{BUTTONS[function]: True}).violations == (Violation.LOCKED,), "a held button arms once"


def test_a_button_that_is_down_at_the_start_arms_nothing():
    gate = Gate(LIMITS, VEHICLE)
    ego, held = EgoState(START_NS, 10.0), DriverInput(START_NS, acc_set=True)
    assert step(gate, START_NS, accel(math.nan), ego, held).locked == {Function.ACC}
    assert step(gate, START_NS, accel(1.0), ego, held).violations == (Violation.LOCKED,)
    assert step(gate, START_NS, accel(1.0), ego, None).violations == (Violation.LOCKED,)
    assert step(gate, START_NS, accel(1.0), ego, DriverInput(START_NS)).violations == (Violation.LOCKED,)
    assert step(gate, START_NS, accel(1.0), ego, held).violations == ()


@pytest.mark.parametrize("owner", [Function.AEB, Function.FALLBACK])
def test_emergency_braking_and_the_fallback_are_never_locked(owner):
    gate = Gate(LIMITS, VEHICLE)
    assert drive(gate, accel(math.nan, owner), 1, speed_mps=10.0).violations == (Violation.ACCEL_NOT_FINITE,)
    assert drive(gate, accel(-2.0, owner), 1, speed_mps=10.0).violations == ()


def test_age_and_enabling_withdraw_but_do_not_lock():
    gate, ego = Gate(LIMITS, VEHICLE), EgoState(START_NS, 10.0)
    assert step(gate, START_NS, replace(accel(1.0), accel_stamp_ns=0), ego).violations == (Violation.TOO_OLD,)
    assert step(gate, START_NS, accel(1.0), ego, None, {Function.LKA}).violations == (Violation.NOT_ENABLED,)
    assert step(gate, START_NS, steer(0.01), ego, None, {Function.ACC}).violations == (Violation.NOT_ENABLED,)
    assert step(gate, START_NS, accel(1.0), None).violations == (Violation.NO_VEHICLE_STATE,)
    both = replace(steer(0.0), accel_mps2=1.0, longitudinal=Function.ACC, accel_stamp_ns=START_NS)
    result = step(gate, START_NS, both, ego)
    assert (result.violations, result.locked) == ((), frozenset())
    assert {v for v in Violation if not v.locks} == {
        Violation.TOO_OLD, Violation.NOT_ENABLED, Violation.NO_VEHICLE_STATE, Violation.LOCKED
    }  # fmt: skip


@pytest.mark.parametrize(("asked", "measured", "deviation"), [(0.01, -0.02, 2.0), (-0.01, 0.02, -2.0)])
def test_steering_is_held_near_the_measured_angle(asked, measured, deviation):
    result = drive(Gate(LIMITS, VEHICLE), steer(asked), 200, speed_mps=25.0, steering_rad=measured)
    lead = (result.command.steering_rad - measured) * path_gain(25.0)
    assert lead == pytest.approx(deviation, rel=1e-6)


def test_steering_near_the_measured_angle_is_obeyed():
    result = drive(Gate(LIMITS, VEHICLE), steer(0.004), 200, speed_mps=25.0, steering_rad=0.001)
    assert result.command.steering_rad == pytest.approx(0.004)


@pytest.mark.parametrize("speed", [0.0, 5.0, 15.0, 30.0, 45.0])
def test_steering_beyond_the_lateral_envelope_is_refused(speed):
    limit = min(LIMITS.lateral.accel_max_mps2 / path_gain(speed), LIMITS.lateral.steering_max_rad)
    inside = drive(Gate(LIMITS, VEHICLE), steer(limit), 1, speed_mps=speed)
    outside = drive(Gate(LIMITS, VEHICLE), steer(-limit * (1 + TOLERANCE) * 1.001), 1, speed_mps=speed)
    assert inside.violations == ()
    assert outside.violations == (Violation.STEERING_RANGE,)
    assert outside.command.steering_rad is None


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_tolerance_for_rounding_ends_where_it_says(side):
    limit = side * LIMITS.lateral.steering_max_rad * (1 + TOLERANCE)
    assert drive(Gate(LIMITS, VEHICLE), steer(limit), 1, speed_mps=0.0).violations == ()
    beyond = drive(Gate(LIMITS, VEHICLE), steer(math.nextafter(limit, side)), 1, speed_mps=0.0)
    assert beyond.violations == (Violation.STEERING_RANGE,)


@pytest.mark.parametrize("edge", [-5.0, 4.0])
def test_the_tolerance_of_the_acceleration_ends_where_it_says(edge):
    limit = edge * (1 + TOLERANCE)
    assert drive(Gate(LIMITS, VEHICLE), accel(limit), 1, speed_mps=3.0).violations == ()
    beyond = drive(Gate(LIMITS, VEHICLE), accel(math.nextafter(limit, 2.0 * edge)), 1, speed_mps=3.0)
    assert beyond.violations == (Violation.ACCEL_RANGE,)


@pytest.mark.parametrize("owner", [Function.LKA, Function.BSD, Function.NONE, Function.DRIVER])
def test_only_its_owners_may_ask_for_the_speed(owner):
    result = drive(Gate(LIMITS, VEHICLE), accel(-1.0, owner), 1, speed_mps=10.0)
    assert result.command.accel_mps2 is None
    assert result.violations == (Violation.NOT_ITS_AXIS,)


@pytest.mark.parametrize("owner", [Function.ACC, Function.AEB, Function.BSD, Function.DRIVER])
def test_only_its_owners_may_ask_for_the_steering(owner):
    result = drive(Gate(LIMITS, VEHICLE), replace(steer(0.01), lateral=owner), 1, speed_mps=10.0)
    assert result.violations == (Violation.NOT_ITS_AXIS,)


@pytest.mark.parametrize(("age_ms", "passes"), [(250, True), (251, False), (-50, True), (-51, False)])
def test_a_request_on_old_samples_or_samples_of_the_future_is_withdrawn(age_ms, passes):
    stamp = START_NS - age_ms * 1_000_000
    proposal = replace(accel(-1.0), accel_stamp_ns=stamp)
    result = step(Gate(LIMITS, VEHICLE), START_NS, proposal, EgoState(START_NS, speed_mps=10.0))
    assert result.violations == (() if passes else (Violation.TOO_OLD,))


def test_comfort_does_not_inherit_the_drivers_hard_braking():
    result = drive(Gate(LIMITS, VEHICLE), accel(0.0), 1, speed_mps=25.0, accel_mps2=-9.0)
    assert result.command.accel_mps2 >= -LIMITS.longitudinal.decel_max(25.0)


anything = st.none() | st.floats(allow_nan=True, allow_infinity=True)
steps = st.lists(
    st.tuples(
        anything,
        anything,
        st.sampled_from([Function.ACC, Function.APA, Function.AEB, Function.FALLBACK, Function.LKA]),
        st.floats(-10, 60),
        st.floats(-12, 5),
        st.integers(0, 80_000_000),
    ),
    max_size=12,
)


@given(steps)
def test_whatever_comes_in_the_output_stays_inside_the_limits(sequence):
    gate, now, last = Gate(LIMITS, VEHICLE), START_NS, None
    for value, angle, owner, speed, measured, pause in sequence:
        now += pause
        proposal = at(now, Proposal(value, angle, owner, Function.LKA))
        command = step(gate, now, proposal, EgoState(now, speed_mps=speed, accel_mps2=measured)).command
        if command.steering_rad is not None:
            assert abs(command.steering_rad * path_gain(speed)) <= LIMITS.lateral.accel_max_mps2 * (1 + 1e-9)
        accepted = command.accel_mps2
        if accepted is not None and owner is Function.AEB:
            assert -LIMITS.emergency.decel_max_mps2 <= accepted <= 0.0
        elif accepted is not None:
            assert owner is not Function.LKA
            assert accepted <= LIMITS.longitudinal.accel_max(speed) + 1e-9
            # From below its envelope, after AEB or when the envelope shrinks with speed, comfort may only rise.
            floor = -LIMITS.longitudinal.decel_max(speed)
            assert accepted >= (floor if last is None else min(floor, last)) - 1e-9
            if last is not None:
                assert accepted - last <= 5.0 * 0.1 + 1e-9
        last = accepted


@given(angle=st.floats(-0.6, 0.6), speed=st.floats(0, 60), measured=st.floats(-0.1, 0.1))
def test_left_and_right_are_alike(angle, speed, measured):
    left = step(Gate(LIMITS, VEHICLE), START_NS, steer(angle), EgoState(START_NS, speed, steering_rad=measured))
    right = step(Gate(LIMITS, VEHICLE), START_NS, steer(-angle), EgoState(START_NS, speed, steering_rad=-measured))
    assert left.violations == right.violations
    if left.command.steering_rad is not None:
        assert left.command.steering_rad == -right.command.steering_rad


# --- gear and hold ---


@pytest.mark.parametrize(
    ("speed", "change", "enabled", "gear", "hold"),
    [
        (0.0, {}, EVERYONE, Gear.REVERSE, True),
        (0.1, {}, EVERYONE, Gear.REVERSE, True),
        (-0.11, {}, EVERYONE, None, False),
        (0.0, {"longitudinal": Function.DRIVER, "accel_mps2": None}, EVERYONE, None, True),
        (0.0, {"accel_mps2": math.nan}, EVERYONE, None, False),
        (0.0, {}, EVERYONE - {Function.APA}, None, False),
        (0.0, {"gear": None, "hold": False}, EVERYONE, None, False),
    ],
)
def test_gear_and_hold_pass_at_standstill_for_parking_only(speed, change, enabled, gear, hold):
    asked = Proposal(-1.0, None, Function.APA, accel_stamp_ns=START_NS, gear=Gear.REVERSE, hold=True)
    result = step(Gate(LIMITS, VEHICLE), START_NS, replace(asked, **change), EgoState(START_NS, speed), None, enabled)
    assert (result.command.gear, result.command.hold) == (gear, hold)


def test_in_reverse_the_measured_value_counts_along_the_gear():
    for gear, expected in ((Gear.REVERSE, 1.0), (Gear.DRIVE, -1.0)):
        ego = EgoState(START_NS, -1.0, accel_mps2=-1.0, gear=gear)
        result = step(Gate(LIMITS, VEHICLE), START_NS, accel(2.0, Function.APA), ego)
        assert result.command.accel_mps2 == expected


@pytest.mark.parametrize("field", ["speed_mps", "accel_mps2", "steering_rad"])
def test_a_vehicle_state_that_is_no_number_is_none(field):
    ego = replace(EgoState(START_NS, 10.0), **{field: math.nan})
    for asked in (accel(1.0), steer(0.01)):
        assert step(Gate(LIMITS, VEHICLE), START_NS, asked, ego).violations == (Violation.NO_VEHICLE_STATE,)
    silent = step(Gate(LIMITS, VEHICLE), START_NS, Proposal(), ego)
    assert (silent.violations, silent.command) == ((), Command(START_NS))


def test_owners_and_stamps_of_the_command():
    asked = Proposal(1.0, 0.01, Function.ACC, Function.LKA, START_NS - 5, START_NS - 7)
    ego = EgoState(START_NS, 10.0)

    def command(**change):
        return step(Gate(LIMITS, VEHICLE), START_NS, replace(asked, **change), ego).command

    both = command()
    assert (both.longitudinal, both.lateral, both.stamp_ns) == (Function.ACC, Function.LKA, START_NS - 7)
    assert command(steering_stamp_ns=0).stamp_ns == START_NS - 5
    assert command(steering_stamp_ns=0, accel_stamp_ns=0).stamp_ns == START_NS
    refused = command(accel_mps2=9.0)
    assert (refused.longitudinal, refused.lateral, refused.accel_mps2) == (Function.NONE, Function.LKA, None)
    refused = command(steering_rad=0.9)
    assert (refused.longitudinal, refused.lateral, refused.steering_rad) == (Function.ACC, Function.NONE, None)
    both_wrong = step(Gate(LIMITS, VEHICLE), START_NS, replace(asked, accel_mps2=9.0, steering_rad=math.inf), ego)
    assert both_wrong.violations == (Violation.ACCEL_RANGE, Violation.STEERING_NOT_FINITE)
    assert both_wrong.locked == {Function.ACC, Function.LKA}


def test_a_lost_vehicle_state_starts_both_axes_over():
    gate = Gate(LIMITS, VEHICLE)
    both = Proposal(2.0, 0.02, Function.ACC, Function.LKA)
    drive(gate, both, 100, speed_mps=10.0)
    now = START_NS + 100 * TICK_NS
    assert step(gate, now, at(now, both), None).command == Command(now)
    now += TICK_NS
    command = step(gate, now, at(now, both), EgoState(now, 10.0, -1.0, 0.0, -0.02)).command
    assert -1.0 < command.accel_mps2 <= -0.9
    assert -0.02 < command.steering_rad < -0.01


def test_after_a_pause_of_the_request_it_starts_over():
    gate = Gate(LIMITS, VEHICLE)
    both = Proposal(2.0, 0.02, Function.ACC, Function.LKA)
    drive(gate, both, 100, speed_mps=10.0)
    now = START_NS + 100 * TICK_NS
    step(gate, now, Proposal(), EgoState(now, 10.0))
    now += TICK_NS
    command = step(gate, now, at(now, both), EgoState(now, 10.0, -1.0, 0.0, -0.02)).command
    assert -1.0 < command.accel_mps2 <= -0.9
    assert -0.02 < command.steering_rad < -0.01


def test_aeb_neither_inherits_nor_leaves_a_window():
    gate = Gate(LIMITS, VEHICLE)
    drive(gate, accel(2.0), 50, speed_mps=30.0)
    now = START_NS + 50 * TICK_NS
    assert step(gate, now, at(now, accel(-9.0, Function.AEB)), EgoState(now, 30.0)).command.accel_mps2 == -9.0
    now += TICK_NS
    assert step(gate, now, at(now, accel(-4.0, Function.AEB)), EgoState(now, 30.0)).command.accel_mps2 == -4.0
    now += TICK_NS
    back = step(gate, now, at(now, accel(1.0)), EgoState(now, 30.0)).command.accel_mps2
    assert back == pytest.approx(-4.0 + 2.5 * 0.02)


def test_a_long_or_backward_cycle_moves_nothing():
    for pause_ms, moves in ((100, True), (101, False), (-1, False), (0, False)):
        gate = Gate(LIMITS, VEHICLE)
        drive(gate, Proposal(0.0, 0.0, Function.ACC, Function.LKA), 1, speed_mps=10.0)
        now = START_NS + pause_ms * 1_000_000
        both = Proposal(2.0, 0.02, Function.ACC, Function.LKA)
        command = step(gate, now, at(now, both), EgoState(now, 10.0)).command
        assert (command.accel_mps2 > 0.0) is moves
        assert (command.steering_rad > 0.0) is moves


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.0, 2.0, 20.0])
def test_the_steering_rate_is_the_smaller_of_jerk_and_rate(speed):
    gate = Gate(LIMITS, VEHICLE)
    drive(gate, steer(0.0), 1, speed_mps=speed)
    now = START_NS + TICK_NS
    out = step(gate, now, at(now, steer(0.015)), EgoState(now, speed)).command.steering_rad
    assert out == pytest.approx(min(0.4, 5.0 / path_gain(speed)) * 0.02)
