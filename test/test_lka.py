"""LKA in a lateral loop: margins to the line, curves, no false interventions, driver, degradation, bad input."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lateral_loop import CYCLE_S, KMH, START_NS, VEHICLE, drive, lines

from adas_perception.functions.beside import Beside, BesideParams
from adas_perception.functions.lane import Drift, time_to_line
from adas_perception.functions.lka import Lka, LkaParams
from adas_perception.limits import Limits
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Gear,
    Indicator,
    LaneLine,
    LaneLines,
    Level,
    Objects,
    Side,
    Track,
    nanoseconds,
)

LIMITS = Limits()


def lka(**params) -> Lka:
    return Lka(LkaParams(**params), LIMITS)


def at(t: float) -> int:
    return START_NS + nanoseconds(t)


# --- margins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("drift", [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
@pytest.mark.parametrize("speed", [50, 72, 100])
def test_the_line_is_not_crossed(speed, drift, side):
    run = drive(lka(), speed * KMH, drift=side * drift)
    assert run.margin_min > 0.0
    assert abs(run.rows[-1][1]) < 0.3
    assert run.rows[-1][-1].state.state == "READY"


@pytest.mark.parametrize("drift", [-0.4, -0.2, 0.2, 0.4])
@pytest.mark.parametrize(
    ("radius", "speed"), [(250, 60), (250, 72), (500, 72), (500, 100), (1000, 100), (1000, 130), (-250, 72)]
)
def test_curves_within_the_limits_of_iso_11270(radius, speed, drift):
    run = drive(lka(), speed * KMH, drift=drift, curvature=1.0 / radius)
    assert run.margin_min > 0.0
    lateral = [row[3] for row in run.rows]
    assert max(map(abs, lateral)) <= 3.0
    half_second = [(b - a) / 0.5 for a, b in zip(lateral, lateral[10:], strict=False)]
    assert max(map(abs, half_second)) <= 5.0


@pytest.mark.parametrize("width", [2.75, 3.0, 3.5, 3.75])
def test_narrow_and_wide_lanes(width):
    assert drive(lka(), 20.0, drift=0.4, width=width).margin_min > 0.0


def test_the_request_neither_starts_nor_ends_with_a_step():
    for curvature in (0.0, 1 / 500):
        run = drive(lka(), 20.0, drift=0.5, curvature=curvature)
        hold = VEHICLE.steering_for(curvature, 20.0)
        asked = [r for r in run.requests() if r is not None]
        step = VEHICLE.steering_for(LkaParams().jerk_mps3 * CYCLE_S / 400.0, 20.0)
        assert abs(asked[0] - hold) <= step * 1.1
        assert abs(asked[-1] - hold) <= step * 1.1
        assert all(abs(b - a) <= step * 1.1 for a, b in zip(asked, asked[1:], strict=False))


@pytest.mark.parametrize("drift", [0.1, 0.2, 0.4, 0.6, 0.8])
def test_warns_neither_early_nor_late(drift):
    """ISO 17361: not farther inside than 0.75 m (1.5 s at higher drift), not later than 0.3 m outside."""
    run = drive(lka(), 20.0, drift=drift, seconds=10.0)
    first = next(row for row in run.rows if row[-1].state.reason == "DEPARTURE")
    inside = 1.75 - VEHICLE.width_m / 2 - first[1]
    assert -0.3 < inside <= max(0.75, 1.5 * drift)
    assert first[-1].state.values["side"] == 1.0
    assert first[-1].state.level is Level.WARN


# --- no false interventions -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ordinary_wander_is_left_alone(seed):
    """Ten minutes of a driver who wanders with 0.2 m standard deviation (Ornstein-Uhlenbeck, smoothed)."""
    rng = random.Random(seed)
    function, y, rate, noise = lka(), 0.0, 0.0, 0.0
    worst = 0.0
    for i in range(12000):
        noise += -noise * CYCLE_S / 2.0 + rng.gauss(0.0, 0.2 * math.sqrt(2.0 * CYCLE_S / 2.0))
        before, y = y, y + (noise - y) * CYCLE_S / 1.0
        rate = (y - before) / CYCLE_S
        worst = max(worst, abs(y))
        left, right = lines(y, math.asin(rate / 25.0), 0.0, 3.5)
        decision = function.step(at(i * CYCLE_S), EgoState(at(i * CYCLE_S), 25.0), DriverInput(at(i * CYCLE_S)),
                                 LaneLines(at(i * CYCLE_S), left, right))  # fmt: skip
        assert decision.request.steering_rad is None, (i, y, rate)
    assert worst > 0.4


@pytest.mark.parametrize("side", [1, -1])
def test_an_indicated_lane_change_is_left_alone(side):
    lever = Indicator.LEFT if side > 0 else Indicator.RIGHT
    run = drive(lka(), 20.0, drift=0.5 * side, seconds=3.0, driver=lambda now: DriverInput(now, indicator=lever))
    assert run.states() == {"READY"}
    opposite = drive(lka(), 20.0, drift=-0.5 * side, driver=lambda now: DriverInput(now, indicator=lever))
    assert "ACTIVE" in opposite.states()


def other(t=0.0, x=-6.0, y=3.5, speed=23.0, **more) -> Objects:
    """A car in the lane to the left, 3 m/s faster than the car's 20 m/s."""
    return Objects(at(t), (Track(1, x, y, speed, 0.0, **{"age": 10, **more}),))


