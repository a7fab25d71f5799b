"""States of AEB, why it is in them, and which urgency or rule leads to which."""

from __future__ import annotations

from enum import Enum, IntEnum

from adas_perception.functions import guide
from adas_perception.functions.threat import Urgency
from adas_perception.types import Level


class State(IntEnum):
    """States of AEB."""

    OFF = 0
    READY = 1
    WARN = 2
    PARTIAL = 3
    FULL = 4
    HOLD = 5


class Reason(Enum):
    """Why AEB is in its state."""

    NO_THREAT = "no object in the path needs braking"
    RADAR_ONLY = "only radar sees a standing object in the path; that alone is no reason to brake"
    THREAT = "contact is predicted"
    STANDSTILL = "held after an emergency stop"
    EGO_STALE = "no recent vehicle state"
    OBJECTS_STALE = "no recent objects"
    GEAR = "neither in drive nor in reverse with rangers that are heard"
    SPEED = "below the lowest speed"
    DRIVER = "kick-down or evasive steering of the driver"


LEVEL = {
    State.OFF: Level.WARN,
    State.READY: Level.OK,
    State.WARN: Level.WARN,
    State.PARTIAL: Level.ERROR,
    State.FULL: Level.ERROR,
    State.HOLD: Level.WARN,
}
STAGE = {
    Urgency.NONE: State.READY,
    Urgency.WARN: State.WARN,
    Urgency.PARTIAL: State.PARTIAL,
    Urgency.FULL: State.FULL,
}
GUIDE_STAGE = {
    guide.AebAction.NONE: State.READY,
    guide.AebAction.WARN: State.WARN,
    guide.AebAction.HALF: State.PARTIAL,
    guide.AebAction.FULL: State.FULL,
}
