"""A CARLA ROS bridge in synchronous mode, fed by our simulator: its topics, types, QoS and rates, and its car.

Facts of bridge 0.9.13 (carla_ros_bridge, carla_ackermann_control); what it leaves out stands in docs/carla.md.
"""

from __future__ import annotations

import array
import math
import random
from dataclasses import dataclass

import numpy as np
from ackermann_msgs.msg import AckermannDrive
from carla_car import CONTROL_S, AckermannControl, pushed
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu, Joy, PointCloud2, PointField
from std_msgs.msg import Float32

from adas_perception.carla.sensors import SIDES, load_sensors
from adas_perception.params import Mount
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RADARS, Radars
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.sim.camera import CameraRenderer
from adas_perception.sim.scenarios import Scenario
from adas_perception.sim.world import World
from adas_perception.types import RadarScan, nanoseconds

ROLE = "ego_vehicle"
EGO = f"/carla/{ROLE}"
TICK_S = 0.025  # fixed_delta_seconds
SENSORS_EVERY, DEPTH_EVERY = 2, 4  # sensor_tick 0.05 and 0.1
REAR_AXLE_M = -1.34
ROAD_RETURNS = 25
QOS_DEPTH = 10  # reliable, volatile

RADAR_POINT = np.dtype(
    {
        "names": ["x", "y", "z", "Range", "Velocity", "AzimuthAngle", "ElevationAngle"],
        "formats": ["<f4"] * 7,
        "offsets": [0, 4, 8, 12, 16, 20, 28],
        "itemsize": 32,
    }
)


@dataclass(frozen=True)
class Sample:
    """One tick, for the judgement."""

    time_s: float
    speed_mps: float
    gap_m: float
    to_left_m: float
    to_right_m: float
    accel_command_mps2: float
    steering_command_rad: float
    contact: bool


