"""Lane lines from what another simulator knows of the road: polylines, or the lane's geometry at the car."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adas_perception.types import EgoState, LaneLine, LaneLines, LineKind

Points = Sequence[tuple[float, float]]

_SEEN_M = (-5.0, 60.0)
# What lies nearer behind than this tells nothing about the way ahead; shorter pieces are no line.
_SHORTEST_M = 3.0
_CUBIC_M, _PARABOLA_M = 20.0, 8.0
_SIGMA_M = 0.02


@dataclass(frozen=True)
class LanePolylines:
    """Points (x, y) in m along each boundary of the ego's lane, in the frame of the objects; None where none is."""

    left: Points | None = None
    right: Points | None = None
    left_kind: LineKind = LineKind.UNKNOWN
    right_kind: LineKind = LineKind.UNKNOWN


@dataclass(frozen=True)
class LaneGeometry:
    """The ego's lane at the ego, whatever the frame of the objects.

    ``offset_m`` is base_link from the middle of the lane (left > 0), ``heading_rad`` the ego's heading against the
    lane, ``curvature`` in 1/m with its rate along the lane in 1/m2 (left > 0).
    """

    offset_m: float
    width_m: float = 3.5
    heading_rad: float = 0.0
    curvature: float = 0.0
    curvature_rate: float = 0.0
    left_kind: LineKind | None = LineKind.UNKNOWN
    right_kind: LineKind | None = LineKind.UNKNOWN


def lanes_from(lanes: LanePolylines | LaneGeometry | None, pose: EgoState | None) -> LaneLines:
    """Return lane lines in base_link; ``pose`` is that of the ego when polylines are in the map frame.

    Nothing given, points that are not finite and pieces too short to be a line give no line.
    """
    if lanes is None:
        return LaneLines(0)
    if isinstance(lanes, LaneGeometry):
        sides = ((0.5, lanes.left_kind), (-0.5, lanes.right_kind))
        left, right = (_from_geometry(lanes, share * lanes.width_m, kind) for share, kind in sides)
    else:
        left = _from_points(lanes.left, lanes.left_kind, pose)
        right = _from_points(lanes.right, lanes.right_kind, pose)
    return LaneLines(0, left, right)


def _from_geometry(lane: LaneGeometry, beside_m: float, kind: LineKind | None) -> LaneLine | None:
    numbers = (lane.offset_m, lane.width_m, lane.heading_rad, lane.curvature, lane.curvature_rate)
    if kind is None or not all(map(math.isfinite, numbers)):
        return None
    turned = math.cos(lane.heading_rad)
    coefficients = (
        (beside_m - lane.offset_m) / turned,
        -math.tan(lane.heading_rad),
        lane.curvature / (2.0 * turned**3),
        lane.curvature_rate / 6.0,
    )
    return LaneLine(coefficients, 0.0, _SEEN_M[1], 1.0, kind, _SIGMA_M)


def _from_points(points: Points | None, kind: LineKind, pose: EgoState | None) -> LaneLine | None:
    table = np.asarray(points if points is not None else (), dtype=float).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    if pose is not None:
        c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
        table = (table - (pose.x_m, pose.y_m)) @ np.array([[c, -s], [s, c]])
    table = _run_ahead(_filled(table))
    if len(table) < 2 or table[-1, 0] - table[0, 0] < _SHORTEST_M:
        return None
    span = table[-1, 0] - table[0, 0]
    degree = 3 if span > _CUBIC_M else 2 if span > _PARABOLA_M else 1
    fitted = np.polynomial.polynomial.polyfit(table[:, 0], table[:, 1], min(degree, len(table) - 1)).tolist()
    c0, c1, c2, c3 = fitted + [0.0] * (4 - len(fitted))
    return LaneLine((c0, c1, c2, c3), max(float(table[0, 0]), 0.0), float(table[-1, 0]), 1.0, kind, _SIGMA_M)


def _filled(table: np.ndarray) -> np.ndarray:
    """Return the polyline with a point at least every metre, so that sparse straight pieces weigh like dense bends."""
    if len(table) < 2:
        return table
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(table, axis=0).T))])
    even = np.linspace(0.0, way[-1], max(2, min(math.ceil(way[-1]) + 1, 2000)))
    return np.column_stack([np.interp(even, way, table[:, 0]), np.interp(even, way, table[:, 1])])


def _run_ahead(table: np.ndarray) -> np.ndarray:
    """Return the run of points around the car that moves steadily ahead, in order of x."""
    if len(table) >= 2 and table[-1, 0] < table[0, 0]:
        table = table[::-1]
    inside = (table[:, 0] > _SEEN_M[0]) & (table[:, 0] < _SEEN_M[1]) & (np.abs(table[:, 1]) < 30.0)
    table = table[inside]
    turns = np.flatnonzero(np.diff(table[:, 0]) <= 1e-3)
    return table[: turns[0] + 1] if len(turns) else table
