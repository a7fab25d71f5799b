"""States of ACC, what moves it from one to the other, and the driver's buttons."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from adas_perception.functions.common import Press
from adas_perception.types import DriverInput


class State(Enum):
    """States of ACC."""

    OFF = "not available"
    STANDBY = "waits for the driver"
    ACTIVE = "controls the speed"
    HOLD = "keeps the car standing"
    OVERRIDE = "the driver accelerates"


class Reason(Enum):
    """Why ACC is in its state, or what it controls to."""

    READY = "nothing pressed yet"
    SET_SPEED = "keeps the set speed"
    CURVE = "slower for the curve"
    FOLLOWING = "keeps the time gap"
    TAKE_OVER = "the lead needs more braking than ACC may do"
    STANDSTILL = "stands behind the lead, drives off with it"
    WAITS_FOR_DRIVER = "stands until the driver says go"
    DRIVER_ACCELERATOR = "accelerator pressed"
    DRIVER_BRAKE = "brake pressed"
    DRIVER_CANCEL = "cancelled"
    DOOR = "door open"
    GEAR = "not in drive"
    EGO_STALE = "no recent vehicle state"
    DRIVER_STALE = "no recent driver input"
    OBJECTS_STALE = "no recent objects: no acceleration"


class Event(Enum):
    """What moves the state machine."""

    UNAVAILABLE = 0
    AVAILABLE = 1
    CANCEL = 2
    ACTIVATE = 3
    PRESS = 4
    RELEASE = 5
    STOPPED = 6
    GO = 7


# In each state the first event of the row that has happened decides.
TRANSITIONS: dict[State, tuple[tuple[Event, State], ...]] = {
    State.OFF: ((Event.AVAILABLE, State.STANDBY),),
    State.STANDBY: ((Event.UNAVAILABLE, State.OFF), (Event.ACTIVATE, State.ACTIVE)),
    State.ACTIVE: (
        (Event.UNAVAILABLE, State.OFF),
        (Event.CANCEL, State.STANDBY),
        (Event.PRESS, State.OVERRIDE),
        (Event.STOPPED, State.HOLD),
    ),
    State.HOLD: (
        (Event.UNAVAILABLE, State.OFF),
        (Event.CANCEL, State.STANDBY),
        (Event.PRESS, State.OVERRIDE),
        (Event.GO, State.ACTIVE),
    ),
    State.OVERRIDE: (
        (Event.UNAVAILABLE, State.OFF),
        (Event.CANCEL, State.STANDBY),
        (Event.RELEASE, State.ACTIVE),
    ),
}


class Pressed(NamedTuple):
    """Buttons that have just gone down."""

    set: bool
    resume: bool
    cancel: bool
    gap: bool


class Buttons:
    """Rising edges of the cruise control buttons."""

    def __init__(self) -> None:
        self._set, self._resume, self._cancel, self._gap = Press(), Press(), Press(), Press()

    def edges(self, driver: DriverInput) -> Pressed:
        """Return which buttons have just been pressed."""
        return Pressed(
            self._set.edge(driver.acc_set),
            self._resume.edge(driver.acc_resume),
            self._cancel.edge(driver.acc_cancel),
            self._gap.edge(driver.acc_gap),
        )
