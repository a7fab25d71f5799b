"""The general search: all poses that a car reaches from its parked pose, move by move, until it is out of the slot.

A move is flooded as a whole: from every pose reached by the move before, steps on the tightest arcs and straight, in
one direction, into cells that no pose has reached in that direction. So the first way out has the fewest moves. All
poses of a step are checked at once, which is what makes the search quick enough in NumPy (hybrid A*: Dolgov 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa.geometry import Array, Pose, Segment

Fits = Callable[[Array], NDArray[np.bool_]]
# Size of the cells for steps of 1 m: along and across the street, and heading.
_CELL = np.array([0.83, 0.33, 0.1])
_CELLS = 65536


class Waves:
    """Poses in the order in which they were reached, each with its parent and the curvature that led to it."""

    def __init__(self, goal: Pose, radius_m: float, fits: Fits, most: int, step_m: float) -> None:
        self._curvatures = np.array([1.0, 0.0, -1.0]) / radius_m
        self._fits = fits
        self._most = most
        self._step_m, self._cell = step_m, step_m * _CELL
        self._poses = np.array([goal], dtype=np.float64)
        self._parents = np.array([-1])
        self._steps: list[tuple[float, int]] = [(0.0, 0)]
        self._origin = self._poses[0].copy()
        self._visited: dict[int, NDArray[np.int64]] = {1: np.empty(0, np.int64), -1: np.empty(0, np.int64)}

    def steps(self, most: int) -> Iterator[tuple[int, int, Array, NDArray[np.int64]]]:
        """Yield for each step the move and direction it belongs to, the poses it reached and their numbers."""
        seeds = {1: np.array([0]), -1: np.array([0])}
        for move in range(1, most + 1):
            reached: dict[int, list[NDArray[np.int64]]] = {1: [], -1: []}
            for way in (1, -1):
                front = seeds[way]
                while len(front):
                    if len(self._poses) > self._most:
                        return
                    front = self._step(front, way)
                    reached[way].append(front)
                    yield move, way, self._poses[front], front
            seeds = {way: np.concatenate(reached[-way]) if reached[-way] else np.empty(0, np.int64) for way in (1, -1)}

    def pose(self, number: int) -> Pose:
        """Return a pose by its number."""
        return Pose(*self._poses[number].tolist())

    def path(self, number: int) -> tuple[Segment, ...]:
        """Return the way from the parked pose to a pose."""
        segments: list[Segment] = []
        while self._parents[number] >= 0:
            curvature, way = self._steps[number]
            if segments and segments[-1].curvature == curvature and segments[-1].length_m * way > 0.0:
                segments[-1] = Segment(segments[-1].length_m + way * self._step_m, curvature)
            else:
                segments.append(Segment(way * self._step_m, curvature))
            number = int(self._parents[number])
        return tuple(reversed(segments))

    def _step(self, front: NDArray[np.int64], way: int) -> NDArray[np.int64]:
        """Take one step from every pose of the front; return the numbers of the new poses."""
        start = np.repeat(self._poses[front], 3, axis=0)
        parents = np.repeat(front, 3)
        curvature = np.tile(self._curvatures, len(front))
        end = _moved(start, curvature, way * self._step_m)
        keys = self._keys(end)
        _, first = np.unique(keys, return_index=True)
        new = first[~np.isin(keys[first], self._visited[way])]
        new = new[self._fits(end[new])]
        self._visited[way] = np.concatenate((self._visited[way], keys[new]))
        numbers = np.arange(len(self._poses), len(self._poses) + len(new))
        self._poses = np.concatenate((self._poses, end[new]))
        self._parents = np.concatenate((self._parents, parents[new]))
        self._steps += [(k, way) for k in curvature[new].tolist()]
        return numbers

    def _keys(self, poses: Array) -> NDArray[np.int64]:
        cells = np.round((poses - self._origin) / self._cell).astype(np.int64) + _CELLS // 2
        keys: NDArray[np.int64] = (cells[:, 0] * _CELLS + cells[:, 1]) * _CELLS + cells[:, 2]
        return keys


def _moved(start: Array, curvature: Array, length_m: float) -> Array:
    """Return poses (N, 3) after arcs of one length; by mean heading, exact enough for a step."""
    turn = curvature * length_m
    middle = start[:, 2] + turn / 2.0
    chord = length_m * np.sinc(turn / math.tau)
    return np.column_stack((start[:, 0] + chord * np.cos(middle), start[:, 1] + chord * np.sin(middle),
                            start[:, 2] + turn))  # fmt: skip
