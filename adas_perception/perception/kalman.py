"""Kalman filter of all tracks at once, in the frame of the moving car.

State of a track: x, y of the box centre (m) and vx, vy over ground (m/s) along the axes of base_link, and ax, the
acceleration along x (m/s2) that decays like a Singer model. All functions take and return stacks: states
(N, 5) and covariances (N, 5, 5).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from adas_perception.types import FloatArray

X, Y, VX, VY, AX = range(5)
SIZE = 5
IDENTITY: FloatArray = np.eye(SIZE)
PLACE, VELOCITY = slice(X, Y + 1), slice(VX, VY + 1)


# Sensors have fixed cycles: the same few time steps come again and again.
@functools.lru_cache(maxsize=16)
def _motion(dt_s: float, acceleration_time_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Straight motion over ``dt_s`` with an acceleration that fades.

    Returns the transition and the noise (5, 5) of a white jerk of 1 along x and of a white acceleration of 1 along y.
    """
    transition = np.array([
        [1.0, 0.0, dt_s, 0.0, dt_s**2 / 2.0],
        [0.0, 1.0, 0.0, dt_s, 0.0],
        [0.0, 0.0, 1.0, 0.0, dt_s],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, math.exp(-dt_s / acceleration_time_s)],
    ])  # fmt: skip
    along = np.zeros(SIZE)
    along[[X, VX, AX]] = dt_s**2 / 6.0, dt_s / 2.0, 1.0
    across = np.zeros(SIZE)
    across[[Y, VY]] = dt_s / 2.0, 1.0
    return transition, np.outer(along, along) * dt_s, np.outer(across, across) * dt_s


def predict(
    states: FloatArray, covariances: FloatArray, dt_s: float, acceleration_time_s: float,
    jerk: FloatArray, lateral: FloatArray,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Move the objects over ground by ``dt_s``.

    ``jerk`` (N,) is the density of the white jerk along x in m/s3/sqrt(Hz), ``lateral`` (N,) that of the white
    acceleration along y in m/s2/sqrt(Hz).
    """
    F, along, across = _motion(dt_s, acceleration_time_s)
    noise = (jerk**2)[:, None, None] * along + (lateral**2)[:, None, None] * across
    return states @ F.T, F @ covariances @ F.T + noise


def follow_car(
    states: FloatArray, covariances: FloatArray, x_m: float, y_m: float, yaw_rad: float
) -> tuple[FloatArray, FloatArray]:
    """Express the tracks in base_link after the car has moved to the pose x, y, yaw of the old base_link."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    turn = np.array([
        [c, s, 0.0, 0.0, 0.0],
        [-s, c, 0.0, 0.0, 0.0],
        [0.0, 0.0, c, s, 0.0],
        [0.0, 0.0, -s, c, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ])  # fmt: skip
    moved = states - np.array([x_m, y_m, 0.0, 0.0, 0.0])
    return moved @ turn.T, turn @ covariances @ turn.T


def update(
    states: FloatArray, covariances: FloatArray, innovation: FloatArray, H: FloatArray, R: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Correct N tracks with one measurement each: innovation (N, m), H (N, m, 5), R (N, m, m).

    The covariance is updated in Joseph's form, which stays positive definite.
    """
    HP = H @ covariances
    gain = np.linalg.solve(HP @ H.transpose(0, 2, 1) + R, HP).transpose(0, 2, 1)
    keep = IDENTITY - gain @ H
    corrected = states + (gain @ innovation[..., None])[..., 0]
    spread = keep @ covariances @ keep.transpose(0, 2, 1) + gain @ R @ gain.transpose(0, 2, 1)
    return corrected, (spread + spread.transpose(0, 2, 1)) / 2.0


def distance2(innovation: FloatArray, spread: FloatArray) -> FloatArray:
    """Squared Mahalanobis distance (...,) of innovations (..., m) with covariances (..., m, m)."""
    return np.asarray((innovation * np.linalg.solve(spread, innovation[..., None])[..., 0]).sum(axis=-1))
