"""Object detector: picture in, boxes out; decoders by name, NMS in NumPy, distance from one box.

A network answers with an array per output; a decoder turns that into candidates in pixels of the network's input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import Backend
from adas_perception.params import Params, param
from adas_perception.perception.camera import CameraModel
from adas_perception.types import Detection, Detections, FloatArray, Image, ObjectClass

# More boxes than this are never looked at.
NMS_MAX = 500
# Colour of what the picture does not fill.
GREY = 114


COCO80 = {
    0: ObjectClass.PEDESTRIAN, 1: ObjectClass.CYCLIST, 2: ObjectClass.CAR, 3: ObjectClass.CYCLIST,
    5: ObjectClass.CAR, 7: ObjectClass.CAR, 9: ObjectClass.TRAFFIC_LIGHT, 11: ObjectClass.TRAFFIC_SIGN,
}  # fmt: skip
# Index of a class in the answer of a network -> our class; what is missing is dropped. "guide" are our own numbers.
CLASS_MAPS: dict[str, dict[int, ObjectClass]] = {
    "coco80": COCO80,
    "guide": {int(c): c for c in ObjectClass if c not in (ObjectClass.UNKNOWN, ObjectClass.LANE_LINE)},
}


@dataclass(frozen=True)
class DetectorSpec(Params):
    """What a detector network eats and what its answer means."""

    input_name: str = param("images", "name of the network's input")
    width_px: int = param(416, "width of the input", unit="px", low=32, high=4096)
    height_px: int = param(416, "height of the input", unit="px", low=32, high=4096)
    color: str = param("bgr", "order of the channels", choices=("rgb", "bgr"))
    layout: str = param("nchw_float32", "layout and type of the input", choices=("nchw_float32", "nhwc_uint8"))
    mean: tuple[float, ...] = param((0.0, 0.0, 0.0), "subtracted from each channel of 0..255")
    scale: tuple[float, ...] = param((1.0, 1.0, 1.0), "then multiplied with each channel")
    decoder: str = param("yolox", "meaning of the answer", choices=("yolox", "rows", "boxes_scores"))
    classes: str = param("coco80", "numbering of the classes", choices=tuple(CLASS_MAPS))
    score_min: float = param(0.3, "boxes with a lower score are dropped", low=0.0, high=1.0)
    iou_max: float = param(0.5, "of two boxes of one class that overlap more the better stays", low=0.0, high=1.0)


class Candidates(NamedTuple):
    """Boxes (N, 4) as x1 y1 x2 y2 in pixels of the network's input, scores (N,) and class numbers (N,)."""

    boxes: FloatArray
    scores: FloatArray
    classes: NDArray[np.intp]


class ObjectDetector:
    """Finds objects in pictures with any network that a ``DetectorSpec`` describes."""

    def __init__(self, spec: DetectorSpec, backend: Backend) -> None:
        self._spec = spec
        self._backend = backend
        self._class_of = np.full(1000, -1)
        for number, label in CLASS_MAPS[spec.classes].items():
            self._class_of[number] = label

    def detect(self, image: Image) -> Detections:
        """Return the boxes of one picture, best first, clipped to the picture."""
        spec = self._spec
        height, width = image.rgb.shape[:2]
        tensor, ratio = letterbox(image.rgb, spec)
        answer = self._backend.infer({spec.input_name: tensor})
        found = DECODERS[spec.decoder](answer, spec)
        labels = self._class_of[found.classes]
        good = (found.scores >= spec.score_min) & (labels >= 0) & np.isfinite(found.boxes).all(axis=1)
        boxes = np.clip(found.boxes[good] / ratio, 0.0, (width, height, width, height))
        keep = nms(boxes, found.scores[good], labels[good], spec.iou_max)
        items = tuple(
            Detection(ObjectClass(label), score, *box)
            for label, score, box in zip(
                labels[good][keep].tolist(), found.scores[good][keep].tolist(), boxes[keep].tolist(), strict=True
            )
        )
        return Detections(image.stamp_ns, width, height, items)


