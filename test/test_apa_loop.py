"""Parking in the closed loop: echoes in, gated command out, the simulated car; and the measurement of slots."""

from __future__ import annotations

import math

import pytest

from adas_perception.functions.apa.search import Search, SizeParams, edges
from adas_perception.functions.apa.slots import SlotKind, SlotParams
from adas_perception.params import Ring, Vehicle
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.sim.bodies import CAR
from adas_perception.sim.scorecard.criteria.parking import EndsWithin, GapWhileMoving, Parked
from adas_perception.sim.scorecard.manoeuvres.parking import SLOT_AHEAD_M, Parking, ParkingFault, ParkingOverride
from adas_perception.sim.scorecard.play import Conditions, drive_stage, new_world
from adas_perception.sim.scorecard.rows import load_rows

MOUNTS = {name: Ring().mount(name) for name in Ring.names() if name.endswith("_side")}


def measure(run: Parking, seed: int | None = None):
    """Drive past at the speed of the run; return the slots that are found."""
    world = new_world(run.stage(), Conditions(noise_seed=seed))
    ring, search = UltrasonicRing(UltrasonicParams()), Search(SizeParams(), SlotParams(), Vehicle(), None)
    slots = ()
    while world.time_s < run.stop_s:
        world.step(0.05)
        for echo in world.ultrasonics():
            ring.step(echo)
        slots = search.step(world.ego(), ring.echoes(world.stamp_ns), MOUNTS)
    return slots


@pytest.mark.parametrize("speed_kmh", [5, 15, 30])
@pytest.mark.parametrize("gap_m", [0.5, 1.5])
@pytest.mark.parametrize("seed", [None, 1])
def test_edges_are_measured_to_fifteen_centimetres(speed_kmh, gap_m, seed):
    run = Parking(extra_m=1.2, gap_m=gap_m, speed_kmh=speed_kmh)
    (slot,) = measure(run, seed)
    assert slot.kind is SlotKind.PARALLEL
    begin = 400.0 + SLOT_AHEAD_M
    half = slot.length_m / 2.0
    assert slot.x_m - half == pytest.approx(begin, abs=0.15)
    assert slot.x_m + half == pytest.approx(begin + run.opening_m, abs=0.15)
    assert slot.depth_m == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("lean_deg", [5.0, -5.0])
@pytest.mark.parametrize("seed", [None, 1])
def test_neighbours_that_stand_askew_are_measured_with_their_sides(lean_deg, seed):
    run = Parking(extra_m=1.5, lean_deg=lean_deg)
    (slot,) = measure(run, seed)
    lean = math.tan(math.radians(lean_deg))
    assert (slot.before_lean, slot.after_lean) == pytest.approx((-lean, lean), abs=0.015)
    # The opening is given where it is narrowest: at the back when the neighbours turn their tails to each other.
    wider = 2.0 * max(lean, 0.0) * CAR.width_m
    assert slot.length_m == pytest.approx(run.opening_m + wider, abs=0.06)
    neighbours, _ = edges(slot, Vehicle())
    inner = [abs(x) for x, y in neighbours[0] if -1.8 < y < -slot.before_m - 0.05]
    assert 2.0 * min(inner) == pytest.approx(run.opening_m, abs=0.1)


@pytest.mark.parametrize("seed", [None, 1])
def test_the_far_corners_of_the_neighbours_are_not_the_back_of_the_slot(seed):
    """The low kerb is not heard in passing."""
    (slot,) = measure(Parking(thing="low_kerb", extra_m=1.5), seed)
    assert math.isinf(slot.depth_m)


@pytest.mark.parametrize("extra_m", [0.2, 0.5])
@pytest.mark.parametrize("kind", ["parallel", "perpendicular"])
def test_too_small_slots_are_not_found_with_noise_either(kind, extra_m):
    thing = "kerb" if kind == "parallel" else "none"
    for seed in (1, 2):
        assert measure(Parking(kind=kind, thing=thing, extra_m=extra_m), seed) == ()


def judged(run: Parking, *criteria):
    stage = run.stage()
    trace = drive_stage(stage, Conditions())
    assert trace.contact is None
    return [check for criterion in criteria for check in criterion.judge(trace, stage)]


def test_a_perpendicular_slot_is_taken():
    run = Parking(kind="perpendicular", thing="none", extra_m=1.0, side="left")
    checks = judged(run, Parked(heading_deg=90.0, centred_m=0.15, moves_max=5))
    assert all(check.passed for check in checks), checks


def test_a_kerb_that_is_heard_only_on_the_way_is_kept_like_any_other():
    run = Parking(thing="low_kerb", extra_m=1.5)
    checks = judged(run, Parked(kerb_low_m=0.05, kerb_high_m=0.3, moves_max=8), GapWhileMoving(0.1))
    assert all(check.passed for check in checks), checks


@pytest.mark.parametrize("fault", ["dead", "noisy", "crosstalk"])
def test_a_ranger_that_fails_ends_the_manoeuvre(fault):
    run = ParkingFault(kind="perpendicular", thing="none", extra_m=1.2, ranger="rear_left", fault=fault, after_s=3.0)
    checks = judged(run, EndsWithin(within_s=0.2, reason="SENSOR_SILENT"))
    assert all(check.passed for check in checks), checks


@pytest.mark.parametrize("act", ["steer", "brake", "door", "gear"])
def test_the_driver_ends_the_manoeuvre_at_once(act):
    run = ParkingOverride(kind="perpendicular", thing="none", extra_m=1.2, act=act, after_s=3.0)
    checks = judged(run, EndsWithin(within_s=0.1))
    assert all(check.passed for check in checks), checks


def test_every_run_of_the_rows_can_be_staged():
    rows = [row for row in load_rows() if row.id.startswith("P")]
    assert len(rows) == 9
    for case in (case for row in rows for case in row.cases):
        assert math.isfinite(case.manoeuvre.stage().scenario.duration_s)


@pytest.mark.parametrize("angle_deg", [45, 60])
@pytest.mark.parametrize("seed", [None, 1])
def test_cars_at_an_angle_are_recognised(angle_deg, seed):
    run = Parking(kind="angled", thing="none", extra_m=1.0, angle_deg=angle_deg)
    (slot,) = measure(run, seed)
    assert slot.kind is SlotKind.ANGLED
    assert math.degrees(slot.axis_rad) == pytest.approx(angle_deg, abs=3.0)
    end = 400.0 + SLOT_AHEAD_M + run.opening_m
    assert slot.x_m + slot.length_m / 2.0 == pytest.approx(end, abs=0.15)
