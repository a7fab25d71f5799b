"""adas detect: sources, result files, and the command with real networks."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.detect.results import Results, box_entry, lane_mask, lanes_entry
from adas_perception.detect.sources import Picture, find_sources, read_named
from adas_perception.inference import ModelError
from adas_perception.perception.objects import DECODERS, DetectorSpec
from adas_perception.perception.picture_lines import LineRole, PictureLine
from adas_perception.sim.camera import CameraRenderer
from adas_perception.sim.road import Road
from adas_perception.types import Detection, LineKind, ObjectClass

PLAIN = np.full((36, 64, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def road():
    """A picture of the simulated road, BGR."""
    return CameraRenderer(Road(200.0)).render(10.0, -1.75, 0.0, 10.0)[..., ::-1].copy()


@pytest.fixture
def album(tmp_path, road):
    """A folder with a picture, one in a subfolder, a broken one, a video and a text file."""
    folder = tmp_path / "album"
    (folder / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "road.png"), road)
    cv2.imwrite(str(folder / "deep" / "road.jpg"), road)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    (folder / "notes.txt").write_text("x")
    video = cv2.VideoWriter(str(folder / "drive.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, road.shape[1::-1])
    for i in range(5):
        video.write(np.clip(road.astype(int) + i, 0, 255).astype(np.uint8))
    video.release()
    return folder


def adas(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_folder_gives_its_pictures_and_frames_by_name(album):
    sources = find_sources([album])
    assert [s.name for s in sources] == ["broken.jpg", "deep/road.jpg", "drive.avi", "road.png"]
    told = []
    names = [p.name for s in sources for p in s.pictures(2, told.append)]
    assert names == ["deep/road.jpg", "drive.avi/000000", "drive.avi/000002", "drive.avi/000004", "road.png"]
    assert told == [f"{album / 'broken.jpg'}: no picture that OpenCV can read"]


def test_every_name_leads_back_to_its_picture(album):
    for source in find_sources([album / "drive.avi", album / "road.png"]):
        for picture in source.pictures():
            assert np.abs(read_named(album, picture.name).astype(int) - picture.bgr).mean() < 1.0
    with pytest.raises(FileNotFoundError, match="gone.jpg: no such picture"):
        read_named(album, "gone.jpg")


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        find_sources([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match="no pictures"):
        find_sources([tmp_path])


def test_the_command_writes_every_result_file(album, tmp_path, road):
    out = tmp_path / "out"
    result = adas("detect", album, "--out", out, "--every", 2)
    assert result.exit_code == 0, result.output
    assert "5 pictures" in result.output and "broken.jpg: no picture" in result.output
    lanes = json.loads((out / "lanes.json").read_text())
    assert set(lanes) == {"deep/road.jpg", "road.png", *(f"drive.avi/{i:06d}" for i in (0, 2, 4))}
    entry = lanes["road.png"]
    assert entry["left"] in entry["lines"] and entry["right"] in entry["lines"]
    height, width = road.shape[:2]
    left, right = (np.array(entry[side]) for side in ("left", "right"))
    assert left[0, 1] > 0.9 * height and left[:, 0].max() < right[:, 0].max()
    assert all(-1 <= x <= width and 0 <= y <= height for line in entry["lines"] for x, y in line)
    mask = cv2.imread(str(out / "masks" / "road.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (height, width) and set(np.unique(mask)) == {0, 255}
    assert all((out / "overlays" / name).is_file() for name in ("drive.avi/000002.jpg", "deep/road.jpg"))
    assert isinstance(json.loads((out / "boxes.json").read_text()), list)


def test_switches_leave_files_out(album, tmp_path):
    out = tmp_path / "out"
    switches = ("--no-overlays", "--no-masks", "--object-model", "none", "--backend", "onnxruntime")
    result = adas("detect", album / "road.png", "--out", out, *switches)
    assert result.exit_code == 0 and [f.name for f in out.iterdir()] == ["lanes.json"]


def test_the_int8_file_finds_the_same_lines(album, tmp_path):
    found = {}
    for precision in ("fp32", "int8"):
        options = ("--object-model", "none", "--precision", precision, "--backend", "openvino")
        result = adas("detect", album / "road.png", "--out", tmp_path / precision, *options)
        assert result.exit_code == 0, result.output
        found[precision] = json.loads((tmp_path / precision / "lanes.json").read_text())["road.png"]
    for side in ("left", "right"):
        fp32, int8 = (np.array(found[p][side]) for p in ("fp32", "int8"))
        gaps = np.hypot(*(fp32[:, None] - int8).transpose(2, 0, 1)).min(axis=1)
        assert np.median(gaps) < 4.0


def test_nothing_readable_is_a_failure(album, tmp_path):
    assert adas("detect", album / "broken.jpg", "--out", tmp_path / "out").exit_code == 1
    assert adas("detect", album, "--lane-model", "none", "--object-model", "none").exit_code == 2


@pytest.mark.parametrize(("options", "sentence"), [
    (("--lane-model", "yolox_nano_416"), "of kind object, but a lane model is needed"),
    (("--object-model", "lane_v2"), "of kind lane, but a object model is needed"),
    (("--lane-model", "lane_v99"), "no model 'lane_v99'"),
])  # fmt: skip
def test_wrong_models_are_named(album, tmp_path, options, sentence):
    result = adas("detect", album, "--out", tmp_path / "out", *options)
    assert isinstance(result.exception, ModelError) and sentence in str(result.exception)


def test_pictures_of_one_stem_do_not_overwrite_each_other(tmp_path):
    results = Results(tmp_path)
    for name in ("a.jpg", "a.png", "b.jpg"):
        results.add(Picture(name, PLAIN), [], None)
    results.close(lanes=True, boxes=False)
    assert sorted(f.name for f in (tmp_path / "overlays").iterdir()) == ["a.jpg", "a.png.jpg", "b.jpg"]


def line(role, *points):
    return PictureLine(role, np.array(points, float), 0.9, LineKind.SOLID)


def test_entries_of_the_json_files():
    lines = [line(LineRole.RIGHT, (40, 30), (33, 12)), line(LineRole.OTHER, (63, 20), (36, 12))]
    entry = lanes_entry(lines)
    assert entry["left"] == [] and entry["right"] == [[40.0, 30.0], [33.0, 12.0]] and len(entry["lines"]) == 2
    box = box_entry("a.jpg", Detection(ObjectClass.CAR, 0.51234, 1.04, 2.0, 30.0, 20.0))
    assert box == {"image": "a.jpg", "class": "car", "score": 0.5123, "x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 20.0}
    mask = lane_mask((36, 64), lines)
    assert mask[30, 40] == 255 and mask[2].max() == 0


def test_nanodet_rows_become_boxes():
    spec = DetectorSpec(width_px=64, height_px=64, decoder="nanodet", score_min=0.4)
    cells = [(x, y, s) for s in (8, 16, 32, 64) for y in range(64 // s) for x in range(64 // s)]
    rows = np.zeros((1, len(cells), 80 + 32), np.float32)
    at = cells.index((1, 2, 16))
    rows[0, at, 2] = 0.8
    for side, bins in enumerate((1, 0, 2, 1)):  # left, top, right, bottom in strides
        rows[0, at, 80 + 8 * side + bins] = 20.0
    found = DECODERS["nanodet"]({"out": rows}, spec)
    assert found.boxes == pytest.approx(np.array([[0.0, 32.0, 48.0, 48.0]]), abs=1e-3)
    assert found.scores == pytest.approx([0.8]) and found.classes.tolist() == [2]
    with pytest.raises(ValueError, match="nanodet: .* does not fit"):
        DECODERS["nanodet"]({"out": rows[:, :-1]}, spec)


# --- real pictures and networks of others ---


@pytest.mark.parametrize("name", ["yolox_nano_416", "fastestdet_352"])
def test_detectors_of_others_find_the_cars(shared_data, tmp_path, monkeypatch, name):
    monkeypatch.setenv("ADAS_MODELS", str(shared_data / "models"))
    folder = shared_data / "udacity" / "lane_lines_images"
    options = ("--out", tmp_path, "--lane-model", "none", "--object-model", name, "--score", 0.25)
    result = adas("detect", folder / "solidWhiteCurve.jpg", folder / "solidYellowCurve.jpg", *options)
    assert result.exit_code == 0, result.output
    boxes = [b for b in json.loads((tmp_path / "boxes.json").read_text()) if b["class"] == "car"]
    for image, (x, y) in (("solidWhiteCurve.jpg", (150, 330)), ("solidYellowCurve.jpg", (880, 320))):
        hits = [b for b in boxes if b["image"] == image and b["x1"] < x < b["x2"] and b["y1"] < y < b["y2"]]
        assert hits and all(b["x2"] - b["x1"] < 200 and b["y2"] - b["y1"] < 120 for b in hits)


def test_twinlitenet_finds_both_ego_lines(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAS_MODELS", str(shared_data / "models"))
    folder = shared_data / "udacity" / "lane_lines_images"
    result = adas("detect", folder, "--out", tmp_path, "--lane-model", "twinlitenet_360x640", "--no-overlays")
    assert result.exit_code == 0, result.output
    lanes = json.loads((tmp_path / "lanes.json").read_text())
    assert len(lanes) == 6
    for entry in lanes.values():
        assert min(x for x, _ in entry["left"]) < 350 and max(x for x, _ in entry["right"]) > 650
