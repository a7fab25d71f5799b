"""Lines in the picture from answers of the lane net, drawn and real."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.perception.lane_network import LaneNetwork, LaneSpec, decode, name_lines
from adas_perception.perception.picture_lines import LineRole, find_lines, resample, to_original
from adas_perception.types import LineKind

H, W, HORIZON = 48, 128, 12.0


def column(t, rows, bend=0.0):
    """Columns of the boundary t on a flat road; t = -1 and 1 are the own lane's."""
    below = np.maximum(rows - HORIZON, 0.05)
    return 64.0 + t * 1.25 * below + bend / below


def answer(ts, bend=0.0, score=0.95, dashed=()):
    out = np.zeros((6, H, W), np.float32)
    rows = np.arange(H, dtype=float)
    for t in ts:
        u = column(t, rows, bend)
        lean = np.gradient(u, rows)
        bell = np.exp(-0.5 * ((np.arange(W)[None] - u[:, None]) / 0.75 / np.sqrt(1 + lean[:, None] ** 2)) ** 2)
        bell[rows < HORIZON + 3] = 0.0
        plane = {-1: 1, 1: 2}.get(t, 3 if t < 0 else 4)
        out[5] = np.where(bell > out[1:5].max(axis=0), float(t in dashed), out[5])
        out[plane] = np.maximum(out[plane], bell * score)
    out[0] = 1.0 - out[1:5].max(axis=0)
    return out


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([(), (-3,), (3,), (-3, 3), (-5, -3, 3), (3, 5)]), st.floats(-25.0, 25.0))
def test_every_line_is_found_once_where_it_is(others, bend):
    lines = find_lines(answer((-1, 1, *others), bend))
    assert [line.role for line in lines[:2]] == [LineRole.LEFT, LineRole.RIGHT]
    assert len(lines) == 2 + len(others)
    for t, line in zip((-1, 1, *sorted(others)), lines, strict=True):
        near = line.points[line.points[:, 1] > HORIZON + 6]
        lean = np.abs(np.gradient(column(t, near[:, 1], bend), near[:, 1])) if len(near) > 1 else 1.0
        off = np.abs(near[:, 0] - column(t, near[:, 1], bend)) / np.sqrt(1.0 + np.asarray(lean) ** 2)
        assert np.median(off) < 0.3 and off.max() < 1.5


def test_lines_reach_from_the_border_of_the_view_to_the_horizon():
    for line in find_lines(answer((-1, 1, 3))):
        near, far = line.points[0], line.points[-1]
        assert near[1] >= H - 1.0 or near[0] <= 0.0 or near[0] >= W - 1.0
        assert far[1] < HORIZON + 5


def test_neighbours_are_found_when_an_ego_boundary_is_missing():
    for ts in ((-1, 3), (1, -3), (3, 5)):
        assert len(find_lines(answer(ts))) == 2


def test_weak_and_short_lines_are_none():
    assert find_lines(np.zeros((6, H, W), np.float32)) == []
    assert len(find_lines(answer((-1, 1)) + answer((3,), score=0.5))) == 2


def test_dashes_are_told():
    kinds = [line.kind for line in find_lines(answer((-1, 1, 3), dashed=(1, 3)))]
    assert kinds == [LineKind.SOLID, LineKind.DASHED, LineKind.DASHED]


def test_cells_become_pixels_of_the_original():
    line = to_original(find_lines(answer((-1, 1)))[0], (W, H), (1280, 720), 216)
    assert line.points[:, 1].max() == pytest.approx(719.5, abs=0.6)
    at = np.argmin(np.abs(line.points[:, 1] - (216 + 30.5 * 10.5 - 0.5)))
    assert line.points[at, 0] == pytest.approx((column(-1, 30.0) + 0.5) * 10.0 - 0.5, abs=4.0)
    assert np.hypot(*np.diff(line.points, axis=0).T).max() <= 4.01


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=2, max_size=8))
def test_resampling_keeps_the_ends(points):
    given_points = np.array(points)
    new = resample(given_points, 4.0)
    assert new[0] == pytest.approx(given_points[0]) and new[-1] == pytest.approx(given_points[-1], abs=1e-6)


# --- networks of other shapes ---


def test_a_mask_becomes_named_lines():
    truth = answer((-1, 1, 3))
    named = name_lines(truth[1:5].max(axis=0))
    for plane in (1, 2, 4):
        seen = truth[plane] > 0.7
        assert (named[plane][seen] > 0.5).mean() > 0.8
    assert named[3].max() == 0.0 and named.shape == truth.shape
    assert name_lines(np.zeros((H, W), np.float32))[1:].max() == 0.0


def test_every_layout_reaches_the_network():
    seen = {}

    class Echo:
        def infer(self, inputs):
            seen.update(inputs)
            return {"out": np.zeros((1, 2, 64, 96), np.float32)}

    rgb = np.full((100, 200, 3), (255, 0, 51), np.uint8)
    common = dict(input_name="in", output_name="out", width_px=96, height_px=64, decoder="mask")
    out = LaneNetwork(LaneSpec(layout="nchw_float32", scale=(1 / 255,) * 3, **common), Echo()).answer(rgb)
    assert out.shape == (6, 16, 24) and seen["in"].shape == (1, 3, 64, 96)
    assert seen["in"][0, :, 0, 0] == pytest.approx([1.0, 0.0, 0.2])
    LaneNetwork(LaneSpec(**common), Echo()).answer(rgb)
    assert seen["in"].shape == (1, 64, 96, 3) and seen["in"].dtype == np.uint8


def test_logits_and_probabilities_mean_the_same():
    line = answer((-1, 1))[1:5].max(axis=0).clip(0.001, 0.999).repeat(4, 0).repeat(4, 1)
    logits = np.stack([np.zeros_like(line), np.log(line / (1.0 - line))])[None]
    spec = dict(output_name="ll")
    a = decode({"ll": logits}, LaneSpec(decoder="mask", **spec))
    b = decode({"ll": np.stack([1.0 - line, line])[None]}, LaneSpec(decoder="probability", **spec))
    assert a == pytest.approx(b, abs=1e-4) and a[1].max() > 0.8


def test_a_wrong_output_name_is_told():
    with pytest.raises(ValueError, match="no output 'lanes', but da, ll"):
        decode({"da": np.zeros(1), "ll": np.zeros(1)}, LaneSpec())
