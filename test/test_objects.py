import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.inference.backend import load_backend
from adas_perception.inference.models import load_model_spec
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.objects import DetectorSpec, ObjectDetector, estimate_distance, letterbox, nms
from adas_perception.types import Detection, Image, ObjectClass

CAMERA = CameraModel.from_fov(1280, 720, math.radians(60.0), height_m=1.4, x_m=1.8)


class Answer:
    """A backend that always says the same and keeps what it was asked."""

    def __init__(self, **outputs):
        self.outputs = {name: np.asarray(value, dtype=np.float32) for name, value in outputs.items()}

    def infer(self, inputs):
        self.inputs = inputs
        return self.outputs


def picture(width=640, height=480, stamp=5):
    return Image(stamp, np.zeros((height, width, 3), dtype=np.uint8))


def yolox(*rows, width=416, height=416):
    """Return an answer whose rows are (index, class, score, values of the box)."""
    count = sum((width // s) * (height // s) for s in (8, 16, 32))
    answer = np.zeros((1, count, 85), dtype=np.float32)
    for index, label, score, *values in rows:
        answer[0, index, :4] = values
        answer[0, index, 4] = 1.0
        answer[0, index, 5 + label] = score
    return Answer(output=answer)


# --- decoders ---------------------------------------------------------------------------------------------


def test_yolox_boxes_come_back_in_pixels_of_the_picture():
    """Row 52 is the first cell of the second row of the 8-pixel grid: centre (4, 12), log size 2 * 8."""
    backend = yolox((52, 2, 0.9, 0.5, 0.5, math.log(2.0), math.log(1.0)))
    found = ObjectDetector(DetectorSpec(), backend).detect(picture(832, 416))
    (box,) = found.items
    assert (box.label, box.score) == (ObjectClass.CAR, pytest.approx(0.9))
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((0.0, 16.0, 24.0, 32.0), abs=1e-3)
    assert (found.stamp_ns, found.width, found.height) == (5, 832, 416)


@pytest.mark.parametrize(("row", "stride"), [(52 * 52, 16), (52 * 52 + 26 * 26, 32)])
def test_yolox_has_coarser_grids_after_the_fine_one(row, stride):
    (box,) = ObjectDetector(DetectorSpec(), yolox((row, 2, 0.9, 1.0, 1.0, 0.0, 0.0))).detect(picture(416, 416)).items
    assert (box.x2 - box.x1, box.x1) == pytest.approx((stride, stride / 2), abs=1e-3)


@pytest.mark.parametrize(("coco", "label"), [
    (0, ObjectClass.PEDESTRIAN), (1, ObjectClass.CYCLIST), (2, ObjectClass.CAR), (3, ObjectClass.CYCLIST),
    (5, ObjectClass.CAR), (7, ObjectClass.CAR), (9, ObjectClass.TRAFFIC_LIGHT), (11, ObjectClass.TRAFFIC_SIGN),
])  # fmt: skip
def test_coco_classes_become_ours(coco, label):
    (box,) = ObjectDetector(DetectorSpec(), yolox((60, coco, 0.9, 0, 0, 1, 1))).detect(picture()).items
    assert box.label is label


@pytest.mark.parametrize("coco", [4, 6, 16, 56])
def test_other_classes_and_low_scores_are_dropped(coco):
    backend = yolox((60, coco, 0.9, 0, 0, 1, 1), (90, 2, 0.2, 0, 0, 1, 1))
    assert ObjectDetector(DetectorSpec(), backend).detect(picture()).items == ()


def test_an_answer_for_another_input_size_is_refused():
    with pytest.raises(ValueError, match="do not fit an input of 416x416"):
        ObjectDetector(DetectorSpec(), yolox(width=640, height=640)).detect(picture())


def test_rows_and_boxes_with_scores_say_the_same():
    spec = dict(width_px=320, height_px=240, classes="guide")
    rows = Answer(output=[[[10, 20, 50, 60, 0.8, 2], [100, 20, 150, 60, 0.6, 1]]])
    scores = np.zeros((1, 2, 7))
    scores[0, 0, 2], scores[0, 1, 1] = 0.8, 0.6
    boxes = Answer(boxes=[[[10, 20, 50, 60], [100, 20, 150, 60]]], scores=scores)
    one = ObjectDetector(DetectorSpec(decoder="rows", **spec), rows).detect(picture())
    other = ObjectDetector(DetectorSpec(decoder="boxes_scores", **spec), boxes).detect(picture())
    assert one == other
    assert [b.label for b in one.items] == [ObjectClass.PEDESTRIAN, ObjectClass.CAR]
    assert (one.items[0].x1, one.items[0].y2) == (20.0, 120.0)


def test_boxes_that_are_not_finite_or_outside_are_harmless():
    rows = Answer(output=[[[math.nan, 0, 5, 5, 0.9, 1], [-50, -50, 1000, 1000, 0.8, 1], [500, 500, 600, 600, 0.7, 1]]])
    found = ObjectDetector(DetectorSpec(decoder="rows", classes="guide"), rows).detect(picture(416, 416))
    assert [(b.x1, b.y1, b.x2, b.y2) for b in found.items] == [(0.0, 0.0, 416.0, 416.0)]


def test_nothing_found_is_an_empty_list():
    detector = ObjectDetector(DetectorSpec(decoder="rows"), Answer(output=np.zeros((1, 0, 6))))
    assert detector.detect(picture()).items == ()


# --- input ------------------------------------------------------------------------------------------------


def test_the_picture_goes_into_the_upper_left_corner_on_grey():
    rgb = np.zeros((100, 200, 3), dtype=np.uint8)
    rgb[..., 0] = 200
    tensor, ratio = letterbox(rgb, DetectorSpec())
    assert tensor.shape == (1, 3, 416, 416) and tensor.dtype == np.float32 and ratio == 2.08
    assert tensor[0, :, 100, 100].tolist() == [0.0, 0.0, 200.0]
    assert tensor[0, :, 300, 100].tolist() == [114.0] * 3


def test_colour_scale_and_layout_follow_the_spec():
    rgb = np.full((64, 64, 3), (10, 20, 30), dtype=np.uint8)
    spec = DetectorSpec(width_px=64, height_px=64, color="rgb", mean=(10.0, 0.0, 0.0), scale=(1.0, 0.5, 0.1))
    assert letterbox(rgb, spec)[0][0, :, 5, 5] == pytest.approx([0.0, 10.0, 3.0])
    raw, _ = letterbox(rgb, DetectorSpec(width_px=64, height_px=64, color="rgb", layout="nhwc_uint8"))
    assert raw.shape == (1, 64, 64, 3) and raw.dtype == np.uint8 and raw[0, 5, 5].tolist() == [10, 20, 30]


# --- suppression ------------------------------------------------------------------------------------------

BOXES = st.lists(
    st.tuples(*[st.floats(0, 90)] * 2, *[st.floats(1, 60)] * 2, st.floats(0, 1), st.integers(1, 2)),
    max_size=25,
)


def iou(a, b):
    side = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    shared = side[0] * side[1]
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@settings(deadline=None)
@given(BOXES)
def test_survivors_do_not_overlap_and_every_victim_has_a_better_rival(rows):
    table = np.array(rows, dtype=float).reshape(-1, 6)
    boxes = np.hstack([table[:, :2], table[:, :2] + table[:, 2:4]])
    scores, labels = table[:, 4], table[:, 5].astype(int)
    kept = nms(boxes, scores, labels, 0.5).tolist()
    assert scores[kept].tolist() == sorted(scores[kept], reverse=True)
    for n, i in enumerate(kept):
        assert all(labels[i] != labels[j] or iou(boxes[i], boxes[j]) <= 0.5 + 1e-9 for j in kept[:n])
    for i in set(range(len(rows))) - set(kept):
        rivals = [j for j in kept if labels[i] == labels[j] and iou(boxes[i], boxes[j]) > 0.5 - 1e-9]
        assert any(scores[j] >= scores[i] for j in rivals)


# --- distance ---------------------------------------------------------------------------------------------


def seen(x, y, label=ObjectClass.CAR, width=1.8, height=1.6):
    feet = CAMERA.project(np.array([(x, y - width / 2, 0.0), (x, y + width / 2, 0.0)]))
    head = CAMERA.project(np.array([x, y, height]))
    return Detection(label, 0.9, feet[1, 0], head[1], feet[0, 0], feet[0, 1])


@pytest.mark.parametrize("y", [-5.0, 0.0, 5.0])
@pytest.mark.parametrize("x", [15.0, 30.0, 60.0])
def test_a_typical_car_on_a_flat_road_is_where_it_is(x, y):
    found = estimate_distance(seen(x, y), CAMERA)
    assert found.metres == pytest.approx(math.hypot(x - 1.8, y), rel=0.03)


def test_the_uncertainty_grows_with_the_distance():
    sigmas = [estimate_distance(seen(x, 0.0), CAMERA).sigma_m for x in (10.0, 20.0, 40.0, 80.0)]
    assert sigmas == sorted(sigmas) and sigmas[0] < 1.0 < sigmas[2]


def test_ground_rules_near_and_size_helps_far():
    """A lorry twice as high as a car is put in place by its wheels while it is near, by its shape when it is far."""
    near, far = (estimate_distance(seen(x, 0.0, height=3.2), CAMERA).metres / (x - 1.8) for x in (10.0, 80.0))
    assert near == pytest.approx(1.0, abs=0.05)
    assert far == pytest.approx(1.0, abs=0.3)


def test_a_box_cut_by_the_lower_edge_says_nothing():
    assert estimate_distance(Detection(ObjectClass.CAR, 0.9, 100, 300, 500, 719), CAMERA) is None


def test_a_box_cut_by_the_upper_edge_is_judged_by_its_wheels():
    box = seen(8.0, 0.0)
    cut = Detection(box.label, box.score, box.x1, 0.0, box.x2, box.y2)
    assert estimate_distance(cut, CAMERA).metres == pytest.approx(6.2, rel=0.01)


def test_a_box_above_the_horizon_is_judged_by_its_size():
    found = estimate_distance(Detection(ObjectClass.CAR, 0.9, 590, 280, 650, 320), CAMERA)
    assert found.metres == pytest.approx(1.6 * CAMERA.fy_px / 40.0)
    assert estimate_distance(Detection(ObjectClass.TRAFFIC_LIGHT, 0.9, 600, 280, 640, 320), CAMERA) is None


# --- real pictures ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector(shared_data):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = shared_data / "models" / "yolox_nano_416.onnx"
    if not model.is_file():
        pytest.skip(f"no detector at {model}")
    spec = DetectorSpec.from_mapping(load_model_spec("yolox_nano_416").spec)
    return ObjectDetector(spec, load_backend(model, "onnxruntime"))


def cars(detector, bgr):
    found = detector.detect(Image(1, np.ascontiguousarray(bgr[..., ::-1])))
    return [np.array([b.x1, b.y1, b.x2, b.y2]) for b in found.items if b.label is ObjectClass.CAR]


def test_cars_of_a_motorway_video_are_found(detector, shared_data):
    video = cv2.VideoCapture(str(shared_data / "udacity" / "vehicles.mp4"))
    counts = []
    while len(counts) < 10:
        ok, frame = video.read()
        assert ok
        counts.append(len(cars(detector, frame)))
    assert min(counts) >= 2


def test_large_labelled_vehicles_are_found(detector, shared_data):
    """Vehicles of the CARLA pictures that are at least 60 pixels wide: four of five overlap a box by half."""
    folder, found = shared_data / "carla_boxes", []
    for path in sorted((folder / "images").iterdir())[::12]:
        bgr = cv2.imread(str(path))
        height, width = bgr.shape[:2]
        label = folder / "labels_yolo" / f"{path.stem}.txt"
        rows = np.loadtxt(label, ndmin=2) if label.is_file() and label.stat().st_size else np.zeros((0, 5))
        boxes = cars(detector, bgr) if len(rows) else []
        for _, x, y, w, h in (r for r in rows if r[0] == 0 and r[3] * width >= 60):
            true = np.array([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height])
            found.append(any(iou(true, box) > 0.5 for box in boxes))
    assert len(found) > 15
    assert np.mean(found) > 0.8, np.mean(found)
