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
# Index of a class in the answer of a network -> our class; what is missing is dropped. "guide" are our own numbers,
# "guide_from_0" the same for a network without a background class.
CLASS_MAPS: dict[str, dict[int, ObjectClass]] = {
    "coco80": COCO80,
    "guide": {int(c): c for c in ObjectClass if c not in (ObjectClass.UNKNOWN, ObjectClass.LANE_LINE)},
    "guide_from_0": {int(c) - 1: c for c in ObjectClass if c not in (ObjectClass.UNKNOWN, ObjectClass.LANE_LINE)},
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
    decoder: str = param(
        "yolox", "meaning of the answer", choices=("yolox", "nanodet", "fastestdet", "rows", "boxes_scores")
    )
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
    grid, stride = _cells(spec.width_px, spec.height_px, (8, 16, 32))
    if len(rows) != len(grid):
        raise ValueError(f"yolox: {len(rows)} rows do not fit an input of {spec.width_px}x{spec.height_px}")
    classes = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
    likely = scores >= spec.score_min
    rows, grid, stride = rows[likely], grid[likely], stride[likely]
    centre, half = (rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride / 2.0
    return Candidates(np.hstack([centre - half, centre + half]), scores[likely], classes[likely])


@lru_cache(maxsize=4)
def _cells(width_px: int, height_px: int, levels: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Column and row (N, 2) of every cell of all levels, and its stride (N, 1)."""
    cells, strides = [], []
    for stride in levels:
        y, x = np.mgrid[: math.ceil(height_px / stride), : math.ceil(width_px / stride)]
        cells.append(np.column_stack([x.ravel(), y.ravel()]))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _decode_nanodet(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """NanoDet-Plus: one output (1, N, classes + 4 bins), class scores, then distances to the box's sides as histograms.

    Cells of strides 8, 16, 32, 64 stand at their upper left corner; a bin is a stride wide.
    """
    rows = next(iter(answer.values()))[0]
    grid, stride = _cells(spec.width_px, spec.height_px, (8, 16, 32, 64))
    bins = (rows.shape[1] - 80) // 4
    if len(rows) != len(grid) or bins < 2:
        raise ValueError(f"nanodet: {rows.shape} does not fit an input of {spec.width_px}x{spec.height_px}, 80 classes")
    classes = rows[:, :80].argmax(axis=1)
    scores = rows[np.arange(len(rows)), classes]
    likely = scores >= spec.score_min
    histogram = rows[likely, 80:].reshape(-1, 4, bins)
    histogram = np.exp(histogram - histogram.max(axis=2, keepdims=True))
    sides = (histogram @ np.arange(bins)) / histogram.sum(axis=2) * stride[likely]
    centre = grid[likely] * stride[likely]
    boxes = np.hstack([centre - sides[:, :2], centre + sides[:, 2:]])
    return Candidates(boxes, scores[likely], classes[likely])


def _decode_fastestdet(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """FastestDet: one output (1, 5 + classes, h, w): objectness, offset and size of the box, class scores."""
    planes = next(iter(answer.values()))[0]
    h, w = planes.shape[1:]
    rows = planes.reshape(len(planes), -1).T
    classes = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 0] ** 0.6 * rows[np.arange(len(rows)), 5 + classes] ** 0.4
    likely = scores >= spec.score_min
    y, x = np.divmod(np.flatnonzero(likely), w)
    cell = np.array([spec.width_px / w, spec.height_px / h])
    centre = (np.stack([x, y], axis=-1) + np.tanh(rows[likely, 1:3])) * cell
    half = np.array([spec.width_px, spec.height_px]) / (1.0 + np.exp(-rows[likely, 3:5])) / 2.0
    return Candidates(np.hstack([centre - half, centre + half]), scores[likely], classes[likely])


def _decode_rows(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """One output (1, N, 6) or (N, 6): x1 y1 x2 y2 in pixels of the input, score, class number."""
    rows = next(iter(answer.values())).reshape(-1, 6)
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(int))


def _decode_boxes_scores(answer: Mapping[str, NDArray[Any]], spec: DetectorSpec) -> Candidates:
    """Outputs ``boxes`` (1, N, 4) in pixels of the input and ``scores`` (1, N, classes)."""
    boxes, scores = answer["boxes"].reshape(-1, 4), answer["scores"]
    scores = scores.reshape(len(boxes), -1)
    likely = np.flatnonzero((scores >= spec.score_min).any(axis=1))
    scores = scores[likely]
    classes = scores.argmax(axis=1)
    return Candidates(boxes[likely], scores[np.arange(len(likely)), classes], classes)


Decoder = Callable[[Mapping[str, NDArray[Any]], DetectorSpec], Candidates]
DECODERS: dict[str, Decoder] = {
    "yolox": _decode_yolox, "nanodet": _decode_nanodet, "fastestdet": _decode_fastestdet, "rows": _decode_rows,
    "boxes_scores": _decode_boxes_scores,
}  # fmt: skip


def nms(boxes: FloatArray, scores: FloatArray, labels: NDArray[np.intp], iou_max: float) -> NDArray[np.intp]:
    """Return which boxes stay, best first: of two boxes of one class that overlap too much the better one."""
    order = np.argsort(-scores, kind="stable")[:NMS_MAX]
    # Classes are moved far apart, so that boxes of different classes never overlap.
    apart = labels[order].astype(np.float32) * (2.0 * float(np.abs(boxes[order]).max(initial=1.0)))
    x1, y1, x2, y2 = (boxes[order].astype(np.float32) + apart[:, None]).T
    area = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    wide = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    high = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    rivals = np.triu(shared * (1.0 + iou_max) > iou_max * (area[:, None] + area), 1)
    alive = area > 0.0
    for i in np.flatnonzero(rivals.any(axis=1)).tolist():
        if alive[i]:
            alive &= ~rivals[i]
    return np.asarray(order[alive])


@dataclass(frozen=True)
class Distance:
    """Distance along the ground from the camera to the near face of an object, with its standard deviation."""

    metres: float
    sigma_m: float


# Heights in metres with relative spread: children are pedestrians here.
HEIGHT = {
    ObjectClass.CAR: (1.6, 0.25),
    ObjectClass.PEDESTRIAN: (1.65, 0.12),
    ObjectClass.CYCLIST: (1.7, 0.12),
}
# Lorries and vans are cars here too, but seen from before or behind they are higher than wide: height over width
# of a box, and the height that goes with it. What hides part of the width makes the box seem farther, never nearer.
CAR_SHAPES = (0.9, 1.3, 1.5)
CAR_HEIGHTS_M = (1.6, 2.6, 3.8)
# Spread of the camera's pitch while driving, and of the edges of a box.
PITCH_SIGMA_RAD = 0.006
EDGE_SIGMA_PX = 2.0
BORDER_PX = 2.0


def estimate_distance(box: Detection, camera: CameraModel) -> Distance | None:
    """Return the distance of traffic from where its box stands on a flat road and from its height, weighted.

    Both are read off as inverse distances, whose errors do not depend on the distance: weighted as distances, the
    nearer of two guesses would always seem the better one. An edge of the picture that cuts the box makes the
    estimate behind it void; None when both are.
    """
    top_seen, bottom_seen = box.y1 > BORDER_PX, box.y2 < camera.height_px - 1 - BORDER_PX
    estimates = []
    ground = camera.ground((box.x1 + box.x2) / 2.0, box.y2)
    if bottom_seen and ground is not None:
        metres = math.hypot(ground[0] - camera.x_m, ground[1] - camera.y_m)
        slope = (1.0 + (camera.height_m / metres) ** 2) / camera.height_m
        estimates.append((1.0 / metres, slope * math.hypot(PITCH_SIGMA_RAD, EDGE_SIGMA_PX / camera.fy_px)))
    height_px = box.y2 - box.y1
    if bottom_seen and top_seen and box.label in HEIGHT and height_px > 0.0:
        height_m, spread = HEIGHT[box.label]
        if box.label is ObjectClass.CAR and box.x2 > box.x1:
            height_m = float(np.interp(height_px / (box.x2 - box.x1), CAR_SHAPES, CAR_HEIGHTS_M))
        inverse = height_px / (height_m * camera.fy_px)
        estimates.append((inverse, inverse * math.hypot(spread, 1.4 * EDGE_SIGMA_PX / height_px)))
    if not estimates:
        return None
    weights = [1.0 / sigma**2 for _, sigma in estimates]
    metres = sum(weights) / sum(w * inverse for w, (inverse, _) in zip(weights, estimates, strict=True))
    return Distance(metres, metres**2 / math.sqrt(sum(weights)))
