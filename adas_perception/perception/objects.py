"""Object detector: picture in, boxes out; decoders by name, NMS in NumPy, distance from one box.

A network answers with an array per output; a decoder turns that into candidates in pixels of the network's input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.types import Detection, Detections, FloatArray, Image, ObjectClass


class Backend(Protocol):
    """What runs a network."""

    def infer(self, inputs: dict[str, NDArray]) -> dict[str, NDArray]:
        """Return the outputs by name."""
        ...


@dataclass(frozen=True)
class Distance:
    """Distance along the ground from the camera to the near face of an object, with its standard deviation."""

    metres: float
    sigma_m: float


# Heights in metres with relative spread: lorries and vans are cars here, children are pedestrians.
HEIGHT = {
    ObjectClass.CAR: (1.6, 0.25),
    ObjectClass.PEDESTRIAN: (1.65, 0.12),
    ObjectClass.CYCLIST: (1.7, 0.12),
}
# Spread of the camera's pitch while driving, and of the edges of a box.
PITCH_SIGMA_RAD = 0.006
EDGE_SIGMA_PX = 2.0
BORDER_PX = 2.0


def estimate_distance(box: Detection, camera: CameraModel) -> Distance | None:
    """Return the distance of traffic from where its box stands on a flat road and from its height, weighted.

    An edge of the picture that cuts the box makes the estimate behind it void; None when both are.
    """
    top_seen, bottom_seen = box.y1 > BORDER_PX, box.y2 < camera.height_px - 1 - BORDER_PX
    estimates = []
    ground = camera.to_ground(np.array([(box.x1 + box.x2) / 2.0, box.y2]))
    if bottom_seen and np.isfinite(ground).all():
        metres = math.hypot(ground[0] - camera.x_m, ground[1] - camera.y_m)
        slope = (metres**2 + camera.height_m**2) / camera.height_m
        estimates.append((metres, slope * math.hypot(PITCH_SIGMA_RAD, EDGE_SIGMA_PX / camera.fy_px)))
    height_px = box.y2 - box.y1
    if bottom_seen and top_seen and box.label in HEIGHT and height_px > 0.0:
        height_m, spread = HEIGHT[box.label]
        metres = height_m * camera.fy_px / height_px
        estimates.append((metres, metres * math.hypot(spread, 1.4 * EDGE_SIGMA_PX / height_px)))
    if not estimates:
        return None
    weights = [1.0 / sigma**2 for _, sigma in estimates]
    mean = sum(w * metres for w, (metres, _) in zip(weights, estimates, strict=True)) / sum(weights)
    return Distance(mean, 1.0 / math.sqrt(sum(weights)))
