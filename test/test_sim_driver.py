"""The driver: keeps the lane, lets go, presses buttons, lifts his foot when the car brakes."""

from __future__ import annotations

import pytest

from adas_perception.params import Vehicle
from adas_perception.sim.driver import Button, Driver, DriverScript, Phase
from adas_perception.sim.road import Road
from adas_perception.sim.vehicle import Car, CarParams, DriverAction

BEND = Road(1000.0, ((0.0, 0.0), (100.0, 0.0), (160.0, 1 / 400)))
DT = 0.01


def drive(script: DriverScript, seconds: float, y_m: float = 0.0, accel: float | None = None) -> list[DriverAction]:
    """Drive at 20 m/s along the bend from ``y_m``; the offsets go to ``offsets``."""
    car, driver = Car(CarParams(), y_m=y_m, speed_mps=20.0), Driver(script, Vehicle(), 0.0)
    actions, s, d = [], 0.0, y_m
    for k in range(round(seconds / DT)):
        actions.append(driver.act(k * DT, k, car, BEND, s, d))
        car.step(DT, accel, None, actions[-1])
        s, d = BEND.to_road(car.x_m, car.y_m, s)
        offsets.append(d)
    return actions


offsets: list[float] = []


@pytest.fixture(autouse=True)
def fresh_offsets() -> None:
    offsets.clear()


def test_keeps_the_lane_through_the_bend_and_from_beside_it() -> None:
    drive(DriverScript((Phase(0.0, speed_mps=20.0),)), 15.0, y_m=0.8)
    assert max(map(abs, offsets[800:])) < 0.1
    assert min(offsets) > -0.25  # no wide swing beyond the middle


def test_hands_off_drifts_to_the_side_of_the_drift() -> None:
    actions = drive(DriverScript((Phase(0.0, hands_on=False, drift_rad=0.001),)), 4.0)
    assert not actions[-1].controls.hands_on
    assert actions[-1].controls.steering_torque_nm == 0.0
    assert offsets[-1] > 0.4


def test_buttons_are_pressed_for_a_moment() -> None:
    actions = drive(DriverScript((Phase(0.0),), ((0.5, Button.ACC_SET),)), 1.0)
    pressed = [k * DT for k, action in enumerate(actions) if action.controls.acc_set]
    assert (pressed[0], pressed[-1]) == pytest.approx((0.5, 0.69))
    assert not any(action.controls.acc_resume for action in actions)


def test_phases_follow_each_other_and_brake_when_told() -> None:
    actions = drive(DriverScript((Phase(0.0, speed_mps=25.0), Phase(1.0, brake=0.4))), 2.0)
    assert 0.1 < actions[50].controls.accelerator <= 0.6
    assert actions[50].controls.brake == 0.0
    assert (actions[150].controls.accelerator, actions[150].controls.brake) == (0.0, 0.4)


def test_lifts_his_foot_when_the_car_brakes_by_itself() -> None:
    actions = drive(DriverScript((Phase(0.0, speed_mps=20.0), Phase(3.0, speed_mps=20.0))), 4.0, accel=-3.0)
    assert actions[0].controls.accelerator > 0.0
    assert actions[150].controls.accelerator == 0.0
    assert all(action.controls.brake == 0.0 for action in actions)
