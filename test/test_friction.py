"""Friction: which estimate counts, what braking itself tells, what unknown means, and AEB on a slippery road."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.friction import Friction, FrictionParams, SlipEstimator, planned, usable
from adas_perception.functions.threat import ThreatParams
from adas_perception.limits import Limits
from adas_perception.pipeline import load_pipeline
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.loop import drive
from adas_perception.sim.scorecard.manoeuvres.common import RIGHT_LANE_M, START_S_M, body, scene
from adas_perception.sim.setup import CLEAN, NOISY
from adas_perception.sim.vehicle import CarParams
from adas_perception.sim.world import World
from adas_perception.types import DriverInput, EgoState, Function, Objects, Sensor, Track, nanoseconds

NOW = 100_000_000_000
P, THREAT = FrictionParams(), ThreatParams()
G = 9.81


def plan(*estimates) -> tuple[float, float]:
    found = planned(THREAT, P, NOW, *estimates)
    return found.friction, found.driver_mps2


def test_a_low_estimate_counts_and_the_warning_comes_a_sigma_earlier():
    friction, driver = plan(Friction(NOW, 0.3, 0.05))
    assert friction == pytest.approx(0.3)
    assert driver == pytest.approx(0.25 * G)


def test_a_high_estimate_raises_nothing():
    assert plan(Friction(NOW, 0.95, 0.05)) == (THREAT.friction, THREAT.driver_mps2)


def test_unknown_warns_early_and_brakes_for_a_dry_road():
    assert plan() == plan(None) == (THREAT.friction, pytest.approx(P.unknown * G))


def test_the_lowest_usable_estimate_counts():
    bad = Friction(NOW, 0.1, 0.5)
    assert plan(Friction(NOW, 0.9), Friction(NOW, 0.5), bad) == plan(Friction(NOW, 0.5))


@pytest.mark.parametrize("friction", [
    Friction(NOW - nanoseconds(6.0), 0.3), Friction(NOW + nanoseconds(9.0), 0.3), Friction(NOW, 0.3, 0.3), None,
    Friction(NOW, math.nan), Friction(NOW, 0.3, math.nan), Friction(NOW, -0.3), Friction(NOW, 5.0),
])  # fmt: skip
def test_what_is_old_uncertain_or_impossible_is_not_used(friction):
    assert not usable(friction, NOW, P)
    assert plan(friction) == plan()


anything = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=150, deadline=None)
@given(anything, anything)
def test_the_plan_is_bounded_and_monotone(a, b):
    one, other = plan(Friction(NOW, a)), plan(Friction(NOW, b))
    for friction, driver in (one, other):
        assert 0.1 <= friction <= THREAT.friction and 1.0 <= driver <= THREAT.driver_mps2
    if all(usable(Friction(NOW, v), NOW, P) for v in (a, b)) and a <= b:
        assert one[0] <= other[0] and one[1] <= other[1]


def slip(reached: float, asked: float, seconds: float = 1.0, speed: float = 15.0) -> Friction | None:
    estimator, found = SlipEstimator(P), None
    sign = math.copysign(1.0, speed)
    for i in range(round(seconds / 0.05)):
        now = NOW + nanoseconds(0.05 * i)
        found = estimator.step(now, EgoState(now, speed, -sign * reached), asked)
    return found


@pytest.mark.parametrize("speed", [15.0, -5.0])
def test_braking_that_falls_short_tells_the_friction(speed):
    found = slip(4.9, 10.0, speed=speed)
    assert found is not None and found.value == pytest.approx(0.5, abs=0.01) and found.sigma == P.slip_sigma


@pytest.mark.parametrize(("reached", "asked", "seconds", "speed"), [
    (8.8, 10.0, 2.0, 15.0), (3.0, 3.5, 2.0, 15.0), (3.0, 10.0, 0.5, 15.0), (3.0, 10.0, 2.0, 1.0), (0.0, 0.0, 2.0, 15.0),
    (-3.0, 0.0, 2.0, 15.0), (0.5, 10.0, 2.0, 15.0),
])  # fmt: skip
def test_reached_short_slow_failed_or_no_braking_tells_nothing(reached, asked, seconds, speed):
    assert slip(reached, asked, seconds, speed) is None


def test_pedal_or_own_braking_teach_aeb():
    """After a hard braking on ice AEB brakes for a car that is still far, in the same cycle as with an estimate."""
    def gap_of_full(first, friction=None):
        function = Aeb(AebParams(), Limits())
        for i in range(30 if first else 0):
            now = NOW + nanoseconds(0.05 * i)
            function.step(now, EgoState(now, 20.0, -3.0), DriverInput(now, brake=1.0), Objects(now), None)
        for i in range(200):
            now = NOW + nanoseconds(1.5 + 0.05 * i)
            gap = 100.0 - 0.75 * i
            both = Sensor.RADAR | Sensor.CAMERA
            ahead = Track(1, 3.72 + gap + 2.25, 0.0, 0.0, 0.0, sources=both, age=20)
            estimate = friction and replace(friction, stamp_ns=now)
            decision = function.step(
                now, EgoState(now, 15.0), DriverInput(now), Objects(now, (ahead,)), None, None, estimate
            )
            if decision.state.state == "FULL":
                return gap
        return 0.0

    dry, learned, told = gap_of_full(False), gap_of_full(True), gap_of_full(False, Friction(NOW, 3.0 / G))
    assert learned == told > dry + 15.0


@pytest.mark.parametrize(("sensors", "seed"), [(CLEAN, 0), (NOISY, 1)])
@pytest.mark.parametrize("mu", [0.3, 0.5])
def test_a_known_slippery_road_is_no_cause_for_contact(mu, sensors, seed):
    target = body("target", "target_car", START_S_M + 110.0, RIGHT_LANE_M, 0.0)
    driver = DriverScript((Phase(0.0, speed_mps=50.0 / 3.6),))
    scenario = scene("ice", 12.0, 50.0 / 3.6, driver, (target,))

    def contact(setup) -> bool:
        world = World(scenario, seed, CarParams(mu=mu), sensors=setup)
        states = {o.decisions[Function.AEB].state.state for o in drive(world, load_pipeline(camera=world.camera))}
        assert states & {"PARTIAL", "FULL"}
        return world.contact is not None

    assert not contact(sensors)
    assert contact(replace(sensors, friction_sigma=None)), "with the friction unknown physics wins"
