"""Drawn actors in labelled pictures: exact boxes, lights of the own scene only, the same picture for the same seed."""

import cv2
import numpy as np
import pytest

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.models.boxes_paste import light_cutouts, with_actors
from adas_perception.models.boxes_prepare import Recipe, paste_actors
from adas_perception.models.road_actors import draw_light
from adas_perception.types import ObjectClass

LIGHT = int(ObjectClass.TRAFFIC_LIGHT)


def labelled(folder, name="Town01_0001", box=(100.0, 50.0, 112.0, 80.0), shade=90):
    """A grey street with one light whose box is filled with red."""
    picture = np.full((380, 640, 3), shade, np.uint8)
    x1, y1, x2, y2 = (int(v) for v in box)
    picture[y1:y2, x1:x2] = (0, 0, 255)
    file = folder / f"{name}.png"
    cv2.imwrite(str(file), picture)
    return LabelledPicture(file, 640, 380, np.array([box], np.float32), np.array([LIGHT]), np.array([False]))


def test_a_light_is_cut_out_along_its_box_and_small_or_ignored_ones_are_not(tmp_path):
    small = labelled(tmp_path, "Town02_1", (10.0, 10.0, 14.0, 20.0))
    (cutout,) = light_cutouts([labelled(tmp_path), small])["Town01"]
    assert cutout.shape == (30, 12, 4) and (cutout == (255, 0, 0, 255)).all()
    assert "Town02" not in light_cutouts([small])


@pytest.mark.parametrize("seed", range(6))
def test_every_box_lies_in_the_picture_and_shows_something_drawn(tmp_path, seed):
    base = labelled(tmp_path)
    before = cv2.imread(str(base.file))
    picture = before.copy()
    rows = with_actors(picture, base, (), np.random.default_rng(seed))
    assert len(rows) >= 2
    for (x1, y1, x2, y2), label, _ in rows:
        assert 0 <= x1 < x2 <= 640 and 0 <= y1 < y2 <= 380 and label in range(1, 6)
        own = (slice(int(y1), int(y2)), slice(int(x1), int(x2)))
        changed = (picture[own] != before[own]).any(axis=2).mean()
        assert changed > 0.2 or (x1, y1) == (100.0, 50.0)


def test_lights_seen_from_behind_are_ignored(tmp_path):
    base = labelled(tmp_path)
    ignored = [g for s in range(40)
               for _, label, g in with_actors(cv2.imread(str(base.file)), base, (), np.random.default_rng(s))
               if label == LIGHT]  # fmt: skip
    assert 0 < sum(ignored) < 0.5 * len(ignored)


def test_a_lit_lamp_is_bright_and_where_it_is_said():
    for seed in range(30):
        light = draw_light(np.random.default_rng(seed))
        if light.lamp is None:
            continue
        height, width = light.cutout.shape[:2]
        lamp = light.cutout[round(light.lamp * height), :, :3].max(axis=1)
        assert lamp.max() >= 235, seed


def test_picture_i_of_a_seed_stays_the_same(tmp_path):
    carla, road = [labelled(tmp_path)], [labelled(tmp_path, "still-a_0", shade=140)]
    results = []
    for count, name in ((2, "a"), (3, "b")):
        out = tmp_path / name
        (out / "images").mkdir(parents=True)
        results.append(paste_actors(carla, road, out, Recipe(seed=5, pasted=count)))
    few, more = results
    assert [p.scene for p in more] == ["still-a", "Town01", "Town01"]
    for a, b in zip(few, more, strict=False):
        assert np.array_equal(a.boxes, b.boxes) and a.file.read_bytes() == b.file.read_bytes()
