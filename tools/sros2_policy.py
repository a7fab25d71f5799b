#!/usr/bin/env python3
"""Write config/sros2/policy.xml out of the node table: each process may do what its nodes do, and no more.

With --check nothing is written; exit status 1 when the file is not what the table says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as Xml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from adas_perception.params import NAMESPACE  # noqa: E402
from adas_perception.ros.table import PROCESSES, NodeSpec, nodes_of  # noqa: E402

POLICY = ROOT / "config" / "sros2" / "policy.xml"
# What every node of rclpy does besides.
COMMON_PUBLISH = ("/rosout", "/parameter_events", "heartbeat")
COMMON_SUBSCRIBE = ("/parameter_events", "/clock")
SERVICES = ("describe_parameters", "get_parameter_types", "get_parameters", "get_type_description", "list_parameters",
            "set_parameters", "set_parameters_atomically")  # fmt: skip


def policy() -> str:
    """Return the policy, one enclave a process; it denies what it does not name."""
    root = Xml.Element("policy", version="0.2.0")
    enclaves = Xml.SubElement(root, "enclaves")
    for process in PROCESSES:
        profiles = Xml.SubElement(Xml.SubElement(enclaves, "enclave", path=f"{NAMESPACE}/{process}"), "profiles")
        for node in nodes_of(process):
            _profile(profiles, node)
    Xml.indent(root)
    note = "<!-- Made by tools/sros2_policy.py from adas_perception/ros/table.py; do not edit. -->"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{note}\n{Xml.tostring(root, encoding="unicode")}\n'


def _profile(profiles: Xml.Element, node: NodeSpec) -> None:
    profile = Xml.SubElement(profiles, "profile", ns=NAMESPACE, node=node.name)
    services = Xml.SubElement(profile, "services", reply="ALLOW")
    for service in SERVICES:
        Xml.SubElement(services, "service").text = f"~/{service}"
    _topics(profile, "publish", (*COMMON_PUBLISH, *node.writes))
    _topics(profile, "subscribe", (*COMMON_SUBSCRIBE, *node.reads))


def _topics(profile: Xml.Element, direction: str, names: Iterable[str]) -> None:
    topics = Xml.SubElement(profile, "topics", {direction: "ALLOW"})
    for name in sorted(set(names)):
        Xml.SubElement(topics, "topic").text = name


def main() -> int:
    """Write or check the file."""
    if "--check" in sys.argv[1:]:
        return int(not POLICY.is_file() or POLICY.read_text() != policy())
    POLICY.parent.mkdir(exist_ok=True)
    POLICY.write_text(policy())
    return 0


if __name__ == "__main__":
    sys.exit(main())
