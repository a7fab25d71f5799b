"""What one cycle of one sensor says: points on the near faces of objects, how sure they are, how fast they recede."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Mount, Params, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import Pose
from adas_perception.perception.objects import BORDER_PX, estimate_distance
from adas_perception.perception.radar import Coverage
from adas_perception.types import Detections, FloatArray, ObjectClass, RadarTargets, Sensor

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


@dataclass(frozen=True, slots=True)
class Observations:
    """M points of one sensor cycle in base_link: (M, 2) with covariances (M, 2, 2).

    ``origin`` is where the sensor was, ``coverage`` what it could see.
    ``rays`` (M, 2) are unit vectors from the sensor, ``speeds`` (M,) the speeds over ground along them with
    standard deviations ``speed_sigmas`` (M,). ``widths`` (M,) are NaN where not measured. ``whole`` (M,) tells what an
    edge of the picture does not cut: only that may begin a track.
    """

    stamp_ns: int
    kind: Sensor
    coverage: Coverage
    origin: tuple[float, float]
    points: FloatArray
    covariances: FloatArray
    rays: FloatArray
    speeds: FloatArray
    speed_sigmas: FloatArray
    labels: tuple[ObjectClass, ...]
    widths: FloatArray
    whole: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def moved(self, pose: Pose) -> Observations:
        """Return the same in a base_link from which the one of the observation has the pose ``pose``."""
        c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
        turn, shift = np.array([[c, -s], [s, c]]), np.array([pose.x_m, pose.y_m])
        x, y = turn @ self.origin + shift
        return replace(
            self, origin=(float(x), float(y)), points=self.points @ turn.T + shift,
            covariances=turn @ self.covariances @ turn.T, rays=self.rays @ turn.T,
        )  # fmt: skip


# The points, covariances, rays, speeds, labels, widths and wholeness of a cycle that has seen nothing.
NOTHING = (
    np.zeros((0, 2)), np.zeros((0, 2, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0), (), np.zeros(0),
    np.zeros(0, bool),
)  # fmt: skip


def from_radar(targets: RadarTargets, coverage: Coverage, noise: SensorNoise) -> Observations:
    """Return the targets of one radar cycle; one without speed over ground still counts by its place."""
    origin = (coverage.mount.x_m, coverage.mount.y_m)
    if not targets.items:
        return Observations(targets.stamp_ns, Sensor.RADAR, coverage, origin, *NOTHING)
    rows = np.array([(t.x_m, t.y_m, t.speed_mps) for t in targets.items], dtype=float)
    finite = np.isfinite(rows)
    placed = finite[:, 0] & finite[:, 1]
    rows, measured = rows[placed], finite[placed, 2]
    n = len(rows)
    bearing_sigma = noise.radar_bearing_rad if targets.sensor == "front" else noise.corner_bearing_rad
    rays, covariances = _polar(rows[:, :2], coverage.mount, noise.radar_range_m, bearing_sigma)
    return Observations(
        targets.stamp_ns, Sensor.RADAR, coverage, origin,
        rows[:, :2], covariances, rays,
        np.where(measured, rows[:, 2], 0.0), np.where(measured, noise.radar_speed_mps, NO_SPEED_SIGMA_MPS),
        (ObjectClass.UNKNOWN,) * n, np.full(n, np.nan), np.ones(n, bool),
    )  # fmt: skip


def from_camera(detections: Detections, camera: CameraModel, noise: SensorNoise) -> Observations:
    """Return the boxes of traffic by bearing and distance of the near face, with class and width.

    Boxes of a picture whose size is unknown (0) are taken to be in pixels of the camera.
    """
    size = detections.width, detections.height
    if min(size) > 0 and size != (camera.width_px, camera.height_px):
        camera = camera.cropped_resized(0, detections.width, detections.height)
    half_fov = math.atan2(max(camera.cx_px, camera.width_px - camera.cx_px), camera.fx_px)
    mount = Mount(camera.x_m, camera.y_m, camera.height_m, camera.yaw_rad)
    rows, labels = [], []
    for box in detections.items:
        distance = estimate_distance(box, camera)
        if box.label not in TRAFFIC or box.score < noise.camera_score_min or distance is None:
            continue
        if distance.metres > noise.camera_range_max_m:
            continue
        ray = camera.rays(np.array([(box.x1 + box.x2) / 2.0, box.y2]))[:2]
        x, y = (mount.x_m, mount.y_m) + distance.metres * ray / np.linalg.norm(ray)
        angle = (box.x2 - box.x1) / camera.fx_px
        # What an edge of the picture cuts has its middle somewhere else, and nobody knows its width.
        cut = box.x1 <= BORDER_PX or box.x2 >= camera.width_px - 1 - BORDER_PX
        width = math.nan if cut else angle * distance.metres
        rows.append((x, y, distance.sigma_m, noise.camera_bearing_rad + cut * angle, width))
        labels.append(box.label)
    table = np.array(rows, dtype=float).reshape(-1, 5)
    n = len(table)
    rays, covariances = _polar(table[:, :2], mount, table[:, 2:3], table[:, 3:4])
    return Observations(
        detections.stamp_ns, Sensor.CAMERA, Coverage(mount, half_fov, 0.0, noise.camera_range_max_m),
        (mount.x_m, mount.y_m), table[:, :2], covariances, rays,
        np.zeros(n), np.full(n, NO_SPEED_SIGMA_MPS), tuple(labels), table[:, 4], np.isfinite(table[:, 4]),
    )  # fmt: skip


def _polar(
    points: FloatArray, mount: Mount, range_sigma: FloatArray | float, bearing_sigma: FloatArray | float
) -> tuple[FloatArray, FloatArray]:
    """Return the rays (M, 2) to the points and the errors of range and bearing laid into x and y (M, 2, 2).

    Either sigma is one for all points or a column (M, 1).
    """
    rays = points - (mount.x_m, mount.y_m)
    reach = np.maximum(np.hypot(rays[:, 0], rays[:, 1]), 1e-3)[:, None]
    rays = rays / reach
    along, across = rays * range_sigma, rays[:, ::-1] * (-1.0, 1.0) * (reach * bearing_sigma)
    return rays, along[:, :, None] * along[:, None, :] + across[:, :, None] * across[:, None, :]
