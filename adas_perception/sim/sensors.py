"""Sensor models: radars that see the near faces of cars, guard rails and ghosts; ultrasonic rangers; ego noise.

Mounts and fields of view are those that perception assumes. All models are pure functions of the scene, given in
base_link, and a random generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Mount, Params, param
from adas_perception.perception.radar import Radars
from adas_perception.perception.ultrasonic import SENSORS, Ring
from adas_perception.types import EgoState, RadarScan, UltrasonicEcho

FloatArray = NDArray[np.float64]


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

    def corners(self) -> FloatArray:
        """Corners (4, 2) in base_link, counter-clockwise from front left."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (self.length_m / 2.0, self.width_m / 2.0)
        return np.asarray(half @ np.array([[c, s], [-s, c]]) + (self.x_m, self.y_m))


@dataclass(frozen=True)
class Surroundings:
    """What the sensors can meet: bodies, and points (N, 2) of guard rails, both in base_link."""

    boxes: tuple[Box, ...]
    rail_xy_m: FloatArray


@dataclass(frozen=True)
class RadarErrors(Params):
    """How one radar errs; the defaults are a 77 GHz long-range front radar."""

    range_sigma_m: float = param(0.15, "range noise", unit="m", low=0.0, high=2.0)
    azimuth_sigma_rad: float = param(0.004, "azimuth noise", unit="rad", low=0.0, high=0.1)
    rate_sigma_mps: float = param(0.1, "range-rate noise", unit="m/s", low=0.0, high=2.0)
    miss_share: float = param(0.03, "share of points lost", low=0.0, high=1.0)
    ghosts_per_scan: float = param(0.3, "mean number of random false points", low=0.0, high=20.0)


FRONT_ERRORS = RadarErrors()
CORNER_ERRORS = RadarErrors(range_sigma_m=0.2, azimuth_sigma_rad=0.015, rate_sigma_mps=0.15)
# No error at all, for tests of geometry.
PERFECT = RadarErrors(0.0, 0.0, 0.0, 0.0, 0.0)
RADARS = {"front": FRONT_ERRORS, "rear_left": CORNER_ERRORS, "rear_right": CORNER_ERRORS}


def scan_radar(
    name: str, errors: RadarErrors, stamp_ns: int, ego: EgoState, scene: Surroundings, rng: np.random.Generator
) -> RadarScan:
    """Measure the scene with one radar; points and range rates are relative to the moving sensor."""
    sensor = Radars().named(name)
    mount, half_fov, reach = sensor.mount, sensor.half_fov_rad, sensor.range_max_m
    ego_velocity = np.array([ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m])
    points, velocities, heights = _reflections(scene, np.array([mount.x_m, mount.y_m]), rng)
    relative = points - (mount.x_m, mount.y_m)
    distance = np.hypot(relative[:, 0], relative[:, 1])
    azimuth = _wrap(np.arctan2(relative[:, 1], relative[:, 0]) - mount.yaw_rad)
    rate = np.einsum("ij,ij->i", velocities - ego_velocity, relative) / np.maximum(distance, 1e-6)

    seen = (np.abs(azimuth) < half_fov) & (distance > 0.3) & (distance < reach)
    seen &= ~_hidden(points, scene.boxes, mount) & (rng.random(len(points)) >= errors.miss_share)
    distance, azimuth, rate, z = distance[seen], azimuth[seen], rate[seen], heights[seen] - mount.z_m

    ghosts = int(rng.poisson(errors.ghosts_per_scan))
    distance = np.concatenate([distance, rng.uniform(5.0, reach, ghosts)])
    azimuth = np.concatenate([azimuth, rng.uniform(-half_fov, half_fov, ghosts)])
    rate = np.concatenate([rate, rng.uniform(-30.0, 10.0, ghosts)])
    z = np.concatenate([z, np.zeros(ghosts)])

    n = len(distance)
    distance = distance + rng.normal(0.0, errors.range_sigma_m, n)
    azimuth = azimuth + rng.normal(0.0, errors.azimuth_sigma_rad, n)
    rate = rate + rng.normal(0.0, errors.rate_sigma_mps, n)
    xyz = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth), z], axis=-1)
    return RadarScan(stamp_ns, name, xyz, rate)


