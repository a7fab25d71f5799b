"""Do radar and camera mean the same object? Then both see it in the same direction.

A walker whom parked cars hide from the radar has a signpost before him, which the radar sees. Each in turn lies within
the gate of a track that was corrected by both and runs between them; compared with each other they are two objects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.perception.faces import Face, Size
from adas_perception.perception.measurement import Point, variance_along
from adas_perception.types import Sensor, seconds

# Directions may differ by so many standard deviations of their difference.
AGREE_SIGMAS = 2.0
# What a sensor has seen says nothing about where the object is after this time.
LASTS_S = 0.3


@dataclass(slots=True)
class Directions:
    """Where each kind of sensor has last seen an object: metres to the left of the track, and the stamp."""

    radar_m: float = math.nan
    radar_ns: int = 0
    camera_m: float = math.nan
    camera_ns: int = 0

    def saw(self, kind: Sensor, stamp_ns: int, left_m: float, moved_m: float) -> None:
        """Take in where a sensor sees the object of a track that this correction has moved to the left."""
        self.radar_m -= moved_m
        self.camera_m -= moved_m
        if kind is Sensor.RADAR:
            self.radar_m, self.radar_ns = left_m, stamp_ns
        else:
            self.camera_m, self.camera_ns = left_m, stamp_ns

    def agree(self, kind: Sensor, stamp_ns: int, left_m: float, tolerance_m: float) -> bool:
        """Return whether what a sensor sees may be what the other kind has just seen."""
        other_m, other_ns = (
            (self.camera_m, self.camera_ns) if kind is Sensor.RADAR else (self.radar_m, self.radar_ns)
        )
        lately = seconds(stamp_ns - other_ns) < LASTS_S
        return not lately or math.isnan(other_m) or abs(left_m - other_m) <= tolerance_m


def left_of(x_m: float, y_m: float, face: Face, point: Point) -> float:
    """Return how far to the left of the seen part of a track a point lies, across the line of sight."""
    return point.ray_x * (point.y - y_m - face.y_m) - point.ray_y * (point.x - x_m - face.x_m)


def tolerance(size: Size, yaw_rad: float, point: Point) -> float:
    """Return how far apart two sensors may see one object: half of what it shows, and the error of both."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    aside, along = abs(point.ray_x * s - point.ray_y * c), abs(point.ray_x * c + point.ray_y * s)
    shown = (aside * size.length_m + along * size.width_m) / 2.0
    across2 = variance_along(point.xx, point.xy, point.yy, -point.ray_y, point.ray_x)
    return shown + AGREE_SIGMAS * math.sqrt(2.0 * across2)
