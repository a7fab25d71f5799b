"""ACC, LKA and AEB drive 60 s in a fake CARLA: every node of the stack, the CAN bus, the adapter, the bridge's topics.

CARLA's synchronous mode makes it independent of the computer: each step waits for what the one before has set going.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import partial
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

import rclpy
from carla_drive import BRAKE_S, CANCEL_S, DRIFT_S, END_S, scenario
from diagnostic_msgs.msg import DiagnosticArray
from fake_carla import EGO, START_NS, TICK_S, FakeCarla, Sample
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from polled import Polled
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_rig import _domains
from sensor_msgs.msg import PointCloud2, Range
from vision_msgs.msg import Detection2DArray

from adas_perception.can.link import Link, LinkConfig
from adas_perception.params import NAMESPACE
from adas_perception.perception.radar import RADARS
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import bus_port, convert
from adas_perception.ros.main import node_class
from adas_perception.ros.nodes import carla_adapter
from adas_perception.ros.runner import parameter_files, ros_arguments
from adas_perception.ros.table import FRAMES, NODES, STATES
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.scenarios import KMH
from adas_perception.types import seconds

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(900)]

READY_S = 10.0
PATIENCE_S, DISCOVERY_S = 20.0, 0.2
# How old may be what the stack has seen before CARLA goes on: a step later it would be late in the car, too.
AGES_S = {"vehicle/odometry": 0.05, "safety/state": 0.0, "objects": 0.1, "lanes": 0.05, "detections": 0.25}
KINDS = {"vehicle/odometry": Odometry, "safety/state": DiagnosticArray, "detections": Detection2DArray}


class Loop:
    """The bridge's end: ticks CARLA, waits for the stack, notes what it hears."""

    def __init__(self, nodes) -> None:
        self.node = rclpy.create_node("carla_ros_bridge", namespace=NAMESPACE)
        self.polled = Polled([*nodes, self.node])
        self.states: dict[str, list[tuple[float, str]]] = {}
        self.ranges: dict[str, float] = {}
        self.seen_ns: dict[str, int] = {}
        self.frames: dict[str, set[str]] = {}
        self.mounted: dict[str, TransformStamped] = {}
        self.late: list[float] = []
        self.samples: list[Sample] = []
        self.carla = FakeCarla(self.node, scenario(), START_NS)
        self._listen("safety/state", DiagnosticArray, lambda m: self._note("safety", m.status[0].message))
        for topic in STATES:
            self._listen(topic, DiagnosticArray, self._on_state)
        for topic in AGES_S:
            self._listen(topic, KINDS.get(topic, PointCloud2), partial(self._on_stamped, topic))
        for name in SENSORS:
            self._listen(f"ultrasonic/{name}", Range, lambda m, n=name: self.ranges.update({n: m.range}))

    def _listen(self, topic, kind, callback) -> None:
        self.node.create_subscription(kind, topic, callback, QoSProfile(depth=50))

    def _on_stamped(self, topic, message) -> None:
        self.seen_ns[topic] = convert.to_ns(message.header.stamp)

    def _on_state(self, message) -> None:
        state = convert.to_state(message)
        self._note(state.function.value, state.state)

    def _note(self, who: str, state: str) -> None:
        history = self.states.setdefault(who, [])
        if not history or history[-1][1] != state:
            history.append((self.carla.world.time_s, state))

    def get_ready(self) -> bool:
        """Roll without traffic until the stack is ready, then put the car back to the start of its drive."""
        rolling = replace(scenario(), driver=DriverScript((Phase(0.0, speed_mps=60 * KMH),)), actors=())
        self.carla.restart(rolling, self.carla.world.stamp_ns)
        while self.carla.world.time_s < READY_S:
            self._tick(obey=False, patience_s=DISCOVERY_S)
            if self.states.get("safety", [(0.0, "")])[-1][1] == "NORMAL" and self.carla.commands:
                self.carla.restart(scenario(), self.carla.world.stamp_ns)
                self.states.clear()
                self.late.clear()
                return True
        return False

    def drive(self) -> None:
        while not self.carla.world.done:
            self.samples.append(self._tick(obey=True, patience_s=PATIENCE_S))

    def hear_all(self) -> None:
        """Go on for a second and note the frame of everything that the node table publishes."""
        kinds = dict(self.node.get_topic_names_and_types())
        for topic in {topic for node in NODES for topic in node.writes}:
            name = topic if topic.startswith("/") else f"/{NAMESPACE.strip('/')}/{topic}"
            package, _, kind = kinds[name][0].split("/")
            message_type = getattr(import_module(f"{package}.msg"), kind)
            durability = DurabilityPolicy.TRANSIENT_LOCAL if topic == FRAMES else DurabilityPolicy.VOLATILE
            qos = QoSProfile(depth=50, durability=durability)
            self.node.create_subscription(message_type, name, partial(self._on_header, topic), qos)
        for _ in range(round(1.0 / TICK_S)):
            self._tick(obey=True, patience_s=PATIENCE_S)

    def _on_header(self, topic, message) -> None:
        for stamped in getattr(message, "transforms", None) or getattr(message, "markers", None) or [message]:
            self.frames.setdefault(topic, set()).add(stamped.header.frame_id)
            if topic == FRAMES:
                self.mounted[stamped.child_frame_id] = stamped

    def _tick(self, obey: bool, patience_s: float) -> Sample:
        answered = self.carla.commands
        sample = self.carla.tick(obey)
        if not self.polled.settle(lambda: self.carla.commands > answered and self._kept_up(), patience_s):
            self.late.append(sample.time_s)
        return sample

    def _kept_up(self) -> bool:
        """Return whether the stack has heard of this step, and seen the pictures that it should have seen by now."""
        now_ns = self.carla.world.stamp_ns
        age_s = {topic: seconds(now_ns - seen_ns) for topic, seen_ns in self.seen_ns.items()}
        return all(age_s.get(topic, math.inf) <= limit_s for topic, limit_s in AGES_S.items())

    def story(self) -> str:
        """Return what docs/carla.md quotes."""
        aeb = ", ".join(f"{state} at {at:.1f} s" for at, state in self.states["aeb"])
        return f"AEB: {aeb}; stands {self.samples[-1].gap_m:.1f} m before the other car; late at {self.late}"

    def column(self, name: str) -> np.ndarray:
        return np.array([getattr(sample, name) for sample in self.samples])

    def went_through(self, who: str) -> set[str]:
        return {state for _, state in self.states.get(who, [])}


