"""The 60 s drive without ROS: the pipeline behind the adapter's core, by both doors to CARLA's car."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from carla_car import CONTROL_S, AckermannControl, pushed
from carla_drive import BRAKE_S, CANCEL_S, DRIFT_S, scenario

from adas_perception.carla.control import PedalParams, Pedals, Request, ackermann, wanted
from adas_perception.carla.motion import Motion
from adas_perception.carla.signs import steering_rad
from adas_perception.params import Vehicle
from adas_perception.pipeline import load_pipeline
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import EgoState, Function, Gear

pytestmark = pytest.mark.slow
START_NS = 1_000_000_000


class AckermannDoor:
    def __init__(self) -> None:
        self.control = AckermannControl()

    def __call__(self, want, ego):
        command = ackermann(want, ego)
        accel = pushed(*self.control.step(command.speed_mps, command.accel_mps2, ego.speed_mps))
        return accel, command.steering_rad


class VehicleDoor:
    def __init__(self) -> None:
        self.pedals = Pedals(PedalParams())

    def __call__(self, want, ego):
        controls = self.pedals.step(want, ego, TICK_S, 1.2)
        return pushed(controls.throttle, controls.brake), steering_rad(controls.steer, 1.2)


@pytest.fixture(scope="module", params=[AckermannDoor, VehicleDoor])
def drive(request):
    assert TICK_S == CONTROL_S
    world = World(scenario(), start_ns=START_NS)
    pipeline, suite = load_pipeline(camera=world.camera), SensorSuite(world)
    door, motion, rows, states = request.param(), Motion(Vehicle()), [], []
    held = 0.0
    while not world.done:
        own = world.true_ego()
        ego = motion.moved(world.stamp_ns, own.speed_mps, own.yaw_rate_radps, Gear.DRIVE, held)
        samples = [ego if isinstance(s, EgoState) else s for s in suite.samples()]
        output = pipeline.step(world.stamp_ns, samples)
        command = output.safety.command
        asked = Request(command.accel_mps2, command.steering_rad, command.gear, command.hold)
        want = wanted(asked, replace(world.driver_input()), world.action.steering_rad, ego, PedalParams())
        held = want.steering_rad
        world.step(TICK_S, *door(want, ego))
        truth = world.truth()
        rows.append((truth.time_s, own.speed_mps, truth.gap_m, truth.to_left_m, command.accel_mps2 or math.nan))
        states.append({f: d.state.state for f, d in output.decisions.items()} | {"safety": output.safety.mode.value})
    return world, np.array(rows), states, request.param.__name__


def test_acc_follows_and_aeb_stops_without_a_contact(drive):
    world, rows, states, door = drive
    assert world.contact is None, (door, world.contact)
    following = rows[(rows[:, 0] > CANCEL_S - 4.0) & (rows[:, 0] < CANCEL_S)]
    assert following[:, 1] == pytest.approx(50 / 3.6, abs=1.0)
    assert 10.0 < following[:, 2].min() and following[:, 2].max() < 45.0
    assert {s[Function.AEB] for s in states} & {"PARTIAL", "FULL"}
    assert rows[-1, 1] == pytest.approx(0.0, abs=0.05)
    print(f"{door}: follows {following[-1, 2]:.1f} m behind, stands {rows[-1, 2]:.1f} m before the other car")


def test_lka_keeps_the_drifting_car_in_its_lane(drive):
    _, rows, states, _ = drive
    drifting = (rows[:, 0] > DRIFT_S) & (rows[:, 0] < DRIFT_S + 10.0)
    assert rows[drifting, 3].min() > -0.2
    assert "ACTIVE" in {s[Function.LKA] for s, now in zip(states, drifting, strict=True) if now}


def test_nothing_falls_back_before_the_hard_braking(drive):
    _, rows, states, _ = drive
    assert {s["safety"] for s, t in zip(states, rows[:, 0], strict=True) if 2.0 < t < BRAKE_S} == {"normal"}
