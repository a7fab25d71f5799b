"""Launch files: what they start is the node table, and what they are told wins over every parameter file."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from adas_perception.params import Config
from adas_perception.resources import config_path
from adas_perception.ros.runner import PROFILE_VARIABLE, overrides_file, ros_arguments
from adas_perception.ros.table import CARLA_ADAPTER, NODES, PROCESSES, SIM_VEHICLE

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "adas_perception"
FILES = sorted((REPOSITORY / "launch").glob("*.launch.py"))
WITH_LAUNCHING = [*FILES, REPOSITORY / PACKAGE / "ros" / "launching.py"]
NAMES = [node.name for node in NODES]

OWN_SECTION = """
/**:
  ros__parameters: {can_interface: socketcan, can_channel: can0}
/adas/can_bridge:
  ros__parameters: {can_interface: pcan, can_channel: PCAN_USBBUS1}
"""


def executables() -> set[str]:
    setup_cfg = configparser.ConfigParser()
    setup_cfg.read(REPOSITORY / "setup.cfg")
    return {line.split("=")[0].strip() for line in setup_cfg["options.entry_points"]["console_scripts"].split("\n")[1:]}


# --- without launch_ros: what can be read from the source --------------------------------------------------


def defined_in(module: str) -> set[str]:
    """Return the names at the top level of a module of the package, without importing it."""
    path = REPOSITORY / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names = set()
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        names |= {getattr(target, "name", getattr(target, "id", "")) for target in targets}
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_there_are_four_launch_files():
    assert [f.name for f in FILES] == ["carla.launch.py", "demo.launch.py", "jetson.launch.py", "replay.launch.py"]


@pytest.mark.parametrize("path", WITH_LAUNCHING, ids=lambda p: p.name)
def test_what_a_launch_file_imports_from_the_package_exists(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            missing = {alias.name for alias in node.names} - defined_in(node.module)
            assert not missing, f"{path.name}: {node.module} has no {missing}"


def test_every_executable_that_launch_files_name_exists():
    named, names = set(), {"SIM_VEHICLE": SIM_VEHICLE, "CARLA_ADAPTER": CARLA_ADAPTER}
    for path in WITH_LAUNCHING:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "executable":
                code = compile(ast.Expression(node.value), path.name, "eval")
                named |= {eval(code, names | {"process": process}) for process in PROCESSES}
    assert named == {f"{process}_process" for process in PROCESSES} | {SIM_VEHICLE, CARLA_ADAPTER}
    assert named <= executables()


# --- parameters -------------------------------------------------------------------------------------------


def test_overrides_win_over_a_section_of_the_node(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(OWN_SECTION)
    values = Config(own, overrides_file({"can_interface": "virtual", "can_channel": "7"})).values("can_bridge")
    assert (values["can_interface"], values["can_channel"]) == ("virtual", "7")


@pytest.mark.ros
@pytest.mark.parametrize(("given", "expected"), [({}, "pcan"), ({"can_interface": "virtual"}, "virtual")])
def test_ros_ranks_the_files_alike(tmp_path, given, expected):
    rclpy = pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
    own = tmp_path / "own.yaml"
    own.write_text(OWN_SECTION)
    context = rclpy.Context()
    rclpy.init(args=ros_arguments([own], given), context=context, domain_id=99)
    try:
        node = rclpy.create_node("can_bridge", namespace="adas", context=context)
        assert node.declare_parameter("can_interface", "").value == expected
        node.destroy_node()
    finally:
        context.try_shutdown()


# --- signals ------------------------------------------------------------------------------------------------


@pytest.mark.ros
@pytest.mark.parametrize("executable", ["acc", "can_process"])
def test_signals_that_follow_the_first_do_not_disturb_the_end(executable, tmp_path):
    pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
    from ros_rig import Rig

    rig = Rig(tmp_path / "log.txt", can_interface="virtual", can_channel="test")
    rig.stack.start(executable)
    rig.wait_for("acc" if executable == "acc" else "can_bridge")
    process = rig.stack.processes[executable]
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)
    rig.close()
    assert process.returncode == 0, rig.text()
    assert "Traceback" not in rig.text()


# --- with launch_ros: the descriptions, expanded ------------------------------------------------------------


class Launched:
    """A launch file's description, expanded under the given arguments; nothing is started."""

    def __init__(self, name: str, **arguments: str) -> None:
        pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
        from launch import LaunchContext

        specification = importlib.util.spec_from_file_location("launch_file", REPOSITORY / "launch" / name)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        module.await_server = lambda channel: None
        self.context = LaunchContext()
        self.context.launch_configurations.update(arguments)
        self.nodes: dict[str, list[str]] = {}
        self.commands: list[list[str]] = []
        self._expand(module.generate_launch_description().entities)

    def _expand(self, entities) -> None:
        from launch.actions import ExecuteProcess, RegisterEventHandler
        from launch.utilities import perform_substitutions
        from launch_ros.actions import Node

        for entity in entities or []:
            if isinstance(entity, Node):
                assert entity.node_package == PACKAGE
                entity._perform_substitutions(self.context)
                self.nodes[entity.node_executable] = [perform_substitutions(self.context, c) for c in entity.cmd[1:]]
            elif isinstance(entity, ExecuteProcess):
                self.commands.append([perform_substitutions(self.context, part) for part in entity.cmd])
            elif isinstance(entity, RegisterEventHandler):
                self._expand(entity.event_handler.describe()[1])
            else:
                self._expand(entity.execute(self.context))

    def values(self, executable: str, node: str) -> dict[str, object]:
        """Return the parameters that a node of a process gets."""
        command = self.nodes[executable]
        files = [Path(after) for before, after in zip(command, command[1:], strict=False) if before == "--params-file"]
        return Config(*files).values(node)


def started(processes) -> list[str]:
    return [f"{process}_process" for process in processes]


def test_jetson_starts_the_node_table():
    launched = Launched("jetson.launch.py")
    assert list(launched.nodes) == started(PROCESSES)
    assert launched.commands == []
    assert launched.context.environment[PROFILE_VARIABLE] == str(config_path("fastdds_shm.xml"))
    for spec in NODES:
        values = launched.values(f"{spec.process}_process", spec.name)
        assert (values["use_sim_time"], values["can_interface"], values["backend"]) == (False, "socketcan", "auto")


def test_no_process_gets_a_node_name():
    """A name would be given to every node of the process."""
    for name in ("jetson.launch.py", "demo.launch.py"):
        for command in Launched(name).nodes.values():
            assert not any("__node" in part or "__name" in part for part in command)


def test_files_then_preset_then_arguments(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(OWN_SECTION)
    told = {"config": str(own), "preset": "guide", "can_channel": "7"}
    launched = Launched("jetson.launch.py", **told)
    values = launched.values("can_process", "can_bridge")
    assert (values["can_interface"], values["can_channel"]) == ("pcan", "7")
    assert launched.values("driving_process", "acc")["rule"] == "guide"


@pytest.mark.parametrize(("wrong", "message"), [({"config": "/nowhere.yaml"}, "/nowhere.yaml"), ({"preset": "x"}, "x")])
def test_a_file_that_is_not_there_is_named(wrong, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Launched("jetson.launch.py", **wrong)


def test_sensors_are_remapped_by_arguments():
    image = "/carla/hero/rgb_front/image"
    command = Launched("jetson.launch.py", image=image).nodes["perception_process"]
    remaps = [after for before, after in zip(command, command[1:], strict=False) if before == "-r"]
    assert {f"camera/image:={image}", f"camera/image/compressed:={image}/compressed"} <= set(remaps)
    assert "radar/front:=radar/front" in remaps


def test_topics_that_can_be_remapped_are_topics_of_the_table():
    pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
    from adas_perception.ros.launching import TOPICS

    written = {topic for node in NODES for topic in node.writes}
    assert set(TOPICS.values()) <= {topic for node in NODES for topic in node.reads} - written


def test_the_demo_drives_the_stack_over_its_own_bus():
    launched = Launched("demo.launch.py", scenario="short_follow", out="/tmp/drive")
    assert list(launched.nodes) == [*started(PROCESSES), SIM_VEHICLE]
    (server,) = launched.commands
    bridge, car = launched.values("can_process", "can_bridge"), launched.values(SIM_VEHICLE, SIM_VEHICLE)
    assert bridge["can_interface"] == car["can_interface"] == "remote"
    assert bridge["can_channel"] == car["can_channel"] == f"ws://127.0.0.1:{server[-1]}/"
    assert (car["scenario"], car["out"]) == ("short_follow", "/tmp/drive")
    assert launched.values("perception_process", "lane_object")["object_model"] == "object_v3"


def test_the_simulated_car_makes_the_clock_that_all_others_follow():
    launched = Launched("demo.launch.py")
    assert launched.values(SIM_VEHICLE, SIM_VEHICLE)["use_sim_time"] is False
    for spec in NODES:
        assert launched.values(f"{spec.process}_process", spec.name)["use_sim_time"] is True


@pytest.mark.parametrize(
    ("interface", "expected"),
    [("bridge", ("ackermann", "odometry", False)), ("native", ("vehicle", "gnss", True))],
)
def test_carla_is_the_car_on_the_bus_of_the_stack(interface, expected):
    launched = Launched("carla.launch.py", interface=interface, role_name="hero")
    assert list(launched.nodes) == [*started(PROCESSES), CARLA_ADAPTER]
    adapter, bridge = launched.values(CARLA_ADAPTER, CARLA_ADAPTER), launched.values("can_process", "can_bridge")
    assert adapter["can_channel"] == bridge["can_channel"] != "can0"
    assert (adapter["control"], adapter["motion"], adapter["imu_left_handed"]) == expected
    assert (adapter["role_name"], adapter["use_sim_time"]) == ("hero", True)
    tracking, perception = launched.nodes["tracking_process"], launched.nodes["perception_process"]
    assert "radar/rear_left:=/carla/hero/radar_rear_left" in tracking
    assert "camera/image:=/carla/hero/rgb_front/image" in perception
    assert "camera/camera_info:=/carla/hero/rgb_front/camera_info" in perception
    assert launched.values("tracking_process", "radar")["height_min_m"] == 0.25


def test_carla_obeys_what_it_is_told():
    launched = Launched("carla.launch.py", control="vehicle", motion="speedometer", real_time_factor="2")
    adapter = launched.values(CARLA_ADAPTER, CARLA_ADAPTER)
    assert (adapter["control"], adapter["motion"], adapter["real_time_factor"]) == ("vehicle", "speedometer", 2.0)


def test_replay_plays_the_bag_to_a_stack_without_a_bus(monkeypatch):
    pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
    import ament_index_python.packages as index

    monkeypatch.setattr(index, "get_package_prefix", lambda name: f"/opt/{name}")
    launched = Launched("replay.launch.py", bag="drive.bag", rate="0.5")
    assert list(launched.nodes) == started(p for p in PROCESSES if p != "can")
    assert launched.values("driving_process", "acc")["use_sim_time"] is True
    (command,) = launched.commands
    start = ["ros2", "bag", "play", "drive.bag", "--clock", "50", "--rate", "0.5", "--topics"]
    assert command[: len(start)] == start
    # What a recorded stack wrote must not reach the one that runs.
    written = {f"/adas/{topic}" for node in NODES for topic in node.writes if not topic.startswith("vehicle/")}
    assert "/adas/radar/front" in command and written.isdisjoint(command)


def test_replay_without_ros2_bag_says_what_to_install(monkeypatch):
    pytest.importorskip("launch_ros", reason="launch_ros is not installed (it is not on PyPI)")
    import ament_index_python.packages as index

    def missing(name):
        raise index.PackageNotFoundError(name)

    monkeypatch.setattr(index, "get_package_prefix", missing)
    with pytest.raises(RuntimeError, match="install the ROS packages ros2bag"):
        Launched("replay.launch.py", bag="drive.bag")


@pytest.mark.ros
@pytest.mark.slow
def test_ros2_launch_starts_and_ends_the_stack(tmp_path):
    ros2 = shutil.which("ros2")
    if not ros2 or subprocess.run([ros2, "pkg", "prefix", PACKAGE], capture_output=True).returncode:
        pytest.skip(f"there is no ros2 command that finds {PACKAGE}: source the workspace it was built in")
    log = tmp_path / "log.txt"
    command = [ros2, "launch", PACKAGE, "jetson.launch.py", "can_interface:=virtual", "can_channel:=test"]
    env = {**os.environ, "ROS_DOMAIN_ID": "98", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    with log.open("w") as file:
        launched = subprocess.Popen(command, env=env, stdout=file, stderr=file, start_new_session=True)
        deadline = time.monotonic() + 30.0
        while "lane_object" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.2)
        # Ctrl-C in a terminal reaches the launch file and its processes at the same time.
        os.killpg(launched.pid, signal.SIGINT)
        assert launched.wait(30) == 0
    text = log.read_text()
    assert text.count("process has finished cleanly") == len(PROCESSES), text
    assert "Traceback" not in text
