"""What the sensors can meet, and the models of radars, ultrasonic rangers and ego sensors.

Mounts and fields of view are those that perception assumes. All models are pure functions of the scene, given in
base_link, and a random generator; None in its place means a faultless sensor: no noise, no misses, no ghosts.
Plain floats throughout: a scene holds a few bodies, and NumPy costs more than it saves on so little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Mount, Params, param
from adas_perception.perception.radar import Radars
from adas_perception.perception.ultrasonic import SENSORS, Ring
from adas_perception.sim.bodies import CAR, Kind
from adas_perception.types import EgoState, RadarScan, UltrasonicEcho

FloatArray = NDArray[np.float64]
Point = tuple[float, float]
# Range, azimuth, range rate and height, all as the radar sees them.
Reflection = tuple[float, float, float, float]


@dataclass(frozen=True)
class Box:
    """A solid body seen from the ego: centre, heading and velocity over ground in base_link axes."""

    x_m: float
    y_m: float
    yaw_rad: float
    length_m: float
    width_m: float
    height_m: float
    vx_mps: float
    vy_mps: float
    kind: Kind = CAR

    @property
    def outline(self) -> tuple[Point, Point, Point, Point]:
        """Return the corners in base_link, counter-clockwise from front left."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        ax, ay = c * self.length_m / 2.0, s * self.length_m / 2.0
        bx, by = -s * self.width_m / 2.0, c * self.width_m / 2.0
        x, y = self.x_m, self.y_m
        return (x + ax + bx, y + ay + by), (x - ax + bx, y - ay + by), (x - ax - bx, y - ay - by), (
            x + ax - bx, y + ay - by,
        )  # fmt: skip

    def corners(self) -> FloatArray:
        """Corners (4, 2) in base_link, counter-clockwise from front left."""
        return np.array(self.outline)


@dataclass(frozen=True)
class Surroundings:
    """What the sensors can meet: bodies, and points (N, 2) of guard rails, both in base_link."""

    boxes: tuple[Box, ...]
    rail_xy_m: FloatArray = field(default_factory=lambda: np.empty((0, 2)))


# --- radar --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RadarErrors(Params):
    """How one radar errs; the defaults are a 77 GHz long-range front radar."""

    range_sigma_m: float = param(0.15, "range noise", unit="m", low=0.0, high=2.0)
    azimuth_sigma_rad: float = param(0.004, "azimuth noise", unit="rad", low=0.0, high=0.1)
    rate_sigma_mps: float = param(0.1, "range-rate noise", unit="m/s", low=0.0, high=2.0)
    miss_share: float = param(0.03, "share of points lost", low=0.0, high=1.0)
    ghosts_per_scan: float = param(0.3, "mean number of random false points", low=0.0, high=20.0)
    half_elevation_rad: float = param(0.14, "half the vertical field of view", unit="rad", low=0.01, high=1.6)
    elevation_sigma_rad: float = param(0.0, "elevation noise", unit="rad", low=0.0, high=0.2)


FRONT_ERRORS = RadarErrors()
CORNER_ERRORS = RadarErrors(range_sigma_m=0.2, azimuth_sigma_rad=0.015, rate_sigma_mps=0.15)
RADARS = {"front": FRONT_ERRORS, "rear_left": CORNER_ERRORS, "rear_right": CORNER_ERRORS}

_SENSORS = Radars()
# Long bodies return a point at least so often along a face.
_LONG_M, _LONG_SPACING_M = 8.0, 4.0
# What stands lower does not hide what is behind it.
_HIDING_M = 0.5


def scan_radar(
    name: str,
    errors: RadarErrors,
    stamp_ns: int,
    ego: EgoState,
    scene: Surroundings,
    rng: Random | None,
    ghosts: Sequence[Reflection] = (),
) -> RadarScan:
    """Measure the scene with one radar; points and range rates are relative to the moving sensor."""
    sensor = _SENSORS.named(name)
    mount, half_fov, reach = sensor.mount, sensor.half_fov_rad, sensor.range_max_m
    own = (ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m)
    shadows = [(_shadow(box, mount), box) for box in scene.boxes if _top_m(box) > _HIDING_M]
    found: list[Reflection] = list(ghosts)

    def look_at(x: float, y: float, z: float, vx: float, vy: float, body: Box | None, far: float) -> None:
        dx, dy = x - mount.x_m, y - mount.y_m
        distance = math.hypot(dx, dy)
        azimuth = math.remainder(math.atan2(dy, dx) - mount.yaw_rad, math.tau)
        if not 0.3 < distance < far or abs(azimuth) >= half_fov:
            return
        if abs(z - mount.z_m) > math.tan(errors.half_elevation_rad) * distance:
            return
        if any(box is not body and shadow.covers(azimuth, distance) for shadow, box in shadows):
            return
        rate = ((vx - own[0]) * dx + (vy - own[1]) * dy) / distance
        found.append((distance, azimuth, rate, z - mount.z_m))

    for x, y in scene.rail_xy_m.tolist():
        look_at(x, y, 0.6, 0.0, 0.0, None, reach)
    for box in scene.boxes:
        far = min(reach, box.kind.radar_range_m)
        nearest = math.hypot(box.x_m - mount.x_m, box.y_m - mount.y_m) - box.length_m - box.width_m
        if nearest < far and _in_view(box, mount, half_fov):
            for x, y, z in _reflections(box, mount, rng):
                look_at(x, y, z, box.vx_mps, box.vy_mps, box, far)
    if rng is not None:
        found = _err(found, errors, half_fov, reach, rng)
    return _as_scan(stamp_ns, name, found)


