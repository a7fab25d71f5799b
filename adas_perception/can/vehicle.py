"""The stack's end of the wire: the car's measurements in, gated requests and displays out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from adas_perception.can.codec import Codec, Decoded, Frame, Schedule, SignalError, Signals
from adas_perception.can.hmi import Hmi
from adas_perception.can.inbox import Health, Inbox
from adas_perception.can.messages import (
    FROM_CAR,
    GEAR,
    LATERAL,
    LATERAL_SOURCES,
    LONGITUDINAL,
    LONGITUDINAL_SOURCES,
    MOTION,
    PARK,
    PEDALS,
    SPEED,
    STEERING,
    SWITCHES,
    TO_CAR,
    WARNINGS,
    sample_time_ms,
)
from adas_perception.limits import Limits
from adas_perception.types import (
    Command,
    DriverInput,
    EgoState,
    Function,
    Gear,
    Indicator,
    nanoseconds,
    seconds,
)

REQUESTS = (LONGITUDINAL, LATERAL)

# Over a longer gap between two speeds the path is unknown, and the pose waits instead of jumping.
ODOMETRY_GAP_S = 1.0


@dataclass(frozen=True, slots=True)
class _Pose:
    stamp_ns: int
    speed_mps: float
    x_m: float = 0.0
    y_m: float = 0.0
    yaw_rad: float = 0.0

    def moved(self, stamp_ns: int, speed_mps: float, yaw_rate_radps: float) -> _Pose:
        """Return the pose after driving an arc, by mean speed and mean heading."""
        dt = seconds(stamp_ns - self.stamp_ns)
        if not 0.0 < dt <= ODOMETRY_GAP_S:
            return _Pose(stamp_ns, speed_mps, self.x_m, self.y_m, self.yaw_rad)
        distance = (self.speed_mps + speed_mps) / 2.0 * dt
        turn = yaw_rate_radps * dt
        heading = self.yaw_rad + turn / 2.0
        return _Pose(
            stamp_ns,
            speed_mps,
            self.x_m + distance * math.cos(heading),
            self.y_m + distance * math.sin(heading),
            math.remainder(self.yaw_rad + turn, math.tau),
        )


class VehicleReceiver:
    """Turns the car's frames into the state of car and driver; None when a message is missing or fails."""

    def __init__(self, codec: Codec) -> None:
        self._inbox = Inbox(codec, FROM_CAR)
        self._pose: _Pose | None = None

    def feed(self, frame: Frame, now_ns: int) -> Decoded | None:
        """Take in a frame; return it decoded when it was used."""
        decoded = self._inbox.feed(frame, now_ns)
        if decoded and decoded.name == SPEED:
            motion = self._inbox.latest(MOTION, now_ns)
            yaw_rate = motion.signals["YawRate"] if motion else 0.0
            start = self._pose or _Pose(now_ns, decoded.signals["Speed"])
            self._pose = start.moved(now_ns, decoded.signals["Speed"], yaw_rate)
        return decoded

    def ego(self, now_ns: int) -> EgoState | None:
        """Return the state of the car, stamped with the oldest measurement in it."""
        speed, motion, steering, gear = (self._inbox.latest(name, now_ns) for name in (SPEED, MOTION, STEERING, GEAR))
        pose = self._pose
        if speed is None or motion is None or steering is None or gear is None or pose is None:
            return None
        return EgoState(
            stamp_ns=min(speed.received_ns, motion.received_ns, steering.received_ns),
            speed_mps=speed.signals["Speed"],
            accel_mps2=speed.signals["Accel"],
            yaw_rate_radps=motion.signals["YawRate"],
            steering_rad=steering.signals["RoadWheelAngle"],
            gear=Gear(int(gear.signals["Gear"])),
            x_m=pose.x_m,
            y_m=pose.y_m,
            yaw_rad=pose.yaw_rad,
        )

    def driver(self, now_ns: int) -> DriverInput | None:
        """Return what the driver does, stamped with the oldest measurement in it."""
        pedals, steering, switches = (self._inbox.latest(name, now_ns) for name in (PEDALS, STEERING, SWITCHES))
        if pedals is None or steering is None or switches is None:
            return None
        pressed = switches.signals
        return DriverInput(
            stamp_ns=min(pedals.received_ns, steering.received_ns, switches.received_ns),
            accelerator=pedals.signals["Accelerator"],
            brake=pedals.signals["Brake"],
            steering_torque_nm=steering.signals["DriverTorque"],
            hands_on=bool(steering.signals["HandsOn"]),
            indicator=Indicator(int(pressed["Indicator"])),
            door_open=bool(pressed["DoorOpen"]),
            acc_set=bool(pressed["AccSet"]),
            acc_resume=bool(pressed["AccResume"]),
            acc_cancel=bool(pressed["AccCancel"]),
            acc_gap=bool(pressed["AccGap"]),
            lka_toggle=bool(pressed["LkaToggle"]),
            park_request=bool(pressed["ParkRequest"]),
            park_confirm=bool(pressed["ParkConfirm"]),
        )

    def health(self, now_ns: int) -> Mapping[str, Health]:
        """Return the health of every message from the car."""
        return self._inbox.health(now_ns)


