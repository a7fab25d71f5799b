"""The camera at object level: where boxes lie, what hides whom, what is too small, noise and latency."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.perception.objects import estimate_distance
from adas_perception.sim import bodies
from adas_perception.sim.camera import DEFAULT_CAMERA
from adas_perception.sim.object_camera import CameraErrors, see_objects
from adas_perception.sim.sensors import Box, Surroundings
from adas_perception.types import Detections, ObjectClass


def body(x: float, y: float, kind: bodies.Kind = bodies.CAR, yaw: float = 0.0) -> Box:
    return Box(x, y, yaw, kind.length_m, kind.width_m, kind.height_m, 0.0, 0.0, kind)


def see(*boxes: Box, rng: Random | None = None, errors: CameraErrors | None = None) -> Detections:
    return see_objects(7, Surroundings(boxes), DEFAULT_CAMERA, errors or CameraErrors(), rng)


@settings(max_examples=50)
@given(st.floats(12.0, 70.0), st.floats(-3.0, 3.0))
def test_distance_read_from_the_box_is_that_of_the_near_face(x: float, y: float) -> None:
    (found,) = see(body(x, y)).items
    ray = DEFAULT_CAMERA.to_ground([(found.x1 + found.x2) / 2.0, found.y2])
    assert ray[0] == pytest.approx(x - bodies.CAR.length_m / 2.0, rel=0.01)
    distance = estimate_distance(found, DEFAULT_CAMERA)
    assert distance is not None
    assert distance.metres == pytest.approx(math.hypot(ray[0] - DEFAULT_CAMERA.x_m, ray[1]), rel=0.1)


def test_labels_and_who_has_none() -> None:
    kinds = (bodies.CAR, bodies.MOTORCYCLE, bodies.BICYCLE, bodies.ADULT, bodies.CHILD, bodies.SIGN)
    labels = [see(body(25.0, 0.0, kind)).items[0].label for kind in kinds]
    assert labels == [
        ObjectClass.CAR, ObjectClass.CYCLIST, ObjectClass.CYCLIST, ObjectClass.PEDESTRIAN, ObjectClass.PEDESTRIAN,
        ObjectClass.TRAFFIC_SIGN,
    ]  # fmt: skip
    assert not see(body(25.0, 0.0, bodies.STEEL_PLATE), body(60.0, 0.0, bodies.BRIDGE)).items


def test_parked_car_hides_the_child_until_it_steps_out() -> None:
    parked = body(20.0, -3.0)
    hidden = [len(see(parked, body(26.0, y, bodies.CHILD)).items) for y in (-3.4, -3.0, -1.4)]
    assert hidden == [1, 1, 2]


def test_a_plate_on_the_road_hides_nobody() -> None:
    assert len(see(body(15.0, 0.0, bodies.STEEL_PLATE), body(25.0, 0.0)).items) == 1


def test_a_box_is_cut_to_what_shows() -> None:
    (whole,) = see(body(40.0, 0.0)).items
    near, cut = see(body(20.0, -1.3), body(40.0, 0.0)).items
    assert whole.x1 == pytest.approx(cut.x1)
    assert cut.x2 == pytest.approx(near.x1)
    assert cut.x2 < whole.x2


@pytest.mark.parametrize("box", [body(-20.0, 0.0), body(20.0, 30.0), body(130.0, 0.0), body(110.0, 0.0, bodies.CHILD)])
def test_behind_beside_far_or_too_small_is_not_seen(box: Box) -> None:
    assert not see(box).items


def test_noise_is_seeded_and_grows_with_the_square_of_the_distance() -> None:
    def spread(x: float) -> float:
        rng, reads = Random(1), []
        errors = CameraErrors(miss_share=0.0, confused_share=0.0, ghosts_per_picture=0.0)
        for _ in range(300):
            (found,) = see(body(x, 0.0), rng=rng, errors=errors).items
            reads.append(float(DEFAULT_CAMERA.to_ground([(found.x1 + found.x2) / 2.0, found.y2])[0]))
        mean = sum(reads) / len(reads)
        return math.sqrt(sum((r - mean) ** 2 for r in reads) / len(reads))

    assert see(body(30.0, 0.0), rng=Random(4)) == see(body(30.0, 0.0), rng=Random(4))
    assert spread(40.0) / spread(20.0) == pytest.approx(4.0, rel=0.4)


def test_misses_ghosts_and_wrong_classes_come_as_often_as_told() -> None:
    rng, errors = Random(2), CameraErrors(miss_share=0.2, confused_share=0.1, ghosts_per_picture=0.0)
    labels = [found.label for _ in range(1000) for found in see(body(30.0, 0.0), rng=rng, errors=errors).items]
    assert len(labels) == pytest.approx(800, abs=50)
    assert sum(label is not ObjectClass.CAR for label in labels) == pytest.approx(60, abs=30)
    ghosts = sum(len(see(rng=rng, errors=CameraErrors(ghosts_per_picture=0.5)).items) for _ in range(1000))
    assert ghosts == pytest.approx(500, abs=80)
