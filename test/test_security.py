"""No way to the actuators past the gate, no file that could be code, nothing allowed that the table does not name."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from adas_perception import resources
from adas_perception.can.profile import load_profile
from adas_perception.params import ParameterError
from adas_perception.ros.table import NODES, PROCESSES
from adas_perception.types import Function

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "adas_perception"
SOURCES = [*PACKAGE.rglob("*.py"), *(REPOSITORY / "tools").glob("*.py"), *(REPOSITORY / "launch").glob("*.py")]


@cache
def trees() -> dict[str, ast.Module]:
    return {path.relative_to(REPOSITORY).as_posix(): ast.parse(path.read_text()) for path in SOURCES}


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def where_called(*names: str) -> set[str]:
    return {path for path, tree in trees().items() if any(name.split(".")[-1] in names for name, _ in calls(tree))}


# --- the way to the actuators -------------------------------------------------------------------------------------


def test_in_the_table_every_way_to_the_bus_leads_through_the_gate() -> None:
    """Walks the graph against its arrows: who can reach the bridge's actuators without the monitor?"""
    assert [node.name for node in NODES if "command" in node.writes] == ["safety_monitor"]
    assert [node.name for node in NODES if "command" in node.reads] == ["can_bridge"]
    bridge = next(node for node in NODES if node.name == "can_bridge")
    shown_only = {topic for topic in bridge.reads if topic != "command"}
    assert all(topic == "safety/state" or topic.endswith("/state") for topic in shown_only)
    requests = {f"{function.value}/request" for function in Function}
    assert not requests & set(bridge.reads)


def test_in_the_code_only_the_monitor_publishes_commands() -> None:
    found = set()
    for path, tree in trees().items():
        for name, call in calls(tree):
            topic = call.args[1] if name.endswith("create_publisher") and len(call.args) > 1 else None
            if isinstance(topic, ast.Constant) and topic.value == "command":
                found.add(path)
    assert found == {"adas_perception/ros/nodes/safety_monitor.py"}


def test_only_these_places_open_a_bus() -> None:
    """The bridge, the simulated car, and the tool of a person at a bench, which refuses the actuators by itself."""
    assert where_called("Bus") == {"adas_perception/can/bus.py"}
    assert where_called("open_bus") == {"adas_perception/ros/bus_port.py", "adas_perception/can/cli.py"}
    nodes = {path for name in ("open_link", "open_port") for path in where_called(name) if "/ros/nodes/" in path}
    cars = {"adas_perception/ros/nodes/sim_vehicle.py", "adas_perception/ros/nodes/carla_adapter.py"}
    assert nodes == {"adas_perception/ros/nodes/can_bridge.py", *cars}


def test_only_the_transmitter_makes_requests_and_only_the_bridge_has_one() -> None:
    users = {path for path in where_called("Transmitter") if not path.startswith("adas_perception/sim/")}
    assert users == {"adas_perception/ros/nodes/can_bridge.py"}


def test_no_frame_is_sent_by_the_kernel_on_its_own() -> None:
    assert where_called("send_periodic") == set()


# --- files that could be code -------------------------------------------------------------------------------------


