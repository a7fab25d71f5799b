"""What one cycle of one sensor says: points on the near faces of objects, how sure they are, how fast they recede."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from adas_perception.params import Mount, Params, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import Pose
from adas_perception.perception.objects import BORDER_PX, estimate_distance
from adas_perception.perception.radar import Coverage
from adas_perception.types import Detections, ObjectClass, RadarTargets, Sensor

# A sensor that measures no speed says so with a standard deviation that carries no weight.
NO_SPEED_SIGMA_MPS = 1e3
# Classes that move and can be hit; lights and signs are not tracked.
TRAFFIC = (ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST)


@dataclass(frozen=True)
class SensorNoise(Params):
    """Standard deviations of what the sensors measure."""

    radar_range_m: float = param(0.25, "radar range", unit="m", low=0.01, high=5.0)
    radar_bearing_rad: float = param(0.01, "azimuth of the front radar", unit="rad", low=0.001, high=0.2)
    corner_bearing_rad: float = param(0.015, "azimuth of the corner radars", unit="rad", low=0.001, high=0.2)
    radar_speed_mps: float = param(0.15, "radar speed", unit="m/s", low=0.01, high=2.0)
    camera_bearing_rad: float = param(0.01, "camera azimuth", unit="rad", low=0.001, high=0.2)
    camera_score_min: float = param(0.4, "smallest score of a camera box", low=0.0, high=1.0)
    camera_range_max_m: float = param(130.0, "largest distance of a camera box", unit="m", low=5.0, high=200.0)


class Point(NamedTuple):
    """One point in base_link (m) with its covariance (m2).

    ``ray`` is the unit vector from the sensor, ``speed`` the speed over ground along it with its standard deviation.
    ``width`` is NaN where not measured. ``whole`` is what no edge of the picture cuts: only that may begin a track.
    """

    x: float
    y: float
    xx: float
    xy: float
    yy: float
    ray_x: float
    ray_y: float
    speed: float
    speed_sigma: float
    label: ObjectClass
    width: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Observations:
    """The points of one sensor cycle; ``origin`` is where the sensor was, ``coverage`` what it could see."""

    stamp_ns: int
    kind: Sensor
    coverage: Coverage
    origin: tuple[float, float]
    points: tuple[Point, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    def moved(self, pose: Pose) -> Observations:
        """Return the same in a base_link from which the one of the observation has the pose ``pose``."""
        c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)

        def place(x: float, y: float) -> tuple[float, float]:
            return c * x - s * y + pose.x_m, s * x + c * y + pose.y_m

        points = []
        for p in self.points:
            x, y = place(p.x, p.y)
            points.append(p._replace(
                x=x, y=y,
                xx=c * c * p.xx - 2.0 * c * s * p.xy + s * s * p.yy,
                xy=c * s * (p.xx - p.yy) + (c * c - s * s) * p.xy,
                yy=s * s * p.xx + 2.0 * c * s * p.xy + c * c * p.yy,
                ray_x=c * p.ray_x - s * p.ray_y, ray_y=s * p.ray_x + c * p.ray_y,
            ))  # fmt: skip
        return replace(self, origin=place(*self.origin), points=tuple(points))


def from_radar(targets: RadarTargets, coverage: Coverage, noise: SensorNoise) -> Observations:
    """Return the targets of one radar cycle; one without speed over ground still counts by its place."""
    origin = (coverage.mount.x_m, coverage.mount.y_m)
    bearing_sigma = noise.radar_bearing_rad if targets.sensor == "front" else noise.corner_bearing_rad
    points = []
    for target in targets.items:
        if not (math.isfinite(target.x_m) and math.isfinite(target.y_m)):
            continue
        speed, speed_sigma = target.speed_mps, noise.radar_speed_mps
        if not math.isfinite(speed):
            speed, speed_sigma = 0.0, NO_SPEED_SIGMA_MPS
        polar = _polar(target.x_m, target.y_m, origin, noise.radar_range_m, bearing_sigma)
        points.append(Point(
            target.x_m, target.y_m, *polar, speed, speed_sigma, ObjectClass.UNKNOWN, math.nan, True
        ))  # fmt: skip
    return Observations(targets.stamp_ns, Sensor.RADAR, coverage, origin, tuple(points))


def from_camera(detections: Detections, camera: CameraModel, noise: SensorNoise) -> Observations:
    """Return the boxes of traffic by bearing and distance of the near face, with class and width.

    Boxes of a picture whose size is unknown (0) are taken to be in pixels of the camera.
    """
    size = detections.width, detections.height
    if min(size) > 0 and size != (camera.width_px, camera.height_px):
        camera = camera.cropped_resized(0, detections.width, detections.height)
    origin = (camera.x_m, camera.y_m)
    points = []
    for box in detections.items:
        if box.label not in TRAFFIC or box.score < noise.camera_score_min:
            continue
        distance = estimate_distance(box, camera)
        if distance is None or distance.metres > noise.camera_range_max_m:
            continue
        ray_x, ray_y, _ = camera.ray((box.x1 + box.x2) / 2.0, box.y2)
        reach = distance.metres / math.hypot(ray_x, ray_y)
        x, y = camera.x_m + reach * ray_x, camera.y_m + reach * ray_y
        angle = (box.x2 - box.x1) / camera.fx_px
        # What an edge of the picture cuts has its middle somewhere else, and nobody knows its width.
        cut = box.x1 <= BORDER_PX or box.x2 >= camera.width_px - 1 - BORDER_PX
        polar = _polar(x, y, origin, distance.sigma_m, noise.camera_bearing_rad + cut * angle)
        width = math.nan if cut else float(angle * distance.metres)
        points.append(Point(x, y, *polar, 0.0, NO_SPEED_SIGMA_MPS, box.label, width, not cut))
    coverage = _coverage(camera, noise.camera_range_max_m)
    return Observations(detections.stamp_ns, Sensor.CAMERA, coverage, origin, tuple(points))


@lru_cache(maxsize=8)
def _coverage(camera: CameraModel, range_max_m: float) -> Coverage:
    """Return what a camera sees; parameter sets are checked when they are made, which takes longer than a cycle."""
    half_fov = math.atan2(max(camera.cx_px, camera.width_px - camera.cx_px), camera.fx_px)
    return Coverage(Mount(camera.x_m, camera.y_m, camera.height_m, camera.yaw_rad), half_fov, 0.0, range_max_m)


def variance_along(xx: float, xy: float, yy: float, ray_x: float, ray_y: float) -> float:
    """Return the variance along a ray."""
    return ray_x * ray_x * xx + 2.0 * ray_x * ray_y * xy + ray_y * ray_y * yy


def _polar(
    x: float, y: float, origin: tuple[float, float], range_sigma: float, bearing_sigma: float
) -> tuple[float, float, float, float, float]:
    """Return the errors of range and bearing of a point laid into x and y (xx, xy, yy), and the ray to it (x, y)."""
    dx, dy = x - origin[0], y - origin[1]
    reach = max(math.hypot(dx, dy), 1e-3)
    ray_x, ray_y = dx / reach, dy / reach
    along_x, along_y = ray_x * range_sigma, ray_y * range_sigma
    across_x, across_y = -ray_y * (reach * bearing_sigma), ray_x * (reach * bearing_sigma)
    return (
        along_x * along_x + across_x * across_x, along_x * along_y + across_x * across_y,
        along_y * along_y + across_y * across_y, ray_x, ray_y,
    )  # fmt: skip
