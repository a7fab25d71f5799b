"""What moves the car in parking: tracking, zones, the map, and what ends a manoeuvre."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adas_perception.functions.apa.geometry import Body, Frame, Pose, Segment, pose_at
from adas_perception.functions.apa.local_map import Heard, LocalMap, MapParams
from adas_perception.functions.apa.states import OverrideParams, Reason, override
from adas_perception.functions.apa.track import Tracker, TrackParams
from adas_perception.functions.apa.zones import Echo, Zone, ZoneParams, Zones
from adas_perception.params import Mount, Vehicle
from adas_perception.sim.vehicle import Car, CarParams, DriverAction
from adas_perception.types import DriverInput, EgoState, Gear

V = Vehicle()
S_CURVE = (Segment(-3.0, -0.19), Segment(-3.0, 0.19), Segment(0.6, 0.0))
NOTHING = np.empty((0, 2))


def follow(path, car: Car | None = None, cap: float = math.inf, limit_s: float = 60.0):
    """Drive a path with the simulated car; return the car, the tracker and the speeds."""
    car = car or Car(CarParams())
    tracker, speeds = Tracker(TrackParams(), V, Pose(car.x_m, car.y_m, car.yaw_rad), path), []
    for i in range(int(limit_s / 0.05)):
        drive = tracker.step(car.measured(i * 50_000_000), cap)
        hold = drive.hold and abs(car.speed_mps) <= 0.1
        controls = DriverAction(DriverInput(0, hands_on=False))
        car.step(0.05, drive.accel_mps2, drive.steering_rad, controls, drive.gear if hold else None, hold)
        speeds.append(car.speed_mps)
        if tracker.done:
            break
    return car, tracker, speeds


@pytest.mark.parametrize("grade", [-0.05, 0.0, 0.05])
def test_a_path_of_two_arcs_and_a_change_of_direction_is_driven_to_its_end(grade):
    car, tracker, speeds = follow(S_CURVE, Car(CarParams(grade=grade)), limit_s=90.0)
    assert tracker.done and tracker.moved == 2
    assert math.dist((car.x_m, car.y_m), tracker.goal[:2]) < 0.1
    assert abs(car.yaw_rad - tracker.goal.yaw_rad) < math.radians(2.0)
    assert max(map(abs, speeds)) < 10.0 / 3.6


def test_the_cap_of_the_zones_stops_the_car():
    _, tracker, speeds = follow(S_CURVE, cap=0.0, limit_s=2.0)
    assert not tracker.done and max(map(abs, speeds)) < 1e-6
    _, _, slow = follow(S_CURVE, cap=0.2, limit_s=10.0)
    assert 0.1 < max(map(abs, slow)) < 0.3


def test_wheels_and_gear_are_set_before_the_car_moves():
    tracker = Tracker(TrackParams(), V, Pose(0.0, 0.0, 0.0), S_CURVE)
    drive = tracker.step(EgoState(0), math.inf)
    assert drive.hold and drive.gear is Gear.REVERSE and drive.accel_mps2 < 0.0
    turned = EgoState(0, gear=Gear.REVERSE)
    assert tracker.step(turned, math.inf).hold
    ready = replace(turned, steering_rad=math.atan(V.wheelbase_m * -0.19))
    assert not tracker.step(ready, math.inf).hold


def echo(x: float, y: float, known: bool, located: bool = True) -> Echo:
    at = Pose(-1.05, 0.0, math.pi)
    heard = Heard("rear_left", math.hypot(x - at.x_m, y), at, np.array([[x, y]]), 0, located)
    return Echo(heard, known, located)


def zones(*echoes: Echo, cycles: int = 1, speed: float = -0.5):
    made = Zones(ZoneParams(), V)
    for _ in range(cycles):
        state = made.step(Pose(0.0, 0.0, 0.0), 0.0, -1, speed, echoes, frozenset({"rear_left"}))
    return state


def test_something_new_behind_slows_at_once_and_stops_at_the_second_echo():
    new = echo(-1.6, 0.0, known=False)
    assert zones(new).zone is Zone.SLOW
    state = zones(new, cycles=2)
    assert (state.zone, state.cap_mps, state.sensor) == (Zone.STOP, 0.0, "rear_left")


def test_what_lies_beside_or_ahead_of_a_reversing_car_does_not_count():
    assert zones(echo(-1.6, 1.3, known=False), cycles=3).zone is Zone.FREE
    assert zones(echo(4.5, 0.0, known=False), cycles=3).zone is Zone.FREE


def test_what_the_plan_knows_may_be_approached_closely():
    assert zones(echo(-1.35, 0.0, known=True), cycles=3).zone is Zone.APPROACH
    assert zones(echo(-1.06, 0.0, known=True), cycles=3).zone is Zone.STOP


def test_what_the_present_plan_goes_around_may_be_approached_until_the_car_creeps():
    def zone(x):
        found = replace(echo(x, 0.0, known=False), planned=True)
        return zones(found, cycles=3).zone

    assert zone(-1.7) is Zone.APPROACH and zone(-1.1) is Zone.STOP


def test_a_new_echo_without_a_place_may_lie_anywhere_on_its_arc():
    at = Pose(-0.93, 0.72, 2.44)
    heard = Heard("rear_left_outer", 0.5, at, NOTHING, 0, False)
    made = Zones(ZoneParams(), V)
    for _ in range(2):
        state = made.step(
            Pose(0.0, 0.0, 0.0), 0.0, -1, -0.4, [Echo(heard, False, False)], frozenset({"rear_left_outer"})
        )
    assert state.zone is Zone.STOP


def test_the_direction_of_a_corner_follows_from_how_its_range_changes():
    chart, mount = LocalMap(MapParams()), Mount(3.3, 0.9, 0.5, math.pi / 2.0)
    corner = (4.5, 2.2)
    for i in range(12):
        x = i * 0.15
        distance = math.hypot(corner[0] - x - 3.3, corner[1] - 0.9)
        bearing = math.atan2(corner[1] - 0.9, corner[0] - x - 3.3) - math.pi / 2.0
        chart.hear(i, "front_left_side", mount, Pose(x, 0.0, 0.0), distance if abs(bearing) < 0.6 else math.inf)
    assert len(chart.points)
    assert np.hypot(*(chart.points - corner).T).min() < 0.15


def test_a_point_that_no_longer_answers_is_forgotten():
    chart, mount = LocalMap(MapParams()), Mount(3.72, 0.0, 0.5, 0.0)
    chart.assume(0, np.array([[5.0, 0.0]]), np.array([math.pi]))
    for i in range(4):
        chart.hear(i, "front_left", mount, Pose(0.0, 0.0, 0.0), math.inf)
    chart.tidy(10, Pose(0.0, 0.0, 0.0))
    assert len(chart.points) == 0


def test_what_is_heard_from_near_is_no_kerb():
    chart, mount = LocalMap(MapParams()), Mount(-0.65, -0.9, 0.5, -math.pi / 2.0)
    chart.assume(0, np.array([[-0.65, -1.3]]), np.array([math.pi / 2.0]), low=True)
    assert len(chart.low) == 1 and len(chart.points) == 0
    chart.hear(1, "rear_right_side", mount, Pose(0.0, 0.0, 0.0), 0.4)
    assert len(chart.low) == 1 and not chart.raised_ns
    chart.hear(2, "rear_right_side", mount, Pose(0.0, 0.0, 0.0), 0.4)
    assert len(chart.low) == 0 and len(chart.points) == 1 and chart.raised_ns == 2


def test_what_is_heard_aslant_from_near_is_neither_the_kerb_nor_a_wall():
    """A kerb is silent from so near, and a wall answers square on: it is something that stands before them."""
    chart, mount = LocalMap(MapParams()), Mount(-0.65, -0.9, 0.5, -math.pi / 2.0)
    chart.assume(0, np.array([[-0.4, -1.3]]), np.array([math.pi / 2.0]), low=True)
    heard = [chart.hear(i, "rear_right_side", mount, Pose(0.0, 0.0, 0.0), math.hypot(0.25, 0.4)) for i in range(1, 8)]
    assert not chart.raised_ns and len(chart.low) == 1
    assert all(echo is not None and not echo.low for echo in heard)
    assert len(chart.points) == 1


@pytest.mark.parametrize(("bearing_rad", "known"), [(0.63, True), (0.75, False)])
def test_a_point_a_little_beyond_the_cone_explains_an_echo(bearing_rad, known):
    """The corner of a neighbour is known to some centimetres: it may answer when its place on the map does not."""
    chart, mount = LocalMap(MapParams()), Mount(-1.0, 0.0, 0.5, math.pi)
    place = np.array([[-1.0 - 1.5 * math.cos(bearing_rad), 1.5 * math.sin(bearing_rad)]])
    chart.assume(0, place, np.array([0.0]))
    for i in range(1, 10):
        chart.hear(i, "rear_right", mount, Pose(0.0, 0.0, 0.0), 1.52)
    assert (len(chart.points) == 1) is known
    assert chart.points[0] == pytest.approx(place[0])


def test_a_point_seen_once_does_not_grow_sure_by_echoes_from_beyond_the_cone():
    chart, ahead = LocalMap(MapParams()), Mount(-1.0, 0.0, 0.5, math.pi)
    for i in range(6):  # a standing car has no direction: the point is laid on the axis of the sensor
        chart.hear(i, "rear_right", ahead, Pose(0.0, 0.0, 0.0), 1.5)
    assert len(chart.points) == 1 and chart.found_since(-1, sure=True).size == 0
    turned = Mount(-1.0, 0.0, 0.5, math.pi - 0.65)
    for i in range(6, 12):
        chart.hear(i, "rear_left", turned, Pose(0.0, 0.0, 0.0), 1.5)
    assert chart.found_since(-1, sure=True).size == 0


def test_the_true_echo_of_a_face_leaves_its_points_where_they_are():
    """The foot of the perpendicular lies between them, so that every one of them is a little farther than the echo."""
    chart, mount = LocalMap(MapParams()), Mount(-0.65, 0.0, 0.5, math.pi)
    wall = np.array([[-1.65, 0.1 * i + 0.05] for i in range(-6, 6)])
    chart.assume(0, wall, np.zeros(len(wall)))
    for i in range(1, 40):
        chart.hear(i, "rear_right", mount, Pose(0.0, 0.0, 0.0), 1.0)
    assert chart.points == pytest.approx(wall, abs=1e-6)
    for i in range(40, 80):
        chart.hear(i, "rear_right", mount, Pose(0.0, 0.0, 0.0), 0.93)
    assert chart.points[5:7, 0] == pytest.approx(-1.58, abs=0.01)


def test_silence_does_not_contradict_a_kerb():
    """From near it lies below the cone."""
    chart, mount = LocalMap(MapParams()), Mount(-0.65, -0.9, 0.5, -math.pi / 2.0)
    chart.assume(0, np.array([[-0.65, -1.5]]), np.array([math.pi / 2.0]), low=True)
    for i in range(1, 6):
        chart.hear(i, "rear_right_side", mount, Pose(0.0, 0.0, 0.0), math.inf)
    chart.tidy(10, Pose(0.0, 0.0, 0.0))
    assert len(chart.low) == 1


def test_a_kerb_takes_the_place_of_what_was_heard_of_it():
    chart = LocalMap(MapParams())
    chart.assume(0, np.array([[0.0, -1.8], [0.0, -1.2]]), np.zeros(2))
    chart.assume(1, np.array([[0.0, -2.0]]), np.array([math.pi / 2.0]), low=True)
    assert chart.points.tolist() == [[0.0, -1.2]]
    assert chart.low.tolist() == [[0.0, -2.0]]


def test_a_slot_without_a_back_has_no_kerb():
    chart, nothing = LocalMap(MapParams()), np.empty((0, 2))
    chart.assume(0, np.array([[0.0, -1.2]]), np.zeros(1))
    chart.assume(1, nothing, np.empty(0), low=True)
    assert len(chart.points) == 1 and len(chart.low) == 0


def test_frames_mirror_and_come_back():
    for side in (1, -1):
        frame, pose = Frame(3.0, -2.0, 0.7, side), Pose(1.0, 2.0, -0.4)
        assert frame.to_local(frame.to_odom(pose)) == pytest.approx(pose)
        points = np.array([[1.0, 2.0], [-3.0, 0.5]])
        assert frame.points_to_local(frame.points_to_odom(points)) == pytest.approx(points)


def test_the_pose_of_an_echo_is_that_of_its_moment():
    ego = EgoState(1_000_000_000, speed_mps=8.0, x_m=10.0)
    assert pose_at(ego, 950_000_000).x_m == pytest.approx(9.6)


def test_nothing_is_never_near():
    body = Body.outline(V)
    assert body.clearance(Pose(0.0, 0.0, 0.0), NOTHING) == math.inf
    assert body.moved_out(Pose(0.0, 0.0, 0.0), NOTHING, 0.2) is NOTHING


def test_clearance_counts_from_the_body():
    body = Body.outline(V)
    assert body.clearance(Pose(0, 0, 0), np.array([[V.front_x_m + 0.3, 0.0]])) == pytest.approx(0.3)
    assert body.clearance(Pose(0, 0, 0), np.array([[0.0, 0.0]])) < 0.0


@pytest.mark.parametrize(("controls", "reason"), [
    ({"steering_torque_nm": -3.5}, Reason.DRIVER_STEERS), ({"brake": 0.1}, Reason.DRIVER_BRAKES),
    ({"accelerator": 0.1}, Reason.DRIVER_ACCELERATES), ({"door_open": True}, Reason.DOOR_OPEN),
    ({"acc_cancel": True}, Reason.CANCELLED), ({"steering_torque_nm": 1.0}, None), ({}, None),
])  # fmt: skip
def test_what_the_driver_does_ends_a_manoeuvre(controls, reason):
    assert override(DriverInput(0, **controls), OverrideParams()) is reason
