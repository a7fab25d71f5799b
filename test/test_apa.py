"""APA: slots found by driving past parked cars with a cone-shaped sensor; refusal to drive; bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.functions.apa import Apa, ApaParams, SlotKind
from adas_perception.functions.apa.geometry import Pose
from adas_perception.functions.apa.slots import SideScan, SlotParams
from adas_perception.limits import Limits
from adas_perception.params import Ring, Vehicle
from adas_perception.types import DriverInput, Echoes, EchoPoint, EgoState, Gear, Level, Side, nanoseconds

START_NS = 1_000_000_000
CYCLE_S = 0.05
VEHICLE = Vehicle()
SENSOR = {Side.LEFT: ("front_left_side", 3.3, 0.9), Side.RIGHT: ("front_right_side", 3.3, -0.9)}
MAX_M = 5.0
Box = tuple[float, float, float, float]


def apa(**params) -> Apa:
    return Apa(ApaParams(**params), Limits())


def echo(boxes: list[Box], x: float, y: float, side: Side, half_cone: float = 0.5) -> float:
    """Return the nearest point of boxes (x0, x1, y0, y1) within the cone that looks straight to ``side``."""
    nearest = math.inf
    for i in range(41):
        angle = half_cone * (i / 20.0 - 1.0)
        for x0, x1, y0, y1 in boxes:
            face = y0 if side > 0 else y1
            reach = (face - y) * side / math.cos(angle)
            if reach > 0.0 and x0 <= x + reach * math.sin(angle) <= x1:
                nearest = min(nearest, reach)
    # The corner of a box may answer between two rays.
    for x0, x1, y0, y1 in boxes:
        for corner in (x0, x1):
            dx, dy = corner - x, ((y0 if side > 0 else y1) - y) * side
            if dy > 0.0 and abs(math.atan2(dx, dy)) <= half_cone:
                nearest = min(nearest, math.hypot(dx, dy))
    return nearest if nearest <= MAX_M else math.inf


def street(length, *, gap=1.0, side=Side.RIGHT, wall=None, row=1.8) -> list[Box]:
    """Two obstacles with an opening of ``length`` that starts at x = 12, ``gap`` m beside the car's body."""
    near = side * (VEHICLE.width_m / 2 + gap)
    far = near + side * row
    y0, y1 = min(near, far), max(near, far)
    boxes = [(5.0, 12.0, y0, y1), (12.0 + length, 30.0, y0, y1)]
    if wall is not None:
        back = near + side * wall
        boxes.append((0.0, 40.0, min(back, back + side), max(back, back + side)))
    return boxes