def test_nothing_is_unpickled() -> None:
    for path, tree in trees().items():
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}, path
        for name, call in calls(tree):
            given = {k.arg: ast.unparse(k.value) for k in call.keywords}
            if name.endswith("torch.load"):
                assert given.get("weights_only") == "True", f"{path}:{call.lineno}"
            if name.endswith("np.load"):
                assert given.get("allow_pickle", "False") == "False", f"{path}:{call.lineno}"
            if name == "yaml.load":
                assert [ast.unparse(argument) for argument in call.args[1:]] == ["_Loader"], f"{path}:{call.lineno}"
            assert name not in ("eval", "exec", "yaml.unsafe_load", "os.system"), f"{path}:{call.lineno}"
            assert given.get("shell", "False") == "False", f"{path}:{call.lineno}"


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a share folder of its own with two files of configuration."""
    (tmp_path / "config" / "vehicles").mkdir(parents=True)
    for name in ("adas.dbc", "limits.yaml", "vehicles/adas.yaml"):
        (tmp_path / "config" / name).write_bytes((REPOSITORY / "config" / name).read_bytes())
    monkeypatch.setattr(resources, "share_dir", lambda: tmp_path)
    return tmp_path / "config"


def write_manifest(config: Path, *names: str) -> None:
    lines = [f"{hashlib.sha256((config / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (config / resources.MANIFEST).write_text("\n".join(lines) + "\n")


def test_without_a_manifest_every_file_is_taken(share: Path) -> None:
    assert resources.config_path("limits.yaml") == share / "limits.yaml"


def test_a_manifest_vouches_for_what_it_lists(share: Path) -> None:
    write_manifest(share, "limits.yaml", "vehicles/adas.yaml", "adas.dbc")
    assert resources.config_path("limits.yaml") == share / "limits.yaml"
    assert load_profile(resources.profile_path("adas")).codec().messages


@pytest.mark.parametrize("name", ["limits.yaml", "vehicles/adas.yaml"])
def test_a_changed_file_is_refused(share: Path, name: str) -> None:
    write_manifest(share, "limits.yaml", "vehicles/adas.yaml")
    (share / name).write_text((share / name).read_text() + "\n# a change\n")
    with pytest.raises(ParameterError, match=rf"{name}: sha256 is .*, .*MANIFEST.sha256 says .*; restore the file"):
        resources.config_path(name)


def test_a_changed_dbc_is_refused(share: Path) -> None:
    write_manifest(share, "vehicles/adas.yaml", "adas.dbc")
    (share / "adas.dbc").write_text((share / "adas.dbc").read_text().replace("0.0001", "0.001"))
    with pytest.raises(ParameterError, match="adas.dbc: sha256 is"):
        load_profile(resources.profile_path("adas")).codec()


def test_a_file_that_the_manifest_does_not_list_is_refused(share: Path) -> None:
    write_manifest(share, "adas.dbc")
    with pytest.raises(ParameterError, match=r"limits.yaml: not listed in .*MANIFEST.sha256; add it"):
        resources.config_path("limits.yaml")


def test_files_elsewhere_are_not_the_business_of_the_manifest(share: Path, tmp_path: Path) -> None:
    write_manifest(share, "adas.dbc")
    assert resources.verified(tmp_path / "other.dbc") == tmp_path / "other.dbc"


def test_every_model_has_a_checksum() -> None:
    models = yaml.safe_load((REPOSITORY / "config" / "models.yaml").read_text())["models"]
    assert models
    assert all(re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]) for entry in models.values())


# --- SROS 2 -------------------------------------------------------------------------------------------------------


def test_the_policy_is_the_node_table() -> None:
    command = [sys.executable, str(REPOSITORY / "tools" / "sros2_policy.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run 'python tools/sros2_policy.py'"


def test_the_policy_lets_only_the_monitor_command() -> None:
    root = ElementTree.parse(REPOSITORY / "config" / "sros2" / "policy.xml").getroot()
    assert {enclave.get("path") for enclave in root.iter("enclave")} == {f"/adas/{process}" for process in PROCESSES}
    profiles = {profile.get("node"): profile for profile in root.iter("profile")}
    assert profiles.keys() == {node.name for node in NODES}

    def named(node: str, direction: str) -> set[str | None]:
        return {t.text for topics in profiles[str(node)].findall("topics") if topics.get(direction) == "ALLOW"
                for t in topics}  # fmt: skip

    assert {node.name for node in NODES if "command" in named(node.name, "publish")} == {"safety_monitor"}
    for node in NODES:
        assert set(node.writes) <= named(node.name, "publish")
        assert set(node.reads) <= named(node.name, "subscribe")
    assert not [topic.text for topic in root.iter("topic") if "*" in str(topic.text)]
