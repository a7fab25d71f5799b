"""CARLA's side of the wire: signs and frames, motion, commands, rangers, the sensor set."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.carla import signs
from adas_perception.carla.control import (
    Ackermann,
    PedalParams,
    Pedals,
    Request,
    Wanted,
    ackermann,
    wanted,
)
from adas_perception.carla.motion import EARTH_RADIUS_M, GroundSpeed, Motion
from adas_perception.carla.ring import DepthRing, RangerParams, side_of
from adas_perception.carla.sensors import SIDES, load_sensors
from adas_perception.params import CameraMount, Config, Mount, ParameterError, Ring, Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RADARS, RadarParams
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.resources import config_path
from adas_perception.types import DriverInput, EgoState, Gear, nanoseconds

OBJECTS = config_path("carla/objects.json")
REAR_AXLE_M = -1.34
PEDALS = PedalParams()
angles = st.floats(-0.56, 0.56)
accelerations = st.floats(-9.0, 3.0)
speeds = st.floats(0.2, 40.0)


# --- signs ------------------------------------------------------------------------------------------------


@given(angles.filter(lambda a: abs(a) > 1e-6))
def test_a_wheel_to_the_left_is_a_negative_steer(angle):
    assert math.copysign(1.0, signs.steer(angle, 1.2)) == -math.copysign(1.0, angle)
    assert signs.steering_rad(signs.steer(angle, 1.2), 1.2) == pytest.approx(angle)


@given(st.floats(-10.0, 10.0))
def test_steer_never_leaves_its_range(angle):
    assert -1.0 <= signs.steer(angle, 1.2) <= 1.0


def test_a_gyroscope_of_unreal_is_turned_and_that_of_the_bridge_kept():
    assert signs.yaw_rate(0.2, left_handed=True) == -0.2
    assert signs.yaw_rate(0.2, left_handed=False) == 0.2


def test_a_spawn_point_left_of_the_car_is_at_positive_y_here_and_negative_in_unreal():
    point = {"x": 2.5, "y": 0.8, "z": 0.6, "roll": 0.0, "pitch": 0.0, "yaw": 70.0}
    assert signs.mount_of(point, -1.34) == Mount(3.84, 0.8, 0.6, math.radians(70.0))
    unreal = signs.unreal_transform(point)
    assert (unreal["x"], unreal["y"], unreal["yaw"]) == (2.5, -0.8, -70.0)


@given(st.floats(0.0, 999.0))
def test_depth_survives_its_coding_in_24_bits(depth):
    steps = round(depth / 1000.0 * (256**3 - 1))
    bgra = np.array([[[steps >> 16, steps >> 8 & 255, steps & 255, 255]]], np.uint8)
    assert signs.depth_m(bgra)[0, 0] == pytest.approx(depth, abs=1e-3)


# --- motion -----------------------------------------------------------------------------------------------


def test_motion_finds_acceleration_and_road_wheel_angle():
    vehicle = Vehicle()
    motion, ego = Motion(vehicle), None
    for k in range(60):
        t = 0.05 * k
        v = 10.0 - 2.0 * t
        ego = motion.moved(nanoseconds(t), v, v * vehicle.curvature_for(0.05, v), Gear.DRIVE, 0.0)
    assert ego is not None
    assert ego.accel_mps2 == pytest.approx(-2.0, abs=0.05)
    assert ego.steering_rad == pytest.approx(0.05, abs=0.002)


def test_a_measured_angle_wins_and_a_standing_car_keeps_the_one_it_holds():
    assert Motion(Vehicle()).moved(1, 10.0, 0.3, Gear.DRIVE, 0.02, measured=True).steering_rad == 0.02
    assert Motion(Vehicle()).moved(1, 0.0, 0.0, Gear.DRIVE, -0.3).steering_rad == -0.3


def test_a_stamp_that_repeats_is_passed_over_and_a_reset_clock_starts_anew():
    motion = Motion(Vehicle())
    assert motion.moved(10_000_000_000, 10.0, 0.0, Gear.DRIVE, 0.0) is not None
    assert motion.moved(10_000_000_000, 10.0, 0.0, Gear.DRIVE, 0.0) is None
    again = motion.moved(50_000_000, 0.0, 0.0, Gear.DRIVE, 0.0)
    assert again is not None and again.accel_mps2 == 0.0


def test_acceleration_counts_along_the_gear():
    motion = Motion(Vehicle())
    for k in range(20):
        ego = motion.moved(nanoseconds(0.05 * k), -0.1 * k, 0.0, Gear.REVERSE, 0.0)
    assert ego.accel_mps2 == pytest.approx(2.0, abs=0.1)


@given(st.floats(-60.0, 60.0), st.floats(0.0, 40.0), st.floats(-math.pi, math.pi))
def test_positions_give_the_speed_at_any_latitude_and_heading(latitude, speed, heading):
    receiver, step = GroundSpeed(), 0.05 * speed
    north = math.degrees(step * math.cos(heading) / EARTH_RADIUS_M)
    east = math.degrees(step * math.sin(heading) / EARTH_RADIUS_M / math.cos(math.radians(latitude)))
    assert receiver.step(1, latitude, 8.0, Gear.DRIVE) is None
    found = receiver.step(1 + nanoseconds(0.05), latitude + north, 8.0 + east, Gear.DRIVE)
    assert found == pytest.approx(speed, abs=0.01)


# --- commands ---------------------------------------------------------------------------------------------


def ego_at(speed: float, accel: float = 0.0, gear: Gear = Gear.DRIVE) -> EgoState:
    return EgoState(1, speed, accel, gear=gear)


@given(accelerations, angles, speeds)
def test_a_gated_request_reaches_the_command_unchanged(accel, angle, speed):
    want = wanted(Request(accel, angle), DriverInput(1), 0.0, ego_at(speed), PEDALS)
    command = ackermann(want, ego_at(speed, accel))
    assert (command.accel_mps2, command.steering_rad) == (accel, angle)
    assert command.speed_mps > 0.0


@given(accelerations, accelerations, speeds)
def test_only_a_hard_braking_that_is_missing_is_urged_and_never_weakened(accel, measured, speed):
    command = ackermann(wanted(Request(accel), DriverInput(1), 0.0, ego_at(speed), PEDALS), ego_at(speed, measured))
    assert command.accel_mps2 <= accel
    if accel > -2.0 or measured <= accel:
        assert command.accel_mps2 == accel


def test_nobody_asks_then_the_driver_drives():
    coasting = wanted(Request(), DriverInput(1), 0.1, ego_at(20.0), PEDALS)
    assert coasting.accel_mps2 == -PEDALS.coast_mps2 and coasting.steering_rad == 0.1
    braking = wanted(Request(), DriverInput(1, brake=1.0), 0.0, ego_at(20.0), PEDALS)
    assert braking.accel_mps2 <= -PEDALS.brake_full_mps2


@given(accelerations, st.floats(0.01, 1.0))
def test_the_drivers_brake_always_adds(accel, brake):
    want = wanted(Request(accel), DriverInput(1, brake=brake), 0.0, ego_at(15.0), PEDALS)
    assert want.accel_mps2 <= min(accel, -brake * PEDALS.brake_full_mps2)


def test_an_accelerator_does_not_weaken_a_braking_request():
    assert wanted(Request(-6.0), DriverInput(1, accelerator=0.5), 0.0, ego_at(15.0), PEDALS).accel_mps2 == -6.0


@given(st.floats(0.2, 40.0), st.floats(-9.0, -0.01))
def test_braking_while_rolling_never_asks_for_speed_zero(speed, accel):
    """Speed 0 is the emergency brake of carla_ackermann_control."""
    assert ackermann(Wanted(accel, 0.0, Gear.DRIVE, False), ego_at(speed)).speed_mps > 0.0


def test_a_standing_car_is_held_until_it_is_to_move():
    assert ackermann(wanted(Request(-1.0), DriverInput(1), 0.0, ego_at(0.0), PEDALS), ego_at(0.0)).speed_mps == 0.0
    assert ackermann(wanted(Request(0.8), DriverInput(1), 0.0, ego_at(0.0), PEDALS), ego_at(0.0)).speed_mps > 0.0


def test_reverse_is_a_negative_speed_engaged_at_standstill_only():
    back = wanted(Request(0.5, gear=Gear.REVERSE), DriverInput(1), 0.0, ego_at(0.0), PEDALS)
    assert back.gear is Gear.REVERSE and ackermann(back, ego_at(0.0)).speed_mps < 0.0
    assert Pedals(PEDALS).step(back, ego_at(0.0), 0.05, 1.2).reverse
    assert wanted(Request(0.5, gear=Gear.REVERSE), DriverInput(1), 0.0, ego_at(5.0), PEDALS).gear is Gear.DRIVE


@settings(deadline=None)
@given(st.lists(st.tuples(accelerations, speeds, st.floats(-9.0, 4.0), angles), min_size=1, max_size=30))
def test_pedals_stay_in_range_and_never_fight_each_other(steps):
    pedals = Pedals(PEDALS)
    for accel, speed, measured, angle in steps:
        controls = pedals.step(Wanted(accel, angle, Gear.DRIVE, False), ego_at(speed, measured), 0.05, 1.2)
        assert 0.0 <= controls.throttle <= 1.0 and 0.0 <= controls.brake <= 1.0
        assert controls.throttle == 0.0 or controls.brake == 0.0


@pytest.mark.parametrize("target", [1.5, -2.0, 0.0])
def test_pedals_reach_the_acceleration_of_a_car_that_is_weaker_than_assumed(target):
    pedals, speed, accel = Pedals(PEDALS), 20.0, 0.0
    for _ in range(200):
        controls = pedals.step(Wanted(target, 0.0, Gear.DRIVE, False), ego_at(speed, accel), 0.05, 1.2)
        pushed = 3.0 * controls.throttle - 6.0 * controls.brake - 0.6
        accel += (pushed - accel) * 0.3
    assert accel == pytest.approx(target, abs=0.1)


def test_a_full_braking_is_a_floored_brake_at_once():
    controls = Pedals(PEDALS).step(Wanted(-9.0, 0.0, Gear.DRIVE, False), ego_at(20.0), 0.05, 1.2)
    assert controls.brake == 1.0 and controls.throttle == 0.0


def test_a_held_car_has_the_hand_brake_on():
    held = Pedals(PEDALS).step(Wanted(0.0, 0.0, Gear.DRIVE, True), ego_at(0.0), 0.05, 1.2)
    assert held.hand_brake and held.brake > 0.0
    assert ackermann(Wanted(0.0, 0.0, Gear.DRIVE, True), ego_at(0.0)) == Ackermann(0.0, 0.0, 0.0)


# --- the sensor set ---------------------------------------------------------------------------------------


def test_objects_json_and_the_preset_agree_on_every_mount():
    sensors = load_sensors(OBJECTS, REAR_AXLE_M)
    config = Config(config_path("adas.yaml"), config_path("presets/carla.yaml"))
    radars = config.get("radar", RadarParams).radars
    for name in RADARS:
        told, spawned = radars.named(name).mount, sensors.radars[name]
        assert (told.x_m, told.y_m, told.z_m) == pytest.approx((spawned.x_m, spawned.y_m, spawned.z_m), abs=1e-6)
        assert told.yaw_rad == pytest.approx(spawned.yaw_rad, abs=1e-4)
    camera = CameraMount.from_mapping(config.values("lane_object")["camera"], "camera")
    spawned = sensors.camera
    assert (camera.x_m, camera.y_m, camera.height_m) == pytest.approx((spawned.x_m, spawned.y_m, spawned.height_m))
    assert {"odometry", "speedometer", "imu", "gnss", "rgb_front", "control"} <= sensors.ids


def test_the_radars_of_objects_json_see_no_farther_than_the_preset_says():
    ego = next(o for o in json.loads(OBJECTS.read_text())["objects"] if o["type"].startswith("vehicle."))
    radars = Config(config_path("adas.yaml"), config_path("presets/carla.yaml")).get("radar", RadarParams).radars
    for sensor in (s for s in ego["sensors"] if s["type"] == "sensor.other.radar"):
        told = radars.named(sensor["id"].removeprefix("radar_"))
        assert math.radians(sensor["horizontal_fov"]) / 2 == pytest.approx(told.half_fov_rad, abs=1e-3)
        assert sensor["range"] == told.range_max_m


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not a usable"), ('{"objects": []}', "no vehicle"),
     ('{"objects": [{"type": "vehicle.x", "sensors": []}]}', "rgb_front")],
)  # fmt: skip
def test_a_wrong_objects_json_is_named_with_what_it_lacks(tmp_path, text, said):
    path = tmp_path / "objects.json"
    path.write_text(text)
    with pytest.raises(ParameterError, match=said):
        load_sensors(path, REAR_AXLE_M)


# --- rangers from depth -----------------------------------------------------------------------------------


def plane_depth(camera: CameraModel, normal: tuple[float, float, float], distance: float) -> np.ndarray:
    """Return the depth picture of the half space whose surface is n.p = distance, in base_link."""
    u, v = np.meshgrid(np.arange(camera.width_px), np.arange(camera.height_px))
    rays = camera.rays(np.stack([u, v], axis=-1))
    origin = np.array([camera.x_m, camera.y_m, camera.height_m])
    along = rays @ np.array(normal)
    depth = (distance - origin @ np.array(normal)) / np.where(np.abs(along) < 1e-9, np.nan, along)
    return np.where(depth > 0.0, depth, 1000.0).astype(np.float32)


def scene(camera: CameraModel, *planes) -> np.ndarray:
    ground = plane_depth(camera, (0.0, 0.0, -1.0), 0.0)
    return np.nanmin([ground, *(plane_depth(camera, *plane) for plane in planes)], axis=0)


@pytest.fixture(scope="module")
def ring() -> DepthRing:
    return DepthRing(load_sensors(OBJECTS, REAR_AXLE_M).depth, RangerParams(), Vehicle(), Ring())


def test_every_ranger_has_a_camera():
    assert {side_of(name) for name in SENSORS} == set(SIDES)
    assert side_of("front_left_side") == "left" and side_of("rear_right_outer") == "rear"


def test_an_empty_road_answers_nothing(ring):
    for side in SIDES:
        echoes = ring.see(side, 7, scene(ring._cameras[side]))
        assert echoes and all(math.isinf(echo.range_m) for echo in echoes), side


@settings(deadline=None, max_examples=30)
@given(st.floats(0.4, 4.5))
def test_a_wall_is_heard_at_its_distance_on_every_side(gap):
    rings = DepthRing(load_sensors(OBJECTS, REAR_AXLE_M).depth, RangerParams(), Vehicle(), Ring())
    walls = {
        "front": ((1.0, 0.0, 0.0), 3.72 + gap, "front_left"),
        "rear": ((-1.0, 0.0, 0.0), 1.05 + gap, "rear_right"),
        "left": ((0.0, 1.0, 0.0), 0.90 + gap, "front_left_side"),
        "right": ((0.0, -1.0, 0.0), 0.90 + gap, "rear_right_side"),
    }
    for side, (normal, distance, ranger) in walls.items():
        echoes = {e.sensor: e.range_m for e in rings.see(side, 7, scene(rings._cameras[side], (normal, distance)))}
        if side in ("front", "rear") or gap > 1.0:
            assert echoes[ranger] == pytest.approx(gap, rel=0.05, abs=0.05), (side, echoes)


def test_left_is_not_right(ring):
    """A wall on the left is heard by the left rangers and by no right one."""
    wall = ((0.0, 1.0, 0.0), 2.4)
    left = ring.see("left", 7, scene(ring._cameras["left"], wall))
    right = ring.see("right", 7, scene(ring._cameras["right"], wall))
    assert all(math.isfinite(e.range_m) for e in left) and all(math.isinf(e.range_m) for e in right)


def test_a_picture_of_another_size_is_refused_with_both_sizes(ring):
    with pytest.raises(ValueError, match="10 x 5 pixels, objects.json says 240 x 48"):
        ring.see("front", 7, np.ones((5, 10), np.float32))
