"""Which part of every track a sensor sees: its near face, as far as nothing hides it.

Cars hide what is behind them. Of what sticks out from behind a car, a sensor reports the middle of the part that
shows: taken for the middle of the whole, a row of parked cars would stand half a car's width too near to the road, so
would the flank of a lorry behind its rear, and crossing traffic would seem to slow down as it goes behind something.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adas_perception.perception import kalman
from adas_perception.perception.faces import ANYWHERE, Face, Size, near_face
from adas_perception.perception.measurement import Observations
from adas_perception.perception.track_life import Life
from adas_perception.types import FloatArray, ObjectClass

# Largest spread of the visible part of an object whose near end has left the field of view or is hidden.
ANYWHERE_M = 2.0
# What is large enough to hide others; what radar alone sees is taken for a car here too.
HIDING = (ObjectClass.UNKNOWN, ObjectClass.CAR)
# Corners of a box in halves of its length and width.
CORNERS: FloatArray = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]])


class Spans(NamedTuple):
    """What parts of N objects a sensor would see: distances in m, and bearings ``middle`` + ``low`` to + ``high``."""

    reach_m: FloatArray
    middle: FloatArray
    low: FloatArray
    high: FloatArray


class Views(NamedTuple):
    """Of every track: the face that is seen, whether it lies in the field of view, and whether something hides it."""

    faces: list[Face]
    shown: list[bool]
    hidden: list[bool]


def look(states: Sequence[Sequence[float]], lives: Sequence[Life], seen: Observations) -> Views:
    """Return what a sensor sees of the tracks."""
    faces, shown = [], []
    for state, life in zip(states, lives, strict=True):
        x, y = state[kalman.X], state[kalman.Y]
        face = near_face(x, y, life.yaw_rad, life.size, seen.origin, seen.kind)
        inside = seen.coverage.sees(x + face.x_m, y + face.y_m)
        # Of what leaves the field of view some part is still seen, and another one in every cycle.
        if not inside:
            face = Face(face.x_m, face.y_m, face.xx + _anywhere_m2(life.size), face.xy, face.yy)
        faces.append(face)
        shown.append(inside)
    if len(lives) > 1 and any(map(_hides, lives)):
        faces, hidden = _behind_others(faces, np.array(states), lives, seen.origin)
    else:
        hidden = [False] * len(lives)
    return Views(faces, shown, hidden)


def hiders(states: Sequence[Sequence[float]], lives: Sequence[Life], origin: tuple[float, float]) -> Spans | None:
    """Return the boxes that hide from a sensor what is behind their middle, None where there are none."""
    which = [i for i, life in enumerate(lives) if _hides(life)]
    return _outlines(np.array([states[i] for i in which]), [lives[i] for i in which], origin) if which else None


def _hides(life: Life) -> bool:
    return life.confirmed and life.label in HIDING


def _anywhere_m2(size: Size) -> float:
    """Return the variance of some visible part of an object."""
    spread = min((size.length_m + size.width_m) / 3.0, ANYWHERE_M)
    return spread * spread


def _behind_others(
    seen_faces: Sequence[Face], states: FloatArray, lives: Sequence[Life], origin: tuple[float, float]
) -> tuple[list[Face], list[bool]]:
    """Return the faces as far as they stick out from behind other tracks, and which tracks are hidden wholly."""
    faces, boxes = np.array(seen_faces), _outlines(states, lives, origin)
    hiding = [_hides(life) for life in lives]
    dark = Spans(*(values[hiding] for values in boxes))
    hidden: NDArray[np.bool_] = np.zeros(len(lives), bool)
    x, y = (states[:, kalman.PLACE] + faces[:, :2] - origin).T
    reach = np.maximum(np.hypot(x, y), 1e-3)
    left = np.array([-y, x]).T / reach[:, None]
    spread = np.einsum("ni,nij,nj->n", left, faces[:, [2, 3, 3, 4]].reshape(-1, 2, 2), left)
    half = np.sqrt(np.maximum(spread, 0.0)) / ANYWHERE / reach
    low, high = _cut(Spans(reach, np.arctan2(y, x), -half, half), dark)
    shift = ((low + high) / 2.0 * reach)[:, None] * left
    covered = high < low
    if covered.any():
        low, high = _cut(boxes, dark)
        hidden = high < low
        # Of what sticks out behind its hidden near end any part may be seen.
        behind = covered & ~hidden
        middle = boxes.middle + (low + high) / 2.0
        at = origin + boxes.reach_m[:, None] * np.array([np.cos(middle), np.sin(middle)]).T
        faces[behind] = 0.0
        faces[behind, :2] = (at - states[:, kalman.PLACE])[behind]
        faces[behind, 2] = faces[behind, 4] = [_anywhere_m2(lives[i].size) for i in np.flatnonzero(behind).tolist()]
        shift[covered] = 0.0
    faces[:, :2] += shift
    faces[:, 2:] += shift[:, [0, 0, 1]] * shift[:, [0, 1, 1]]
    return list(map(Face._make, faces.tolist())), hidden.tolist()


def behind_edge(
    dark: Spans, point: tuple[float, float], origin: tuple[float, float], size: Size
) -> tuple[FloatArray, FloatArray]:
    """Return how a new object lies whose point was seen beside the edge of what hides the rest: shift, covariance.

    The shift (2,) is that of its middle from where it would lie if its near end were seen wholly: behind the edge,
    and nearer, because what shows may be its flank.
    """
    x, y = point[0] - origin[0], point[1] - origin[1]
    reach = max(math.hypot(x, y), 1e-3)
    half = np.array([size.width_m / 2.0 / reach])
    low, high = _cut(Spans(np.array([reach]), np.array([math.atan2(y, x)]), -half, half), dark)
    off = min(float(low[0]), 0.0) + max(float(high[0]), 0.0)
    across, along = off * np.array([y, -x]), abs(off / half[0]) * size.length_m / 4.0 / reach * np.array([x, y])
    return across - along, np.outer(across, across) + np.outer(along, along)


def _outlines(states: FloatArray, lives: Sequence[Life], origin: tuple[float, float]) -> Spans:
    """Return what a sensor at ``origin`` would see of the boxes of tracks."""
    shape = np.array([(life.yaw_rad, life.size.length_m / 2.0, life.size.width_m / 2.0) for life in lives])
    c, s = np.cos(shape[:, 0])[:, None], np.sin(shape[:, 0])[:, None]
    u, v = shape[:, 1:2] * CORNERS[:, 0], shape[:, 2:3] * CORNERS[:, 1]
    x, y = (states[:, kalman.PLACE] - origin).T
    corner_x, corner_y = c * u - s * v + x[:, None], s * u + c * v + y[:, None]
    turns = np.arctan2(x[:, None] * corner_y - y[:, None] * corner_x, x[:, None] * corner_x + y[:, None] * corner_y)
    return Spans(np.hypot(x, y), np.arctan2(y, x), turns.min(axis=1), turns.max(axis=1))


def _cut(parts: Spans, dark: Spans) -> tuple[FloatArray, FloatArray]:
    """Return the ``low`` and ``high`` (N,) that are left of parts; of what is hidden wholly low exceeds high."""
    away = parts.middle[:, None] - dark.middle
    away -= math.tau * np.round(away / math.tau)
    low, high = dark.low - away, dark.high - away
    start, end = parts.low[:, None], parts.high[:, None]
    behind = parts.reach_m[:, None] > dark.reach_m
    return (
        np.where(behind & (low <= start) & (high > start), high, start).max(axis=1),
        np.where(behind & (high >= end) & (low < end), low, end).min(axis=1),
    )
