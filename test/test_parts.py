"""Further parts of one body: owners of observations, lorries that grow, second tracks that go."""

from __future__ import annotations

import math

import pytest

from adas_perception.params import Mount
from adas_perception.perception.faces import TYPICAL_SIZE
from adas_perception.perception.measurement import SensorNoise, from_radar
from adas_perception.perception.parts import LENGTH_MAX_M, doubles, owner, stretch
from adas_perception.perception.radar import Coverage
from adas_perception.perception.track_life import Life
from adas_perception.types import ObjectClass, RadarTarget, RadarTargets, Sensor

CAR, PERSON, UNKNOWN = ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.UNKNOWN
FRONT = Coverage(Mount(x_m=3.6))
LORRY = (20.0, 0.0, 15.0, 0.0, 0.0)


def life(label: ObjectClass = CAR, age: int = 9) -> Life:
    return Life(age, label, 0 if label is UNKNOWN else 5, TYPICAL_SIZE[label], 0.0, 2.0, age, Sensor.RADAR, 0, True)


def point(x: float, y: float, speed: float = 15.0, label: ObjectClass = UNKNOWN):
    seen = from_radar(RadarTargets(0, "front", (RadarTarget(x, y, 0.0, speed, 1, "front"),)), FRONT, SensorNoise())
    return seen, seen.points[0]._replace(label=label)


@pytest.mark.parametrize(
    ("x", "y", "speed", "owned"),
    [
        (22.0, 0.9, 15.0, True),
        (26.5, 0.9, 15.0, True),
        (28.0, 0.9, 15.0, False),
        (22.0, 3.0, 15.0, False),
        (22.0, 0.9, 5.0, False),
        (15.0, 0.9, 15.0, False),
    ],
)
def test_what_is_in_or_close_behind_a_moving_box_and_as_fast_belongs_to_it(x, y, speed, owned):
    assert (owner([life()], [LORRY], *point(x, y, speed), 1.0, 3.0) == 0) is owned


def test_behind_a_parked_car_the_next_one_begins():
    assert owner([life()], [(20.0, 0.0, 0.0, 0.0, 0.0)], *point(26.5, 0.9, 0.0), 1.0, 3.0) is None


@pytest.mark.parametrize("label", [CAR, UNKNOWN])
def test_a_person_inside_the_box_of_a_vehicle_is_no_part_of_it(label):
    assert owner([life(label)], [LORRY], *point(22.0, 0.0, 15.0, PERSON), 1.0, 3.0) is None


@pytest.mark.parametrize("yaw", [0.0, math.pi])
def test_a_lorry_grows_to_its_farthest_part_and_its_near_end_stays(yaw):
    body = life()
    body.yaw_rad = yaw
    moved = stretch(body, LORRY, *point(25.25, 0.5))
    assert body.size.length_m == pytest.approx(7.5)
    assert moved == pytest.approx((1.5, 0.0))


@pytest.mark.parametrize(("x", "label"), [(19.0, CAR), (20.0 + LENGTH_MAX_M, CAR), (25.0, UNKNOWN)])
def test_nothing_else_grows(x, label):
    body = life(label)
    assert stretch(body, LORRY, *point(x, 0.0)) == (0.0, 0.0)
    assert body.size == TYPICAL_SIZE[label]


@pytest.mark.parametrize(
    ("other", "label", "double"),
    [
        ((20.5, 0.5, 15.0, 0.0, 0.0), UNKNOWN, True),
        ((27.0, 1.0, 15.0, 0.0, 0.0), UNKNOWN, True),
        ((29.0, 1.0, 15.0, 0.0, 0.0), UNKNOWN, False),
        ((20.5, 0.5, 10.0, 0.0, 0.0), UNKNOWN, False),
        ((20.5, 0.5, 15.0, 0.0, 0.0), PERSON, False),
        ((24.0, 3.5, 15.0, 0.0, 0.0), CAR, False),
    ],
)
def test_a_younger_track_in_the_box_of_an_older_one_is_a_part_of_it(other, label, double):
    found = doubles([life(label, age=3), life()], [other, LORRY], 3.0)
    assert found == ({0} if double else set())


def test_a_radar_track_does_not_swallow_the_person_that_the_camera_sees_in_its_box():
    assert not doubles([life(UNKNOWN), life(PERSON, age=3)], [LORRY, (20.5, 0.5, 15.0, 0.0, 0.0)], 3.0)