def _as_scan(stamp_ns: int, name: str, found: list[Reflection]) -> RadarScan:
    if not found:
        return RadarScan(stamp_ns, name, np.empty((0, 3)), np.empty(0))
    xyz = [(distance * math.cos(azimuth), distance * math.sin(azimuth), z) for distance, azimuth, _, z in found]
    return RadarScan(stamp_ns, name, np.array(xyz), np.array([point[2] for point in found]))


def _err(
    found: list[Reflection], e: RadarErrors, half_fov: float, reach: float, rng: Random
) -> list[Reflection]:
    """Lose some points, add ghosts, and blur them all."""
    kept = [point for point in found if rng.random() >= e.miss_share]
    for _ in range(poisson(e.ghosts_per_scan, rng)):
        kept.append((rng.uniform(5.0, reach), rng.uniform(-half_fov, half_fov), rng.uniform(-30.0, 10.0), 0.0))
    gauss = rng.gauss
    return [
        (
            max(distance + gauss(0.0, e.range_sigma_m), 0.0),
            azimuth + gauss(0.0, e.azimuth_sigma_rad),
            rate + gauss(0.0, e.rate_sigma_mps),
            z + distance * gauss(0.0, e.elevation_sigma_rad) if e.elevation_sigma_rad else z,
        )
        for distance, azimuth, rate, z in kept
    ]


def poisson(mean: float, rng: Random) -> int:
    """Draw from a Poisson distribution of a small mean (Knuth)."""
    count, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _top_m(box: Box) -> float:
    return box.height_m if box.kind.bottom_m == 0.0 else 0.0


def _in_view(box: Box, mount: Mount, half_fov: float) -> bool:
    """Tell whether any part of a body may lie in the horizontal field of view."""
    dx, dy = box.x_m - mount.x_m, box.y_m - mount.y_m
    radius, distance = math.hypot(box.length_m, box.width_m) / 2.0, math.hypot(dx, dy)
    if distance <= radius:
        return True
    azimuth = math.remainder(math.atan2(dy, dx) - mount.yaw_rad, math.tau)
    return abs(azimuth) < half_fov + math.asin(radius / distance)


def _reflections(box: Box, mount: Mount, rng: Random | None) -> list[tuple[float, float, float]]:
    """Return points x, y, z on the faces that look at the sensor."""
    c, s = math.cos(box.yaw_rad), math.sin(box.yaw_rad)
    dx, dy = mount.x_m - box.x_m, mount.y_m - box.y_m
    along, across = c * dx + s * dy, c * dy - s * dx  # the sensor as the body sees it
    half_l, half_w = box.length_m / 2.0, box.width_m / 2.0
    points: list[tuple[float, float]] = []
    if abs(along) > half_l:
        face = math.copysign(half_l, along)
        share = (abs(along) - half_l) / math.hypot(abs(along) - half_l, across)
        points += [(face, v) for v in _spread(half_w, share * box.kind.radar_points, share, rng)]
    if abs(across) > half_w:
        face = math.copysign(half_w, across)
        share = (abs(across) - half_w) / math.hypot(abs(across) - half_w, along)
        points += [(u, face) for u in _spread(half_l, share * box.kind.radar_points, share, rng)]
    bottom, height = box.kind.bottom_m, box.height_m
    low, high = bottom + min(0.3, 0.5 * height), bottom + min(0.8, height)
    return [
        (
            box.x_m + c * u - s * v,
            box.y_m + s * u + c * v,
            (low + high) / 2.0 if rng is None else rng.uniform(low, high),
        )
        for u, v in points
    ]


def _spread(half_m: float, mean_further: float, share: float, rng: Random | None) -> list[float]:
    """Return where on a face of half width ``half_m`` points lie; a face seen at a slant returns fewer or none."""
    if share < 0.05:
        return []
    count = 1 + (round(mean_further) if rng is None else poisson(mean_further, rng))
    if 2.0 * half_m > _LONG_M:
        count = max(count, math.ceil(2.0 * half_m / _LONG_SPACING_M))
    if rng is None:
        return [0.8 * half_m * ((2 * k + 1) / count - 1.0) for k in range(count)]
    return [rng.uniform(-0.8, 0.8) * half_m for _ in range(count)]


@dataclass(frozen=True, slots=True)
class _Shadow:
    """What a body hides from a sensor: azimuths around its centre, beyond its farthest corner."""

    azimuth_rad: float
    half_rad: float
    beyond_m: float

    def covers(self, azimuth_rad: float, distance_m: float) -> bool:
        """Tell whether a point at this bearing and distance is hidden."""
        beyond = distance_m > self.beyond_m
        return beyond and abs(math.remainder(azimuth_rad - self.azimuth_rad, math.tau)) < self.half_rad


