"""AEB in reverse: stops for what is in the path, lets the driver park past things, and closed loop in the simulator."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.reverse import BEHIND
from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.perception.ultrasonic import Ring
from adas_perception.pipeline import load_pipeline
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.loop import drive
from adas_perception.sim.scorecard.manoeuvres.common import RIGHT_LANE_M, START_S_M, body, scene
from adas_perception.sim.setup import CLEAN, NOISY
from adas_perception.sim.world import World
from adas_perception.types import Decision, DriverInput, Echoes, EchoPoint, EgoState, Function, Gear, nanoseconds

START_NS = 1_000_000_000
CYCLE_S = 0.05
VEHICLE = Vehicle()
REAR = -VEHICLE.rear_overhang_m


def aeb() -> Aeb:
    return Aeb(AebParams(), Limits())


def echo(gap: float, y: float = 0.0, sensor: str = "rear_left", stamp: int = 0) -> EchoPoint:
    return EchoPoint(sensor, REAR - gap, y, gap, stamp)


def look(function: Aeb, t: float, *points: EchoPoint, speed: float = -1.5, steering: float = 0.0, **driver) -> Decision:
    now = START_NS + nanoseconds(t)
    ego = EgoState(now, speed, steering_rad=steering, gear=Gear.REVERSE)
    echoes = Echoes(now, tuple(replace(p, stamp_ns=now) for p in points))
    return function.step(now, ego, DriverInput(now, **driver), None, None, echoes)


def states(function: Aeb, cycles: int, *points: EchoPoint, **more) -> list[str]:
    return [look(function, i * CYCLE_S, *points, **more).state.state for i in range(cycles)]


def test_brakes_fully_for_what_is_too_near_after_some_echoes_and_holds_at_standstill():
    function = aeb()
    assert states(function, 4, echo(0.5)) == ["READY", "READY", "FULL", "FULL"]
    decision = look(function, 0.2, echo(0.4))
    assert decision.request.accel_mps2 == -Limits().emergency.decel_max_mps2
    assert decision.state.values["target_id"] == BEHIND
    assert look(function, 0.25, echo(0.3), speed=0.0).state.state == "HOLD"
    assert look(function, 0.30, echo(0.3), speed=0.0, brake=0.5).state.state == "READY"


@pytest.mark.parametrize("point", [
    echo(0.5, 1.3), echo(0.5, -1.3), echo(0.5, sensor="front_left"), echo(0.5, sensor="rear_left_side"), echo(3.0),
])  # fmt: skip
def test_what_is_not_in_the_path_or_far_stops_nobody(point):
    assert set(states(aeb(), 20, point)) == {"READY"}


@pytest.mark.parametrize("speed", [0.3, 0.0, -0.3, -6.0])
def test_only_at_walking_pace(speed):
    assert set(states(aeb(), 20, echo(0.3), speed=speed)) == {"READY"}


@pytest.mark.parametrize("side", [1, -1])
def test_the_path_bends_with_the_wheels(side):
    post = echo(0.8, side * 1.0, "rear_left_outer")
    assert set(states(aeb(), 20, post, speed=-2.2)) == {"READY"}
    assert "FULL" in states(aeb(), 20, post, speed=-2.2, steering=side * 0.3)


def test_kick_down_lets_the_driver_go_and_lost_echoes_do_not_release_at_once():
    function = aeb()
    states(function, 5, echo(0.5))
    assert look(function, 0.25).state.state == "FULL"
    assert look(function, 0.30, echo(0.4), accelerator=1.0).state.reason == "DRIVER"


def test_the_same_echo_again_is_no_further_evidence():
    function = aeb()
    for i in range(10):
        now = START_NS + nanoseconds(i * 0.01)
        ego = EgoState(now, -1.5, gear=Gear.REVERSE)
        decision = function.step(now, ego, None, None, None, Echoes(START_NS, (echo(0.5, stamp=START_NS),)))
    assert decision.state.state == "READY"


@pytest.mark.parametrize("echoes", [None, Echoes(START_NS - nanoseconds(1.0), (echo(0.5),))])
def test_without_rangers_it_is_off(echoes):
    ego = EgoState(START_NS, -1.5, gear=Gear.REVERSE)
    decision = aeb().step(START_NS, ego, None, None, None, echoes)
    assert decision.state.state == "OFF" and decision.request.accel_mps2 is None


def test_the_guide_knows_no_reverse():
    function = Aeb(AebParams(rule="guide"), Limits())
    assert set(states(function, 5, echo(0.3))) == {"OFF"}


@settings(max_examples=80, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(0.5, 4.0))
def test_nearer_is_never_less_urgent(a, b, speed):
    def full(gap):
        return "FULL" in states(aeb(), 4, echo(gap), speed=-speed)

    assert full(min(a, b)) >= full(max(a, b))


anything = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=80, deadline=None)
@given(anything, anything, anything, anything, st.sampled_from([f for f in Ring.__dataclass_fields__]))
def test_any_numbers_give_a_finite_decision(x, y, speed, steering, sensor):
    function = aeb()
    for i in range(5):
        now = START_NS + nanoseconds(i * CYCLE_S)
        ego = EgoState(now, speed, steering_rad=steering, gear=Gear.REVERSE)
        decision = function.step(now, ego, None, None, None, Echoes(now, (EchoPoint(sensor, x, y, 1.0, now),)))
        assert decision.request.accel_mps2 in (None, -Limits().emergency.decel_max_mps2)
        assert all(map(math.isfinite, decision.state.values.values()))


def play(scenario, sensors, seed):
    world = World(scenario, seed, sensors=sensors)
    return world, [o.decisions[Function.AEB].state.state for o in drive(world, load_pipeline(camera=world.camera))]


SENSORS = [(CLEAN, 0), (NOISY, 1), (NOISY, 2)]


@pytest.mark.parametrize(("sensors", "seed"), SENSORS)
@pytest.mark.parametrize("speed", [0.8, 1.5, 2.2])
def test_parking_in_reverse_between_two_cars_brakes_for_neither(sensors, seed, speed):
    beside = VEHICLE.width_m / 2.0 + 0.4 + 1.85 / 2.0
    cars = tuple(body(f"car {k}", "car", START_S_M - 6.0, RIGHT_LANE_M + k * beside, 0.0) for k in (-1, 1))
    driver = DriverScript((Phase(0.0, speed_mps=-speed, gear=Gear.REVERSE),))
    world, seen = play(scene("between", 8.0 / speed, -speed, driver, cars), sensors, seed)
    assert set(seen) <= {"READY"} and world.contact is None


@pytest.mark.parametrize(("sensors", "seed"), SENSORS)
def test_a_driver_who_creeps_up_to_a_wall_is_left_alone_and_one_who_does_not_is_stopped(sensors, seed):
    wall = body("wall", "wall", START_S_M - 5.0, RIGHT_LANE_M, 0.0, turned_rad=math.pi / 2.0)
    creep = DriverScript((
        Phase(0.0, speed_mps=-1.0, gear=Gear.REVERSE), Phase(2.2, brake=0.03, gear=Gear.REVERSE),
    ))  # fmt: skip
    world, seen = play(scene("creep", 7.0, -1.0, creep, (wall,)), sensors, seed)
    assert set(seen) <= {"READY"} and world.contact is None
    blind = DriverScript((Phase(0.0, speed_mps=-2.2, gear=Gear.REVERSE),))
    world, seen = play(scene("blind", 4.0, -2.2, blind, (wall,)), sensors, seed)
    assert "FULL" in seen and world.contact is None
