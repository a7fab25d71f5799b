"""The stack's end of the wire: the car's measurements in, gated requests and displays out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adas_perception.can.codec import Codec, Decoded, Frame, Schedule, SignalError, Signals
from adas_perception.can.hmi import Hmi
from adas_perception.can.inbox import Health, Inbox
from adas_perception.can.messages import (
    LATERAL,
    LATERAL_SOURCES,
    LONGITUDINAL,
    LONGITUDINAL_SOURCES,
    PARK,
    TO_CAR,
    WARNINGS,
    sample_time_ms,
)
from adas_perception.can.profile import Quantity, check_signals, load_profile
from adas_perception.limits import Limits
from adas_perception.resources import profile_path
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

# Over a longer gap between two speeds the path is unknown, and the pose waits instead of jumping. So long a yaw rate
# holds too: frames that were held up arrive together, later than their timeout, and what the car has turned meanwhile
# must not be lost.
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


# What the state of the car and of its driver is made of. A stamp is that of the oldest quantity of EGO or DRIVER; gear
# and switches come rarely and have their own timeouts: their stamp would stand still between two of their frames.
EGO = ("speed_mps", "accel_mps2", "yaw_rate_radps", "steering_rad")
DRIVER = ("accelerator", "brake", "driver_torque_nm", "hands_on")
SWITCHES = ("door_open", "acc_set", "acc_resume", "acc_cancel", "acc_gap", "lka_toggle", "park_request", "park_confirm")


class VehicleReceiver:
    """Turns the car's frames into the state of car and driver; None when a message is missing or fails.

    ``signals`` is the signal map of the vehicle's profile; without one it is that of our own DBC.
    """

    def __init__(self, codec: Codec, signals: Mapping[str, Quantity] | None = None) -> None:
        """Check the map; raises ProfileError when it lacks a quantity or names what the DBC has not."""
        signals = signals or load_profile(profile_path("adas")).signals
        check_signals(codec, signals, (*EGO, "gear", *DRIVER, "indicator", *SWITCHES))
        self._signals = signals
        self._inbox = Inbox(codec, {quantity.message for quantity in signals.values()})
        self._pose: _Pose | None = None
        self._turning = 0, 0.0

    def feed(self, frame: Frame, now_ns: int) -> Decoded | None:
        """Take in a frame; return it decoded when it was used."""
        decoded = self._inbox.feed(frame, now_ns)
        if decoded and self.carries(decoded, "yaw_rate_radps"):
            self._turning = now_ns, self._signals["yaw_rate_radps"].of(decoded.signals)
        if decoded and self.carries(decoded, "speed_mps"):
            turned_ns, yaw_rate = self._turning
            speed_mps = self._signals["speed_mps"].of(decoded.signals)
            start = self._pose or _Pose(now_ns, speed_mps)
            held = 0.0 <= seconds(now_ns - turned_ns) <= ODOMETRY_GAP_S
            self._pose = start.moved(now_ns, speed_mps, yaw_rate if held else 0.0)
        return decoded

    def carries(self, decoded: Decoded, quantity: str) -> bool:
        """Return whether a frame is the one that brings a quantity."""
        return decoded.name == self._signals[quantity].message

    def ego(self, now_ns: int) -> EgoState | None:
        """Return the state of the car, stamped with the oldest measurement in it."""
        motion, selector, pose = self._read(EGO, now_ns), self._read(("gear",), now_ns), self._pose
        if motion is None or selector is None or pose is None:
            return None
        stamp_ns, values = motion
        return EgoState(
            stamp_ns=stamp_ns,
            speed_mps=values["speed_mps"],
            accel_mps2=values["accel_mps2"],
            yaw_rate_radps=values["yaw_rate_radps"],
            steering_rad=values["steering_rad"],
            gear=Gear(int(selector[1]["gear"])),
            x_m=pose.x_m,
            y_m=pose.y_m,
            yaw_rad=pose.yaw_rad,
        )

    def driver(self, now_ns: int) -> DriverInput | None:
        """Return what the driver does, stamped with the oldest of pedals and hand wheel."""
        read, switched = self._read(DRIVER, now_ns), self._read(("indicator", *SWITCHES), now_ns)
        if read is None or switched is None:
            return None
        stamp_ns, values = read
        pressed = switched[1]
        return DriverInput(
            stamp_ns=stamp_ns,
            accelerator=values["accelerator"],
            brake=values["brake"],
            steering_torque_nm=values["driver_torque_nm"],
            hands_on=bool(values["hands_on"]),
            indicator=Indicator(int(pressed["indicator"])),
            **{switch: bool(pressed[switch]) for switch in SWITCHES},
        )

    def health(self, now_ns: int) -> Mapping[str, Health]:
        """Return the health of every message from the car."""
        return self._inbox.health(now_ns)

    def _read(self, names: Iterable[str], now_ns: int) -> tuple[int, dict[str, float]] | None:
        """Return the values and the stamp of the oldest; None when one is missing."""
        values, stamps = {}, []
        for name in names:
            quantity = self._signals[name]
            latest = self._inbox.latest(quantity.message, now_ns)
            if latest is None:
                return None
            values[name] = quantity.of(latest.signals)
            stamps.append(latest.received_ns)
        return min(stamps), values


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
