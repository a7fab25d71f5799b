"""Headings come from velocities that are surely measured; else objects stand along the road."""

import math

import numpy as np
import pytest

from adas_perception.perception.faces import TYPICAL_SIZE
from adas_perception.perception.heading import BEND_MAX_RAD, HEADED_CYCLES, take_heading, turn
from adas_perception.perception.track_life import Life
from adas_perception.types import ObjectClass, Sensor

AGREED = Sensor.RADAR | Sensor.CAMERA


def life(label=ObjectClass.CAR, sources=AGREED):
    return Life(1, label, 5, TYPICAL_SIZE[label], 0.0, 2.0, 20, sources, 0)


def see(one, x, y, vx, vy, sigma_mps=0.2, times=1, bend=None):
    covariance = np.diag(np.square([0.3, 0.3, sigma_mps, sigma_mps, 0.5]))
    for _ in range(times):
        take_heading(one, np.array([x, y, vx, vy, 0.0]), covariance, bend)
    return one.yaw_rad


@pytest.mark.parametrize(
    ("label", "place", "velocity", "yaw"),
    [
        (ObjectClass.CAR, (60.0, 3.5), (-15.0, 0.0), math.pi),
        (ObjectClass.CAR, (30.0, -20.0), (0.0, 10.0), math.pi / 2.0),  # crosses, 34 deg aside: half of it is Doppler
        (ObjectClass.CAR, (80.0, -1.0), (0.2, -4.4), 0.0),  # right ahead: its place was corrected
        (ObjectClass.CYCLIST, (80.0, -1.0), (0.0, 4.4), math.pi / 2.0),
        (ObjectClass.CAR, (60.0, 0.0), (1.9, 0.0), 0.0),  # too slow
    ],
)
def test_a_heading_is_what_the_sensors_measure(label, place, velocity, yaw):
    assert see(life(label), *place, *velocity) == pytest.approx(yaw, abs=0.05)


def test_a_vague_velocity_or_one_without_doppler_shows_no_heading():
    assert see(life(), 60.0, 3.5, -5.0, 0.0, sigma_mps=3.0) == 0.0
    assert see(life(sources=Sensor.CAMERA), 60.0, 3.5, -15.0, 0.0) == 0.0


@pytest.mark.parametrize(("cycles", "kept"), [(HEADED_CYCLES - 1, False), (HEADED_CYCLES, True)])
def test_who_moved_for_a_moment_only_stands_along_the_road_again(cycles, kept):
    one = life()
    see(one, 30.0, -10.0, -1.8, -1.2, times=cycles)
    yaw = see(one, 30.0, -10.0, 0.0, 0.0, bend=0.01)
    assert yaw == pytest.approx(math.atan2(-1.2, -1.8) if kept else 0.3)


def test_headings_turn_with_the_car_and_what_stands_follows_the_bend():
    parked, moving = life(), life()
    see(moving, 30.0, 3.5, -10.0, 0.0)
    for one in (parked, moving):
        turn(one, 40.0, 0.005, 0.1)
    assert parked.yaw_rad == pytest.approx(0.2) and moving.yaw_rad == pytest.approx(math.pi - 0.1)
    turn(parked, 40.0, None, 0.1)
    assert parked.yaw_rad == pytest.approx(0.1)
    turn(parked, 400.0, -0.01, 0.0)
    assert parked.yaw_rad == -BEND_MAX_RAD