def stack_arguments() -> list[str]:
    """The stack as carla.launch.py starts it, on a bus inside this process."""
    bus = {"can_interface": "virtual", "can_channel": "carla_loop", "use_sim_time": True, "real_time_factor": 20.0}
    remaps = {"camera/image": f"{EGO}/rgb_front/image", "camera/camera_info": f"{EGO}/rgb_front/camera_info"}
    remaps |= {f"radar/{n}": f"{EGO}/radar_{n}" for n in RADARS}
    own = [part for old, new in remaps.items() for part in ("-r", f"{old}:={new}")]
    return [*ros_arguments(parameter_files(None, "carla"), {**bus, "watchdog_s": 2.0, "object_period_s": 0.2}), *own]


@pytest.fixture(scope="module")
def drive() -> Loop:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
        # Guards in real time: here simulated time waits, and a computer that is slow has lost nothing.
        patch.setattr(bus_port, "Link", partial(Link, config=LinkConfig(send_age_s=60.0)))
        patch.setattr(carla_adapter, "PATIENCE_S", 5.0)
        rclpy.init(args=stack_arguments(), domain_id=next(_domains))
        nodes = [node_class(node.target)() for node in NODES] + [carla_adapter.CarlaAdapterNode()]
        try:
            loop = Loop(nodes)
            assert loop.get_ready(), loop.states
            began = time.process_time()
            loop.drive()
            loop.hear_all()
            print(f"60 s in {time.process_time() - began:.0f} s of processor time; {loop.story()}")
        finally:
            for node in nodes:
                node.destroy_node()
            rclpy.shutdown()
    return loop


