"""The shape of the package: who may import whom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "adas_perception"
CORE = (
    "types.py", "params.py", "limits.py", "pipeline.py",
    "perception", "inference", "functions", "safety", "can", "carla",
)  # fmt: skip
ROS = ("rclpy", "ament_index_python", "cv_bridge", "launch", "launch_ros", "rosidl_runtime_py")
# A core module may import these parts of the package and no others.
ALLOWED = {
    "types.py": (),
    "params.py": (),
    "limits.py": ("params",),
    "functions": ("functions", "types", "params", "limits", "safety.freshness"),
    "safety": ("safety", "types", "params", "limits"),
    "perception": ("perception", "types", "params", "inference", "safety.freshness"),
    "carla": ("carla", "types", "params", "perception"),
    "can": ("can", "types", "params", "limits", "resources"),
    "inference": ("inference", "types", "params", "resources"),
}


def files(place: str) -> list[Path]:
    path = PACKAGE / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("place", CORE)
def test_the_core_knows_no_ros(place):
    for path in files(place):
        tops = {name.split(".")[0] for name in imports(path)}
        bad = {top for top in tops if top in ROS or top.endswith("_msgs")}
        assert not bad, f"{path.relative_to(PACKAGE)} imports {bad}"


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_dependencies_point_one_way(place):
    for path in files(place):
        for name in imports(path):
            if name.startswith("adas_perception."):
                inner = name.removeprefix("adas_perception.")
                assert inner.startswith(ALLOWED[place]), f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_too_long_to_read(path):
    assert len(path.read_text().splitlines()) <= 400


def test_only_the_bridge_opens_the_bus_and_only_the_monitor_commands():
    assert {p.name for p in (PACKAGE / "ros").rglob("*.py") if "open_bus(" in p.read_text()} == {"bus_port.py"}
    nodes = sorted((PACKAGE / "ros" / "nodes").rglob("*.py"))
    openers = {p.name for p in nodes if re.search(r"open_(port|link)\(", p.read_text())}
    assert openers == {"can_bridge.py", "sim_vehicle.py", "carla_adapter.py"}
    commanders = {p.name for p in (PACKAGE / "ros").rglob("*.py") if '"command", ' in p.read_text()}
    assert commanders == {"safety_monitor.py", "table.py", "can_bridge.py"}


def test_a_process_blocks_its_signals_before_any_library_starts_threads():
    seen = "import sys, adas_perception.ros.main; print(sorted({'numpy', 'scipy', 'cv2', 'rclpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