class WithScene:
    """LKA that gets the same objects, or the same flag of the fallback, in every cycle."""

    def __init__(self, function, objects=None, fallback=False) -> None:
        self._function, self._objects, self._fallback = function, objects, fallback

    def step(self, now, *scene) -> Decision:
        seen = self._objects and replace(self._objects, stamp_ns=now)
        return self._function.step(now, *scene, seen, fallback=self._fallback)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("x", [-9.0, -2.0, 3.0])
def test_an_indicated_lane_change_towards_somebody_is_countered(side, x):
    """EN26-LD, emergency lane keeping: an overtaking car in the lane that the driver means to take."""
    lever = Indicator.LEFT if side > 0 else Indicator.RIGHT
    scene = WithScene(lka(), other(x=x, y=3.5 * side))
    run = drive(scene, 20.0, drift=0.5 * side, driver=lambda now: DriverInput(now, indicator=lever))
    assert run.margin_min > 0.0
    elsewhere = WithScene(lka(), other(x=x, y=-3.5 * side))
    run = drive(elsewhere, 20.0, drift=0.5 * side, seconds=3.0, driver=lambda now: DriverInput(now, indicator=lever))
    assert run.states() == {"READY"}


def test_the_guide_knows_no_overtaker():
    def requests(objects):
        scene = WithScene(lka(rule="guide"), objects)
        run = drive(scene, 20.0, drift=0.5, seconds=2.0, driver=lambda now: DriverInput(now, indicator=Indicator.LEFT))
        return run.requests()

    assert requests(other()) == requests(None)


@pytest.mark.parametrize(
    ("track", "taken"),
    [
        ({}, True),
        ({"x": -30.0, "speed": 23.0}, False),  # comes in nine seconds
        ({"x": -30.0, "speed": 32.0}, True),  # in two
        ({"x": -8.0, "speed": 18.0}, False),  # falls behind
        ({"x": 8.0}, False),  # has passed
        ({"y": 7.0}, False),  # two lanes away
        ({"y": 1.5}, False),  # in the own lane
        ({"x": 0.0, "speed": 0.0}, False),  # a parked car
        ({"age": 2}, False),  # not yet believed
    ],
)
def test_who_is_in_the_way_beside(track, taken):
    lanes = lines(0.0, 0.0, 0.0, 3.5)
    sides = Beside(BesideParams(), VEHICLE).step(at(0), EgoState(at(0), 20.0), other(**track), lanes)
    assert sides == ({Side.LEFT} if taken else set())


