"""Tracks of camera and radar that are one object: when they are united, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest

from adas_perception.perception import kalman
from adas_perception.perception.faces import TYPICAL_SIZE, near_face
from adas_perception.perception.parts import MIDDLE
from adas_perception.perception.track_life import Life
from adas_perception.perception.twins import twins, unite
from adas_perception.types import ObjectClass, Sensor

PERSON, UNKNOWN = ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN
GATE = 14.2


def life(label=PERSON, sources=Sensor.CAMERA, age=9, confirmed=True) -> Life:
    return Life(age, label, 0 if label is UNKNOWN else 5, TYPICAL_SIZE[label], 0.0, 2.0, age, sources, 0, confirmed)


def echo(**changes) -> Life:
    return life(UNKNOWN, Sensor.RADAR, **changes)


def at(x, y=0.0):
    """Return a state whose box of typical size shows the car its near end at x."""
    return (x, y, 0.0, 0.0, 0.0)


def spread(along_m, across_m):
    return np.diag([along_m**2, across_m**2, 1.0, 1.0, 1.0])


def found(person_x, *others, along_m=6.0, gate=GATE, lives=None):
    """Return the twins of a person guessed at a distance and of radar tracks whose near ends lie at others."""
    rows = [at(person_x + 0.25), *(at(x + 2.25, y) for x, y in others)]
    lives = lives or [life(), *(echo() for _ in others)]
    return twins(lives, np.array(rows), np.array([spread(along_m, 0.5), *(spread(0.3, 0.3) for _ in others)]), gate)


@pytest.mark.parametrize(
    ("x", "y", "same"),
    [
        (50.0, 0.0, True),
        (40.0, 0.0, True),
        (60.0, 0.0, True),
        (50.0, 0.8, True),
        (50.0, 1.6, False),
        (30.0, 0.0, False),  # the same error is smaller where it is nearer
        (22.0, 0.0, False),
        (10.0, 0.0, False),
        (50.0, -60.0, False),
    ],
)
def test_one_object_is_what_lies_well_inside_the_guess(x, y, same):
    assert found(50.0, (x, y)) == ([(0, 1)] if same else [])


def test_of_two_that_may_be_meant_none_is_taken():
    assert found(50.0, (48.0, 0.3), (57.0, -0.3)) == []
    assert found(50.0, (48.0, 0.3), (57.0, -3.3)) == [(0, 1)]


def test_one_echo_is_not_two_persons():
    states = np.array([at(50.25), at(50.25, 0.8), at(52.25, 0.4)])
    covariances = np.array([spread(6.0, 0.5), spread(6.0, 0.5), spread(0.3, 0.3)])
    assert twins([life(), life(), echo()], states, covariances, GATE) == []
    states[1] = at(50.25, 5.0)
    assert twins([life(), life(), echo()], states, covariances, GATE) == [(0, 2)]


def test_a_vague_guess_waits():
    assert found(50.0, (50.0, 0.0), along_m=15.0) == [(0, 1)]
    assert found(50.0, (50.0, 0.0), along_m=17.0) == []


@pytest.mark.parametrize(
    "lives",
    [
        [life(), echo(confirmed=False)],
        [life(confirmed=False), echo()],
        [life(sources=Sensor.CAMERA | Sensor.RADAR), echo()],
        [life(), life(ObjectClass.CAR, Sensor.RADAR)],
    ],
)
def test_only_what_is_confirmed_and_unnamed_counts(lives):
    assert found(50.0, (50.0, 0.0), lives=lives) == []


def test_the_camera_says_what_it_is_and_the_radar_where():
    person, other = life(age=7), echo(age=12)
    other.yaw_rad, other.headed, other.seen_ns = 0.3, True, 5
    row = at(52.25, 4.0)
    x, y = unite(person, other, row)
    assert (person.label, person.sources, person.age) == (PERSON, Sensor.CAMERA | Sensor.RADAR, 19)
    assert (person.yaw_rad, person.headed, person.seen_ns) == (0.3, True, 5)
    before = near_face(row[kalman.X], row[kalman.Y], 0.3, other.size, MIDDLE)
    after = near_face(x, y, 0.3, person.size, MIDDLE)
    assert (x + after.x_m, y + after.y_m) == pytest.approx((52.25 + before.x_m, 4.0 + before.y_m), abs=0.05)
