"""Quantise a network of the list, measure it before and after, and keep the file only if it is good enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference import Backend, load_backend, load_model_spec
from adas_perception.models.boxes_data import LabelledPicture, read_coco
from adas_perception.models.boxes_evaluate import coco_scores, detect_all, read_rgb
from adas_perception.models.half import to_half
from adas_perception.models.lane_data import LaneClass, make_sample
from adas_perception.models.quantise import QuantiseConfig, Verdict, quantise
from adas_perception.params import ParameterError
from adas_perception.perception.lane_network import LaneSpec
from adas_perception.perception.objects import DetectorSpec, ObjectDetector, letterbox

MAP_DROP_MAX, IOU_DROP_MAX = 0.01, 0.01
CALIBRATION_SEED, JUDGE_SEED = 3_000_000, 4_000_000
SCORE_MIN = 0.02

Judge = Callable[[Backend], float]


def quantise_and_judge(
    model: str,
    labels: Path,
    out: Path,
    calibration: int,
    validation: int,
    method: str,
    keep: str,
    precision: str = "int8",
) -> Verdict:
    """Write ``out``, the fp16 or int8 variant, unless the verdict is a refusal.

    Detectors are judged by their mean average precision on pictures of the COCO file ``labels``, lane nets by the
    overlap of the ego lines on drawn roads. The pictures that judge do not calibrate. ``keep`` lists beginnings of the
    names of nodes that stay in floating point, with commas.
    """
    entry = load_model_spec(model)
    if entry.kind == "object":
        pictures, judge, drop_max = *_boxes(entry.spec, labels, calibration, validation), MAP_DROP_MAX
    else:
        pictures, judge, drop_max = *_lanes(entry.spec, calibration, validation), IOU_DROP_MAX
    kept = tuple(k for k in keep.split(",") if k)
    if precision == "fp16":
        to_half(entry.file(), out)
    else:
        quantise(entry.file(), out, pictures, QuantiseConfig(method, exclude=kept))
    verdict = Verdict(judge(load_backend(entry.file())), judge(load_backend(out)), drop_max)
    if not verdict.accepted:
        out.unlink()
    return verdict


def _boxes(
    fields: object, labels: Path, calibration: int, validation: int
) -> tuple[Iterator[NDArray[np.uint8]], Judge]:
    spec = DetectorSpec.from_mapping({**dict(fields), "score_min": SCORE_MIN})  # type: ignore[call-overload]
    found, issues = read_coco(labels)
    if issues:
        raise ParameterError(f"{issues[0]} ({len(issues)} in all)")
    order = np.random.default_rng(CALIBRATION_SEED).permutation(len(found))
    if len(found) < calibration + 1:
        raise ParameterError(f"{labels}: {len(found)} pictures are too few to calibrate with {calibration} and judge")
    judged = [found[i] for i in order[calibration : calibration + validation]]

    def judge(backend: Backend) -> float:
        return coco_scores(judged, detect_all(ObjectDetector(spec, backend), judged))["map"]

    def fitted(picture: LabelledPicture) -> NDArray[np.uint8]:
        return np.asarray(letterbox(read_rgb(picture.file), spec)[0][0], dtype=np.uint8)

    return (fitted(found[i]) for i in order[:calibration]), judge


def _lanes(fields: object, calibration: int, validation: int) -> tuple[Iterator[NDArray[np.uint8]], Judge]:
    spec = LaneSpec.from_mapping(dict(fields))  # type: ignore[call-overload]

    def judge(backend: Backend) -> float:
        both = either = 0
        for i in range(validation):
            sample = make_sample((JUDGE_SEED, i))
            answer = backend.infer({spec.input_name: sample.picture[None]})[spec.output_name][0]
            ego = slice(LaneClass.EGO_LEFT, LaneClass.EGO_RIGHT + 1)
            truth, found = sample.classes[ego] > 0.5, answer[ego] > 0.5
            seen = np.broadcast_to(sample.weight > 0.5, truth.shape)
            both += int((truth & found & seen).sum())
            either += int(((truth | found) & seen).sum())
        return both / max(either, 1)

    return (make_sample((CALIBRATION_SEED, i)).picture for i in range(calibration)), judge