def test_who_is_beside_in_a_bend_without_lines():
    """R 200 to the left: a car 40 m behind in the left lane stands 0.5 m to the right of base_link's axis."""
    radius, ego = 200.0, EgoState(at(0), 20.0, yaw_rate_radps=0.1)
    angle = -40.0 / radius
    x, y = (radius - 3.5) * math.sin(angle), radius - (radius - 3.5) * math.cos(angle)
    track = Track(1, x, y, 40.0 * math.cos(angle), 40.0 * math.sin(angle), yaw_rad=angle, age=10)
    assert Beside(BesideParams(), VEHICLE).step(at(0), ego, Objects(at(0), (track,)), (None, None)) == {Side.LEFT}


def test_a_side_stays_taken_for_a_moment():
    beside, ego, lanes = Beside(BesideParams(), VEHICLE), EgoState(at(0), 20.0), lines(0.0, 0.0, 0.0, 3.5)
    assert beside.step(at(0), ego, other(), lanes) == {Side.LEFT}
    assert beside.step(at(0.4), ego, None, lanes) == {Side.LEFT}
    assert beside.step(at(0.6), ego, None, lanes) == set()


def test_indicating_during_a_correction_ends_it():
    run = drive(
        lka(), 20.0, drift=0.5, seconds=3.0,
        driver=lambda now: DriverInput(now, indicator=Indicator.LEFT if now > at(1.2) else Indicator.OFF),
    )  # fmt: skip
    states = [row[-1].state.state for row in run.rows]
    assert "ACTIVE" in states
    assert states[-1] == "READY"


def test_the_driver_overrides_at_once():
    run = drive(
        lka(), 20.0, drift=0.5, seconds=2.0,
        driver=lambda now: DriverInput(now, steering_torque_nm=3.0 if now >= at(1.2) else 0.0),
    )  # fmt: skip
    states = [(row[0], row[-1]) for row in run.rows]
    assert any(d.request.steering_rad is not None for t, d in states if t < 1.2)
    assert all(d.request.steering_rad is None and d.state.reason == "DRIVER_STEERS" for t, d in states if t > 1.2)


# --- drift ---


def drifts(seconds=4.0, slip=0.0, line_rate=0.0, sigma=0.0, jump=lambda t: 0.0):
    """Rates of both lines that move by ``line_rate`` while their direction tells ``slip`` m/s less."""
    rng, drift, ego = random.Random(3), Drift(2.8, 0.0, 0.6), EgoState(at(0), 30.0)
    for i in range(round(seconds / CYCLE_S) + 1):
        t = i * CYCLE_S
        slope = (line_rate - slip) / 30.0 + rng.gauss(0.0, sigma / 10.0)
        pair = tuple(
            LaneLine((c + line_rate * t + jump(t) + rng.gauss(0.0, sigma) - 2.8 * slope, slope, 0.0, 0.0), 0.0, 60.0)
            for c in (1.75, -1.75)
        )
        rates = drift.step(at(t), pair, ego)
    return rates


