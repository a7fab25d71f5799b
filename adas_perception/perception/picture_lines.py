"""From the lane net's answer to lines in the picture, without any knowledge of the camera.

Ridges of the answer are grouped in a coordinate that is constant along parallels of the own lane: t = -1 on its left
boundary, +1 on its right one. Bends, hills and pitch leave t as it is, because they move neighbouring lines alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Params, param
from adas_perception.perception.lane_points import DASHED, EGO_LEFT, EGO_RIGHT
from adas_perception.types import FloatArray, LineKind


class LineRole(Enum):
    """Which boundary a line is."""

    LEFT = "left"
    RIGHT = "right"
    OTHER = "other"


@dataclass(frozen=True)
class PictureLine:
    """One boundary: points (N, 2) u, v in pixels from the near end to the far one, its mean probability, its kind."""

    role: LineRole
    points: FloatArray
    score: float
    kind: LineKind


@dataclass(frozen=True)
class PictureLineParams(Params):
    """Tuning of the lines in the picture."""

    ego_score_min: float = param(0.3, "cells of an ego boundary below this are left out", low=0.0, high=1.0)
    other_score_min: float = param(0.4, "cells of a further line below this are left out", low=0.0, high=1.0)
    line_score_min: float = param(0.7, "further lines with a lower mean are no lines", low=0.0, high=1.0)
    cells_min: int = param(6, "a line needs so many cells", low=2, high=50)
    gap_t: float = param(0.5, "points belong to a line within this, in halves of the lane's width", low=0.1, high=2.0)


T_MAX = 15.0
T_SIGMA = 0.12  # how far lines are from parallel to the own lane, in t
CELL_SIGMA = 0.5  # deviation of a ridge in cells
UNIT_CELLS_MIN = 3.5
ROWS_MIN = 1.5
STEP_PX = 4.0  # distance of the points of a line in the original picture
END_CELLS = 1.5  # a line that ends so near the border of the view goes on to it
Points = tuple[FloatArray, FloatArray, FloatArray]  # column and row in cells, probability


def find_lines(answer: FloatArray, params: PictureLineParams | None = None) -> list[PictureLine]:
    """Return the lines of an answer (6, h, w), their points in cells; the ego boundaries come first."""
    p = params or PictureLineParams()
    egos = {role: _ego(answer[plane], p) for role, plane in ((LineRole.LEFT, EGO_LEFT), (LineRole.RIGHT, EGO_RIGHT))}
    lines = [_line(role, points, answer) for role, points in egos.items() if points is not None]
    middle, half = _own_lane(egos[LineRole.LEFT], egos[LineRole.RIGHT], *answer.shape[1:])
    column, row, score = _ridges(answer[3:5].max(axis=0), p.other_score_min)
    rows = np.arange(len(middle))
    unit = np.interp(row, rows, half)
    t = (column - np.interp(row, rows, middle)) / unit
    for group in _groups(t, T_SIGMA + CELL_SIGMA / unit, p):
        points = tuple(values[group] for values in (column, row, score))
        strong = len(group) >= p.cells_min and points[2].mean() >= p.line_score_min
        # Close to the horizon all lines are one; a line must have been seen nearer, and come nearer.
        if strong and unit[group].max() > UNIT_CELLS_MIN and np.ptp(row[group]) >= ROWS_MIN:
            lines.append(_line(LineRole.OTHER, _smooth(points), answer))  # type: ignore[arg-type]
    return [line for line in lines if len(line.points) >= 2]


def to_original(line: PictureLine, grid: tuple[int, int], size: tuple[int, int], top_px: int) -> PictureLine:
    """Return a line in pixels of the original picture, with a point every STEP_PX or so.

    The network saw the picture of ``size`` (width, height) from row ``top_px`` down as ``grid`` (w, h) cells.
    """
    scale = np.array([size[0] / grid[0], (size[1] - top_px) / grid[1]])
    points = resample((line.points + 0.5) * scale - 0.5 + np.array([0.0, top_px]), STEP_PX)
    return PictureLine(line.role, points, line.score, line.kind)


def resample(points: FloatArray, step: float) -> FloatArray:
    """Return points (M, 2) along a polyline (N, 2), from its first to its last point, at most ``step`` apart."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, length[-1], int(np.ceil(length[-1] / step)) + 1)
    return np.stack([np.interp(at, length, points[:, i]) for i in (0, 1)], axis=-1)


def _ego(plane: FloatArray, p: PictureLineParams) -> Points | None:
    """Take the strongest cell of every row, refined; None without a line."""
    rows = np.flatnonzero(plane.max(axis=1) > p.ego_score_min)
    if len(rows) < p.cells_min:
        return None
    columns = plane[rows].argmax(axis=1)
    return _smooth((_refine(plane, rows, columns), rows.astype(float), plane[rows, columns]))


def _own_lane(left: Points | None, right: Points | None, h: int, w: int) -> tuple[FloatArray, FloatArray]:
    """Middle and half width (h,) of the own lane in every row, in cells; what lacks is taken as usual."""
    rows = np.arange(h, dtype=float)
    seen = [side for side in (left, right) if side is not None]
    horizon = min((float(side[1].min()) for side in seen), default=0.25 * h) - 1.0
    # A camera 1.4 m up sees half of a 3.6 m lane 1.3 times as wide as it sees the rows below the horizon high.
    usual = 1.3 * np.maximum(rows - horizon, 0.5)
    if left is None and right is None:
        return np.full(h, w / 2.0), usual
    if left is None or right is None:
        only, side = (right, -1.0) if left is None else (left, 1.0)
        assert only is not None
        return _extended(rows, only) + side * usual, usual
    a, b = _extended(rows, left), _extended(rows, right)
    return (a + b) / 2.0, np.maximum((b - a) / 2.0, 0.5)


