"""Radar detections to targets: into base_link, without outliers, grouped, with the car's own motion taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from adas_perception.params import Mount, Params, param
from adas_perception.types import EgoState, FloatArray, RadarScan, RadarTarget, RadarTargets, seconds


@dataclass(frozen=True)
class Coverage(Params):
    """Where a sensor sits and what it sees."""

    mount: Mount = Mount()
    half_fov_rad: float = param(1.0, "half of the horizontal field of view", unit="rad", low=0.02, high=math.pi)
    range_min_m: float = param(0.2, "smallest range", unit="m", low=0.0, high=10.0)
    range_max_m: float = param(200.0, "largest range", unit="m", low=1.0, high=400.0)

    def sees(self, x_m: FloatArray, y_m: FloatArray) -> FloatArray:
        """Return which points of base_link lie in the field of view, as booleans of the shape of ``x_m``."""
        dx, dy = x_m - self.mount.x_m, y_m - self.mount.y_m
        bearing = np.arctan2(dy, dx) - self.mount.yaw_rad
        bearing = (bearing + math.pi) % (2.0 * math.pi) - math.pi
        reach = np.hypot(dx, dy)
        inside = (reach >= self.range_min_m) & (reach <= self.range_max_m)
        return np.asarray(inside & (np.abs(bearing) <= self.half_fov_rad))


@dataclass(frozen=True)
class Radars(Params):
    """The radars of the car: one long-range radar at the front, two corner radars at the rear."""

    front: Coverage = Coverage(Mount(x_m=3.6, z_m=0.5))
    rear_left: Coverage = Coverage(
        Mount(x_m=-0.9, y_m=0.75, z_m=0.6, yaw_rad=2.36), half_fov_rad=1.31, range_max_m=90.0
    )
    rear_right: Coverage = Coverage(
        Mount(x_m=-0.9, y_m=-0.75, z_m=0.6, yaw_rad=-2.36), half_fov_rad=1.31, range_max_m=90.0
    )

    def named(self, sensor: str) -> Coverage:
        """Return the radar called ``sensor``; raises ValueError when the car has no such radar."""
        found = getattr(self, sensor, None)
        if not isinstance(found, Coverage):
            raise ValueError(f"there is no radar '{sensor}'; known: front, rear_left, rear_right")
        return found


@dataclass(frozen=True)
class RadarParams(Params):
    """How detections are filtered and grouped."""

    radars: Radars = Radars()
    gap_along_m: float = param(2.0, "detections of one object lie closer along x", unit="m", low=0.1, high=10.0)
    gap_across_m: float = param(1.5, "detections of one object lie closer along y", unit="m", low=0.1, high=10.0)
    gap_speed_mps: float = param(1.5, "detections of one object differ less in speed", unit="m/s", low=0.1, high=10.0)
    length_max_m: float = param(8.0, "longer groups (guard rails, trucks) are cut up", unit="m", low=1.0, high=50.0)
    face_depth_m: float = param(0.7, "depth of what counts as the near face", unit="m", low=0.1, high=5.0)
    speed_max_mps: float = param(120.0, "largest believable range rate", unit="m/s", low=10.0, high=200.0)
    height_min_m: float = param(-0.5, "lower detections are echoes of the road", unit="m", low=-5.0, high=1.0)
    height_max_m: float = param(3.5, "higher detections pass over the car", unit="m", low=1.0, high=20.0)


class RadarClusterer:
    """Turns the cycles of all radars into targets.

    ``rejected`` counts the detections that were dropped: not finite, outside the radar's own range and field of
    view, too fast, or not at the height of traffic.
    """

    def __init__(self, params: RadarParams) -> None:
        self._params = params
        self._way_m = 0.0
        self._ego_ns = 0
        self.rejected = 0

    def step(self, scan: RadarScan, ego: EgoState | None) -> RadarTargets:
        """Return the targets of one cycle; without ``ego`` their speed over ground is NaN.

        Raises ValueError for a sensor that the car does not have and for arrays that do not fit each other.
        """
        p = self._params
        sensor = p.radars.named(scan.sensor)
        points, rates = self._valid(scan, sensor)
        self.rejected += len(scan.range_rate) - len(rates)
        if not len(rates):
            return RadarTargets(scan.stamp_ns, scan.sensor)
        speeds = _over_ground(points, rates, sensor.mount, ego)
        if ego is not None:
            self._drive(ego)
        group = _groups(points, rates if ego is None else speeds, self._way_m, p)
        face = _near_face(points, group, sensor.mount, p.face_depth_m)
        values = np.column_stack([points, rates, speeds])[face]
        sums = np.column_stack([np.bincount(group[face], column) for column in values.T])
        means = sums / np.bincount(group[face])[:, None]
        items = tuple(
            RadarTarget(x, y, rate, speed, count, scan.sensor)
            for (x, y, rate, speed), count in zip(means.tolist(), np.bincount(group).tolist(), strict=True)
        )
        return RadarTargets(scan.stamp_ns, scan.sensor, items)

    def _drive(self, ego: EgoState) -> None:
        """Count the way driven: long groups are cut at marks that stand still on the road."""
        dt = seconds(ego.stamp_ns - self._ego_ns)
        if 0.0 < dt < 1.0:
            self._way_m += ego.speed_mps * dt
        self._ego_ns = ego.stamp_ns

    def _valid(self, scan: RadarScan, sensor: Coverage) -> tuple[FloatArray, FloatArray]:
        """Return the usable detections: points (N, 2) in base_link and their range rates (N,)."""
        xyz = np.asarray(scan.xyz, dtype=float)
        rates = np.asarray(scan.range_rate, dtype=float)
        if rates.ndim != 1 or xyz.shape != (len(rates), 3):
            raise ValueError(f"radar '{scan.sensor}': xyz {xyz.shape} must be (N, 3) and range_rate {rates.shape} (N,)")
        finite = np.isfinite(xyz).all(axis=1) & np.isfinite(rates)
        xyz, rates = xyz[finite], rates[finite]
        c, s = math.cos(sensor.mount.yaw_rad), math.sin(sensor.mount.yaw_rad)
        points = xyz[:, :2] @ np.array([[c, s], [-s, c]]) + (sensor.mount.x_m, sensor.mount.y_m)
        height = xyz[:, 2] + sensor.mount.z_m
        p = self._params
        good = (
            sensor.sees(points[:, 0], points[:, 1])
            & (height >= p.height_min_m) & (height <= p.height_max_m)
            & (np.abs(rates) <= p.speed_max_mps)
        )  # fmt: skip
        return points[good], rates[good]


def _over_ground(points: FloatArray, rates: FloatArray, mount: Mount, ego: EgoState | None) -> FloatArray:
    """Return the speed (N,) along each ray with the motion of the radar itself added back."""
    if ego is None:
        return np.full(len(rates), np.nan)
    ray = points - (mount.x_m, mount.y_m)
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-6)
    sensor_velocity = (ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m)
    return np.asarray(rates + ray @ sensor_velocity)


def _groups(points: FloatArray, speeds: FloatArray, way_m: float, p: RadarParams) -> NDArray[np.intp]:
    """Return the number (N,) of the group of each detection: close in position and speed, long groups cut along x."""
    n = len(points)
    scaled = np.column_stack([points / (p.gap_along_m, p.gap_across_m), speeds / p.gap_speed_mps])
    pairs = cKDTree(scaled).query_pairs(1.0, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, together = connected_components(graph, directed=False)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, together, points[:, 0])
    np.maximum.at(high, together, points[:, 0])
    long = high - low > p.length_max_m
    piece = np.where(long[together], (points[:, 0] + way_m) // p.length_max_m, 0.0)
    _, group = np.unique(np.column_stack([together, piece]), axis=0, return_inverse=True)
    return np.asarray(group).reshape(n)


def _near_face(points: FloatArray, group: NDArray[np.intp], mount: Mount, depth_m: float) -> NDArray[np.bool_]:
    """Return which detections (N,) belong to the face of their group that looks at the radar."""
    reach = np.hypot(points[:, 0] - mount.x_m, points[:, 1] - mount.y_m)
    nearest = np.full(group.max() + 1, np.inf)
    np.minimum.at(nearest, group, reach)
    return np.asarray(reach <= nearest[group] + depth_m)
