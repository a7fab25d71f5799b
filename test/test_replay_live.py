"""Live replay: the nodes under a clock that goes back, and what of a bag is played."""

import time
from functools import partial

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from ros_rig import Rig
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Joy, PointCloud2

from adas_perception import types as t
from adas_perception.perception.radar import RADARS
from adas_perception.replay.topics import TYPES, play_arguments
from adas_perception.ros import convert
from adas_perception.ros.runner import overrides_file
from adas_perception.ros.table import NODES, PROCESSES, ULTRASONIC_TOPICS

LEAD = (30.0, 0.0, 0.5)
TICK_NS = 50_000_000


@pytest.mark.ros
@pytest.mark.slow
def test_the_nodes_survive_a_clock_that_goes_back(tmp_path):
    rig = Rig(tmp_path / "log.txt", use_sim_time=True, monitor={"bus": False})
    try:
        for process in PROCESSES:
            if process != "can":
                rig.stack.start(f"{process}_process")
        clock = rig.publisher("/clock", Clock)
        odometry, driver = rig.publisher("vehicle/odometry", Odometry), rig.publisher("vehicle/driver", Joy)
        radars = {name: rig.publisher(f"radar/{name}", PointCloud2) for name in RADARS[:3]}
        stamps: dict[str, int] = {}
        for topic in ("aeb/state", "acc/state", "lka/state", "bsd/state", "safety/state"):
            hear = partial(lambda topic, m: stamps.update({topic: convert.to_ns(m.header.stamp)}), topic)
            rig.listen(topic, DiagnosticArray, hear)
        now_ns, ticked = 100 * t.NS_PER_S, 0.0

        def tick() -> None:
            nonlocal now_ns, ticked
            if time.monotonic() - ticked < t.seconds(TICK_NS):
                return
            now_ns, ticked = now_ns + TICK_NS, time.monotonic()
            clock.publish(Clock(clock=convert.to_stamp(now_ns)))
            ego = t.EgoState(now_ns, 15.0)
            driver.publish(convert.from_driver(t.DriverInput(now_ns), ego))
            odometry.publish(convert.from_ego(ego))
            for name, radar in radars.items():
                radar.publish(convert.from_radar(t.RadarScan(now_ns, name, np.array([LEAD]), np.array([-1.0]))))

        def up_to_date() -> bool:
            return len(stamps) == 5 and all(0 <= now_ns - stamp <= 20 * TICK_NS for stamp in stamps.values())

        wanted = {node.name for node in NODES if node.process != "can"}
        assert rig.spin_until(lambda: wanted <= set(rig.health) and up_to_date(), 30.0, each=tick), (stamps, rig.text())
        now_ns -= 60 * t.NS_PER_S
        stamps.clear()
        assert rig.spin_until(up_to_date, 20.0, each=tick), (now_ns, stamps, rig.text())
        assert all(process.poll() is None for process in rig.stack.processes.values())
        assert "Traceback" not in rig.text()
    finally:
        rig.close()


def test_what_a_launch_file_sets_holds_no_yaml_alias():
    text = overrides_file({"use_sim_time": True, "monitor": {"bus": False}}).read_text()
    assert "bus: false" in text and not {"&", "*"} & set(text), "ROS reads no aliases"


def test_only_the_sensors_of_a_bag_are_played():
    arguments = play_arguments({"camera/image": "/front/image_raw"})
    topics = arguments[arguments.index("--topics") + 1 : arguments.index("--remap")]
    assert "/front/image_raw" in topics and "/adas/camera/image" not in topics
    assert "/adas/vehicle/odometry" in topics
    assert arguments[arguments.index("--remap") + 1 :] == ["/front/image_raw:=/adas/camera/image"]
    written = {f"/adas/{topic}" for node in NODES if node.process != "can" for topic in node.writes}
    assert not written & set(topics), "a recorded output would fight with the live one"
    assert "--remap" not in play_arguments({})


def test_every_input_of_the_node_table_can_be_replayed():
    written = {topic for node in NODES for topic in node.writes}
    sensors = {topic for node in NODES for topic in node.reads} - written
    assert sensors - {"heartbeat"} <= set(TYPES)
    assert set(ULTRASONIC_TOPICS) <= set(TYPES)
