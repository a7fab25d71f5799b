"""Radar and camera mean one object only where both see it; what one of them says alone is what that one can know."""

import math

import numpy as np
import pytest
from radar_scene import PERIOD_S, Body, Scene
from test_tracking import CAMERA, box

from adas_perception.perception.agreement import LASTS_S, Directions, tolerance
from adas_perception.perception.faces import TYPICAL_SIZE
from adas_perception.perception.measurement import SensorNoise, from_radar
from adas_perception.perception.radar import RadarClusterer, RadarParams, Radars
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.types import Detections, ObjectClass, RadarTarget, RadarTargets, Sensor, nanoseconds

RADAR, CAMERA_KIND = Sensor.RADAR, Sensor.CAMERA


def test_two_sensors_agree_on_one_direction_and_a_lone_one_with_itself():
    seen = Directions()
    assert seen.agree(RADAR, 0, 50.0, 1.0)
    seen.saw(CAMERA_KIND, 0, 0.5, 0.0)
    assert seen.agree(RADAR, 0, 1.4, 1.0) and not seen.agree(RADAR, 0, 1.6, 1.0)
    assert seen.agree(CAMERA_KIND, 0, 50.0, 1.0)


def test_a_correction_of_the_track_moves_what_others_have_seen():
    seen = Directions()
    seen.saw(CAMERA_KIND, 0, 0.0, 0.0)
    seen.saw(RADAR, 0, 0.8, 0.7)  # the track has gone 0.7 m to the left: the camera's box now lies right of it
    assert seen.camera_m == pytest.approx(-0.7)
    assert not seen.agree(RADAR, 0, 0.8, 1.0)


def test_what_was_seen_long_ago_says_nothing():
    seen = Directions()
    seen.saw(CAMERA_KIND, 0, 0.0, 0.0)
    late = nanoseconds(LASTS_S)
    assert not seen.agree(RADAR, late - 1, 9.0, 1.0) and seen.agree(RADAR, late, 9.0, 1.0)


def test_the_tolerance_grows_with_distance_and_with_what_is_seen():
    def of(x, label, yaw=0.0):
        targets = RadarTargets(0, "front", (RadarTarget(x, 0.0, 0.0, 0.0, 1, "front"),))
        (point,) = from_radar(targets, Radars().front, SensorNoise()).points
        return tolerance(TYPICAL_SIZE[label], yaw, point)

    person, car = ObjectClass.PEDESTRIAN, ObjectClass.CAR
    assert of(20.0, person) < of(60.0, person) < 2.5
    assert of(20.0, person) < of(20.0, car) < of(20.0, car, math.pi / 2.0)


def drive(bodies, boxes, seconds=5.0, speed=8.0):
    """Yield time and objects of a drive: ``bodies`` answer the radar, ``boxes`` of time are what the camera sees."""
    scene, radar = Scene(speed=speed, bodies=bodies), RadarParams()
    clusterer, fusion = RadarClusterer(radar), Fusion(FusionParams())
    for k in range(round(seconds / PERIOD_S)):
        t = k * PERIOD_S
        ego = scene.ego(t)
        items = tuple(box(scene.truth(t, body), label, 1.7, scene.rng) for body, label in boxes(t))
        scans = [clusterer.step(scene.scan(t, "front", radar.radars.front), ego)]
        yield t, fusion.step(ego.stamp_ns, scans, Detections(ego.stamp_ns, 1280, 720, items), ego, CAMERA)


def test_a_walker_whom_no_radar_sees_is_not_drawn_to_the_sign_before_him():
    sign = Body(68.0, -3.2, 0.0, length=0.3, width=0.3)
    walker = lambda t: Body(62.0 + 1.2 * t, -5.6, 1.2, length=0.5, width=0.6)  # noqa: E731
    seen = 0
    for t, objects in drive((lambda t: sign,), lambda t: [(walker(t), ObjectClass.PEDESTRIAN)] if t < 3.0 else []):
        for person in (o for o in objects.tracks if o.label is ObjectClass.PEDESTRIAN and t > 1.0):
            seen += 1
            assert person.sources is CAMERA_KIND
            assert abs(person.vy_mps) < 0.7
    assert seen > 20


def test_a_car_that_only_the_camera_still_sees_is_a_guess_again():
    def lead(t):
        return Body(30.0 + 8.0 * t, 0.0, 8.0)

    sources = [
        (t, objects.tracks[0].sources)
        for t, objects in drive((lambda t: lead(t) if t < 2.0 else None,), lambda t: [(lead(t), ObjectClass.CAR)])
        if objects.tracks
    ]
    assert all(s == RADAR | CAMERA_KIND for t, s in sources if 1.0 < t < 2.0)
    assert all(s is CAMERA_KIND for t, s in sources if t > 2.8) and sources[-1][0] > 4.0


def test_what_stands_does_not_slide_sideways_unseen():
    car = Body(40.0, -3.0, 0.0)
    before, after = [], []
    for t, objects in drive((lambda t: car if t < 1.5 else None,), lambda t: [], speed=0.0, seconds=2.0):
        (before if t < 1.5 else after).extend(o.y_m for o in objects.tracks)
    assert len(after) > 3 and np.ptp(after[2:]) < 0.02 and abs(after[-1] - before[-1]) < 0.3
