"""The front camera at object level: the boxes that a detector would draw, without a picture.

A body is projected as the box of its eight corners; what nearer bodies cover is cut off, and what is then too small
or too much covered is not detected. Errors are those of box edges in pixels and of the car's pitch, so that the
distance read from a box errs as it does in reality: with the square of the distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from adas_perception.params import Params, param
from adas_perception.perception.camera import CameraModel
from adas_perception.sim.sensors import Box, Surroundings, poisson
from adas_perception.types import Detection, Detections, ObjectClass


@dataclass(frozen=True)
class CameraErrors(Params):
    """What the detector misses and how it errs. ``latency_s`` passes from exposure to result."""

    latency_s: float = param(0.05, "from exposure to result", unit="s", low=0.0, high=0.5)
    range_max_m: float = param(120.0, "farther bodies are not detected", unit="m", low=10.0, high=300.0)
    size_min_px: float = param(8.0, "smaller boxes are not detected (larger side)", unit="px", low=1.0, high=200.0)
    visible_min: float = param(0.35, "share of the width that must show", low=0.0, high=1.0)
    edge_sigma_px: float = param(1.0, "noise of each edge of a box", unit="px", low=0.0, high=20.0)
    pitch_sigma_rad: float = param(0.002, "noise of the car's pitch", unit="rad", low=0.0, high=0.05)
    miss_share: float = param(0.03, "share of boxes missed", low=0.0, high=1.0)
    confused_share: float = param(0.005, "share of boxes with a wrong class", low=0.0, high=1.0)
    ghosts_per_picture: float = param(0.01, "mean number of false boxes", low=0.0, high=5.0)


class _View(NamedTuple):
    """A body in the picture: box in pixels, distance, label."""

    distance_m: float
    x1: float
    y1: float
    x2: float
    y2: float
    label: ObjectClass | None


_NEAR_M = 0.3
_CLEAN_SCORE = 0.95


def see_objects(
    stamp_ns: int, scene: Surroundings, camera: CameraModel, errors: CameraErrors, rng: Random | None
) -> Detections:
    """Return the boxes of one picture; without ``rng`` nothing is missed, wrong or noisy."""
    views = [view for box in scene.boxes if (view := _project(box, camera)) is not None]
    views.sort()
    bounce = 0.0 if rng is None else camera.fy_px * rng.gauss(0.0, errors.pitch_sigma_rad)
    items = []
    for index, view in enumerate(views):
        if view.label is None or view.distance_m > errors.range_max_m:
            continue
        shown = _shown(view, views[:index])
        if shown is None or shown[1] - shown[0] < errors.visible_min * (view.x2 - view.x1):
            continue
        if max(shown[1] - shown[0], view.y2 - view.y1) < errors.size_min_px:
            continue
        box = (shown[0], view.y1, shown[1], view.y2)
        if rng is None:
            items.append(Detection(view.label, _CLEAN_SCORE, *_clip(box, camera)))
        elif rng.random() >= errors.miss_share:
            items.append(_blurred(view.label, box, camera, errors, bounce, rng))
    if rng is not None:
        items += [_ghost(camera, rng) for _ in range(poisson(errors.ghosts_per_picture, rng))]
    return Detections(stamp_ns, camera.width_px, camera.height_px, tuple(items))


@lru_cache(maxsize=8)
def _rotation(camera: CameraModel) -> tuple[tuple[float, ...], ...]:
    """Return the rows of the rotation from base_link to the camera's body."""
    return tuple(tuple(row) for row in camera.rotation.T.tolist())


def _project(box: Box, camera: CameraModel) -> _View | None:
    """Return a body's box in the picture, None when it is outside or not wholly before the camera."""
    if box.x_m + box.length_m + box.width_m < camera.x_m:
        return None
    (a, b, c), (d, e, f), (g, h, i) = _rotation(camera)
    bottom = box.kind.bottom_m - camera.height_m
    top = bottom + box.height_m
    us, vs, nearest = [], [], math.inf
    for corner_x, corner_y in box.outline:
        x, y = corner_x - camera.x_m, corner_y - camera.y_m
        nearest = min(nearest, math.hypot(x, y))
        for z in (bottom, top):
            depth = max(a * x + b * y + c * z, _NEAR_M)
            us.append(camera.cx_px - camera.fx_px * (d * x + e * y + f * z) / depth)
            vs.append(camera.cy_px - camera.fy_px * (g * x + h * y + i * z) / depth)
    x1, x2 = max(min(us), 0.0), min(max(us), camera.width_px - 1.0)
    y1, y2 = max(min(vs), 0.0), min(max(vs), camera.height_px - 1.0)
    if x2 <= x1 or y2 <= y1:
        return None
    return _View(nearest, x1, y1, x2, y2, box.kind.label)


def _shown(view: _View, nearer: list[_View]) -> tuple[float, float] | None:
    """Return the widest part of a box, as columns, that no nearer box covers from below its middle upwards."""
    free = [(view.x1, view.x2)]
    middle = (view.y1 + view.y2) / 2.0
    for other in nearer:
        if other.y1 > middle or other.y2 < middle:
            continue
        free = [part for low, high in free for part in ((low, min(high, other.x1)), (max(low, other.x2), high))
                if part[1] > part[0]]  # fmt: skip
    return max(free, key=lambda part: part[1] - part[0], default=None)


def _blurred(
    label: ObjectClass,
    box: tuple[float, float, float, float],
    camera: CameraModel,
    errors: CameraErrors,
    bounce_px: float,
    rng: Random,
) -> Detection:
    x1, y1, x2, y2 = (edge + rng.gauss(0.0, errors.edge_sigma_px) for edge in box)
    if rng.random() < errors.confused_share:
        label = rng.choice((ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST, ObjectClass.TRAFFIC_SIGN))
    low, high = sorted((x1, x2))
    top, bottom = sorted((y1 + bounce_px, y2 + bounce_px))
    return Detection(label, rng.uniform(0.55, 0.97), *_clip((low, top, high, bottom), camera))


def _clip(box: tuple[float, float, float, float], camera: CameraModel) -> tuple[float, float, float, float]:
    right, bottom = camera.width_px - 1.0, camera.height_px - 1.0
    x1, y1, x2, y2 = box
    return min(max(x1, 0.0), right), min(max(y1, 0.0), bottom), min(max(x2, 0.0), right), min(max(y2, 0.0), bottom)


def _ghost(camera: CameraModel, rng: Random) -> Detection:
    """Return a box of nothing: somewhere on the road, as large as traffic is there."""
    distance = rng.uniform(10.0, 80.0)
    height = 1.6 * camera.fy_px / distance
    x, bottom = rng.uniform(0.0, camera.width_px), camera.horizon_row_px() + camera.fy_px * camera.height_m / distance
    label = rng.choice((ObjectClass.CAR, ObjectClass.PEDESTRIAN))
    half = height * (0.6 if label is ObjectClass.CAR else 0.2)
    return Detection(label, rng.uniform(0.4, 0.7), *_clip((x - half, bottom - height, x + half, bottom), camera))
