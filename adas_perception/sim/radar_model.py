"""The radars: points on the near faces of bodies and on guard rails, blurred, with misses and ghosts.

A face returns points where the radar sees it, however little that is: cars have reflection centres all over (corners,
wheel houses, flat parts; Buehren and Yang 2006), and a corner radar beside a car sees the near end of its flank.

Mounts and fields of view are those that perception assumes. Without a random generator the radar is faultless.
Plain floats throughout: a scene holds a few bodies, and NumPy costs more than it saves on so little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from adas_perception.params import Mount, Params, param
from adas_perception.perception import radar
from adas_perception.sim.sensors import Box, Surroundings, poisson
from adas_perception.types import EgoState, RadarScan

# Range, azimuth, range rate and height, all as the radar sees them.
Reflection = tuple[float, float, float, float]


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
RADARS = {name: FRONT_ERRORS if name == "front" else CORNER_ERRORS for name in radar.RADARS}

_SENSORS = radar.Radars()
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
    found: list[Reflection] = list(ghosts)
    bodies = [box for box in scene.boxes if _in_view(box, mount, half_fov, min(reach, box.kind.radar_range_m))]
    if bodies or len(scene.rail_xy_m):
        found += _seen(bodies, scene, mount, half_fov, reach, math.tan(errors.half_elevation_rad), ego, rng)
    if rng is not None:
        found = _err(found, errors, half_fov, reach, rng)
    return _as_scan(stamp_ns, name, found)


def _seen(
    bodies: list[Box],
    scene: Surroundings,
    mount: Mount,
    half_fov: float,
    reach: float,
    steepest: float,
    ego: EgoState,
    rng: Random | None,
) -> list[Reflection]:
    """Return the reflections of bodies and rails that the radar sees; ``steepest`` is the tangent of its elevation."""
    own = (ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m)
    alone = len(scene.boxes) == 1 and not len(scene.rail_xy_m)
    shadows = [] if alone else [(_shadow(box, mount), box) for box in scene.boxes if box.top_m > _HIDING_M]
    found = []

    def look_at(x: float, y: float, z: float, vx: float, vy: float, body: Box | None) -> None:
        dx, dy = x - mount.x_m, y - mount.y_m
        distance = math.hypot(dx, dy)
        azimuth = math.remainder(math.atan2(dy, dx) - mount.yaw_rad, math.tau)
        if not 0.3 < distance < reach or abs(azimuth) >= half_fov or abs(z - mount.z_m) > steepest * distance:
            return
        for shadow, box in shadows:
            if distance > shadow.beyond_m and box is not body and shadow.covers(azimuth):
                return
        rate = ((vx - own[0]) * dx + (vy - own[1]) * dy) / distance
        found.append((distance, azimuth, rate, z - mount.z_m))

    for x, y in scene.rail_xy_m.tolist():
        look_at(x, y, 0.6, 0.0, 0.0, None)
    for box in bodies:
        for x, y, z in _reflections(box, mount, half_fov, rng):
            look_at(x, y, z, box.vx_mps, box.vy_mps, box)
    return found


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


def _in_view(box: Box, mount: Mount, half_fov: float, far_m: float) -> bool:
    """Tell whether any part of a body may lie in the horizontal field of view and nearer than ``far_m``."""
    dx, dy = box.x_m - mount.x_m, box.y_m - mount.y_m
    radius, distance = math.hypot(box.length_m, box.width_m) / 2.0, math.hypot(dx, dy)
    if distance <= radius:
        return True
    azimuth = math.remainder(math.atan2(dy, dx) - mount.yaw_rad, math.tau)
    return distance - radius < far_m and abs(azimuth) < half_fov + math.asin(radius / distance)


def _reflections(box: Box, mount: Mount, half_fov: float, rng: Random | None) -> list[tuple[float, float, float]]:
    """Return points x, y, z on the parts of the faces that look at the sensor and lie in its field of view."""
    c, s = math.cos(box.yaw_rad), math.sin(box.yaw_rad)
    dx, dy = mount.x_m - box.x_m, mount.y_m - box.y_m
    along, across = c * dx + s * dy, c * dy - s * dx  # the sensor as the body sees it
    axis = mount.yaw_rad - box.yaw_rad
    edges = (axis - half_fov, axis + half_fov)
    half_l, half_w = box.length_m / 2.0, box.width_m / 2.0
    mean = box.kind.radar_points
    points: list[tuple[float, float]] = []
    if abs(along) > half_l:
        face = math.copysign(half_l, along)
        seen = _clip(half_w, [((face - along) * math.sin(e) + across * math.cos(e), -math.cos(e)) for e in edges])
        points += [(face, v) for v in _spread(seen, across, abs(along) - half_l, mean, rng)]
    if abs(across) > half_w:
        face = math.copysign(half_w, across)
        seen = _clip(half_l, [(-along * math.sin(e) - (face - across) * math.cos(e), math.sin(e)) for e in edges])
        points += [(u, face) for u in _spread(seen, along, abs(across) - half_w, mean, rng)]
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


def _clip(half_m: float, edges: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the part of a face from -half_m to half_m that lies between the edges of a field of view.

    An edge is given by the offset and slope of its distance along the face: right of the first edge and left of the
    second one nothing is seen. The field of view opens by less than 180 degrees.
    """
    low, high = -half_m, half_m
    for sign, (offset, slope) in zip((-1.0, 1.0), edges, strict=True):
        # Seen is where sign * (offset + slope * u) is positive.
        offset, slope = sign * offset, sign * slope
        if slope > 0.0:
            low = max(low, -offset / slope)
        elif slope < 0.0:
            high = min(high, -offset / slope)
        elif offset < 0.0:
            high = low
    return low, high


def _spread(
    seen: tuple[float, float], abeam: float, off: float, mean_further: float, rng: Random | None
) -> list[float]:
    """Return where on the seen part of a face points lie; a face seen at a slant returns fewer or none.

    ``abeam`` is where along the face the sensor is, ``off`` how far from it.
    """
    middle, half = (seen[0] + seen[1]) / 2.0, (seen[1] - seen[0]) / 2.0
    if half <= 0.0:
        return []
    share = off / math.hypot(off, abeam - middle)
    if share < 0.05:
        return []
    mean = share * mean_further
    count = 1 + (round(mean) if rng is None else poisson(mean, rng))
    if 2.0 * half > _LONG_M:
        count = max(count, math.ceil(2.0 * half / _LONG_SPACING_M))
    if rng is None:
        return [middle + 0.8 * half * ((2 * k + 1) / count - 1.0) for k in range(count)]
    return [middle + rng.uniform(-0.8, 0.8) * half for _ in range(count)]


@dataclass(frozen=True, slots=True)
class _Shadow:
    """What a body hides from a sensor: azimuths around its centre, beyond its farthest corner."""

    azimuth_rad: float
    half_rad: float
    beyond_m: float

    def covers(self, azimuth_rad: float) -> bool:
        """Tell whether the bearing of a point is within the shadow."""
        return abs(math.remainder(azimuth_rad - self.azimuth_rad, math.tau)) < self.half_rad


def _shadow(box: Box, mount: Mount) -> _Shadow:
    centre = math.atan2(box.y_m - mount.y_m, box.x_m - mount.x_m)
    half = far = 0.0
    for x, y in box.outline:
        dx, dy = x - mount.x_m, y - mount.y_m
        half = max(half, abs(math.remainder(math.atan2(dy, dx) - centre, math.tau)))
        far = max(far, math.hypot(dx, dy))
    return _Shadow(math.remainder(centre - mount.yaw_rad, math.tau), half, far + 0.1)
