"""Radar detections to targets: into base_link, without outliers, grouped, with the car's own motion taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
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

    def sees(self, x_m: FloatArray, y_m: FloatArray) -> NDArray[np.bool_]:
        """Return which points of base_link lie in the field of view, as booleans of the shape of ``x_m``."""
        dx, dy = x_m - self.mount.x_m, y_m - self.mount.y_m
        c, s = math.cos(self.mount.yaw_rad), math.sin(self.mount.yaw_rad)
        return self.reaches(c * dx + s * dy, c * dy - s * dx)

    def shows(self, x_m: float, y_m: float) -> bool:
        """Return whether one point of base_link lies in the field of view: ``sees`` in plain floats."""
        mount = self.mount
        dx, dy = x_m - mount.x_m, y_m - mount.y_m
        if not self.range_min_m <= math.hypot(dx, dy) <= self.range_max_m:
            return False
        c, s = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
        return abs(math.atan2(c * dy - s * dx, c * dx + s * dy)) <= self.half_fov_rad

    def reaches(self, ahead_m: FloatArray, left_m: FloatArray) -> NDArray[np.bool_]:
        """Return the same for points given along the axes of the sensor; what is not finite is not seen."""
        reach = np.hypot(ahead_m, left_m)
        inside = (reach >= self.range_min_m) & (reach <= self.range_max_m)
        return np.asarray(inside & (np.abs(np.arctan2(left_m, ahead_m)) <= self.half_fov_rad))


@dataclass(frozen=True)
class Radars(Params):
    """The radars of the car: one long-range radar at the front, corner radars at the rear and, optionally, the front.

    Front corner radars see crossing traffic at bearings that the front radar does not, and the car's flanks up to
    where the rear ones begin to. A car without them just never hears from them.
    """

    front: Coverage = Coverage(Mount(x_m=3.6, z_m=0.5))
    rear_left: Coverage = Coverage(
        Mount(x_m=-0.9, y_m=0.75, z_m=0.6, yaw_rad=2.36), half_fov_rad=1.31, range_max_m=90.0
    )
    rear_right: Coverage = Coverage(
        Mount(x_m=-0.9, y_m=-0.75, z_m=0.6, yaw_rad=-2.36), half_fov_rad=1.31, range_max_m=90.0
    )

    front_left: Coverage = Coverage(
        Mount(x_m=3.45, y_m=0.75, z_m=0.6, yaw_rad=1.22), half_fov_rad=1.31, range_max_m=50.0
    )
    front_right: Coverage = Coverage(
        Mount(x_m=3.45, y_m=-0.75, z_m=0.6, yaw_rad=-1.22), half_fov_rad=1.31, range_max_m=50.0
    )

    def named(self, sensor: str) -> Coverage:
        """Return the radar called ``sensor``; raises ValueError when the car has no such radar."""
        found = getattr(self, sensor, None)
        if not isinstance(found, Coverage):
            raise ValueError(f"there is no radar '{sensor}'; known: {', '.join(RADARS)}")
        return found


RADARS = tuple(f.name for f in fields(Radars))


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
        sensor = self._params.radars.named(scan.sensor)
        ahead, left, rates = self._valid(scan, sensor)
        self.rejected += len(scan.range_rate) - len(rates)
        if ego is not None:
            self._drive(ego)
        if not len(rates):
            return RadarTargets(scan.stamp_ns, scan.sensor)
        reach = np.hypot(ahead, left)
        speeds = _over_ground(ahead, left, reach, rates, sensor.mount, ego)
        c, s = math.cos(sensor.mount.yaw_rad), math.sin(sensor.mount.yaw_rad)
        x, y = c * ahead - s * left + sensor.mount.x_m, s * ahead + c * left + sensor.mount.y_m
        groups = self._groups(x, y, rates if ego is None else speeds)
        table = np.array([reach, x, y, rates, speeds]).T.tolist()
        items = tuple(self._target(scan.sensor, [table[i] for i in group]) for group in groups)
        return RadarTargets(scan.stamp_ns, scan.sensor, items)

    def _target(self, sensor: str, group: list[list[float]]) -> RadarTarget:
        """Return the mean of the group's near face, so that a long object does not pull its own place away."""
        depth = min(group)[0] + self._params.face_depth_m
        face = [values for values in group if values[0] <= depth]
        _, x, y, rate, speed = (sum(column) / len(face) for column in zip(*face, strict=True))
        return RadarTarget(x, y, rate, speed, len(group), sensor)

    def _drive(self, ego: EgoState) -> None:
        """Count the way driven: long groups are cut at marks that stand still on the road."""
        dt = seconds(ego.stamp_ns - self._ego_ns)
        if 0.0 < dt < 1.0:
            self._way_m += ego.speed_mps * dt
        self._ego_ns = ego.stamp_ns

    def _valid(self, scan: RadarScan, sensor: Coverage) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the usable detections (N,): metres ahead of the sensor and to its left, and range rates."""
        p, xyz = self._params, np.asarray(scan.xyz, dtype=float)
        rates = np.asarray(scan.range_rate, dtype=float)
        if rates.ndim != 1 or xyz.shape != (len(rates), 3):
            raise ValueError(f"radar '{scan.sensor}': xyz {xyz.shape} must be (N, 3) and range_rate {rates.shape} (N,)")
        ahead, left, height = xyz.T
        height = height + sensor.mount.z_m
        # No comparison with NaN holds, and infinity is out of every range: what is not finite falls out here too.
        good = (
            sensor.reaches(ahead, left)
            & (height >= p.height_min_m) & (height <= p.height_max_m)
            & (np.abs(rates) <= p.speed_max_mps)
        )  # fmt: skip
        return ahead[good], left[good], rates[good]

    def _groups(self, x: FloatArray, y: FloatArray, speeds: FloatArray) -> list[list[int]]:
        """Return the numbers of the detections that are close in position and speed, long groups cut along x."""
        p, marks = self._params, x.tolist()
        scaled = np.array([x / p.gap_along_m, y / p.gap_across_m, speeds / p.gap_speed_mps]).T
        groups = []
        for group in _chained(len(x), cKDTree(scaled).query_pairs(1.0, output_type="ndarray").tolist()):
            along = [marks[i] for i in group]
            if max(along) - min(along) > p.length_max_m:
                pieces: dict[float, list[int]] = {}
                for i in group:
                    pieces.setdefault((marks[i] + self._way_m) // p.length_max_m, []).append(i)
                groups += [pieces[mark] for mark in sorted(pieces)]
            else:
                groups.append(group)
        return groups


def _over_ground(
    ahead: FloatArray, left: FloatArray, reach: FloatArray, rates: FloatArray, mount: Mount, ego: EgoState | None
) -> FloatArray:
    """Return the speed (N,) along each ray with the motion of the radar itself added back."""
    if ego is None:
        return np.full(len(rates), np.nan)
    vx, vy = ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m
    c, s = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
    own = ahead * (c * vx + s * vy) + left * (c * vy - s * vx)
    return np.asarray(rates + own / np.maximum(reach, 1e-6))


def _chained(count: int, pairs: list[list[int]]) -> list[list[int]]:
    """Return the numbers below ``count`` grouped by the pairs that chain them together (union-find)."""
    lower = list(range(count))

    def lowest(i: int) -> int:
        while lower[i] != i:
            lower[i] = i = lower[lower[i]]
        return i

    for pair in pairs:
        a, b = map(lowest, pair)
        lower[max(a, b)] = min(a, b)
    groups: dict[int, list[int]] = {}
    for i in range(count):
        groups.setdefault(lowest(i), []).append(i)
    return list(groups.values())
