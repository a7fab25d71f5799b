"""From the lane net's answer to points on the road: one set per boundary, in metres in base_link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.types import FloatArray

EGO_LEFT, EGO_RIGHT, OTHERS, DASHED = 1, 2, (3, 4), 5
# Standard deviation of a point across the line, in pixels of the network's input. The net's own is about half a
# pixel; neighbouring rows err together, which counting each of them as independent would forget.
PIXEL_SIGMA = 2.0
PITCH_JITTER_RAD = 0.002


@dataclass(frozen=True)
class LinePoints:
    """Points (N, 2) x, y in base_link with their lateral standard deviation, score and probability of being dashed."""

    xy: FloatArray
    sigma: FloatArray
    score: FloatArray
    dashed: FloatArray

    def __len__(self) -> int:
        return len(self.xy)

    def select(self, mask: NDArray[np.bool_]) -> LinePoints:
        """Return the points of the mask."""
        return LinePoints(self.xy[mask], self.sigma[mask], self.score[mask], self.dashed[mask])

    def none(self) -> LinePoints:
        """Return an empty set."""
        return self.select(np.zeros(len(self), dtype=bool))


def ego_points(answer: FloatArray, line: int, camera: CameraModel, score_min: float, far_m: float) -> LinePoints:
    """Return the points of an ego boundary: in each row of the answer (6, h, w) the strongest cell, refined.

    ``camera`` is that of the network's input.
    """
    plane = answer[line]
    rows = np.flatnonzero(plane.max(axis=1) > score_min)
    return to_road(answer, plane, rows, plane[rows].argmax(axis=1), camera, far_m)


def other_points(answer: FloatArray, camera: CameraModel, score_min: float, far_m: float) -> LinePoints:
    """Return the points of all further boundaries together: every local maximum along a row."""
    plane = np.maximum(answer[OTHERS[0]], answer[OTHERS[1]])
    middle = plane[:, 1:-1]
    peak = (middle > score_min) & (middle >= plane[:, :-2]) & (middle > plane[:, 2:])
    rows, columns = np.nonzero(peak)
    return to_road(answer, plane, rows, columns + 1, camera, far_m)


def to_road(
    answer: FloatArray, plane: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp], camera: CameraModel,
    far_m: float,
) -> LinePoints:  # fmt: skip
    """Refine cells to parts of a cell, lay them on the road and drop what is beyond ``far_m``."""
    width = plane.shape[1]
    window = np.clip(columns[:, None] + np.arange(-2, 3), 0, width - 1)
    mass = plane[rows[:, None], window]
    centre = (mass * window).sum(axis=1) / np.maximum(mass.sum(axis=1), 1e-6)
    stride = camera.width_px / width
    uv = np.stack([centre * stride, rows * stride], axis=-1) + (stride - 1.0) / 2.0
    xy = camera.to_ground(uv)
    score, dashed = plane[rows, columns], answer[DASHED, rows, columns]
    ahead = xy[:, 0] - camera.x_m
    good = np.isfinite(ahead) & (xy[:, 0] < far_m)
    ahead, lateral = ahead[good], np.abs(xy[good, 1])
    # A pixel along the row, and what a nodding camera does to a point beside its axis.
    sigma = np.sqrt(
        0.03**2 + (PIXEL_SIGMA * ahead / camera.fx_px) ** 2
        + (lateral * ahead / camera.height_m * PITCH_JITTER_RAD) ** 2
    )  # fmt: skip
    return LinePoints(xy[good], sigma / np.maximum(score[good], 0.05), score[good], dashed[good])


def split_others(points: LinePoints, shape: FloatArray, gap_m: float = 1.2) -> list[LinePoints]:
    """Divide points into boundaries that run parallel to ``shape``, coefficients (4,) of y(x), by gaps across."""
    if len(points) == 0:
        return []
    x = points.xy[:, 0]
    across = points.xy[:, 1] - np.polynomial.polynomial.polyval(x, shape)
    order = np.argsort(across)
    group = np.empty(len(order), dtype=int)
    # Far points scatter more, so a gap must be wide against them as well.
    group[order] = np.concatenate([[0], np.cumsum(np.diff(across[order]) > gap_m)])
    return [points.select(group == g) for g in range(group.max() + 1)]
