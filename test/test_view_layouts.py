"""Layouts of RViz and Foxglove: every topic and field exists in the node table, with its type."""

from __future__ import annotations

import json
import re

import yaml

from adas_perception.params import NAMESPACE
from adas_perception.replay.outputs import FORMS
from adas_perception.resources import config_path
from adas_perception.ros.table import NODES, RADAR_TOPICS, ULTRASONIC_TOPICS
from adas_perception.view.reading import TOPIC_TYPES

PUBLISHED = {topic for node in NODES for topic in node.writes} | {"heartbeat"}
READ = {topic for node in NODES for topic in node.reads}


def full(topic: str) -> str:
    return topic if topic.startswith("/") else f"{NAMESPACE}/{topic}"


TYPES = {
    **{full(topic): kind for topic, kind in TOPIC_TYPES.items()},
    **{full(topic): form.type for topic, form in FORMS.items()},
    **dict.fromkeys(map(full, RADAR_TOPICS), "sensor_msgs/msg/PointCloud2"),
    **dict.fromkeys(map(full, ULTRASONIC_TOPICS), "sensor_msgs/msg/Range"),
    full("objects/markers"): "visualization_msgs/msg/MarkerArray",
    full("perception/overlay/compressed"): "sensor_msgs/msg/CompressedImage",
}
RVIZ = {
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/Range": "sensor_msgs/msg/Range",
    "rviz_default_plugins/Path": "nav_msgs/msg/Path",
    "rviz_default_plugins/PoseArray": "geometry_msgs/msg/PoseArray",
    "rviz_default_plugins/Odometry": "nav_msgs/msg/Odometry",
}


def test_the_rviz_config_names_topics_of_the_node_table_with_their_types():
    content = yaml.safe_load(config_path("adas.rviz").read_text())
    displays = content["Visualization Manager"]["Displays"]
    topics = [(d["Class"], d["Topic"]["Value"]) for d in displays if "Topic" in d]
    known = {full(topic) for topic in PUBLISHED | READ}
    assert len(topics) >= 15 and content["Visualization Manager"]["Global Options"]["Fixed Frame"] == "base_link"
    for kind, topic in topics:
        assert topic in known and TYPES[topic] == RVIZ[kind], (kind, topic)


def foxglove_topics(node) -> list[str]:
    """Return all that a layout names as a topic: the values of its keys, and the paths of its plots."""
    found = []
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("topic", "imageTopic", "topicPath", "topicToRender", "path", "value") and isinstance(value, str):
                found.append(value)
            elif key == "topics" and isinstance(value, dict):
                found += value
            found += foxglove_topics(value)
    elif isinstance(node, list):
        for value in node:
            found += foxglove_topics(value)
    return [topic for topic in found if topic.startswith("/")]


def test_the_foxglove_layout_names_topics_of_the_node_table():
    layout = json.loads(config_path("foxglove_layout.json").read_text())
    known = {full(topic) for topic in PUBLISHED | READ}
    named = foxglove_topics(layout)
    assert len(set(named)) >= 12
    for name in named:
        topic, *fields = name.split(".")
        assert topic in known and topic in TYPES, name
        if fields:
            _check_path(TYPES[topic], ".".join(fields))
    panels = set(layout["configById"])
    assert panels == _panels(layout["layout"])


def _panels(node) -> set[str]:
    return {node} if isinstance(node, str) else _panels(node["first"]) | _panels(node["second"])


def _check_path(type_name: str, path: str) -> None:
    """Walk a message path such as status[:].values[:]{key=="ttc_s"}.value through the type's fields."""
    from adas_perception.ros.convert.definitions import stand_in, typestore

    for part in re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", path).split("."):
        assert part in stand_in(type_name).__slots__, f"{type_name} has no {part}"
        node = dict(typestore().fielddefs[type_name][1])[part]
        while isinstance(node[1], tuple) and isinstance(node[1][0], tuple):  # a sequence: its members
            node = node[1][0]
        type_name = node[1] if isinstance(node[1], str) else ""
