"""Messages that only CARLA sends: depth pictures, the gyroscope, the speedometer, positions."""

from __future__ import annotations

import math

import numpy as np

from adas_perception.carla import signs
from adas_perception.ros.convert.camera import pixels
from adas_perception.ros.convert.common import ConvertError, finite, to_ns, within
from adas_perception.ros.convert.messages import Float32, Image, Imu, NavSatFix
from adas_perception.types import FloatArray


def to_depth(message: Image) -> tuple[int, FloatArray]:
    """Read stamp and depth (H, W) in metres: 32FC1 of the bridge, CARLA's 24 bits in bgra8 of the native interface."""
    stamp_ns = to_ns(message.header.stamp)
    if message.encoding == "bgra8":
        return stamp_ns, signs.depth_m(pixels(message, 4))
    if message.encoding != "32FC1":
        raise ConvertError(f"depth picture in '{message.encoding}'; 32FC1 or bgra8 expected")
    order = ">f4" if message.is_bigendian else "<f4"
    return stamp_ns, np.ascontiguousarray(pixels(message, 4)).view(order)[..., 0]


def to_gyroscope_z(message: Imu) -> float:
    """Read the rate about the vertical axis, with the sign of the publisher."""
    finite("gyroscope", message.angular_velocity.z)
    return float(message.angular_velocity.z)


def to_speed(message: Float32) -> float:
    """Read the speed in m/s."""
    return within("speed", float(message.data), -30.0, 100.0)


def to_position(message: NavSatFix) -> tuple[int, float, float]:
    """Read stamp, latitude and longitude in degrees."""
    finite("position", message.latitude, message.longitude)
    if math.fabs(message.latitude) > 89.0:
        raise ConvertError(f"latitude {message.latitude} is at a pole")
    return to_ns(message.header.stamp), float(message.latitude), float(message.longitude)
