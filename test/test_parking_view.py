"""The picture of a manoeuvre that is made of what the stack says: its odometry begins elsewhere."""

from __future__ import annotations

import math
import tracemalloc

import cv2
import numpy as np

from adas_perception.functions.apa.geometry import Pose
from adas_perception.params import Ring
from adas_perception.sim.camera import CameraRenderer
from adas_perception.sim.parking_view import Watch
from adas_perception.sim.recorder import PARKING_PICTURE
from adas_perception.sim.scorecard.manoeuvres.parking import Parking
from adas_perception.sim.setup import CLEAN
from adas_perception.sim.world import World
from adas_perception.types import Echoes, EchoPoint, EgoState, Function, FunctionState, Level


def said(state: str) -> FunctionState:
    return FunctionState(Function.APA, 0, Level.OK, state, "", {"slot_length_m": 5.9})


def echoes(world: World) -> Echoes:
    points = []
    for echo in world.ultrasonics():
        mount = Ring().mount(echo.sensor)
        if math.isfinite(echo.range_m):
            points.append(EchoPoint(echo.sensor, mount.x_m, mount.y_m, echo.range_m, echo.stamp_ns))
    return Echoes(world.stamp_ns, tuple(points), ())


def stands_behind_the_slot() -> World:
    world = World(Parking(speed_kmh=20.0).stage().scenario, sensors=CLEAN)
    while world.time_s < 1.0 or world.car.speed_mps > 0.01:
        world.step(0.05)
    return world


def test_slot_and_path_are_drawn_where_the_car_is(tmp_path):
    world, watch = stands_behind_the_slot(), Watch()
    odometry = EgoState(world.stamp_ns, x_m=7.0, y_m=-3.0, yaw_rad=math.pi / 2.0)
    watch.offer([(7.0 + 2.0, -3.0 - 5.0, math.pi / 2.0)])
    watch.plan([(7.0, -3.0 - 0.1 * i, math.pi / 2.0) for i in range(20)])
    for state in ("SEARCH", "CONFIRMED", "MANOEUVRING", "DONE"):
        watch.step(world, said(state), echoes(world), odometry)
        world.step(0.05)
    watch.save(tmp_path)
    view = watch.view
    car = world.car
    (xa, ya), (xb, yb) = view.opening
    assert np.allclose(((xa + xb) / 2.0, (ya + yb) / 2.0), (car.x_m - 5.0, car.y_m - 2.0), atol=0.05)
    assert np.allclose(view.plan[-1][:2], (car.x_m - 1.9, car.y_m), atol=0.05)
    assert view.echoes and len(view.driven) == 3 and [state for _, state in view.states][0] == "CONFIRMED"
    assert len(cv2.imread(str(tmp_path / PARKING_PICTURE))) > 500


def test_without_a_confirmed_slot_there_is_no_picture_and_no_old_one(tmp_path):
    (tmp_path / PARKING_PICTURE).write_bytes(b"of an older drive")
    watch = Watch()
    watch.step(stands_behind_the_slot(), said("SEARCH"), None, EgoState(0))
    watch.save(tmp_path)
    assert not (tmp_path / PARKING_PICTURE).exists()


def test_a_pose_in_odometry_comes_back():
    watch = Watch()
    assert np.allclose(watch._in_map(Pose(1.0, 2.0, 0.3)), (1.0, 2.0, 0.3))


def test_the_camera_of_a_car_across_the_road_draws_lines_no_wider_than_its_picture():
    """Lines used to be laid out in full: gigabytes near a right angle, where a parked car stands."""
    world = stands_behind_the_slot()
    renderer = CameraRenderer(world.road)
    tracemalloc.start()
    for off_rad in (0.0, 1e-12, 1e-9, 1e-7, 1e-5):
        world.car.yaw_rad = math.pi / 2.0 + off_rad
        assert world.picture(renderer).rgb.any()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
