"""What fusion makes of boxes: errors that last, boxes that the picture cuts, and when two kinds of sensors agree."""

import math

import numpy as np
import pytest

from adas_perception.perception.association import assign
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.faces import Face
from adas_perception.perception.measurement import NO_SPEED_SIGMA_MPS, Observations, Point
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.types import Detection, Detections, EgoState, ObjectClass, RadarTarget, RadarTargets, Sensor

CAMERA = CameraModel.from_fov(1280, 720, math.radians(60.0), height_m=1.4, x_m=1.8)
CYCLE_NS, START_NS = 50_000_000, 10_000_000_000
PERSON, CAR = ObjectClass.PEDESTRIAN, ObjectClass.CAR
BOTH = Sensor.RADAR | Sensor.CAMERA


def box(label, x, y, width=0.5, height=1.65, clip=False):
    """Return the box of something with its near face at (x, y)."""
    uv = CAMERA.project(np.array([(x, y - width / 2, 0.0), (x, y + width / 2, height)]))
    (x1, y1), (x2, y2) = uv.min(axis=0), uv.max(axis=0)
    if clip:
        x1, x2 = (min(max(u, 0.0), 1279.0) for u in (x1, x2))
    return Detection(label, 0.8, float(x1), float(y1), float(x2), float(y2))


class Drive:
    """A car that goes straight on, its fusion, and the last objects."""

    def __init__(self, speed=0.0):
        self.fusion, self.speed, self.k = Fusion(FusionParams()), speed, 0

    def cycle(self, boxes=(), targets=()):
        now = START_NS + self.k * CYCLE_NS
        ego = EgoState(now, self.speed, x_m=self.way)
        scans = [RadarTargets(now, "front", tuple(targets))]
        objects = self.fusion.step(now, scans, Detections(now, 1280, 720, tuple(boxes)), ego, CAMERA)
        self.k += 1
        return objects.tracks

    @property
    def way(self):
        return self.speed * self.k * CYCLE_NS * 1e-9


def echo(x, y=0.0, speed=0.0):
    return RadarTarget(x, y, speed, speed, 3, "front")


@pytest.mark.parametrize("label, width, height, away", [
    (PERSON, 0.5, 1.4, 60.0), (PERSON, 0.5, 2.0, 60.0), (PERSON, 0.5, 1.35, 80.0), (CAR, 1.8, 1.25, 60.0),
])  # fmt: skip
def test_an_error_that_all_pictures_share_is_not_believed_the_more_pictures_there_are(label, width, height, away):
    """A child seems farther than it is, in every picture: radar must still find it to be the same."""
    drive, seen = Drive(), box(label, away, 0.0, width, height)
    for _ in range(60):
        tracks = drive.cycle([seen])
    (guessed,) = tracks
    assert abs(guessed.x_m - away) > 7.0  # the camera alone errs
    for _ in range(6):
        tracks = drive.cycle([seen], [echo(away)])
    assert [(track.id, track.sources) for track in tracks] == [(guessed.id, BOTH)]
    assert abs(tracks[0].x_m - away) < 2.5


def test_the_cameras_error_of_distance_makes_no_speed():
    drive, speeds = Drive(8.0), []
    while drive.way < 36.0:
        speeds += [t.vx_mps for t in drive.cycle([box(PERSON, 45.0 - drive.way, 0.0, height=1.85)])]
    assert len(speeds) > 60
    assert max(map(abs, speeds)) < 1.0


def test_what_the_picture_cuts_begins_no_track():
    cut = box(CAR, 8.0, 3.4, 1.8, 1.5, clip=True)
    assert cut.x1 == 0.0 < cut.x2
    drive = Drive()
    assert not any(drive.cycle([cut]) for _ in range(20))


def test_what_the_picture_cuts_goes_on_being_seen_and_keeps_its_width():
    drive, seen = Drive(8.0), []
    while drive.way < 24.0:
        tracks = drive.cycle([box(CAR, 32.0 - drive.way, 4.0, 1.7, 1.5, clip=True)])
        seen += tracks[:1]
    assert len({track.id for track in seen}) == 1 and len(seen) > 50
    assert seen[-1].age > 55  # cut boxes confirmed it to the end
    assert seen[-1].width_m == pytest.approx(1.7, abs=0.15)


def test_clutter_far_before_a_person_is_not_that_person():
    drive = Drive()
    for k in range(20):
        tracks = drive.cycle([box(PERSON, 90.0, 0.0)], [echo(23.0, 0.0, -5.0)] if k == 8 else [])
    (track,) = tracks
    assert track.x_m == pytest.approx(90.0, rel=0.2)
    assert track.sources == Sensor.CAMERA


def test_radar_agrees_with_the_camera_when_it_has_seen_the_person_three_times():
    drive = Drive()
    for _ in range(6):
        drive.cycle([box(PERSON, 30.0, 0.0)])
    sources = [drive.cycle([box(PERSON, 30.0, 0.0)], [echo(30.0)])[0].sources for _ in range(4)]
    assert sources == [Sensor.CAMERA, Sensor.CAMERA, BOTH, BOTH]


def test_echoes_that_come_now_and_then_are_no_agreement():
    drive = Drive()
    for k in range(60):
        tracks = drive.cycle([box(PERSON, 30.0, 0.0)], [echo(30.0)] if k > 6 and k % 7 == 0 else [])
    assert tracks[0].sources == Sensor.CAMERA


def test_a_track_that_began_with_clutter_is_the_cameras_once_only_the_camera_sees_it():
    drive = Drive()
    drive.cycle([], [echo(30.0)])
    for _ in range(10):
        tracks = drive.cycle([box(PERSON, 30.0, 0.0)])
    assert {track.sources for track in tracks} == {Sensor.CAMERA}


