"""Which point of a box a sensor sees, and what fusion makes of boxes seen over a corner."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.perception.faces import TYPICAL_SIZE, centred, near_face, shows_end
from adas_perception.types import ObjectClass, Sensor

CAR = TYPICAL_SIZE[ObjectClass.CAR]
ORIGIN = (3.6, 0.0)
anywhere = st.tuples(st.floats(8.0, 80.0), st.floats(-20.0, 20.0))


@given(anywhere, st.floats(-math.pi, math.pi), st.sampled_from([Sensor.RADAR, Sensor.CAMERA]))
def test_left_and_right_mirror_each_other(place, yaw, kind):
    x, y = place
    here = near_face(x, y, yaw, CAR, ORIGIN, kind)
    there = near_face(x, -y, -yaw, CAR, ORIGIN, kind)
    if abs(y) > 1e-6:
        mirrored = (there.x_m, -there.y_m, there.xx, -there.xy, there.yy)
        assert here == pytest.approx(mirrored, abs=1e-6)


@given(anywhere, st.floats(-math.pi, math.pi))
def test_radar_points_lie_in_the_box_with_a_possible_covariance(place, yaw):
    face = near_face(*place, yaw, CAR, ORIGIN)
    assert math.hypot(face.x_m, face.y_m) <= math.hypot(CAR.length_m, CAR.width_m) / 2.0 + 1e-9
    assert face.xx >= -1e-9 and face.yy >= -1e-9
    assert face.xx * face.yy - face.xy**2 >= -1e-6


def test_from_behind_it_is_the_middle_of_the_rear():
    face = near_face(30.0, 0.0, 0.0, CAR, ORIGIN)
    assert (face.x_m, face.y_m) == pytest.approx((-CAR.length_m / 2.0, 0.0))


def test_a_parked_car_is_seen_over_its_corner():
    face = near_face(13.0, -3.2, 0.0, CAR, ORIGIN)
    assert 0.05 < face.y_m < CAR.width_m / 2.0
    assert face.x_m < 0.0


def test_abeam_it_is_the_side():
    face = near_face(3.6, 3.5, 0.0, CAR, ORIGIN)
    assert face.y_m == pytest.approx(-CAR.width_m / 2.0)
    assert face.xx > 0.5


@given(st.floats(12.0, 80.0), st.floats(-6.0, 6.0), st.sampled_from([Sensor.RADAR, Sensor.CAMERA]))
def test_the_centre_is_found_again(x, y, kind):
    face = near_face(x, y, 0.0, CAR, ORIGIN, kind)
    found_x, found_y, _ = centred(x + face.x_m, y + face.y_m, CAR, ORIGIN, kind)
    assert math.hypot(found_x - x, found_y - y) < 0.6


def test_only_the_end_shows_the_width():
    assert shows_end(30.0, 0.0, 0.0, CAR, ORIGIN)
    assert not shows_end(12.0, -3.5, 0.0, CAR, ORIGIN)
    assert not shows_end(3.6, -3.5, 0.0, CAR, ORIGIN)