def test_sixty_seconds_without_a_contact(drive):
    assert drive.samples[-1].time_s == pytest.approx(END_S)
    assert not drive.samples[-1].contact, drive.states
    assert not drive.late


def test_acc_follows_the_slower_car(drive):
    assert "ACTIVE" in drive.went_through("acc")
    following = (drive.column("time_s") > CANCEL_S - 4.0) & (drive.column("time_s") < CANCEL_S)
    assert drive.column("speed_mps")[following] == pytest.approx(50 * KMH, abs=1.5)
    assert 10.0 < drive.column("gap_m")[following].min() < 45.0


def test_lka_steers_the_drifting_car_back(drive):
    drifting = (drive.column("time_s") > DRIFT_S) & (drive.column("time_s") < DRIFT_S + 10.0)
    assert drive.column("to_left_m")[drifting].min() > -0.2
    assert np.abs(drive.column("steering_command_rad")[drifting]).max() > 0.001


def test_aeb_stops_before_the_braking_car(drive):
    assert drive.went_through("aeb") & {"PARTIAL", "FULL"}, drive.states.get("aeb")
    assert drive.samples[-1].speed_mps == pytest.approx(0.0, abs=0.1)


def test_nothing_falls_back_before_the_hard_braking(drive):
    """Then it may: carla_ackermann_control brakes late, and the monitor suspects the brakes."""
    modes = {state for at, state in drive.states["safety"] if at < BRAKE_S}
    assert modes == {"NORMAL"}, drive.states["safety"]


def test_the_road_that_the_radar_hits_brakes_nobody(drive):
    early = [state for at, state in drive.states.get("aeb", []) if at < BRAKE_S and state in ("PARTIAL", "FULL")]
    assert early == []


def test_the_rangers_hear_the_car_ahead_at_the_stop(drive):
    gap = drive.samples[-1].gap_m
    assert drive.ranges, "the rangers are on below 10 m/s"
    if gap < 5.0:
        assert drive.ranges["front_left"] == pytest.approx(gap, abs=0.4)
    assert math.isinf(drive.ranges["rear_left"])


def test_every_published_header_names_a_frame_that_is_known(drive):
    known = {"base_link", *drive.mounted}
    wordless = {"apa/request", "parking/slots", "parking/path"}  # parking does not run in this drive
    topics = {topic for node in NODES for topic in node.writes} - wordless
    assert {topic for topic in topics if not drive.frames.get(topic)} == set()
    # States have no place; the gate's command names its owners behind the frame; the odometry is its own parent.
    placeless = {"safety/state", "/diagnostics", *STATES}
    for topic in topics - placeless - {"command", "vehicle/odometry"}:
        assert drive.frames[topic] <= known, (topic, drive.frames[topic])
    assert {frame.split("/")[0] for frame in drive.frames["command"]} == {"base_link"}


def test_sensors_sit_where_the_parameters_say(drive):
    assert {f"radar_{name}" for name in RADARS} | {f"ultrasonic_{name}" for name in SENSORS} <= set(drive.mounted)
    radar = drive.mounted["radar_rear_left"].transform
    assert (radar.translation.x, radar.translation.y, radar.translation.z) == pytest.approx((-1.12, 0.8, 0.6))
    assert 2.0 * math.atan2(radar.rotation.z, radar.rotation.w) == pytest.approx(2.35619)
    # REP 103: the optical z axis is the car's x axis, the optical x axis points to the right.
    turn = drive.mounted["front_camera_optical"].transform.rotation
    assert (turn.x, turn.y, turn.z, turn.w) == pytest.approx((-0.5, 0.5, -0.5, 0.5)) or (
        (turn.x, turn.y, turn.z, turn.w) == pytest.approx((0.5, -0.5, 0.5, -0.5))
    )
