"""What this machine can do: the report behind ``adas check``.

Looking never fails: what is missing becomes an item with a remedy, and so does a probe that breaks.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adas_perception.inference import openvino_backend
from adas_perception.inference.backend import BackendUnavailableError, ModelAbsentError, ModelError
from adas_perception.inference.models import load_model_spec, model_names
from adas_perception.params import ParameterError
from adas_perception.resources import share_dir

SUPPORTED_PYTHON = ((3, 10), (3, 12))
MESSAGE_PACKAGES = (
    "sensor_msgs", "nav_msgs", "geometry_msgs", "std_msgs", "diagnostic_msgs", "visualization_msgs",
    "rosgraph_msgs", "ackermann_msgs", "tf2_msgs", "vision_msgs",
)  # fmt: skip
CPU_FEATURES = ("avx2", "avx512_vnni", "avx_vnni", "asimd")
SHIPPED_MODEL = "lane_v2"
ADAPTERS = ("gs_usb", "ixxat", "kvaser", "neovi", "pcan", "slcan", "vector")
ARPHRD_CAN = "280"  # linux/if_arp.h


class State(str, Enum):
    """How much an absent item hurts; a string, so that JSON can hold it."""

    OK = "ok"
    OPTIONAL = "not here"
    MISSING = "missing"


@dataclass(frozen=True)
class Item:
    """One thing that was looked for."""

    name: str
    state: State
    detail: str = ""
    remedy: str = ""
    group: str = ""


def report() -> list[Item]:
    """Return everything that was looked for on this machine, in the order it is shown."""
    items: list[Item] = []
    for group, probe in PROBES.items():
        try:
            for item in probe():
                items.append(replace(item, group=group))
        except Exception as error:  # a broken driver must not hide the rest of the report
            said = f"{type(error).__name__}: {error}"
            items.append(Item("probe", State.MISSING, said, "this check broke: please report it", group))
    return items


def as_table(items: list[Item]) -> Table:
    """Return the items as a table for the terminal."""
    colours = {State.OK: "green", State.OPTIONAL: "yellow", State.MISSING: "red"}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("", "", "state", "what there is, or how to get it"):
        table.add_column(heading, overflow="fold")
    shown = ""
    for item in items:
        said = " - ".join(text for text in (item.detail, item.remedy) if text)
        group = item.group if item.group != shown else ""
        table.add_row(group, item.name, Text(item.state.value, colours[item.state]), Text(said))
        shown = item.group
    return table


def show(items: list[Item]) -> None:
    """Print the items as a table."""
    Console().print(as_table(items))


def _found(name: str, detail: str = "") -> Item:
    return Item(name, State.OK, detail)


def _absent(name: str, remedy: str, detail: str = "", state: State = State.OPTIONAL) -> Item:
    return Item(name, state, detail, remedy)


def _machine() -> Iterator[Item]:
    python = f"{platform.python_version()} at {sys.executable}"
    oldest, newest = SUPPORTED_PYTHON
    if oldest <= sys.version_info[:2] <= newest:
        yield _found("Python", python)
    else:
        yield _absent("Python", "use Python 3.10, 3.11 or 3.12", python, State.MISSING)
    yield _found("CPU", _cpu())
    gpu = _gpu()
    yield _found("GPU", gpu) if gpu else _absent("GPU", "no NVIDIA GPU: the networks run on the CPU")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", facts.get("Features", "")).split()
    features = [name for name in CPU_FEATURES if name in flags]
    return ", ".join([facts.get("model name", platform.machine()), f"{os.cpu_count()} cores", *features])


def _gpu() -> str:
    jetson = Path("/etc/nv_tegra_release")
    if jetson.is_file():
        return f"Jetson, {jetson.read_text().splitlines()[0].lstrip('# ')}"
    return _output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")


def _ros() -> Iterator[Item]:
    if _has("rclpy"):
        distribution = os.environ.get("ROS_DISTRO")
        yield _found("rclpy", f"ROS 2 {distribution}" if distribution else f"wheel {_version('ros-rclpy')}")
    else:
        yield _absent("rclpy", "run `make env`, or source a ROS 2 installation", state=State.MISSING)
    absent = [name for name in MESSAGE_PACKAGES if not _has(f"{name}.msg")]
    there = f"{len(MESSAGE_PACKAGES) - len(absent)} of {len(MESSAGE_PACKAGES)} packages"
    if absent:
        remedy = f"run `make env`, or install from your ROS distribution: {', '.join(absent)}"
        yield _absent("messages", remedy, there, State.MISSING)
    else:
        yield _found("messages", there)
    remedy = "images other than bgr8, rgb8, bgra8, rgba8 and mono8 need a ROS installation's"
    yield _found("cv_bridge") if _has("cv_bridge") else _absent("cv_bridge", remedy)
    remedy = "`ros2 launch` needs a ROS installation; `adas up` starts the same nodes without"
    yield _found("launch_ros") if _has("launch_ros") else _absent("launch_ros", remedy)


def _inference() -> Iterator[Item]:
    backends = [
        _backend("tensorrt", "comes with JetPack, or `pip install tensorrt` beside an NVIDIA GPU"),
        _backend("openvino", "`pip install openvino`"),
        _backend("onnxruntime", "`pip install onnxruntime`"),
    ]
    yield from backends
    if all(item.state is not State.OK for item in backends):
        yield _absent("any backend", "no network can run: `pip install onnxruntime`", state=State.MISSING)


def _backend(module: str, remedy: str) -> Item:
    if not _has(module):
        return _absent(module, remedy)
    try:
        loaded = openvino_backend.load() if module == "openvino" else importlib.import_module(module)
    except (ImportError, OSError, BackendUnavailableError) as error:
        return _absent(module, remedy, f"does not load: {error}")
    # A half-removed TensorRT leaves a namespace that imports and can build nothing.
    if module == "tensorrt" and not hasattr(loaded, "Builder"):
        return _absent(module, remedy, "installed without its libraries")
    return _found(module, str(loaded.__version__))


def _models() -> Iterator[Item]:
    try:
        names = model_names()
    except (FileNotFoundError, ParameterError) as error:
        yield _absent("models.yaml", "install the package again, or correct the file", str(error), State.MISSING)
        return
    for name in names:
        try:
            file = load_model_spec(name).file()
            yield _found(name, f"{file.name}, {file.stat().st_size / 1e6:.1f} MB, sha256 agrees")
        except ModelError as error:
            optional = isinstance(error, ModelAbsentError) and name != SHIPPED_MODEL
            yield _absent(name, str(error), state=State.OPTIONAL if optional else State.MISSING)


def _can() -> Iterator[Item]:
    if not _has("can"):
        yield _absent("python-can", "`pip install python-can`", state=State.MISSING)
        return
    logging.getLogger("can").setLevel(logging.CRITICAL)  # it reports every driver it does not find
    import can

    yield _found("python-can", can.__version__)
    if _has("can_remote"):
        yield _found("remote", _version("python-can-remote"))
    else:
        yield _absent("remote", "the demo shares its bus through it: `pip install python-can-remote`")
    links = [link.name for link in sorted(Path("/sys/class/net").glob("*")) if _is_can(link)]
    vcan = "for a virtual bus `sudo ip link add vcan0 type vcan && sudo ip link set vcan0 up`"
    yield _found("socketcan", ", ".join(links)) if links else _absent("socketcan", vcan)
    adapters = can.detect_available_configs(list(ADAPTERS))
    named = ", ".join(f"{c['interface']} {c['channel']}" for c in adapters)
    remedy = "plug in an adapter that python-can supports"
    yield _found("adapters", named) if adapters else _absent("adapters", remedy)


def _is_can(link: Path) -> bool:
    kind = link / "type"
    return kind.is_file() and kind.read_text().strip() == ARPHRD_CAN


def _data() -> Iterator[Item]:
    folder = Path(os.environ.get("ADAS_DATA", share_dir().parent / "shared" / "data"))
    remedy = "only tests and replay of real drives want them: set ADAS_DATA to their folder"
    yield _found("recordings", str(folder)) if folder.is_dir() else _absent("recordings", remedy)
    spec = importlib.util.find_spec("opendbc")
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    dbc = next((root / "dbc" for root in roots if (root / "dbc" / "toyota_adas.dbc").is_file()), None)
    remedy = "only replay of a real car's CAN wants them: `pip install --no-deps opendbc`"
    yield _found("car DBC files", str(dbc)) if dbc else _absent("car DBC files", remedy)


PROBES: dict[str, Callable[[], Iterator[Item]]] = {
    "machine": _machine,
    "ROS 2": _ros,
    "inference": _inference,
    "models": _models,
    "CAN": _can,
    "data": _data,
}


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _output(*command: str) -> str:
    """Return what ``command`` prints, one line; nothing when it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "; ".join(done.stdout.splitlines()) if done.returncode == 0 else ""
