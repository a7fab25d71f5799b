"""The world as a whole: determinism, truth, and every scenario played with a stand-in for the stack."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.params import Vehicle
from adas_perception.sim.scenarios import SCENARIOS, scenario
from adas_perception.sim.sensors import EgoNoise
from adas_perception.sim.world import World

VEHICLE = Vehicle()
DT = 0.01


def cruise(world: World) -> float | None:
    """Stand-in for ACC: a constant time gap on the true figures."""
    if world.time_s < 0.6:
        return None
    truth, speed = world.truth(), world.car.speed_mps
    accel = 0.5 * (world.scenario.set_speed_mps - speed)
    if truth.gap_m < 120.0:
        accel = min(accel, 0.15 * (truth.gap_m - 4.0 - 1.3 * speed) + 0.7 * (truth.lead_speed_mps - speed))
    return min(max(accel, -6.0), 2.0)


def keep_lane(world: World) -> float | None:
    """Stand-in for lane keeping: steer back once a side is near its line and nobody holds the wheel."""
    truth, speed = world.truth(), max(world.car.speed_mps, 3.0)
    if world.driver_input().hands_on or min(truth.to_left_m, truth.to_right_m) > 0.4:
        return None
    heading = world.car.yaw_rad - world.road.point(world.s_m).yaw_rad
    lateral = -0.64 * truth.offset_m - 1.8 * speed * heading
    curvature = world.road.point(world.s_m).curvature + lateral / speed**2
    return VEHICLE.steering_for(curvature, speed)


def fingerprint(seed: int) -> list[bytes]:
    world = World(scenario("short_cut_in"), seed, noise=EgoNoise())
    prints = []
    while world.time_s < 3.0:
        world.step(DT, cruise(world), keep_lane(world))
        if round(world.time_s / DT) % 50 == 0:
            scan = world.radar("front")
            prints += [repr(world.ego()).encode(), scan.xyz.tobytes(), scan.range_rate.tobytes()]
            prints += [world.picture().rgb.tobytes(), repr(world.ultrasonics()).encode(), repr(world.truth()).encode()]
    return prints


def test_same_seed_same_result_bit_for_bit() -> None:
    assert fingerprint(4) == fingerprint(4)


def test_other_seed_other_noise() -> None:
    assert all(a != b for a, b in zip(fingerprint(4)[1::6], fingerprint(5)[1::6], strict=True))


def test_order_of_measuring_does_not_matter() -> None:
    a, b = World(scenario("short_follow"), 1), World(scenario("short_follow"), 1)
    first = a.radar("front")
    b.radar("rear_left")
    b.ultrasonics()
    assert np.array_equal(first.xyz, b.radar("front").xyz)


def test_stamps_count_from_the_given_start() -> None:
    world = World(scenario("free_road"), start_ns=7_000_000_000)
    for _ in range(10):
        world.step(DT)
    assert world.time_s == pytest.approx(0.1)
    assert world.ego().stamp_ns == world.radar("front").stamp_ns == world.picture().stamp_ns == 7_100_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_plays_with_stand_ins_without_contact(name: str) -> None:
    world = World(scenario(name))
    smallest = math.inf
    while not world.done:
        world.step(0.02, cruise(world), keep_lane(world))
        truth = world.truth()
        assert not truth.contact, f"{name}: contact with {truth.lead} at {truth.time_s:.2f} s"
        smallest = min(smallest, truth.to_left_m, truth.to_right_m)
    assert smallest > -0.3


def test_demo_shows_what_it_promises() -> None:
    world = World(scenario("demo"))
    leads, beside, speeds, sides = [], 0, [], []
    while not world.done:
        world.step(0.02, cruise(world), keep_lane(world))
        truth = world.truth()
        leads += [truth.lead] if truth.lead and (not leads or leads[-1] != truth.lead) else []
        beside += any(-4.0 < b.x_m < 2.0 and 2.0 < b.y_m < 5.0 for b in world.surroundings().boxes)
        speeds.append(world.car.speed_mps)
        sides.append((truth.to_left_m, truth.to_right_m))
    order = [name for name in leads if name]
    assert order.index("overtaker") > order.index("lead")
    assert order[-1] == "stopped"
    assert beside > 25
    assert max(speeds) > 79.0 / 3.6
    assert min(left for left, _ in sides) < 0.4
    assert min(right for _, right in sides) < 0.4


def test_without_a_stack_the_lead_and_the_line_are_hit() -> None:
    ahead, drifting = World(scenario("short_stopped")), World(scenario("short_drift"))
    hit = crossed = False
    while not ahead.done:
        ahead.step(0.02)
        hit |= ahead.truth().contact
    while not drifting.done:
        drifting.step(0.02)
        crossed |= drifting.truth().to_left_m < -0.5
    assert hit
    assert crossed


def test_truth_measures_between_bumpers() -> None:
    world = World(scenario("short_follow"))
    truth = world.truth()
    assert truth.gap_m == pytest.approx(102.0 - 2.3 - 60.0 - VEHICLE.front_x_m)
    assert truth.ttc_s == pytest.approx(truth.gap_m / (10.0 / 3.6))
    assert truth.to_left_m == truth.to_right_m == pytest.approx((3.5 - VEHICLE.width_m) / 2.0)


def test_unknown_scenario_lists_the_known() -> None:
    with pytest.raises(ValueError, match="short_follow"):
        scenario("moon")
