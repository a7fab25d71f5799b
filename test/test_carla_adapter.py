"""The adapter's doors to CARLA: what is sent by which, and what is said when one is missing."""

from __future__ import annotations

import importlib.util
import math
import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from ackermann_msgs.msg import AckermannDrive
from fake_carla import image_of, radar_cloud
from nav_msgs.msg import Odometry
from ros_rig import Rig
from sensor_msgs.msg import Image, Imu, NavSatFix
from std_msgs.msg import Float32
from test_nodes import refuse

from adas_perception.can.bus import Port, loopback_server, open_bus
from adas_perception.can.codec import Codec
from adas_perception.can.hmi import Hmi
from adas_perception.can.messages import SPEED
from adas_perception.can.vehicle import Transmitter
from adas_perception.carla.control import URGE, PedalParams, Wanted
from adas_perception.carla.motion import EARTH_RADIUS_M
from adas_perception.limits import Limits
from adas_perception.params import ParameterError
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.carla_commands import AckermannCommands, VehicleCommands, open_commands
from adas_perception.types import Command, EgoState, Function, Gear

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
    still_missing = -6.0 - EGO.accel_mps2
    assert (message.acceleration, message.steering_angle) == (-6.0 + URGE * still_missing, 0.1)
    assert message.speed > 0.0


def test_the_native_interface_has_no_ackermann_door():
    with pytest.raises(ParameterError, match="control:=vehicle only"):
        open_commands(FakeNode(), "native", "ackermann", "hero", PedalParams())


@pytest.mark.skipif(importlib.util.find_spec("carla_msgs") is not None, reason="carla_msgs is installed")
def test_a_missing_package_is_named_with_the_remedy():
    said = refuse("carla_adapter", "-p", "control:=vehicle")
    assert "carla_msgs" in said and "control:=ackermann" in said


def test_a_parameter_that_is_none_is_refused_with_its_name():
    assert "interface" in refuse("carla_adapter", "-p", "interface:=unreal")


def test_an_objects_file_that_is_not_there_is_named():
    assert "/nowhere.json" in refuse("carla_adapter", "-p", "objects_file:=/nowhere.json")


# --- the node, on a bus -----------------------------------------------------------------------------------


@pytest.mark.parametrize("motion", ["odometry", "speedometer", "gnss"])
def test_the_speed_of_every_source_reaches_the_bus_and_a_request_comes_back(tmp_path, motion):
    codec, speeds, commands = Codec(config_path("adas.dbc")), [], []
    transmitter = Transmitter(codec, Limits())
    with loopback_server() as channel:
        r = Rig(tmp_path / "log.txt", can_interface="remote", can_channel=channel, motion=motion)
        port = Port(open_bus("remote", channel))
        odometry = r.publisher("/carla/ego_vehicle/odometry", Odometry)
        imu = r.publisher("/carla/ego_vehicle/imu", Imu)
        speedometer = r.publisher("/carla/ego_vehicle/speedometer", Float32)
        gnss = r.publisher("/carla/ego_vehicle/gnss", NavSatFix)
        r.listen("/carla/ego_vehicle/ackermann_cmd", AckermannDrive, commands.append)

        def drive() -> None:
            """The car goes north at 12 m/s, and the stack asks for braking and a wheel to the left."""
            now_ns = time.time_ns()
            moving, fix, turning = Odometry(), NavSatFix(), Imu()
            moving.header.stamp = fix.header.stamp = turning.header.stamp = convert.to_stamp(now_ns)
            moving.twist.twist.linear.x = 12.0
            fix.latitude = 45.0 + math.degrees(12.0 * (now_ns / 1e9 % 1000.0) / EARTH_RADIUS_M)
            imu.publish(turning)
            odometry.publish(moving)
            speedometer.publish(Float32(data=12.0))
            gnss.publish(fix)
            asked = Command(now_ns, -1.5, 0.02, Function.ACC, Function.LKA)
            for frame in transmitter.frames(now_ns, asked, now_ns, Hmi(), new=True):
                port.send(frame)
            while (frame := port.receive(0.0)) is not None:
                decoded = codec.decode(frame)
                if decoded is not None and decoded.name == SPEED:
                    speeds.append(decoded.signals["Speed"])

        def obeyed() -> bool:
            return bool(commands) and commands[-1].acceleration == pytest.approx(-1.5, abs=0.01)

        try:
            r.stack.start("carla_adapter")
            r.wait_for("carla_adapter")
            assert r.spin_until(lambda: len(speeds) > 5 and obeyed(), each=drive), (r.text(), speeds, commands[-3:])
            assert speeds[-1] == pytest.approx(12.0, abs=0.3)
            assert commands[-1].steering_angle == pytest.approx(0.02, abs=0.001)
        finally:
            port.close()
            r.close()


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
