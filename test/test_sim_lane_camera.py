"""The camera at lane level: lines where they are, kinds, worn and missing ones, edges, noise."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from statistics import pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.sim.curve import RoadPoint
from adas_perception.sim.lane_camera import LaneErrors, cubic_through, see_lanes
from adas_perception.sim.road import Line, Road
from adas_perception.types import LaneLines, LineKind

STRAIGHT = Road(1000.0)
BENDS = {radius: Road(1000.0, ((0.0, 0.0), (50.0, 0.0), (110.0, 1.0 / radius))) for radius in (125.0, 250.0, -500.0)}


def look(road: Road, s: float, d: float, turned: float = 0.0, rng: Random | None = None, **errors: float) -> LaneLines:
    x, y, yaw = road.place(s, d)
    return see_lanes(3, road, RoadPoint(x, y, yaw + turned, 0.0), s, d, LaneErrors(**errors), rng)


@settings(max_examples=40)
@given(st.floats(-1.5, 1.5), st.floats(-0.1, 0.1))
def test_straight_lines_are_where_they_are(offset: float, turned: float) -> None:
    seen = look(STRAIGHT, 100.0, -1.75 + offset, turned)
    assert seen.left is not None and seen.right is not None
    for line, beside in ((seen.left, 1.75), (seen.right, -1.75)):
        assert line.y(0.0) == pytest.approx((beside - offset) / math.cos(turned), abs=1e-9)
        assert line.slope(0.0) == pytest.approx(-math.tan(turned), abs=1e-9)
    assert (seen.left.kind, seen.right.kind) == (LineKind.DASHED, LineKind.SOLID)


@pytest.mark.parametrize("road", BENDS.values(), ids=[f"R{radius:.0f}" for radius in BENDS])
@pytest.mark.parametrize("s", [20.0, 80.0, 300.0])
def test_bends_are_followed_as_far_as_they_are_seen(road: Road, s: float) -> None:
    seen = look(road, s, 0.3)
    x0, y0, yaw = road.place(s, 0.3)
    for ahead in (0.0, 10.0, 25.0):
        x, y, _ = road.place(s + ahead, 3.5)
        px = (x - x0) * math.cos(yaw) + (y - y0) * math.sin(yaw)
        py = (y - y0) * math.cos(yaw) - (x - x0) * math.sin(yaw)
        assert seen.left is not None
        assert seen.left.y(px) == pytest.approx(py, abs=0.06)
    assert seen.left.x_max > 20.0


def test_worn_line_is_seen_less_far_and_with_less_confidence_and_a_gone_one_not() -> None:
    def road(contrast: float) -> Road:
        return Road(500.0, lines=(Line(1.75, LineKind.SOLID, contrast=contrast),), edges_m=(-9.0, 9.0))

    fresh, worn, gone = (look(road(c), 50.0, 0.0).left for c in (1.0, 0.4, 0.05))
    assert fresh is not None and worn is not None
    assert worn.x_max < fresh.x_max
    assert worn.confidence < fresh.confidence
    assert gone is None


def test_edge_counts_where_no_line_is_painted_unless_switched_off() -> None:
    bare = Road(500.0, lines=(Line(1.75, LineKind.DASHED),), edges_m=(-2.0, 5.25))
    assert look(bare, 50.0, 0.0).right.kind is LineKind.ROAD_EDGE
    assert look(bare, 50.0, 0.0, sees_edges=False).right is None


def test_of_a_double_line_the_nearer_is_the_boundary() -> None:
    double = Road(500.0, lines=tuple(Line(d, LineKind.SOLID) for d in (-1.75, 1.75, 2.05)))
    assert look(double, 50.0, 0.0).left.y(0.0) == pytest.approx(1.75)
    assert look(double, 50.0, 1.9).left.y(0.0) == pytest.approx(0.15)


def test_noise_has_the_stated_size_and_misses_come() -> None:
    rng = Random(5)
    lines = [look(STRAIGHT, 50.0, -1.75, rng=rng, miss_share=0.1, offset_sigma_m=0.05).left for _ in range(600)]
    seen = [line.y(0.0) for line in lines if line is not None]
    assert len(seen) == pytest.approx(540, abs=40)
    assert pstdev(seen) == pytest.approx(0.05, rel=0.15)


@given(*[st.floats(-1.0, 1.0) for _ in range(4)])
def test_cubic_goes_through_its_points(a: float, b: float, c: float, d: float) -> None:
    xs = (0.0, 15.0, 39.0, 60.0)
    ys = [a + b * x + c * x**2 / 60 + d * x**3 / 3600 for x in xs]
    assert cubic_through(xs, ys) == pytest.approx((a, b, c / 60, d / 3600), abs=1e-9)


def test_errors_leave_the_line_alone_without_a_generator() -> None:
    lanes = look(STRAIGHT, 50.0, -1.75)
    assert LaneErrors().blur(lanes, None) is lanes
    blurred = LaneErrors(miss_share=0.0).blur(lanes, Random(1))
    assert blurred.left.coefficients != lanes.left.coefficients
    assert LaneErrors(miss_share=1.0).blur(lanes, Random(1)) == replace(lanes, left=None, right=None)
