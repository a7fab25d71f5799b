"""The lane net's training pictures, labels, network and shipped file."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from adas_perception.inference import load_model_spec
from adas_perception.models import road_render
from adas_perception.models.lane_data import STRIDE, Drawn, LaneClass, classify, encode_label, load_photos, make_sample
from adas_perception.models.road_scene import PICTURE_HEIGHT, PICTURE_WIDTH, Marking, RoadShape, Scene, sample_scene
from adas_perception.perception.camera import CameraModel

NOTHING = np.zeros((PICTURE_HEIGHT, PICTURE_WIDTH), np.float32)
WEIGHTS = Path(__file__).resolve().parents[1] / "adas_perception" / "models" / "weights"


def scene(offset=0.0, hill=0.0, markings=None):
    camera = CameraModel.from_fov(PICTURE_WIDTH, PICTURE_HEIGHT, 1.0, height_m=1.0, x_m=0.0)
    lines = markings or [line(-1.8, dash=3.0), line(1.8), line(5.4)]
    road = RoadShape(offset, 0.0, 0.0, 0.0, hill)
    return Scene(camera, road, (0.0, 3.6), 3.6, (-2.5, 6.0), tuple(lines), (), (), False)


def drawn(here, hidden=NOTHING, bonnet=NOTHING, contrast=1.0):
    """What the renderer would return, but for the picture."""
    return Drawn(np.zeros((*NOTHING.shape, 3), np.uint8), hidden, bonnet, [contrast] * len(here.markings))


def line(d, dash=0.0):
    return Marking(d, 0.0, 0.15, dash, 12.0, 0.0, 0.0, (1.0, 1.0, 1.0), 1.0, 0.0)


def test_a_seed_is_a_sample():
    first, again, other = make_sample((1, 5)), make_sample((1, 5)), make_sample((1, 6))
    assert (first.picture == again.picture).all() and (first.classes == again.classes).all()
    assert (first.picture != other.picture).any()


@pytest.mark.parametrize("index", range(12))
def test_every_sample_is_well_formed(index):
    sample = make_sample((3, index))
    grid = (PICTURE_HEIGHT // STRIDE, PICTURE_WIDTH // STRIDE)
    assert sample.picture.shape == (PICTURE_HEIGHT, PICTURE_WIDTH, 3) and sample.picture.dtype == np.uint8
    assert sample.classes.shape == (len(LaneClass), *grid)
    assert sample.classes.sum(axis=0) == pytest.approx(1.0, abs=1e-5) and sample.classes.min() > -1e-6
    assert set(np.unique(sample.dashed)) <= {0.0, 1.0} and set(np.unique(sample.weight)) <= {0.0, 1.0}
    assert sample.picture.std() > 2.0


def test_the_label_lies_on_the_line_also_in_the_gaps():
    here = scene()
    classes, dashed, _ = encode_label(here, drawn(here))
    for x in (6.0, 10.0, 15.0, 25.0):
        for name, d, gaps in ((LaneClass.EGO_RIGHT, -1.8, 1.0), (LaneClass.EGO_LEFT, 1.8, 0.0)):
            u, v = here.camera.project(np.array([x, d])) / STRIDE
            row = classes[name, round(v)]
            assert row.max() > 0.5 and row.argmax() == pytest.approx(u, abs=2.0)
            assert dashed[round(v), row.argmax()] == gaps


def test_classes_follow_the_side_of_the_car():
    assert classify(scene()) == [LaneClass.EGO_RIGHT, LaneClass.EGO_LEFT, LaneClass.OTHER_LEFT]
    in_the_next_lane = scene(offset=3.6)
    assert classify(in_the_next_lane) == [LaneClass.OTHER_RIGHT, LaneClass.EGO_RIGHT, LaneClass.EGO_LEFT]


def test_hidden_line_cells_have_no_weight_and_the_rest_has():
    hidden = np.zeros((PICTURE_HEIGHT, PICTURE_WIDTH), np.float32)
    hidden[150:] = 1.0
    classes, _, weight = encode_label(scene(), drawn(scene(), hidden=hidden))
    on_line = classes[1:].max(axis=0) > 0.5
    assert (weight[40:][on_line[40:]] == 0.0).all() and on_line[40:].any()
    assert weight[:36].all() and weight[40:][classes[0, 40:] > 0.95].all()


def test_the_bonnet_has_no_lines_and_counts():
    bonnet = NOTHING.copy()
    bonnet[160:] = 1.0
    free, covered = (encode_label(scene(), drawn(scene(), bonnet=mask)) for mask in (NOTHING, bonnet))
    assert free[0][1:, 40:].max() > 0.9 and covered[0][1:, 40:].max() == 0.0
    assert (covered[0][:, :40] == free[0][:, :40]).all() and covered[2].all()


def test_a_line_that_cannot_be_seen_is_neither_right_nor_wrong():
    classes, _, weight = encode_label(scene(), drawn(scene(), contrast=0.01))
    clear = encode_label(scene(), drawn(scene()))[0]
    assert classes[1:].max() == 0.0 and (weight[clear[1:].max(axis=0) > 0.5] == 0.0).all()
    assert weight.mean() > 0.8


def test_the_contrast_tells_faded_paint_from_fresh():
    fresh = scene(markings=[line(1.8), replace(line(-1.8), opacity=0.02)])
    ground = road_render.trace_ground(fresh)
    picture = np.full((PICTURE_HEIGHT - ground.top, PICTURE_WIDTH, 3), 0.3, np.float32)
    strong, weak = road_render.paint_markings(picture, ground, fresh, np.random.default_rng(1))
    assert strong > 0.5 and weak < 0.03


def test_paint_is_where_the_label_is():
    here = scene(markings=[line(1.8)])
    ground = road_render.trace_ground(here)
    alpha = road_render.marking_coverage(ground, here.markings[0])
    for x in (5.0, 12.0):
        u, v = here.camera.project(np.array([x, 1.8]))
        assert alpha[round(v) - ground.top, round(u)] > 0.9
        assert alpha[round(v) - ground.top, round(u) + 40] == 0.0


@pytest.mark.parametrize("hill", [-5e-4, 0.0, 5e-4])
def test_the_traced_ground_is_the_placed_road(hill):
    here = scene(offset=0.4, hill=hill)
    ground = road_render.trace_ground(here)
    for s, d in ((6.0, -1.0), (20.0, 2.0)):
        u, v = here.camera.project(here.road.place(np.array(s), np.array(d), 0.0)).round().astype(int)
        assert ground.s[v - ground.top, u] == pytest.approx(s, abs=float(ground.step_s[v - ground.top, u]))
        assert ground.d[v - ground.top, u] == pytest.approx(d, abs=float(ground.step_d[v - ground.top, u]))


def test_a_crest_hides_what_is_behind_it():
    from adas_perception.models.lane_data import trace_marking

    flat, crest = (trace_marking(scene(hill=h), line(1.8)) for h in (0.0, -2e-3))
    assert len(crest) < len(flat)


def test_scenes_cover_what_the_product_must_see():
    scenes = [sample_scene(np.random.default_rng((9, i))) for i in range(300)]
    heights = [s.camera.height_m for s in scenes]
    assert min(heights) < 1.1 and max(heights) > 2.0
    assert {len(s.lanes) for s in scenes} == {1, 2, 3, 4, 5}
    markings = [m for s in scenes for m in s.markings]
    assert any(m.dots for m in markings) and any(m.twin_gap_m for m in markings)
    assert 0.3 < np.mean([m.dashed for m in markings]) < 0.7
    assert max(m.width_m for m in markings) > 0.3


def test_photos_are_optional_and_used(tmp_path):
    assert load_photos(None) == []
    cv2.imwrite(str(tmp_path / "sky.jpg"), np.full((60, 100, 3), (255, 0, 255), np.uint8))
    photos = load_photos(tmp_path)
    changed = sum((make_sample((4, i), photos).picture != make_sample((4, i)).picture).any() for i in range(6))
    assert len(photos) == 1 and changed >= 2


def test_the_shipped_file_is_the_one_of_its_card():
    card = yaml.safe_load((WEIGHTS / "lane_v2.yaml").read_text())
    spec = load_model_spec(card["name"])
    assert card["sha256"] == spec.sha256 and spec.file() == WEIGHTS / card["file"]
    assert spec.file().stat().st_size <= 8_000_000
    assert {"data", "licence", "scores", "limits"} <= set(card)


# --- with PyTorch ---


@pytest.fixture
def net():
    torch = pytest.importorskip("torch")
    from adas_perception.models.lane_net import LaneNet

    torch.manual_seed(0)
    return LaneNet().eval()


def test_the_net_answers_probabilities(net):
    import torch

    with torch.no_grad():
        out = net(torch.zeros((3, 64, 96, 3), dtype=torch.uint8))
    assert out.shape == (3, 6, 16, 24)
    assert out[:, :5].sum(1).numpy() == pytest.approx(1.0, abs=1e-5) and 0.0 <= float(out[:, 5].min())


def test_imagenet_weights_fit_by_name(net, tmp_path):
    import torch

    stored = {name.replace(".layers.", "."): torch.full_like(v, 0.5) for name, v in net.backbone.state_dict().items()}
    torch.save({**stored, "_fc.weight": torch.zeros(3)}, tmp_path / "b0.pth")
    net.backbone.load_imagenet(tmp_path / "b0.pth")
    assert all((v == 0.5).all() for n, v in net.backbone.state_dict().items() if v.dtype.is_floating_point)


def test_the_export_equals_the_net(net, tmp_path):
    for package in ("onnx", "onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    from adas_perception.models.export import export

    assert export("lane", net.eval(), tmp_path / "net.onnx", 17, 1) < 1e-4


def test_mirrored_scenes_swap_left_and_right():
    pytest.importorskip("torch")
    from adas_perception.models.train_lane import MIRRORED

    here = scene()
    turned = replace(here, markings=tuple(replace(m, d_m=-m.d_m) for m in here.markings))
    planes = [
        encode_label(s, drawn(s))[0]
        for s in (here, replace(turned, camera=replace(here.camera, cx_px=PICTURE_WIDTH - 1 - here.camera.cx_px)))
    ]
    assert planes[0][MIRRORED][:, :, ::-1] == pytest.approx(planes[1], abs=1e-3)
