"""Arbitration: the priority tables as behaviour."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.limits import Limits
from adas_perception.params import ParameterError, Vehicle
from adas_perception.safety.arbitration import DriverParams, Proposal, Reason, arbitrate
from adas_perception.safety.gate import Gate
from adas_perception.types import DriverInput, EgoState, Function, Gear, Request

START_NS = 10_000_000_000

ACC = Request(Function.ACC, 11, accel_mps2=1.0)
APA = Request(Function.APA, 12, accel_mps2=-0.5, steering_rad=0.3)
LKA = Request(Function.LKA, 13, steering_rad=0.02)
AEB = Request(Function.AEB, 14, accel_mps2=-9.0)
FALLBACK = Request(Function.FALLBACK, 15, accel_mps2=-2.0)
QUIET_AEB = Request(Function.AEB, 14)
IDLE = DriverInput(1)
BRAKING = DriverInput(1, brake=0.3)
ACCELERATING = DriverInput(1, accelerator=0.3)
STEERING = DriverInput(1, steering_torque_nm=-4.0)


def of(*requests: Request) -> dict[Function, Request]:
    return {r.function: r for r in requests}


@pytest.mark.parametrize(
    ("requests", "driver", "fallback", "owner", "accel"),
    [
        (of(), IDLE, None, Function.NONE, None),
        (of(ACC), IDLE, None, Function.ACC, 1.0),
        (of(ACC, APA), IDLE, None, Function.APA, -0.5),
        (of(ACC), BRAKING, None, Function.DRIVER, None),
        (of(ACC), ACCELERATING, None, Function.DRIVER, None),
        (of(ACC), IDLE, FALLBACK, Function.FALLBACK, -2.0),
        (of(ACC), BRAKING, FALLBACK, Function.DRIVER, None),
        (of(ACC, AEB), BRAKING, FALLBACK, Function.AEB, -9.0),
        (of(ACC, QUIET_AEB), IDLE, None, Function.ACC, 1.0),
        (of(ACC), None, None, Function.ACC, 1.0),
    ],
)
def test_who_owns_the_speed(requests, driver, fallback, owner, accel):
    proposal = arbitrate(requests, driver, fallback)
    assert (proposal.longitudinal, proposal.accel_mps2) == (owner, accel)


@pytest.mark.parametrize(
    ("requests", "driver", "owner", "steering"),
    [
        (of(LKA), IDLE, Function.LKA, 0.02),
        (of(LKA, APA), IDLE, Function.LKA, 0.02),
        (of(APA), IDLE, Function.APA, 0.3),
        (of(LKA, APA), STEERING, Function.DRIVER, None),
        (of(ACC), IDLE, Function.NONE, None),
    ],
)
def test_who_owns_the_steering(requests, driver, owner, steering):
    proposal = arbitrate(requests, driver)
    assert (proposal.lateral, proposal.steering_rad) == (owner, steering)


def test_the_stamp_of_a_lateral_decision_travels_also_when_it_does_not_steer():
    assert arbitrate(of(Request(Function.LKA, 77)), IDLE).steering_stamp_ns == 77


accelerations = st.none() | st.floats(-12, 5)


@given(acc=accelerations, apa=accelerations, aeb=st.floats(-12, 0), brake=st.floats(0, 1), gas=st.floats(0, 1))
def test_never_less_braking_than_aeb_asks(acc, apa, aeb, brake, gas):
    requests = of(Request(Function.ACC, 1, acc), Request(Function.APA, 1, apa), Request(Function.AEB, 1, aeb))
    proposal = arbitrate(requests, DriverInput(1, accelerator=gas, brake=brake), FALLBACK)
    assert proposal.longitudinal is Function.AEB
    assert proposal.accel_mps2 <= aeb


@given(lka=st.floats(-0.5, 0.5), torque=st.floats(3.01, 20), sign=st.sampled_from([-1, 1]))
def test_the_driver_always_wins_the_steering(lka, torque, sign):
    driver = DriverInput(1, steering_torque_nm=sign * torque)
    proposal = arbitrate(of(Request(Function.LKA, 1, steering_rad=lka)), driver)
    assert proposal.steering_rad is None


@given(lka=st.floats(-0.5, 0.5), torque=st.floats(-20, 20))
def test_left_and_right_are_alike(lka, torque):
    here = arbitrate(of(Request(Function.LKA, 1, steering_rad=lka)), DriverInput(1, steering_torque_nm=torque))
    there = arbitrate(of(Request(Function.LKA, 1, steering_rad=-lka)), DriverInput(1, steering_torque_nm=-torque))
    assert here.lateral is there.lateral
    assert here.steering_rad is None or here.steering_rad == -there.steering_rad


@pytest.mark.parametrize("wild", [math.nan, -math.inf, -15.0, 9.0])
def test_a_wild_request_of_another_does_not_spoil_emergency_braking(wild):
    requests = of(Request(Function.ACC, START_NS, wild), Request(Function.AEB, START_NS, -9.0))
    proposal = arbitrate(requests, IDLE)
    ego = EgoState(START_NS, speed_mps=20.0)
    command = Gate(Limits(), Vehicle()).step(START_NS, proposal, ego, IDLE, frozenset(Function)).command
    assert (command.longitudinal, command.accel_mps2) == (Function.AEB, -9.0)


@pytest.mark.parametrize(
    ("requests", "driver", "fallback", "reasons"),
    [
        (of(), IDLE, None, (Reason.NO_REQUEST, Reason.NO_REQUEST)),
        (of(ACC, LKA), IDLE, None, (Reason.CRUISE, Reason.LANE_KEEPING)),
        (of(APA), IDLE, None, (Reason.PARKING, Reason.PARKING)),
        (of(ACC, LKA, AEB), IDLE, None, (Reason.EMERGENCY, Reason.LANE_KEEPING)),
        (of(ACC, LKA), IDLE, FALLBACK, (Reason.MINIMAL_RISK, Reason.LANE_KEEPING)),
        (of(ACC, LKA), BRAKING, None, (Reason.DRIVER_PEDALS, Reason.LANE_KEEPING)),
        (of(ACC, LKA), STEERING, None, (Reason.CRUISE, Reason.DRIVER_STEERS)),
        (of(LKA), IDLE, Request(Function.FALLBACK, 15, -2.0, 0.01), (Reason.MINIMAL_RISK, Reason.MINIMAL_RISK)),
    ],
)
def test_every_outcome_has_its_reason(requests, driver, fallback, reasons):
    assert arbitrate(requests, driver, fallback).reasons == reasons


def test_nothing_asked_is_nothing_proposed():
    proposal = arbitrate({}, None)
    assert proposal == Proposal()
    assert (proposal.accel_mps2, proposal.steering_rad, proposal.gear, proposal.hold) == (None, None, None, False)
    assert (proposal.longitudinal, proposal.lateral) == (Function.NONE, Function.NONE)
    assert (proposal.accel_stamp_ns, proposal.steering_stamp_ns) == (0, 0)


def test_the_stamps_of_the_owners_travel():
    proposal = arbitrate(of(ACC, LKA, APA), IDLE)
    assert (proposal.accel_stamp_ns, proposal.steering_stamp_ns) == (12, 13)
    assert arbitrate(of(ACC), IDLE).steering_stamp_ns == 0
    assert arbitrate(of(LKA), IDLE).accel_stamp_ns == 0


PARKING = Request(Function.APA, 12, accel_mps2=-0.5, gear=Gear.REVERSE, hold=True)


@pytest.mark.parametrize(
    ("requests", "driver", "gear", "hold"),
    [
        (of(PARKING), IDLE, Gear.REVERSE, True),
        (of(PARKING), BRAKING, None, True),
        (of(PARKING, AEB), IDLE, None, False),
        (of(ACC), IDLE, None, False),
        (of(ACC), BRAKING, None, False),
        (of(Request(Function.APA, 12, hold=True), ACC), IDLE, None, False),
        (of(Request(Function.ACC, 12, 1.0, gear=Gear.REVERSE, hold=True)), IDLE, None, False),
    ],
)
def test_only_parking_changes_the_gear_and_holds(requests, driver, gear, hold):
    proposal = arbitrate(requests, driver)
    assert (proposal.gear, proposal.hold) == (gear, hold)


@pytest.mark.parametrize(
    ("driver", "by_foot", "by_hand"),
    [
        (None, False, False),
        (DriverInput(1, brake=0.02), False, False),
        (DriverInput(1, brake=0.021), True, False),
        (DriverInput(1, accelerator=0.05), False, False),
        (DriverInput(1, accelerator=0.051), True, False),
        (DriverInput(1, steering_torque_nm=3.0), False, False),
        (DriverInput(1, steering_torque_nm=-3.01), False, True),
    ],
)
def test_when_the_driver_counts_as_acting(driver, by_foot, by_hand):
    thresholds = DriverParams()
    assert (thresholds.longitudinal(driver), thresholds.lateral(driver)) == (by_foot, by_hand)


@given(first=st.floats(-3.4, 1.9), then=st.floats(-3.4, 1.9), owners=st.permutations([Function.ACC, Function.APA]))
def test_no_step_at_a_hand_over(first, then, owners):
    gate, ego_accel = Gate(Limits(), Vehicle()), first
    outs = []
    for i in range(30):
        now = START_NS + i * 25_000_000
        owner, value = (owners[0], first) if i < 15 else (owners[1], then)
        proposal = arbitrate(of(Request(owner, now, value)), IDLE)
        ego = EgoState(now, 30.0, accel_mps2=ego_accel)
        outs.append(gate.step(now, proposal, ego, None, frozenset(Function)).command.accel_mps2)
        ego_accel = outs[-1]
    assert max(abs(b - a) for a, b in zip(outs, outs[1:], strict=False)) <= 2.5 * 0.025 + 1e-9


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("brake", 0.0, 0.5), ("accelerator", 0.0, 0.5), ("steering_torque_nm", 0.5, 10.0)],
)
def test_the_ranges_of_the_thresholds(field, low, high):
    for value in (low, high):
        assert getattr(DriverParams(**{field: value}), field) == value
    for value in (low - 0.01, high + 0.01):
        with pytest.raises(ParameterError, match=field):
            DriverParams(**{field: value})
