"""Lane lines drawn into the picture they were found in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.types import LaneLine, LaneLines, LineKind

LEFT_BGR, RIGHT_BGR, OTHER_BGR, LANE_BGR = (60, 60, 255), (60, 220, 60), (255, 170, 40), (0, 180, 0)


def draw_lanes(bgr: NDArray[np.uint8], camera: CameraModel, lanes: LaneLines) -> NDArray[np.uint8]:
    """Return a copy of the picture (H, W, 3) BGR with the lane tinted, its lines and the further lines drawn."""
    picture = bgr.copy()
    if lanes.left is not None and lanes.right is not None:
        far = min(lanes.left.x_max, lanes.right.x_max)
        edge = np.concatenate([_trace(camera, lanes.left, far), _trace(camera, lanes.right, far)[::-1]])
        tinted = picture.copy()
        cv2.fillPoly(tinted, [edge], LANE_BGR, cv2.LINE_AA, 4)
        picture = np.asarray(cv2.addWeighted(picture, 0.75, tinted, 0.25, 0.0), dtype=np.uint8)
    thick = max(2, picture.shape[0] // 180)
    for line, colour in ((lanes.left, LEFT_BGR), (lanes.right, RIGHT_BGR), *((o, OTHER_BGR) for o in lanes.others)):
        if line is not None:
            points = _trace(camera, line, line.x_max)
            pieces = np.array_split(points, 24) if line.kind is LineKind.DASHED else [points]
            for piece in pieces[:: 2 if len(pieces) > 1 else 1]:
                cv2.polylines(picture, [piece], False, colour, thick, cv2.LINE_AA, 4)
    return picture


def _trace(camera: CameraModel, line: LaneLine, far_m: float) -> NDArray[np.int32]:
    """Pixels (N, 2) of the line in sixteenths, as OpenCV takes them with shift 4."""
    x = np.geomspace(max(line.x_min, camera.x_m + 1.0), max(far_m, line.x_min + 1.0), 72)
    uv = camera.project(np.stack([x, np.array([line.y(v) for v in x])], axis=-1))
    uv = uv[np.isfinite(uv).all(axis=1) & (np.abs(uv) < 1e5).all(axis=1)]
    return np.asarray(np.round(uv * 16.0), dtype=np.int32)
