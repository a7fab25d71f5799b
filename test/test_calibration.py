"""Chessboard calibration, on drawn boards with known truth and on real pictures."""

import cv2
import numpy as np
import pytest
import yaml

from adas_perception.params import ParameterError
from adas_perception.perception.calibration import calibrate, write_camera_info

K = np.array([[700.0, 0.0, 330.0], [0.0, 705.0, 235.0], [0.0, 0.0, 1.0]])


def draw_board(turn, shift, columns=9, rows=6, scale=8):
    """Return the picture 640 x 480 of a board turned by ``turn`` (rotation vector) and moved by ``shift`` squares."""
    size = ((columns + 3) * 40, (rows + 3) * 40)
    board = np.full((size[1], size[0]), 255, np.uint8)
    for r in range(rows + 1):
        for c in range(columns + 1):
            if (r + c) % 2 == 0:
                board[(r + 1) * 40 : (r + 2) * 40, (c + 1) * 40 : (c + 2) * 40] = 0
    squares = np.array([[1.0 / 40, 0, -(columns + 3) / 2], [0, 1.0 / 40, -(rows + 3) / 2], [0, 0, 1]])
    rotation = cv2.Rodrigues(np.array(turn, float))[0]
    pose = np.column_stack([rotation[:, :2], np.array(shift, float)])
    return cv2.warpPerspective(board, K @ pose @ squares, (640, 480), flags=cv2.INTER_AREA, borderValue=255)


@pytest.fixture
def boards(tmp_path):
    rng = np.random.default_rng(3)
    for i in range(8):
        turn = rng.uniform(-0.45, 0.45, 3)
        shift = [rng.uniform(-1.5, 1.5), rng.uniform(-1.0, 1.0), rng.uniform(16.0, 22.0)]
        cv2.imwrite(str(tmp_path / f"board{i}.png"), draw_board(turn, shift))
    return tmp_path


def test_the_true_matrix_is_found(boards):
    result = calibrate(boards)
    assert len(result.used) == 8 and result.rms_px < 0.3
    assert np.diag(result.matrix) == pytest.approx(np.diag(K), rel=0.03)
    assert result.matrix[:2, 2] == pytest.approx(K[:2, 2], abs=15.0)


def test_useless_pictures_are_named_with_their_reason(boards):
    (boards / "broken.jpg").write_bytes(b"no picture")
    (boards / "empty.png").write_bytes(b"")
    cv2.imwrite(str(boards / "wall.png"), np.full((480, 640), 128, np.uint8))
    cv2.imwrite(str(boards / "small.png"), np.full((100, 100), 128, np.uint8))
    (boards / "notes.txt").write_text("not looked at")
    unused = calibrate(boards).unused
    assert set(unused) == {"broken.jpg", "empty.png", "wall.png", "small.png"}
    assert "OpenCV" in unused["broken.jpg"] and "board" in unused["wall.png"] and "100 x 100" in unused["small.png"]


def test_too_little_is_one_clear_sentence(tmp_path, boards):
    empty = tmp_path / "none"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no pictures"):
        calibrate(empty)
    with pytest.raises(ParameterError, match="--columns"):
        calibrate(boards, columns=7, rows=4)


def test_the_camera_info_file_is_what_ros_reads(boards, tmp_path):
    result = calibrate(boards)
    write_camera_info(result, tmp_path / "camera.yaml")
    content = yaml.safe_load((tmp_path / "camera.yaml").read_text())
    assert (content["image_width"], content["image_height"]) == (640, 480)
    assert content["distortion_model"] == "plumb_bob"
    assert np.reshape(content["camera_matrix"]["data"], (3, 3)) == pytest.approx(result.matrix, abs=1e-6)
    assert content["distortion_coefficients"]["cols"] == 5
    assert len(content["projection_matrix"]["data"]) == 12 and content["projection_matrix"]["data"][0] > 0


def test_the_real_camera(shared_data):
    result = calibrate(shared_data / "udacity" / "camera_cal")
    assert (result.width_px, result.height_px) == (1280, 720)
    assert len(result.used) + len(result.unused) == 20 and len(result.used) >= 14
    assert result.rms_px < 1.0 and result.matrix[0, 0] == pytest.approx(1158, abs=15)
    assert "not used: calibration1.jpg" in result.summary()
