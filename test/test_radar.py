import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radar_scene import Scene, straight

from adas_perception.params import Mount, ParameterError
from adas_perception.perception.radar import RADARS, Coverage, RadarClusterer, RadarParams
from adas_perception.types import EgoState, RadarScan

PARAMS = RadarParams()
EGO = EgoState(1, 10.0)
FRONT = PARAMS.radars.front.mount


def scan(points, rates, sensor="front", stamp=1):
    xyz = np.array(points, dtype=float).reshape(-1, 3)
    return RadarScan(stamp, sensor, xyz, np.array(rates, dtype=float))


def targets(points, rates, ego=EGO, sensor="front", params=PARAMS):
    clusterer = RadarClusterer(params)
    return clusterer.step(scan(points, rates, sensor), ego).items, clusterer


def test_no_detections_are_an_empty_cycle_with_its_stamp():
    found = RadarClusterer(PARAMS).step(scan([], [], stamp=7), EgoState(1))
    assert (found.stamp_ns, found.sensor, found.items) == (7, "front", ())


def test_a_target_lies_in_base_link_ahead_of_the_mount():
    (target,), _ = targets([(20.0, 3.0, 0.0)], [-10.0])
    assert (target.x_m, target.y_m) == pytest.approx((20.0 + FRONT.x_m, 3.0))


def test_a_rear_corner_radar_looks_backwards():
    mount = PARAMS.radars.rear_left.mount
    (target,), _ = targets([(10.0, 0.0, 0.0)], [0.0], sensor="rear_left")
    assert target.x_m == pytest.approx(mount.x_m + 10.0 * math.cos(mount.yaw_rad))
    assert target.y_m == pytest.approx(mount.y_m + 10.0 * math.sin(mount.yaw_rad))
    assert target.x_m < mount.x_m and target.y_m > mount.y_m


@pytest.mark.parametrize("yaw_rate", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("sensor", RADARS)
def test_standing_things_have_no_speed_over_ground_in_a_bend(sensor, yaw_rate):
    scene = Scene(speed=12.0, yaw_rate=yaw_rate, posts=np.random.default_rng(0).uniform(-40, 40, (60, 2)),
                  range_sigma=0.0, bearing_sigma=0.0, doppler_sigma=0.0)  # fmt: skip
    found = RadarClusterer(PARAMS).step(scene.scan(0.0, sensor, PARAMS.radars.named(sensor)), scene.ego(0.0))
    assert len(found.items) > 5
    assert max(abs(t.speed_mps) for t in found.items) < 1e-9


def test_without_ego_motion_the_speed_is_unknown_and_the_range_rate_kept():
    (target,), _ = targets([(20.0, 0.0, 0.0)], [-4.0], ego=None)
    assert math.isnan(target.speed_mps) and target.range_rate_mps == -4.0


def test_the_near_face_stands_for_a_long_object():
    points = [(20.0 + 0.5 * k, y, 0.0) for k in range(10) for y in (-0.6, 0.6)]
    (target,), _ = targets(points, [-10.0] * len(points))
    assert target.points == 20
    assert target.x_m - FRONT.x_m == pytest.approx(20.0, abs=0.3)


def test_cars_in_neighbour_lanes_stay_apart():
    scene = Scene(speed=20.0, bodies=(straight(40, 0, 20), straight(40, 3.5, 20)), detection=1.0)
    found = RadarClusterer(PARAMS).step(scene.scan(0.0, "front", PARAMS.radars.front), scene.ego(0.0))
    assert sorted(round(t.y_m / 3.5) for t in found.items) == [0, 1]


def test_speed_parts_what_place_does_not():
    found, _ = targets([(30.0, 0.0, 0.0), (30.5, 0.0, 0.0)], [-10.0, -2.0])
    assert len(found) == 2


def test_a_guard_rail_is_cut_at_marks_that_stand_on_the_road():
    rail = np.column_stack([np.arange(5.25, 105.0, 0.5), np.full(200, 4.0)])
    scene = Scene(speed=20.0, posts=rail, range_sigma=0.0, bearing_sigma=0.0, doppler_sigma=0.0)
    clusterer = RadarClusterer(PARAMS)
    places = []
    for t in (0.0, 0.05):
        found = clusterer.step(scene.scan(t, "front", PARAMS.radars.front), scene.ego(t))
        places.append(sorted(i.x_m + scene.speed * t for i in found.items)[2:-1])
    assert len(places[0]) >= 8
    assert places[1] == pytest.approx(places[0], abs=0.3)


BAD = [
    (math.nan, 0.0, 0.0), (math.inf, 0.0, 0.0), (0.0, 0.0, 0.0), (250.0, 0.0, 0.0), (-20.0, 0.0, 0.0),
    (20.0, 0.0, 8.0), (20.0, 0.0, -3.0),
]  # fmt: skip


@pytest.mark.parametrize("point", BAD)
def test_impossible_places_are_dropped_and_counted(point):
    found, clusterer = targets([point, (20.0, 0.0, 0.0)], [-10.0, -10.0])
    assert len(found) == 1 and clusterer.rejected == 1


@pytest.mark.parametrize("rate", [math.nan, -math.inf, 500.0])
def test_impossible_rates_are_dropped_and_counted(rate):
    found, clusterer = targets([(20.0, 0.0, 0.0)], [rate])
    assert found == () and clusterer.rejected == 1


def test_an_unknown_radar_is_named():
    with pytest.raises(ValueError, match="no radar 'roof'; known: front"):
        targets([(20.0, 0.0, 0.0)], [0.0], sensor="roof")


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must be"):
        RadarClusterer(PARAMS).step(RadarScan(1, "front", np.zeros((3, 2)), np.zeros(3)), None)


def test_the_mounting_comes_from_parameters():
    params = RadarParams.from_mapping({"radars": {"front": {"mount": {"x_m": 1.0}}}})
    (target,), _ = targets([(20.0, 0.0, 0.0)], [0.0], params=params)
    assert target.x_m == pytest.approx(21.0)
    with pytest.raises(ParameterError, match="half_fov_rad"):
        Coverage(Mount(), half_fov_rad=9.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 4), max_size=40), st.integers(0, 2))
def test_any_cloud_gives_finite_targets_and_every_detection_is_accounted_for(rows, which):
    table = np.array(rows, dtype=float).reshape(-1, 4)
    clusterer = RadarClusterer(PARAMS)
    sensor = ("front", "rear_left", "rear_right")[which]
    found = clusterer.step(RadarScan(1, sensor, table[:, :3], table[:, 3]), EgoState(1, 20.0, 0.0, 0.1)).items
    assert sum(t.points for t in found) + clusterer.rejected == len(rows)
    assert all(np.isfinite([t.x_m, t.y_m, t.range_rate_mps, t.speed_mps]).all() for t in found)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_detections_does_not_matter(order):
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(5, 60, 12), rng.uniform(-8, 8, 12), np.zeros(12)])
    rates = rng.normal(-10, 2, 12)
    key = {t for t in map(_rounded, targets(points, rates)[0])}
    assert {t for t in map(_rounded, targets(points[list(order)], rates[list(order)])[0])} == key


def _rounded(target):
    return tuple(round(v, 6) if isinstance(v, float) else v for v in dataclasses.astuple(target))
