"""CARLA's signs, frames and units against ours: the only place where they are turned.

Unreal, under CARLA, is left-handed: x forward, y right, z up, angles in degrees, yaw positive to the right. The ROS
bridge turns most of that (its spawn points are metres and degrees with y and yaw to the left, its radar clouds and its
odometry too); steering of a vehicle control, the angles inside a radar cloud and the gyroscope of the first native
ROS 2 releases stay left-handed. An actor's origin is the middle of the car, ours the middle of the rear axle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Mount

# A depth picture counts from 0 to this over 24 bits (CARLA's sensor reference, depth camera).
_DEPTH_FULL_M, _DEPTH_STEPS = 1000.0, 256**3 - 1


def mount_of(spawn_point: Mapping[str, float], rear_axle_x_m: float) -> Mount:
    """Return where a spawn point of objects.json lies in base_link; ``rear_axle_x_m`` is the axle from the origin."""
    return Mount(
        x_m=float(spawn_point["x"]) - rear_axle_x_m,
        y_m=float(spawn_point["y"]),
        z_m=float(spawn_point["z"]),
        yaw_rad=math.radians(spawn_point.get("yaw", 0.0)),
    )


def unreal_transform(spawn_point: Mapping[str, float]) -> dict[str, float]:
    """Return a spawn point of objects.json as the arguments of ``carla.Transform``: m and degrees, y and yaw right."""
    turned = {name: -spawn_point.get(name, 0.0) for name in ("y", "pitch", "yaw")}
    kept = {name: spawn_point.get(name, 0.0) for name in ("x", "z", "roll")}
    return {name: value + 0.0 for name, value in {**kept, **turned}.items()}  # -0.0 is 0.0


def steer(steering_rad: float, steering_max_rad: float) -> float:
    """Return CARLA's steer, -1 to 1 with the right positive, for an angle of the road wheels."""
    return min(max(-steering_rad / steering_max_rad, -1.0), 1.0)


def steering_rad(steer_right: float, steering_max_rad: float) -> float:
    """Return the angle of the road wheels, left positive, for CARLA's steer."""
    return -steer_right * steering_max_rad


def yaw_rate(gyroscope_z_radps: float, left_handed: bool) -> float:
    """Return the yaw rate, left positive; ``left_handed`` tells of a publisher that passes Unreal's figure on."""
    return -gyroscope_z_radps if left_handed else gyroscope_z_radps


def depth_m(bgra: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the depth (H, W) in metres, along the camera's axis, of a raw depth picture (H, W, 4) in BGRA order."""
    scale = np.array([65536.0, 256.0, 1.0], np.float32) * (_DEPTH_FULL_M / _DEPTH_STEPS)
    return np.asarray(bgra[..., :3].astype(np.float32) @ scale, dtype=np.float32)