def _extended(rows: FloatArray, line: Points) -> FloatArray:
    """Columns of a line in all rows; beyond its ends it goes straight on."""
    column, row, _ = line
    order = np.argsort(row)
    column, row = column[order], row[order]
    inside = np.interp(rows, row, column)
    near = np.polynomial.polynomial.polyfit(row[-12:], column[-12:], 1)
    far = np.polynomial.polynomial.polyfit(row[:8], column[:8], 1)
    below, above = rows > row[-1], rows < row[0]
    return np.where(below, near[0] + near[1] * rows, np.where(above, far[0] + far[1] * rows, inside))


def _ridges(plane: FloatArray, score_min: float) -> Points:
    """Cells on the crest of the plane: maxima along the row on upright lines, along the column on flat ones."""
    smooth = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 0.6)
    padded = np.pad(smooth, 1, mode="edge")
    left, right, up, down = padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]
    upright = np.abs(left + right - 2.0 * smooth) >= np.abs(up + down - 2.0 * smooth)
    strong = plane > score_min
    r, c = np.nonzero(strong & upright & (smooth >= left) & (smooth > right))
    fr, fc = np.nonzero(strong & ~upright & (smooth >= up) & (smooth > down))
    column = np.concatenate([_refine(plane, r, c), fc.astype(float)])
    row = np.concatenate([r.astype(float), _refine(plane.T, fc, fr)])
    return column, row, np.concatenate([plane[r, c], plane[fr, fc]])


def _refine(plane: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> FloatArray:
    """Centroid of the probability around the cell, along the row."""
    window = np.clip(columns[:, None] + np.arange(-2, 3), 0, plane.shape[1] - 1)
    mass = plane[rows[:, None], window]
    return np.asarray((mass * window).sum(axis=1) / np.maximum(mass.sum(axis=1), 1e-6), dtype=float)


def _groups(t: FloatArray, spread: FloatArray, p: PictureLineParams) -> list[NDArray[np.intp]]:
    """Indices of the points around each peak of their density along t; ``spread`` is the deviation of each point."""
    if len(t) == 0:
        return []
    at = np.arange(-T_MAX, T_MAX, 0.05)
    bells = np.exp(-0.5 * ((at[:, None] - t) / spread) ** 2) / spread
    density = bells.sum(axis=1)
    inner = density[1:-1]
    peaks = at[1:-1][(inner >= density[:-2]) & (inner > density[2:]) & (inner > 4.0)]
    if len(peaks) == 0:
        return []
    distance = np.abs(t[:, None] - peaks)
    nearest = distance.argmin(axis=1)
    close = distance.min(axis=1) < np.minimum(2.5 * spread, p.gap_t)
    return [np.flatnonzero(close & (nearest == i)) for i in range(len(peaks))]


def _smooth(points: Points) -> Points:
    """One point per cell along the line's longer direction, outliers dropped, near end first."""
    column, row, score = points
    flat = np.ptp(column) > 2.0 * np.ptp(row)
    along, across = (column, row) if flat else (row, column)
    cell = np.round(along).astype(int)
    cells = np.unique(cell)
    weight = np.array([score[cell == i].sum() for i in cells])
    value = np.array([np.average(across[cell == i], weights=score[cell == i]) for i in cells])
    if len(cells) >= 5:
        padded = np.pad(value, 2, mode="reflect", reflect_type="odd")
        median = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
        good = np.abs(value - median) < 2.0
        cells, weight, value = cells[good], weight[good], value[good]
    if len(cells) >= 3:
        value[1:-1] = (value[:-2] + 2.0 * value[1:-1] + value[2:]) / 4.0
    count = np.array([(cell == i).sum() for i in cells])
    out = (cells.astype(float), value) if flat else (value, cells.astype(float))
    near_first = np.argsort(-out[1], kind="stable")
    return out[0][near_first], out[1][near_first], (weight / count)[near_first]


def _line(role: LineRole, points: Points, answer: FloatArray) -> PictureLine:
    column, row, score = points
    h, w = answer.shape[1:]
    line = _to_border(np.stack([column, row], axis=-1), w, h)
    at = np.clip(np.round(row).astype(int), 0, h - 1), np.clip(np.round(column).astype(int), 0, w - 1)
    kind = LineKind.DASHED if answer[DASHED][at].mean() > 0.5 else LineKind.SOLID
    return PictureLine(role, line, float(score.mean()), kind)


def _to_border(points: FloatArray, w: int, h: int) -> FloatArray:
    """Lengthen the near end straight to the border of the view if it ends close to it."""
    if len(points) < 4:
        return points
    end, direction = points[0], points[0] - points[3]
    low, high = np.array([-0.5, -0.5]), np.array([w - 0.5, h - 0.5])
    room = np.where(direction > 0.0, high - end, end - low)
    speed = np.abs(direction)
    steps = float(np.min(room / np.maximum(speed, 1e-6)))
    if not 0.0 < steps * float(np.linalg.norm(direction)) < 2.0 * END_CELLS or room.min() > END_CELLS:
        return points
    return np.concatenate([[end + steps * direction], points])
