"""COCO and YOLO readers, their checks, and the split by scene."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from adas_perception.cli import app, main
from adas_perception.models.boxes_data import read_coco, read_yolo, split_by_scene, write_coco
from adas_perception.models.boxes_paste import hidden_share
from adas_perception.models.boxes_prepare import overlaps
from adas_perception.params import ParameterError
from adas_perception.types import ObjectClass


def coco(folder, **change):
    """A COCO file with one picture of 40x20 pixels and one car."""
    cv2.imwrite(str(folder / "town_1.png"), np.zeros((20, 40, 3), np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "town_1.png", "width": 40, "height": 20}],
        "categories": [{"id": 1, "name": "car"}, {"id": 6, "name": "lane_line"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 6, 10, 8]}],
    }
    content.update(change)
    (folder / "labels.json").write_text(json.dumps(content))
    return folder / "labels.json"


def row(**change):
    return [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 6, 10, 8], **change}]


def test_width_and_height_become_corners(tmp_path):
    (picture,), issues = read_coco(coco(tmp_path))
    assert not issues and picture.boxes.tolist() == [[5, 6, 15, 14]]
    assert picture.classes.tolist() == [ObjectClass.CAR] and picture.scene == "town"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": [{"id": 1, "file_name": "no.png"}]}, "missing or unreadable"),
        ({"annotations": row(bbox=[35, 6, 10, 8])}, "outside 40x20"),
        ({"annotations": row(bbox=[5, 6, 0, 8])}, "empty box"),
        ({"annotations": row(bbox=[5, 6])}, "not [x, y, width, height]"),
        ({"annotations": row(category_id=9)}, "unknown class 9"),
        ({"annotations": row() + row()}, "duplicate id"),
        ({"annotations": row(image_id=7)}, "belongs to no picture"),
        ({"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "tram"}]}, "unknown class 'tram'"),
        ({"images": [{"id": 1, "file_name": "town_1.png", "width": 41, "height": 20}]}, "41x20 said, 40x20 found"),
    ],
)
def test_each_fault_is_named_and_the_command_fails(tmp_path, change, said):
    file = coco(tmp_path, **change)
    assert any(said in str(issue) for issue in read_coco(file)[1])
    result = CliRunner().invoke(app, ["dataset", "check", str(file)])
    assert result.exit_code == 1 and said in result.output


def test_a_good_file_passes_the_command(tmp_path):
    result = CliRunner().invoke(app, ["dataset", "check", str(coco(tmp_path))])
    assert result.exit_code == 0 and "1 car" in result.output


@pytest.mark.parametrize(
    "text",
    ["nothing", "[]", '{"images": []}', '{"images": ["a"], "categories": [], "annotations": []}',
     '{"images": [], "categories": null, "annotations": []}',
     '{"images": [{"id": [1]}], "categories": [], "annotations": []}'],
)  # fmt: skip
def test_what_is_no_coco_file_is_one_sentence(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ParameterError, match="no COCO annotation file"):
        read_coco(tmp_path / "x.json")


def test_a_folder_is_no_annotation_file(tmp_path):
    with pytest.raises(ParameterError, match="Is a directory; give a COCO annotation file"):
        read_coco(tmp_path)


def test_lane_lines_are_known_but_no_boxes(tmp_path):
    (picture,), issues = read_coco(coco(tmp_path, annotations=row(category_id=6)))
    assert not issues and len(picture.boxes) == 0


def yolo(folder, text):
    cv2.imwrite(str(folder / "b_1.jpg"), np.zeros((20, 40, 3), np.uint8))
    (folder / "b_1.txt").write_text(text)
    return read_yolo(folder, folder, ["vehicle", "motobike"])


def test_shares_become_pixels_and_names_become_our_classes(tmp_path):
    (picture,), issues = yolo(tmp_path, "0 0.5 0.5 0.5 0.5\n1 0.25 0.5 0.1 0.2\n")
    assert not issues and picture.boxes[0].tolist() == [10, 5, 30, 15]
    assert picture.classes.tolist() == [ObjectClass.CAR, ObjectClass.CYCLIST]


@pytest.mark.parametrize(
    ("text", "said"),
    [("0 0.5 0.5 0.5", "expected five numbers"), ("5 0.5 0.5 0.5 0.5", "unknown class 5"),
     ("0 0.9 0.5 0.5 0.5", "outside"), ("0 0.5 0.5 0.5 0.5\n" * 2, "line twice")],
)  # fmt: skip
def test_faults_of_yolo_lines_are_named_with_their_line(tmp_path, text, said):
    _, issues = yolo(tmp_path, text)
    assert any(said in i.what for i in issues)


def test_a_missing_annotation_file_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="no such file; give a COCO annotation file"):
        read_coco(tmp_path / "none.json")


def test_a_cut_annotation_file_is_one_sentence_in_the_terminal(tmp_path, capsys, monkeypatch):
    (tmp_path / "cut.json").write_text('{"images": [')
    monkeypatch.setattr("sys.argv", ["adas", "dataset", "check", str(tmp_path / "cut.json")])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith("adas: ") and "no COCO annotation file" in told


def test_a_label_without_picture_is_named(tmp_path):
    (tmp_path / "c.txt").write_text("")
    assert "picture is missing" in str(read_yolo(tmp_path, tmp_path, [])[1][0])


def test_what_is_written_is_read_again(tmp_path):
    first, _ = read_coco(coco(tmp_path, annotations=row(iscrowd=1) + row(id=2, bbox=[0, 0, 40, 20])))
    write_coco(first, tmp_path / "again.json")
    (a,), (b,) = first, read_coco(tmp_path / "again.json")[0]
    assert (a.boxes == b.boxes).all() and (a.classes == b.classes).all() and a.ignore.tolist() == [True, False]
    assert (a.ignore == b.ignore).all()


def test_a_scene_is_never_on_both_sides(tmp_path):
    (picture,), _ = read_coco(coco(tmp_path))
    training, validation = split_by_scene([picture], ["town"])
    assert not training and len(validation) == 1
    with pytest.raises(ValueError, match="no picture of scene city; there are town"):
        split_by_scene([picture], ["city"])


side = st.floats(0, 100)
box = st.tuples(side, side, side, side).map(lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1,
                                                       max(v[1], v[3]) + 1))  # fmt: skip


@given(box, box)
def test_overlap_is_symmetric_and_within_bounds(a, b):
    forth, back = (float(overlaps(p, np.array([q], np.float32))[0]) for p, q in ((a, b), (b, a)))
    assert forth == pytest.approx(back, abs=1e-5) and -1e-6 <= forth <= 1 + 1e-5
    assert 0.0 <= hidden_share(a, b) <= 1.0 + 1e-9 and hidden_share(a, a) == pytest.approx(1.0)
