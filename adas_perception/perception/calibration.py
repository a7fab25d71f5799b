"""Camera matrix and distortion from pictures of a chessboard, by OpenCV (Zhang 2000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from adas_perception.params import ParameterError
from adas_perception.types import FloatArray

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
BOARDS_MIN = 5
# A view that fits this many times worse than the median is a mistaken board.
OUTLIER_RATIO = 4.0


@dataclass(frozen=True)
class Calibration:
    """Pinhole matrix (3, 3) in pixels, plumb-bob distortion (5,) k1 k2 p1 p2 k3, reprojection error in pixels (RMS)."""

    width_px: int
    height_px: int
    matrix: FloatArray
    distortion: FloatArray
    rms_px: float
    used: tuple[str, ...]
    unused: Mapping[str, str]  # file name -> reason

    def summary(self) -> str:
        """Return the result in a few lines for people."""
        fx, fy, cx, cy = self.matrix[0, 0], self.matrix[1, 1], self.matrix[0, 2], self.matrix[1, 2]
        fov_deg = 2.0 * np.degrees(np.arctan(self.width_px / 2.0 / fx))
        lines = [
            f"{self.width_px} x {self.height_px}: fx {fx:.1f} fy {fy:.1f} cx {cx:.1f} cy {cy:.1f} px, "
            f"horizontal field of view {fov_deg:.1f} deg",
            "distortion k1 k2 p1 p2 k3: " + " ".join(f"{d:.4f}" for d in self.distortion),
            f"reprojection error {self.rms_px:.3f} px (RMS) over {len(self.used)} pictures",
            *(f"not used: {name}: {reason}" for name, reason in sorted(self.unused.items())),
        ]
        return "\n".join(lines)


def calibrate(folder: Path, columns: int = 9, rows: int = 6) -> Calibration:
    """Calibrate from the pictures in a folder that show a board with columns x rows inner corners.

    Pictures without the whole board, of another size than most, or that fit badly are named in ``unused``.
    Raises FileNotFoundError without pictures, ParameterError when too few show the board.
    """
    files = sorted(f for f in folder.glob("*") if f.suffix.lower() in PICTURES)
    if not files:
        raise FileNotFoundError(f"{folder}: no pictures ({', '.join(PICTURES)}) here")
    if min(columns, rows) < 3:
        raise ParameterError(f"a board of {columns} x {rows} inner corners is too small; count at least 3 x 3")
    pictures, unused = _read(files)
    size = _commonest_size(pictures)
    corners: dict[str, FloatArray] = {}
    for name, gray in pictures.items():
        if gray.shape != size:
            unused[name] = f"{gray.shape[1]} x {gray.shape[0]} pixels, most have {size[1]} x {size[0]}"
            continue
        found = _find_board(gray, columns, rows)
        if found is None:
            unused[name] = f"no board with {columns} x {rows} inner corners in full view"
        else:
            corners[name] = found
    if len(corners) < BOARDS_MIN:
        raise ParameterError(
            f"{folder}: {len(corners)} of {len(files)} pictures show a board with {columns} x {rows} inner corners, "
            f"{BOARDS_MIN} are needed; check --columns and --rows"
        )
    rms, matrix, distortion, views = _solve(corners, size, columns, rows)
    bad = [n for n, e in zip(corners, views, strict=True) if e > OUTLIER_RATIO * float(np.median(views))]
    if bad and len(corners) - len(bad) >= BOARDS_MIN:
        for name in bad:
            del corners[name]
            unused[name] = "fits far worse than the others"
        rms, matrix, distortion, _ = _solve(corners, size, columns, rows)
    return Calibration(size[1], size[0], matrix, distortion.ravel()[:5], float(rms), tuple(corners), unused)


def write_camera_info(calibration: Calibration, path: Path, name: str = "front_camera") -> None:
    """Write the YAML that camera_info_manager and image_proc of ROS read."""
    k, zero = calibration.matrix, np.zeros((3, 1))
    size = (calibration.width_px, calibration.height_px)
    rectified, _ = cv2.getOptimalNewCameraMatrix(k, calibration.distortion, size, 0.0)
    content = {
        "image_width": calibration.width_px,
        "image_height": calibration.height_px,
        "camera_name": name,
        "camera_matrix": _matrix(k),
        "distortion_model": "plumb_bob",
        "distortion_coefficients": _matrix(calibration.distortion[None, :]),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(np.hstack([rectified, zero])),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None), encoding="utf-8")


def _matrix(values: FloatArray) -> dict[str, Any]:
    rows, cols = values.shape
    return {"rows": rows, "cols": cols, "data": [round(float(v), 9) for v in values.ravel()]}


def _read(files: list[Path]) -> tuple[dict[str, NDArray[np.uint8]], dict[str, str]]:
    pictures: dict[str, NDArray[np.uint8]] = {}
    unused: dict[str, str] = {}
    for file in files:
        data = np.frombuffer(file.read_bytes(), np.uint8)
        gray = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
        if gray is None:
            unused[file.name] = "not a picture that OpenCV can read"
        else:
            pictures[file.name] = np.asarray(gray, dtype=np.uint8)
    return pictures, unused


def _commonest_size(pictures: Mapping[str, NDArray[np.uint8]]) -> tuple[int, int]:
    sizes = [(p.shape[0], p.shape[1]) for p in pictures.values()]
    return max(set(sizes), key=sizes.count, default=(0, 0))


def _find_board(gray: NDArray[np.uint8], columns: int, rows: int) -> FloatArray | None:
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH + cv2.CALIB_CB_NORMALIZE_IMAGE + cv2.CALIB_CB_FAST_CHECK
    found, corners = cv2.findChessboardCorners(gray, (columns, rows), flags=flags)
    if not found:
        return None
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    return np.asarray(cv2.cornerSubPix(gray, corners, (7, 7), (-1, -1), stop))


def _solve(
    corners: Mapping[str, FloatArray], size: tuple[int, int], columns: int, rows: int
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Return the RMS, matrix, distortion and the error of each view. The unit of length is one square."""
    board = np.zeros((columns * rows, 3), np.float32)
    board[:, :2] = np.mgrid[:columns, :rows].T.reshape(-1, 2)
    points = [c.astype(np.float32) for c in corners.values()]
    rms, matrix, distortion, _, _, _, _, views = cv2.calibrateCameraExtended(
        [board] * len(points), points, (size[1], size[0]), np.eye(3), np.zeros(5)
    )
    return rms, np.asarray(matrix), np.asarray(distortion), np.asarray(views, dtype=float).ravel()