def _shadow(box: Box, mount: Mount) -> _Shadow:
    centre = math.atan2(box.y_m - mount.y_m, box.x_m - mount.x_m)
    half = far = 0.0
    for x, y in box.outline:
        dx, dy = x - mount.x_m, y - mount.y_m
        half = max(half, abs(math.remainder(math.atan2(dy, dx) - centre, math.tau)))
        far = max(far, math.hypot(dx, dy))
    return _Shadow(math.remainder(centre - mount.yaw_rad, math.tau), half, far + 0.1)


# --- ultrasonic ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UltrasonicModel(Params):
    """What all twelve rangers share."""

    half_cone_rad: float = param(0.60, "half the opening angle", unit="rad", low=0.1, high=1.2)
    range_min_m: float = param(0.15, "shortest range", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.5, "largest range", unit="m", low=1.0, high=10.0)
    sigma_m: float = param(0.01, "range noise", unit="m", low=0.0, high=0.5)


_MOUNTS: tuple[tuple[str, Mount], ...] = tuple((name, getattr(Ring(), name)) for name in SENSORS)
_FACE_POINTS = 40


def range_ultrasonic(
    stamp_ns: int, scene: Surroundings, rng: Random | None, model: UltrasonicModel | None = None
) -> tuple[UltrasonicEcho, ...]:
    """Measure with all rangers; a ranger that meets nothing returns infinity."""
    p = model or UltrasonicModel()
    surface = _surface(scene, p.range_max_m)
    echoes = []
    for name, mount in _MOUNTS:
        nearest = _nearest(surface, mount, p.half_cone_rad) if len(surface) else math.inf
        noisy = nearest if rng is None else nearest + rng.gauss(0.0, p.sigma_m)
        heard = noisy <= p.range_max_m
        echoes.append(UltrasonicEcho(stamp_ns, name, max(noisy, p.range_min_m) if heard else math.inf))
    return tuple(echoes)


def _surface(scene: Surroundings, range_m: float) -> FloatArray:
    """Return points (N, 2) of everything that the rangers might hear."""
    parts = [scene.rail_xy_m[np.hypot(*(scene.rail_xy_m - (1.4, 0.0)).T) < range_m + 3.0]]
    share = np.linspace(0.0, 1.0, _FACE_POINTS, endpoint=False)[:, None, None]
    for box in scene.boxes:
        reach = math.hypot(box.length_m, box.width_m) / 2.0 + range_m + 3.0
        if math.hypot(box.x_m - 1.4, box.y_m) < reach and _top_m(box) > 0.1:
            corners = box.corners()
            parts.append((corners + share * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 2))
    return np.concatenate(parts)


def _nearest(surface: FloatArray, mount: Mount, half_cone_rad: float) -> float:
    dx, dy = surface[:, 0] - mount.x_m, surface[:, 1] - mount.y_m
    bearing = (np.arctan2(dy, dx) - mount.yaw_rad + math.pi) % math.tau - math.pi
    distance = np.hypot(dx, dy)[np.abs(bearing) < half_cone_rad]
    return float(distance.min()) if len(distance) else math.inf


# --- wheel speeds, yaw rate, steering ------------------------------------------------------------------------


@dataclass(frozen=True)
class EgoNoise(Params):
    """Deviations of the ego sensors."""

    speed_sigma_mps: float = param(0.02, "wheel-speed noise", unit="m/s", low=0.0, high=1.0)
    accel_sigma_mps2: float = param(0.05, "acceleration noise", unit="m/s2", low=0.0, high=1.0)
    yaw_rate_sigma_radps: float = param(0.001, "yaw-rate noise", unit="rad/s", low=0.0, high=0.1)
    steering_sigma_rad: float = param(0.0003, "steering-angle noise", unit="rad", low=0.0, high=0.01)


def noisy_ego(ego: EgoState, noise: EgoNoise, rng: Random) -> EgoState:
    """Return the ego state as real sensors report it; standstill and pose stay exact."""
    if ego.speed_mps == 0.0:
        return ego
    return replace(
        ego,
        speed_mps=ego.speed_mps + rng.gauss(0.0, noise.speed_sigma_mps),
        accel_mps2=ego.accel_mps2 + rng.gauss(0.0, noise.accel_sigma_mps2),
        yaw_rate_radps=ego.yaw_rate_radps + rng.gauss(0.0, noise.yaw_rate_sigma_radps),
        steering_rad=ego.steering_rad + rng.gauss(0.0, noise.steering_sigma_rad),
    )


def overlap(a: Sequence[Point], b: Sequence[Point]) -> bool:
    """Tell whether two rectangles, given by their corners in order, touch (separating axes)."""
    for first, second in ((a, b), (b, a)):
        for (x0, y0), (x1, y1) in ((first[0], first[1]), (first[1], first[2])):
            ax, ay = x1 - x0, y1 - y0
            own = [x * ax + y * ay for x, y in first]
            other = [x * ax + y * ay for x, y in second]
            if max(own) < min(other) or max(other) < min(own):
                return False
    return True