class FakeCarla:
    """The bridge and the car in it; ``tick`` advances the world and sends what every sensor saw."""

    def __init__(self, node, scenario: Scenario, start_ns: int) -> None:
        self._node = node
        self._sensors = load_sensors(config_path("carla/objects.json"), REAR_AXLE_M)
        self.control = AckermannControl()
        self.command: AckermannDrive | None = None
        self.commands = 0
        self._rng = random.Random(7)
        self._renderer = CameraRenderer(scenario.road, self._sensors.camera)
        self.restart(scenario, start_ns)
        pub = node.create_publisher
        self._clock = pub(Clock, "/clock", QOS_DEPTH)
        self._image = pub(Image, f"{EGO}/rgb_front/image", QOS_DEPTH)
        self._info = pub(CameraInfo, f"{EGO}/rgb_front/camera_info", QOS_DEPTH)
        self._radars = {name: pub(PointCloud2, f"{EGO}/radar_{name}", QOS_DEPTH) for name in RADARS}
        self._depth = {side: pub(Image, f"{EGO}/depth_{side}/image", QOS_DEPTH) for side in SIDES}
        self._odometry = pub(Odometry, f"{EGO}/odometry", QOS_DEPTH)
        self._speedometer = pub(Float32, f"{EGO}/speedometer", QOS_DEPTH)
        self._imu = pub(Imu, f"{EGO}/imu", QOS_DEPTH)
        self._driver = pub(Joy, "/adas/carla/driver", QOS_DEPTH)
        node.create_subscription(AckermannDrive, f"{EGO}/ackermann_cmd", self._take, QOS_DEPTH)

    def restart(self, scenario: Scenario, start_ns: int) -> None:
        """Put the ego back to the start; the clock goes on."""
        self.world = World(scenario, start_ns=start_ns, camera=self._sensors.camera)
        self._ticks = 0
        self._accel_mps2 = 0.0

    def _take(self, command: AckermannDrive) -> None:
        self.command, self.commands = command, self.commands + 1

    def tick(self, obey: bool = True) -> Sample:
        """Advance by one step under the last command, if it is to be obeyed, and publish."""
        command = self.command
        if command is None or not obey:
            self.world.step(TICK_S)
        else:
            if self._ticks % round(CONTROL_S / TICK_S) == 0:
                speed = self.world.car.speed_mps
                self._accel_mps2 = pushed(*self.control.step(command.speed, command.acceleration, speed))
            self.world.step(TICK_S, self._accel_mps2, command.steering_angle)
        self._ticks += 1
        self.publish()
        truth = self.world.truth()
        return Sample(
            truth.time_s,
            self.world.car.speed_mps,
            truth.gap_m,
            truth.to_left_m,
            truth.to_right_m,
            command.acceleration if command else math.nan,
            command.steering_angle if command else math.nan,
            truth.contact or self.world.contact is not None,
        )

    # --- what the bridge sends -----------------------------------------------------------------------------

    def publish(self) -> None:
        """Send the clock, then what every sensor sees now."""
        stamp = convert.to_stamp(self.world.stamp_ns)
        self._clock.publish(Clock(clock=stamp))
        self._publish_driver(stamp)
        self._publish_motion(stamp)
        if self._ticks % SENSORS_EVERY == 0:
            for name, publisher in self._radars.items():
                publisher.publish(self._cloud(name, stamp))
        if self._ticks % DEPTH_EVERY == 0 and self.world.car.speed_mps < 10.0:
            for side, publisher in self._depth.items():
                publisher.publish(self._depth_picture(side, stamp))
        if self._ticks % SENSORS_EVERY == 0:
            self._publish_picture(stamp)

    def _publish_driver(self, stamp) -> None:
        action = self.world.action
        message = convert.from_driver(action.controls, self.world.true_ego())
        message.header.stamp = stamp
        axes = list(message.axes)
        axes[3] = float(action.steering_rad)
        message.axes = axes
        self._driver.publish(message)

    def _publish_motion(self, stamp) -> None:
        ego = self.world.true_ego()
        odometry = Odometry()
        odometry.header.stamp, odometry.header.frame_id, odometry.child_frame_id = stamp, "map", ROLE
        x = ego.x_m - REAR_AXLE_M * math.cos(ego.yaw_rad)
        y = ego.y_m - REAR_AXLE_M * math.sin(ego.yaw_rad)
        odometry.pose.pose.position.x, odometry.pose.pose.position.y = x, y
        odometry.pose.pose.orientation.z = math.sin(ego.yaw_rad / 2.0)
        odometry.pose.pose.orientation.w = math.cos(ego.yaw_rad / 2.0)
        odometry.twist.twist.linear.x = float(ego.speed_mps)
        odometry.twist.twist.linear.y = float(-REAR_AXLE_M * ego.yaw_rate_radps)
        odometry.twist.twist.angular.z = float(ego.yaw_rate_radps)
        imu = Imu()
        imu.header.stamp, imu.header.frame_id = stamp, f"{ROLE}/imu"
        imu.angular_velocity.z = float(ego.yaw_rate_radps)
        self._imu.publish(imu)
        self._odometry.publish(odometry)
        self._speedometer.publish(Float32(data=float(ego.speed_mps)))

    def _publish_picture(self, stamp) -> None:
        rgb = self.world.picture(self._renderer).rgb
        model = self._sensors.camera
        info = CameraInfo(width=model.width_px, height=model.height_px, distortion_model="plumb_bob", d=[0.0] * 5)
        info.header.stamp, info.header.frame_id = stamp, f"{ROLE}/rgb_front"
        fx, cx, cy = model.fx_px, model.cx_px, model.cy_px
        info.k = [fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0]
        info.p = [fx, 0.0, cx, 0.0, 0.0, fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        self._info.publish(info)
        bgra = np.full((*rgb.shape[:2], 4), 255, np.uint8)
        bgra[..., :3] = rgb[..., ::-1]
        self._image.publish(image_of(bgra, "bgra8", 4, stamp, f"{ROLE}/rgb_front"))

    def _cloud(self, name: str, stamp) -> PointCloud2:
        scan = moved_to(self.world.radar(name), Radars().named(name).mount, self._sensors.radars[name])
        road = self._road_returns() if name == "front" else np.empty((0, 4))
        rows = np.vstack([np.column_stack([scan.xyz, scan.range_rate]), road])
        return radar_cloud(rows, stamp, f"{ROLE}/radar_{name}")

    def _road_returns(self) -> np.ndarray:
        """Return what CARLA's rays bring back from the road: x, y, z in the sensor and a standing thing's rate."""
        z, speed = self._sensors.radars["front"].z_m, self.world.car.speed_mps
        rows = []
        for _ in range(ROAD_RETURNS):
            down, side = self._rng.uniform(0.005, 0.05), self._rng.uniform(-0.34, 0.34)
            ahead = z / math.tan(down)
            rows.append((ahead * math.cos(side), ahead * math.sin(side), -z, -speed * math.cos(side)))
        return np.array(rows)

    def _depth_picture(self, side: str, stamp) -> Image:
        depth = depth_of(self._sensors.depth[side], self.world.surroundings().boxes)
        return image_of(depth, "32FC1", 4, stamp, f"{ROLE}/depth_{side}")


def image_of(pixels: np.ndarray, encoding: str, bytes_per_pixel: int, stamp, frame: str) -> Image:
    """Return a picture as cv_bridge makes it."""
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.header.stamp, message.header.frame_id = stamp, frame
    message.step = bytes_per_pixel * message.width
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).tobytes())
    message.data = data
    return message


