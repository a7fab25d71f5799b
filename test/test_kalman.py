import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.perception import kalman

JERK, LATERAL = np.array([3.0]), np.array([1.5])


def track(x=30.0, y=1.0, vx=20.0, vy=-1.0, ax=-2.0):
    return np.array([[x, y, vx, vy, ax]]), np.diag([1.0, 2.0, 3.0, 4.0, 5.0])[None]


def test_motion_is_that_of_a_braking_car():
    states, _ = kalman.predict(*track(), 0.1, 1e9, JERK, LATERAL)
    assert states[0] == pytest.approx([31.99, 0.9, 19.8, -1.0, -2.0])


def test_an_acceleration_fades():
    states, _ = kalman.predict(*track(), 6.0, 6.0, JERK, LATERAL)
    assert states[0, kalman.AX] == pytest.approx(-2.0 / math.e)


def test_back_in_time_is_the_same_way_for_position_and_speed():
    there, _ = kalman.predict(*track(), 0.2, 1e9, JERK, LATERAL)
    back = there[0, kalman.X] - 0.2 * there[0, kalman.VX] + 0.02 * there[0, kalman.AX]
    assert back == pytest.approx(30.0)


def test_a_standing_object_comes_nearer_while_the_car_drives():
    states, _ = kalman.follow_car(*track(vx=0.0, vy=0.0, ax=0.0), 2.0, 0.5, 0.0)
    assert states[0, :4] == pytest.approx([28.0, 0.5, 0.0, 0.0])


def test_a_left_turn_moves_things_to_the_right():
    states, covariances = kalman.follow_car(*track(x=10.0, y=0.0, vx=5.0, vy=0.0), 0.0, 0.0, math.pi / 2.0)
    assert states[0, :4] == pytest.approx([0.0, -10.0, 0.0, -5.0])
    assert np.diag(covariances[0]) == pytest.approx([2.0, 1.0, 4.0, 3.0, 5.0])


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3))
def test_driving_there_and_back_changes_nothing(x, y, yaw):
    there = kalman.follow_car(*track(), x, y, yaw)
    turned = kalman.follow_car(*there, 0.0, 0.0, -yaw)
    back = kalman.follow_car(*turned, -x, -y, 0.0)
    assert back[0][0] == pytest.approx(track()[0][0], abs=1e-9)
    assert back[1][0] == pytest.approx(track()[1][0], abs=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_a_measurement_shrinks_the_uncertainty_and_keeps_it_positive(noise, across, innovation):
    states, covariances = track()
    H = np.zeros((1, 1, kalman.SIZE))
    H[0, 0, kalman.VELOCITY] = 1.0, across
    after, shrunk = kalman.update(states, covariances, np.array([[innovation]]), H, np.array([[[noise]]]))
    assert np.linalg.eigvalsh(shrunk[0]).min() > 0.0
    assert (np.diag(shrunk[0]) <= np.diag(covariances[0]) + 1e-9).all()
    assert np.sign(after[0, kalman.VX] - states[0, kalman.VX]) == np.sign(innovation) or abs(innovation) < 1e-9


def test_distance_counts_standard_deviations():
    assert kalman.distance2(np.array([[3.0, 4.0]]), np.diag([9.0, 4.0])[None]) == pytest.approx([1.0 + 4.0])
