"""Sensors against each other, and the car against what it was asked."""

import math
from dataclasses import replace

import pytest

from adas_perception.params import Vehicle
from adas_perception.safety.faults import VEHICLE, Fault, FaultKind
from adas_perception.safety.motion import MotionCheck, MotionParams
from adas_perception.safety.response import ResponseCheck, ResponseParams
from adas_perception.types import Command, EgoState, RadarTarget, RadarTargets

MS = 1_000_000
START = 10_000_000_000
CAR = Vehicle()
SPEED, YAW = Fault(FaultKind.SPEED_DOUBTFUL, VEHICLE), Fault(FaultKind.YAW_DOUBTFUL, VEHICLE)
BRAKE, STEERING = Fault(FaultKind.BRAKE_DISOBEYS, VEHICLE), Fault(FaultKind.STEERING_DISOBEYS, VEHICLE)


def drive(check: MotionCheck, seconds: float, *, start=20.0, slope=0.0, start_s=0.0, **fixed):
    """Feed states every 50 ms whose speed changes by ``slope``; return when each fault was first there."""
    seen: dict[Fault, float] = {}
    for i in range(round(seconds / 0.05) + 1):
        t = start_s + 0.05 * i
        ego = EgoState(START + round(t * 1e9), start + slope * 0.05 * i, **fixed)
        check.take(ego)
        for fault in check.faults():
            seen.setdefault(fault, round(0.05 * i, 3))
    return seen


def check() -> MotionCheck:
    return MotionCheck(MotionParams(), CAR)


@pytest.mark.parametrize("accel", [-9.0, -2.0, 0.0, 2.0])
def test_a_speed_that_follows_its_acceleration_is_believed(accel):
    assert drive(check(), 2.0, slope=accel, accel_mps2=accel) == {}


@pytest.mark.parametrize(("accel", "within_s"), [(-9.0, 0.15), (-3.0, 0.35), (-1.0, 1.2), (3.0, 0.35)])
def test_a_stuck_speed_contradicts_the_acceleration(accel, within_s):
    assert drive(check(), 3.0, accel_mps2=accel)[SPEED] <= within_s


def test_a_small_bias_of_the_acceleration_is_no_fault():
    assert drive(check(), 20.0, accel_mps2=0.35) == {}


def test_the_doubt_about_the_speed_fades():
    motion = check()
    drive(motion, 0.5, accel_mps2=-3.0)
    assert motion.faults() == (SPEED,)
    drive(motion, 4.0, start_s=0.55)
    assert motion.faults() == ()


@pytest.mark.parametrize("steering", [-0.01, 0.0, 0.02])
def test_a_yaw_rate_that_follows_the_steering_is_believed(steering):
    yaw = 20.0 * CAR.curvature_for(steering, 20.0)
    assert drive(check(), 2.0, steering_rad=steering, yaw_rate_radps=yaw) == {}


def test_a_yaw_rate_that_contradicts_the_steering_is_a_fault_on_its_third_sample():
    for sign in (-1.0, 1.0):
        assert drive(check(), 1.0, yaw_rate_radps=sign * 0.09)[YAW] == 0.15
    assert drive(check(), 1.0, yaw_rate_radps=0.07) == {}


def test_braking_and_cornering_widen_the_tolerance_of_the_yaw_rate():
    assert drive(check(), 0.5, yaw_rate_radps=0.09, accel_mps2=-2.0, slope=-2.0) == {}
    yaw = 20.0 * CAR.curvature_for(0.02, 20.0)
    assert drive(check(), 1.0, steering_rad=0.02, yaw_rate_radps=yaw + 0.09) == {}


def test_the_yaw_rate_is_not_judged_at_walking_pace():
    assert drive(check(), 1.0, start=2.9, yaw_rate_radps=1.0) == {}


def test_a_step_of_the_steering_leaves_the_yaw_rate_time_to_follow():
    motion = check()
    drive(motion, 0.5)
    yaw = 20.0 * CAR.curvature_for(0.013, 20.0)
    assert drive(motion, 0.05, start_s=0.55, steering_rad=0.013) == {}
    assert drive(motion, 1.0, start_s=0.65, steering_rad=0.013, yaw_rate_radps=yaw) == {}


def test_one_good_sample_takes_the_suspicion_back():
    motion = check()
    drive(motion, 0.1, yaw_rate_radps=0.09)
    drive(motion, 0.0, start_s=0.15)
    drive(motion, 0.05, start_s=0.2, yaw_rate_radps=0.09)
    assert motion.faults() == ()


def roadside(*speeds: float, y: float = 7.0, apart_m: float = 25.0) -> RadarTargets:
    places = (30.0 + apart_m * i for i in range(9))
    items = (RadarTarget(x, y, 0.0, v, 3, "front") for x, v in zip(places, speeds, strict=False))
    return RadarTargets(START, "front", tuple(items))


@pytest.mark.parametrize(
    ("speeds", "y", "fault"),
    [
        ((2.0,) * 4, 7.0, True),
        ((-2.0,) * 4, -7.0, True),
        ((1.4,) * 4, 7.0, False),
        ((2.0,) * 3, 7.0, False),
        ((2.0,) * 4, 5.0, False),
        ((2.0, 2.0, 2.0, 9.0), 7.0, False),
        ((2.0, 2.0, 2.0, 2.4, 9.0), 7.0, True),
        ((2.0, 2.0, 2.0, math.nan), 7.0, False),
        ((-14.0, -14.0, 0.0, -14.0, -14.0), 7.0, True),
        ((-14.0, 0.0, -14.0, 0.0, -14.0, -14.0), 7.0, False),
    ],
)
def test_what_stands_at_the_roadside_must_stand(speeds, y, fault):
    motion = check()
    motion.radar(roadside(*speeds, y=y))
    drive(motion, 0.0)
    for _ in range(2):
        motion.radar(roadside(*speeds, y=y))
    assert motion.faults() == ()
    motion.radar(roadside(*speeds, y=y))
    assert motion.faults() == ((SPEED,) if fault else ())
    motion.radar(roadside(0.0, 0.0, 0.0, 0.0))
    assert motion.faults() == ()


