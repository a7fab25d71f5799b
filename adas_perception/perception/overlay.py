"""Lane lines and boxes drawn into the picture they were found in."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.perception.picture_lines import LineRole, PictureLine
from adas_perception.types import Detection, LaneLine, LaneLines, LineKind, ObjectClass

LEFT_BGR, RIGHT_BGR, OTHER_BGR, LANE_BGR = (60, 60, 255), (60, 220, 60), (255, 170, 40), (0, 180, 0)
BOX_BGR = {
    ObjectClass.CAR: (60, 200, 255), ObjectClass.PEDESTRIAN: (80, 80, 255), ObjectClass.CYCLIST: (255, 80, 200),
    ObjectClass.TRAFFIC_LIGHT: (80, 255, 80), ObjectClass.TRAFFIC_SIGN: (255, 200, 60),
}  # fmt: skip


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


def draw_picture_lines(bgr: NDArray[np.uint8], lines: Sequence[PictureLine]) -> NDArray[np.uint8]:
    """Return a copy of the picture with lines in its pixels drawn, the own lane between its boundaries tinted."""
    picture = bgr.copy()
    colours = {LineRole.LEFT: LEFT_BGR, LineRole.RIGHT: RIGHT_BGR, LineRole.OTHER: OTHER_BGR}
    traces = [(line, np.asarray(np.round(line.points * 16.0), dtype=np.int32)) for line in lines]
    own = {line.role: trace for line, trace in traces}
    if LineRole.LEFT in own and LineRole.RIGHT in own:
        tinted = picture.copy()
        edge = np.concatenate([own[LineRole.LEFT], own[LineRole.RIGHT][::-1]])
        cv2.fillPoly(tinted, [edge], LANE_BGR, cv2.LINE_AA, 4)
        picture = np.asarray(cv2.addWeighted(picture, 0.75, tinted, 0.25, 0.0), dtype=np.uint8)
    thick = max(2, picture.shape[0] // 180)
    for line, trace in traces:
        pieces = np.array_split(trace, 24) if line.kind is LineKind.DASHED and len(trace) >= 48 else [trace]
        for piece in pieces[:: 2 if len(pieces) > 1 else 1]:
            cv2.polylines(picture, [piece], False, colours[line.role], thick, cv2.LINE_AA, 4)
    return picture


def draw_boxes(bgr: NDArray[np.uint8], boxes: Sequence[Detection]) -> NDArray[np.uint8]:
    """Return a copy of the picture with boxes, their classes and scores."""
    picture = bgr.copy()
    size = picture.shape[0] / 1200.0
    for box in boxes:
        colour = BOX_BGR.get(box.label, (200, 200, 200))
        corner, opposite = (round(box.x1), round(box.y1)), (round(box.x2), round(box.y2))
        cv2.rectangle(picture, corner, opposite, colour, max(1, picture.shape[0] // 360), cv2.LINE_AA)
        text = f"{box.label.name.lower()} {box.score:.2f}"
        cv2.putText(picture, text, (corner[0], max(corner[1] - 4, 12)), cv2.FONT_HERSHEY_SIMPLEX,
                    max(size, 0.35), colour, 1, cv2.LINE_AA)  # fmt: skip
    return picture
