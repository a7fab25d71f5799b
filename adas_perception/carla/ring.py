"""The twelve ultrasonic rangers, from four depth cameras around the car: CARLA has no ranger of its own.

A depth picture holds everything solid, walls and kerbs and parked scenery; CARLA's list of objects only knows actors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Params, Ring, Vehicle, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.types import FloatArray, UltrasonicEcho


@dataclass(frozen=True)
class RangerParams(Params):
    """What a ranger hears."""

    half_cone_rad: float = param(0.60, "half the opening angle", unit="rad", low=0.1, high=1.2)
    range_min_m: float = param(0.15, "dead zone: what is nearer reads so", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.5, "largest range", unit="m", low=1.0, high=10.0)
    lowest_m: float = param(0.12, "lower surfaces are the road", unit="m", low=0.0, high=1.0)
    highest_m: float = param(1.6, "higher surfaces are not met", unit="m", low=0.5, high=5.0)
    below_mps: float = param(10.0, "the rangers are off above this speed", unit="m/s", low=1.0, high=60.0)


def side_of(ranger: str) -> str:
    """Return which camera sees what a ranger hears: front, rear, left or right."""
    end, *place = ranger.split("_")
    return place[0] if place[-1] == "side" else end


class DepthRing:
    """Finds the nearest surface in the cone of each ranger; cameras are named front, rear, left and right."""

    def __init__(self, cameras: Mapping[str, CameraModel], params: RangerParams, vehicle: Vehicle, ring: Ring) -> None:
        self._cameras, self._params, self._vehicle, self._ring = dict(cameras), params, vehicle, ring
        self._rays = {side: _rays(camera) for side, camera in cameras.items()}

    def see(self, side: str, stamp_ns: int, depth_m: FloatArray) -> tuple[UltrasonicEcho, ...]:
        """Return the echoes of one camera's rangers; ``depth_m`` (H, W) counts along the axis of the camera.

        Raises ValueError for a picture of another size than the camera's.
        """
        camera, p = self._cameras[side], self._params
        if depth_m.shape != (camera.height_px, camera.width_px):
            raise ValueError(
                f"depth camera '{side}' sent {depth_m.shape[1]} x {depth_m.shape[0]} pixels, "
                f"objects.json says {camera.width_px} x {camera.height_px}"
            )
        near = np.isfinite(depth_m) & (depth_m > 0.0) & (depth_m < 3.0 * p.range_max_m)
        origin = np.array([camera.x_m, camera.y_m, camera.height_m])
        points = origin + self._rays[side][near] * depth_m[near][:, None]
        points = points[(points[:, 2] >= p.lowest_m) & (points[:, 2] <= p.highest_m) & ~self._on_car(points)]
        return tuple(self._echo(name, stamp_ns, points) for name in SENSORS if side_of(name) == side)

    def _on_car(self, points: FloatArray) -> NDArray[np.bool_]:
        v = self._vehicle
        x, y = points[:, 0], points[:, 1]
        return np.asarray((x > -v.rear_overhang_m) & (x < v.front_x_m) & (np.abs(y) < v.width_m / 2.0))

    def _echo(self, name: str, stamp_ns: int, points: FloatArray) -> UltrasonicEcho:
        p, mount = self._params, self._ring.mount(name)
        dx, dy, dz = points[:, 0] - mount.x_m, points[:, 1] - mount.y_m, points[:, 2] - mount.z_m
        bearing = np.arctan2(dy, dx) - mount.yaw_rad
        turned = np.abs(np.arctan2(np.sin(bearing), np.cos(bearing)))
        reach = np.sqrt(dx * dx + dy * dy + dz * dz)[turned <= p.half_cone_rad]
        nearest = float(reach.min()) if len(reach) else np.inf
        return UltrasonicEcho(stamp_ns, name, max(nearest, p.range_min_m) if nearest <= p.range_max_m else np.inf)


def _rays(camera: CameraModel) -> FloatArray:
    """Return the directions (H, W, 3) in base_link of the pixels, one metre along the axis of the camera."""
    u, v = np.meshgrid(np.arange(camera.width_px), np.arange(camera.height_px))
    return camera.rays(np.stack([u, v], axis=-1))
