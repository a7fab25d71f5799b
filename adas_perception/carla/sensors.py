"""The sensor set that the stack expects, read from the objects.json that CARLA's bridge spawns it from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adas_perception.carla import signs
from adas_perception.params import Mount, ParameterError
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RADARS

SIDES = ("front", "rear", "left", "right")


@dataclass(frozen=True)
class SensorSet:
    """The sensors of the ego by their ids, mounted in base_link."""

    camera: CameraModel
    radars: dict[str, Mount]
    depth: dict[str, CameraModel]
    ids: frozenset[str]


def load_sensors(path: Path, rear_axle_x_m: float) -> SensorSet:
    """Read the sensors of the ego from objects.json; raises ParameterError that names the file and what is missing."""
    try:
        objects = json.loads(path.read_text(encoding="utf-8"))["objects"]
        ego = next(entry for entry in objects if entry["type"].startswith("vehicle."))
        sensors = {sensor["id"]: sensor for sensor in ego["sensors"]}
        return SensorSet(
            camera=_camera(sensors["rgb_front"], rear_axle_x_m),
            radars={name: signs.mount_of(sensors[f"radar_{name}"]["spawn_point"], rear_axle_x_m) for name in RADARS},
            depth={side: _camera(sensors[f"depth_{side}"], rear_axle_x_m) for side in SIDES},
            ids=frozenset(sensors),
        )
    except (OSError, ValueError, TypeError) as error:
        raise ParameterError(f"{path}: not a usable objects.json ({error}); start from the shipped one") from None
    except StopIteration:
        raise ParameterError(f"{path}: there is no vehicle among the objects; add one of type vehicle.*") from None
    except KeyError as error:
        raise ParameterError(f"{path}: there is no {error}; start from the shipped one") from None


def _camera(sensor: dict[str, Any], rear_axle_x_m: float) -> CameraModel:
    mount = signs.mount_of(sensor["spawn_point"], rear_axle_x_m)
    size = int(sensor["image_size_x"]), int(sensor["image_size_y"])
    return CameraModel.from_fov(
        *size, math.radians(sensor["fov"]), x_m=mount.x_m, y_m=mount.y_m, height_m=mount.z_m, yaw_rad=mount.yaw_rad
    )