def test_the_flank_of_one_lorry_is_no_roadside():
    motion = check()
    drive(motion, 0.0)
    for _ in range(5):
        motion.radar(roadside(-14.0, -14.0, -14.0, -14.0, -14.0, apart_m=3.0))
    assert motion.faults() == ()


def test_at_speed_the_radar_has_more_tolerance():
    motion = check()
    drive(motion, 0.0, start=50.0)
    for _ in range(5):
        motion.radar(roadside(1.9, 1.9, 1.9, 1.9))
    assert motion.faults() == ()


@pytest.mark.parametrize(
    ("change", "possible"),
    [
        ({"speed_mps": 21.9}, True), ({"speed_mps": 22.1}, False), ({"speed_mps": 18.1}, True),
        ({"yaw_rate_radps": 0.54}, True), ({"yaw_rate_radps": -0.56}, False),
        ({"steering_rad": 0.19}, True), ({"steering_rad": -0.21}, False),
    ],
)  # fmt: skip
def test_jumps_between_two_samples(change, possible):
    motion = check()
    motion.take(EgoState(START, 20.0))
    for later in (START + 50 * MS, START - 50 * MS):
        assert motion.possible(replace(EgoState(later, 20.0), **change)) is possible
    assert motion.possible(replace(EgoState(START + 2_000 * MS, 20.0), **change))
    motion.restart()
    assert motion.possible(replace(EgoState(START + 50 * MS, 20.0), **change))


# --- does the car obey? ---


class Car:
    """A car that is asked and measured every 50 ms."""

    def __init__(self) -> None:
        self.check = ResponseCheck(ResponseParams(), CAR)
        self.now = START

    def run(self, seconds: float, accel=None, steering=None, *, foot=False, hand=False, ego=True, **measured):
        """Return after which time each fault was first there."""
        seen: dict[Fault, float] = {}
        for i in range(round(seconds / 0.05)):
            self.now += 50 * MS
            state = EgoState(self.now, **{"speed_mps": 20.0, **measured}) if ego else None
            command = Command(self.now, accel, steering)
            for fault in self.check.step(self.now, command, state, by_foot=foot, by_hand=hand):
                seen.setdefault(fault, round(0.05 * i, 2))
        return seen


@pytest.mark.parametrize("accel", [-10.0, -2.0, 0.0, 1.5])
def test_a_car_that_does_as_asked_is_believed(accel):
    assert Car().run(3.0, accel, accel_mps2=accel) == {}


@pytest.mark.parametrize(("accel", "within_s"), [(-2.0, 0.3), (-10.0, 0.5)])
def test_a_brake_that_does_nothing_is_found(accel, within_s):
    assert Car().run(2.0, accel)[BRAKE] <= within_s


def test_a_brake_that_does_half_is_found():
    car = Car()
    assert car.run(1.0, -3.0, accel_mps2=-3.0) == {}
    assert car.run(1.0, -3.0, accel_mps2=-1.5)[BRAKE] <= 0.1


def test_a_brake_that_does_not_let_go_is_found():
    car = Car()
    car.run(1.0, -3.0, accel_mps2=-3.0)
    assert car.run(1.0, 1.0, accel_mps2=-3.0)[BRAKE] <= 0.35


def test_a_wet_road_is_no_fault_of_the_brake_but_ice_is_told():
    assert Car().run(2.0, -10.0, accel_mps2=-7.0) == {}
    assert BRAKE in Car().run(2.0, -10.0, accel_mps2=-3.0)


def test_an_engine_that_gives_less_is_no_fault():
    assert Car().run(3.0, 2.0, accel_mps2=0.1) == {}


@pytest.mark.parametrize("excuse", [{"foot": True}, {"ego": False}, {"speed_mps": 1.9}])
def test_what_says_nothing_about_the_brake(excuse):
    assert Car().run(2.0, -3.0, **excuse) == {}
    assert Car().run(2.0, None, accel_mps2=-5.0) == {}


def test_after_a_rest_the_brake_has_its_time_again():
    car = Car()
    car.run(1.0, -3.0, foot=True)
    assert car.run(0.2, -3.0) == {}
    assert BRAKE in car.run(0.5, -3.0)


GAIN = 400.0 / (CAR.wheelbase_m + CAR.understeer_rad_per_mps2 * 400.0)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_steering_that_does_nothing_is_found(sign):
    assert Car().run(1.0, None, sign * 1.0 / GAIN)[STEERING] <= 0.35
    assert Car().run(1.0, None, sign * 1.0 / GAIN, steering_rad=sign * 1.0 / GAIN) == {}
    assert Car().run(3.0, None, sign * 0.35 / GAIN) == {}


@pytest.mark.parametrize("excuse", [{"hand": True}, {"ego": False}, {"speed_mps": 1.9}])
def test_what_says_nothing_about_the_steering(excuse):
    assert Car().run(2.0, None, 0.3, **excuse) == {}


def test_a_steering_that_moves_by_itself_is_found():
    assert STEERING in Car().run(0.5, None, 0.0, steering_rad=0.0) | Car().run(0.5, None, 0.01, steering_rad=-0.02)


def test_time_that_goes_back_moves_no_band():
    car = Car()
    car.run(0.5, -2.0, accel_mps2=-2.0)
    car.now -= 10_000 * MS
    assert car.run(0.5, -2.0, accel_mps2=-2.0) == {}
