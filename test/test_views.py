"""What cars hide from a sensor, and how objects are placed that show only a part."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.params import Mount
from adas_perception.perception import track_life
from adas_perception.perception.faces import TYPICAL_SIZE
from adas_perception.perception.measurement import Observations
from adas_perception.perception.radar import Coverage
from adas_perception.perception.track_life import Life, LifeParams
from adas_perception.perception.views import Views, behind_edge, hiders, look
from adas_perception.types import ObjectClass, Sensor

CAR, PERSON = ObjectClass.CAR, ObjectClass.PEDESTRIAN
FRONT = Coverage(Mount(x_m=3.6), half_fov_rad=1.0)


def life(label: ObjectClass = CAR, yaw: float = 0.0, confirmed: bool = True) -> Life:
    return Life(1, label, 5, TYPICAL_SIZE[label], yaw, 2.0, 9, Sensor.RADAR, 0, confirmed)


def seen(coverage: Coverage = FRONT, kind: Sensor = Sensor.RADAR) -> Observations:
    return Observations(0, kind, coverage, (coverage.mount.x_m, coverage.mount.y_m))


def view(*tracks: tuple[float, float, Life], **sensor) -> Views:
    states = [(x, y, 0.0, 0.0, 0.0) for x, y, _ in tracks]
    return look(states, [body for _, _, body in tracks], seen(**sensor))


@pytest.mark.parametrize("kind", [Sensor.RADAR, Sensor.CAMERA])
def test_a_car_hides_what_is_right_behind_it(kind):
    hidden = view((20.0, 0.0, life()), (30.0, 0.0, life()), (30.0, 6.0, life()), (30.0, 0.0, life(PERSON)), kind=kind)
    assert hidden.hidden == [False, True, False, True]


def test_it_hides_nothing_before_it_or_beyond_the_opposite_bearing():
    assert not any(view((20.0, 0.0, life()), (10.0, 0.0, life(PERSON)), (-15.0, 0.0, life())).hidden)


@pytest.mark.parametrize("hider", [life(PERSON), life(confirmed=False)])
def test_people_and_what_is_not_confirmed_hide_nothing(hider):
    assert not any(view((20.0, 0.0, hider), (30.0, 0.0, life())).hidden)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_of_a_car_half_behind_another_the_middle_of_the_free_part_is_seen(side):
    alone = view((40.0, side * 2.6, life())).faces[0]
    both = view((20.0, 0.0, life()), (40.0, side * 2.6, life()))
    assert not any(both.hidden)
    assert 0.2 < side * (both.faces[1].y_m - alone.y_m) < 0.9
    assert both.faces[1].yy > alone.yy


def test_of_crossing_traffic_with_a_hidden_front_any_part_may_be_seen():
    crossing = life(yaw=math.pi / 2.0)
    views = view((20.0, -4.0, life()), (30.0, -8.2, crossing))
    assert not views.hidden[1]
    assert views.faces[1].xx == views.faces[1].yy > 1.5
    assert views.faces[1].y_m < 0.0


def test_what_has_left_the_field_of_view_is_seen_somewhere_within_its_size():
    beside = view((3.0, 6.0, life()), (3.0, 6.0, life(PERSON)), kind=Sensor.CAMERA)
    assert not any(beside.shown)
    assert beside.faces[0].xx > 3.0
    assert beside.faces[1].xx < 0.5


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_new_object_beside_an_edge_lies_behind_it(side):
    dark = hiders([(20.0, 0.0, 0.0, 0.0, 0.0), (60.0, 0.0, 0.0, 0.0, 0.0)], [life(), life()], (3.6, 0.0))
    assert dark is not None
    edge = side * (0.9 + 0.9 * (28.0 - 17.75) / (17.75 - 3.6))
    (along, across), doubt = behind_edge(dark, (28.0, edge + side * 0.1), (3.6, 0.0), TYPICAL_SIZE[CAR])
    assert -1.2 < side * across < -0.5
    assert along < 0.0
    assert np.all(np.linalg.eigvalsh(doubt) >= -1e-9)
    free, none = behind_edge(dark, (28.0, side * 8.0), (3.6, 0.0), TYPICAL_SIZE[CAR])
    assert free == pytest.approx([0.0, 0.0]) and none == pytest.approx(np.zeros((2, 2)))


def test_what_is_hidden_is_not_doubted_and_lives_longer():
    p, body = LifeParams(), life()
    later = round((p.coast_s + 0.1) * 1e9)
    assert not body.alive(later, p)
    body.hidden_ns = later - 1
    assert body.alive(later, p)
    cycle = Observations(later, Sensor.RADAR, FRONT, (3.6, 0.0))
    assert not body.open_to_doubt(cycle, p)
    body.hidden_ns = later - round((p.emerge_s + 0.01) * 1e9)
    assert body.open_to_doubt(cycle, p)
    assert not body.alive(round((p.hidden_s + 0.1) * 1e9), p)


@pytest.mark.parametrize(("label", "same"), [(CAR, True), (PERSON, False), (ObjectClass.CYCLIST, False)])
def test_what_radar_sees_may_be_a_car_of_which_the_far_end_shows(label, same):
    assert life(ObjectClass.UNKNOWN).as_large_as(label) is same


def test_a_firm_class_stays():
    body = life()
    assert not body.may_be(PERSON)
    body.votes = track_life.FIRM_VOTES - 1
    assert body.may_be(PERSON)
