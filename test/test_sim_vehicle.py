"""The simulated car against closed formulas: steady turns, stopping distance, actuator delays, who rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.sim.vehicle import Car, CarParams, DriverAction
from adas_perception.types import DriverInput, Gear

PARAMS = CarParams()
VEHICLE = PARAMS.vehicle
IDLE = DriverAction(DriverInput(0))
DT = 0.005


def driver(steering_rad: float = 0.0, gear: Gear = Gear.DRIVE, **controls: object) -> DriverAction:
    return DriverAction(DriverInput(0, **controls), steering_rad, gear)  # type: ignore[arg-type]


def hold_speed(car: Car, steering_rad: float, duration_s: float) -> None:
    speed = car.speed_mps
    for _ in range(round(duration_s / DT)):
        car.step(DT, 2.0 * (speed - car.speed_mps), steering_rad, IDLE)


@settings(max_examples=15, deadline=None)
@given(st.floats(5.0, 40.0), st.floats(-3.0, 3.0))
def test_steady_turn_is_the_one_of_the_vehicle_model(speed: float, lateral: float) -> None:
    steering = VEHICLE.steering_for(lateral / speed**2, speed)
    car = Car(PARAMS, speed_mps=speed)
    hold_speed(car, steering, 4.0)
    expected = VEHICLE.curvature_for(car.steering_rad, car.speed_mps)
    assert car.steering_rad == pytest.approx(steering, abs=1e-4)
    assert car.yaw_rate_radps / car.speed_mps == pytest.approx(expected, rel=0.01, abs=1e-6)


def test_settle_starts_in_the_steady_turn() -> None:
    car = Car(PARAMS, speed_mps=25.0)
    steering = VEHICLE.steering_for(1 / 400, 25.0)
    car.settle(steering)
    rate = car.yaw_rate_radps
    hold_speed(car, steering, 1.0)
    assert car.yaw_rate_radps == pytest.approx(rate, rel=0.005)


def test_slow_car_rolls_on_the_circle_of_its_steering() -> None:
    car = Car(PARAMS, speed_mps=0.8)
    car.settle(0.3)
    hold_speed(car, 0.3, 5.0)
    radius = VEHICLE.wheelbase_m / math.tan(0.3)
    assert math.hypot(car.x_m, car.y_m - radius) == pytest.approx(radius, rel=0.01)


@pytest.mark.parametrize("mu", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("speed", [8.0, 20.0])
def test_full_braking_stops_in_the_distance_that_friction_allows(mu: float, speed: float) -> None:
    car = Car(CarParams(mu=mu), speed_mps=speed)
    for _ in range(round(20.0 / DT)):
        car.step(DT, -15.0, None, IDLE)
    grip = mu * 9.81
    ramp = grip / PARAMS.brake_rate_mps3
    expected = speed * (PARAMS.brake_dead_s + ramp / 2.0) + speed**2 / (2.0 * grip)
    assert car.speed_mps == 0.0
    assert car.x_m == pytest.approx(expected, rel=0.03)


def test_brake_waits_its_dead_time_and_then_builds_up() -> None:
    car = Car(PARAMS, speed_mps=20.0)
    trace = []
    for _ in range(100):
        car.step(DT, -8.0, None, IDLE)
        trace.append(car.accel_mps2)
    # Until the dead time is over only engine and drag can slow the car.
    assert min(trace[:20]) > -1.0
    reached = next(i for i, a in enumerate(trace) if a < -7.9) * DT
    assert 0.1 + 7.5 / PARAMS.brake_rate_mps3 < reached < 0.1 + 9.0 / PARAMS.brake_rate_mps3


def test_engine_follows_with_its_lag() -> None:
    car = Car(PARAMS, speed_mps=15.0)
    for _ in range(round(PARAMS.drive_lag_s / DT)):
        car.step(DT, 1.5, None, IDLE)
    assert car.accel_mps2 == pytest.approx(1.5 * (1.0 - math.exp(-1.0)), rel=0.05)


def test_steering_waits_lags_and_never_beats_its_rate() -> None:
    car = Car(PARAMS, speed_mps=10.0)
    angles = [0.0]
    for _ in range(200):
        car.step(DT, 0.0, 0.2, IDLE)
        angles.append(car.steering_rad)
    assert angles[round(PARAMS.steering_dead_s / DT)] == 0.0
    assert max(b - a for a, b in zip(angles, angles[1:], strict=False)) <= PARAMS.steering_rate_radps * DT + 1e-12
    assert angles[-1] == pytest.approx(0.2, abs=1e-3)


def test_driver_rules_without_requests() -> None:
    car = Car(PARAMS, speed_mps=15.0)
    for _ in range(200):
        car.step(DT, None, None, driver(0.02, accelerator=0.6))
    assert car.accel_mps2 > 0.5
    assert car.steering_rad == pytest.approx(0.02, abs=1e-4)


def test_drivers_brake_works_against_an_accelerating_request() -> None:
    car = Car(PARAMS, speed_mps=15.0)
    for _ in range(100):
        car.step(DT, 2.0, None, driver(brake=0.6))
    assert car.accel_mps2 < -5.0


def test_accelerator_raises_a_request_but_not_a_braking_one() -> None:
    pushing, braking = Car(PARAMS, speed_mps=15.0), Car(PARAMS, speed_mps=15.0)
    for _ in range(300):
        pushing.step(DT, 0.2, None, driver(accelerator=1.0))
        braking.step(DT, -3.0, None, driver(accelerator=1.0))
    assert pushing.accel_mps2 > 1.5
    assert braking.accel_mps2 == pytest.approx(-3.0, abs=0.1)


def test_strong_hands_beat_the_steering_request() -> None:
    car = Car(PARAMS, speed_mps=15.0)
    for _ in range(200):
        car.step(DT, 0.0, 0.05, driver(-0.05, steering_torque_nm=-4.0))
    assert car.steering_rad == pytest.approx(-0.05, abs=1e-3)


def test_standing_car_stays_and_reverse_goes_back() -> None:
    car = Car(PARAMS)
    for _ in range(100):
        car.step(DT, -2.0, None, IDLE)
    assert (car.x_m, car.speed_mps) == (0.0, 0.0)
    for _ in range(400):
        car.step(DT, 0.5, None, driver(gear=Gear.REVERSE))
    assert car.speed_mps < -0.3
    assert car.x_m < -0.2


@pytest.mark.parametrize("dt", [0.0, -0.01, 0.0051])
def test_steps_must_be_whole(dt: float) -> None:
    with pytest.raises(ValueError, match="multiple"):
        Car(PARAMS).step(dt, None, None, IDLE)
