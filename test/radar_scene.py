"""Simulated traffic seen by simulated radars, for the tests of clustering and fusion.

The world is flat; the ego car drives with constant speed on an arc that starts at the origin along x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from adas_perception.perception.radar import Coverage, RadarClusterer, RadarParams
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.types import EgoState, Objects, RadarScan, Track, nanoseconds

PERIOD_S = 0.05
START_NS = 1_000_000_000
LENGTH_M, WIDTH_M = 4.5, 1.8


@dataclass(frozen=True)
class Body:
    """A box at a moment, in the world: pose, velocity, size."""

    x: float
    y: float
    vx: float
    vy: float = 0.0
    ax: float = 0.0
    yaw: float = 0.0
    length: float = LENGTH_M
    width: float = WIDTH_M


@dataclass
class Scene:
    """Bodies as functions of time, fixed reflecting posts (P, 2), and the noise of the radars."""

    speed: float = 0.0
    yaw_rate: float = 0.0
    bodies: tuple[Callable[[float], Body | None], ...] = ()
    posts: np.ndarray | None = None
    range_sigma: float = 0.15
    bearing_sigma: float = 0.006
    doppler_sigma: float = 0.1
    detection: float = 0.95
    seed: int = 1

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def pose(self, t: float) -> tuple[float, float, float]:
        if self.yaw_rate == 0.0:
            return self.speed * t, 0.0, 0.0
        yaw, radius = self.yaw_rate * t, self.speed / self.yaw_rate
        return radius * math.sin(yaw), radius * (1.0 - math.cos(yaw)), yaw

    def ego(self, t: float) -> EgoState:
        return EgoState(START_NS + nanoseconds(t), speed_mps=self.speed, yaw_rate_radps=self.yaw_rate)

    def to_base(self, t: float, points: np.ndarray) -> np.ndarray:
        x, y, yaw = self.pose(t)
        c, s = math.cos(yaw), math.sin(yaw)
        return (points - (x, y)) @ np.array([[c, -s], [s, c]])

    def truth(self, t: float, body: Body) -> Body:
        """Return a body in base_link with its velocity over ground along the axes of base_link."""
        yaw = self.pose(t)[2]
        c, s = math.cos(yaw), math.sin(yaw)
        x, y = self.to_base(t, np.array([[body.x, body.y]]))[0]
        return Body(
            x, y, c * body.vx + s * body.vy, c * body.vy - s * body.vx, body.ax, body.yaw - yaw, body.length, body.width
        )

    def scan(self, t: float, name: str, sensor: Coverage) -> RadarScan:
        """Return one cycle: about six detections on the faces of each body that look at the radar."""
        mount = np.array([sensor.mount.x_m, sensor.mount.y_m])
        places, velocities = [np.zeros((0, 2))], [np.zeros((0, 2))]
        for at in self.bodies:
            world = at(t)
            if world is None or self.rng.random() > self.detection:
                continue
            body = self.truth(t, world)
            places.append(_faces(body, mount, self.rng))
            velocities.append(np.tile([body.vx, body.vy], (len(places[-1]), 1)))
        if self.posts is not None:
            places.append(self.to_base(t, self.posts))
            velocities.append(np.zeros((len(self.posts), 2)))
        points, velocity = np.concatenate(places), np.concatenate(velocities)
        seen = np.array([sensor.sees(x, y) for x, y in points.tolist()], dtype=bool)
        ray = points[seen] - mount
        reach, bearing = np.linalg.norm(ray, axis=1), np.arctan2(ray[:, 1], ray[:, 0]) - sensor.mount.yaw_rad
        own = np.array([self.speed - self.yaw_rate * mount[1], self.yaw_rate * mount[0]])
        rate = ((velocity[seen] - own) * ray).sum(axis=1) / reach
        reach = reach + self.rng.normal(0.0, self.range_sigma, len(reach))
        bearing = bearing + self.rng.normal(0.0, self.bearing_sigma, len(reach))
        rate = rate + self.rng.normal(0.0, self.doppler_sigma, len(reach))
        xyz = np.column_stack([reach * np.cos(bearing), reach * np.sin(bearing), np.zeros(len(reach))])
        return RadarScan(START_NS + nanoseconds(t), name, xyz, rate)


def _faces(body: Body, origin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    turn = np.array([[c, -s], [s, c]])
    along, across = turn.T @ (origin - (body.x, body.y))
    half = np.array([body.length, body.width]) / 2.0
    points = []
    if abs(along) > half[0]:
        points += [(math.copysign(half[0], along), y) for y in rng.uniform(-half[1], half[1], 4)]
    if abs(across) > half[1]:
        points += [(x, math.copysign(half[1], across)) for x in rng.uniform(-half[0], half[0], 4)]
    return np.array(points).reshape(-1, 2) @ turn.T + (body.x, body.y)


def run(
    scene: Scene, seconds: float, sensors: tuple[str, ...] = ("front",), params: FusionParams | None = None
) -> Iterator[tuple[float, Objects]]:
    """Play a scene through clustering and fusion; yields the time and the objects after every cycle."""
    radar = RadarParams()
    clusterer, fusion = RadarClusterer(radar), Fusion(params or FusionParams())
    for k in range(round(seconds / PERIOD_S)):
        t = k * PERIOD_S
        ego = scene.ego(t)
        scans = [clusterer.step(scene.scan(t, name, radar.radars.named(name)), ego) for name in sensors]
        yield t, fusion.step(ego.stamp_ns, scans, None, ego, None)


def nearest(objects: Objects, x: float, y: float, within: float = 4.0) -> Track | None:
    """Return the track whose centre is nearest to a place, or None when none is near."""
    tracks = sorted(objects.tracks, key=lambda o: math.hypot(o.x_m - x, o.y_m - y))
    return tracks[0] if tracks and math.hypot(tracks[0].x_m - x, tracks[0].y_m - y) <= within else None


def straight(x: float, y: float, v: float, accel: float = 0.0, start: float = 0.0) -> Callable[[float], Body]:
    """Return a body that drives along x and changes its speed from ``start`` on, until it stands."""

    def at(t: float) -> Body:
        changing = max(t - start, 0.0)
        if accel < 0.0:
            changing = min(changing, v / -accel)
        stands = accel < 0.0 and v + accel * changing <= 0.0
        driven = v * (min(t, start) if accel else t)
        if accel:
            driven += v * changing + accel * changing**2 / 2.0
        return Body(x + driven, y, v + accel * changing, ax=0.0 if stands or t < start else accel)

    return at
