"""The car's end of the wire, for the simulated car: measurements out, requests in."""

from __future__ import annotations

from collections.abc import Mapping

from adas_perception.can.codec import Codec, Decoded, Frame, Schedule, Signals
from adas_perception.can.inbox import Health, Inbox
from adas_perception.can.messages import (
    FROM_CAR,
    GEAR,
    LATERAL,
    LONGITUDINAL,
    MOTION,
    PARK,
    PEDALS,
    SPEED,
    STEERING,
    SWITCHES,
    WHEEL_SPEEDS,
)
from adas_perception.types import DriverInput, EgoState, Gear, nanoseconds

# A brake or steering controller gives up on the stack after this long.
REQUEST_TIMEOUT_S = 0.1

WheelSpeeds = tuple[float, float, float, float]


class CarEncoder:
    """Makes the frames that a real car would send."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._schedule = Schedule(codec.messages, FROM_CAR)

    def frames(self, ego: EgoState, driver: DriverInput, wheel_speeds_mps: WheelSpeeds) -> list[Frame]:
        """Return the frames due at the stamp of ``ego``; wheels: front left, right, rear left, right.

        Values beyond what a sensor can measure saturate, as a sensor does.
        """
        frames = []
        for name in self._schedule.due(ego.stamp_ns):
            ranges = self._codec.messages[name].ranges
            signals = _measurements(name, ego, driver, wheel_speeds_mps)
            saturated = {s: min(max(value, ranges[s][0]), ranges[s][1]) for s, value in signals.items()}
            frames.append(self._codec.encode(name, saturated))
        return frames


class CarReceiver:
    """Takes requests as the controllers of the car do: intact frames in sequence, none older than 100 ms."""

    def __init__(self, codec: Codec) -> None:
        self._inbox = Inbox(codec, (LONGITUDINAL, LATERAL, PARK), nanoseconds(REQUEST_TIMEOUT_S))

    def feed(self, frame: Frame, now_ns: int) -> Decoded | None:
        """Take in a frame; return it decoded when it was used."""
        return self._inbox.feed(frame, now_ns)

    def request(self, now_ns: int) -> tuple[float | None, float | None]:
        """Return the acceleration (m/s2) and road-wheel angle (rad) to obey, None for no request."""
        accel = self._valid(LONGITUDINAL, "AccelRequest", "AccelValid", now_ns)
        steering = self._valid(LATERAL, "SteeringRequest", "SteeringValid", now_ns)
        return accel, steering

    def parking(self, now_ns: int) -> tuple[Gear | None, bool]:
        """Return the gear to engage, None for no request, and whether to hold the car at standstill."""
        latest = self._inbox.latest(PARK, now_ns)
        if latest is None:
            return None, False
        gear = int(latest.signals["GearRequest"])
        return Gear(gear - 1) if gear else None, bool(latest.signals["HoldRequest"])

    def health(self, now_ns: int) -> Mapping[str, Health]:
        """Return the health of both request messages."""
        return self._inbox.health(now_ns)

    def _valid(self, name: str, signal: str, valid: str, now_ns: int) -> float | None:
        latest = self._inbox.latest(name, now_ns)
        return latest.signals[signal] if latest and latest.signals[valid] else None


def _measurements(name: str, ego: EgoState, driver: DriverInput, wheels: WheelSpeeds) -> Signals:
    by_message: dict[str, Signals] = {
        SPEED: {"Speed": ego.speed_mps, "Accel": ego.accel_mps2},
        WHEEL_SPEEDS: dict(zip(("FrontLeft", "FrontRight", "RearLeft", "RearRight"), wheels, strict=True)),
        MOTION: {"YawRate": ego.yaw_rate_radps, "LateralAccel": ego.speed_mps * ego.yaw_rate_radps},
        STEERING: {
            "RoadWheelAngle": ego.steering_rad,
            "DriverTorque": driver.steering_torque_nm,
            "HandsOn": driver.hands_on,
        },
        PEDALS: {"Accelerator": driver.accelerator, "Brake": driver.brake},
        SWITCHES: {
            "AccSet": driver.acc_set,
            "AccResume": driver.acc_resume,
            "AccCancel": driver.acc_cancel,
            "AccGap": driver.acc_gap,
            "LkaToggle": driver.lka_toggle,
            "ParkRequest": driver.park_request,
            "ParkConfirm": driver.park_confirm,
            "DoorOpen": driver.door_open,
            "Indicator": driver.indicator,
        },
        GEAR: {"Gear": ego.gear},
    }
    return by_message[name]
