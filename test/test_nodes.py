"""Nodes as real processes: they start, say what is wrong with their input, and end cleanly."""

import array
import math
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import NodeNameNonExistentError
from ros_rig import Rig
from sensor_msgs.msg import Image, PointCloud2, Range

from adas_perception import types as t
from adas_perception.can.bus import Port, loopback_server, open_bus
from adas_perception.can.codec import Codec
from adas_perception.can.hmi import AccState
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.runner import environment
from adas_perception.ros.table import NODES, PROCESSES, nodes_of

pytestmark = pytest.mark.ros


@pytest.fixture
def rig(tmp_path):
    rigs = []

    def make(**parameters) -> Rig:
        rigs.append(Rig(tmp_path / "log.txt", can_interface="virtual", can_channel="test", **parameters))
        return rigs[-1]

    yield make
    for made in rigs:
        made.close()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_all_processes_start_and_end_cleanly(rig, sign):
    r = rig()
    r.stack.start_all()
    r.wait_for(*(node.name for node in NODES))
    for process in r.stack.processes.values():
        process.send_signal(sign)
    codes = {name: process.wait(10) for name, process in r.stack.processes.items()}
    assert set(codes.values()) == {0}, codes
    assert "Traceback" not in r.text()


def test_the_graph_is_the_node_table(rig):
    r = rig()
    r.stack.start_all()
    r.wait_for(*(node.name for node in NODES))

    own = {"/rosout", "/parameter_events", "/adas/heartbeat", "/clock"}
    node = r.node

    def topics(query, name):
        try:
            return {topic for topic, _ in query(name, "/adas")} - own
        except NodeNameNonExistentError:  # not discovered yet
            return set()

    def full(names):
        return {n if n.startswith("/") else f"/adas/{n}" for n in names} - own

    def agrees(spec):
        writes = topics(node.get_publisher_names_and_types_by_node, spec.name)
        reads = topics(node.get_subscriber_names_and_types_by_node, spec.name)
        # A node subscribes to the raw or to the compressed picture, never to both.
        unread = full(spec.reads) - reads
        return writes == full(spec.writes) and reads <= full(spec.reads) and unread <= {"/adas/camera/image/compressed"}

    for spec in NODES:
        assert r.spin_until(lambda spec=spec: agrees(spec)), spec.name
    commanders = node.get_publishers_info_by_topic("/adas/command")
    assert [info.node_name for info in commanders] == ["safety_monitor"]


