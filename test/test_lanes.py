"""Lane post-processing on drawn network answers, and the whole chain on real and simulated pictures."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.inference import load_backend, load_model_spec
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_geometry import sigma_m, width_m
from adas_perception.perception.lane_network import LaneSpec
from adas_perception.perception.lanes import LaneFinder, LaneParams, LaneTracker
from adas_perception.perception.overlay import draw_lanes
from adas_perception.types import EgoState, Image, LaneLine, LineKind

CAMERA = CameraModel.from_fov(1280, 720, math.radians(60.0)).cropped_resized(216, 512, 192)
STILL = EgoState(0)
FRAME_NS = 50_000_000


def answer(lines, camera=CAMERA, score=0.95):
    """Return what the net would say (6, 48, 128) to lines {class: (coefficients, dashed)}."""
    out = np.zeros((6, 48, 128), np.float32)
    rows = np.arange(48) * 4 + 1.5
    for name, (coefficients, dashed) in lines.items():
        x = np.geomspace(camera.x_m + 2.0, 90.0, 400)
        uv = camera.project(np.stack([x, np.polynomial.polynomial.polyval(x, coefficients)], axis=-1))
        u = np.interp(rows, uv[::-1, 1], uv[::-1, 0], left=np.nan, right=np.nan)
        bell = np.exp(-0.5 * (((np.arange(128) * 4 + 1.5)[None] - u[:, None]) / 3.0) ** 2)
        bell = np.nan_to_num(bell) * score
        out[5] = np.where(bell > out[1:5].max(axis=0), float(dashed), out[5])
        out[name] = np.maximum(out[name], bell)
    out[0] = np.clip(1.0 - out[1:5].sum(axis=0), 0.0, 1.0)
    return out


def lane(offset=0.0, heading=0.0, curvature=0.0, width=3.6):
    shape = (heading, curvature / 2.0)
    return {1: ((offset + width / 2, *shape), False), 2: ((offset - width / 2, *shape), True)}


def run(frames, ego=STILL, params=None, camera=CAMERA):
    tracker = LaneTracker(params)
    for i, frame in enumerate(frames):
        lines = tracker.step(1 + i * FRAME_NS, frame, camera, ego)
    return lines, tracker


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-0.8, 0.8), st.floats(-0.03, 0.03), st.floats(-0.003, 0.003), st.floats(2.8, 4.2),
)  # fmt: skip
def test_lines_are_found_where_they_are(offset, heading, curvature, width):
    truth = lane(offset, heading, curvature, width)
    lines, _ = run([answer(truth)] * 8)
    for name, found in ((1, lines.left), (2, lines.right)):
        for x, limit in ((10.0, 0.08), (30.0, 0.25)):
            assert found.y(x) == pytest.approx(np.polynomial.polynomial.polyval(x, truth[name][0]), abs=limit)
    assert lines.left.kind is LineKind.SOLID and lines.right.kind is LineKind.DASHED
    assert lines.left.confidence > 0.7 and lines.left.sigma_m < 0.15
    assert lines.left.curvature(15.0) == pytest.approx(curvature, abs=6e-4)


@pytest.mark.parametrize("error", [-0.03, 0.02, 0.04])
def test_a_wrong_mounting_pitch_is_learned(error):
    frames = [answer(lane(0.3))] * 30
    wrong = replace(CAMERA, pitch_rad=CAMERA.pitch_rad - error)
    lines, tracker = run(frames, camera=wrong)
    assert tracker.pitch_offset_rad == pytest.approx(error, abs=0.004)
    assert lines.left.y(20.0) - lines.right.y(20.0) == pytest.approx(3.6, abs=0.1)
    _, fixed = run(frames, camera=wrong, params=LaneParams(estimate_pitch=False))
    assert fixed.pitch_offset_rad == 0.0


def test_a_missing_line_is_missing_and_the_other_stays():
    both, left_only = answer(lane()), answer({1: lane()[1]})
    lines, _ = run([left_only] * 5)
    assert lines.right is None and lines.left.y(10.0) == pytest.approx(1.8, abs=0.05)
    # A line that was seen is kept for a moment, then dropped.
    lines, tracker = run([both] * 5 + [left_only] * 4)
    assert lines.right is not None and lines.right.confidence < lines.left.confidence
    lines, _ = run([both] * 5 + [left_only] * 20)
    assert lines.right is None and lines.left is not None


def test_an_empty_answer_gives_no_lines():
    empty = answer({})
    lines, _ = run([empty] * 3)
    assert lines.left is lines.right is None and lines.others == ()


def test_false_cells_do_not_pull_a_line():
    rng = np.random.default_rng(0)
    dirty = answer(lane())
    for row in rng.choice(np.arange(20, 48), 7, replace=False):
        dirty[1, row] = 0.0
        dirty[1, row, rng.integers(0, 60)] = 0.9
    lines, _ = run([dirty] * 3)
    assert lines.left.y(10.0) == pytest.approx(1.8, abs=0.08)


def test_an_implausibly_narrow_lane_is_not_reported():
    tight = {1: ((0.6, 0.0), False), 2: ((-0.6, 0.0), False)}
    lines, _ = run([answer(tight)] * 4)
    assert lines.left is None or lines.right is None


def test_a_lane_change_takes_the_new_lane_within_three_frames():
    old, new = answer(lane(-1.75)), answer(lane(1.75))
    lines, tracker = run([old] * 10)
    for i in range(3):
        lines = tracker.step(1 + (10 + i) * FRAME_NS, new, CAMERA, STILL)
    assert lines.left.y(10.0) == pytest.approx(1.75 + 1.8, abs=0.15)
    assert lines.right.y(10.0) == pytest.approx(1.75 - 1.8, abs=0.15)


def test_one_wild_frame_changes_nothing():
    lines, tracker = run([answer(lane())] * 10)
    wild = tracker.step(1 + 10 * FRAME_NS, answer(lane(2.0)), CAMERA, STILL)
    assert wild.left.y(10.0) == pytest.approx(lines.left.y(10.0), abs=0.05)


def test_the_estimate_moves_with_the_car():
    """Where nothing is seen for two frames the lines still go by as the car drives and turns."""
    speed, yaw_rate = 20.0, 0.1
    ego = EgoState(0, speed_mps=speed, yaw_rate_radps=yaw_rate)
    _, tracker = run([answer(lane(heading=0.02))] * 10)
    before = tracker.step(1 + 10 * FRAME_NS, answer(lane(heading=0.02)), CAMERA, STILL)
    after = tracker.step(1 + 11 * FRAME_NS, answer({}), CAMERA, ego)
    turn, path = yaw_rate * 0.05, speed * 0.05
    assert after.left.slope(10.0) == pytest.approx(before.left.slope(10.0) - turn, abs=2e-3)
    assert after.left.y(0.0) == pytest.approx(before.left.y(path), abs=0.02)


@pytest.mark.parametrize("jump_ns", [-10 * FRAME_NS, 5_000_000_000])
def test_a_jumping_clock_starts_afresh(jump_ns):
    lines, tracker = run([answer(lane())] * 10)
    lines = tracker.step(1 + 9 * FRAME_NS + jump_ns, answer(lane(0.5)), CAMERA, STILL)
    assert lines.left is None or lines.left.y(10.0) == pytest.approx(2.3, abs=0.2)


def test_further_lines_are_told_apart():
    truth = {**lane(), 3: ((5.4, 0.0), True), 4: ((-5.4, 0.0), False)}
    lines, _ = run([answer(truth)] * 4)
    assert sorted(round(o.y(12.0), 1) for o in lines.others) == pytest.approx([-5.4, 5.4], abs=0.2)
    assert {o.kind for o in lines.others} == {LineKind.SOLID, LineKind.DASHED}


def test_the_covariance_tells_how_far_to_trust_the_line():
    lines, _ = run([answer(lane())] * 8)
    for side in (lines.left, lines.right):
        matrix = np.array(side.covariance).reshape(4, 4)
        assert matrix == pytest.approx(matrix.T) and np.linalg.eigvalsh(matrix).min() > -1e-12
        assert sigma_m(side, 60.0) > sigma_m(side, 20.0) >= side.sigma_m
    assert sigma_m(lines.right, 20.0) > sigma_m(lines.left, 20.0)  # gaps between dashes say less
    assert sigma_m(LaneLine((0, 0, 0, 0), 0.0, 50.0, sigma_m=0.1), 30.0) == 0.1


def test_errors_are_as_large_as_the_covariance_says():
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(30):
        offset, heading, bend = rng.normal(0.0, (0.3, 0.01, 1e-4))
        truth = {1: ((offset + 1.8, heading, bend), False), 2: ((offset - 1.8, heading, bend), False)}
        lines, _ = run([answer(truth, score=0.8)] * 3, params=LaneParams(estimate_pitch=False))
        for name, found in ((1, lines.left), (2, lines.right)):
            error = found.y(15.0) - np.polynomial.polynomial.polyval(15.0, truth[name][0])
            ratios.append(error / sigma_m(found, 15.0))
    assert np.mean(np.abs(ratios) < 3.0) > 0.95


def test_the_width_is_measured_across_the_road():
    lines, _ = run([answer(lane(heading=0.03, width=3.4))] * 8)
    assert width_m(lines, 15.0) == pytest.approx(3.4, abs=0.08)
    assert width_m(replace(lines, right=None), 15.0) is None


def test_the_overlay_draws_on_a_copy():
    camera = CameraModel.from_fov(1280, 720, math.radians(60.0))
    lines, _ = run([answer(lane())] * 3)
    picture = np.full((720, 1280, 3), 90, np.uint8)
    drawn = draw_lanes(picture, camera, lines)
    assert (picture == 90).all() and (drawn != picture).any()
    u, v = camera.project(np.array([10.0, lines.left.y(10.0)])).round().astype(int)
    assert drawn[v, u, 2] > 150  # red: left
    assert (drawn[: int(camera.horizon_row_px()) - 5] == 90).all()


# --- the net ---


@pytest.fixture(scope="module")
def net():
    entry = load_model_spec("lane_v2")
    return LaneSpec.from_mapping(entry.spec), load_backend(entry.file())


def watch(net, frames, camera, rate_hz=25.0):
    """Return the lateral positions (N, 2) of both lines at 8 m, NaN where missing."""
    finder, rows = LaneFinder(*net, camera), []
    for i, bgr in enumerate(frames):
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        lines = finder.step(Image(1 + round(i * 1e9 / rate_hz), rgb))
        rows.append([math.nan if line is None else line.y(8.0) for line in (lines.left, lines.right)])
    return np.array(rows)


def guessed_camera(bgr, horizon):
    height, width = bgr.shape[:2]
    camera = CameraModel.from_fov(width, height, math.radians(58.0), height_m=1.25)
    return camera.with_horizon(horizon * height)


def read(path):
    capture = cv2.VideoCapture(str(path))
    while True:
        good, frame = capture.read()
        if not good:
            return
        yield frame


@pytest.mark.parametrize(("name", "horizon", "every"), [("solidWhiteRight", 0.575, 2), ("vehicles", 0.58, 1)])
def test_both_lines_in_real_videos(net, shared_data, name, horizon, every):
    frames = list(read(shared_data / "udacity" / f"{name}.mp4"))[::every]
    y = watch(net, frames, guessed_camera(frames[0], horizon))
    width, offset = y[:, 0] - y[:, 1], y.mean(axis=1)
    assert ((width > 2.5) & (width < 4.5)).mean() >= 0.98
    assert np.nanmax(np.abs(np.diff(offset))) < 0.10
    assert np.nanstd(width) < 0.15


@pytest.mark.parametrize(
    "name", ["solidWhiteCurve", "solidWhiteRight", "solidYellowCurve", "solidYellowCurve2", "solidYellowLeft",
             "whiteCarLaneSwitch"],
)  # fmt: skip
def test_both_lines_in_real_stills(net, shared_data, name):
    bgr = cv2.imread(str(shared_data / "udacity" / "lane_lines_images" / f"{name}.jpg"))
    ((left, right),) = watch(net, [bgr], guessed_camera(bgr, 0.575))
    assert 2.5 < left - right < 4.5
    assert left > 0.9 and right < -0.9


def test_the_simulated_camera_is_understood(net):
    from adas_perception.sim.camera import DEFAULT_CAMERA, CameraRenderer
    from adas_perception.sim.road import Road

    road = Road(600.0, ((0.0, 0.0), (100.0, 0.0), (180.0, 0.002), (600.0, 0.002)))
    renderer, finder, speed, dt = CameraRenderer(road), LaneFinder(*net, DEFAULT_CAMERA), 36.0, 0.1
    errors, s, yaw_before = [], 10.0, 0.0
    for i in range(70):
        ((x, y),) = road.to_map(np.array([s]), -1.75)
        (yaw,) = road.yaw(np.array([s]))
        ego = EgoState(1 + i, speed_mps=speed, yaw_rate_radps=float(yaw - yaw_before) / dt)
        yaw_before = yaw
        lines = finder.step(Image(1 + round(i * dt * 1e9), renderer.render(x, y, yaw, s)), ego)
        errors.append([lines.left.y(8.0) - 1.75, lines.right.y(8.0) + 1.75])
        s += speed * dt
    # Between the axle and 8 m ahead the bend itself moves the line by up to 0.064 m.
    assert np.abs(np.array(errors)).max() < 0.2
    assert finder.camera.pitch_rad == pytest.approx(DEFAULT_CAMERA.pitch_rad, abs=0.004)
    assert lines.left.curvature(15.0) == pytest.approx(0.002, abs=6e-4)
    assert lines.left.kind is LineKind.DASHED and lines.right.kind is LineKind.SOLID


def test_a_lane_change_in_the_simulator(net):
    from adas_perception.sim.camera import DEFAULT_CAMERA, CameraRenderer
    from adas_perception.sim.road import Road

    renderer, finder, speed, dt = CameraRenderer(Road(400.0)), LaneFinder(*net, DEFAULT_CAMERA), 30.0, 0.05
    drift = 1.6 / speed  # 1.6 m/s to the left, across the line at d = 0
    swapped = []
    for i in range(50):
        s, d = 10.0 + speed * i * dt, -1.75 + 1.6 * i * dt
        image = Image(1 + round(i * dt * 1e9), renderer.render(s, d, drift, s))
        lines = finder.step(image, EgoState(1, speed_mps=speed))
        on_road = [line.y(6.0) + d + 6.0 * drift for line in (lines.left, lines.right)]
        in_old = on_road == pytest.approx([0.0, -3.5], abs=0.15)
        in_new = on_road == pytest.approx([3.5, 0.0], abs=0.15)
        assert in_old or in_new, f"at d = {d:.2f} m the lines are at {on_road}"
        swapped.append(in_new)
    assert not any(swapped[:15]) and all(swapped[-10:])
    assert sum(a != b for a, b in zip(swapped, swapped[1:], strict=False)) == 1


def test_the_evaluation_of_a_recording(net, tmp_path):
    from adas_perception.models.evaluate import LaneModel, video_scores
    from adas_perception.sim.camera import DEFAULT_CAMERA, CameraRenderer
    from adas_perception.sim.road import Road

    renderer = CameraRenderer(Road(200.0))
    frames = [renderer.render(10.0 + i, -1.75, 0.0, 10.0 + i)[..., ::-1].copy() for i in range(4)]
    scores = video_scores(LaneModel(*net), [*frames, np.zeros_like(frames[0])], DEFAULT_CAMERA, 20.0, tmp_path)
    assert scores["frames"] == 5 and scores["both_found"] >= 0.8
    assert scores["width_max_m"] == pytest.approx(3.5, abs=0.15) and scores["jitter_max_m"] < 0.1
    assert (tmp_path / "0000.jpg").is_file()


def test_synthetic_roads_against_the_truth(net):
    from adas_perception.models.evaluate import LaneModel, synthetic_scores

    scores = synthetic_scores(LaneModel(*net), 40)
    assert scores["recall"] > 0.92 and scores["precision"] > 0.9
    assert scores["error_10_m"] < 0.04 and scores["error_30_m"] < 0.15
    assert abs(scores["bias_10_m"]) < 0.03


def test_a_picture_of_another_size_is_refused(net):
    finder = LaneFinder(*net, CameraModel.from_fov(640, 360, 1.0))
    with pytest.raises(ValueError, match="480 x 270.*640 x 360"):
        finder.step(Image(1, np.zeros((270, 480, 3), np.uint8)))
