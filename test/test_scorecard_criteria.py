"""Criteria as tables: bands of the protocols, and rules on traces made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.sim.contact import Contact
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.scorecard.criteria import CRITERIA, Check
from adas_perception.sim.scorecard.criteria.bands import colour, head_on_colour, limit_of, r152_limit_kmh
from adas_perception.sim.scorecard.criteria.lane import WarnedInZone
from adas_perception.sim.scorecard.manoeuvres import MANOEUVRES
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import Tick, Trace


@pytest.mark.parametrize(
    ("speed_kmh", "impacts"),
    [
        (10, {0: "green", 0.1: "red", 9: "red"}),
        (20, {0: "green", 5: "red"}),
        (30, {0: "green", 10: "brown", 10.1: "red"}),
        (40, {0: "green", 10: "orange", 20: "brown", 20.1: "red"}),
        (50, {0: "green", 10: "yellow", 20: "orange", 30: "brown", 30.1: "red"}),
        (130, {0: "green", 3: "yellow", 31: "red"}),
    ],
)
def test_colours_of_en26(speed_kmh: float, impacts: dict[float, str]) -> None:
    assert {impact: colour(speed_kmh, impact) for impact in impacts} == impacts


def test_limit_of_a_colour_is_its_own_edge() -> None:
    for speed in (10, 20, 30, 40, 50, 80):
        for worst in ("green", "brown"):
            edge = limit_of(speed, worst)
            assert colour(speed, edge) != "red"
            assert colour(speed, edge + 0.1) != worst


@pytest.mark.parametrize(("reduction", "name"), [(20.1, "green"), (20.0, "orange"), (10.1, "orange"), (10.0, "red")])
def test_head_on_colours(reduction: float, name: str) -> None:
    assert head_on_colour(reduction) == name


@pytest.mark.parametrize(
    ("speed", "target", "load", "limit"),
    [(20, "car", "laden", 0), (42, "car", "laden", 10), (42, "car", "running", 0), (60, "car", "running", 35),
     (60, "bicycle", "running", 40), (38, "bicycle", "running", 0), (30, "pedestrian", "running", 0)],
)  # fmt: skip
def test_impact_speeds_of_r152(speed: float, target: str, load: str, limit: float) -> None:
    assert r152_limit_kmh(speed, target, load) == limit


def stage(name: str = "approach", **figures: object) -> Stage:
    return MANOEUVRES[name].from_mapping(figures).stage()


def trace(seconds: float = 10.0, hit_mps: float | None = None, **columns: object) -> Trace:
    """Return a trace of constants, or of functions of time."""
    time = np.arange(0.0, seconds, TICK_S)
    quiet = {"gap_m": 20.0, "ttc_s": math.inf, "to_left_m": 0.8, "to_right_m": 0.8, "speed_mps": 20.0,
             "accel_request_mps2": math.nan}  # fmt: skip
    values = {name: np.zeros_like(time) for name in Tick._fields}
    for name, value in {**quiet, **columns}.items():
        values[name] = np.broadcast_to(value(time) if callable(value) else value, time.shape).astype(float)
    values["time_s"] = time
    contact = Contact("target", seconds, hit_mps, hit_mps, 50.0, True) if hit_mps is not None else None
    return Trace(values, contact, ())


def judged(rule: str, run: Trace, staged: Stage, **figures: object) -> list[Check]:
    return CRITERIA[rule].from_mapping(figures).judge(run, staged)


def passes(rule: str, run: Trace, staged: Stage | None = None, **figures: object) -> bool:
    return all(check.passed for check in judged(rule, run, staged or stage(), **figures))


def test_an_impact_is_coloured_by_the_test_speed() -> None:
    hit = trace(hit_mps=9.0 / 3.6)
    (check,) = judged("impact_colour", hit, stage(speed_kmh=50), worst="brown")
    assert (check.colour, check.points, check.passed) == ("yellow", 0.75, True)
    assert not passes("impact_colour", hit, stage(speed_kmh=50))
    assert not passes("impact_colour", hit, stage(speed_kmh=20), worst="brown")
    assert passes("impact_colour", trace(), stage(speed_kmh=20))


def test_a_touch_without_speed_is_still_a_contact() -> None:
    assert not passes("no_contact", trace(hit_mps=0.0))
    assert passes("no_contact", trace(hit_mps=5.0), stage(speed_kmh=30), up_to_kmh=20)
    assert not passes("no_contact", trace(hit_mps=5.0), stage(speed_kmh=20), up_to_kmh=20)


def test_warning_comes_before_braking() -> None:
    def run(warned: float) -> Trace:
        return trace(
            aeb_warns=lambda t: t >= warned, aeb_brakes=lambda t: t >= 5.0,
            accel_request_mps2=lambda t: np.where(t >= 5.0, -6.0, math.nan),
        )  # fmt: skip

    assert passes("warns_before_braking", run(4.0))
    assert not passes("warns_before_braking", run(4.5))
    assert not passes("warns_before_braking", trace())


def test_braking_of_the_driver_is_not_added_braking() -> None:
    pressed = 3.0 / stage().car.brake_max_mps2
    run = trace(brake=pressed, accel_request_mps2=-5.0, aeb_brakes=0.0)
    assert passes("no_braking", run)
    braked = trace(brake=pressed, accel_request_mps2=-5.0, aeb_brakes=1.0)
    assert judged("no_braking", braked, stage())[0].value == pytest.approx(2.0 / 9.81)
    assert not passes("no_braking", braked)


@pytest.mark.parametrize(
    ("accel", "good"),
    [(lambda t: 0.0 * t, True), (lambda t: 0.0 * t + 2.1, False), (lambda t: 0.0 * t - 3.6, False),
     (lambda t: -3.4 * (t > 5.0), False), (lambda t: -np.clip(t - 4.0, 0.0, 1.3) * 2.4, True)],
)  # fmt: skip
def test_iso_envelope_at_high_speed(accel: object, good: bool) -> None:
    assert passes("iso_envelope", trace(acc_active=1.0, speed_mps=25.0, accel_mps2=accel)) is good


def test_a_gap_of_the_time_gap_is_steady() -> None:
    assert passes("steady_gap", trace(speed_mps=20.0, gap_m=33.0), time_gap_s=1.5)
    assert passes("steady_gap", trace(speed_mps=20.0, gap_m=36.2), time_gap_s=1.5)
    assert not passes("steady_gap", trace(speed_mps=20.0, gap_m=36.4), time_gap_s=1.5)
    assert not passes("steady_gap", trace(speed_mps=20.0, gap_m=12.0), time_gap_s=0.5)


@pytest.mark.parametrize(("rate", "warned_at", "good"), [(0.4, 0.7, True), (0.4, 0.76, False), (0.4, -0.29, True),
                                                         (0.4, -0.31, False), (0.8, 1.1, True)])  # fmt: skip
def test_warning_zone_of_iso_17361(rate: float, warned_at: float, good: bool) -> None:
    start = 1.6
    run = trace(
        to_left_m=lambda t: start - rate * t, to_right_m=2.0, lka_warns=lambda t: start - rate * t <= warned_at
    )  # fmt: skip
    assert all(check.passed for check in WarnedInZone().judge(run, stage("departure"))) is good


def test_a_lamp_counts_from_the_entry_into_the_zone() -> None:
    staged = stage("beside", side="left")
    length = staged.scenario.actors[0].length_m

    def run(delay: float) -> Trace:
        # Its front enters the zone, 3 m behind the bumper, after four seconds.
        rear = -staged.car.vehicle.rear_overhang_m - 3.0
        x = lambda t: np.minimum(rear - length / 2.0 + 2.0 * (t - 4.0), 0.0)  # noqa: E731
        return trace(target_x_m=x, target_y_m=3.0, bsd_left=lambda t: t >= 4.0 + delay)

    assert passes("lamp_in_zone", run(0.2), staged)
    assert not passes("lamp_in_zone", run(0.4), staged)
    assert not passes("lamp_in_zone", run(99.0), staged)


@pytest.mark.parametrize(("closing", "ttc", "good"), [(5, 2.6, True), (5, 2.4, False), (15, 2.9, False),
                                                      (15, 3.1, True), (20, 3.4, False), (20, 3.6, True)])  # fmt: skip
def test_lamp_by_the_type_of_closing_speed(closing: float, ttc: float, good: bool) -> None:
    staged = stage("overtaken", closing_mps=closing)
    half = staged.scenario.actors[0].length_m / 2.0
    behind = -staged.car.vehicle.rear_overhang_m - half
    run = trace(
        target_x_m=lambda t: behind - closing * (8.0 - t), target_y_m=3.0, bsd_left=lambda t: 8.0 - t <= ttc
    )  # fmt: skip
    assert passes("lamp_by_ttc", run, staged) is good


def test_platoon_gain_compares_each_car_with_the_one_before() -> None:
    def leg(peak: float, ahead: float) -> Trace:
        late = {"speed_mps": peak, "target_speed_mps": ahead}
        return trace(20.0, **{name: lambda t, dip=dip: 20.0 - dip * (t > 12.0) for name, dip in late.items()})

    staged = stage("platoon", speed_kmh=72)
    first, good, bad = leg(3.0, 4.0), leg(3.0, 3.0), leg(3.3, 3.0)
    assert passes("string_stable", Trace(good.columns, None, (), (first,)), staged)
    assert not passes("string_stable", Trace(bad.columns, None, (), (first,)), staged)