@pytest.mark.parametrize("spec", NODES, ids=lambda s: s.name)
def test_every_node_has_an_executable_that_describes_its_parameters(spec):
    module, name = spec.target.split(":")
    code = f"""
import rclpy
from adas_perception.ros.nodes.{module} import {name}
rclpy.init()
node = {name}()
own = set(node._parameters) - {{'use_sim_time', 'start_type_description_service'}}
described = [node.describe_parameter(p) for p in own]
assert described and all(d.description for d in described), [d.name for d in described if not d.description]
node.destroy_node()
rclpy.shutdown()
"""
    env = environment(ROS_DOMAIN_ID="99", ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
    if spec.name == "can_bridge":
        code = code.replace(
            "rclpy.init()", "rclpy.init(args=['--ros-args', '-p', 'can_interface:=virtual', '-p', 'can_channel:=x'])"
        )
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


# --- bad input --------------------------------------------------------------------------------------------


def rejection(r: Rig, node: str, topic: str, words: str, send) -> None:
    """Send bad samples until the node reports them; it must go on."""
    r.wait_for(node)
    said = lambda: words in r.health[node].message and topic in r.health[node].message  # noqa: E731
    assert r.spin_until(said, each=send), f"{r.health[node].message}\n{r.text()}"
    assert r.health[node].level == b"\x01"
    assert not r.stack.ended(), r.text()


def test_a_picture_without_bytes_is_rejected_and_counted(rig):
    r = rig()
    r.stack.start("lane_object")
    images = r.publisher("camera/image", Image)
    empty = Image(width=640, height=360, encoding="rgb8", step=1920)
    rejection(r, "lane_object", "camera/image", "0 bytes", lambda: images.publish(empty))


def test_a_picture_of_unknown_encoding_is_rejected(rig):
    r = rig()
    r.stack.start("lane_object")
    images = r.publisher("camera/image", Image)
    strange = Image(width=2, height=2, encoding="bayer_rggb16", step=4, data=array.array("B", bytes(8)))
    rejection(r, "lane_object", "camera/image", "cv_bridge", lambda: images.publish(strange))


def test_without_a_camera_the_node_says_so(rig):
    r = rig()
    r.stack.start("lane_object")
    r.wait_for("lane_object")
    assert r.spin_until(lambda: "no picture" in r.health["lane_object"].message)


def test_a_radar_cloud_that_is_cut_is_rejected(rig):
    r = rig()
    r.stack.start("radar")
    clouds = r.publisher("radar/front", PointCloud2)
    cut = convert.from_radar(t.RadarScan(1, "front", [[1.0, 2.0, 3.0]] * _np(1), _np(1)))
    cut.data = array.array("B", bytes(5))
    rejection(r, "radar", "radar/front", "5 bytes", lambda: clouds.publish(cut))


def test_targets_that_come_twice_go_no_further_than_in_the_monitor(rig):
    r = rig()
    r.stack.start("fusion")
    clouds = r.publisher("radar/targets", PointCloud2)
    same = convert.from_targets(t.RadarTargets(1, "front", ()))
    rejection(r, "fusion", "radar/targets", "twice or out of order", lambda: clouds.publish(same))


def test_nan_in_a_radar_cloud_costs_one_point_not_the_scan(rig):
    r = rig()
    r.stack.start("radar")
    clouds = r.publisher("radar/front", PointCloud2)
    seen: list[t.RadarTargets] = []
    r.listen("radar/targets", PointCloud2, lambda m: seen.append(convert.to_targets(m)))
    xyz = _np(2, 3)
    xyz[0] = (20.0, 1.0, 0.0)
    xyz[1] = math.nan
    scan = convert.from_radar(t.RadarScan(1, "front", xyz, _np(2)))
    r.wait_for("radar")
    assert r.spin_until(lambda: bool(seen), each=lambda: clouds.publish(scan))
    assert len(seen[-1].items) == 1
    values = lambda: {v.key: v.value for v in r.health["radar"].values}  # noqa: E731
    assert r.spin_until(lambda: float(values().get("rejected points", 0)) > 0)


def test_a_negative_range_is_rejected(rig):
    r = rig()
    r.stack.start("ultrasonic")
    ranges = r.publisher("ultrasonic/front_left", Range)
    bad = Range(min_range=0.15, max_range=5.0, range=-1.0)
    rejection(r, "ultrasonic", "ultrasonic/front_left", "range is -1.0", lambda: ranges.publish(bad))


def _np(*shape):
    import numpy as np

    return np.zeros(shape)


def test_a_function_that_fell_silent_is_not_shown_as_alive(tmp_path):
    shown: list[int] = []
    codec = Codec(config_path("adas.dbc"))
    with loopback_server() as channel:
        r = Rig(tmp_path / "log.txt", can_interface="remote", can_channel=channel)
        port = Port(open_bus("remote", channel))
        states = r.publisher("acc/state", DiagnosticArray)
        active = t.FunctionState(t.Function.ACC, 1, t.Level.OK, "ACTIVE", "SET_SPEED", {})

        def read() -> None:
            while (frame := port.receive(0.0)) is not None:
                decoded = codec.decode(frame)
                if decoded is not None and decoded.name == "ADAS_AccDisplay":
                    shown.append(int(decoded.signals["AccState"]))

        def alive() -> None:
            states.publish(convert.from_state(active))
            read()

        try:
            r.stack.start("can_bridge")
            r.wait_for("can_bridge")
            assert r.spin_until(lambda: AccState.ACTIVE in shown, each=alive), r.text()
            shown.clear()
            assert r.spin_until(lambda: shown[-1:] == [AccState.FAULT], each=read), r.text()
        finally:
            port.close()
            r.close()


# --- bad set-up -------------------------------------------------------------------------------------------


def refuse(executable: str, *arguments: str) -> str:
    """Start an executable that must refuse to; returns the one line it says."""
    command = [sys.executable, "-m", "adas_perception.ros.main", executable, "--ros-args", *arguments]
    env = environment(ROS_DOMAIN_ID="100", ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return next(line for line in result.stderr.splitlines() if line.startswith("adas:"))


def test_a_parameter_out_of_range_is_refused_with_its_name():
    assert "standstill_gap_m" in refuse("acc", "-p", "standstill_gap_m:=99.0")


def test_a_missing_model_is_refused_with_the_remedy():
    assert "models.yaml" in refuse("lane_object", "-p", "lane_model:=nowhere")


def test_a_broken_limits_file_is_refused_with_its_name(tmp_path):
    path = tmp_path / "limits.yaml"
    path.write_text("lateral: [1, 2")
    assert str(path) in refuse("aeb", "-p", f"limits_file:={path}")


def test_a_can_channel_without_a_server_is_refused_with_the_remedy():
    said = refuse("can_bridge", "-p", "can_interface:=remote", "-p", "can_channel:=ws://127.0.0.1:9/")
    assert "can_remote" in said


def test_an_unknown_can_interface_is_refused():
    assert "no interface 'telepathy'" in refuse("can_bridge", "-p", "can_interface:=telepathy")


def test_a_broken_parameter_file_ends_the_runner_with_its_name(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("/adas/acc: {ros__parameters: [")
    command = [sys.executable, "-m", "adas_perception.cli", "up", "--config", str(path), "--can-interface", "virtual"]
    result = subprocess.run(command, env=environment(ROS_DOMAIN_ID="98"), capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert str(path) in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_runner_starts_everything_and_ends_when_asked_to(end):
    """Also where SIGINT is ignored at the start, as in the background of a script."""
    with loopback_server() as channel:
        command = [sys.executable, "-m", "adas_perception.cli", "up", "--can-interface", "remote",
                   "--can-channel", channel]  # fmt: skip
        env = environment(ROS_DOMAIN_ID="97", ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        runner = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # fmt: skip
        time.sleep(8.0)
        assert runner.poll() is None
        runner.send_signal(end)
        output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0, output
    assert "Traceback" not in output


def test_each_node_belongs_to_one_process():
    assert [n.name for p in PROCESSES for n in nodes_of(p)] == [n.name for n in NODES]
    assert config_path("fastdds_shm.xml").is_file()
