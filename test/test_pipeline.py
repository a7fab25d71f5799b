"""The whole stack without ROS in closed loop with the simulated car."""

import numpy as np
import pytest

from adas_perception.limits import Limits
from adas_perception.pipeline import load_pipeline
from adas_perception.safety.monitor import Mode
from adas_perception.sim.driver import Button, DriverScript, Phase
from adas_perception.sim.loop import TICK_S, drive
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import Scenario, scenario
from adas_perception.sim.world import World
from adas_perception.types import Function

START_NS = 10_000_000_000


def run(name: str, preset: str = ""):
    world = World(scenario(name), start_ns=START_NS)
    pipeline = load_pipeline(preset, camera=world.camera)
    return [(world.truth(), world.car.accel_mps2, output) for output in drive(world, pipeline)]


def states(ticks, function: Function) -> list[str]:
    seen = [output.decisions[function].state.state for _, _, output in ticks]
    return [s for i, s in enumerate(seen) if i == 0 or seen[i - 1] != s]


@pytest.fixture(scope="module")
def demo():
    return run("demo")


def test_the_demo_is_driven_without_contact_and_within_the_lane(demo):
    assert not any(truth.contact for truth, _, _ in demo)
    assert min(min(t.to_left_m, t.to_right_m) for t, _, _ in demo) > -0.1
    assert min(t.gap_m for t, _, _ in demo) > 1.0
    assert {o.safety.mode for _, _, o in demo[60:]} == {Mode.NORMAL}


def test_every_function_is_at_work_in_the_demo(demo):
    assert {"ACTIVE", "HOLD"} <= set(states(demo, Function.ACC))
    assert 2.5 < demo[-1][0].gap_m < 5.0  # behind the standing car that the camera sees, by ACC alone
    assert set(states(demo, Function.AEB)) == {"READY", "WARN"}
    assert states(demo, Function.LKA).count("ACTIVE") >= 2
    assert "WARN" in states(demo, Function.BSD)


def test_no_command_of_the_demo_leaves_the_limits(demo):
    limits = Limits()
    requests = [o.safety.command.accel_mps2 for _, _, o in demo]
    accel = np.array([a for a in requests if a is not None])
    assert accel.min() >= -limits.emergency.decel_max_mps2
    assert accel.max() <= limits.longitudinal.accel_low_mps2
    assert not any(o.safety.violations for _, _, o in demo)


def test_same_seed_same_commands():
    first, second = run("short_cut_in"), run("short_cut_in")
    assert [o.safety.command for _, _, o in first] == [o.safety.command for _, _, o in second]


def test_the_guides_aeb_is_the_weaker_one():
    ours, guides = run("short_stopped"), run("short_stopped", "guide")

    def warned(ticks) -> int:
        return next(i for i, (_, _, o) in enumerate(ticks) if o.decisions[Function.AEB].state.state == "WARN")

    assert warned(ours) < warned(guides)
    assert not any(t.contact for t, _, _ in ours)


def test_rear_radars_do_not_make_a_scene_without_the_front_radar_look_fresh():
    """ACC follows; the front radar falls silent while the rear ones go on: the car must brake, not speed up."""
    world, pipeline = World(scenario("short_follow"), start_ns=START_NS), load_pipeline()
    modes, requests = [], []
    while world.time_s < 5.0:
        samples = [world.ego(), world.driver_input(), world.lanes(), world.radar("rear_left")]
        if world.time_s < 2.5:
            samples.append(world.radar("front"))
        output = pipeline.step(world.stamp_ns, samples)
        command = output.safety.command
        world.step(TICK_S, command.accel_mps2, command.steering_rad)
        if world.time_s > 3.0:
            modes.append(output.safety.mode)
            requests.append(command.accel_mps2)
    assert set(modes) == {Mode.FALLBACK}
    assert requests[-1] == pytest.approx(-2.0)


@pytest.mark.parametrize("curvature", [0.0, 1 / 400])
def test_in_fallback_the_car_is_kept_in_its_lane_until_it_stands(curvature):
    """The radar node dies while ACC drives; the driver does nothing."""
    speed = 25.0
    road = Road(2000.0, ((0.0, curvature), (2000.0, curvature)), rails_m=())
    phases = (Phase(0.0, speed_mps=speed), Phase(1.3, hands_on=False, drift_rad=0.002))
    driver = DriverScript(phases, ((1.2, Button.ACC_SET),))
    begin = Scenario("fallback", "fallback", 40.0, road, 100.0, road.lane_centres_m[0], speed, speed, driver, ())
    world = World(begin, start_ns=START_NS)
    pipeline, ticks = load_pipeline(camera=world.camera), []
    for output in drive(world, pipeline):
        if world.time_s > 1.6:
            pipeline.running = pipeline.running - {"radar"}
        ticks.append((world.truth(), output))
        if world.car.speed_mps < 0.05:
            break
    assert world.car.speed_mps < 0.05
    assert ticks[-1][1].safety.mode is Mode.FALLBACK
    assert min(min(t.to_left_m, t.to_right_m) for t, _ in ticks) > 0.0
    assert {o.decisions[Function.LKA].state.reason for _, o in ticks[60:]} == {"FALLBACK"}
