"""Which observation belongs to which track: compare those that are near, gate, assign the best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from adas_perception.perception import kalman
from adas_perception.perception.measurement import Observations
from adas_perception.types import FloatArray

FORBIDDEN = 1e6


class Pairs(NamedTuple):
    """K pairs of track and observation: innovation (K, 3) in x, y and speed, its model (K, 3, 5), noise (K, 3, 3)."""

    tracks: NDArray[np.intp]
    points: NDArray[np.intp]
    innovation: FloatArray
    H: FloatArray
    noise: FloatArray

    def at(self, which: NDArray[Any]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(*(values[which] for values in self))


def assign(
    states: FloatArray, covariances: FloatArray, faces: FloatArray, seen: Observations, late_s: float, gate: float,
    possible: NDArray[np.bool_] | None = None,
) -> Pairs:  # fmt: skip
    """Return the best pairs whose squared distance is below ``gate``, the tracks taken as they were ``late_s`` ago.

    ``faces`` (N, 5) is the ``Face`` of every track, ``possible`` (N, M) tells which pairs may be made at all. The
    logarithm of the determinant keeps a vague track from taking the observation of a sharp one.
    """
    pairs = _near(states, covariances, faces, seen, late_s, gate)
    if possible is not None:
        pairs = pairs.at(possible[pairs.tracks, pairs.points])
    spread = pairs.H @ covariances[pairs.tracks] @ pairs.H.transpose(0, 2, 1) + pairs.noise
    distance = kalman.distance2(pairs.innovation, spread)
    inside = distance < gate
    pairs = pairs.at(inside)
    found = len(pairs.tracks)
    if len(set(pairs.tracks.tolist())) == found == len(set(pairs.points.tolist())):
        return pairs  # nobody competes
    shape = len(states), len(seen)
    cost, number = np.full(shape, FORBIDDEN), np.full(shape, -1)
    cost[pairs.tracks, pairs.points] = (distance + np.log(np.linalg.det(spread)))[inside]
    number[pairs.tracks, pairs.points] = np.arange(found)
    chosen = number[linear_sum_assignment(cost)]
    return pairs.at(chosen[chosen >= 0])


def _near(
    states: FloatArray, covariances: FloatArray, faces: FloatArray, seen: Observations, late_s: float, gate: float
) -> Pairs:
    """Return the pairs that may lie in the gate.

    The squared distance along one axis never exceeds the whole: most pairs need not be looked at any further.
    """
    velocities = states[:, kalman.VELOCITY]
    gaps = seen.points - (states[:, kalman.PLACE] + faces[:, :2] - late_s * velocities)[:, None]
    of_tracks = (_variances(covariances, late_s) + faces[:, [2, 4]])[:, None]
    near = np.square(gaps) < gate * (of_tracks + seen.covariances[:, [0, 1], [0, 1]])
    tracks, points = np.nonzero(near[..., 0] & near[..., 1])

    rays = seen.rays[points]
    H = np.zeros((len(tracks), 3, kalman.SIZE))
    H[:, 0, kalman.X] = H[:, 1, kalman.Y] = 1.0
    H[:, 0, kalman.VX] = H[:, 1, kalman.VY] = -late_s
    H[:, 2, kalman.VELOCITY] = rays
    innovation = np.empty((len(tracks), 3))
    innovation[:, :2] = gaps[tracks, points]
    innovation[:, 2] = seen.speeds[points] - (rays * velocities[tracks]) @ (1.0, 1.0)
    noise = np.zeros((len(tracks), 3, 3))
    noise[:, :2, :2] = seen.covariances[points] + faces[tracks][:, [[2, 3], [3, 4]]]
    noise[:, 2, 2] = seen.speed_sigmas[points] ** 2
    return Pairs(tracks, points, innovation, H, noise)


def _variances(covariances: FloatArray, late_s: float) -> FloatArray:
    """Return the variances (N, 2) of the places as they were ``late_s`` ago."""
    place, velocity = [kalman.X, kalman.Y], [kalman.VX, kalman.VY]
    now = covariances[:, place, place]
    if late_s == 0.0:
        return now
    return now - late_s * (2.0 * covariances[:, place, velocity] - late_s * covariances[:, velocity, velocity])
