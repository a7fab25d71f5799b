"""Score boxes against labels the COCO way (faster-coco-eval does the arithmetic)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.perception.objects import ObjectDetector
from adas_perception.types import Detection, Image, ObjectClass

SCORED = (
    ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST, ObjectClass.TRAFFIC_LIGHT, ObjectClass.TRAFFIC_SIGN,
)  # fmt: skip


def coco_scores(
    pictures: Sequence[LabelledPicture], answers: Sequence[Sequence[Detection]]
) -> dict[str, float]:
    """Return ``map`` (overlap 0.50 to 0.95), ``map50`` and per class ``ap_NAME``, ``ap50_NAME``.

    Boxes are in pixels of the pictures. Classes without a label are left out.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    logging.getLogger("faster_coco_eval").setLevel(logging.ERROR)
    rows = [
        {"id": 0, "image_id": i, "category_id": int(label), "bbox": [x1, y1, x2 - x1, y2 - y1],
         "area": (x2 - x1) * (y2 - y1), "iscrowd": int(ignore)}
        for i, p in enumerate(pictures, 1)
        for (x1, y1, x2, y2), label, ignore in zip(p.boxes.tolist(), p.classes, p.ignore, strict=True)
    ]  # fmt: skip
    for number, row in enumerate(rows, 1):
        row["id"] = number
    images = [{"id": i, "file_name": str(i), "width": p.width_px, "height": p.height_px}
              for i, p in enumerate(pictures, 1)]  # fmt: skip
    truth = COCO({"images": images, "annotations": rows, "categories": [
        {"id": int(c), "name": c.name.lower()} for c in SCORED
    ]})  # fmt: skip
    found: list[dict[str, Any]] = [
        {"image_id": i, "category_id": int(d.label), "bbox": [d.x1, d.y1, d.x2 - d.x1, d.y2 - d.y1], "score": d.score}
        for i, items in enumerate(answers, 1) for d in items
    ]  # fmt: skip
    if not found:
        return {"map": 0.0, "map50": 0.0}
    judge = COCOeval_faster(truth, truth.loadRes(found), "bbox")
    judge.params.catIds = [int(c) for c in SCORED if any(r["category_id"] == c and not r["iscrowd"] for r in rows)]
    judge.evaluate()
    judge.accumulate()
    precision = np.asarray(judge.eval["precision"])[:, :, :, 0, -1]  # overlap, recall, class
    scores = {"map": float(precision.mean()), "map50": float(precision[0].mean())}
    for k, number in enumerate(judge.params.catIds):
        name = ObjectClass(number).name.lower()
        scores[f"ap_{name}"] = float(precision[:, :, k].mean())
        scores[f"ap50_{name}"] = float(precision[0, :, k].mean())
    return scores


def detect_all(detector: ObjectDetector, pictures: Iterable[LabelledPicture]) -> list[tuple[Detection, ...]]:
    """Run a detector over the pictures."""
    return [detector.detect(Image(0, read_rgb(p.file))).items for p in pictures]


def read_rgb(file: Path) -> np.ndarray:
    """Return a picture file as (H, W, 3) RGB; raises FileNotFoundError."""
    bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise FileNotFoundError(f"{file}: picture missing or unreadable")
    return np.ascontiguousarray(bgr[..., ::-1])
