"""Lane networks: what they eat, what they answer, and how pictures and answers are brought into one form.

The common form of an answer is (6, h, w): probabilities of background, ego left, ego right, other left, other right;
dashed. A network that only knows "line or no line" is given that form by following its lines to the car.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Params, param
from adas_perception.types import FloatArray

MASK_STRIDE = 4  # a mask in full resolution is made this much coarser
MASK_MIN = 0.5
COMPONENT_CELLS_MIN = 6
HORIZON_CELLS = 3  # rows in which all lines run into one


class Backend(Protocol):
    """What runs the network."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name."""
        ...


@dataclass(frozen=True)
class LaneSpec(Params):
    """What a lane network eats and what its answer means.

    ``boundaries`` answers in the common form; ``mask`` with logits (1, 2, H, W) of background and line, ``probability``
    with the two as probabilities.
    """

    input_name: str = param("picture", "name of the network's input")
    output_name: str = param("lanes", "name of the network's output")
    width_px: int = param(512, "width of the input", unit="px", low=32, high=4096)
    height_px: int = param(192, "height of the input", unit="px", low=32, high=4096)
    crop_top: float = param(0.3, "part of the picture that is cut off at the top", low=0.0, high=0.9)
    layout: str = param("nhwc_uint8", "layout and type of the input, RGB", choices=("nhwc_uint8", "nchw_float32"))
    mean: tuple[float, ...] = param((0.0, 0.0, 0.0), "subtracted from each channel of 0..255")
    scale: tuple[float, ...] = param((1.0, 1.0, 1.0), "then multiplied with each channel")
    decoder: str = param("boundaries", "meaning of the answer", choices=("boundaries", "mask", "probability"))


class LaneNetwork:
    """Pictures in, answers in the common form out, whatever the network."""

    def __init__(self, spec: LaneSpec, backend: Backend) -> None:
        self.spec = spec
        self._backend = backend

    def top_px(self, height_px: int) -> int:
        """First row of a picture of this height that the network sees."""
        return round(height_px * self.spec.crop_top)

    def answer(self, rgb: NDArray[np.uint8]) -> FloatArray:
        """Return the answer (6, h, w) to a picture (H, W, 3)."""
        spec = self.spec
        part = rgb[self.top_px(rgb.shape[0]) :]
        small = cv2.resize(part, (spec.width_px, spec.height_px), interpolation=cv2.INTER_AREA)
        output = self._backend.infer({spec.input_name: _tensor(np.asarray(small, np.uint8), spec)})
        return decode(output, spec)


def _tensor(picture: NDArray[np.uint8], spec: LaneSpec) -> NDArray[Any]:
    if spec.layout == "nhwc_uint8":
        return np.ascontiguousarray(picture)[None]
    values = (picture.astype(np.float32) - np.array(spec.mean, np.float32)) * np.array(spec.scale, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def decode(output: Mapping[str, NDArray[Any]], spec: LaneSpec) -> FloatArray:
    """Bring the outputs of a network into the common form."""
    if spec.output_name not in output:
        raise ValueError(f"the lane network has no output '{spec.output_name}', but {', '.join(output)}; correct spec")
    planes = np.asarray(output[spec.output_name][0], dtype=np.float32)
    if spec.decoder == "boundaries":
        return planes
    line = 1.0 / (1.0 + np.exp(planes[0] - planes[1])) if spec.decoder == "mask" else planes[1]
    size = (line.shape[1] // MASK_STRIDE, line.shape[0] // MASK_STRIDE)
    return name_lines(np.asarray(cv2.resize(line, size, interpolation=cv2.INTER_AREA)))


def name_lines(line: FloatArray) -> FloatArray:
    """Turn probabilities of a line (h, w) into the common form: pieces go by where they point at the lower edge.

    The nearest on each side of the middle is an ego boundary. Nothing is known of dashes.
    """
    h, w = line.shape
    mask = (line > MASK_MIN).astype(np.uint8)
    mask[: int(mask.any(axis=1).argmax()) + HORIZON_CELLS] = 0
    count, names = cv2.connectedComponents(mask, connectivity=8)
    foot: dict[int, float] = {}
    for i in range(1, count):
        rows, columns = np.nonzero(names == i)
        if len(rows) >= COMPONENT_CELLS_MIN and np.ptp(rows) >= 2:
            slope, column = np.polyfit(rows - (h - 1.0), columns, 1)
            foot[i] = float(column) if abs(slope) < 50.0 else float("nan")
    left = max((i for i in foot if foot[i] <= w / 2.0), key=lambda i: foot[i], default=0)
    right = min((i for i in foot if foot[i] > w / 2.0), key=lambda i: foot[i], default=0)
    answer: FloatArray = np.zeros((6, h, w), np.float32)
    for i, column in foot.items():
        plane = 1 if i == left else 2 if i == right else 3 if column <= w / 2.0 else 4
        # A little beyond the component, so that the flanks of the line help to find its middle.
        near = cv2.dilate((names == i).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        answer[plane] = np.maximum(answer[plane], np.where(near, line, 0.0))
    answer[0] = 1.0 - answer[1:5].max(axis=0)
    return answer