def letterbox(rgb: NDArray[np.uint8], spec: DetectorSpec) -> tuple[NDArray[Any], float]:
    """Return the network's input, the picture scaled into its upper left corner on grey, and the scale."""
    height, width = rgb.shape[:2]
    ratio = min(spec.width_px / width, spec.height_px / height)
    size = (round(width * ratio), round(height * ratio))
    canvas: NDArray[np.uint8] = np.full((spec.height_px, spec.width_px, 3), GREY, dtype=np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    if spec.color == "bgr":
        canvas = canvas[..., ::-1]
    if spec.layout == "nhwc_uint8":
        return np.ascontiguousarray(canvas[None]), ratio
    values = (canvas.astype(np.float32) - np.array(spec.mean, np.float32)) * np.array(spec.scale, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), ratio


def _decode_yolox(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """One output (1, N, 5 + classes): centre and log size in cells of strides 8, 16, 32; objectness; class scores."""
    rows = next(iter(answer.values()))[0]
    grid, stride = _yolox_grid(spec.width_px, spec.height_px)
    if len(rows) != len(grid):
        raise ValueError(f"yolox: {len(rows)} rows do not fit an input of {spec.width_px}x{spec.height_px}")
    classes = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
    likely = scores >= spec.score_min
    rows, grid, stride = rows[likely], grid[likely], stride[likely]
    centre, half = (rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride / 2.0
    return Candidates(np.hstack([centre - half, centre + half]), scores[likely], classes[likely])


@lru_cache(maxsize=4)
def _yolox_grid(width_px: int, height_px: int) -> tuple[FloatArray, FloatArray]:
    cells, strides = [], []
    for stride in (8, 16, 32):
        y, x = np.mgrid[: height_px // stride, : width_px // stride]
        cells.append(np.column_stack([x.ravel(), y.ravel()]))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _decode_rows(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """One output (1, N, 6) or (N, 6): x1 y1 x2 y2 in pixels of the input, score, class number."""
    rows = next(iter(answer.values())).reshape(-1, 6)
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(int))


def _decode_boxes_scores(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """Outputs ``boxes`` (1, N, 4) in pixels of the input and ``scores`` (1, N, classes)."""
    boxes, scores = answer["boxes"].reshape(-1, 4), answer["scores"]
    scores = scores.reshape(len(boxes), -1)
    classes = scores.argmax(axis=1)
    return Candidates(boxes, scores[np.arange(len(boxes)), classes], classes)


Decoder = Callable[[Mapping[str, NDArray[Any]], DetectorSpec], Candidates]
DECODERS: dict[str, Decoder] = {
    "yolox": _decode_yolox, "rows": _decode_rows, "boxes_scores": _decode_boxes_scores,
}  # fmt: skip


def nms(boxes: FloatArray, scores: FloatArray, labels: NDArray[np.intp], iou_max: float) -> NDArray[np.intp]:
    """Return which boxes stay, best first: of two boxes of one class that overlap too much the better one."""
    order = np.argsort(-scores, kind="stable")[:NMS_MAX]
    corners, label = boxes[order], labels[order]
    low = np.maximum(corners[:, None, :2], corners[:, :2])
    size = np.maximum(np.minimum(corners[:, None, 2:], corners[:, 2:]) - low, 0.0)
    shared = size[..., 0] * size[..., 1]
    area = np.diagonal(shared)
    rivals = (shared > iou_max * (area[:, None] + area - shared)) & (label[:, None] == label)
    alive = area > 0.0
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~rivals[i, i + 1 :]
    return order[alive]


@dataclass(frozen=True)
class Distance:
    """Distance along the ground from the camera to the near face of an object, with its standard deviation."""

    metres: float
    sigma_m: float


# Heights in metres with relative spread: lorries and vans are cars here, children are pedestrians.
HEIGHT = {
    ObjectClass.CAR: (1.6, 0.25),
    ObjectClass.PEDESTRIAN: (1.65, 0.12),
    ObjectClass.CYCLIST: (1.7, 0.12),
}
# Spread of the camera's pitch while driving, and of the edges of a box.
PITCH_SIGMA_RAD = 0.006
EDGE_SIGMA_PX = 2.0
BORDER_PX = 2.0


def estimate_distance(box: Detection, camera: CameraModel) -> Distance | None:
    """Return the distance of traffic from where its box stands on a flat road and from its height, weighted.

    An edge of the picture that cuts the box makes the estimate behind it void; None when both are.
    """
    top_seen, bottom_seen = box.y1 > BORDER_PX, box.y2 < camera.height_px - 1 - BORDER_PX
    estimates = []
    ground = camera.to_ground(np.array([(box.x1 + box.x2) / 2.0, box.y2]))
    if bottom_seen and np.isfinite(ground).all():
        metres = math.hypot(ground[0] - camera.x_m, ground[1] - camera.y_m)
        slope = (metres**2 + camera.height_m**2) / camera.height_m
        estimates.append((metres, slope * math.hypot(PITCH_SIGMA_RAD, EDGE_SIGMA_PX / camera.fy_px)))
    height_px = box.y2 - box.y1
    if bottom_seen and top_seen and box.label in HEIGHT and height_px > 0.0:
        height_m, spread = HEIGHT[box.label]
        metres = height_m * camera.fy_px / height_px
        estimates.append((metres, metres * math.hypot(spread, 1.4 * EDGE_SIGMA_PX / height_px)))
    if not estimates:
        return None
    weights = [1.0 / sigma**2 for _, sigma in estimates]
    mean = sum(w * metres for w, (metres, _) in zip(weights, estimates, strict=True)) / sum(weights)
    return Distance(mean, 1.0 / math.sqrt(sum(weights)))
