"""How strong a reaction the evidence allows: who has seen it, how often, and whether it moved."""

import math

import pytest

from adas_perception.functions.evidence import Evidence, EvidenceParams
from adas_perception.functions.threat import Urgency
from adas_perception.types import ObjectClass, Sensor, Track

P = EvidenceParams()
RADAR, CAMERA, BOTH = Sensor.RADAR, Sensor.CAMERA, Sensor.RADAR | Sensor.CAMERA
CAR, PERSON = ObjectClass.CAR, ObjectClass.PEDESTRIAN


def cap(label, sources, age, speed=0.0, seen=20, cycles=20, ahead=20.0, y=-15.0, ttc_s=1.5):
    """Return the cap for an object beside the camera's view that came towards us for ``seen`` cycles."""
    track = Track(1, ahead, y, -speed, 0.0, label=label, sources=sources, age=age)
    evidence = Evidence(P)
    for k in range(seen):
        evidence.see(k * 50_000_000, [track])
    return evidence.cap(track, cycles, ttc_s)


@pytest.mark.parametrize(
    "label, sources, speed, needed",
    [
        (CAR, BOTH, 0.0, P.standing_cycles),
        (CAR, BOTH, 10.0, P.moving_cycles),
        (CAR, RADAR, 10.0, P.moving_cycles),
        (PERSON, BOTH, 0.0, P.cycles_min),
        (PERSON, BOTH, 1.4, P.cycles_min),
        (PERSON, RADAR, 3.0, P.moving_cycles),
        (PERSON, CAMERA, 1.4, P.moving_cycles),
    ],
)
def test_so_many_sensor_cycles_must_have_confirmed_it(label, sources, speed, needed):
    assert cap(label, sources, needed - 1, speed) is Urgency.NONE
    assert cap(label, sources, needed, speed) > Urgency.NONE


@pytest.mark.parametrize(
    "label, sources, speed, most",
    [
        (CAR, BOTH, 0.0, Urgency.FULL),
        (CAR, RADAR, 0.0, Urgency.NONE),
        (CAR, CAMERA, 0.0, Urgency.NONE),
        (CAR, CAMERA, 10.0, Urgency.NONE),
        (PERSON, CAMERA, 1.4, Urgency.PARTIAL),
        (PERSON, BOTH, 0.0, Urgency.FULL),
    ],
)
def test_the_most_that_the_sensors_allow(label, sources, speed, most):
    assert cap(label, sources, 99, speed) is most


@pytest.mark.parametrize(
    ("label", "ttc_s", "needed"),
    [
        (PERSON, P.patience_s + 0.01, P.moving_cycles),
        (PERSON, P.patience_s, P.cycles_min),
        (CAR, P.patience_s + 0.01, P.cycles_min),
    ],
)
def test_for_people_more_is_waited_for_where_there_is_time(label, ttc_s, needed):
    assert cap(label, BOTH, 99, cycles=needed - 1, ttc_s=ttc_s) is Urgency.NONE
    assert cap(label, BOTH, 99, cycles=needed, ttc_s=ttc_s) is Urgency.FULL


@pytest.mark.parametrize("cycles", range(P.cycles_min))
def test_nothing_happens_before_the_threat_has_lasted(cycles):
    assert cap(PERSON, BOTH, 99, cycles=cycles) is Urgency.NONE


def test_a_fast_object_is_known_to_move_after_half_the_cycles():
    half = P.moving_cycles // 2
    assert cap(CAR, RADAR, 99, 2.5 * P.moving_mps, seen=half) is Urgency.FULL
    assert cap(CAR, RADAR, 99, 2.5 * P.moving_mps, seen=half - 1) is Urgency.NONE
    assert cap(CAR, RADAR, 99, 1.2 * P.moving_mps * 1.25, seen=P.moving_cycles - 1) is Urgency.NONE


def rail_ghost():
    """A track that began with clutter and went on with the posts of a guard rail, as a drive recorded it."""
    return [(17.2, 6.5, 7.3, -16.2), (16.5, 5.7, 7.4, -16.2), (15.3, 6.0, 6.8, -12.9), (14.6, 5.3, 7.0, -12.9),
            (12.9, 6.5, 5.3, -7.1), (12.1, 6.2, 5.6, -7.1), (11.2, 6.0, 5.7, -6.7), (10.3, 5.7, 6.0, -6.7)]  # fmt: skip


def test_what_rushes_across_the_line_of_sight_of_radar_alone_is_no_moving_object():
    evidence = Evidence(P)
    for k, (x, y, vx, vy) in enumerate(rail_ghost()):
        track = Track(1, x, y, vx, vy, sources=RADAR, age=6 + k)
        evidence.see(k * 50_000_000, [track])
        assert evidence.cap(track, 20, 1.5) is Urgency.NONE


@pytest.mark.parametrize("bearing_deg", [30, 45, 60])
def test_traffic_that_crosses_outside_the_cameras_view_is_braked_for(bearing_deg):
    x, y = 20.0 * math.cos(math.radians(bearing_deg)), 20.0 * math.sin(math.radians(bearing_deg))
    evidence = Evidence(P)
    track = Track(1, x, y, 0.0, -8.0, sources=RADAR, age=20)
    for k in range(P.moving_cycles):
        evidence.see(k * 50_000_000, [track])
    assert evidence.cap(track, 20, 1.5) is Urgency.FULL
