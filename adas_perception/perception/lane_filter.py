"""Both boundaries of the own lane as one Kalman filter in information form, robust against outliers.

State (8,): c0..c3 of the left, then of the right boundary, y = c0 + c1 x + c2 x^2 + c3 x^3 in base_link. Boundaries of
a lane run nearly parallel; that knowledge enters as a weak measurement of the difference of their shapes, so that a
dashed boundary borrows its curvature from a solid one.
"""

from __future__ import annotations

import numpy as np

from adas_perception.perception.lane_points import LinePoints
from adas_perception.types import FloatArray

# Standard deviations of c0..c3 before anything is seen; R >= 100 m is two deviations.
PRIOR_SIGMA = np.array([1.5, 0.08, 2.5e-3, 3e-5])
# Random walk per square root of a second: what the car's motion sensors do not tell; more where there are none.
DRIFT_SIGMA = np.array([0.12, 0.018, 5e-4, 6e-6])
BLIND_DRIFT = 3.0
# How far two boundaries of one lane deviate from parallel in c1, c2, c3.
PARALLEL_SIGMA = np.array([0.008, 5e-4, 8e-6])
# Error in c0..c3 that all rows of a frame share, for a solid line and for one with gaps, which the net must guess.
FRAME_SIGMA = np.array([0.05, 0.004, 1e-4, 1e-6])
SOLID_SHARE = 0.3
LANE_HALF_M = 1.8
ITERATIONS = 4


def basis(x: FloatArray) -> FloatArray:
    """Return 1, x, x^2, x^3 of positions (N,) as (N, 4)."""
    return np.stack([np.ones_like(x), x, x * x, x * x * x], axis=-1)


def _shared(points: LinePoints) -> FloatArray:
    """Covariance (4, 4) of the error that the points of this frame have in common."""
    dashed = float(np.average(points.dashed, weights=points.score))
    return np.diag((FRAME_SIGMA * (SOLID_SHARE + (1.0 - SOLID_SHARE) * dashed)) ** 2)


class LaneFilter:
    """Estimate of both boundaries: ``mean`` (8,) and ``covariance`` (8, 8)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything but that lanes are some 3.6 m wide and go straight on."""
        self.mean = np.array([LANE_HALF_M, 0.0, 0.0, 0.0, -LANE_HALF_M, 0.0, 0.0, 0.0])
        self.covariance = np.diag(np.tile(PRIOR_SIGMA**2, 2))

    def predict(self, dt_s: float, motion: tuple[float, float] | None) -> None:
        """Move the car by ``motion``, metres forward and radians turned; the boundaries stay on the road.

        None where the motion is not known.
        """
        s, turn_rad = motion or (0.0, 0.0)
        drift = DRIFT_SIGMA if motion else BLIND_DRIFT * DRIFT_SIGMA
        # y at x + s, seen from a car that has turned and thereby moved aside by s turn / 2
        shift = np.array([[1, s, s * s, s**3], [0, 1, 2 * s, 3 * s * s], [0, 0, 1, 3 * s], [0, 0, 0, 1]], dtype=float)
        move = np.kron(np.eye(2), shift)
        self.mean = move @ self.mean
        self.mean[[1, 5]] -= turn_rad
        self.mean[[0, 4]] -= s * turn_rad / 2.0
        noise = np.diag(np.tile(drift**2 * dt_s, 2))
        self.covariance = move @ self.covariance @ move.T + noise
        # Without measurements the estimate fades into the prior, not into nonsense.
        limit = np.tile(PRIOR_SIGMA, 2) / np.sqrt(np.diag(self.covariance))
        scale = np.minimum(limit, 1.0)
        self.covariance *= scale[:, None] * scale[None, :]

    def update(self, left: LinePoints, right: LinePoints) -> None:
        """Take in the points of a frame; outliers lose their weight (Cauchy, iteratively)."""
        prior = np.linalg.inv(self.covariance)
        known = prior @ self.mean
        for k, sigma in enumerate(PARALLEL_SIGMA, start=1):
            difference = np.zeros(8)
            difference[k], difference[4 + k] = 1.0, -1.0
            prior = prior + np.outer(difference, difference) / sigma**2
        sides = [(slice(0, 4), left), (slice(4, 8), right)]
        rows = [(part, basis(p.xy[:, 0]), p.xy[:, 1], p.sigma, _shared(p)) for part, p in sides if len(p)]
        estimate = self.mean
        for _ in range(ITERATIONS):
            information, vector = prior.copy(), known.copy()
            for part, a, y, sigma, shared in rows:
                residual = (y - a @ estimate[part]) / sigma
                weight = 1.0 / (sigma**2 * (1.0 + (residual / 2.5) ** 2))
                own = (a * weight[:, None]).T @ a
                # Marginalised over the shared error: (own^-1 + shared)^-1 without inverting a possibly singular own.
                less = np.linalg.inv(np.eye(4) + own @ shared)
                information[part, part] += less @ own
                vector[part] += less @ (a.T @ (weight * y))
            estimate = np.linalg.solve(information, vector)
        self.mean = estimate
        self.covariance = np.linalg.inv(information)

    def side(self, left: bool) -> FloatArray:
        """Coefficients (4,) of one boundary."""
        return self.mean[:4] if left else self.mean[4:]

    def sigma_at(self, left: bool, x_m: float) -> float:
        """Standard deviation of the lateral position of one boundary at x."""
        part = slice(0, 4) if left else slice(4, 8)
        a = basis(np.array([x_m]))[0]
        return float(np.sqrt(a @ self.covariance[part, part] @ a))

    def surprise_m(self, points: LinePoints, left: bool, near_m: float = 25.0) -> float:
        """Median lateral distance of the near points from the prediction; 0 without points."""
        near = points.xy[points.xy[:, 0] < near_m]
        if len(near) < 4:
            return 0.0
        return float(np.median(near[:, 1] - basis(near[:, 0]) @ self.side(left)))


def pitch_error_rad(left: LinePoints, right: LinePoints, camera_x_m: float, camera_height_m: float) -> float | None:
    """Return the pitch that the camera model lacks, from how the width of the lane seems to grow with distance.

    A pitch error e stretches the picture of a flat road so that width(x) = width (1 + x e / height). None where the
    two boundaries do not say enough.
    """
    x_left, x_right = left.xy[:, 0] - camera_x_m, right.xy[:, 0] - camera_x_m
    use_left, use_right = x_left < 45.0, x_right < 45.0
    if min(use_left.sum(), use_right.sum()) < 8 or min(np.ptp(x_left[use_left]), np.ptp(x_right[use_right])) < 12.0:
        return None
    x = np.concatenate([x_left[use_left], x_right[use_right]])
    y = np.concatenate([left.xy[use_left, 1], right.xy[use_right, 1]])
    weight = 1.0 / np.concatenate([left.sigma[use_left], right.sigma[use_right]])
    side = np.concatenate([np.full(use_left.sum(), 0.5), np.full(use_right.sum(), -0.5)])
    # middle line c0 + c1 x + c2 x^2, width w0 + w1 x
    a = np.stack([np.ones_like(x), x, x * x, side, side * x], axis=-1)
    for _ in range(3):
        solution = np.linalg.lstsq(a * weight[:, None], y * weight, rcond=None)[0]
        weight = weight / np.sqrt(1.0 + ((y - a @ solution) * weight / 2.5) ** 2)
    width, growth = solution[3], solution[4]
    if not 2.0 < width < 5.5:
        return None
    return float(growth * camera_height_m / width)