def _reflections(
    scene: Surroundings, sensor: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (N, 2), velocities (N, 2) and heights (N,) that face the sensor: bodies first, then the rails."""
    points: list[FloatArray] = [scene.rail_xy_m]
    velocities: list[FloatArray] = [np.zeros_like(scene.rail_xy_m)]
    heights: list[FloatArray] = [np.full(len(scene.rail_xy_m), 0.6)]
    for box in scene.boxes:
        corners = box.corners()
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            edge = end - start
            outward = np.array([edge[1], -edge[0]])
            toward = sensor - (start + end) / 2.0
            facing = float(outward @ toward) / (np.hypot(*edge) * max(np.hypot(*toward), 1e-6))
            if facing < 0.05:
                continue
            # A face seen square on returns more points than one seen at a slant.
            count = 1 + int(rng.poisson(3.0 * facing))
            along = rng.uniform(0.1, 0.9, (count, 1))
            points.append(start + along * edge)
            velocities.append(np.tile([box.vx_mps, box.vy_mps], (count, 1)))
            heights.append(rng.uniform(0.3, 0.8, count))
    return np.concatenate(points), np.concatenate(velocities), np.concatenate(heights)


def _hidden(points: FloatArray, boxes: tuple[Box, ...], mount: Mount) -> NDArray[np.bool_]:
    """Tell which points lie behind a body: within its angle and farther than its farthest corner."""
    hidden = np.zeros(len(points), dtype=bool)
    azimuth = np.arctan2(points[:, 1] - mount.y_m, points[:, 0] - mount.x_m)
    distance = np.hypot(points[:, 0] - mount.x_m, points[:, 1] - mount.y_m)
    for box in boxes:
        corners = box.corners() - (mount.x_m, mount.y_m)
        centre = math.atan2(box.y_m - mount.y_m, box.x_m - mount.x_m)
        half = np.max(np.abs(_wrap(np.arctan2(corners[:, 1], corners[:, 0]) - centre)))
        behind = distance > np.max(np.hypot(corners[:, 0], corners[:, 1])) + 0.1
        hidden |= behind & (np.abs(_wrap(azimuth - centre)) < half)
    return hidden


def _wrap(angle: FloatArray) -> FloatArray:
    return (angle + math.pi) % math.tau - math.pi


# --- ultrasonic ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UltrasonicModel(Params):
    """What all twelve rangers share."""

    half_cone_rad: float = param(0.60, "half the opening angle", unit="rad", low=0.1, high=1.2)
    range_min_m: float = param(0.15, "shortest range", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.5, "largest range", unit="m", low=1.0, high=10.0)
    sigma_m: float = param(0.01, "range noise", unit="m", low=0.0, high=0.5)


def range_ultrasonic(
    stamp_ns: int, scene: Surroundings, rng: np.random.Generator, model: UltrasonicModel | None = None
) -> tuple[UltrasonicEcho, ...]:
    """Measure with all rangers; a ranger that meets nothing returns infinity."""
    p, ring = model or UltrasonicModel(), Ring()
    surfaces = [scene.rail_xy_m]
    for box in scene.boxes:
        if math.hypot(box.x_m, box.y_m) < 20.0:
            corners = box.corners()
            share = np.linspace(0.0, 1.0, 40, endpoint=False)[:, None, None]
            surfaces.append((corners + share * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 2))
    surface = np.concatenate(surfaces)
    echoes = []
    for name in SENSORS:
        mount: Mount = getattr(ring, name)
        dx, dy = surface[:, 0] - mount.x_m, surface[:, 1] - mount.y_m
        within = np.abs(_wrap(np.arctan2(dy, dx) - mount.yaw_rad)) < p.half_cone_rad
        distance = np.hypot(dx, dy)[within]
        nearest = float(distance.min()) if len(distance) else math.inf
        noisy = nearest + float(rng.normal(0.0, p.sigma_m))
        heard = noisy <= p.range_max_m
        echoes.append(UltrasonicEcho(stamp_ns, name, max(noisy, p.range_min_m) if heard else math.inf))
    return tuple(echoes)


# --- wheel speeds, yaw rate, steering ------------------------------------------------------------------------


@dataclass(frozen=True)
class EgoNoise(Params):
    """Deviations of the ego sensors."""

    speed_sigma_mps: float = param(0.02, "wheel-speed noise", unit="m/s", low=0.0, high=1.0)
    accel_sigma_mps2: float = param(0.05, "acceleration noise", unit="m/s2", low=0.0, high=1.0)
    yaw_rate_sigma_radps: float = param(0.001, "yaw-rate noise", unit="rad/s", low=0.0, high=0.1)
    steering_sigma_rad: float = param(0.0003, "steering-angle noise", unit="rad", low=0.0, high=0.01)


def noisy_ego(ego: EgoState, noise: EgoNoise, rng: np.random.Generator) -> EgoState:
    """Return the ego state as real sensors report it; standstill and pose stay exact."""
    if ego.speed_mps == 0.0:
        return ego
    speed, accel, yaw_rate, steering = rng.normal(0.0, 1.0, 4)
    return replace(
        ego,
        speed_mps=ego.speed_mps + noise.speed_sigma_mps * float(speed),
        accel_mps2=ego.accel_mps2 + noise.accel_sigma_mps2 * float(accel),
        yaw_rate_radps=ego.yaw_rate_radps + noise.yaw_rate_sigma_radps * float(yaw_rate),
        steering_rad=ego.steering_rad + noise.steering_sigma_rad * float(steering),
    )
