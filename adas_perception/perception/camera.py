"""Pinhole camera over a flat road: pixels to metres in base_link and back.

Frames after REP 103/105: base_link is the middle of the rear axle on the ground, x forward, y left, z up.
Angles are right-handed about those axes, so a positive pitch looks down and a positive roll lowers the right side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics in pixels and the mounting in base_link."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    height_m: float = 1.4
    x_m: float = 1.8
    y_m: float = 0.0
    roll_rad: float = 0.0
    pitch_rad: float = 0.0
    yaw_rad: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.fx_px, self.fy_px, self.cx_px, self.cy_px, self.height_m, self.x_m, self.y_m)
        angles = (self.roll_rad, self.pitch_rad, self.yaw_rad)
        if not np.isfinite(numbers + angles).all():
            raise ValueError("camera: every intrinsic and mounting value must be a finite number")
        if self.width_px <= 0 or self.height_px <= 0 or self.fx_px <= 0 or self.fy_px <= 0 or self.height_m <= 0:
            raise ValueError("camera: picture size, focal lengths and mounting height must be positive")

    @classmethod
    def from_fov(cls, width_px: int, height_px: int, fov_rad: float, **mounting: float) -> CameraModel:
        """Build an ideal camera with square pixels from its horizontal field of view."""
        focal = width_px / 2.0 / np.tan(fov_rad / 2.0)
        return cls(width_px, height_px, focal, focal, width_px / 2.0, height_px / 2.0, **mounting)

    @classmethod
    def from_matrix(cls, width_px: int, height_px: int, k: FloatArray, **mounting: float) -> CameraModel:
        """Build the camera from the 3x3 matrix K of a CameraInfo (row-major, of the rectified picture: use P there)."""
        matrix = np.asarray(k, dtype=float).reshape(3, -1)
        return cls(width_px, height_px, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], **mounting)

    def cropped_resized(self, top_px: int, width_px: int, height_px: int) -> CameraModel:
        """Return the camera of this picture without its upper ``top_px`` rows, resized to width x height."""
        sx = width_px / self.width_px
        sy = height_px / (self.height_px - top_px)
        # Pixel centres lie at integers, so the resize scales about the picture's corner at -0.5.
        return replace(
            self, width_px=width_px, height_px=height_px, fx_px=self.fx_px * sx, fy_px=self.fy_px * sy,
            cx_px=(self.cx_px + 0.5) * sx - 0.5, cy_px=(self.cy_px - top_px + 0.5) * sy - 0.5,
        )  # fmt: skip

    @cached_property
    def rotation(self) -> FloatArray:
        """Rotation (3, 3) from the camera body (x forward, y left, z up) to base_link."""
        cr, sr = np.cos(self.roll_rad), np.sin(self.roll_rad)
        cp, sp = np.cos(self.pitch_rad), np.sin(self.pitch_rad)
        cy, sy = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ])  # fmt: skip

    def rays(self, uv_px: FloatArray) -> FloatArray:
        """Directions (..., 3) in base_link, not normalised, through the pixels (..., 2)."""
        uv = np.asarray(uv_px, dtype=float)
        body = np.stack([
            np.ones(uv.shape[:-1]),
            (self.cx_px - uv[..., 0]) / self.fx_px,
            (self.cy_px - uv[..., 1]) / self.fy_px,
        ], axis=-1)  # fmt: skip
        return np.asarray(body @ self.rotation.T)

    @cached_property
    def _rotation_rows(self) -> tuple[tuple[float, float, float], ...]:
        """``rotation`` as plain floats: for single pixels NumPy costs more than the sums."""
        return tuple(tuple(row) for row in self.rotation.tolist())

    def ray(self, u_px: float, v_px: float) -> tuple[float, float, float]:
        """Direction in base_link, not normalised, through one pixel."""
        left, up = (self.cx_px - u_px) / self.fx_px, (self.cy_px - v_px) / self.fy_px
        (a, b, c), (d, e, f), (g, h, i) = self._rotation_rows
        return a + b * left + c * up, d + e * left + f * up, g + h * left + i * up

    def ground(self, u_px: float, v_px: float) -> tuple[float, float] | None:
        """Road point x, y in metres in base_link under one pixel, None above the horizon."""
        x, y, z = self.ray(u_px, v_px)
        if not (z < -1e-6 and x > 0.0 and math.isfinite(x + y)):
            return None
        reach = -self.height_m / z
        return self.x_m + reach * x, self.y_m + reach * y

    def to_ground(self, uv_px: FloatArray) -> FloatArray:
        """Road points (..., 2) x, y in metres in base_link under the pixels (..., 2); NaN above the horizon."""
        ray = self.rays(uv_px)
        below = ray[..., 2] < -1e-6
        reach = np.where(below, -self.height_m / np.where(below, ray[..., 2], -1.0), np.nan)
        ground = np.stack([self.x_m + reach * ray[..., 0], self.y_m + reach * ray[..., 1]], axis=-1)
        ground[~(ground[..., 0] > self.x_m)] = np.nan
        return ground

    def project(self, points_m: FloatArray) -> FloatArray:
        """Pixels (..., 2) of points (..., 2 or 3) in base_link; NaN for points behind the camera."""
        points = np.asarray(points_m, dtype=float)
        if points.shape[-1] == 2:
            points = np.concatenate([points, np.zeros(points.shape[:-1] + (1,))], axis=-1)
        body = (points - np.array([self.x_m, self.y_m, self.height_m])) @ self.rotation
        depth = np.where(body[..., 0] > 0.1, body[..., 0], np.nan)
        return np.stack([
            self.cx_px - self.fx_px * body[..., 1] / depth,
            self.cy_px - self.fy_px * body[..., 2] / depth,
        ], axis=-1)  # fmt: skip

    def horizon_row_px(self, column_px: float | None = None) -> float:
        """Row of the flat road's horizon at a column (default: the principal point's)."""
        u = self.cx_px if column_px is None else column_px
        up = self.rotation[2]
        # A pixel lies on the horizon where its ray has no vertical part.
        return float(self.cy_px + self.fy_px * (up[0] + up[1] * (self.cx_px - u) / self.fx_px) / up[2])

    def with_horizon(self, row_px: float) -> CameraModel:
        """Return this camera pitched so that the horizon crosses the principal point's column at that row."""
        return replace(self, pitch_rad=float(np.arctan2(self.cy_px - row_px, self.fy_px / np.cos(self.roll_rad))))
