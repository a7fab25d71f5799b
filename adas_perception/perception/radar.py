"""Radar detections to targets: into base_link, without outliers, grouped, with the car's own motion taken out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import NamedTuple

import numpy as np

from adas_perception.params import Mount, Params, param
from adas_perception.types import EgoState, RadarScan, RadarTarget, RadarTargets, seconds


@dataclass(frozen=True)
class Coverage(Params):
    """Where a sensor sits and what it sees."""

    mount: Mount = Mount()
    half_fov_rad: float = param(1.0, "half of the horizontal field of view", unit="rad", low=0.02, high=math.pi)
    range_min_m: float = param(0.2, "smallest range", unit="m", low=0.0, high=10.0)
    range_max_m: float = param(200.0, "largest range", unit="m", low=1.0, high=400.0)

    def sees(self, x_m: float, y_m: float) -> bool:
        """Return whether a point of base_link lies in the field of view."""
        dx, dy = x_m - self.mount.x_m, y_m - self.mount.y_m
        c, s = math.cos(self.mount.yaw_rad), math.sin(self.mount.yaw_rad)
        return self.reaches(c * dx + s * dy, c * dy - s * dx)

    def reaches(self, ahead_m: float, left_m: float) -> bool:
        """Return the same for a point given along the axes of the sensor; what is not finite is not seen."""
        inside = self.range_min_m <= math.hypot(ahead_m, left_m) <= self.range_max_m
        return inside and abs(math.atan2(left_m, ahead_m)) <= self.half_fov_rad


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


class _Point(NamedTuple):
    """One detection in base_link: distance from the radar, place, range rate, speed over ground along the ray."""

    reach: float
    x: float
    y: float
    rate: float
    speed: float


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
        points = self._valid(scan, sensor, ego)
        self.rejected += len(scan.range_rate) - len(points)
        if ego is not None:
            self._drive(ego)
        items = tuple(self._target(scan.sensor, group) for group in self._groups(points))
        return RadarTargets(scan.stamp_ns, scan.sensor, items)

    def _target(self, sensor: str, group: list[_Point]) -> RadarTarget:
        """Return the mean of the group's near face, so that a long object does not pull its own place away."""
        if len(group) == 1:
            (_, x, y, rate, speed), = group
            return RadarTarget(x, y, rate, speed, 1, sensor)
        depth = min(point.reach for point in group) + self._params.face_depth_m
        face = [point for point in group if point.reach <= depth]
        _, x, y, rate, speed = (sum(column) / len(face) for column in zip(*face, strict=True))
        return RadarTarget(x, y, rate, speed, len(group), sensor)

    def _drive(self, ego: EgoState) -> None:
        """Count the way driven: long groups are cut at marks that stand still on the road."""
        dt = seconds(ego.stamp_ns - self._ego_ns)
        if 0.0 < dt < 1.0:
            self._way_m += ego.speed_mps * dt
        self._ego_ns = ego.stamp_ns

    def _valid(self, scan: RadarScan, sensor: Coverage, ego: EgoState | None) -> list[_Point]:
        """Return the usable detections in base_link."""
        p, mount = self._params, sensor.mount
        xyz, rates = np.asarray(scan.xyz, dtype=float), np.asarray(scan.range_rate, dtype=float)
        if rates.ndim != 1 or xyz.shape != (len(rates), 3):
            raise ValueError(f"radar '{scan.sensor}': xyz {xyz.shape} must be (N, 3) and range_rate {rates.shape} (N,)")
        c, s = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
        own_ahead, own_left = _own_motion(mount, ego)
        found = []
        for (ahead, left, up), rate in zip(xyz.tolist(), rates.tolist(), strict=True):
            # No comparison with NaN holds, and infinity is out of every range: what is not finite falls out here too.
            believable = p.height_min_m <= up + mount.z_m <= p.height_max_m and abs(rate) <= p.speed_max_mps
            if believable and sensor.reaches(ahead, left):
                reach = math.hypot(ahead, left)
                speed = rate + (ahead * own_ahead + left * own_left) / max(reach, 1e-6)
                x, y = c * ahead - s * left + mount.x_m, s * ahead + c * left + mount.y_m
                found.append(_Point(reach, x, y, rate, speed))
        return found

    def _groups(self, points: list[_Point]) -> list[list[_Point]]:
        """Return the detections that are close in position and speed, long groups cut along x."""
        if not points:
            return []
        length_max, groups = self._params.length_max_m, []
        for group in _chained(points, self._neighbours(points)):
            along = [point.x for point in group]
            if max(along) - min(along) > length_max:
                pieces: dict[float, list[_Point]] = {}
                for point in group:
                    pieces.setdefault((point.x + self._way_m) // length_max, []).append(point)
                groups += [pieces[mark] for mark in sorted(pieces)]
            else:
                groups.append(group)
        return groups

    def _neighbours(self, points: list[_Point]) -> Iterator[tuple[int, int]]:
        """Yield the numbers of detections that are close to each other; without own motion their range rates are."""
        p = self._params
        scaled = sorted(
            (
                point.x / p.gap_along_m, point.y / p.gap_across_m,
                (point.rate if math.isnan(point.speed) else point.speed) / p.gap_speed_mps, number,
            )
            for number, point in enumerate(points)
        )  # fmt: skip
        for place, (x, y, speed, number) in enumerate(scaled):
            for other_x, other_y, other_speed, other in islice(scaled, place + 1, None):
                dx, dy, dv = other_x - x, other_y - y, other_speed - speed
                if dx > 1.0:
                    break
                if dx * dx + dy * dy + dv * dv <= 1.0:
                    yield number, other


def _own_motion(mount: Mount, ego: EgoState | None) -> tuple[float, float]:
    """Return the velocity of the radar itself along its axes (m/s), NaN where it is not known."""
    if ego is None:
        return math.nan, math.nan
    vx, vy = ego.speed_mps - ego.yaw_rate_radps * mount.y_m, ego.yaw_rate_radps * mount.x_m
    c, s = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
    return c * vx + s * vy, c * vy - s * vx


def _chained(points: list[_Point], pairs: Iterable[tuple[int, int]]) -> list[list[_Point]]:
    """Return the points grouped by the pairs of numbers that chain them together (union-find)."""
    lower = list(range(len(points)))

    def lowest(i: int) -> int:
        while lower[i] != i:
            lower[i] = i = lower[lower[i]]
        return i

    for pair in pairs:
        a, b = map(lowest, pair)
        lower[max(a, b)] = min(a, b)
    groups: dict[int, list[_Point]] = {}
    for i, point in enumerate(points):
        groups.setdefault(lowest(i), []).append(point)
    return list(groups.values())
