"""Score lines in pictures against labelled ones: how much of each lies near the other.

Labels and answers have the form of lanes.json: {picture: {"lines": lists of [x, y]}}. A label may also have "ignore",
lines of which nobody can say whether they are some; what is found there counts neither as right nor as wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from adas_perception.params import ParameterError
from adas_perception.perception.picture_lines import resample
from adas_perception.types import FloatArray

STEP_PX = 2.0
BAND_PX = 30  # lines are drawn so wide for the intersection over union, the rule of the CULane benchmark


@dataclass(frozen=True)
class Lines:
    """Lines of one picture, each (N, 2) in pixels."""

    lines: tuple[FloatArray, ...]
    ignore: tuple[FloatArray, ...] = ()


@dataclass(frozen=True)
class LineScore:
    """Lengths in steps of STEP_PX: found and right, found and wrong, labelled and found, labelled; areas in pixels."""

    right: int
    wrong: int
    recalled: int
    labelled: int
    shared_px: int
    either_px: int

    def __add__(self, other: LineScore) -> LineScore:
        return LineScore(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))

    @property
    def precision(self) -> float:
        """Part of what was found that is near a label."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Part of the labels that something found is near to."""
        return self.recalled / max(self.labelled, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2.0 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    @property
    def iou(self) -> float:
        """Intersection over union of lines drawn BAND_PX wide, of all pictures together."""
        return self.shared_px / max(self.either_px, 1)

    def summary(self) -> dict[str, float]:
        """Return the four figures, rounded."""
        return {name: round(getattr(self, name), 4) for name in ("precision", "recall", "f1", "iou")}


def read_lines(file: Path) -> dict[str, Lines]:
    """Read labels or a lanes.json; raises ParameterError naming the picture that is wrong."""
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ParameterError(f"{file}: not a JSON file with lines ({error})") from None
    if not isinstance(data, dict):
        raise ParameterError(f"{file}: expected {{picture: {{'lines': [[[x, y], ...], ...]}}}}")
    return {str(name): _lines(entry, f"{file}: {name}") for name, entry in data.items()}


def _lines(entry: Any, place: str) -> Lines:
    try:
        both = [entry.get(key, []) for key in ("lines", "ignore")]
        groups = [[np.array(line, dtype=float).reshape(-1, 2) for line in group] for group in both]
    except (AttributeError, TypeError, ValueError):
        raise ParameterError(f"{place}: expected 'lines' as lists of [x, y]") from None
    lines, ignore = (tuple(line for line in group if len(line) >= 2) for group in groups)
    return Lines(lines, ignore)


def score_picture(found: Sequence[FloatArray], truth: Lines, size: tuple[int, int], within_px: float) -> LineScore:
    """Score the lines found in a picture of ``size`` (width, height)."""
    inside = np.array(size) - 0.5
    answer, label, doubt = (_points(lines, inside) for lines in (found, truth.lines, truth.ignore))
    right = _near(answer, label, within_px)
    excused = ~right & _near(answer, doubt, within_px)
    a, b, c = (_bands(lines, size) for lines in (found, truth.lines, truth.ignore))
    a &= ~c | b
    return LineScore(
        int(right.sum()), int((~right & ~excused).sum()), int(_near(label, answer, within_px).sum()), len(label),
        int((a & b).sum()), int((a | b).sum()),
    )  # fmt: skip


def score_all(
    found: Mapping[str, Sequence[FloatArray]], truth: Mapping[str, Lines], sizes: Mapping[str, tuple[int, int]],
    within_px: float = 15.0,
) -> tuple[LineScore, dict[str, LineScore]]:  # fmt: skip
    """Score all labelled pictures; a picture without an answer has no lines. Returns the sum and each picture's."""
    each = {name: score_picture(found.get(name, ()), truth[name], sizes[name], within_px) for name in truth}
    total = LineScore(0, 0, 0, 0, 0, 0)
    for score in each.values():
        total = total + score
    return total, each


def _points(lines: Sequence[FloatArray], inside: FloatArray) -> FloatArray:
    points = np.concatenate([np.zeros((0, 2)), *(resample(line, STEP_PX) for line in lines)])
    return points[(points >= -0.5).all(axis=1) & (points <= inside).all(axis=1)]


def _near(points: FloatArray, others: FloatArray, within_px: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if len(points) == 0 or len(others) == 0:
        return np.zeros(len(points), dtype=bool)
    return np.asarray(cKDTree(others).query(points)[0] <= within_px)


def _bands(lines: Sequence[FloatArray], size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.zeros(size[::-1], np.uint8)
    for line in lines:
        cv2.polylines(mask, [np.round(line * 16.0).astype(np.int32)], False, 1, BAND_PX, cv2.LINE_8, 4)
    return mask > 0
