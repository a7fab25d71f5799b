"""The simulated car: its sensors as ROS topics, /clock, and the car itself on the CAN bus, obeying CAN frames only."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nav_msgs.msg
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.publisher import Publisher
from rclpy.task import Future
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, Range
from vision_msgs.msg import Detection2DArray

from adas_perception.can.car import CarEncoder, CarReceiver
from adas_perception.can.codec import Codec
from adas_perception.can.messages import LATERAL, sample_time_ms
from adas_perception.params import ParameterError, param
from adas_perception.perception.radar import RADARS
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.bus_port import open_link
from adas_perception.ros.mishap import BUS, Mishap, MishapParams
from adas_perception.ros.node import AdasNode, Input
from adas_perception.ros.table import NODES, STATES
from adas_perception.safety.freshness import fresh
from adas_perception.sim.camera import DEFAULT_CAMERA, CameraRenderer
from adas_perception.sim.draw import draw_camera, draw_top_view
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.parking_view import Watch
from adas_perception.sim.recorder import Recorder, Row, save_record
from adas_perception.sim.scenarios import scenario
from adas_perception.sim.world import World
from adas_perception.types import Command, Function, FunctionState, Level, nanoseconds
from adas_perception.types import Image as Picture

TICK_S = 0.025
# Every how many ticks a sensor fires, and on which of them: the radar never on the tick of the camera.
CAMERA, RADAR_FRONT, RADAR_CORNERS, VIDEO = (2, 0), (2, 1), (4, 2), (4, 0)
# Real rangers are off at speed.
ULTRASONIC_BELOW_MPS = 10.0
READY_TIMEOUT_S = 60.0
# Before the drive the car rolls on the empty road, and is put back before the road ends. Not more often: what jumps
# with the car looks as if it moved.
ROLLING_S = 20.0
# The clock stands still while what a part of the stack says is older than this, 50 ms or more beyond its period: a slow
# computer drives the same scenario in more wall time. After some vain waits the clock no longer waits for that part:
# it is dead.
PATIENCE_S = 0.5
VAIN_WAITS = 4
BEHIND_S, BEHIND_AT_10_HZ_S = 0.1, 0.15
RECEIVE_TIMEOUT_S = 0.1
TOP_VIEW_PX = 200


@dataclass(frozen=True)
class SimParams(MishapParams):
    """What is driven and where the record goes."""

    scenario: str = param("demo", "name of the drive")
    out: str = param("out/demo", "folder of the record")
    seed: int = param(0, "seed of the sensors' noise", low=0, high=1_000_000)
    clock_start_s: float = param(10.0, "time at which its clock begins", unit="s", low=1.0, high=1e7)
    real_time_factor: float = param(1.0, "fastest simulated against wall time", low=0.05, high=20.0)


class SimVehicleNode(AdasNode):
    """Drives the scenario in a thread of its own while the executor listens to what the stack says."""

    def __init__(self) -> None:
        super().__init__("sim_vehicle", SimParams)
        self._threads: tuple[threading.Thread, ...] = ()
        try:
            self._scenario = scenario(self.params.scenario)
        except ValueError as error:
            raise ParameterError(str(error)) from None
        self._link = open_link(self.params, None)
        codec = Codec(config_path("adas.dbc"))
        self._encoder, self._receiver = CarEncoder(codec), CarReceiver(codec)
        self._stamp_ns = nanoseconds(self.params.clock_start_s)
        self._handed_over: dict[int, float] = {}
        self._latencies: list[float] = []
        self._lateral_frames = 0
        self._vain_waits: Counter[str] = Counter()
        self._alive: set[str] = set()
        self._mode = self._reason = ""
        self._network_ms = math.nan
        self._states: dict[Function, FunctionState] = {}
        self._mishap = Mishap(self.params)
        self._parking = Watch()
        self._heard = threading.Event()
        self._running = True
        self.finished = self._end = Future()
        self._create_topics()
        self._threads = tuple(threading.Thread(target=f, daemon=True) for f in (self._receive, self._run))
        for thread in self._threads:
            thread.start()

    def _create_topics(self) -> None:
        self._clock = self.create_publisher(Clock, "/clock", 10)
        self._image = self.create_publisher(Image, "camera/image", 2)
        self._info = self.create_publisher(CameraInfo, "camera/camera_info", 2)
        self._radar = {n: self.create_publisher(PointCloud2, f"radar/{n}", 5)
                       for n in RADARS}  # fmt: skip
        self._ranges: dict[str, Publisher] = {}
        self.lanes = self.listen("lanes", PointCloud2, convert.to_lanes, self._on_awaited)
        self.objects = self.listen("objects", PointCloud2, convert.to_objects, self._on_awaited)
        odometry = self.listen("vehicle/odometry", Odometry, lambda m: convert.to_ego(m, None), self._on_awaited)
        boxes = self.listen("detections", Detection2DArray, convert.to_detections, self._on_awaited)
        echoes = self.listen("parking/echoes", PointCloud2, lambda m: convert.to_echoes(m, SENSORS), self._on_awaited)
        self.listen("parking/slots", PoseArray, lambda m: tuple(map(convert.to_place, m.poses)), self._parking.offer)
        self.listen("parking/path", nav_msgs.msg.Path, lambda m: tuple(convert.to_place(p.pose) for p in m.poses),
                    self._parking.plan)  # fmt: skip
        self._echoes, self._odometry = echoes, odometry
        self._awaited: dict[Input[Any], float] = dict.fromkeys((self.lanes, self.objects, odometry), BEHIND_S)
        self._awaited[boxes] = BEHIND_AT_10_HZ_S
        self._awaited_ranging = {**self._awaited, echoes: BEHIND_AT_10_HZ_S}
        self._ranging = False
        for topic in STATES:
            self.listen(topic, DiagnosticArray, convert.to_state, self._on_state)
        self.listen("safety/state", DiagnosticArray, lambda m: m.status[0], self._on_safety)
        self.listen("heartbeat", DiagnosticStatus, lambda m: m, self._on_heartbeat, depth=50)

    # --- what the stack says ---

    def _on_awaited(self, _: object) -> None:
        self._heard.set()

    def _on_state(self, state: FunctionState) -> None:
        self._states[state.function] = state

    def _on_safety(self, status: DiagnosticStatus) -> None:
        self._mode, self._reason = status.message, status.hardware_id

    def _on_heartbeat(self, status: DiagnosticStatus) -> None:
        self._alive.add(status.name)
        self._mishap.heard(status.name, self._stamp_ns)
        for value in status.values:
            if value.key == "network_ms":
                self._network_ms = float(value.value)

    def _receive(self) -> None:
        while self._running:
            frame = self._link.receive(RECEIVE_TIMEOUT_S)
            arrived = time.perf_counter()
            decoded = self._receiver.feed(frame, self._stamp_ns) if frame else None
            if decoded is not None and decoded.name == LATERAL:
                self._lateral_frames += 1
                self._heard.set()
                self._mishap.heard(BUS, self._stamp_ns)
                handed_over = self._handed_over.pop(int(decoded.signals["SampleTime"]), None)
                if handed_over is not None:
                    self._latencies.append(1e3 * (arrived - handed_over))

    # --- the drive ---

    def _run(self) -> None:
        try:
            ready = self._wait_for_stack()
            self.exit_status = self._drive() if ready else 1
        finally:
            self._end.set_result(None)

    def _wait_for_stack(self) -> bool:
        """Let the clock run until all nodes are heard, then the car roll until all functions are there."""
        wanted = {node.name for node in NODES}
        console = Console(stderr=True)
        deadline = time.monotonic() + READY_TIMEOUT_S
        renderer = CameraRenderer(self._scenario.road)
        with console.status("waiting for the nodes of the stack"):
            # Frames outrun the clock where nodes have not found it yet, and a stack that lives on from another drive
            # would stamp them with the time of that drive.
            while self._running and not wanted <= self._alive and time.monotonic() < deadline:
                self._tell_time()
                time.sleep(TICK_S)
                self._stamp_ns += nanoseconds(TICK_S)
            tick, world = 0, self._rolling_world()
            while self._running and time.monotonic() < deadline:
                self._publish(world, renderer, tick)
                if self._mode == "NORMAL":
                    return True
                time.sleep(TICK_S)
                world.step(TICK_S)
                self._stamp_ns = world.stamp_ns
                if world.time_s >= ROLLING_S:
                    world = self._rolling_world()
                tick += 1
        if not self._running:
            return False
        missing = ", ".join(sorted(wanted - self._alive))
        reason = f"not heard: {missing}" if missing else f"the stack is {self._mode}: {self._reason}"
        console.print(f"adas: the stack did not get ready within {READY_TIMEOUT_S:.0f} s; {reason}")
        return False

    def _rolling_world(self) -> World:
        """Return the road of the drive without traffic, the driver keeping the speed at which the drive begins."""
        driver = DriverScript((Phase(0.0, speed_mps=self._scenario.start_speed_mps),))
        empty = replace(self._scenario, actors=(), driver=driver)
        return World(empty, self.params.seed + 1, start_ns=self._stamp_ns)

    def _drive(self) -> int:
        world = World(self._scenario, self.params.seed, start_ns=self._stamp_ns)
        renderer = CameraRenderer(world.road)
        recorder = Recorder(world, can=f"{self.params.can_interface} {self.params.can_channel}")
        out = Path(self.params.out)
        began = time.perf_counter()
        tick = 0
        self._latencies.clear()
        bar = Progress(TextColumn("driving"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f} s"))
        with bar:
            task = bar.add_task("drive", total=self._scenario.duration_s)
            while self._running and not world.done:
                accel, steering = self._receiver.request(self._stamp_ns)
                gear, hold = self._receiver.parking(self._stamp_ns)
                world.step(TICK_S, accel, steering, gear_request=gear, hold=hold)
                self._stamp_ns = world.stamp_ns
                tick += 1
                self._mishap.step(world.time_s, self._stamp_ns, recorder)
                picture = self._publish(world, renderer, tick)
                self._record(recorder, world, Command(0, accel, steering), picture, tick)
                bar.update(task, completed=world.time_s)
                self._pace(began, tick)
        wall_s = time.perf_counter() - began
        save_record(recorder.finish(wall_s), out)
        self._parking.save(out)
        return 0

    def _pace(self, began: float, tick: int) -> None:
        """Wait for the wall clock, and for the stack to answer this tick."""
        frames = self._lateral_frames
        due = began + tick * TICK_S / self.params.real_time_factor
        time.sleep(max(due - time.perf_counter(), 0.0))
        patience = time.perf_counter() + PATIENCE_S
        while self._running and (left_s := patience - time.perf_counter()) > 0.0:
            self._heard.clear()
            if not any(self._vain_waits[part] < VAIN_WAITS for part in self._behind(frames)):
                break
            self._heard.wait(left_s)
        behind = self._behind(frames)
        self._vain_waits = Counter({part: self._vain_waits[part] + 1 for part in behind})

    def _behind(self, frames: int) -> list[str]:
        """Return the parts of the stack that have not caught up with the clock; a detector need not be there."""
        awaited = self._awaited_ranging if self._ranging else self._awaited
        heard = ((i, oldest_s) for i, oldest_s in awaited.items() if i.value is not None)
        late = [i.topic for i, oldest_s in heard if not fresh(i.value, self._stamp_ns, oldest_s)]
        return late + (["bus"] if self._lateral_frames <= frames else [])

    def _tell_time(self) -> None:
        self._clock.publish(Clock(clock=convert.to_stamp(self._stamp_ns)))

    def _publish(self, world: World, renderer: CameraRenderer, tick: int) -> Picture | None:
        """Send what the car and its sensors measure at this tick."""
        self._tell_time()
        ego, driver = world.ego(), world.driver_input()
        for frame in self._encoder.frames(ego, driver, (ego.speed_mps,) * 4):
            self._link.send(frame, time.monotonic_ns())
        if _fires(RADAR_FRONT, tick):
            self._radar["front"].publish(convert.from_radar(world.radar("front")))
        if _fires(RADAR_CORNERS, tick):
            for name in RADARS[1:]:
                self._radar[name].publish(convert.from_radar(world.radar(name)))
        self._ranging = ego.speed_mps < ULTRASONIC_BELOW_MPS
        if self._ranging:
            self._publish_ranges(world)
        return self._publish_picture(world, renderer) if _fires(CAMERA, tick) else None

    def _publish_ranges(self, world: World) -> None:
        for echo in world.ultrasonics():
            if echo.sensor not in self._ranges:
                self._ranges[echo.sensor] = self.create_publisher(Range, f"ultrasonic/{echo.sensor}", 5)
            self._ranges[echo.sensor].publish(convert.from_echo(echo, 0.15, 5.5))

    def _publish_picture(self, world: World, renderer: CameraRenderer) -> Picture:
        picture = world.picture(renderer)
        model = renderer.model
        info = CameraInfo(width=model.width_px, height=model.height_px)
        info.header.stamp = convert.to_stamp(world.stamp_ns)
        info.k = [model.fx_px, 0.0, model.cx_px, 0.0, model.fy_px, model.cy_px, 0.0, 0.0, 1.0]
        self._info.publish(info)
        message = convert.from_image(picture)
        # The latency counts from here: what came before is the renderer's work, not the stack's.
        self._handed_over[sample_time_ms(world.stamp_ns)] = time.perf_counter()
        self._image.publish(message)
        return picture

    def _record(self, recorder: Recorder, world: World, command: Command, picture: Picture | None, tick: int) -> None:
        now_s = world.time_s
        acc = self._states.get(Function.ACC)
        set_speed = acc.values.get("set_speed_mps", math.nan) if acc else math.nan
        recorder.tick(Row.from_world(world, command, set_speed))
        recorder.state(now_s, "safety", self._mode, self._reason)
        for state in list(self._states.values()):
            recorder.function_state(now_s, state)
        while self._latencies:
            recorder.latency(now_s, self._latencies.pop())
        if _fires(CAMERA, tick) and math.isfinite(self._network_ms):
            recorder.network(now_s, self._network_ms)
        self._parking.step(world, self._states.get(Function.APA), self._echoes.value, self._odometry.value)
        alerts = [f"{s.function.name} {s.state}" for s in self._states.values() if s.level >= Level.WARN]
        for alert in alerts:
            recorder.note(now_s, alert)
        if picture is not None and _fires(VIDEO, tick):
            recorder.frame(now_s, *self._views(picture, alerts))

    def _views(self, picture: Picture, alerts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        bsd = self._states.get(Function.BSD)
        values = bsd.values if bsd else {}
        sides = (values.get("left_level", 0.0) > 0.0, values.get("right_level", 0.0) > 0.0)
        lanes, objects = self.lanes.value, self.objects.value
        camera = draw_camera(picture.rgb, DEFAULT_CAMERA, lanes, None, objects, alerts)
        top = draw_top_view(TOP_VIEW_PX, camera.shape[0], lanes, objects, blind_spots=sides)
        return camera, top

    def destroy_node(self) -> None:
        """End the drive, close the bus."""
        if self._threads:
            self._running = False
            for thread in self._threads:
                thread.join(2.0)
            self._link.close()
            self._mishap.close()
        super().destroy_node()


def _fires(schedule: tuple[int, int], tick: int) -> bool:
    every, phase = schedule
    return tick % every == phase
