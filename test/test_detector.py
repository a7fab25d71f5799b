"""The detector: assignment, loss, pictures varied on the device, a tiny run, export and quantisation."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from adas_perception.models.boxes_data import LabelledPicture, write_coco  # noqa: E402
from adas_perception.models.boxes_store import BoxStore  # noqa: E402
from adas_perception.models.detector_loss import Truth, all_centres, assign, detector_loss  # noqa: E402
from adas_perception.models.detector_net import CLASSES, HEIGHT_PX, WIDTH_PX, DetectorNet, Raw  # noqa: E402
from adas_perception.types import ObjectClass  # noqa: E402

CENTRES = all_centres(HEIGHT_PX, WIDTH_PX, torch.device("cpu"))


def truth(*rows):
    """Rows of x1 y1 x2 y2, class index, ignore."""
    boxes = torch.tensor([[r[0] for r in rows]], dtype=torch.float32)
    classes = torch.tensor([[r[1] for r in rows]])
    ignore = torch.tensor([[r[2] for r in rows]])
    return Truth(boxes, classes, torch.ones_like(ignore), ignore)


def answer(boxes=None, hot=(), high=4.0):
    """An answer whose cells hold ``boxes`` and are sure of the class at the cells ``hot``: (cell, class)."""
    logits = torch.full((1, len(CENTRES), len(CLASSES)), -6.0)
    for cell, label in hot:
        logits[0, cell, label] = high
    if boxes is None:
        boxes = torch.cat([CENTRES - 8.0, CENTRES + 8.0], 1)[None]
    return Raw(boxes, logits)


def test_cells_inside_a_box_are_given_to_it_and_none_elsewhere():
    box = (100.0, 100.0, 160.0, 150.0)
    targets = assign(answer(), truth((box, 0, False)), CENTRES)
    won = CENTRES[targets.positive[0]]
    assert 1 <= len(won) <= 10
    assert ((won > torch.tensor(box[:2])) & (won < torch.tensor(box[2:]))).all()
    assert (targets.boxes[0][targets.positive[0]] == torch.tensor(box)).all()


@pytest.mark.parametrize("size", [(3.0, 7.0), (6.0, 13.0), (500.0, 300.0)])
def test_a_box_of_any_size_gets_a_cell(size):
    box = (41.3, 50.2, 41.3 + size[0], 50.2 + size[1])
    assert assign(answer(), truth((box, 3, False)), CENTRES).positive.any()


def test_the_better_overlap_wins_a_cell_that_two_boxes_want():
    inner, outer = (100.0, 100.0, 116.0, 116.0), (40.0, 40.0, 240.0, 240.0)
    targets = assign(answer(), truth((outer, 0, False), (inner, 2, False)), CENTRES)
    middle = int(((CENTRES - 108.0).abs().sum(1) + (torch.arange(len(CENTRES)) >= 15360) * 1e6).argmin())
    assert targets.positive[0, middle] and targets.scores[0, middle].argmax() == 2


def test_an_ignored_box_costs_nothing_for_its_class_only():
    area = ((0.0, 0.0, 640.0, 384.0), 1, True)
    wrong = answer(hot=[(5000, 1)])
    assert detector_loss(wrong, truth(area), CENTRES) < detector_loss(wrong, truth((area[0], 0, True)), CENTRES)


def test_the_right_answer_costs_least():
    box = (100.0, 100.0, 116.0, 116.0)
    target = truth((box, 0, False))
    positive = assign(answer(), target, CENTRES).positive[0]
    cells = positive.nonzero()[:, 0].tolist()
    exact = answer()
    exact.boxes[0, cells] = torch.tensor(box)
    right = Raw(exact.boxes, answer(hot=[(c, 0) for c in cells], high=6.0).logits)
    other = Raw(exact.boxes, answer(hot=[(c, 1) for c in cells], high=6.0).logits)
    assert detector_loss(right, target, CENTRES) < 0.5 * detector_loss(other, target, CENTRES)


def square(folder, name="a_0", ignore=False):
    """A picture with one white square at 300 100, 60 wide and 80 high."""
    picture = np.full((384, 640, 3), 40, np.uint8)
    picture[100:180, 300:360] = 255
    cv2.imwrite(str(folder / f"{name}.png"), picture)
    boxes = np.array([[300, 100, 360, 180]], np.float32)
    return LabelledPicture(folder / f"{name}.png", 640, 384, boxes, np.array([1]), np.array([ignore]))


def test_varied_boxes_stay_on_what_they_label(tmp_path):
    pictures, labels = BoxStore([square(tmp_path)], [1.0], "cpu", 3).draw(24)
    seen = 0
    for picture, boxes, valid, ignore in zip(pictures, labels.boxes, labels.valid, labels.ignore, strict=True):
        level = picture.float().mean(-1)
        for x1, y1, x2, y2 in boxes[valid & ~ignore].round().int().tolist():
            if x2 - x1 > 10 and y2 - y1 > 10:
                inside = level[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].mean()
                assert inside > level.median() + 30
                seen += 1
    assert seen > 8


def test_an_unvaried_draw_is_the_picture_itself(tmp_path):
    store = BoxStore([square(tmp_path)], [1.0], "cpu", 3)
    _, rows = store.draw(2)
    assert store.pictures.shape == (1, HEIGHT_PX, WIDTH_PX, 3) and rows.boxes.shape[-1] == 4
    assert store.rows[0, 0].tolist() == [300, 100, 360, 180, 0, 0]


def test_no_picture_is_an_error():
    with pytest.raises(ValueError, match="no labelled picture"):
        BoxStore([], [], "cpu", 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tiny_run_learns(tmp_path):
    pytest.importorskip("faster_coco_eval")
    from adas_perception.models.fit import FitConfig, fit
    from adas_perception.models.train_object import BoxData, DetectorTask

    for part in ("a", "b"):
        write_coco([square(tmp_path, f"{part}_0")], tmp_path / f"{part}.json")
    data = BoxData(((tmp_path / "a.json", 1.0), (tmp_path / "b.json", 1.0)), tmp_path / "b.json", ("b",))
    task = DetectorTask(data, 2, "cpu", 1, None)
    assert len(task._validation) == 1 and len(task._store.pictures) == 1

    def loss_now():
        with torch.no_grad():
            pictures, labels = task._store.draw(2, varied=False)
            return float(detector_loss(task.net.train()(pictures, decoded=False), labels, CENTRES))

    before = loss_now()
    fit(task, FitConfig(tmp_path / "out", steps=4, warmup=2, validate_every=4, device="cpu"))
    assert loss_now() < before
    assert [json.loads(row)["step"] for row in (tmp_path / "out" / "curve.jsonl").read_text().splitlines()] == [4]
    assert (tmp_path / "out" / "best.pt").is_file()


def test_the_net_decodes_boxes_around_its_cells():
    net = DetectorNet().eval()
    with torch.no_grad():
        boxes, scores = net(torch.zeros(1, HEIGHT_PX, WIDTH_PX, 3, dtype=torch.uint8))
    assert boxes.shape == (1, len(CENTRES), 4) and scores.shape == (1, len(CENTRES), len(CLASSES))
    middle = (boxes[0, :, :2] + boxes[0, :, 2:]) / 2.0
    assert (boxes[0, :, 2:] > boxes[0, :, :2]).all() and (middle - CENTRES).abs().max() < 64
    assert CLASSES[0] is ObjectClass.CAR


@pytest.mark.slow
def test_the_guides_nets_have_the_right_shapes():
    pytest.importorskip("torchvision")
    from adas_perception.models.guide_nets import GuideLaneNet, make_faster_rcnn, normalise

    with torch.no_grad():
        picture = normalise(torch.zeros(1, 224, 224, 3, dtype=torch.uint8))
        assert GuideLaneNet().eval()(picture).shape == (1, 2, 224, 224)
    assert make_faster_rcnn().roi_heads.box_predictor.cls_score.out_features == 7
