"""Plans of parking: an independent checker (shapely) finds no collision, whatever slot and start."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adas_perception.functions.apa.geometry import Body, Pose, Segment, along, backwards, end_of, strokes, trace
from adas_perception.functions.apa.plan import Planner, PlanParams, Scene, outline_points
from adas_perception.functions.apa.reeds_shepp import connections
from adas_perception.params import Vehicle

V = Vehicle()
MIDDLE_M = (V.front_x_m - V.rear_overhang_m) / 2.0
angles = st.floats(-math.pi, math.pi)
places = st.floats(-8.0, 8.0)


def parallel(extra: float, gap: float, x: float, yaw: float = 0.0, depth: float = 2.0) -> tuple[Scene, list]:
    """Return a parallel slot with its neighbours and kerb, and the same neighbours as corner lists."""
    half = (V.length_m + extra) / 2.0
    before = [(-half, -depth), (-half, 0.0), (-half - 5.0, 0.0), (-half - 5.0, -depth)]
    after = [(half, -depth), (half, 0.0), (half + 5.0, 0.0), (half + 5.0, -depth)]
    points = np.concatenate([outline_points(before)[0], outline_points(after)[0]])
    low = outline_points([(-half, -depth), (half, -depth)])[0]
    goal = Pose(-MIDDLE_M, -(depth - 0.22 - V.width_m / 2.0), 0.0)
    return Scene(points, Pose(x, gap + V.width_m / 2.0, yaw), goal, low), [before, after]


def perpendicular(extra: float, gap: float, x: float, yaw: float = 0.0) -> tuple[Scene, list]:
    """Return a perpendicular slot."""
    half = (V.width_m + extra) / 2.0
    before = [(-half, -5.0), (-half, 0.0), (-half - 2.0, 0.0), (-half - 2.0, -5.0)]
    after = [(half, -5.0), (half, 0.0), (half + 2.0, 0.0), (half + 2.0, -5.0)]
    points = np.concatenate([outline_points(before)[0], outline_points(after)[0]])
    goal = Pose(0.0, -V.front_x_m - 0.05, math.pi / 2.0)
    return Scene(points, Pose(x, gap + V.width_m / 2.0, yaw), goal), [before, after]


def smallest_gap(scene: Scene, path, obstacles) -> float:
    """Return the smallest distance of the body to the obstacles along a path, as shapely sees it."""
    geometry = pytest.importorskip("shapely.geometry", reason="shapely is not installed (extra dev)")
    bodies = [geometry.Polygon(corners) for corners in obstacles]
    gaps = []
    for x, y, yaw in trace(scene.start, path, 0.1).tolist():
        c, s = math.cos(yaw), math.sin(yaw)
        corners = [(V.front_x_m, V.width_m / 2), (-V.rear_overhang_m, V.width_m / 2),
                   (-V.rear_overhang_m, -V.width_m / 2), (V.front_x_m, -V.width_m / 2)]  # fmt: skip
        own = geometry.Polygon([(x + c * a - s * b, y + s * a + c * b) for a, b in corners])
        gaps += [own.distance(body) for body in bodies]
    return min(gaps)


def check(scene: Scene, obstacles) -> int:
    """Plan; check the end and the gaps of the path; return the number of moves, 0 without a path."""
    path = Planner(PlanParams(), V).plan(scene)
    if path is None:
        return 0
    end = end_of(scene.start, path)
    assert math.dist(end[:2], scene.goal[:2]) < 0.02
    assert abs(math.remainder(end.yaw_rad - scene.goal.yaw_rad, math.tau)) < 0.01
    # The margin is 0.10 m to points every 0.1 m: between two of them a corner may lie 0.01 m nearer.
    assert smallest_gap(scene, path, obstacles) >= 0.085
    assert all(abs(s.curvature) <= math.tan(0.56) / V.wheelbase_m for s in path)
    return strokes(path)


@given(places, places, angles, places, places, angles)
@settings(max_examples=60, deadline=None)
def test_every_word_ends_where_it_should_and_the_shortest_is_no_shorter_than_the_line(x0, y0, a0, x1, y1, a1):
    start, goal = Pose(x0, y0, a0), Pose(x1, y1, a1)
    words = connections(start, goal, 4.9)
    assert words
    for path in words:
        end = end_of(start, path)
        assert math.dist(end[:2], goal[:2]) < 1e-4
    assert min(sum(abs(s.length_m) for s in p) for p in words) >= math.dist(start[:2], goal[:2]) - 1e-6


@given(places, places, angles, st.floats(-0.2, 0.2), st.floats(-5.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_a_path_driven_back_returns(x, y, yaw, curvature, length):
    start = Pose(x, y, yaw)
    path = (Segment(length, curvature), Segment(-1.0, 0.1))
    home = end_of(end_of(start, path), backwards(path))
    assert math.dist(home[:2], start[:2]) < 1e-6
    assert along(start, curvature, 0.0) == pytest.approx(start)


@pytest.mark.parametrize("extra", [1.0, 1.2, 1.5, 2.0])
@pytest.mark.parametrize("gap", [0.5, 1.5])
def test_parallel_slots_have_a_plan_of_few_moves(extra, gap):
    assert 1 <= check(*parallel(extra, gap, 4.5)) <= 8


def test_the_tightest_parallel_slot_has_a_plan():
    assert 1 <= check(*parallel(0.8, 1.0, 4.0)) <= 8


def test_a_slot_shorter_than_the_car_has_none():
    assert check(*parallel(0.1, 1.0, 4.0)) == 0


def test_a_long_slot_takes_few_moves():
    assert 1 <= check(*parallel(3.5, 0.8, 8.0)) <= 2


@pytest.mark.parametrize("extra", [0.7, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("gap", [0.5, 1.0, 1.5])
def test_perpendicular_slots_have_a_plan_of_at_most_five_moves(extra, gap):
    assert 1 <= check(*perpendicular(extra, gap, 3.0)) <= 5


@given(st.floats(0.9, 2.5), st.floats(0.5, 1.8), st.floats(1.0, 8.0), st.floats(-0.1, 0.1))
@settings(max_examples=8, deadline=None)
def test_random_parallel_slots_and_starts_are_free_of_collisions(extra, gap, x, yaw):
    scene, obstacles = parallel(extra, gap, x, yaw)
    assume(Body.outline(V).clearance(scene.start, scene.points) > 0.2)
    check(scene, obstacles)


@given(st.floats(0.7, 2.0), st.floats(0.5, 1.8), st.floats(-2.0, 8.0), st.floats(-0.15, 0.15))
@settings(max_examples=12, deadline=None)
def test_random_perpendicular_slots_and_starts_are_free_of_collisions(extra, gap, x, yaw):
    scene, obstacles = perpendicular(extra, gap, x, yaw)
    assume(Body.outline(V).clearance(scene.start, scene.points) > 0.2)
    check(scene, obstacles)


def test_an_obstacle_in_the_slot_leaves_no_plan():
    scene, _ = perpendicular(1.2, 1.0, 3.0)
    pole = np.array([[0.0, -2.0]])
    assert Planner(PlanParams(), V).plan(Scene(np.concatenate([scene.points, pole]), scene.start, scene.goal)) is None


def test_planning_comes_in_pieces_with_the_same_result():
    scene, _ = perpendicular(1.2, 1.0, 3.0)
    planner = Planner(PlanParams(), V)
    planning, pieces = planner.planning(scene), 0
    with pytest.raises(StopIteration) as end:
        while True:
            next(planning)
            pieces += 1
    assert pieces > 5 and end.value.value == planner.plan(scene)
