"""Requests, the command, states, parking slots and paths."""

from __future__ import annotations

import math

from adas_perception import types as t
from adas_perception.ros.convert.common import BASE, ODOM, ConvertError, to_ns, to_stamp
from adas_perception.ros.convert.messages import (
    AckermannDriveStamped,
    DiagnosticArray,
    DiagnosticStatus,
    KeyValue,
    Path,
    PoseArray,
    PoseStamped,
)
from adas_perception.ros.convert.vehicle import to_pose
from adas_perception.safety.chain import SafetyOutput
from adas_perception.safety.monitor import Mode

NO_OPINION = math.nan
LEVELS = {
    Mode.NORMAL: t.Level.OK, Mode.DEGRADED: t.Level.WARN, Mode.FALLBACK: t.Level.ERROR, Mode.DISENGAGED: t.Level.ERROR,
}  # fmt: skip
GEARS = {gear.name.lower(): gear for gear in t.Gear}


def from_command(command: t.Command) -> AckermannDriveStamped:
    """Write the gated command; its frame id names the owners of both axes and the gear: base_link/apa/apa/reverse.

    Owners and values must not part: on a topic of their own they could come in another order.
    """
    message = from_request(command)
    message.header.frame_id = f"{BASE}/{command.longitudinal.value}/{command.lateral.value}{_gear_suffix(command.gear)}"
    return message


def to_command(message: AckermannDriveStamped) -> t.Command:
    """Read the gated command."""
    owners = message.header.frame_id.split("/")[1:3]
    try:
        longitudinal, lateral = (t.Function(owner) for owner in owners)
    except ValueError:
        raise ConvertError(f"command with the owners '{message.header.frame_id}'; base_link/acc/lka expected") from None
    request = to_request(message, longitudinal)
    return t.Command(
        request.stamp_ns, request.accel_mps2, request.steering_rad, longitudinal, lateral, request.gear, request.hold
    )


def from_safety(now_ns: int, output: SafetyOutput) -> DiagnosticArray:
    """Write the monitor's mode, who owns the axes and why, and which functions may act."""
    values = {
        "longitudinal": output.command.longitudinal.value,
        "lateral": output.command.lateral.value,
        "longitudinal_reason": output.owners[0].name,
        "lateral_reason": output.owners[1].name,
        "takeover": str(output.takeover),
        "allowed": " ".join(sorted(f.value for f in output.allowed)),
    }
    status = DiagnosticStatus(
        level=bytes([LEVELS[output.mode]]),
        name="adas/safety",
        message=output.mode.name,
        hardware_id=output.reason,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(now_ns)
    return message


def to_safety_state(message: DiagnosticArray) -> tuple[str, bool]:
    """Read the monitor's mode and whether the driver is called to take over."""
    if len(message.status) != 1:
        raise ConvertError(f"safety state with {len(message.status)} statuses; exactly one needed")
    values = {value.key: value.value for value in message.status[0].values}
    return message.status[0].message, values.get("takeover") == "True"


def from_request(request: t.Request | t.Command) -> AckermannDriveStamped:
    """Write a request: NaN is no opinion, speed 0 holds the car, a gear stands in the frame id: base_link/reverse."""
    message = AckermannDriveStamped()
    message.header.stamp = to_stamp(request.stamp_ns)
    message.header.frame_id = f"{BASE}{_gear_suffix(request.gear)}"
    drive = message.drive
    drive.acceleration = NO_OPINION if request.accel_mps2 is None else float(request.accel_mps2)
    drive.steering_angle = NO_OPINION if request.steering_rad is None else float(request.steering_rad)
    drive.speed = 0.0 if request.hold else NO_OPINION
    drive.jerk = drive.steering_angle_velocity = NO_OPINION
    return message


def to_request(message: AckermannDriveStamped, function: t.Function) -> t.Request:
    """Read a request. Infinite values stay: the gate answers for them, and says so."""
    accel, steering = message.drive.acceleration, message.drive.steering_angle
    return t.Request(
        function,
        to_ns(message.header.stamp),
        None if math.isnan(accel) else accel,
        None if math.isnan(steering) else steering,
        GEARS.get(message.header.frame_id.split("/")[-1]),
        message.drive.speed == 0.0,
    )


def _gear_suffix(gear: t.Gear | None) -> str:
    return "" if gear is None else f"/{gear.name.lower()}"


def from_state(state: t.FunctionState) -> DiagnosticArray:
    """Write the state of a function."""
    status = DiagnosticStatus(
        level=bytes([state.level]),
        name=f"adas/{state.function.value}",
        message=state.state,
        hardware_id=state.reason,
        values=[KeyValue(key=k, value=repr(float(v))) for k, v in state.values.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(state.stamp_ns)
    return message


def to_state(message: DiagnosticArray) -> t.FunctionState:
    """Read the state of a function."""
    if len(message.status) != 1:
        raise ConvertError(f"state message with {len(message.status)} statuses; exactly one needed")
    status = message.status[0]
    try:
        function = t.Function(status.name.removeprefix("adas/"))
        values = {v.key: float(v.value) for v in status.values}
    except ValueError as error:
        raise ConvertError(f"state message: {error}") from None
    # A single byte is bytes to ROS and a number in what a bag is decoded to.
    level = t.Level(ord(status.level) if isinstance(status.level, bytes) else status.level)
    return t.FunctionState(function, to_ns(message.header.stamp), level, status.message, status.hardware_id, values)


def from_slots(stamp_ns: int, poses: list[tuple[float, float, float]]) -> PoseArray:
    """Write parking slots as (x, y, yaw) in odometry."""
    message = PoseArray(poses=[to_pose(*p) for p in poses])
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = ODOM
    return message


def from_path(stamp_ns: int, poses: list[tuple[float, float, float]]) -> Path:
    """Write a parking path as (x, y, yaw) in odometry."""
    message = Path()
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = ODOM
    message.poses = [PoseStamped(header=message.header, pose=to_pose(*p)) for p in poses]
    return message
