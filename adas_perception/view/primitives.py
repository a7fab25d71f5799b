"""What a viewer draws: lines, points, texts, figures and pictures, each at a place of its own; and their geometry.

Top view: base_link seen from above, x up and y to the left, in metres; a viewer whose v axis points down draws
(u, v) = (-y, -x). Camera: pixels of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.types import Level

Rgb = tuple[int, int, int]
Points2 = NDArray[np.float64]


@dataclass(frozen=True)
class Strips:
    """Open or closed lines at ``place``; no lines clear the place. Labels belong to the lines."""

    place: str
    lines: tuple[Points2, ...] = ()
    colours: tuple[Rgb, ...] = ()
    labels: tuple[str, ...] = ()
    width: float = 0.0


@dataclass(frozen=True)
class Dots:
    """Points (N, 2) of one colour; no points clear the place."""

    place: str
    points: Points2
    colour: Rgb
    radius: float = 0.2


@dataclass(frozen=True)
class Figure:
    """A value of a time series."""

    place: str
    value: float


@dataclass(frozen=True)
class Note:
    """A line of the log."""

    place: str
    text: str
    level: Level = Level.OK


@dataclass(frozen=True)
class Picture:
    """A camera picture, (H, W, 3) RGB."""

    place: str
    rgb: NDArray[np.uint8]


Primitive = Strips | Dots | Figure | Note | Picture


def top(points: Points2) -> Points2:
    """Return points (N, 2) of base_link as (u, v) of the view from above."""
    return np.column_stack([-points[:, 1], -points[:, 0]])


def rectangle(x_m: float, y_m: float, yaw_rad: float, length_m: float, width_m: float) -> Points2:
    """Return the closed outline of a box on the ground, in the view from above."""
    half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]]) * (length_m / 2, width_m / 2)
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return top(half @ np.array([[c, s], [-s, c]]) + (x_m, y_m))


def visible(camera: CameraModel, points: Points2) -> Points2:
    """Return points (N, 2) or (N, 3) of base_link as pixels, without those outside the picture."""
    uv = camera.project(points)
    inside = (uv >= 0.0) & (uv < (camera.width_px, camera.height_px))
    return np.asarray(uv[np.isfinite(uv).all(axis=1) & inside.all(axis=1)])


def frame(x1: float, y1: float, x2: float, y2: float) -> Points2:
    """Return a closed rectangle in pixels."""
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]], dtype=float)
