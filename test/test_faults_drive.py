"""The judge of kills and halts of real processes can say no."""

from types import SimpleNamespace

import numpy as np
import pytest

from adas_perception.ros.faults import Case, cases, judge
from adas_perception.sim.recorder import Note, StateChange

TIME = np.arange(0.0, 6.0, 0.025)
KILLED, SEEN, BACK = 2.5, 2.7, 4.0


def record(process: str, states=(), back: float | None = None, **signals):
    """Return a drive in which ACC brakes gently, the fault is seen in time, and the fallback follows."""
    whole = {
        "time_s": TIME,
        "speed_mps": np.full_like(TIME, 19.0),
        "accel_request_mps2": np.where(TIME < SEEN, -0.5, -2.0),
        "steering_request_rad": np.full_like(TIME, np.nan),
        "contact": np.zeros_like(TIME),
    }
    notes = [Note(KILLED, f"killed {process}", 1)] + ([Note(back, f"back {process}", 1)] if back else [])
    seen = StateChange(SEEN, "safety", "FALLBACK", "fusion: node is silent", 2)
    return SimpleNamespace(signals=whole | signals, notes=tuple(notes), states=(seen, *states))


def complaints(process: str, **changes) -> tuple[str, ...]:
    return judge(record(process, **changes), Case("short_follow", process)).complaints


def test_there_are_twenty_kills_and_halts_and_two_closed_buses():
    names = {case.name for case in cases()}
    assert len(names) == 22
    assert sum("bus" in name for name in names) == 2


def test_a_good_run_passes_with_its_figures():
    outcome = judge(record("tracking", back=BACK), Case("short_follow", "tracking"))
    assert outcome.complaints == ()
    assert (outcome.seen_s, outcome.back_s) == (pytest.approx(0.2), pytest.approx(1.5))
    assert (outcome.mode, outcome.strongest_mps2) == ("FALLBACK", -2.0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"contact": np.ones_like(TIME)}, "contact"),
        ({"accel_request_mps2": np.full_like(TIME, -11.0)}, "0.00 s: -11.00 m/s2"),
        ({"accel_request_mps2": np.where(TIME < 5.0, -0.5, 0.3)}, "restarts into active"),
        ({"steering_request_rad": np.full_like(TIME, 0.1)}, "0.00 s: 0.1000 rad at 19.0 m/s"),
        ({"states": (StateChange(1.4, "aeb", "PARTIAL", "THREAT", 2),)}, "AEB brakes without a reason"),
    ],
)
def test_what_is_unsafe_is_named(changes, complaint):
    assert complaint in complaints("tracking", **changes)


def test_last_metres_that_go_on_asking_are_named_unless_they_are_back():
    asks_again = {"accel_request_mps2": np.where((TIME < 2.6) | (TIME >= BACK), -0.5, np.nan)}
    assert complaints("can", back=BACK, **asks_again) == ()
    assert complaints("can", **asks_again) == ("requests although the last metres are dead",)
    assert "requests although the last metres are dead" in complaints("can")


def test_a_closed_bus_must_disengage():
    quiet = {"accel_request_mps2": np.where((TIME < 2.6) | (TIME >= BACK), -0.5, np.nan)}
    disengaged = StateChange(2.8, "safety", "DISENGAGED", "vehicle: vehicle state missing or too old", 2)
    assert complaints("bus", back=BACK, states=(disengaged,), **quiet) == ()
    assert complaints("bus", back=BACK, **quiet) == ("the stack did not disengage",)
    goes_on = ("requests although the last metres are dead", "the stack did not disengage", "seen after inf s")
    assert complaints("bus", back=BACK) == goes_on


def test_what_nobody_sees_is_named():
    blind = record("comfort")
    blind.states = ()
    assert judge(blind, Case("short_follow", "comfort")).complaints == ("not seen", "seen after nan s")
