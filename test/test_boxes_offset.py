"""Labels beside what they show: the offset is found, written, and stays the same however a picture is shown."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.models.boxes_data import LabelledPicture, read_coco, write_coco
from adas_perception.models.boxes_offset import label_offset
from adas_perception.models.boxes_paste import light_cutouts, with_actors
from adas_perception.params import ParameterError
from adas_perception.types import ObjectClass

LIGHT = int(ObjectClass.TRAFFIC_LIGHT)


def street(folder, offset, count=6, seed=1):
    """A noisy street with dark lights, their labels ``offset`` pixels beside them."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(110, 140, (380, 640, 3), dtype=np.uint8)
    boxes = []
    for k in range(count):
        x, y, w, h = 40 + 90 * k, int(rng.integers(20, 200)), int(rng.integers(3, 20)), int(rng.integers(6, 40))
        picture[y : y + h, x : x + w] = rng.integers(0, 60, 3)
        boxes.append((x, y, x + w, y + h))
    file = folder / "Town01_1.png"
    cv2.imwrite(str(file), picture)
    labels = np.array(boxes, np.float32) + np.tile(offset, 2)
    return LabelledPicture(file, 640, 380, labels.astype(np.float32), np.full(count, LIGHT), np.zeros(count, bool))


@pytest.mark.parametrize("offset", [(0, 0), (-1, -1), (2, -1), (0, 3)])
def test_the_offset_of_all_labels_is_found(tmp_path, offset):
    assert label_offset([street(tmp_path, offset)]) == offset


@pytest.mark.parametrize(("offset", "said"), [((-1, -1), True), ((0, 0), False)])
def test_the_check_says_so(tmp_path, offset, said):
    write_coco([street(tmp_path, offset)], tmp_path / "labels.json")
    result = CliRunner().invoke(app, ["dataset", "check", str(tmp_path / "labels.json")])
    assert result.exit_code == 0 and ("lie -1 pixels aside and -1 down" in result.output) == said


def test_without_a_box_to_judge_there_is_no_offset(tmp_path):
    picture = street(tmp_path, (2, 2))
    at_the_edge = np.array([[0.0, 10.0, 20.0, 40.0]], np.float32)
    assert label_offset([replace(picture, boxes=at_the_edge, ignore=np.array([False]))]) == (0, 0)
    assert label_offset([replace(picture, ignore=~picture.ignore)]) == label_offset([]) == (0, 0)


def test_a_missing_picture_is_one_sentence(tmp_path):
    picture = street(tmp_path, (0, 0))
    picture.file.unlink()
    with pytest.raises(ParameterError, match=r"Town01_1\.png: picture missing"):
        label_offset([picture])


def test_a_file_keeps_the_offset_and_a_wrong_one_is_named(tmp_path):
    write_coco([replace(street(tmp_path, (0, 0)), offset_px=(-1.0, -1.0))], tmp_path / "l.json")
    (picture,), issues = read_coco(tmp_path / "l.json")
    assert picture.offset_px == (-1.0, -1.0) and not issues
    text = (tmp_path / "l.json").read_text().replace('"label_offset": [-1.0, -1.0]', '"label_offset": "left"')
    (tmp_path / "l.json").write_text(text)
    (picture,), issues = read_coco(tmp_path / "l.json")
    assert picture.offset_px == (0.0, 0.0) and "label_offset is not [x, y]" in str(issues[0])


def test_what_is_cut_out_and_drawn_follows_the_offset(tmp_path):
    def rows(offset):
        labelled = replace(street(tmp_path, offset), offset_px=offset)
        drawn = with_actors(cv2.imread(str(labelled.file)), labelled, (), np.random.default_rng(3))
        return light_cutouts([labelled]), np.array([box for box, _, _ in drawn])

    (exact, true_boxes), (cut, boxes) = rows((0.0, 0.0)), rows((-1.0, -1.0))
    assert all(np.array_equal(a, b) for a, b in zip(exact["Town01"], cut["Town01"], strict=True))
    assert np.array_equal(boxes, true_boxes - 1.0) and len(boxes) > 6


def test_zoom_and_mirroring_leave_the_offset_as_it_is(tmp_path):
    torch = pytest.importorskip("torch")
    from adas_perception.models.boxes_store import BoxStore

    given = street(tmp_path, (0, 0), count=1)
    stores = [
        BoxStore([replace(given, boxes=given.boxes + offset, offset_px=(offset, offset))], [1.0], "cpu", 5)
        for offset in (0.0, -1.0)
    ]
    exact, shifted = (store.draw(16)[1] for store in stores)
    assert torch.equal(exact.valid, shifted.valid) and exact.valid.any()
    moved = (shifted.boxes - exact.boxes)[exact.valid]
    assert torch.allclose(moved, torch.full_like(moved, -1.0), atol=1e-3)
