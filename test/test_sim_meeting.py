"""Protocol timing: without a stack the ego is hit where and when the protocol says."""

from __future__ import annotations

import math

import pytest

from adas_perception.params import Vehicle
from adas_perception.sim import bodies
from adas_perception.sim.contact import Contact
from adas_perception.sim.curve import Polyline, turn_knots
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.meeting import Approach, crossing, impact_offset_m, parked_row, turned_across
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import KMH, Scenario
from adas_perception.sim.traffic import ActorSpec
from adas_perception.sim.world import World
from adas_perception.types import Side

STRAIGHT = Road(600.0, rails_m=())
VEHICLE = Vehicle()


def crash(ego: Approach, *actors: ActorSpec, cycle_s: float = 0.05) -> Contact | None:
    """Drive into the target; nothing but the driver is in the car."""
    driver = DriverScript((Phase(0.0, speed_mps=ego.speed_mps),))
    scenario = Scenario("meeting", "", 30.0, ego.road, ego.start_s_m, ego.d_m, ego.speed_mps, 0.0, driver, actors)
    world = World(scenario)
    while not world.done and world.contact is None:
        world.step(cycle_s)
    return world.contact


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("percent", [25.0, 50.0, 75.0])
@pytest.mark.parametrize("speed_kmh", [10.0, 40.0, 60.0])
def test_pedestrian_meets_the_car_at_the_impact_location(side: Side, percent: float, speed_kmh: float) -> None:
    ego = Approach(STRAIGHT, 50.0, -1.75, speed_kmh * KMH)
    at = 50.0 + VEHICLE.front_x_m + 6.0 * ego.speed_mps
    walker = crossing("walker", bodies.ADULT, ego, at, side, 5.0 * KMH, 4.0, impact_percent=percent, run_up_m=1.0)
    contact = crash(ego, walker)
    assert contact is not None
    assert contact.front
    assert contact.location_pct == pytest.approx(percent, abs=2.0)
    assert contact.closing_mps == pytest.approx(ego.speed_mps, abs=0.05)
    assert contact.time_s == pytest.approx(ego.front_reaches_s(at - bodies.ADULT.width_m / 2.0), abs=0.02)


@pytest.mark.parametrize(("ego_kmh", "other_kmh"), [(20.0, 60.0), (60.0, 20.0), (40.0, 40.0)])
def test_crossing_car_meets_in_the_middle(ego_kmh: float, other_kmh: float) -> None:
    ego = Approach(STRAIGHT, 50.0, 0.0, ego_kmh * KMH)
    at = 50.0 + 5.0 * ego.speed_mps
    car = crossing("car", bodies.TARGET_CAR, ego, at, Side.LEFT, other_kmh * KMH, 30.0)
    contact = crash(ego, car)
    assert contact is not None
    # The side of the target reaches the front corner before its middle reaches the front's middle.
    assert contact.time_s <= ego.front_reaches_s(at) + 0.01
    assert contact.location_pct == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize("percent", [0.0, 25.0, 100.0])
def test_standing_car_is_hit_at_the_impact_location(percent: float) -> None:
    ego = Approach(STRAIGHT, 50.0, -1.75, 10.0)
    d = -1.75 + impact_offset_m(percent, VEHICLE)
    contact = crash(ego, ActorSpec("target", 150.0, d, 0.0, kind=bodies.TARGET_CAR))
    assert contact is not None
    assert contact.location_pct == pytest.approx(percent, abs=1.0)
    rear = 150.0 - bodies.TARGET_CAR.length_m / 2.0
    assert contact.time_s == pytest.approx((rear - 50.0 - VEHICLE.front_x_m) / 10.0, abs=0.005)


def test_turning_car_meets_the_oncoming_one() -> None:
    road = Road(120.0, turn_knots(60.0, 11.75, math.pi / 2, 6.0), rails_m=(), lines=())
    ego = Approach(road, 10.0, 0.0, 15.0 * KMH)
    oncoming = Polyline([(200.0, 3.5), (-100.0, 3.5)])
    target = turned_across("oncoming", bodies.TARGET_CAR, ego, oncoming, 45.0 * KMH)
    contact = crash(ego, target)
    assert contact is not None
    assert contact.front


def test_walker_who_stops_beside_the_path_is_not_hit_and_stands_where_told() -> None:
    ego = Approach(STRAIGHT, 50.0, 0.0, 10.0)
    walker = crossing("walker", bodies.ADULT, ego, 130.0, Side.RIGHT, 5.0 * KMH, 4.0, run_up_m=1.0, stop_m=1.9)
    driver = DriverScript((Phase(0.0, speed_mps=10.0),))
    world = World(Scenario("kerb", "", 12.0, STRAIGHT, 50.0, 0.0, 10.0, 0.0, driver, (walker,)))
    while not world.done:
        world.step(0.05)
    assert world.contact is None
    assert world.actors[0].y_m == pytest.approx(-1.9, abs=0.05)


def test_too_late_a_start_is_refused() -> None:
    ego = Approach(STRAIGHT, 50.0, 0.0, 20.0)
    with pytest.raises(ValueError, match="farther away"):
        crossing("walker", bodies.ADULT, ego, 80.0, Side.LEFT, 5.0 * KMH, 4.0, run_up_m=1.0)


def test_parked_row_stands_in_line_with_gaps() -> None:
    row = parked_row("parked", 100.0, -4.0, 3, gap_m=1.0)
    fronts = [car.s_m + car.length_m / 2.0 for car in row]
    assert fronts == pytest.approx([100.0, 94.4, 88.8])
    assert {car.d_m for car in row} == {-4.0}


@pytest.mark.parametrize("cycle_s", [0.01, 0.025, 0.05])
def test_contact_does_not_depend_on_the_cycle(cycle_s: float) -> None:
    ego = Approach(STRAIGHT, 50.0, 0.0, 15.0)
    contact = crash(ego, ActorSpec("target", 150.0, 0.0, 0.0), cycle_s=cycle_s)
    assert contact is not None
    assert contact.time_s == pytest.approx((150.0 - 2.3 - 50.0 - VEHICLE.front_x_m) / 15.0, abs=0.005)


@pytest.mark.parametrize("kind", [bodies.STEEL_PLATE, bodies.MANHOLE, bodies.GANTRY, bodies.BRIDGE])
def test_what_a_car_passes_over_or_under_is_no_contact(kind: bodies.Kind) -> None:
    ego = Approach(STRAIGHT, 50.0, 0.0, 15.0)
    assert crash(ego, ActorSpec("thing", 150.0, 0.0, 0.0, kind=kind)) is None
