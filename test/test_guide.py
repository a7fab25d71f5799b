"""The guide's own examples, its preset, and what its rules do in a closed loop (STANDARDS figures)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from closed_loop import KMH, START_NS, Lead, drive, objects_of
from hypothesis import given
from hypothesis import strategies as st
from lateral_loop import drive as drive_lane

from adas_perception.functions import guide
from adas_perception.functions.acc import Acc, AccParams
from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.apa import ApaParams
from adas_perception.functions.bsd import REAR_RADARS, Bsd, BsdParams
from adas_perception.functions.lka import Lka, LkaParams
from adas_perception.limits import Limits
from adas_perception.params import Config
from adas_perception.types import DriverInput, EgoState, Objects, RadarTargets, Side, Track, nanoseconds

LIMITS = Limits()
PRESET = Path(__file__).resolve().parents[1] / "config" / "presets" / "guide.yaml"
ACC, AEB, LKA, BSD, APA = guide.AccRule(), guide.AebRule(), guide.LkaRule(), guide.BsdRule(), guide.ApaRule()


# --- the guide's examples ---------------------------------------------------------------------------------


def test_acc_examples():
    assert guide.acc(80 * KMH, 30.0, 100 * KMH, ACC) is guide.AccAction.DECELERATE
    assert guide.acc(80 * KMH, 70.0, 100 * KMH, ACC) is guide.AccAction.ACCELERATE
    assert guide.acc(100 * KMH, 70.0, 100 * KMH, ACC) is guide.AccAction.HOLD
    assert guide.acc(80 * KMH, 50.0, 100 * KMH, ACC) is guide.AccAction.ACCELERATE


def test_aeb_example_and_thresholds():
    assert guide.ttc(10.0, 20.0) == 0.5
    assert guide.aeb(10.0, 20.0, AEB) is guide.AebAction.FULL
    assert guide.aeb(12.0, 20.0, AEB) is guide.AebAction.HALF
    assert guide.aeb(30.0, 20.0, AEB) is guide.AebAction.WARN
    assert guide.aeb(60.0, 20.0, AEB) is guide.AebAction.NONE
    assert guide.ttc(10.0, 0.0) == math.inf
    assert guide.aeb(0.1, -5.0, AEB) is guide.AebAction.NONE


def test_lka_thresholds():
    actions = [guide.lka(offset, LKA) for offset in (0.3, 0.31, 0.5, 0.51)]
    assert actions == [guide.LkaAction.NONE, guide.LkaAction.WARN, guide.LkaAction.WARN, guide.LkaAction.STEER]


def test_bsd_box():
    assert guide.bsd(-2.5, 1.0, BSD) is Side.LEFT
    assert guide.bsd(-2.5, -1.0, BSD) is Side.RIGHT
    assert guide.bsd(-4.5, 1.0, BSD) is None
    assert guide.bsd(-0.5, 1.0, BSD) is None
    # A car in the middle of a 3.5 m neighbour lane is never inside: the reason why this is not the default.
    assert guide.bsd(-2.5, 3.5, BSD) is None


def test_parking_sizes():
    assert guide.parking(6.0, APA) == (True, True)
    assert guide.parking(5.9, APA) == (False, True)
    assert guide.parking(2.4, APA) == (False, False)


@given(st.floats(0.1, 100.0), st.floats(-50.0, 50.0))
def test_guide_braking_grows_with_closing_speed(distance, closing):
    order = list(guide.AebAction)
    faster = guide.aeb(distance, closing + 1.0, AEB)
    assert order.index(faster) >= order.index(guide.aeb(distance, closing, AEB))


@given(st.floats(-3.0, 3.0))
def test_guide_lka_is_symmetric(offset):
    assert guide.lka(offset, LKA) is guide.lka(-offset, LKA)


# --- the preset -------------------------------------------------------------------------------------------


def test_the_preset_chooses_the_guide_everywhere_with_its_figures():
    config = Config(PRESET)
    chosen = {n: config.get(n, k) for n, k in [("acc", AccParams), ("aeb", AebParams), ("lka", LkaParams)]}
    chosen |= {n: config.get(n, k) for n, k in [("bsd", BsdParams), ("apa", ApaParams)]}
    assert {p.rule for p in chosen.values()} == {"guide"}
    rules = {"acc": ACC, "aeb": AEB, "lka": LKA, "bsd": BSD, "apa": APA}
    assert {name: p.guide for name, p in chosen.items()} == rules


# --- in the loop ------------------------------------------------------------------------------------------


def guide_aeb() -> Aeb:
    return Aeb(AebParams(rule="guide"), LIMITS)


@pytest.mark.parametrize(
    ("speed", "impact"), [(10, 0), (20, 0), (40, 0), (60, 23), (70, 35), (80, 46), (100, 68), (130, 100)]
)
def test_stopped_car_as_computed_in_the_standards(speed, impact):
    run = drive(guide_aeb(), speed * KMH, Lead(speed * KMH * 6, 0.0), seconds=20)
    assert run.impact_kmh == pytest.approx(impact, abs=2.0)


def test_at_50_km_per_h_the_guide_is_at_its_limit():
    """Computed without margin (0.12 m left); the 50 ms cycle decides, so a light contact is the same finding."""
    run = drive(guide_aeb(), 50 * KMH, Lead(50 * KMH * 6, 0.0), seconds=20)
    assert run.impact_kmh < 8.0


@pytest.mark.parametrize(("speed", "impact"), [(30, 0), (40, 11), (50, 16), (60, 19), (70, 22), (80, 25), (130, 38)])
def test_braking_lead_as_computed_in_the_standards(speed, impact):
    lead = Lead(speed * KMH, speed * KMH, lambda t: -4.0 * min(max(t - 2.0, 0.0), 1.0), 2 * KMH)
    run = drive(guide_aeb(), speed * KMH, lead, seconds=20)
    assert run.impact_kmh == pytest.approx(impact, abs=4.5)


def test_half_braking_is_half_of_full():
    now = START_NS
    function = guide_aeb()
    half = function.step(now, EgoState(now, 20.0), None, objects_of(now, 20.0, 0.0, 0.0), None)
    full = function.step(now, EgoState(now, 20.0), None, objects_of(now, 10.0, 0.0, 0.0), None)
    free = function.step(now, EgoState(now, 20.0), None, Objects(now), None)
    assert half.request.accel_mps2 == pytest.approx(-4.415)
    assert full.request.accel_mps2 == pytest.approx(-8.83)
    assert free.request.accel_mps2 is None


def test_acc_brakes_below_50_m_whatever_the_speed():
    function = Acc(AccParams(rule="guide"), LIMITS)
    accel = {}
    for i in range(120):
        now = START_NS + nanoseconds(i * 0.05)
        driver = DriverInput(now, acc_set=i == 1)
        gap = 60.0 if i < 60 else 45.0
        decision = function.step(now, EgoState(now, 10.0), driver, objects_of(now, gap, 30.0, 0.0), None)
        accel[gap] = decision.request.accel_mps2
    assert accel[60.0] == pytest.approx(0.0)
    assert accel[45.0] == pytest.approx(-2.0)


def test_lka_steers_half_a_metre_off_the_middle():
    run = drive_lane(Lka(LkaParams(rule="guide"), LIMITS), 20.0, drift=0.4)
    first = next(row for row in run.rows if row[-1].state.state == "ACTIVE")
    assert first[1] == pytest.approx(0.5, abs=0.08)
    assert run.margin_min == pytest.approx(0.16, abs=0.1)


def test_bsd_sees_only_its_box():
    function = Bsd(BsdParams(rule="guide"), LIMITS)

    def level(y):
        for i in range(30):
            now = START_NS + nanoseconds(i * 0.05)
            track = Track(1, -2.5, y, 20.0, 0.0, age=9)
            for name in REAR_RADARS:
                function.hear(RadarTargets(now, name))
            decision = function.step(now, EgoState(now, 20.0), DriverInput(now), Objects(now, (track,)), None)
        return decision.state.values["left_level"]

    assert level(1.5) == 1.0
    assert level(3.5) == 0.0
