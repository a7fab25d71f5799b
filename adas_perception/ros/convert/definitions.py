"""The message types as data: what bags are read and written with, and what stands in for ROS where there is none."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

# Community types that are not among those of a ROS distribution's core.
MORE = {
    "ackermann_msgs/msg/AckermannDrive": (
        "float32 steering_angle\nfloat32 steering_angle_velocity\nfloat32 speed\nfloat32 acceleration\nfloat32 jerk"
    ),
    "ackermann_msgs/msg/AckermannDriveStamped": "std_msgs/Header header\nackermann_msgs/AckermannDrive drive",
    "vision_msgs/msg/Point2D": "float64 x\nfloat64 y",
    "vision_msgs/msg/Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "vision_msgs/msg/BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score",
    "vision_msgs/msg/ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose"
    ),
    "vision_msgs/msg/Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\nvision_msgs/BoundingBox2D bbox\n"
        "string id"
    ),
    "vision_msgs/msg/Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
}
NUMPY = {"byte": "uint8", "char": "uint8"}
PLAIN = {"string": "", "bool": False}


@cache
def typestore() -> Any:
    """Return the definitions of every type that the stack reads or writes."""
    store = get_typestore(Stores.ROS2_KILTED)
    types: dict[str, Any] = {}
    for name, text in MORE.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


@cache
def stand_in(name: str) -> type:
    """Return a class for the message type ``name``: fields given by keyword, the others zero, as ROS has it."""
    constants, fields = typestore().fielddefs[name]

    def __init__(self: Any, **given: Any) -> None:  # noqa: N807 - it becomes the method of that name
        unknown = set(given) - names
        if unknown:
            raise AttributeError(f"{name} has no field {', '.join(sorted(unknown))}")
        for field, description in fields:
            setattr(self, field, given[field] if field in given else _zero(description))

    names = {field for field, _ in fields}
    members = {constant: value for constant, _, value in constants}
    return type(name.split("/")[-1], (), {"__init__": __init__, "__slots__": tuple(names), **members})


def _zero(description: Any) -> Any:
    node, detail = description
    if node == Nodetype.NAME:
        return stand_in(detail)()
    if node == Nodetype.BASE:
        return PLAIN.get(detail[0], 0.0 if detail[0].startswith("float") else 0)
    (inner, what), length = detail
    if inner != Nodetype.BASE or what[0] == "string":
        return [_zero((inner, what)) for _ in range(length if node == Nodetype.ARRAY else 0)]
    return np.zeros(length if node == Nodetype.ARRAY else 0, NUMPY.get(what[0], what[0]))
