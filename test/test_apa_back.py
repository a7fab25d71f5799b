"""The back of a slot that was heard only on the way in: a straight thing is one, a pole or a person is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.functions.apa.back import Back, kerb
from adas_perception.functions.apa.geometry import Pose
from adas_perception.functions.apa.local_map import Heard
from adas_perception.functions.apa.slots import Slot, SlotKind
from adas_perception.params import Ring, Vehicle
from adas_perception.types import Side

V = Vehicle()
NEAREST_M = V.width_m + 0.1
SENSORS = ("rear_right_side", "rear_right_outer")


def slot(kind: SlotKind = SlotKind.PARALLEL, depth_m: float = math.inf) -> Slot:
    return Slot(kind, Side.RIGHT, 0.0, 0.0, 0.0, V.length_m + 1.5, depth_m)


def backs_in(back: Back, range_from, sensors=SENSORS, noise_m: float = 0.0) -> float:
    """Let a car back towards the slot at 30 degrees; ``range_from`` gives the range of an echo at a sensor's place."""
    rng = np.random.default_rng(1)
    for step in range(60):
        car = Pose(1.2 - 0.02 * step, 0.5 - 0.01 * step, math.radians(30.0))
        for sensor in sensors:
            mount = Ring().mount(sensor)
            c, s = math.cos(car.yaw_rad), math.sin(car.yaw_rad)
            x, y = car.x_m + c * mount.x_m - s * mount.y_m, car.y_m + s * mount.x_m + c * mount.y_m
            range_m = range_from(x, y) + rng.normal(0.0, noise_m)
            back.hear([Heard(sensor, range_m, Pose(x, y, car.yaw_rad + mount.yaw_rad), np.empty((0, 2)), 1, False)])
    return back.depth_m


def line(depth_m: float):
    return lambda x, y: y + depth_m


@pytest.mark.parametrize("noise_m", [0.0, 0.01])
def test_what_runs_along_the_street_behind_the_slot_is_its_back(noise_m):
    assert backs_in(Back(slot(), NEAREST_M, 0.55), line(2.0), noise_m=noise_m) == pytest.approx(2.0, abs=0.02)


def test_a_back_nearer_than_the_one_measured_in_passing_is_learnt_and_a_farther_one_is_not():
    assert backs_in(Back(slot(depth_m=3.5), NEAREST_M, 0.55), line(2.0)) == pytest.approx(2.0)
    assert backs_in(Back(slot(depth_m=2.0), NEAREST_M, 0.55), line(2.3)) == 2.0


def test_what_stands_where_the_car_shall_stand_is_no_back():
    assert math.isinf(backs_in(Back(slot(), NEAREST_M, 0.55), line(1.8)))


@pytest.mark.parametrize("x_m", [-0.8, 0.2, 1.2])
def test_a_pole_behind_the_slot_is_no_back(x_m):
    pole = (x_m, -2.1)
    assert math.isinf(backs_in(Back(slot(), NEAREST_M, 0.55), lambda x, y: math.dist((x, y), pole)))


def test_one_sensor_alone_tells_nothing():
    assert math.isinf(backs_in(Back(slot(), NEAREST_M, 0.55), line(2.0), sensors=SENSORS[:1]))


def test_a_perpendicular_slot_needs_no_kerb():
    assert math.isinf(backs_in(Back(slot(SlotKind.PERPENDICULAR), NEAREST_M, 0.55), line(2.0)))


def test_the_kerb_runs_between_the_neighbours():
    points, facing = kerb(slot(depth_m=2.0))
    assert points[:, 1] == pytest.approx(-2.0) and facing == pytest.approx(math.pi / 2.0)
    assert 0.2 < slot().length_m / 2.0 - np.abs(points[:, 0]).max() < 0.4
