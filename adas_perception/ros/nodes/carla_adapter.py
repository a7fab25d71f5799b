"""CARLA's ego as the car on the CAN bus: its motion goes out as frames, gated requests come in and are obeyed.

The stack is the one of a real car, with its gate and its CAN bridge; pictures and radar clouds reach it directly from
CARLA by remapping. Only what a car has around its bus is done here, and the rangers that CARLA lacks.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nav_msgs.msg import Odometry
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image, Imu, Joy, NavSatFix, Range
from std_msgs.msg import Float32

from adas_perception.can.bus import BusError
from adas_perception.can.car import CarEncoder, CarReceiver
from adas_perception.can.codec import Codec
from adas_perception.can.messages import LONGITUDINAL
from adas_perception.carla import signs
from adas_perception.carla.control import PedalParams, Request, wanted
from adas_perception.carla.motion import GroundSpeed, Motion
from adas_perception.carla.ring import DepthRing, RangerParams
from adas_perception.carla.sensors import load_sensors
from adas_perception.params import Ring, Vehicle, param
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.bus_port import BusParams, open_port
from adas_perception.ros.carla_commands import open_commands
from adas_perception.ros.node import AdasNode
from adas_perception.safety.freshness import fresh
from adas_perception.types import DriverInput, EgoState, FloatArray, Gear, seconds

RECEIVE_TIMEOUT_S = 0.1
# How long the car waits for the bus to answer its measurements before it obeys what it has: a CARLA that waits for
# commands runs no faster than the stack can follow. After some vain waits the stack is dead, and nobody waits for it.
PATIENCE_S = 0.5
VAIN_WAITS = 4
DRIVER_S = 0.5


@dataclass(frozen=True)
class CarlaParams(BusParams):
    """Which CARLA, which car, and how it is driven."""

    interface: str = param("bridge", "CARLA ROS bridge, or native ROS 2 of CARLA", choices=("bridge", "native"))
    role_name: str = param("ego_vehicle", "role name (bridge) or ros_name (native) of the ego")
    control: str = param("ackermann", "command topic", choices=("ackermann", "vehicle"))
    motion: str = param("odometry", "source of the speed", choices=("odometry", "speedometer", "gnss"))
    imu_left_handed: bool = param(False, "the gyroscope has Unreal's sign: native, CARLA 0.9.15 and 0.9.16")
    objects_file: str = param("", "sensors of the ego; empty: the shipped config/carla/objects.json")
    rear_axle_x_m: float = param(-1.34, "rear axle from the actor's origin", unit="m", low=-5.0, high=5.0)
    real_time_factor: float = param(1.0, "fastest answers, simulated against wall time", low=0.05, high=20.0)
    vehicle: Vehicle = Vehicle()
    ring: Ring = Ring()
    pedals: PedalParams = PedalParams()
    rangers: RangerParams = RangerParams()


class CarlaAdapterNode(AdasNode):
    """Every measured motion is sent to the bus; the command follows as soon as the bus has answered it."""

    _threads: tuple[threading.Thread, ...] = ()

    def __init__(self) -> None:
        super().__init__("carla_adapter", CarlaParams)
        self._end = threading.Event()
        p = self.params
        self._commands = open_commands(self, p.interface, p.control, p.role_name, p.pedals)
        sensors = load_sensors(
            Path(p.objects_file) if p.objects_file else config_path("carla/objects.json"), p.rear_axle_x_m
        )
        self._rangers = DepthRing(sensors.depth, p.rangers, p.vehicle, p.ring)
        self._ranges: dict[str, Publisher] = {}
        self._motion, self._ground_speed = Motion(p.vehicle), GroundSpeed()
        self._gear, self._held_rad, self._yaw_rate_radps = Gear.DRIVE, 0.0, 0.0
        self._ego: EgoState | None = None
        self._measured, self._taken, self._answered = threading.Event(), threading.Event(), threading.Event()
        self._port = open_port(p)
        codec = Codec(config_path("adas.dbc"))
        self._encoder, self._receiver = CarEncoder(codec), CarReceiver(codec)
        self._driver = self.listen("carla/driver", Joy, self._to_driver)
        self._listen_to_carla(f"/carla/{p.role_name}")
        self.listen("vehicle/odometry", Odometry, lambda m: m, lambda _: self._taken.set())
        self._threads = tuple(threading.Thread(target=f, daemon=True) for f in (self._receive, self._drive))
        for thread in self._threads:
            thread.start()

    def _listen_to_carla(self, ego: str) -> None:
        source = self.params.motion
        if source == "odometry":
            self.listen(f"{ego}/odometry", Odometry, lambda m: convert.to_ego(m, None), self._on_odometry)
        else:
            self.listen(f"{ego}/imu", Imu, convert.to_gyroscope_z, self._on_gyroscope)
        if source == "speedometer":
            self.listen(f"{ego}/speedometer", Float32, convert.to_speed, self._on_speed)
        if source == "gnss":
            self.listen(f"{ego}/gnss", NavSatFix, convert.to_position, self._on_position)
        for side in ("front", "rear", "left", "right"):
            self.listen(f"{ego}/depth_{side}/image", Image, convert.to_depth, partial(self._on_depth, side), depth=1)

    # --- from CARLA to the stack ---

    def _on_odometry(self, ego: EgoState) -> None:
        self._moved(ego.stamp_ns, ego.speed_mps, ego.yaw_rate_radps)

    def _on_gyroscope(self, z_radps: float) -> None:
        self._yaw_rate_radps = signs.yaw_rate(z_radps, self.params.imu_left_handed)

    def _on_speed(self, speed_mps: float) -> None:
        # A Float32 has no stamp; the clock of the simulator stands still between its ticks.
        self._moved(self.now_ns(), speed_mps, self._yaw_rate_radps)

    def _on_position(self, fix: tuple[int, float, float]) -> None:
        stamp_ns, latitude_deg, longitude_deg = fix
        speed = self._ground_speed.step(stamp_ns, latitude_deg, longitude_deg, self._gear)
        if speed is not None:
            self._moved(stamp_ns, speed, self._yaw_rate_radps)

    def _moved(self, stamp_ns: int, speed_mps: float, yaw_rate_radps: float) -> None:
        told = self._commands.steering_rad
        held = self._held_rad if told is None else told
        ego = self._motion.moved(stamp_ns, speed_mps, yaw_rate_radps, self._gear, held, told is not None)
        if ego is None:
            return
        self._ego = ego
        self._taken.clear()
        for frame in self._encoder.frames(ego, self._driver_input()[0], (ego.speed_mps,) * 4):
            self._port.send(frame)
        self._measured.set()

    def _to_driver(self, message: Joy) -> tuple[DriverInput, float]:
        # Stamped on arrival: who types a message in a terminal gives it none.
        driver = replace(convert.to_driver(message), stamp_ns=self.now_ns())
        return driver, convert.to_ego(Odometry(), message).steering_rad

    def _driver_input(self) -> tuple[DriverInput, float]:
        """Return what the driver does and the angle at which he holds the wheels; unheard, he only holds them."""
        now_ns, heard = self.now_ns(), self._driver.value
        if heard is None or not fresh(heard[0], now_ns, DRIVER_S):
            return DriverInput(now_ns), 0.0
        return heard

    def _on_depth(self, side: str, picture: tuple[int, FloatArray]) -> None:
        if self._ego is None or abs(self._ego.speed_mps) > self.params.rangers.below_mps:
            return
        for echo in self._rangers.see(side, *picture):
            if echo.sensor not in self._ranges:
                self._ranges[echo.sensor] = self.create_publisher(Range, f"ultrasonic/{echo.sensor}", 5)
            limits = self.params.rangers
            self._ranges[echo.sensor].publish(convert.from_echo(echo, limits.range_min_m, limits.range_max_m))

    # --- from the bus to CARLA, in threads of their own ---

    def _receive(self) -> None:
        while not self._end.is_set():
            try:
                frame = self._port.receive(RECEIVE_TIMEOUT_S)
            except BusError as error:
                self.get_logger().error(str(error))
                return
            decoded = self._receiver.feed(frame, self.now_ns()) if frame else None
            if decoded is not None and decoded.name == LONGITUDINAL:
                self._answered.set()

    def _drive(self) -> None:
        """Answer each motion with a command, no faster than ``real_time_factor`` allows: a waiting CARLA keeps pace."""
        sent_ns, sent_s, vain = 0, time.perf_counter(), 0
        while not self._end.is_set():
            if not self._measured.wait(RECEIVE_TIMEOUT_S):
                continue
            self._measured.clear()
            vain = 0 if self._kept_up(PATIENCE_S if vain < VAIN_WAITS else 0.0) else vain + 1
            ego = self._ego
            if ego is None:
                continue
            dt = min(max(seconds(ego.stamp_ns - sent_ns), 0.001), 0.2)
            due_s = sent_s + dt / self.params.real_time_factor
            if self._end.wait(max(due_s - time.perf_counter(), 0.0)) or not self.context.ok():
                return
            self._answered.clear()
            self._obey(ego, dt)
            sent_ns, sent_s = ego.stamp_ns, time.perf_counter()

    def _kept_up(self, patience_s: float) -> bool:
        """Return whether the stack has taken in the measurements, and has sent a command since the last one."""
        return self._taken.wait(patience_s) and self._answered.wait(patience_s)

    def _obey(self, ego: EgoState, dt_s: float) -> None:
        now_ns = self.now_ns()
        request = Request(*self._receiver.request(now_ns), *self._receiver.parking(now_ns))
        want = wanted(request, *self._driver_input(), ego, self.params.pedals)
        self._gear, self._held_rad = want.gear, want.steering_rad
        self._commands.send(want, ego, dt_s)

    def destroy_node(self) -> None:
        """Stop driving, close the bus."""
        if self._threads:
            self._end.set()
            self._taken.set()
            self._answered.set()
            for thread in self._threads:
                thread.join(2 * RECEIVE_TIMEOUT_S)
            self._port.close()
        super().destroy_node()