def radar_cloud(rows: np.ndarray, stamp, frame: str) -> PointCloud2:
    """Return a radar cloud of the bridge from rows x, y, z, range rate; azimuth counts to the right, as in CARLA."""
    points = np.zeros(len(rows), RADAR_POINT)
    x, y, z, rate = rows.T if len(rows) else np.empty((4, 0))
    points["x"], points["y"], points["z"], points["Velocity"] = x, y, z, rate
    points["Range"] = np.sqrt(x * x + y * y + z * z)
    points["AzimuthAngle"] = -np.arctan2(y, x)
    points["ElevationAngle"] = np.arctan2(z, np.hypot(x, y))
    message = PointCloud2(height=1, width=len(points), is_dense=False, point_step=32, row_step=32 * len(points))
    message.header.stamp, message.header.frame_id = stamp, frame
    message.fields = [
        PointField(name=name, offset=RADAR_POINT.fields[name][1], datatype=PointField.FLOAT32, count=1)
        for name in RADAR_POINT.names
    ]
    data = array.array("B")
    data.frombytes(points.tobytes())
    message.data = data
    return message


def moved_to(scan: RadarScan, old: Mount, new: Mount) -> RadarScan:
    """Return a scan of the simulator's radar as the one mounted in CARLA would give it."""
    if not len(scan.range_rate):
        return scan
    x, y, z = np.asarray(scan.xyz).T
    c, s = math.cos(old.yaw_rad), math.sin(old.yaw_rad)
    bx, by, bz = c * x - s * y + old.x_m - new.x_m, s * x + c * y + old.y_m - new.y_m, z + old.z_m - new.z_m
    c, s = math.cos(new.yaw_rad), math.sin(new.yaw_rad)
    xyz = np.column_stack([c * bx + s * by, c * by - s * bx, bz])
    return RadarScan(scan.stamp_ns, scan.sensor, xyz, scan.range_rate)


def depth_of(camera: CameraModel, boxes) -> np.ndarray:
    """Return the depth picture (H, W) of bodies on a flat road, in metres along the camera's axis; 1000 is the sky."""
    u, v = np.meshgrid(np.arange(camera.width_px), np.arange(camera.height_px))
    rays = camera.rays(np.stack([u, v], axis=-1))
    depth = np.where(rays[..., 2] < -1e-9, -camera.height_m / np.minimum(rays[..., 2], -1e-9), 1000.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        for box in boxes:
            c, s = math.cos(box.yaw_rad), math.sin(box.yaw_rad)
            dx, dy = camera.x_m - box.x_m, camera.y_m - box.y_m
            start = np.array([c * dx + s * dy, c * dy - s * dx, camera.height_m - box.height_m / 2.0])
            rx, ry, rz = rays[..., 0], rays[..., 1], rays[..., 2]
            turned = np.stack([c * rx + s * ry, c * ry - s * rx, rz], axis=-1)
            half = np.array([box.length_m, box.width_m, box.height_m]) / 2.0
            a, b = (-half - start) / turned, (half - start) / turned
            enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            hit = (enter > 0.0) & (enter < leave)
            depth = np.where(hit, np.minimum(depth, enter), depth)
    return np.minimum(depth, 1000.0).astype(np.float32)


START_NS = nanoseconds(10.0)
