"""The twelve ultrasonic rangers: the nearest surface in the cone of each. Without a random generator no noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np

from adas_perception.params import Mount, Params, param
from adas_perception.perception.ultrasonic import SENSORS, Ring
from adas_perception.sim.sensors import Box, FloatArray, Surroundings
from adas_perception.types import UltrasonicEcho


@dataclass(frozen=True)
class UltrasonicModel(Params):
    """What all twelve rangers share."""

    half_cone_rad: float = param(0.60, "half the opening angle", unit="rad", low=0.1, high=1.2)
    range_min_m: float = param(0.15, "shortest range", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.5, "largest range", unit="m", low=1.0, high=10.0)
    sigma_m: float = param(0.01, "range noise", unit="m", low=0.0, high=0.5)


_MOUNTS: tuple[tuple[str, Mount], ...] = tuple((name, getattr(Ring(), name)) for name in SENSORS)
_FACE_POINTS = 40
_NOTHING: FloatArray = np.empty((0, 2))
_CAR_MIDDLE_M, _CAR_RADIUS_M = 1.4, 3.0


def range_ultrasonic(
    stamp_ns: int, scene: Surroundings, rng: Random | None, model: UltrasonicModel | None = None
) -> tuple[UltrasonicEcho, ...]:
    """Measure with all rangers; a ranger that meets nothing returns infinity."""
    p = model or UltrasonicModel()
    near = [box for box in scene.boxes if box.top_m > 0.1 and _near_car(box, p.range_max_m)]
    surface = _surface(near, scene.rail_xy_m, p.range_max_m) if near or len(scene.rail_xy_m) else _NOTHING
    echoes = []
    for name, mount in _MOUNTS:
        nearest = _nearest(surface, mount, p.half_cone_rad) if len(surface) else math.inf
        noisy = nearest if rng is None else nearest + rng.gauss(0.0, p.sigma_m)
        heard = noisy <= p.range_max_m
        echoes.append(UltrasonicEcho(stamp_ns, name, max(noisy, p.range_min_m) if heard else math.inf))
    return tuple(echoes)


def _near_car(box: Box, range_m: float) -> bool:
    reach = math.hypot(box.length_m, box.width_m) / 2.0 + range_m + _CAR_RADIUS_M
    return math.hypot(box.x_m - _CAR_MIDDLE_M, box.y_m) < reach


def _surface(boxes: list[Box], rail_xy_m: FloatArray, range_m: float) -> FloatArray:
    """Return points (N, 2) of everything that the rangers might hear."""
    parts = [rail_xy_m[np.hypot(rail_xy_m[:, 0] - _CAR_MIDDLE_M, rail_xy_m[:, 1]) < range_m + _CAR_RADIUS_M]]
    share = np.linspace(0.0, 1.0, _FACE_POINTS, endpoint=False)[:, None, None]
    for box in boxes:
        corners = box.corners()
        parts.append((corners + share * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 2))
    return np.concatenate(parts)


def _nearest(surface: FloatArray, mount: Mount, half_cone_rad: float) -> float:
    dx, dy = surface[:, 0] - mount.x_m, surface[:, 1] - mount.y_m
    bearing = (np.arctan2(dy, dx) - mount.yaw_rad + math.pi) % math.tau - math.pi
    distance = np.hypot(dx, dy)[np.abs(bearing) < half_cone_rad]
    return float(distance.min()) if len(distance) else math.inf
