"""The message classes: those of ROS; on a machine without ROS, classes of the same fields take their place.

Bags can so be read and written anywhere, by the same conversions that the nodes use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PACKAGES = {
    "ackermann_msgs": ("AckermannDriveStamped",),
    "builtin_interfaces": ("Time",),
    "diagnostic_msgs": ("DiagnosticArray", "DiagnosticStatus", "KeyValue"),
    "geometry_msgs": ("AccelWithCovarianceStamped", "Pose", "PoseArray", "PoseStamped"),
    "nav_msgs": ("Odometry", "Path"),
    "sensor_msgs": (
        "CameraInfo", "CompressedImage", "Image", "Imu", "Joy", "NavSatFix", "PointCloud2", "PointField", "Range",
    ),
    "std_msgs": ("Float32",),
    "vision_msgs": ("BoundingBox2D", "Detection2D", "Detection2DArray", "ObjectHypothesisWithPose"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    package = next((package for package, names in PACKAGES.items() if name in names), None)
    if package is None:
        raise AttributeError(f"{name} is no message type of the stack; known: {PACKAGES}")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except ImportError:
        from adas_perception.ros.convert.definitions import stand_in

        return stand_in(f"{package}/msg/{name}")