def far_box(x, y):
    """Return what the camera says of a car as far away as this."""
    return Point(x, y, 24.0**2, 0.0, 0.9**2, 1.0, 0.0, 0.0, NO_SPEED_SIGMA_MPS, CAR, 1.8, True)


@pytest.mark.parametrize("known", [{0}, {0, 1}])
def test_two_poor_pairs_are_no_better_than_one_good_one(known):
    """Another box appears: the car ahead keeps its own, which does not go to a post of the guard rail."""
    ahead, post = (86.6, -1.6, 36.1, 0.0, 0.0), (112.0, 0.9, 0.0, 0.0, 0.0)
    seen = Observations(0, Sensor.CAMERA, None, (1.8, 0.0), (far_box(87.4, -1.5), far_box(100.3, -4.4)))
    sure = np.stack([np.eye(5) * 0.1] * 2)
    faces = [Face(0.0, 0.0, 0.0, 0.0, 0.0)] * 2
    pairs = assign([ahead, post], sure, faces, seen, 0.0, 14.2, known=lambda track: track in known)
    assert [(pair.track, pair.point) for pair in pairs] == [(0, 0)]


def test_of_two_tracks_the_one_that_the_camera_knows_gets_the_box():
    newer, older = (87.4, -1.2, 0.0, 0.0, 0.0), (87.4, -2.2, 0.0, 0.0, 0.0)
    seen = Observations(0, Sensor.CAMERA, None, (1.8, 0.0), (far_box(87.4, -1.5),))
    sure, faces = np.stack([np.eye(5) * 0.1] * 2), [Face(0.0, 0.0, 0.0, 0.0, 0.0)] * 2
    for known, taken in (({0, 1}, 0), ({1}, 1)):
        pairs = assign([newer, older], sure, faces, seen, 0.0, 14.2, known=lambda track, k=known: track in k)
        assert [pair.track for pair in pairs] == [taken]


def test_what_has_never_moved_stands_along_the_bend():
    fusion, rate, speed = Fusion(FusionParams()), -0.07, 14.0
    for k in range(20):
        now, turned = START_NS + k * CYCLE_NS, rate * k * CYCLE_NS * 1e-9
        way_x, way_y = speed / rate * math.sin(turned), speed / rate * (1.0 - math.cos(turned))
        dx, dy = 45.0 - way_x, -4.0 - way_y
        x, y = math.cos(turned) * dx + math.sin(turned) * dy, math.cos(turned) * dy - math.sin(turned) * dx
        ego = EgoState(now, speed, yaw_rate_radps=rate)
        tracks = fusion.step(now, [RadarTargets(now, "front", (echo(x, y),))], None, ego, CAMERA).tracks
    (track,) = tracks
    assert track.yaw_rad == pytest.approx(rate / speed * track.x_m, abs=0.01)


def test_a_radar_echo_far_behind_a_vague_guess_is_something_else():
    """Of the many things in the wide guess of a far person the first that radar sees is not that person."""
    drive = Drive()
    for k in range(24):
        tracks = drive.cycle([box(PERSON, 107.0, -12.0)], [echo(127.0, -16.0)] if k >= 3 else [])
    person = next(track for track in tracks if track.label is PERSON)
    assert person.sources == Sensor.CAMERA
    assert person.x_m == pytest.approx(107.0, rel=0.05)
    assert any(track.sources == Sensor.RADAR and track.x_m > 120.0 for track in tracks)


def test_the_flank_of_a_known_car_is_not_the_person_behind_it():
    drive, car = Drive(), box(CAR, 49.0, -2.9, 1.8, 1.5)
    for k in range(30):
        flank = [echo(52.0, -2.4)] if k >= 15 else []
        tracks = drive.cycle([car, box(PERSON, 53.0, -4.2)] if k >= 8 else [car], [echo(49.0, -2.9), *flank])
    person = next(track for track in tracks if track.label is PERSON)
    assert person.sources == Sensor.CAMERA
    assert math.hypot(person.vx_mps, person.vy_mps) < 1.0


def test_a_box_far_behind_a_radar_track_is_another_car():
    """Whoever radar alone knows may not be seen by the camera: a box that would be 14 m off shows somebody else."""
    drive = Drive()
    for k in range(20):
        tracks = drive.cycle([box(CAR, 38.5, -4.0, 1.8, 1.5)] if k >= 10 else [], [echo(23.8, -3.2)])
    near = min(tracks, key=lambda track: track.x_m)
    assert near.sources == Sensor.RADAR
    assert abs(near.vx_mps) < 0.5
    assert len(tracks) == 2


def test_the_boxes_of_one_person_do_not_jump_to_another_far_behind():
    drive = Drive()
    for k in range(40):
        tracks = drive.cycle([box(PERSON, 47.5, -4.7) if k < 20 else box(PERSON, 100.0, -6.6)])
    assert all(track.x_m > 80.0 for track in tracks)
    assert len(tracks) == 1


def test_what_radar_and_camera_first_knew_as_two_is_one_once_the_camera_is_near_enough():
    """Far off the echo may be anything in the camera's guess; it must not stay a thing of its own beside the child."""
    drive, known = Drive(14.0), []
    while drive.way < 40.0:
        away = 100.0 - drive.way
        tracks = drive.cycle([box(PERSON, away, 4.0, height=1.3)], [echo(away, 4.0)] if drive.k > 5 else [])
        known.append({track.sources for track in tracks})
    assert {Sensor.CAMERA, Sensor.RADAR} in known
    (child,) = tracks
    assert (child.label, child.sources) == (PERSON, BOTH)
    assert child.x_m == pytest.approx(away, abs=1.0)
    assert abs(child.vx_mps) < 0.5
