"""Kalman filter of all tracks at once, in the frame of the moving car.

State of a track: x, y of the box centre (m) and vx, vy over ground (m/s) along the axes of base_link, and ax, the
acceleration along x (m/s2) that decays like a Singer model. All functions take and return stacks: states
(N, 5) and covariances (N, 5, 5).
"""

from __future__ import annotations

import math

import numpy as np

from adas_perception.types import FloatArray

X, Y, VX, VY, AX = range(5)
SIZE = 5
PLACE, VELOCITY = slice(X, Y + 1), slice(VX, VY + 1)


def _motion(dt_s: float, acceleration_time_s: float) -> FloatArray:
    """Transition (5, 5) over ``dt_s``: straight motion with an acceleration that fades."""
    return np.array([
        [1.0, 0.0, dt_s, 0.0, dt_s**2 / 2.0],
        [0.0, 1.0, 0.0, dt_s, 0.0],
        [0.0, 0.0, 1.0, 0.0, dt_s],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, math.exp(-dt_s / acceleration_time_s)],
    ])  # fmt: skip


def predict(
    states: FloatArray, covariances: FloatArray, dt_s: float, acceleration_time_s: float,
    jerk: FloatArray, lateral: FloatArray,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Move the objects over ground by ``dt_s``.

    ``jerk`` (N,) is the density of the white jerk along x in m/s3/sqrt(Hz), ``lateral`` (N,) that of the white
    acceleration along y in m/s2/sqrt(Hz).
    """
    F = _motion(dt_s, acceleration_time_s)
    along = np.zeros(SIZE)
    along[[X, VX, AX]] = dt_s**2 / 6.0, dt_s / 2.0, 1.0
    across = np.zeros(SIZE)
    across[[Y, VY]] = dt_s / 2.0, 1.0
    noise = (
        (jerk**2 * dt_s)[:, None, None] * np.outer(along, along)
        + (lateral**2 * dt_s)[:, None, None] * np.outer(across, across)
    )  # fmt: skip
    return states @ F.T, F @ covariances @ F.T + noise


def follow_car(
    states: FloatArray, covariances: FloatArray, x_m: float, y_m: float, yaw_rad: float
) -> tuple[FloatArray, FloatArray]:
    """Express the tracks in base_link after the car has moved to the pose x, y, yaw of the old base_link."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    turn = np.eye(SIZE)
    turn[np.ix_([X, Y], [X, Y])] = turn[np.ix_([VX, VY], [VX, VY])] = [[c, s], [-s, c]]
    moved = states - np.array([x_m, y_m, 0.0, 0.0, 0.0])
    return moved @ turn.T, turn @ covariances @ turn.T


def update(
    states: FloatArray, covariances: FloatArray, innovation: FloatArray, H: FloatArray, R: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Correct N tracks with one measurement each: innovation (N, m), H (N, m, 5), R (N, m, m).

    The covariance is updated in Joseph's form, which stays positive definite.
    """
    HP = H @ covariances
    gain = np.swapaxes(np.linalg.solve(HP @ np.swapaxes(H, 1, 2) + R, HP), 1, 2)
    keep = np.eye(SIZE) - gain @ H
    corrected = states + (gain @ innovation[..., None])[..., 0]
    spread = keep @ covariances @ np.swapaxes(keep, 1, 2) + gain @ R @ np.swapaxes(gain, 1, 2)
    return corrected, (spread + np.swapaxes(spread, 1, 2)) / 2.0


def distance2(innovation: FloatArray, spread: FloatArray) -> FloatArray:
    """Squared Mahalanobis distance (...,) of innovations (..., m) with covariances (..., m, m)."""
    return np.asarray((innovation * np.linalg.solve(spread, innovation[..., None])[..., 0]).sum(axis=-1))