@pytest.mark.parametrize("slip", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("rate", [-0.2, 0.0, 0.4])
def test_side_slip_hides_no_drift(slip, rate):
    for value in drifts(slip=slip, line_rate=rate).values():
        assert value == pytest.approx(rate, abs=0.03)


def test_noise_of_the_lines_is_no_drift():
    assert all(abs(value) < 0.05 for value in drifts(sigma=0.03).values())


def test_another_line_is_no_drift():
    assert all(abs(value) < 1e-6 for value in drifts(seconds=2.0, jump=lambda t: 3.5 if t > 1.0 else 0.0).values())


def test_a_line_that_was_away_starts_afresh():
    drift, ego = Drift(2.8, 0.0, 0.6), EgoState(at(0), 30.0)
    left, right = lines(0.0, 0.0, 0.0, 3.5)
    assert drift.step(at(0), (left, None), ego) == {Side.LEFT: 0.0}
    assert drift.step(at(0.05), (None, None), ego) == {}
    moved = lines(0.3, 0.0, 0.0, 3.5)
    assert drift.step(at(1.0), moved, ego) == {Side.LEFT: 0.0, Side.RIGHT: 0.0}
    assert drift.step(at(0.5), moved, ego) == {Side.LEFT: 0.0, Side.RIGHT: 0.0}


# --- fallback ---


@pytest.mark.parametrize("curvature", [0.0, 1 / 150])
@pytest.mark.parametrize("speed", [1.5, 4.0, 9.0, 18.0])
def test_in_fallback_the_car_is_kept_in_the_middle_at_any_speed(speed, curvature):
    run = drive(WithScene(lka(), fallback=True), speed, y=0.4, curvature=curvature, seconds=80.0 / speed)
    assert run.margin_min > 0.0
    assert abs(run.rows[-1][1]) < 0.3
    assert {(row[-1].state.state, row[-1].state.reason) for row in run.rows} == {("ACTIVE", "FALLBACK")}


def test_in_fallback_neither_hands_off_nor_standstill_nor_the_indicator_end_it():
    function = lka()
    for i in range(700):
        step(function, i * 0.1, hands_on=i < 1)
    left, right = lines(0.2, 0.0, 0.0, 3.5)
    now = at(70.0)
    for speed in (20.0, 3.0, 0.0):
        decision = function.step(
            now, EgoState(now, speed), DriverInput(now, hands_on=False, indicator=Indicator.LEFT),
            LaneLines(now, left, right), fallback=True,
        )  # fmt: skip
        assert decision.request.steering_rad is not None and abs(decision.request.steering_rad) < 0.05


def test_in_fallback_the_driver_has_the_last_word():
    left, right = lines(0.2, 0.0, 0.0, 3.5)
    ego, lanes = EgoState(at(0), 20.0), LaneLines(at(0), left, right)
    by_hand = lka().step(at(0), ego, DriverInput(at(0), steering_torque_nm=3.0), lanes, fallback=True)
    assert (by_hand.request.steering_rad, by_hand.state.reason) == (None, "DRIVER_STEERS")
    off = lka(enabled_at_start=False).step(at(0), ego, DriverInput(at(0)), lanes, fallback=True)
    assert (off.request.steering_rad, off.state.reason) == (None, "SWITCHED_OFF")


# --- degradation ------------------------------------------------------------------------------------------


def test_with_the_line_it_nears_alone_the_car_is_kept_off_it():
    run = drive(lka(), 20.0, drift=0.5, keep=(True, False), seconds=10.0)
    assert run.margin_min > 0.0
    assert run.rows[-1][-1].state.state == "DEGRADED"
    assert run.rows[-1][-1].state.reason == "ONE_LINE"
    assert "lane_width_m" not in run.rows[-1][-1].state.values


@pytest.mark.parametrize(("keep", "reason"), [((False, True), "ONE_LINE"), ((False, False), "NO_LINES")])
def test_what_is_not_seen_is_not_steered_for(keep, reason):
    run = drive(lka(), 20.0, drift=0.5, keep=keep, seconds=4.0)
    assert set(run.requests()) == {None}
    assert run.states() == {"DEGRADED"}
    assert run.rows[-1][-1].state.reason == reason


def step(function, t, *, y=0.0, psi=0.0, width=3.5, speed=20.0, lanes="both", ego=None, **driver) -> Decision:
    left, right = lines(y, psi, 0.0, width)
    seen = {"both": LaneLines(at(t), left, right), "none": None, "stale": LaneLines(at(t) - nanoseconds(1), left)}[
        lanes
    ]
    state = replace(ego or EgoState(0, speed), stamp_ns=at(t))
    return function.step(at(t), state, DriverInput(at(t), **driver), seen)


@pytest.mark.parametrize(("width", "state"), [(1.9, "DEGRADED"), (2.3, "READY"), (6.0, "DEGRADED")])
def test_two_lines_that_make_no_lane_are_not_used(width, state):
    decision = step(lka(), 0.0, width=width)
    assert decision.state.state == state
    assert (decision.state.reason == "LANE_WIDTH") == (state == "DEGRADED")


@pytest.mark.parametrize(("lanes", "reason"), [("none", "NO_LINES"), ("stale", "LANES_STALE")])
def test_lost_lines_fade_the_correction_out(lanes, reason):
    function = lka()
    for i in range(20):
        decision = step(function, i * CYCLE_S, y=0.7, psi=0.03)
    assert decision.request.steering_rad < 0.0
    angles = []
    for i in range(20, 60):
        decision = step(function, i * CYCLE_S, lanes=lanes)
        angles.append(decision.request.steering_rad)
        assert (decision.state.state, decision.state.reason) == ("DEGRADED", reason)
    fading = [a for a in angles if a is not None]
    assert len(fading) > 3 and fading == sorted(fading)
    assert angles[-1] is None


def test_the_only_line_may_be_crossed_with_the_indicator():
    run = drive(lka(), 20.0, drift=0.5, keep=(True, False), seconds=3.0,
                driver=lambda now: DriverInput(now, indicator=Indicator.LEFT))  # fmt: skip
    assert run.states() == {"DEGRADED"}
    assert set(run.requests()) == {None}


def test_a_doubtful_line_counts_as_missing():
    left, right = lines(0.0, 0.0, 0.0, 3.5)
    lanes = LaneLines(at(0), replace(left, confidence=0.3), right)
    decision = lka().step(at(0), EgoState(at(0), 20.0), DriverInput(at(0)), lanes)
    assert decision.state.reason == "ONE_LINE"


# --- availability -----------------------------------------------------------------------------------------


def test_the_driver_switches_it_off_and_on():
    function = lka()
    assert step(function, 0.0).state.state == "READY"
    off = step(function, 0.1, lka_toggle=True)
    assert (off.state.state, off.state.reason, off.state.level) == ("OFF", "SWITCHED_OFF", Level.OK)
    assert step(function, 0.2).state.state == "OFF"
    assert step(function, 0.3, lka_toggle=True).state.state == "READY"
    assert step(lka(enabled_at_start=False), 0.0).state.reason == "SWITCHED_OFF"


def test_speed_range_with_hysteresis():
    function = lka()
    states = [step(function, i * 0.1, speed=v).state.state for i, v in enumerate([12.0, 12.6, 12.0, 11.4, 12.0, 60.0])]
    assert states == ["OFF", "READY", "READY", "OFF", "OFF", "OFF"]


def test_off_with_a_reason_when_something_is_missing():
    now = at(0)
    ego, driver = EgoState(now, 20.0), DriverInput(now)
    lanes = LaneLines(now, *lines(0.0, 0.0, 0.0, 3.5))
    cases = [
        (None, driver, "EGO_STALE"),
        (replace(ego, steering_rad=math.nan), driver, "EGO_STALE"),
        (ego, None, "DRIVER_STALE"),
        (ego, replace(driver, steering_torque_nm=math.nan), "DRIVER_STALE"),
        (replace(ego, gear=Gear.NEUTRAL), driver, "GEAR"),
    ]
    for e, d, reason in cases:
        decision = lka().step(now, e, d, lanes)
        assert (decision.state.state, decision.state.reason) == ("OFF", reason)
        assert decision.request.steering_rad is None
        assert decision.request.stamp_ns == now


def test_hands_off_cascade_of_r79():
    function = lka()
    seen = {}
    for i in range(700):
        decision = step(function, i * 0.1, hands_on=i < 10)
        seen.setdefault(decision.state.reason, (i * 0.1 - 0.9, decision.state.level))
    assert seen["HANDS_OFF"][0] <= 15.0 and seen["HANDS_OFF"][1] is Level.WARN
    assert seen["HANDS_OFF_ALARM"][0] <= 30.0 and seen["HANDS_OFF_ALARM"][1] is Level.ERROR
    assert seen["HANDS_OFF_END"][0] <= 60.0
    assert decision.state.state == "OFF"
    assert step(function, 70.0, hands_on=True).state.state == "READY"


def test_figures_of_the_state():
    decision = step(lka(), 0.0, y=0.2, psi=0.02)
    values = decision.state.values
    assert values["offset_m"] == pytest.approx(0.2 + 0.02 * VEHICLE.wheelbase_m, abs=0.01)
    assert values["lane_width_m"] == pytest.approx(3.5, abs=0.01)
    assert values["ttlc_s"] == pytest.approx((1.75 - 0.915 - 0.256) / 0.4, abs=0.05)
    assert "ttlc_s" not in step(lka(), 0.0).state.values


# --- properties -------------------------------------------------------------------------------------------


@given(st.floats(0.01, 5.0), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_time_to_line_solves_the_motion(distance, nearing, bending):
    t = time_to_line(distance, nearing, bending)
    if math.isinf(t):
        # The farthest point of the parabola stays inside, or the car only moves away.
        assert nearing**2 + 2.0 * bending * distance < 0.0 or (nearing <= 1e-9 and bending <= 1e-9)
    else:
        assert t >= 0.0
        assert nearing * t + bending * t * t / 2.0 == pytest.approx(distance, rel=1e-4)


def test_time_to_line_by_hand():
    assert time_to_line(-0.1, 0.0, 0.0) == 0.0
    assert time_to_line(1.0, 0.5, 0.0) == 2.0
    assert time_to_line(1.0, 0.0, 2.0) == 1.0
    assert time_to_line(1.0, 0.0, 0.0) == math.inf
    assert time_to_line(1.0, 1.0, -2.0) == math.inf


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.8, 0.8), st.floats(-0.04, 0.04), st.floats(12.5, 40.0), st.floats(-0.003, 0.003))
def test_left_and_right_are_alike(y, psi, speed, curvature):
    def request(sign):
        function = lka()
        for i in range(6):
            seen = LaneLines(at(i * CYCLE_S), *lines(sign * y, sign * psi, sign * curvature, 3.5))
            ego = EgoState(at(i * CYCLE_S), speed)
            decision = function.step(at(i * CYCLE_S), ego, DriverInput(at(i * CYCLE_S)), seen)
        return decision.request.steering_rad, decision.state.values["side"]

    (a, side_a), (b, side_b) = request(1.0), request(-1.0)
    assert side_a == -side_b
    assert (a is None) == (b is None)
    assert a is None or a == pytest.approx(-b)


anything = st.floats(allow_nan=True, allow_infinity=True, width=32)
line = st.builds(
    LaneLine, st.tuples(anything, anything, anything, anything), st.just(0.0), anything, st.floats(0.0, 1.0)
)


@settings(max_examples=150, deadline=None)
@given(st.none() | line, st.none() | line, st.lists(anything, min_size=4, max_size=4), anything)
def test_any_numbers_give_a_bounded_angle(left, right, ego, torque):
    function = lka()
    for i in range(4):
        now = at(i * CYCLE_S)
        state = EgoState(now, ego[0], ego[1], ego[2], ego[3])
        driver = DriverInput(now, steering_torque_nm=torque)
        decision = function.step(now, state, driver, LaneLines(now, left, right))
        angle = decision.request.steering_rad
        assert angle is None or abs(angle) <= LIMITS.lateral.steering_max_rad
        assert all(map(math.isfinite, decision.state.values.values()))


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.1, 0.8))
def test_nearer_the_line_never_warns_less(a, b, drift):
    def level(y):
        return step(lka(), 0.0, y=y, psi=math.asin(drift / 20.0)).state.level

    assert level(max(a, b)) >= level(min(a, b))
