"""The message packages that `make env` builds are on the wire what the real packages are.

ROS 2 lets a publisher and a subscriber talk only when their types' hashes (REP 2016) agree. The hashes
below are those of ackermann_msgs (ros2 branch), tf2_msgs and vision_msgs 4.1.1 as released.
"""

from __future__ import annotations

import json
import math
import sys
from importlib import import_module
from pathlib import Path

import pytest

SHARE = Path(sys.prefix) / "share"
HASHES = {
    "ackermann_msgs": {
        "AckermannDrive": "acf287a224a947dd1b0b87d6d76cdb73f497b0237b8fc73be2173b2ebbb82c99",
        "AckermannDriveStamped": "48ca7612a08d3bb72744fd98b71b7cf2ea24c6ad50fa4e1aa0bbad963c90d8cf",
    },
    "tf2_msgs": {"TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"},
    "vision_msgs": {
        "BoundingBox2D": "008eacbb0cf8f26e83795547bed013eec3675485ef386ec056d80eaaf1c1ce2f",
        "Detection2D": "0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea",
        "Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
        "LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
        "ObjectHypothesis": "51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90",
        "ObjectHypothesisWithPose": "41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc",
        "Point2D": "eab0e83f44ab4de92ceaf76dd7d0e7638f2bdd1d16ffbe16c7a136c48e407247",
        "Pose2D": "b0b5d1d7b4c20dd4fcde3ed1d4b289a919290572007d67a97043814db25d3648",
        "VisionClass": "1e4a11f0fed50b5623cb8ff26ca0e37952a48a9c074d16f804b44e9164c2037a",
        "VisionInfo": "95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284",
    },
}
MESSAGES = [(package, name) for package, names in HASHES.items() for name in names]

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="no ROS 2 in this environment")


@pytest.mark.parametrize(("package", "name"), MESSAGES)
def test_the_type_hash_is_that_of_the_real_package(package: str, name: str) -> None:
    description = SHARE / package / "msg" / f"{name}.json"
    if not description.is_file():
        pytest.skip(f"{description} is not there: the messages come from a ROS installation")
    listed = {t["type_name"]: t["hash_string"] for t in json.loads(description.read_text())["type_hashes"]}
    assert listed[f"{package}/msg/{name}"] == f"RIHS01_{HASHES[package][name]}"


@pytest.mark.parametrize(("package", "name"), MESSAGES)
def test_every_message_survives_serialisation(package: str, name: str) -> None:
    from rclpy.serialization import deserialize_message, serialize_message

    message_type = getattr(import_module(f"{package}.msg"), name)
    message = message_type()
    assert deserialize_message(serialize_message(message), message_type) == message


def test_no_opinion_travels_as_nan() -> None:
    from ackermann_msgs.msg import AckermannDriveStamped
    from rclpy.serialization import deserialize_message, serialize_message

    message = AckermannDriveStamped()
    message.drive.acceleration = math.nan
    message.drive.steering_angle = 0.25
    received = deserialize_message(serialize_message(message), AckermannDriveStamped)
    assert math.isnan(received.drive.acceleration)
    assert received.drive.steering_angle == 0.25
