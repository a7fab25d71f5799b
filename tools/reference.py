"""Write docs/parameters.md and docs/topics.md from the code: ``.venv/bin/python tools/reference.py``.

A test fails when the pages and the code differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adas_perception.functions.acc import AccParams
from adas_perception.functions.aeb import AebParams
from adas_perception.functions.apa import ApaParams
from adas_perception.functions.bsd import BsdParams
from adas_perception.functions.lka import LkaParams
from adas_perception.params import Params
from adas_perception.perception.ultrasonic import UltrasonicParams
from adas_perception.ros.bus_port import BusParams
from adas_perception.ros.nodes.fusion import FusionNodeParams
from adas_perception.ros.nodes.lane_object import LaneObjectParams
from adas_perception.ros.nodes.radar import RadarNodeParams
from adas_perception.ros.nodes.safety_monitor import SafetyMonitorParams
from adas_perception.ros.table import NODES

DOCS = Path(__file__).resolve().parents[1] / "docs"
KINDS: dict[str, type[Params]] = {
    "lane_object": LaneObjectParams,
    "radar": RadarNodeParams,
    "ultrasonic": UltrasonicParams,
    "fusion": FusionNodeParams,
    "aeb": AebParams,
    "acc": AccParams,
    "lka": LkaParams,
    "bsd": BsdParams,
    "apa": ApaParams,
    "safety_monitor": SafetyMonitorParams,
    "can_bridge": BusParams,
}
PARAMETERS_HEAD = """# Parameters

Every parameter of every node with its default, unit and range. Set them in `config/adas.yaml` or in a file of your
own (`ros2 launch adas_perception jetson.launch.py config:=my_car.yaml`, `adas up --config my_car.yaml`); a wrong name,
type or value stops the node with one sentence that says what would be right. Values of the car itself (`vehicle`,
`camera`, `radars`) stand under `/**` in the file and reach every node that has them.

Written by `python tools/reference.py` from the code; do not edit.
"""
TOPICS_HEAD = """# Nodes and topics

What every node reads and writes, relative to the namespace `/adas`; the types stand in
[Architecture](architecture.md#messages). The launch files remap the sensors' topics.

Written by `python tools/reference.py` from `ros/table.py`; do not edit.
"""


def parameters() -> str:
    """Return the page of parameters."""
    return "\n".join([PARAMETERS_HEAD, *(_section(node.name, KINDS[node.name]) for node in NODES)])


def _section(name: str, kind: type[Params]) -> str:
    lines = [f"## {name}", "", "| parameter | default | unit | range | meaning |", "|---|---|---|---|---|"]
    for path, value, field in kind().flat():
        about = field.metadata
        lines.append(f"| `{path}` | {_shown(value)} | {about['unit']} | {_range(about)} | {about['doc']} |")
    return "\n".join([*lines, ""])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(element) for element in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value) or "(empty)"


def _range(about: Any) -> str:
    if about["choices"]:
        return ", ".join(choice or "(empty)" for choice in about["choices"])
    ends = tuple("" if end is None else f"{end:g}" for end in (about["low"], about["high"]))
    return " .. ".join(ends) if any(ends) else ""


def topics() -> str:
    """Return the page of nodes and topics."""
    head = "| node | process | reads | writes |"
    rows = [f"| {n.name} | {n.process} | {_topics(n.reads)} | {_topics(n.writes)} |" for n in NODES]
    return "\n".join([TOPICS_HEAD, head, "|---|---|---|---|", *rows, ""])


def _topics(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every page with its text."""
    yield DOCS / "parameters.md", parameters()
    yield DOCS / "topics.md", topics()


def main() -> None:
    """Write the pages."""
    for path, text in pages():
        path.write_text(text)
        print(f"written: {path}")


if __name__ == "__main__":
    main()
