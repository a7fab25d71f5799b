"""The sensors as a clocked whole: periods, latency, determinism of a whole drive; radar visibility and ghosts."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from adas_perception.pipeline import load_pipeline
from adas_perception.sim import bodies
from adas_perception.sim.ghosts import GhostTracks, ghost_points
from adas_perception.sim.loop import drive
from adas_perception.sim.radar_model import RADARS, scan_radar
from adas_perception.sim.scenarios import scenario
from adas_perception.sim.sensors import Box, Surroundings
from adas_perception.sim.setup import CLEAN, NOISY, SensorSetup
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import Detections, EgoState, LaneLines, RadarScan, UltrasonicEcho


def test_sensors_keep_their_periods_and_results_come_late() -> None:
    world = World(scenario("short_follow"), sensors=CLEAN)
    suite = SensorSuite(world)
    arrived: list[tuple[float, object]] = []
    while world.time_s < 2.0:
        arrived += [(world.time_s, sample) for sample in suite.samples()]
        world.step(0.025)

    def of(kind: type, **want: str) -> list[tuple[float, float]]:
        return [
            (t, s.stamp_ns / 1e9) for t, s in arrived
            if isinstance(s, kind) and all(getattr(s, k) == v for k, v in want.items())
        ]  # fmt: skip

    assert len(of(RadarScan, sensor="front")) == 40
    assert len(of(RadarScan, sensor="rear_left")) == 20
    for kind in (Detections, LaneLines):
        ages = [t - stamp for t, stamp in of(kind)]
        assert ages == pytest.approx([CLEAN.camera.latency_s] * len(ages))
        assert len(ages) == 39
    assert not of(UltrasonicEcho)  # nobody parks at 70 km/h


def test_a_car_without_front_corner_radars_never_hears_from_them() -> None:
    sensors = replace(CLEAN, radars={name: RADARS[name] for name in ("front", "rear_left", "rear_right")})
    world = World(scenario("short_follow"), sensors=sensors)
    pipeline = load_pipeline(camera=world.camera)
    suite = SensorSuite(world)
    while world.time_s < 2.0:
        samples = suite.samples()
        assert not [s for s in samples if isinstance(s, RadarScan) and s.sensor.startswith("front_")]
        output = pipeline.step(world.stamp_ns, samples)
        world.step(0.05, output.safety.command.accel_mps2, output.safety.command.steering_rad)
    assert output.safety.reason == "ok"


def test_boxes_of_the_camera_can_be_left_out() -> None:
    world = World(scenario("short_follow"), sensors=CLEAN)
    suite = SensorSuite(world, camera_boxes=False)
    for _ in range(10):
        assert not any(isinstance(s, Detections) for s in suite.samples())
        world.step(0.05)


@pytest.mark.parametrize("sensors", [CLEAN, NOISY], ids=["clean", "noisy"])
def test_a_whole_drive_repeats_bit_for_bit(sensors: SensorSetup) -> None:
    def prints(seed: int) -> list[str]:
        world = World(scenario("short_cut_in"), seed, sensors=sensors)
        pipeline = load_pipeline(camera=world.camera)
        return [repr((o.safety.command, o.objects, o.lanes, world.ego())) for o in drive(world, pipeline)]

    first = prints(3)
    assert prints(3) == first
    assert (prints(4) == first) is (sensors is CLEAN)


def test_stack_sees_objects_with_radar_and_camera() -> None:
    world = World(scenario("short_follow"), sensors=CLEAN)
    outputs = list(drive(world, load_pipeline(camera=world.camera)))
    (lead,) = [t for t in outputs[60].objects.tracks if abs(t.y_m) < 1.5 and t.x_m > 0.0]
    assert int(lead.sources) == 3
    assert not any(output.safety.violations for output in outputs)


# --- what a radar sees --------------------------------------------------------------------------------------


def seen(*boxes: Box, ghosts: tuple = (), rng: Random | None = None) -> RadarScan:
    return scan_radar("front", RADARS["front"], 1, EgoState(1, 20.0), Surroundings(boxes), rng, ghosts)


def body(x: float, y: float, kind: bodies.Kind) -> Box:
    return Box(x, y, 0.0, kind.length_m, kind.width_m, kind.height_m, 0.0, 0.0, kind)


@pytest.mark.parametrize(("kind", "far"), [(bodies.CAR, 190.0), (bodies.ADULT, 75.0), (bodies.STEEL_PLATE, 110.0)])
def test_radar_range_depends_on_what_it_is(kind: bodies.Kind, far: float) -> None:
    assert len(seen(body(far, 0.0, kind)).range_rate) > 0
    assert len(seen(body(kind.radar_range_m + 15.0, 0.0, kind)).range_rate) == 0


def test_gantry_is_seen_from_far_and_passes_above_the_beam() -> None:
    far, near = seen(body(100.0, 0.0, bodies.GANTRY)), seen(body(25.0, 0.0, bodies.GANTRY))
    assert len(far.range_rate) > 0
    assert (far.xyz[:, 2] > 4.0).all()
    assert len(near.range_rate) == 0


def test_plate_hides_nobody_and_a_parked_car_hides_the_child() -> None:
    child = body(26.0, 0.0, bodies.CHILD)
    assert seen(body(18.0, 0.0, bodies.STEEL_PLATE), child).xyz[:, 0].max() > 21.0
    assert seen(body(20.0, 0.0, bodies.CAR), child).xyz[:, 0].max() < 19.0


def test_long_wall_returns_points_all_along() -> None:
    xs = seen(body(40.0, -6.0, bodies.WALL)).xyz[:, 0]
    assert len(xs) >= 5
    assert np.ptp(xs) > 10.0


def test_ghosts_live_as_long_as_told_and_come_as_often() -> None:
    ghosts = GhostTracks(every_s=1.0)
    alive = [bool(ghost_points(ghosts, 5, k * 0.05, 27.0)) for k in range(2000)]
    runs = "".join("x" if a else " " for a in alive).split()
    assert len(runs) == pytest.approx(100, abs=2)
    assert {len(run) for run in runs} <= {1, 2}
    assert ghost_points(ghosts, 5, 0.3, 27.0) == ghost_points(ghosts, 5, 0.3, 27.0)


def test_ghosts_stand_in_the_way_and_reach_the_scan() -> None:
    ghosts = GhostTracks(every_s=0.1, life_s=0.1, points=3)
    points = ghost_points(ghosts, 1, 0.05, 27.0)
    assert len(points) == 3
    assert all(reach * math.cos(azimuth) > 5.0 and -27.0 <= rate <= 0.0 for reach, azimuth, rate, _ in points)
    assert len(seen(ghosts=tuple(points)).range_rate) == 3
    world = World(scenario("free_road"), sensors=SensorSetup(noisy=False, ghosts=ghosts))
    world.step(0.05)
    quiet = World(scenario("free_road"), sensors=CLEAN)
    quiet.step(0.05)
    assert len(world.radar("front").range_rate) == len(quiet.radar("front").range_rate) + 3
