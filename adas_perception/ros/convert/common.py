"""What every conversion shares: stamps, checks, the error."""

from __future__ import annotations

import math

from adas_perception.ros.convert.messages import Time
from adas_perception.types import NS_PER_S

BASE, ODOM = "base_link", "odom"
CAMERA = "front_camera_optical"


class ConvertError(ValueError):
    """A message cannot be used; the text says what is wrong with it."""


def to_ns(stamp: Time) -> int:
    """Return a ROS stamp as nanoseconds."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def to_stamp(ns: int) -> Time:
    """Return nanoseconds as a ROS stamp."""
    return Time(sec=ns // NS_PER_S, nanosec=ns % NS_PER_S)


def finite(what: str, *values: float) -> None:
    """Raise ConvertError when one of ``values`` is not finite."""
    for value in values:
        if not math.isfinite(value):
            raise ConvertError(f"{what} holds {value}")


def within(what: str, value: float, low: float, high: float) -> float:
    """Return ``value``; raise ConvertError when it is outside ``low``..``high`` or not a number."""
    if not low <= value <= high:
        raise ConvertError(f"{what} is {value}, outside {low}..{high}")
    return value
