"""States and reasons of parking, and when the driver or a fault ends a manoeuvre."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from adas_perception.params import Params, param
from adas_perception.types import DriverInput


class State(Enum):
    """States of APA."""

    OFF = "not available"
    SEARCH = "looks for slots"
    OFFERED = "offers a slot"
    CONFIRMED = "the driver has confirmed"
    MANOEUVRING = "drives"
    PAUSED = "waits for an obstacle"
    DONE = "parked"
    ABORTED = "given up; the car is held"


class Reason(Enum):
    """Why APA is in its state."""

    SEARCHING = "no slot found yet"
    SLOT_FOUND = "a slot is near: stop and confirm"
    STOP_FIRST = "stop the car to begin"
    NO_PATH = "no way into the slot from here: drive a little on"
    LET_GO = "let go of brake and wheel"
    DRIVING = "drives into the slot"
    OBSTACLE = "something is in the way"
    REPLANNING = "looks for another way"
    PARKED = "the car stands in the slot"
    SPEED = "too fast"
    GEAR = "not driving forward"
    EGO_STALE = "no recent vehicle state"
    DRIVER_STALE = "no recent driver input"
    ECHOES_STALE = "no recent echoes"
    SENSOR_SILENT = "an ultrasonic sensor is silent or disturbed"
    CANCELLED = "cancelled by the driver"
    DRIVER_STEERS = "the driver steers"
    DRIVER_BRAKES = "the driver brakes"
    DRIVER_ACCELERATES = "the driver accelerates"
    DRIVER_SHIFTS = "the driver has moved the gear lever"
    DOOR_OPEN = "a door is open"
    BLOCKED = "the way stays blocked"
    OFF_PATH = "the car does not follow the path"
    TOO_FAST = "the car is faster than parking allows"


DRIVING = (State.CONFIRMED, State.MANOEUVRING, State.PAUSED)


@dataclass(frozen=True)
class OverrideParams(Params):
    """When the driver counts as acting."""

    brake: float = param(0.02, "brake pedal position", low=0.0, high=0.5)
    accelerator: float = param(0.05, "accelerator position", low=0.0, high=0.5)
    steering_torque_nm: float = param(3.0, "hand torque", unit="Nm", low=0.5, high=10.0)


def override(driver: DriverInput, params: OverrideParams) -> Reason | None:
    """Return what the driver does that ends a manoeuvre, None when he lets it go on."""
    acts = (
        (abs(driver.steering_torque_nm) > params.steering_torque_nm, Reason.DRIVER_STEERS),
        (driver.brake > params.brake, Reason.DRIVER_BRAKES),
        (driver.accelerator > params.accelerator, Reason.DRIVER_ACCELERATES),
        (driver.door_open, Reason.DOOR_OPEN),
        (driver.acc_cancel, Reason.CANCELLED),
    )
    return next((reason for acting, reason in acts if acting), None)
