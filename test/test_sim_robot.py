"""The driver as a test robot: speed, drift, lane change, wander, reaction to warnings, and the load of the car."""

from __future__ import annotations

import math
from statistics import pstdev

import pytest

from adas_perception.sim.driver import NCAP_DRIVER, Cue, Drift, DriverScript, Phase, Reaction
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import KMH, Scenario
from adas_perception.sim.vehicle import CarParams
from adas_perception.sim.world import World
from adas_perception.types import DriverInput, Gear, Indicator

STRAIGHT = Road(4000.0, rails_m=())
BEND = Road(4000.0, ((0.0, 0.0), (100.0, 0.0), (160.0, 1 / 250)), rails_m=())
WARNED, BRAKING, NOTHING = Cue(warning=True), Cue(True, True), Cue()


def world(script: DriverScript, speed: float, road: Road = STRAIGHT, start_s: float = 50.0, **options: object) -> World:
    scenario = Scenario("robot", "", 60.0, road, start_s, -1.75, speed, speed, script)
    return World(scenario, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kmh", [10.0, 60.0, 130.0])
def test_speed_is_held_within_a_tenth(kmh: float) -> None:
    run = world(DriverScript((Phase(0.0, speed_mps=kmh * KMH),)), kmh * KMH)
    for _ in range(200):
        run.step(0.05)
        assert run.car.speed_mps / KMH == pytest.approx(kmh, abs=0.1)
        assert run.driver_input().accelerator < 0.9  # never a kick-down


@pytest.mark.parametrize("lateral", [0.2, 0.5, 0.8, -0.3])
@pytest.mark.parametrize("road", [STRAIGHT, BEND], ids=["straight", "bend"])
def test_drift_leaves_the_lane_with_the_lateral_speed(lateral: float, road: Road) -> None:
    drift = Drift(lateral)
    speed = 72.0 * KMH
    script = DriverScript((Phase(0.0, speed_mps=speed), Phase(1.0, speed_mps=speed, drift=drift)))
    run = world(script, speed, road, 300.0)
    begin = 1.0 + drift.arc_s(speed) + 0.4
    while run.time_s < begin:
        run.step(0.05)
    before, free = run.d_m, run.driver_input()
    for _ in range(20):
        run.step(0.05)
    assert run.d_m - before == pytest.approx(lateral, abs=0.05)
    assert free.hands_on
    assert free.steering_torque_nm == 0.0


def test_lane_change_takes_its_time_and_ends_in_the_other_lane() -> None:
    phases = (Phase(0.0, speed_mps=20.0),
              Phase(1.0, speed_mps=20.0, lane_d_m=1.75, change_s=4.0, indicator=Indicator.LEFT))  # fmt: skip
    run = world(DriverScript(phases), 20.0)
    offsets = {}
    while run.time_s < 8.0:
        run.step(0.05)
        offsets[round(run.time_s, 2)] = run.d_m
    assert run.driver_input().indicator is Indicator.LEFT
    assert offsets[3.0] == pytest.approx(0.0, abs=0.25)
    assert offsets[5.5] == pytest.approx(1.75, abs=0.15)
    assert max(offsets.values()) < 1.95


def test_wander_has_its_standard_deviation_and_its_seed() -> None:
    def offsets(seed: int) -> list[float]:
        run = world(DriverScript((Phase(0.0, speed_mps=20.0),), wander_sigma_m=0.2), 20.0, seed=seed)
        found = []
        for _ in range(3000):
            run.step(0.05)
            found.append(run.d_m)
        return found

    assert pstdev(offsets(1)) == pytest.approx(0.2, rel=0.25)
    assert offsets(1) == offsets(1)
    assert offsets(1) != offsets(2)


def test_warned_driver_lifts_then_brakes_as_told() -> None:
    run = world(DriverScript((Phase(0.0, speed_mps=20.0),), reaction=NCAP_DRIVER), 20.0)
    trace = {}
    while run.time_s < 4.0:
        run.step(0.05, cue=WARNED if run.time_s > 0.99 else NOTHING)
        trace[round(run.time_s, 2)] = (run.driver_input(), run.car.accel_mps2)
    assert trace[1.5][0].accelerator > 0.0
    assert trace[1.6][0].accelerator == 0.0
    assert trace[2.2][0].brake == 0.0
    assert trace[2.3][0].brake > 0.0
    # 1.2 s after the warning at 1.0 s, a ramp of 0.2 s, and what the brake itself needs.
    assert trace[2.8][1] == pytest.approx(-4.0, abs=0.15)


def test_without_a_reaction_a_warning_changes_nothing_but_braking_lifts_the_foot() -> None:
    run = world(DriverScript((Phase(0.0, speed_mps=20.0),)), 20.0)
    for _ in range(40):
        run.step(0.05, cue=WARNED)
    assert run.car.speed_mps == pytest.approx(20.0, abs=0.05)
    run.step(0.05, cue=BRAKING)
    run.step(0.05)
    assert run.driver_input().accelerator == 0.0
    assert Reaction().brake_s is None


def test_torque_against_assistance_and_reverse() -> None:
    run = world(DriverScript((Phase(0.0, torque_nm=4.0, speed_mps=20.0),)), 20.0)
    assert run.driver_input().steering_torque_nm == 4.0
    back = world(DriverScript((Phase(0.0, speed_mps=-2.0, gear=Gear.REVERSE),)), -2.0)
    for _ in range(40):
        back.step(0.05)
    assert back.car.speed_mps == pytest.approx(-2.0, abs=0.1)
    assert back.s_m == pytest.approx(46.0, abs=0.2)


@pytest.mark.parametrize("mass", [1.0, 1.25])
def test_loaded_car_brakes_as_asked_until_its_brake_is_at_its_end(mass: float) -> None:
    params = CarParams(mass_factor=mass)
    run = world(DriverScript(), 20.0, params=params)
    for _ in range(20):
        run.step(0.05, -5.0)
    assert run.car.accel_mps2 == pytest.approx(-5.0, abs=0.1)
    for _ in range(10):
        run.step(0.05, -10.0)
    end = min(params.brake_max_mps2 / mass, 0.9 * 9.81)
    assert run.car.accel_mps2 == pytest.approx(-end, abs=0.2)


def test_driver_brakes_the_same_with_load() -> None:
    for mass in (1.0, 1.25):
        run = world(DriverScript((Phase(0.0, speed_mps=20.0),), reaction=Reaction(brake_s=0.0)), 20.0,
                    params=CarParams(mass_factor=mass))  # fmt: skip
        for _ in range(30):
            run.step(0.05, cue=WARNED)
        assert run.car.accel_mps2 == pytest.approx(-4.0, abs=0.15)


def test_load_slows_the_engine() -> None:
    speeds = []
    for mass in (1.0, 1.5):
        run = world(DriverScript((Phase(0.0, accelerator=0.8),)), 10.0, params=CarParams(mass_factor=mass))
        for _ in range(60):
            run.step(0.05)
        speeds.append(run.car.speed_mps)
    assert speeds[1] < speeds[0] - 0.5
    assert all(map(math.isfinite, speeds))
    assert isinstance(run.driver_input(), DriverInput)
