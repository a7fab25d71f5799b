"""Road coordinates and scripted traffic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.sim.road import Road
from adas_perception.sim.traffic import Actor, ActorSpec, Event, When

BENT = Road(600.0, ((0.0, 0.0), (100.0, 0.0), (150.0, 1 / 200), (300.0, 1 / 200), (350.0, -1 / 300)))
STRAIGHT = Road(500.0)


def test_constant_curvature_is_a_circle() -> None:
    road = Road(300.0, ((0.0, 0.01),))
    xy = road.to_map(np.linspace(0.0, 300.0, 50), 0.0)
    assert np.hypot(xy[:, 0], xy[:, 1] - 100.0) == pytest.approx(100.0, abs=0.01)


@settings(max_examples=50)
@given(st.floats(0.0, 600.0), st.floats(-15.0, 15.0), st.floats(-20.0, 20.0))
def test_road_positions_come_back_from_the_map(s: float, d: float, off: float) -> None:
    x, y = (float(v) for v in BENT.to_map(s, d))
    assert BENT.to_road(x, y, s + off) == pytest.approx((s, d), abs=0.02)


@pytest.mark.parametrize(("s", "within"), [
    (-20.0, 1e-3), (0.0, 1e-3), (99.9, 1e-3), (312.3, 1e-3), (600.0, 1e-3), (650.0, 0.1),
])  # fmt: skip
def test_quick_point_equals_the_table(s: float, within: float) -> None:
    point = BENT.point(s)
    assert (point.yaw_rad, point.curvature) == pytest.approx((float(BENT.yaw(s)), float(BENT.curvature(s))), abs=1e-9)
    assert (point.x_m, point.y_m) == pytest.approx(tuple(BENT.to_map(s, 0.0)), abs=within)


def test_left_is_positive() -> None:
    assert BENT.point(250.0).yaw_rad > 0.1
    assert STRAIGHT.to_map(10.0, 2.0) == pytest.approx((10.0, 2.0))
    assert (STRAIGHT.lane_of(1.5), STRAIGHT.lane_of(-1.5)) == (1, 0)


def test_knots_must_increase() -> None:
    with pytest.raises(ValueError, match="increase"):
        Road(100.0, ((10.0, 0.0), (10.0, 0.1)))


def play(actor: Actor, seconds: float, ego_front_s_m: float = 0.0, others: tuple[Actor, ...] = ()) -> None:
    for k in range(round(seconds / 0.01)):
        actor.step(0.01, k * 0.01, STRAIGHT, ego_front_s_m, others)


def test_actor_brakes_when_its_time_has_come() -> None:
    actor = Actor.from_spec(ActorSpec("a", 100.0, 0.0, 20.0, (Event(When.TIME, 1.0, 0.0, 5.0),)), STRAIGHT)
    play(actor, 6.0)
    assert actor.speed_mps == 0.0
    assert actor.s_m == pytest.approx(100.0 + 20.0 + 40.0, abs=0.3)
    assert actor.braking


@pytest.mark.parametrize(("when", "threshold", "happens"), [
    (When.NEAR, 98.0, True), (When.NEAR, 90.0, False), (When.GAP, 95.0, True), (When.GAP, 99.0, False),
])  # fmt: skip
def test_gaps_trigger(when: When, threshold: float, happens: bool) -> None:
    # 100 m ahead of the ego's front, 4.6 m long: 97.7 m between the bumpers, and it stands.
    spec = ActorSpec("a", 100.0, 0.0, 0.0, (Event(when, threshold, speed_mps=5.0),))
    actor = Actor.from_spec(spec, STRAIGHT)
    play(actor, 0.1)
    assert (actor.speed_mps > 0.0) is happens


def test_distance_to_another_actor_triggers() -> None:
    wall = Actor.from_spec(ActorSpec("wall", 150.0, 0.0, 0.0), STRAIGHT)
    spec = ActorSpec("a", 100.0, 0.0, 10.0, (Event(When.AHEAD, 20.0, other="wall", speed_mps=0.0, accel_mps2=50.0),))
    actor = Actor.from_spec(spec, STRAIGHT)
    play(actor, 5.0, others=(wall, actor))
    assert wall.s_m - actor.s_m - 4.6 == pytest.approx(19.0, abs=0.5)


def test_lane_change_is_smooth_and_turns_the_car() -> None:
    actor = Actor.from_spec(ActorSpec("a", 100.0, -1.75, 20.0, (Event(When.TIME, 0.0, d_m=1.75),)), STRAIGHT)
    offsets, headings = [], []
    for k in range(400):
        actor.step(0.01, k * 0.01, STRAIGHT, 0.0, ())
        offsets.append(actor.d_m)
        headings.append(actor.yaw_rad)
    assert offsets[-1] == pytest.approx(1.75)
    assert max(np.abs(np.diff(offsets, 2))) / 0.01**2 < 2.5
    assert max(headings) == pytest.approx(math.atan2(1.875 * 3.5 / 3.0, 20.0), rel=0.02)
    assert headings[-1] == 0.0
