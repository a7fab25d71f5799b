import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.perception.ultrasonic import SENSORS, UltrasonicParams, UltrasonicRing
from adas_perception.types import UltrasonicEcho, nanoseconds

NOW = nanoseconds(10.0)


def ring(*echoes):
    made = UltrasonicRing(UltrasonicParams())
    for sensor, range_m, *stamp in echoes:
        made.step(UltrasonicEcho(stamp[0] if stamp else NOW, sensor, range_m))
    return made


def test_there_are_twelve_sensors_and_all_are_silent_at_first():
    echoes = ring().echoes(NOW)
    assert len(SENSORS) == 12
    assert (echoes.stamp_ns, echoes.points, echoes.silent) == (0, (), SENSORS)


@pytest.mark.parametrize(("sensor", "x", "y"), [
    ("front_left", 4.72, 0.27), ("rear_right", -2.05, -0.27),
    ("front_left_side", 3.30, 1.90), ("rear_right_side", -0.65, -1.90),
])  # fmt: skip
def test_an_echo_lies_along_the_axis_of_its_sensor(sensor, x, y):
    (point,) = ring((sensor, 1.0)).echoes(NOW).points
    assert (point.sensor, point.range_m) == (sensor, 1.0)
    assert (point.x_m, point.y_m) == pytest.approx((x, y), abs=0.01)


def test_left_and_right_mirror_each_other():
    for name in (n for n in SENSORS if "_left" in n):
        (left,) = ring((name, 1.0)).echoes(NOW).points
        (right,) = ring((name.replace("_left", "_right"), 1.0)).echoes(NOW).points
        # Mounting angles have five decimals.
        assert (left.x_m, left.y_m) == pytest.approx((right.x_m, -right.y_m), abs=1e-4)


@pytest.mark.parametrize("bad", [-1.0, -0.001, math.nan, -math.inf])
def test_an_impossible_range_is_rejected_and_the_last_good_one_stays(bad):
    made = ring(("front_left", 2.0), ("front_left", bad, NOW + 1))
    assert made.rejected == 1
    assert [p.range_m for p in made.echoes(NOW).points] == [2.0]


@pytest.mark.parametrize("far", [5.01, math.inf])
def test_no_echo_is_a_sign_of_life(far):
    echoes = ring(("front_left", far)).echoes(NOW)
    assert echoes.points == () and "front_left" not in echoes.silent


def test_what_is_too_near_to_be_measured_is_still_an_obstacle():
    (point,) = ring(("rear_left", 0.02)).echoes(NOW).points
    assert point.range_m == UltrasonicParams().range_min_m


def test_a_sensor_falls_silent_after_the_timeout():
    made = ring(("front_left", 1.0))
    limit = nanoseconds(UltrasonicParams().timeout_s)
    assert "front_left" not in made.echoes(NOW + limit).silent
    late = made.echoes(NOW + limit + nanoseconds(0.001))
    assert late.points == () and "front_left" in late.silent


@pytest.mark.parametrize("stamp", [NOW, NOW - 1])
def test_stamps_that_are_not_newer_are_rejected(stamp):
    made = ring(("front_left", 1.0), ("front_left", 3.0, stamp))
    assert made.rejected == 1 and made.echoes(NOW).points[0].range_m == 1.0


def test_a_clock_that_goes_back_is_believed_after_some_echoes():
    """A recording begins again, or a sender restarts: the ring must not stay deaf until the old time is reached."""
    made = ring(*(("front_left", 1.0 + (i % 2), NOW + i) for i in range(4)))
    for i in range(5):
        made.step(UltrasonicEcho(1000 + i, "front_left", 3.0))
    assert made.rejected == 4
    assert [p.range_m for p in made.echoes(1004).points] == [3.0]


def test_distrust_does_not_outlive_the_clock_that_it_began_by():
    ranges = (1.0, 2.0, 3.2)  # three bursts that can only be another car's
    made = ring(*(("front_left", r, NOW + i) for i, r in enumerate(ranges)))
    assert "front_left" in made.echoes(NOW + 2).silent
    for i in range(5):
        made.step(UltrasonicEcho(1000 + i, "front_left", 3.0))
    assert "front_left" not in made.echoes(1004).silent


def test_the_stamp_is_that_of_the_newest_echo():
    assert ring(("front_left", 1.0, NOW - 9), ("rear_left", 1.0, NOW - 5)).echoes(NOW).stamp_ns == NOW - 5


def test_an_unknown_sensor_is_named():
    with pytest.raises(ValueError, match="no ultrasonic sensor 'roof'"):
        ring(("roof", 1.0))


@given(st.lists(st.tuples(st.sampled_from(SENSORS), st.floats(), st.integers(NOW - 10**9, NOW)), max_size=50))
def test_whatever_comes_every_point_is_finite_and_in_range(rows):
    p = UltrasonicParams()
    made = ring(*rows)
    echoes = made.echoes(NOW)
    assert {e.sensor for e in echoes.points}.isdisjoint(echoes.silent)
    for point in echoes.points:
        assert p.range_min_m <= point.range_m <= p.range_max_m
        assert math.isfinite(point.x_m) and math.isfinite(point.y_m)
