"""The adapter's doors to CARLA: what is sent by which, and what is said when one is missing."""

from __future__ import annotations

import importlib.util
import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from fake_carla import image_of, radar_cloud
from sensor_msgs.msg import Image, Imu, NavSatFix
from std_msgs.msg import Float32
from test_nodes import refuse

from adas_perception.carla.control import PedalParams, Wanted
from adas_perception.params import ParameterError
from adas_perception.ros import convert
from adas_perception.ros.carla_commands import AckermannCommands, VehicleCommands, open_commands
from adas_perception.types import EgoState, Gear

pytestmark = pytest.mark.ros

EGO = EgoState(1_500_000_000, speed_mps=20.0)
STAMP = convert.to_stamp(1_500_000_000)


class FakeNode:
    """A node that keeps what it is asked for."""

    def __init__(self) -> None:
        self.sent: dict[str, list] = {}
        self.heard: dict[str, tuple] = {}

    def create_publisher(self, kind, topic, qos):
        self.sent[topic] = []
        return SimpleNamespace(publish=self.sent[topic].append)

    def create_subscription(self, kind, topic, callback, qos):
        self.heard[topic] = (callback, qos)


class CarlaEgoVehicleControl:
    """A message with the fields of carla_msgs 1.3.0, and no others."""

    __slots__ = ("brake", "gear", "hand_brake", "header", "manual_gear_shift", "reverse", "steer", "throttle")

    def __init__(self) -> None:
        self.header = SimpleNamespace(stamp=None)
        self.throttle = self.steer = self.brake = 0.0
        self.hand_brake = self.reverse = self.manual_gear_shift = False
        self.gear = 0


@pytest.fixture
def carla_msgs(monkeypatch):
    package, messages = ModuleType("carla_msgs"), ModuleType("carla_msgs.msg")
    messages.CarlaEgoVehicleControl = CarlaEgoVehicleControl
    messages.CarlaEgoVehicleInfo = messages.CarlaEgoVehicleStatus = SimpleNamespace
    package.msg = messages
    monkeypatch.setitem(sys.modules, "carla_msgs", package)
    monkeypatch.setitem(sys.modules, "carla_msgs.msg", messages)


def test_vehicle_control_turns_left_with_a_negative_steer(carla_msgs):
    node = FakeNode()
    VehicleCommands(node, "hero", PedalParams()).send(Wanted(-3.0, 0.1, Gear.DRIVE, False), EGO, 0.05)
    (message,) = node.sent["/carla/hero/vehicle_control_cmd"]
    assert message.steer == pytest.approx(-0.1 / PedalParams().steering_max_rad)
    assert message.brake > 0.2 and message.throttle == 0.0 and not message.reverse
    assert message.header.stamp == STAMP


def test_the_vehicles_own_figures_are_taken_over(carla_msgs):
    node = FakeNode()
    commands = VehicleCommands(node, "hero", PedalParams())
    told, qos = node.heard["/carla/hero/vehicle_info"]
    assert qos.durability.name == "TRANSIENT_LOCAL", "the bridge sends it once"
    told(SimpleNamespace(wheels=[SimpleNamespace(max_steer_angle=angle) for angle in (0.8, 0.8, 0.0, 0.0)]))
    status, _ = node.heard["/carla/hero/vehicle_status"]
    status(SimpleNamespace(control=SimpleNamespace(steer=0.5)))
    assert commands.steering_rad == pytest.approx(-0.4)
    commands.send(Wanted(0.0, 0.4, Gear.DRIVE, False), EGO, 0.05)
    assert node.sent["/carla/hero/vehicle_control_cmd"][0].steer == pytest.approx(-0.5)


def test_ackermann_needs_no_package_of_carla():
    node = FakeNode()
    AckermannCommands(node, "hero").send(Wanted(-6.0, 0.1, Gear.DRIVE, False), EGO, 0.05)
    (message,) = node.sent["/carla/hero/ackermann_cmd"]
    assert (message.acceleration, message.steering_angle) == (-6.0, 0.1)
    assert message.speed > 0.0


def test_the_native_interface_has_no_ackermann_door():
    with pytest.raises(ParameterError, match="control:=vehicle only"):
        open_commands(FakeNode(), "native", "ackermann", "hero", PedalParams())


@pytest.mark.skipif(importlib.util.find_spec("carla_msgs") is not None, reason="carla_msgs is installed")
def test_a_missing_package_is_named_with_the_remedy():
    said = refuse("carla_adapter", "-p", "control:=vehicle")
    assert "carla_msgs" in said and "control:=ackermann" in said


def test_an_objects_file_that_is_not_there_is_named():
    assert "/nowhere.json" in refuse("carla_adapter", "-p", "objects_file:=/nowhere.json")


# --- messages ---------------------------------------------------------------------------------------------


def test_depth_of_both_interfaces_is_the_same():
    depth = np.array([[0.5, 3.0, 1000.0], [2.0, 7.25, 40.0]], np.float32)
    steps = np.round(depth / 1000.0 * (256**3 - 1)).astype(np.uint32)
    bgra = np.dstack([steps >> 16, steps >> 8 & 255, steps & 255, np.full(depth.shape, 255)]).astype(np.uint8)
    for message in (image_of(depth, "32FC1", 4, STAMP, "x"), image_of(bgra, "bgra8", 4, STAMP, "x")):
        stamp_ns, read = convert.to_depth(message)
        assert stamp_ns == EGO.stamp_ns
        assert read == pytest.approx(depth, abs=1e-3)


def test_a_picture_without_depth_is_refused():
    with pytest.raises(convert.ConvertError, match="rgb8"):
        convert.to_depth(Image(width=1, height=1, encoding="rgb8"))


def test_numbers_that_are_none_are_refused():
    with pytest.raises(convert.ConvertError):
        convert.to_speed(Float32(data=math.nan))
    with pytest.raises(convert.ConvertError):
        convert.to_position(NavSatFix(latitude=math.nan))
    imu = Imu()
    imu.angular_velocity.z = math.inf
    with pytest.raises(convert.ConvertError):
        convert.to_gyroscope_z(imu)


def test_a_closing_target_in_carlas_cloud_has_a_negative_range_rate_here():
    rows = np.array([[50.0, 3.0, 0.1, -8.0], [20.0, -2.0, 0.1, 4.0]])
    cloud = radar_cloud(rows, STAMP, "ego_vehicle/radar_front")
    assert cloud.point_step == 32
    scan = convert.to_radar(cloud, "front", -1.0)
    assert scan.range_rate.tolist() == [-8.0, 4.0]
    assert scan.xyz[0].tolist() == pytest.approx([50.0, 3.0, 0.1], abs=1e-5)


def test_the_names_of_the_native_radar_are_known_too():
    cloud = radar_cloud(np.array([[30.0, -1.0, 0.0, -5.0]]), STAMP, "radar_front")
    native = {"Velocity": "velocity", "Range": "depth", "AzimuthAngle": "azimuth", "ElevationAngle": "altitude"}
    for field in cloud.fields:
        field.name = native.get(field.name, field.name)
    assert convert.to_radar(cloud, "front", -1.0).range_rate.tolist() == [-5.0]
