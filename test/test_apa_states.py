"""The states of parking, one step after the other: what is confirmed, what ends a manoeuvre, what is told."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from test_apa import CYCLE_S, START_NS, apa, pass_by, street

from adas_perception.functions.apa import apa as module
from adas_perception.functions.apa.manoeuvre import Phase
from adas_perception.functions.apa.track import Drive
from adas_perception.types import DriverInput, Echoes, EgoState, Gear, Level, nanoseconds

CONFIRM = {"park_confirm": True}
REVERSING = Drive(0.3, 0.1, Gear.REVERSE, hold=False)


class Manoeuvre:
    """Stands in for the real one: in a phase that the test sets, asking for one and the same motion."""

    def __init__(self) -> None:
        self.phase, self.moves, self.plans = Phase.PLANNING, 0, 1
        self.zone = SimpleNamespace(way_m=math.inf)
        self.hear = lambda heard: None
        self.poses = lambda: ()

    def step(self, now_ns, ego):
        return REVERSING


class Parked:
    """APA that has just found a slot, in a car that stands beside it."""

    def __init__(self, monkeypatch) -> None:
        self.manoeuvre = Manoeuvre()
        monkeypatch.setattr(module, "Manoeuvre", lambda *args: self.manoeuvre)
        self.apa, rows = apa(), []
        pass_by(self.apa, street(7.0, wall=2.3), until=21.0, rows=rows)
        assert rows[-1].state.state == "OFFERED"
        self.now_ns, self.x_m = START_NS + nanoseconds((len(rows) - 1) * CYCLE_S), 3.0 * (len(rows) - 1) * CYCLE_S

    def step(self, speed=0.0, gear=Gear.DRIVE, silent=(), echoes=True, driver=True, after_s=CYCLE_S, **controls):
        self.now_ns += nanoseconds(after_s)
        ego = EgoState(self.now_ns, speed, x_m=self.x_m, gear=gear)
        given = DriverInput(self.now_ns, **controls) if driver else None
        decision = self.apa.step(self.now_ns, ego, given, Echoes(self.now_ns, (), silent) if echoes else None)
        self.last = decision
        return decision.state.state, decision.state.reason

    def confirmed(self, phase=Phase.DRIVING):
        assert self.step(**CONFIRM)[0] == "CONFIRMED"
        self.manoeuvre.phase = phase
        return self


@pytest.fixture
def parked(monkeypatch):
    return Parked(monkeypatch)


def test_a_silent_ranger_or_a_rolling_car_is_not_confirmed(parked):
    assert parked.step(silent=("rear_left",), **CONFIRM) == ("OFFERED", "SENSOR_SILENT")
    assert parked.last.text.endswith("disturbed: rear_left") and parked.last.state.level is Level.WARN
    parked.step()
    assert parked.step(speed=0.5, **CONFIRM) == ("OFFERED", "STOP_FIRST")


def test_the_car_moves_when_the_driver_has_let_go(parked):
    parked.confirmed()
    assert parked.step(brake=0.3) == ("CONFIRMED", "LET_GO") and parked.last.request.hold
    assert parked.step() == ("MANOEUVRING", "DRIVING")
    assert parked.last.request.accel_mps2 == REVERSING.accel_mps2


@pytest.mark.parametrize(("moves", "said"), [(0, ("OFFERED", "NO_PATH")), (2, ("ABORTED", "BLOCKED"))])
def test_without_a_way_the_slot_stays_on_offer_until_the_car_has_moved(parked, moves, said):
    parked.confirmed(Phase.NO_PATH).manoeuvre.moves = moves
    assert parked.step() == said
    if not moves:
        assert parked.step() == said and parked.last.state.level is Level.WARN
        assert parked.step(speed=0.5) == ("OFFERED", "SLOT_FOUND")


def test_a_car_that_leaves_the_path_is_held(parked):
    assert parked.confirmed(Phase.LOST).step() == ("ABORTED", "OFF_PATH")
    assert parked.last.request.hold and parked.last.request.accel_mps2 < 0.0
    assert parked.last.request.steering_rad is None


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        ({"silent": ("front_left",)}, "SENSOR_SILENT"),
        ({"driver": False}, "DRIVER_STALE"),
        ({"park_request": True}, "CANCELLED"),
        ({"speed": -2.6}, "TOO_FAST"),
        ({"gear": Gear.NEUTRAL}, "DRIVER_SHIFTS"),
        ({"steering_torque_nm": 4.0}, "DRIVER_STEERS"),
        ({"echoes": False}, "ECHOES_STALE"),
    ],
)
def test_what_ends_a_manoeuvre(parked, happens, reason):
    assert parked.confirmed().step() == ("MANOEUVRING", "DRIVING")
    assert parked.step(gear=Gear.REVERSE) == ("MANOEUVRING", "DRIVING")
    assert parked.step(**{"gear": Gear.REVERSE, **happens}) == ("ABORTED", reason)


def test_an_aborted_car_is_held_until_the_driver_leaves(parked):
    parked.confirmed(Phase.LOST).step()
    assert parked.step(speed=0.5, accelerator=0.2) == ("ABORTED", "OFF_PATH")
    assert parked.step(accelerator=0.2) == ("ABORTED", "OFF_PATH")  # he may have been on it already
    assert parked.step(after_s=1.1) == ("ABORTED", "OFF_PATH") and parked.last.request.hold
    assert parked.step(accelerator=0.2) == ("OFF", "SEARCHING") and parked.last.request.accel_mps2 is None


def test_a_parked_car_goes_into_park_and_is_free_when_the_lever_moves_again(parked):
    assert parked.confirmed(Phase.DONE).step() == ("DONE", "PARKED")
    assert parked.step(gear=Gear.REVERSE) == ("DONE", "PARKED") and parked.last.request.gear is Gear.PARK
    assert parked.step(gear=Gear.PARK) == ("DONE", "PARKED") and parked.last.request.accel_mps2 is None
    assert parked.step(gear=Gear.DRIVE) == ("OFF", "GEAR")
