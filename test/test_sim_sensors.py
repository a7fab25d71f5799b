"""Signs and frames of the sensor models, occlusion, seeded noise."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.perception.radar import Radars
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.sim.radar_model import RADARS, scan_radar
from adas_perception.sim.sensors import Box, EgoNoise, Surroundings, noisy_ego
from adas_perception.sim.ultrasonic_model import range_ultrasonic
from adas_perception.types import EgoState, RadarScan

NOTHING = np.empty((0, 2))


def car(x: float, y: float, vx: float = 0.0, vy: float = 0.0, yaw: float = 0.0) -> Box:
    return Box(x, y, yaw, 4.6, 1.85, 1.5, vx, vy)


def scan(name: str, *boxes: Box, ego_speed: float = 0.0, rail: np.ndarray = NOTHING) -> RadarScan:
    ego = EgoState(5, speed_mps=ego_speed)
    return scan_radar(name, RADARS[name], 5, ego, Surroundings(boxes, rail), None)


def to_base(found: RadarScan) -> np.ndarray:
    mount = Radars().named(found.sensor).mount
    c, s = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
    return found.xyz[:, :2] @ np.array([[c, s], [-s, c]]) + (mount.x_m, mount.y_m)


def test_front_radar_sees_the_rear_of_a_car_and_its_closing_speed() -> None:
    found = scan("front", car(52.3, 0.0, vx=10.0), ego_speed=25.0)
    assert len(found.range_rate) >= 1
    assert (found.stamp_ns, found.sensor) == (5, "front")
    assert to_base(found)[:, 0] == pytest.approx(50.0, abs=0.01)
    assert found.range_rate == pytest.approx(-15.0, abs=0.05)


def test_departing_car_has_a_positive_range_rate() -> None:
    assert (scan("front", car(52.3, 0.0, vx=30.0), ego_speed=25.0).range_rate > 4.9).all()


def test_left_is_positive_in_the_frame_of_the_sensor() -> None:
    assert (scan("front", car(40.0, 5.0)).xyz[:, 1] > 3.0).all()


@pytest.mark.parametrize(("name", "y"), [("rear_left", 3.5), ("rear_right", -3.5)])
def test_corner_radar_sees_an_overtaker_where_it_is_and_closing(name: str, y: float) -> None:
    found = scan(name, car(-20.0, y, vx=30.0), ego_speed=22.0)
    points = to_base(found)
    assert len(points) >= 1
    assert points[:, 0].min() > -22.4
    assert points[:, 0].max() < -17.6
    assert np.abs(points[:, 1] - y).max() < 0.95
    assert (found.range_rate < -6.0).all()


def test_corner_radar_is_blind_on_the_other_side() -> None:
    beside = car(-1.0, 3.5)
    assert len(scan("rear_left", beside).range_rate) > 0
    assert len(scan("rear_right", beside).range_rate) == 0


@pytest.mark.parametrize(("name", "x", "low", "high"), [("rear_left", 1.0, -1.3, -0.4), ("front_left", 1.0, 2.2, 3.4)])
def test_a_corner_radar_returns_what_it_sees_of_a_flank(name: str, x: float, low: float, high: float) -> None:
    points = to_base(scan(name, car(x, 2.44)))
    assert len(points) >= 1
    assert low < points[:, 0].min() <= points[:, 0].max() < high


@pytest.mark.parametrize("rng", [None, Random(3)], ids=["clean", "noisy"])
@given(x=st.floats(-8.0, 9.0), y=st.floats(2.3, 6.0), yaw=st.floats(-0.5, 0.5))
@settings(max_examples=80, deadline=None)
def test_who_shows_any_of_a_face_to_a_corner_radar_is_seen(rng: Random | None, x: float, y: float, yaw: float) -> None:
    sensor = Radars().front_left
    errors = replace(RADARS["front_left"], ghosts_per_scan=0.0, miss_share=0.0, half_elevation_rad=1.5)
    body = car(x, y, yaw=yaw)
    found = scan_radar("front_left", errors, 1, EgoState(1), Surroundings((body,)), rng)
    outline = body.corners()
    inner, all_of_it = (np.linspace(*ends)[:, None, None] for ends in ((0.05, 0.95, 19), (0.0, 1.0, 401)))
    border, every_point = (
        (outline + share * (np.roll(outline, -1, axis=0) - outline)).reshape(-1, 2) for share in (inner, all_of_it)
    )
    distance = np.hypot(*(border - (sensor.mount.x_m, sensor.mount.y_m)).T)
    near = border[distance.argmin()]
    if sensor.sees(*near):
        assert len(found.range_rate) > 0
    if not any(sensor.sees(x, y) for x, y in every_point.tolist()):
        assert len(found.range_rate) == 0


def test_front_corner_radars_see_crossing_traffic_that_the_front_radar_does_not() -> None:
    crossing = car(10.0, 20.0, vy=-16.0, yaw=-math.pi / 2.0)
    assert len(scan("front", crossing).range_rate) == 0
    assert len(scan("front_right", crossing).range_rate) == 0
    assert (scan("front_left", crossing).range_rate < -10.0).all()
    assert len(scan("front_left", crossing).range_rate) > 0


def test_standing_world_closes_with_the_speed_of_the_ego() -> None:
    rail = np.array([[30.0, 5.0], [60.0, 5.0]])
    found = scan("front", rail=rail, ego_speed=20.0)
    azimuth = np.arctan2(found.xyz[:, 1], found.xyz[:, 0])
    assert found.range_rate == pytest.approx(-20.0 * np.cos(azimuth), abs=1e-6)


def test_nothing_is_seen_behind_a_car_or_beyond_the_range() -> None:
    assert to_base(scan("front", car(30.0, 0.0), car(60.0, 0.0)))[:, 0].max() < 31.0
    assert len(scan("front", car(260.0, 0.0)).range_rate) == 0
    assert len(scan("front", car(-30.0, 0.0)).range_rate) == 0


@settings(max_examples=50)
@given(st.floats(25.0, 150.0), st.floats(-4.0, 4.0), st.floats(-40.0, 40.0), st.floats(-3.0, 3.0))
def test_left_and_right_mirror(x: float, y: float, vx: float, yaw: float) -> None:
    left, right = scan("front", car(x, y, vx, yaw=yaw)), scan("front", car(x, -y, vx, yaw=-yaw))
    mirrored = right.xyz * (1.0, -1.0, 1.0)
    assert np.sort(left.xyz, axis=0) == pytest.approx(np.sort(mirrored, axis=0))
    assert sorted(left.range_rate) == pytest.approx(sorted(right.range_rate))


def test_noise_is_seeded_and_has_the_stated_size() -> None:
    scene = Surroundings((car(50.0, 0.0),), NOTHING)
    ego = EgoState(0)

    def ranges(seed: int) -> np.ndarray:
        found = scan_radar("front", RADARS["front"], 0, ego, scene, Random(seed))
        return found.range_rate[found.xyz[:, 0] < 60.0]

    assert np.array_equal(ranges(3), ranges(3))
    rates = np.concatenate([ranges(seed) for seed in range(200)])
    usual = np.abs(rates) < 1.0
    assert rates[usual].std() == pytest.approx(RADARS["front"].rate_sigma_mps, rel=0.15)
    assert 0 < np.count_nonzero(~usual) < 60  # ghosts


def test_every_ranger_has_a_name_that_perception_knows_and_sees_its_own_side() -> None:
    parked = Surroundings((car(2.0, 2.4),), NOTHING)
    echoes = {e.sensor: e for e in range_ultrasonic(9, parked, Random(0))}
    assert tuple(echoes) == SENSORS
    gap = 2.4 - 1.85 / 2.0 - 0.90
    assert echoes["front_left_side"].range_m == pytest.approx(gap, abs=0.05)
    assert math.isinf(echoes["front_right_side"].range_m)
    assert math.isinf(echoes["rear_right"].range_m)


def test_wall_too_near_reads_the_shortest_range() -> None:
    wall = Surroundings((Box(3.79, 0.0, 0.0, 0.05, 3.0, 1.0, 0.0, 0.0),), NOTHING)
    echoes = {e.sensor: e.range_m for e in range_ultrasonic(0, wall, Random(0))}
    assert echoes["front_left"] == 0.15


def test_ego_noise_spares_standstill() -> None:
    rng = Random(0)
    assert noisy_ego(EgoState(1), EgoNoise(), rng) == EgoState(1)
    moving = noisy_ego(EgoState(1, speed_mps=10.0), EgoNoise(), rng)
    assert moving.speed_mps != 10.0
    assert moving.speed_mps == pytest.approx(10.0, abs=0.2)
