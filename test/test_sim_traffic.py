"""Scripted traffic: speed ramps, profiles, triggers inside a step, ways of their own, any cycle."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.sim import bodies
from adas_perception.sim.curve import Curve, Polyline, turn_knots
from adas_perception.sim.following import Spot
from adas_perception.sim.road import Road
from adas_perception.sim.traffic import Actor, ActorSpec, Event, When

ROAD = Road(3000.0, rails_m=())


def play(spec: ActorSpec, seconds: float, dt: float = 0.05, ego_mps: float = 0.0, ego_front: float = 0.0) -> Actor:
    actor = Actor.from_spec(spec, ROAD)
    for k in range(round(seconds / dt)):
        actor.step(dt, k * dt, ROAD, ego_front + ego_mps * k * dt, (), ego_mps)
    return actor


@settings(max_examples=40)
@given(st.sampled_from([0.01, 0.02, 0.05]), st.floats(1.0, 6.0), st.floats(0.0, 1.5), st.floats(0.5, 2.0))
def test_braking_covers_the_way_of_the_formula(dt: float, decel: float, ramp: float, at: float) -> None:
    actor = play(ActorSpec("a", 0.0, 0.0, 15.0, (Event(When.TIME, at, 0.0, decel, ramp_s=ramp),)), 20.0, dt)
    # Speed lost while the deceleration builds up, then at full deceleration to the end.
    lost = decel * ramp / 2.0
    if lost < 15.0:
        way = 15.0 * (at + ramp) - decel * ramp**2 / 6.0 + (15.0 - lost) ** 2 / (2.0 * decel)
        assert actor.s_m == pytest.approx(way, abs=0.02)
    assert actor.speed_mps == 0.0


def test_deceleration_is_reached_within_its_time() -> None:
    spec = ActorSpec("a", 0.0, 0.0, 20.0, (Event(When.TIME, 1.0, 0.0, 4.0, ramp_s=1.0),))
    assert play(spec, 1.5).accel_mps2 == pytest.approx(-2.0, abs=0.15)
    assert play(spec, 2.5).accel_mps2 == pytest.approx(-4.0, abs=0.01)
    assert play(spec, 2.5).braking


@pytest.mark.parametrize("dt", [0.01, 0.05])
def test_profile_gives_the_speed_and_the_way(dt: float) -> None:
    profile = tuple((t / 10.0, 10.0 + 2.0 * math.sin(t / 10.0)) for t in range(400))
    actor = play(ActorSpec("a", 5.0, 0.0, 99.0, profile=profile), 20.0, dt)
    assert actor.speed_mps == pytest.approx(10.0 + 2.0 * math.sin(20.0), abs=0.01)
    assert actor.s_m == pytest.approx(5.0 + 200.0 + 2.0 * (1.0 - math.cos(20.0)), abs=0.05)
    assert play(ActorSpec("a", 0.0, 0.0, 0.0, profile=((1.0, 5.0), (2.0, 7.0))), 4.0).speed_mps == 7.0


@pytest.mark.parametrize("threshold", [100.0, 100.2, 100.49])
def test_ego_triggers_exactly_inside_a_step(threshold: float) -> None:
    spec = ActorSpec("a", 0.0, 0.0, 0.0, (Event(When.EGO_AT, threshold, 2.0, 2.0),), bodies.ADULT)
    actor = play(spec, 12.0, 0.05, ego_mps=10.0)
    moving_s = 12.0 - threshold / 10.0
    assert actor.s_m == pytest.approx(1.0 + 2.0 * (moving_s - 1.0), abs=1e-6)


def test_time_to_collision_triggers() -> None:
    # Rear of the target at 100 m, the ego comes with 10 m/s: 1.5 s are left after 8.5 s.
    standing = ActorSpec("a", 102.3, 0.0, 0.0, (Event(When.TTC, 1.5, d_m=3.5, duration_s=1.0),))
    assert play(standing, 8.0, ego_mps=10.0).d_m == 0.0
    assert play(standing, 8.7, ego_mps=10.0).d_m > 0.0


def test_target_faces_where_it_is_turned_and_moves_along_its_way() -> None:
    actor = play(ActorSpec("a", 0.0, 1.0, 5.0, way=Polyline([(10.0, 0.0), (10.0, 50.0)]), turned_rad=0.3), 2.0)
    assert (actor.x_m, actor.y_m) == pytest.approx((9.0, 10.0))
    assert actor.yaw_rad == pytest.approx(math.pi / 2 + 0.3)
    assert actor.velocity_mps == pytest.approx((0.0, 5.0), abs=1e-9)


def test_who_only_stands_costs_nothing_and_stays() -> None:
    actor = play(ActorSpec("a", 30.0, 2.0, 0.0), 1.0)
    assert (actor.x_m, actor.y_m, actor.accel_mps2) == (30.0, 2.0, 0.0)
    assert actor.braking
    assert not play(ActorSpec("p", 30.0, 2.0, 0.0, kind=bodies.ADULT), 1.0).braking


@pytest.mark.parametrize("angle", [math.pi / 2, -math.pi / 2])
@pytest.mark.parametrize("radius", [9.0, 11.75, 14.75])
def test_turn_ends_in_the_angle_asked(radius: float, angle: float) -> None:
    knots = turn_knots(20.0, radius, angle, 5.0)
    curve = Curve(80.0, knots, table_step_m=0.1)
    assert curve.point(80.0).yaw_rad == pytest.approx(angle, abs=0.01)
    assert max(abs(curvature) for _, curvature in knots) == pytest.approx(1.0 / radius)
    with pytest.raises(ValueError, match="too long"):
        turn_knots(20.0, radius, 0.1, 5.0)


def test_curve_may_start_anywhere_and_polyline_goes_on_beyond_its_ends() -> None:
    curve = Curve(100.0, ((0.0, 0.01),), 5.0, -3.0, 1.0)
    assert curve.point(0.0)[:3] == pytest.approx((5.0, -3.0, 1.0))
    s, d = curve.to_road(*_beside(curve, 40.0, 2.0), 35.0)
    assert (s, d) == pytest.approx((40.0, 2.0), abs=1e-3)
    line = Polyline([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)])
    assert line.length_m == 20.0
    assert line.point(-5.0)[:2] == (-5.0, 0.0)
    assert line.point(25.0)[:2] == pytest.approx((10.0, 15.0))
    with pytest.raises(ValueError, match="two or more"):
        Polyline([(0.0, 0.0)])


def _beside(curve: Curve, s: float, d: float) -> tuple[float, float]:
    x, y, yaw, _ = curve.point(s)
    return x - d * math.sin(yaw), y + d * math.cos(yaw)


def test_kinds_are_known_by_name() -> None:
    assert bodies.kind_named("child") is bodies.CHILD
    with pytest.raises(ValueError, match="motorcycle"):
        bodies.kind_named("dragon")
    assert not bodies.STEEL_PLATE.solid
    assert not bodies.GANTRY.solid
    assert all(kind.solid for kind in (bodies.CAR, bodies.CHILD, bodies.GUARD_RAIL, bodies.ROADWORKS_SIGN))


def convoy(specs, seconds, ego=None, dt=0.05):
    """Drive reacting road users; returns them and the smallest gap between neighbours in order."""
    actors, smallest = tuple(Actor.from_spec(spec, ROAD) for spec in specs), math.inf
    for k in range(round(seconds / dt)):
        for actor in actors:
            actor.step(dt, k * dt, ROAD, 0.0, actors, 0.0, ego(k * dt) if ego else None)
        for a, b in itertools.pairwise(sorted(actors, key=lambda actor: actor.s_m)):
            smallest = min(smallest, b.s_m - a.s_m - (a.spec.length_m + b.spec.length_m) / 2.0)
    return actors, smallest


def test_who_reacts_drives_on_under_a_bridge():
    bridge = ActorSpec("bridge", 200.0, 0.0, 0.0, kind=bodies.KINDS["bridge"])
    (car, _), _ = convoy([ActorSpec("car", 100.0, -1.8, 20.0, reacts=True), bridge], 10.0)
    assert car.speed_mps == 20.0


@pytest.mark.parametrize("way", [None, Polyline([(0.0, -1.8), (5000.0, -1.8)])])
def test_who_reacts_closes_up_to_a_slower_one_and_never_touches_it(way):
    specs = [ActorSpec("slow", 200.0, -1.8, 15.0, reacts=True, way=way),
             ActorSpec("fast", 100.0, -1.8, 30.0, reacts=True, way=way)]  # fmt: skip
    (slow, fast), smallest = convoy(specs, 60.0)
    assert smallest > 2.0
    assert fast.speed_mps == pytest.approx(15.0, abs=0.5)
    assert slow.speed_mps == pytest.approx(15.0, abs=1e-6)
    assert 15.0 < slow.s_m - fast.s_m < 45.0


def test_who_reacts_stops_behind_the_ego_and_passes_beside_it():
    def stopping(t):
        return Spot(60.0 + max(20.0 * t - 2.0 * t * t if t < 5.0 else 50.0, 0.0), -1.8, max(20.0 - 4.0 * t, 0.0))

    (behind,), _ = convoy([ActorSpec("behind", 30.0, -1.8, 20.0, reacts=True)], 40.0, stopping)
    assert behind.speed_mps < 0.3
    assert 0.5 < 110.0 - behind.s_m - behind.spec.length_m / 2.0 < 5.0
    (beside,), _ = convoy([ActorSpec("beside", 30.0, 1.8, 20.0, reacts=True)], 10.0, stopping)
    assert beside.speed_mps == pytest.approx(20.0)