def pass_by(function, boxes, *, speed=3.0, side=Side.RIGHT, yaw=0.0, until=24.0, silent=(), rows=None, **driver):
    """Drive past and return the last decision; everything is turned by ``yaw`` in the odometry frame."""
    c, n = math.cos(yaw), math.sin(yaw)
    decision = None
    for i in range(int(until / speed / CYCLE_S)):
        now, x = START_NS + nanoseconds(i * CYCLE_S), i * CYCLE_S * speed
        name, sx, sy = SENSOR[side]
        distance = echo(boxes, x + sx, sy, side)
        points = (EchoPoint(name, sx, sy + side * distance, distance),) if math.isfinite(distance) else ()
        ego = EgoState(now, speed, x_m=c * x, y_m=n * x, yaw_rad=yaw)
        decision = function.step(now, ego, DriverInput(now, **driver), Echoes(now, points, tuple(silent)))
        if rows is not None:
            rows.append(decision)
    return decision


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
@pytest.mark.parametrize("gap", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("extra", [1.0, 1.2, 1.5, 2.0])
def test_parallel_slots_are_offered_with_their_length(extra, gap, side):
    length = VEHICLE.length_m + extra
    decision = pass_by(apa(), street(length, gap=gap, side=side, wall=2.3), side=side)
    assert decision.state.state == "OFFERED"
    (slot,) = decision.slots
    assert (slot.kind, slot.side) == (SlotKind.PARALLEL, side)
    assert slot.length_m == pytest.approx(length, abs=0.2)
    assert slot.x_m == pytest.approx(12.0 + length / 2, abs=0.2)
    assert slot.y_m == pytest.approx(side * (VEHICLE.width_m / 2 + gap), abs=0.1)
    assert slot.depth_m == pytest.approx(2.3, abs=0.2)


@pytest.mark.parametrize("extra", [1.0, 1.2, 1.5])
@pytest.mark.parametrize("gap", [0.5, 1.0, 1.5])
def test_perpendicular_slots_are_offered(gap, extra):
    decision = pass_by(apa(), street(VEHICLE.width_m + extra, gap=gap, row=4.5))
    assert decision.state.state == "OFFERED"
    assert decision.slots[0].kind is SlotKind.PERPENDICULAR
    assert math.isinf(decision.slots[0].depth_m)


@pytest.mark.parametrize("length", [VEHICLE.length_m + e for e in (0.2, 0.3, 0.4, 0.5)])
def test_slots_too_short_for_the_car_are_not_offered(length):
    decision = pass_by(apa(), street(length, wall=2.3))
    assert (decision.state.state, decision.slots) == ("SEARCH", ())


@pytest.mark.parametrize("extra", [0.2, 0.3, 0.4, 0.5])
def test_slots_too_narrow_for_the_car_are_not_offered(extra):
    assert pass_by(apa(), street(VEHICLE.width_m + extra, row=4.5)).slots == ()


def test_a_slot_that_is_not_deep_enough_is_not_offered():
    assert pass_by(apa(), street(7.0, wall=1.2)).slots == ()
    assert pass_by(apa(), street(VEHICLE.width_m + 1.2, wall=2.5)).slots == ()


def test_the_smallest_slot_follows_from_the_car():
    small = replace(VEHICLE, wheelbase_m=2.3, front_overhang_m=0.6, rear_overhang_m=0.6, width_m=1.6)
    boxes = street(5.0, wall=2.3)
    assert pass_by(apa(), boxes).slots == ()
    assert len(pass_by(apa(vehicle=small), boxes).slots) == 1


def test_the_guide_has_fixed_sizes():
    boxes = street(VEHICLE.length_m + 1.1, wall=2.3)
    assert len(pass_by(apa(), boxes).slots) == 1
    assert pass_by(apa(rule="guide"), boxes).slots == ()
    assert len(pass_by(apa(rule="guide"), street(6.3, wall=2.3)).slots) == 1


def test_slots_lie_in_the_odometry_frame():
    (slot,) = pass_by(apa(), street(7.0, wall=2.3), yaw=0.5).slots
    x, y = 15.5, -VEHICLE.width_m / 2 - 1.0
    assert slot.x_m == pytest.approx(math.cos(0.5) * x - math.sin(0.5) * y, abs=0.2)
    assert slot.y_m == pytest.approx(math.sin(0.5) * x + math.cos(0.5) * y, abs=0.2)
    assert slot.yaw_rad == 0.5


def test_an_echo_that_is_no_number_is_no_echo():
    function = apa()
    for i in range(20):
        now = START_NS + nanoseconds(i * CYCLE_S)
        echoes = Echoes(now, (EchoPoint("front_right_side", 3.3, -2.0, math.nan),))
        decision = function.step(now, EgoState(now, 3.0, x_m=0.15 * i), DriverInput(now), echoes)
    assert decision.state.state == "SEARCH" and len(decision.map) == 0


def test_a_background_that_cars_stand_before_is_none_of_them():
    hedges = [(0.0, 4.5, -4.5, -3.6), (9.0, 10.5, -4.5, -3.6)]
    boxes = [*hedges, (10.5, 13.5, -3.0, -1.9), (20.5, 32.0, -3.0, -1.9)]
    (slot,) = pass_by(apa(), boxes, until=28.0).slots
    assert slot.length_m == pytest.approx(7.0, abs=0.25)


def test_a_slot_is_forgotten_farther_on():
    assert pass_by(apa(), street(7.0, wall=2.3), until=45.0).slots == ()


def test_an_open_end_is_no_slot():
    assert pass_by(apa(), street(7.0, wall=2.3)[:1]).slots == ()
    assert pass_by(apa(), street(7.0)[1:]).slots == ()


def test_a_longer_gap_than_any_slot_is_none():
    function = Apa(replace(ApaParams(), slots=replace(ApaParams().slots, longest_m=10.0)), Limits())
    assert pass_by(function, street(11.0, wall=2.3), until=30.0).slots == ()


def test_a_turn_along_the_gap_spoils_the_measurement():
    function, boxes = apa(), street(7.0, wall=2.3)
    for i in range(160):
        now, x = START_NS + nanoseconds(i * CYCLE_S), i * 0.15
        distance = echo(boxes, x + 3.3, -0.9, Side.RIGHT)
        points = (EchoPoint("front_right_side", 3.3, -0.9 - distance, distance),) if distance < MAX_M else ()
        ego = EgoState(now, 3.0, x_m=x, yaw_rad=0.0 if x < 12.0 else 0.04 * (x - 12.0))
        decision = function.step(now, ego, DriverInput(now), Echoes(now, points))
    assert decision.slots == ()


def test_a_silent_side_sensor_is_told_and_measures_nothing():
    decision = pass_by(apa(), street(7.0, wall=2.3), silent=("front_right_side",))
    assert (decision.state.reason, decision.state.level, decision.slots) == ("SENSOR_SILENT", Level.WARN, ())


def test_a_clock_that_goes_back_is_told_and_afterwards_everything_is_heard(monkeypatch):
    made, boxes = apa(), street(7.0, wall=2.3)
    heard: list[str] = []
    hear = made._map.hear
    monkeypatch.setattr(made._map, "hear", lambda *told: heard.append(told[1]) or hear(*told))
    assert pass_by(made, boxes).state.state == "OFFERED"
    before, rows = len(heard), []
    assert pass_by(made, boxes, rows=rows).state.state == "OFFERED"
    assert (rows[0].state.state, rows[0].state.reason) == ("OFF", "ECHOES_STALE")
    assert len(heard) >= 2 * before - len(Ring.names())


def test_off_with_a_reason():
    now = START_NS
    ego, echoes = EgoState(now, 3.0), Echoes(now)
    cases = [
        (None, echoes, "EGO_STALE", Level.WARN),
        (replace(ego, x_m=math.nan), echoes, "EGO_STALE", Level.WARN),
        (ego, None, "ECHOES_STALE", Level.WARN),
        (ego, Echoes(now - nanoseconds(1)), "ECHOES_STALE", Level.WARN),
        (replace(ego, gear=Gear.PARK), echoes, "GEAR", Level.OK),
        (replace(ego, speed_mps=9.0), echoes, "SPEED", Level.OK),
        (replace(ego, speed_mps=-1.0), echoes, "SPEED", Level.OK),
    ]
    for e, s, reason, level in cases:
        decision = apa().step(now, e, None, s)
        assert (decision.state.state, decision.state.reason, decision.state.level) == ("OFF", reason, level)
        assert decision.slots == ()


def test_a_repeated_sample_is_measured_once():
    rows: list = []
    pass_by(apa(), street(7.0, wall=2.3), rows=rows)
    function, boxes = apa(), street(7.0, wall=2.3)
    sample = Echoes(START_NS)
    for i in range(500):
        x = i * 0.05
        if i % 3 == 0:
            distance = echo(boxes, x + 3.3, -0.9, Side.RIGHT)
            points = (EchoPoint("front_right_side", 3.3, -0.9 - distance, distance),) if distance < MAX_M else ()
            sample = Echoes(START_NS + nanoseconds(i * 0.0167), points)
        now = START_NS + nanoseconds(i * 0.0167)
        decision = function.step(now, EgoState(now, 3.0, x_m=x), DriverInput(now), sample)
    assert decision.slots[0].length_m == pytest.approx(rows[-1].slots[0].length_m, abs=0.15)


anything = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(anything, anything, anything), max_size=12), anything)
def test_any_numbers_ask_for_nothing(points, speed):
    function = apa()
    for i, (x, y, reach) in enumerate(points):
        now = START_NS + nanoseconds(i * CYCLE_S)
        echoes = Echoes(now, (EchoPoint("front_left_side", x, y, reach),))
        decision = function.step(now, EgoState(now, speed, x_m=0.1 * i), DriverInput(now), echoes)
        assert decision.request.accel_mps2 is None and decision.request.steering_rad is None
        assert decision.state.state in ("OFF", "SEARCH", "OFFERED")


@settings(max_examples=25, deadline=None)
@given(st.floats(4.0, 9.0), st.floats(0.4, 1.5))
def test_left_and_right_are_alike(length, gap):
    def found(side):
        slots = pass_by(apa(), street(length, gap=gap, side=side, wall=2.3), side=side, speed=4.0).slots
        return [(s.kind, round(s.length_m, 6), round(s.y_m * side, 6)) for s in slots]

    assert found(Side.LEFT) == found(Side.RIGHT)


@given(st.lists(st.tuples(st.floats(0.02, 0.4), st.sampled_from((0.6, 1.0, 1.1, 3.0, 6.0, math.inf)), st.booleans()),
                min_size=1, max_size=150))  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_leaving_out_what_changes_nothing_leaves_the_gaps_as_they_are(rows):
    lazy, eager = (SideScan(SlotParams(window_m=10.0), Side.RIGHT) for _ in range(2))
    ring, x = Ring(), 0.0
    for step, range_m, front in rows:
        x += step
        name = "front_right_side" if front else "rear_right_side"
        for scan in (lazy, eager):
            scan.add(name, ring.mount(name), Pose(x, 0.0, 0.0), range_m)
        eager._fresh = True
        assert lazy.gaps() == eager.gaps()
