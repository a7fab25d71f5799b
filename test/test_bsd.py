"""BSD: zones, closing traffic, overtaking, escalation, false cases, bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lateral_loop import lines

from adas_perception.functions.bsd import REAR_RADARS, Bsd, BsdParams
from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Gear,
    Indicator,
    LaneLines,
    Level,
    Objects,
    RadarTargets,
    Track,
    nanoseconds,
)

START_NS = 1_000_000_000
CYCLE_S = 0.05
VEHICLE = Vehicle()
REAR = -VEHICLE.rear_overhang_m


def bsd() -> Bsd:
    return Bsd(BsdParams(), Limits())


def beside(x, gap, side=1, v=20.0, i=1, width=1.8, **extra) -> Track:
    """A car whose near side is ``gap`` metres from the body."""
    return Track(i, x, side * (VEHICLE.width_m / 2 + gap + width / 2), v, 0.0, width_m=width, age=20, **extra)


def hear(function, now, radars=REAR_RADARS) -> None:
    for name in radars:
        function.hear(RadarTargets(now, name))


def look(function, t, *tracks, speed=20.0, yaw_rate=0.0, lanes=None, radars=REAR_RADARS, **driver) -> Decision:
    now = START_NS + nanoseconds(t)
    hear(function, now, radars)
    ego = EgoState(now, speed, yaw_rate_radps=yaw_rate)
    lanes = replace(lanes, stamp_ns=now) if lanes else None
    return function.step(now, ego, DriverInput(now, **driver), Objects(now, tracks), lanes)


def levels(decision) -> tuple[float, float]:
    return decision.state.values["left_level"], decision.state.values["right_level"]


def watch(make, seconds, function=None, **kwargs) -> list[tuple[float, tuple[float, float]]]:
    """Levels over time; ``make(t)`` gives the tracks."""
    function = function or bsd()
    rows = []
    for i in range(round(seconds / CYCLE_S)):
        t = i * CYCLE_S
        rows.append((t, levels(look(function, t, *make(t), **kwargs))))
    return rows


def lit(rows) -> set[tuple[float, float]]:
    return {pair for _, pair in rows}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("gap", [0.6, 1.5, 2.9])
@pytest.mark.parametrize("x", [-3.0, -1.75, -0.5, 0.75, 2.0])
def test_a_car_beside_lights_the_lamp_of_its_side_in_time(x, gap, side):
    rows = watch(lambda t: [beside(x, gap, side)], 1.0)
    on = (1.0, 0.0) if side > 0 else (0.0, 1.0)
    assert next(t for t, pair in rows if pair == on) <= 0.3
    assert rows[0][1] == (0.0, 0.0)
    assert rows[-1][1] == on


@pytest.mark.parametrize("width", [0.8, 1.8])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("gap", [1.0, 2.0])
@pytest.mark.parametrize(("closing", "limit"), [(2.0, 2.5), (5.0, 2.5), (10.0, 2.5), (15.0, 3.0), (20.0, 3.5)])
def test_closing_traffic_is_announced_in_time(closing, limit, gap, side, width):
    start = -100.0

    def make(t):
        return [beside(start + closing * t, gap, side, 20.0 + closing, width=width)]

    rows = watch(make, 100.0 / closing)
    first = next(t for t, pair in rows if max(pair) > 0.0)
    distance = REAR - (start + closing * first + 2.25)
    assert limit <= distance / closing <= limit + 1.0 or distance <= 3.0 + 0.5


@pytest.mark.parametrize("slower", [2.0, 5.0, 10.0, 20.0])
def test_who_is_overtaken_counts_only_after_two_seconds(slower):
    rows = watch(lambda t: [beside(15.0 - slower * t, 1.5, v=20.0 - slower)], 20.0 / slower + 4.0)
    in_zone = [t for t, _ in rows if -4.05 - 2.25 < 15.0 - slower * t < 1.9 + 2.25]
    lights = [t for t, pair in rows if max(pair) > 0.0]
    if in_zone[-1] - in_zone[0] < 2.0 + BsdParams().on_s:
        assert not lights
    else:
        assert lights[0] - in_zone[0] >= 2.0


@pytest.mark.parametrize("distance", [2.0, 5.0, 10.0, 30.0])
@pytest.mark.parametrize("offset", [-0.5, 0.0, 0.5])
def test_a_follower_in_the_own_lane_is_never_announced(distance, offset):
    track = Track(1, REAR - distance - 2.25, offset, 24.0, 0.0, age=20)
    assert lit(watch(lambda t: [track], 1.0)) == {(0.0, 0.0)}


def test_two_lanes_over_rails_and_oncoming_are_never_announced():
    two_over = Track(1, -1.0, 7.0, 20.0, 0.0, age=20)
    rail = replace(beside(-1.0, 1.0), vx_mps=0.0)
    oncoming = replace(beside(-1.0, 1.0), vx_mps=-20.0)
    for track in (two_over, rail, oncoming):
        assert lit(watch(lambda t, track=track: [track], 3.0)) == {(0.0, 0.0)}


@pytest.mark.parametrize("source", ["yaw", "lanes"])
@pytest.mark.parametrize("bend", [1, -1])
def test_zones_bend_with_the_road(bend, source):
    """In a bend of 250 m a follower 40 m behind in the own lane stands where a straight zone would look."""
    k, back = bend / 250.0, 40.0
    own = Track(1, -back, k * back**2 / 2, 27.0, 0.0, age=20, yaw_rad=-k * back)
    side = bend * 3.5
    other = replace(own, y_m=own.y_m + side)
    kwargs = {"yaw_rate": 20.0 * k} if source == "yaw" else {"lanes": LaneLines(1, *lines(0.0, 0.0, k, 3.5))}
    assert lit(watch(lambda t: [own], 0.5, **kwargs)) == {(0.0, 0.0)}
    near = replace(other, x_m=-12.0, y_m=k * 72.0 + side)
    assert max(watch(lambda t: [near], 0.5, **kwargs)[-1][1]) == 1.0


def test_the_lamp_comes_and_goes_with_hysteresis():
    function = bsd()
    on = watch(lambda t: [beside(-1.0, 1.5)], 0.5, function)
    assert on[-1][1] == (1.0, 0.0)
    for i in range(30):
        t = 0.5 + i * CYCLE_S
        pair = levels(look(function, t, *([beside(-1.0, 1.5)] if i % 5 == 0 else [])))
        assert pair == (1.0, 0.0), "a flickering track must not make the lamp flicker"
    after = [levels(look(function, 2.0 + i * CYCLE_S, beside(-1.0, 6.0))) for i in range(20)]
    out = after.index((0.0, 0.0)) * CYCLE_S
    assert 0.2 <= out <= 0.55, "who is seen to have left lets the lamp go out"


def dark_after(closing, x, seen_s=1.0, speed=20.0):
    """Seconds until the lamp is dark for somebody who vanishes at ``x`` after ``seen_s`` beside the car."""
    function = bsd()
    for i in range(round(seen_s / CYCLE_S)):
        track = beside(x + closing * (i * CYCLE_S - seen_s), 1.5, v=speed + closing)
        lamp = levels(look(function, i * CYCLE_S, track, speed=speed))
    assert lamp == (1.0, 0.0)
    for i in range(200):
        if levels(look(function, seen_s + i * CYCLE_S, speed=speed)) == (0.0, 0.0):
            return i * CYCLE_S
    return math.inf


@pytest.mark.parametrize("closing", [-0.4, 0.0, 1.0, 3.0, 5.0])
def test_who_vanishes_beside_the_car_is_held_until_he_should_have_left_the_zone(closing):
    p = BsdParams()
    ahead = p.mirror_x_m - (0.0 - 2.25)
    leaves = ahead / closing if closing > 0.0 else math.inf
    assert dark_after(closing, 0.0) == pytest.approx(min(leaves, p.hold_s) + p.off_s, abs=0.2)


def test_who_vanishes_behind_the_zone_or_was_hardly_seen_is_not_held():
    off = BsdParams().off_s
    assert dark_after(10.0, -15.0) <= off + 0.05
    assert dark_after(0.0, -1.0, seen_s=0.35) <= off + 0.05


def test_a_held_road_user_who_is_seen_again_counts_once_and_where_he_is():
    function = bsd()
    watch(lambda t: [beside(-1.0, 1.5)], 1.0, function)
    look(function, 1.0)
    rows = [levels(look(function, 1.05 + i * CYCLE_S, beside(-1.0, 6.0))) for i in range(20)]
    assert rows[-1] == (0.0, 0.0)


@pytest.mark.parametrize("gap", [-0.2, 3.8])
def test_who_is_in_the_zone_stays_in_with_some_slack(gap):
    """A track beside the doors rests on little of a flank; it wanders sideways."""
    assert lit(watch(lambda t: [beside(-1.0, gap, width=0.8)], 1.0)) == {(0.0, 0.0)}
    function = bsd()
    watch(lambda t: [beside(-1.0, 1.5, width=0.8)], 0.5, function)
    rows = [levels(look(function, 0.5 + i * CYCLE_S, beside(-1.0, gap, width=0.8))) for i in range(30)]
    assert set(rows) == {(1.0, 0.0)}


@pytest.mark.parametrize("lever", list(Indicator))
def test_level_two_needs_indicator_and_risk_on_the_same_side(lever):
    function = bsd()
    watch(lambda t: [beside(-1.0, 1.5, 1)], 0.5, function)
    decision = look(function, 0.5, beside(-1.0, 1.5, 1), indicator=lever)
    assert levels(decision) == ((2.0, 0.0) if lever is Indicator.LEFT else (1.0, 0.0))
    assert decision.state.level is (Level.ERROR if lever is Indicator.LEFT else Level.WARN)
    assert levels(look(bsd(), 0.0, indicator=lever)) == (0.0, 0.0)


def test_both_sides_at_once_and_the_times():
    function = bsd()
    left, right = beside(-22.0, 1.5, 1, 30.0, i=1), beside(-1.0, 1.5, -1, i=2)
    for i in range(10):
        decision = look(function, i * CYCLE_S, left, right)
    assert levels(decision) == (1.0, 1.0)
    assert decision.state.values["left_ttc_s"] == pytest.approx((REAR + 22.0 - 2.25) / 10.0)
    assert decision.state.values["right_ttc_s"] == 0.0
    assert decision.request.accel_mps2 is None and decision.request.steering_rad is None


def test_off_with_a_reason():
    now = START_NS
    ego, objects = EgoState(now, 20.0), Objects(now)
    old = now - nanoseconds(0.5)
    cases = [
        (None, objects, "EGO_STALE", Level.WARN),
        (replace(ego, speed_mps=math.nan), objects, "EGO_STALE", Level.WARN),
        (ego, None, "OBJECTS_STALE", Level.WARN),
        (ego, Objects(old), "OBJECTS_STALE", Level.WARN),
        (replace(ego, gear=Gear.REVERSE), objects, "GEAR", Level.OK),
        (replace(ego, speed_mps=0.0), objects, "SPEED", Level.OK),
        (replace(ego, speed_mps=2.2), objects, "SPEED", Level.OK),
    ]
    for e, o, reason, level in cases:
        function = bsd()
        hear(function, now)
        decision = function.step(now, e, None, o, None)
        assert (decision.state.state, decision.state.reason, decision.state.level) == ("OFF", reason, level)
        assert levels(decision) == (0.0, 0.0)


@pytest.mark.parametrize("heard", [(), ("front",), ("front", "rear_left"), ("rear_right",)])
def test_a_side_that_no_radar_looks_at_is_not_called_free(heard):
    decision = look(bsd(), 0.0, beside(-1.0, 1.5), radars=heard)
    state = decision.state
    assert (state.state, state.reason, state.level) == ("OFF", "NO_REAR_RADARS", Level.OK)
    assert levels(decision) == (0.0, 0.0)


@pytest.mark.parametrize("silent", REAR_RADARS)
def test_a_rear_radar_that_falls_silent_ends_the_detection(silent):
    function = bsd()
    others = tuple(name for name in REAR_RADARS if name != silent)
    assert look(function, 0.0).state.state == "READY"
    assert look(function, 0.3, radars=others).state.state == "READY"
    state = look(function, 0.35, radars=others).state
    assert (state.state, state.reason, state.level) == ("OFF", "REAR_RADARS_STALE", Level.WARN)
    assert look(function, 0.4).state.state == "READY"


def test_without_driver_input_level_one_remains():
    function = bsd()
    for i in range(10):
        now = START_NS + nanoseconds(i * CYCLE_S)
        hear(function, now)
        decision = function.step(now, EgoState(now, 20.0), None, Objects(now, (beside(-1.0, 1.5),)), None)
    assert levels(decision) == (1.0, 0.0)


anything = st.floats(allow_nan=True, allow_infinity=True, width=32)
tracks = st.builds(
    Track, st.integers(0, 3), anything, anything, anything, anything, anything, anything, anything, anything,
    age=st.integers(0, 50),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(tracks, max_size=3), st.lists(anything, min_size=3, max_size=3))
def test_any_numbers_give_levels(items, ego):
    function = bsd()
    for i in range(6):
        now = START_NS + nanoseconds(i * CYCLE_S)
        state = EgoState(now, ego[0], ego[1], ego[2])
        hear(function, now)
        decision = function.step(now, state, DriverInput(now), Objects(now, tuple(items)), None)
        assert set(levels(decision)) <= {0.0, 1.0, 2.0}
        assert all(map(math.isfinite, decision.state.values.values()))


@settings(max_examples=80, deadline=None)
@given(st.floats(-80, 10), st.floats(-8, 8), st.floats(-10, 60), st.floats(-0.1, 0.1))
def test_left_and_right_are_alike(x, y, v, yaw_rate):
    def pair(sign):
        track = Track(1, x, sign * y, v, 0.0, age=20)
        return watch(lambda t: [track], 0.5, yaw_rate=sign * yaw_rate)[-1][1]

    if y != 0.0:
        assert pair(1.0) == pair(-1.0)[::-1]


@settings(max_examples=80, deadline=None)
@given(st.floats(0.0, 80.0), st.floats(0.0, 80.0), st.floats(1.0, 25.0))
def test_who_is_nearer_is_never_announced_less(a, b, closing):
    def level(distance):
        return max(watch(lambda t: [beside(REAR - distance - 2.25, 1.5, v=20.0 + closing)], 0.3)[-1][1])

    assert level(min(a, b)) >= level(max(a, b))
