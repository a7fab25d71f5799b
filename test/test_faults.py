"""The fault campaign: a few of its runs, and a judge that can say no."""

import math
from dataclasses import replace

import numpy as np
import pytest

from adas_perception.safety.faults import FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.sim.fault_loop import Evidence, Moment
from adas_perception.sim.scorecard.criteria.faults import FaultSeen, SafeCommands
from adas_perception.sim.scorecard.manoeuvres.faults import Expected
from adas_perception.sim.scorecard.play import Conditions, play
from adas_perception.sim.scorecard.rows import load_rows
from adas_perception.sim.scorecard.trace import Trace
from adas_perception.types import Function

CASES = {case.id: case for row in load_rows() if row.id.startswith("X") for case in row.cases}


@pytest.mark.parametrize("name", ["X01.07", "X03.01", "X05.03", "X06.11", "X07.04", "X09.01"])
def test_a_run_of_the_campaign(name):
    result = play(CASES[name], Conditions())
    assert result.passed, [check for check in result.checks if not check.passed]


def test_there_are_136_runs_and_all_are_gated():
    assert len(CASES) == 136
    assert all(case.gates for case in CASES.values())


def evidence(**changes) -> Evidence:
    """Two seconds at 20 m/s; the fault begins at 1 s, is seen 0.2 s later and ends in the fallback."""
    moments = []
    for i in range(41):
        seen = i >= 24
        moments.append(Moment(
            0.05 * i, Mode.FALLBACK if seen else Mode.NORMAL,
            frozenset({FaultKind.INPUT_SILENT}) if seen else frozenset(), seen,
            Function.FALLBACK if seen else Function.ACC, -0.5, 0.001, -0.5, 0.001, 20.0, 20.0,
        ))  # fmt: skip
    expected = Expected((FaultKind.INPUT_SILENT,), (Mode.FALLBACK,))
    return replace(Evidence("loss radar", 1.0, tuple(moments), expected), **changes)


def changed(index: int, **fields) -> Evidence:
    whole = evidence()
    moments = list(whole.moments)
    moments[index] = moments[index]._replace(**fields)
    return replace(whole, moments=tuple(moments))


def verdict(found: Evidence) -> dict[str, bool]:
    trace = Trace({"time_s": np.zeros(1)}, None, (), (), found)
    checks = [*FaultSeen().judge(trace, None), *SafeCommands().judge(trace, None)]
    return {check.name: check.passed for check in checks}


def test_a_good_run_passes():
    assert all(verdict(evidence()).values())


@pytest.mark.parametrize(
    ("index", "fields", "fails"),
    [
        (30, {"wire_accel": -10.1}, "commands outside limits"),
        (30, {"wire_accel": 2.2}, "commands outside limits"),
        (30, {"wire_steering": 0.05}, "commands outside limits"),
        (30, {"wire_accel": -0.9}, "steps"),
        (30, {"wire_steering": 0.02}, "steps"),
        (30, {"owner": Function.AEB}, "cycles of AEB on bad data"),
    ],
)
def test_what_is_unsafe_fails(index, fields, fails):
    assert not verdict(changed(index, **fields))[fails]


def test_what_is_seen_late_or_named_wrongly_fails():
    late = replace(evidence(), start_s=0.85)
    assert not verdict(late)["fault seen after"]
    never = replace(evidence(), expected=Expected((FaultKind.CLOCK_JUMP,), (Mode.FALLBACK,)))
    assert not verdict(never)["fault seen after"]
    other = replace(evidence(), expected=Expected((FaultKind.INPUT_SILENT,), (Mode.DEGRADED,)))
    assert not verdict(other)["mode FALLBACK"]


def test_a_car_that_stays_under_requests_without_a_bus_fails():
    still = replace(evidence(), expected=Expected((), (Mode.NORMAL, Mode.FALLBACK), neutral=True))
    found = verdict(still)
    assert not found["car neutral after"] and not found["requests while the bus is down"]
    assert math.isinf(Expected((), ()).seconds) or Expected((), ()).seconds > 1e6