class Transmitter:
    """Makes the frames to the car, as the last line of defence behind the gate.

    Without a fresh command, and for any value that is not finite, out of the range of the DBC or from a
    function that may not use the axis, the frame says "no request" with valid E2E. ``refused`` counts the
    frames whose values were not sent, by message.
    """

    def __init__(self, codec: Codec, limits: Limits) -> None:
        self._codec = codec
        self._command_age_ns = nanoseconds(limits.age.command_s)
        self._sample_age_ns = nanoseconds(limits.age.request_s + limits.age.command_s)
        self._schedule = Schedule(codec.messages, TO_CAR)
        self.refused: Counter[str] = Counter()

    def frames(
        self, now_ns: int, command: Command | None, received_ns: int, hmi: Hmi, new: bool = False
    ) -> list[Frame]:
        """Return the frames due at ``now_ns``; ``received_ns`` is when the command came from the gate.

        The requests of a ``new`` command go out at once instead of waiting for their cycle.
        """
        fresh = 0 <= now_ns - received_ns <= self._command_age_ns
        # A command that waited in a queue is received late, but its sample is old.
        young = command is not None and now_ns - command.stamp_ns <= self._sample_age_ns
        obeyed = command if command is not None and fresh and young else Command(stamp_ns=0)
        return [self._frame(name, obeyed, hmi) for name in self._schedule.due(now_ns, REQUESTS if new else ())]

    def _frame(self, name: str, command: Command, hmi: Hmi) -> Frame:
        try:
            return self._codec.encode(name, _signals(name, command, hmi))
        except SignalError:
            self.refused[name] += 1
            return self._codec.encode(name, _signals(name, Command(stamp_ns=0), Hmi(mode=hmi.mode)))


def _signals(name: str, command: Command, hmi: Hmi) -> Signals:
    """Return the signals of a message to the car; raises SignalError for a forbidden source."""
    if name == LONGITUDINAL:
        return _longitudinal(command)
    if name == LATERAL:
        return _lateral(command)
    if name == PARK:
        gear = 0 if command.gear is None else int(command.gear) + 1
        return {"ParkState": hmi.park, "GearRequest": gear, "HoldRequest": command.hold}
    if name == WARNINGS:
        return {
            "SafetyMode": hmi.mode,
            "TakeoverRequest": hmi.takeover,
            "FcwLevel": hmi.fcw,
            "AebState": hmi.aeb,
            "LkaState": hmi.lka,
            "LdwSide": hmi.ldw,
            "BsdState": hmi.bsd,
            "BsdLeft": hmi.bsd_left,
            "BsdRight": hmi.bsd_right,
        }
    return {
        "AccState": hmi.acc,
        "SetSpeed": hmi.set_speed_mps,
        "TimeGap": hmi.time_gap_s,
        "GapValid": hmi.gap_m is not None,
        "Gap": hmi.gap_m or 0.0,
    }


def _longitudinal(command: Command) -> Signals:
    sample = {"SampleTime": sample_time_ms(command.stamp_ns)}
    if command.accel_mps2 is None:
        return sample
    return {
        **sample,
        "AccelRequest": command.accel_mps2,
        "AccelValid": 1,
        "AccelSource": _source(command.longitudinal, LONGITUDINAL_SOURCES),
        "AebActive": command.longitudinal is Function.AEB,
    }


def _lateral(command: Command) -> Signals:
    # The decision not to steer has an age too: the picture behind it.
    sample = {"SampleTime": sample_time_ms(command.stamp_ns)}
    if command.steering_rad is None:
        return sample
    return {
        **sample,
        "SteeringRequest": command.steering_rad,
        "SteeringValid": 1,
        "SteeringSource": _source(command.lateral, LATERAL_SOURCES),
    }


def _source(function: Function, allowed: Mapping[Function, int]) -> int:
    if function not in allowed:
        raise SignalError(f"{function.name} may not use this axis")
    return allowed[function]
