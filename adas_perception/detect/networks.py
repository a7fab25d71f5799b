"""Any network of the list, ready for pictures: lines in pixels, boxes in pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference import ModelError, load_backend, load_model_spec
from adas_perception.inference.models import ModelSpec
from adas_perception.perception.lane_network import LaneNetwork, LaneSpec
from adas_perception.perception.objects import DetectorSpec, ObjectDetector
from adas_perception.perception.picture_lines import PictureLine, PictureLineParams, find_lines, to_original
from adas_perception.types import Detection, Image


class LineFinder:
    """Lines of single pictures of any size."""

    def __init__(self, network: LaneNetwork, params: PictureLineParams | None = None) -> None:
        self._network = network
        self._params = params

    def find(self, bgr: NDArray[np.uint8]) -> list[PictureLine]:
        """Return the lines of a picture (H, W, 3) in its pixels, the ego boundaries first."""
        answer = self._network.answer(np.ascontiguousarray(bgr[..., ::-1]))
        h, w = answer.shape[1:]
        height, width = bgr.shape[:2]
        top = self._network.top_px(height)
        return [to_original(line, (w, h), (width, height), top) for line in find_lines(answer, self._params)]


class BoxFinder:
    """Boxes of single pictures of any size."""

    def __init__(self, detector: ObjectDetector) -> None:
        self._detector = detector

    def find(self, bgr: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return the boxes of a picture (H, W, 3), best first."""
        return self._detector.detect(Image(0, np.ascontiguousarray(bgr[..., ::-1]))).items


def open_lines(name: str, backend: str = "auto", precision: str = "fp32") -> LineFinder:
    """Load a lane network by its name in models.yaml; raises ModelError when it is none or cannot run."""
    entry = _entry(name, "lane")
    return LineFinder(LaneNetwork(LaneSpec.from_mapping(entry.spec), load_backend(entry.file(precision), backend)))


def open_boxes(name: str, score_min: float, backend: str = "auto", precision: str = "fp32") -> BoxFinder:
    """Load a detector by its name in models.yaml, with its own lowest score replaced; raises as ``open_lines``."""
    entry = _entry(name, "object")
    spec = dataclasses.replace(DetectorSpec.from_mapping(entry.spec), score_min=score_min)
    return BoxFinder(ObjectDetector(spec, load_backend(entry.file(precision), backend)))


def _entry(name: str, kind: str) -> ModelSpec:
    entry = load_model_spec(name)
    if entry.kind != kind:
        known = "see 'adas models list'"
        raise ModelError(f"model '{name}' is of kind {entry.kind}, but a {kind} model is needed; {known}")
    return entry


def try_model(name: str) -> None:
    """Run a network once on a grey picture; raises ValueError, KeyError or RuntimeError when its spec does not fit."""
    grey = np.full((360, 640, 3), 114, np.uint8)
    if load_model_spec(name).kind == "lane":
        open_lines(name).find(grey)
    else:
        open_boxes(name, 0.01).find(grey)
