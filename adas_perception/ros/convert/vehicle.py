"""The motion of the car and the inputs of its driver."""

from __future__ import annotations

import math

from adas_perception import types as t
from adas_perception.functions.common import GRAVITY_MPS2
from adas_perception.functions.friction import Friction
from adas_perception.ros.convert.common import BASE, ConvertError, finite, to_ns, to_stamp, within
from adas_perception.ros.convert.messages import AccelWithCovarianceStamped, Joy, Odometry, Pose

# sensor_msgs/Joy on vehicle/driver
AXES = ("accelerator", "brake", "steering_torque_nm", "steering_rad", "accel_mps2")
BUTTONS = (
    "left", "right", "acc_set", "acc_resume", "acc_cancel", "acc_gap",
    "lka_toggle", "park_request", "park_confirm", "hands_on", "door_open", "gear",
)  # fmt: skip


def to_ego(message: Odometry, driver: Joy | None) -> t.EgoState:
    """Read the vehicle state; acceleration, road-wheel angle and gear come with the driver message."""
    twist, pose = message.twist.twist, message.pose.pose
    q = pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    steering, accel, gear = 0.0, 0.0, t.Gear.DRIVE
    if driver is not None:
        axes, buttons = _named(driver)
        steering, accel = axes["steering_rad"], axes["accel_mps2"]
        gear = t.Gear(int(within("gear", buttons["gear"], 0, len(t.Gear) - 1)))
    numbers = (twist.linear.x, twist.angular.z, pose.position.x, pose.position.y, yaw, steering, accel)
    finite("vehicle state", *numbers)
    within("speed", twist.linear.x, -30.0, 100.0)
    speed, yaw_rate, x, y, yaw, steering, accel = numbers
    return t.EgoState(to_ns(message.header.stamp), speed, accel, yaw_rate, steering, gear, x, y, yaw)


def from_ego(ego: t.EgoState) -> Odometry:
    """Write the motion of the car; its pose is in ``odom``."""
    message = Odometry()
    message.header.stamp = to_stamp(ego.stamp_ns)
    message.header.frame_id, message.child_frame_id = "odom", BASE
    message.pose.pose = to_pose(ego.x_m, ego.y_m, ego.yaw_rad)
    message.twist.twist.linear.x = float(ego.speed_mps)
    message.twist.twist.angular.z = float(ego.yaw_rate_radps)
    return message


def _named(message: Joy) -> tuple[dict[str, float], dict[str, int]]:
    if len(message.axes) < len(AXES) or len(message.buttons) < len(BUTTONS):
        raise ConvertError(
            f"driver message with {len(message.axes)} axes and {len(message.buttons)} buttons; "
            f"{len(AXES)} and {len(BUTTONS)} needed"
        )
    finite("driver message", *message.axes)
    return dict(zip(AXES, message.axes, strict=False)), dict(zip(BUTTONS, message.buttons, strict=False))


def to_driver(message: Joy) -> t.DriverInput:
    """Read what the driver does."""
    axes, buttons = _named(message)
    left, right = bool(buttons["left"]), bool(buttons["right"])
    lever = {(False, False): t.Indicator.OFF, (True, False): t.Indicator.LEFT, (False, True): t.Indicator.RIGHT}
    pressed = {n: bool(buttons[n]) for n in BUTTONS[2:-1]}
    return t.DriverInput(
        to_ns(message.header.stamp),
        within("accelerator", axes["accelerator"], 0.0, 1.0),
        within("brake", axes["brake"], 0.0, 1.0),
        axes["steering_torque_nm"],
        indicator=lever.get((left, right), t.Indicator.HAZARD),
        **pressed,
    )


def from_driver(driver: t.DriverInput, ego: t.EgoState) -> Joy:
    """Write what the driver does, with the road-wheel angle, acceleration and gear of the car."""
    message = Joy()
    message.header.stamp = to_stamp(driver.stamp_ns)
    message.header.frame_id = BASE
    message.axes = [float(getattr(driver if hasattr(driver, n) else ego, n)) for n in AXES]
    left = driver.indicator in (t.Indicator.LEFT, t.Indicator.HAZARD)
    right = driver.indicator in (t.Indicator.RIGHT, t.Indicator.HAZARD)
    message.buttons = [int(left), int(right), *(int(getattr(driver, n)) for n in BUTTONS[2:-1]), int(ego.gear)]
    return message




def to_pose(x: float, y: float, yaw: float) -> Pose:
    """Return a planar pose."""
    pose = Pose()
    pose.position.x, pose.position.y = float(x), float(y)
    pose.orientation.z, pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return pose


def to_place(pose: Pose) -> tuple[float, float, float]:
    """Read a planar pose as (x, y, yaw)."""
    finite("pose", pose.position.x, pose.position.y, pose.orientation.z, pose.orientation.w)
    return pose.position.x, pose.position.y, 2.0 * math.atan2(pose.orientation.z, pose.orientation.w)


def to_friction(message: AccelWithCovarianceStamped) -> Friction:
    """Read the greatest acceleration that the tyres can give (``linear.x``, m/s2) with its variance."""
    accel, variance = message.accel.accel.linear.x, message.accel.covariance[0]
    finite("friction", accel, variance)
    within("greatest acceleration", accel, 0.0, 2.0 * GRAVITY_MPS2)
    within("its variance", variance, 0.0, 1e3)
    return Friction(to_ns(message.header.stamp), accel / GRAVITY_MPS2, math.sqrt(variance) / GRAVITY_MPS2)


def from_friction(friction: Friction) -> AccelWithCovarianceStamped:
    """Write an estimate of the friction."""
    message = AccelWithCovarianceStamped()
    message.header.stamp, message.header.frame_id = to_stamp(friction.stamp_ns), BASE
    message.accel.accel.linear.x = friction.value * GRAVITY_MPS2
    message.accel.covariance[0] = (friction.sigma * GRAVITY_MPS2) ** 2
    return message
