"""Co-simulation: the documented example, frames, objects that come and go, missing lanes, bad numbers."""

from __future__ import annotations

import contextlib
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.can.hmi import FcwLevel
from adas_perception.sim.cosim import CoSimulation, Decided, Frame, LaneGeometry, LanePolylines, SimObject, kind_of
from adas_perception.sim.external_lanes import lanes_from
from adas_perception.sim.setup import NOISY
from adas_perception.types import DriverInput, EgoState, Function, LineKind

DOC = Path(__file__).resolve().parents[1] / "docs" / "cosim.md"
STRAIGHT = LaneGeometry(0.0, left_kind=LineKind.SOLID, right_kind=LineKind.SOLID)


def test_the_example_of_the_documentation_runs_and_stops_in_time() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, str(DOC), "exec"), {})  # noqa: S102
    lines = printed.getvalue().splitlines()
    assert "WARN" in lines[0]
    assert re.fullmatch(r"stands \d+\.\d m before the other car", lines[-1]), lines[-1]


def approach(stack: CoSimulation, frame: Frame, pose: tuple[float, float, float], seconds: float) -> list[Decided]:
    """Drive straight ahead at 15 m/s towards a standing car, in either frame and anywhere on the map."""
    x0, y0, yaw = pose
    c, s = math.cos(yaw), math.sin(yaw)
    out = []
    for k in range(round(seconds / 0.05)):
        way = 15.0 * 0.05 * k
        ego = EgoState(99, 15.0, x_m=x0 + c * way, y_m=y0 + s * way, yaw_rad=yaw)
        left, right = (tuple((90.0 * i / 9 - 20.0 + (way // 50) * 50, d) for i in range(10)) for d in (1.75, -1.75))
        if frame is Frame.MAP:
            car = SimObject(1, "car", x0 + c * 90.0, y0 + s * 90.0, yaw)
            left, right = (tuple((x0 + c * x - s * y, y0 + s * x + c * y) for x, y in line) for line in (left, right))
        else:
            car = SimObject(1, "car", 90.0 - way, 0.0)
            left, right = (tuple((x - way, y) for x, y in line) for line in (left, right))
        out.append(stack.step(ego, [car], LanePolylines(left, right)))
    return out


@pytest.mark.parametrize("pose", [(0.0, 0.0, 0.0), (500.0, -300.0, 2.5)])
def test_map_and_ego_frame_say_the_same(pose: tuple[float, float, float]) -> None:
    on_map = approach(CoSimulation(), Frame.MAP, pose, 4.0)
    from_ego = approach(CoSimulation(frame=Frame.EGO), Frame.EGO, pose, 4.0)
    assert [d.hmi.fcw for d in on_map] == [d.hmi.fcw for d in from_ego]
    assert on_map[-1].hmi.fcw > FcwLevel.NONE
    assert on_map[-1].accel_mps2 == pytest.approx(from_ego[-1].accel_mps2, abs=1e-6)
    assert on_map[40].lanes is not None
    assert on_map[40].lanes.left.y(10.0) == pytest.approx(1.75, abs=1e-6)


def test_same_inputs_same_result_with_noise() -> None:
    first, second = (approach(CoSimulation(sensors=NOISY, seed=3), Frame.MAP, (0, 0, 0), 4.0) for _ in range(2))
    assert repr(first) == repr(second)
    other = approach(CoSimulation(sensors=NOISY, seed=4), Frame.MAP, (0, 0, 0), 4.0)
    assert repr(other) != repr(first)


def test_objects_may_come_and_go_in_any_number() -> None:
    stack = CoSimulation()
    for k in range(60):
        many = range(k % 31)
        ego, way = EgoState(0, 20.0, x_m=k * 0.05 * 20.0), k * 0.05 * 10.0
        objects = [
            SimObject(f"o{i}", "car", 20.0 + 12.0 * i + way * math.cos(0.3 * i),
                      -8.0 + 4.0 * (i % 5) + way * math.sin(0.3 * i), 0.3 * i, 10.0)
            for i in many
        ]  # fmt: skip
        decided = stack.step(ego, objects, STRAIGHT if k % 7 else None)
        assert decided.reason == "ok" or k < 40
        assert decided.accel_mps2 is None or math.isfinite(decided.accel_mps2)


def test_impossible_objects_are_left_out_and_counted() -> None:
    stack = CoSimulation()
    good, bad = SimObject(1, "car", 30.0, 0.0), SimObject(2, "car", math.nan, 0.0)
    for _ in range(10):
        decided = stack.step(EgoState(0, 10.0), [bad, replace(good, length_m=-1.0), replace(good, speed_mps=10.0)])
    assert stack.rejected == 20
    assert decided.objects is not None
    assert len(decided.objects.tracks) == 1


def test_the_ego_among_the_objects_is_no_obstacle() -> None:
    stack = CoSimulation()
    for k in range(60):
        x = k * 0.05 * 15.0
        hero = SimObject("hero", "car", x, 0.0, speed_mps=15.0, centre_ahead_m=1.4)
        decided = stack.step(EgoState(0, 15.0, x_m=x), [hero], STRAIGHT)
        assert decided.objects is None or not decided.objects.tracks
    assert stack.rejected == 0


@pytest.mark.parametrize("field", ["speed_mps", "yaw_rate_radps", "x_m"])
def test_ego_without_a_number_is_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=f"ego.{field}"):
        CoSimulation().step(replace(EgoState(0), **{field: math.nan}))


@pytest.mark.parametrize("dt", [0.0, 0.2, math.nan])
def test_step_must_be_sensible(dt: float) -> None:
    with pytest.raises(ValueError, match="dt_s"):
        CoSimulation(dt)


def test_acc_follows_when_its_button_is_pressed() -> None:
    stack = CoSimulation()
    who = set()
    for k in range(120):
        driver = DriverInput(0, acc_set=30 <= k < 35)
        lead = SimObject(7, "car", 45.0, 0.0, speed_mps=20.0)
        decided = stack.step(EgoState(0, 20.0), [lead], STRAIGHT, driver)
        who.add(decided.longitudinal)
    assert decided.longitudinal is Function.ACC
    assert Function.NONE in who
    assert decided.hmi.gap_m == pytest.approx(45.0 - 2.3 - 3.72, abs=1.0)


def test_without_lanes_lane_keeping_says_so_and_the_rest_goes_on() -> None:
    stack = CoSimulation()
    for _ in range(60):
        decided = stack.step(EgoState(0, 25.0))
    assert decided.states[Function.LKA].state == "DEGRADED"
    assert decided.states[Function.AEB].state == "READY"


@pytest.mark.parametrize(("name", "kind"), [
    ("car", "car"), ("Pedestrian", "adult"), ("motorbike", "motorcycle"), ("vehicle", "car"), ("BUS", "truck"),
    ("guard rail", "guard_rail"), ("unicorn", "obstacle"),
])  # fmt: skip
def test_kinds_of_other_simulators_are_known(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


@given(
    offset=st.floats(-1.5, 1.5), heading=st.floats(-0.1, 0.1), curvature=st.floats(-0.004, 0.004),
    reverse=st.booleans(), spacing=st.floats(0.5, 8.0),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_polylines_of_an_arc_fit_and_agree_with_the_geometry(
    offset: float, heading: float, curvature: float, reverse: bool, spacing: float
) -> None:
    def boundary(d: float) -> list[tuple[float, float]]:
        points = []
        for i in range(int(100.0 / spacing)):
            s = i * spacing - 20.0
            if abs(curvature) < 1e-9:
                x, y = s, d
            else:
                radius = 1.0 / curvature - d
                x, y = radius * math.sin(curvature * s), 1.0 / curvature - radius * math.cos(curvature * s)
            points.append((x, y))
        return points[::-1] if reverse else points

    pose = EgoState(0, y_m=offset, yaw_rad=heading)
    lines = lanes_from(LanePolylines(boundary(1.75), boundary(-1.75)), pose)
    same = lanes_from(LaneGeometry(offset, 3.5, heading, curvature), None)
    for found, told in ((lines.left, same.left), (lines.right, same.right)):
        assert found is not None
        assert found.y(0.0) == pytest.approx(told.y(0.0), abs=0.05)
        assert found.y(15.0) == pytest.approx(told.y(15.0), abs=0.1)


@pytest.mark.parametrize("points", [None, (), ((0.0, 1.0),), ((0.0, 1.0), (1.0, 1.0)), ((math.nan, 1.0), (5.0, 1.0))])
def test_what_is_no_line_gives_none(points: object) -> None:
    assert lanes_from(LanePolylines(points, points), None).left is None
