"""What the sensors can meet: bodies and guard rails in base_link; and the errors of the ego sensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Params, param
from adas_perception.sim.bodies import CAR, Kind
from adas_perception.types import EgoState

FloatArray = NDArray[np.float64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A solid body seen from the ego: centre, heading and velocity over ground in base_link axes."""

    x_m: float
    y_m: float
    yaw_rad: float
    length_m: float
    width_m: float
    height_m: float
    vx_mps: float
    vy_mps: float
    kind: Kind = CAR

    @property
    def top_m(self) -> float:
        """Return the height of what stands on the road; 0 for what spans it."""
        return self.height_m if self.kind.bottom_m == 0.0 else 0.0

    @property
    def outline(self) -> tuple[Point, Point, Point, Point]:
        """Return the corners in base_link, counter-clockwise from front left."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        ax, ay = c * self.length_m / 2.0, s * self.length_m / 2.0
        bx, by = -s * self.width_m / 2.0, c * self.width_m / 2.0
        x, y = self.x_m, self.y_m
        return (x + ax + bx, y + ay + by), (x - ax + bx, y - ay + by), (x - ax - bx, y - ay - by), (
            x + ax - bx, y + ay - by,
        )  # fmt: skip

    def corners(self) -> FloatArray:
        """Corners (4, 2) in base_link, counter-clockwise from front left."""
        return np.array(self.outline)


@dataclass(frozen=True)
class Surroundings:
    """What the sensors can meet: bodies, and points (N, 2) of guard rails, both in base_link."""

    boxes: tuple[Box, ...]
    rail_xy_m: FloatArray = field(default_factory=lambda: np.empty((0, 2)))


def overlap(a: Sequence[Point], b: Sequence[Point]) -> bool:
    """Tell whether two rectangles, given by their corners in order, touch (separating axes)."""
    for first, second in ((a, b), (b, a)):
        for (x0, y0), (x1, y1) in ((first[0], first[1]), (first[1], first[2])):
            ax, ay = x1 - x0, y1 - y0
            own = [x * ax + y * ay for x, y in first]
            other = [x * ax + y * ay for x, y in second]
            if max(own) < min(other) or max(other) < min(own):
                return False
    return True


def poisson(mean: float, rng: Random) -> int:
    """Draw from a Poisson distribution of a small mean (Knuth)."""
    count, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= rng.random()
    return count


@dataclass(frozen=True)
class EgoNoise(Params):
    """Deviations of the ego sensors."""

    speed_sigma_mps: float = param(0.02, "wheel-speed noise", unit="m/s", low=0.0, high=1.0)
    accel_sigma_mps2: float = param(0.05, "acceleration noise", unit="m/s2", low=0.0, high=1.0)
    yaw_rate_sigma_radps: float = param(0.001, "yaw-rate noise", unit="rad/s", low=0.0, high=0.1)
    steering_sigma_rad: float = param(0.0003, "steering-angle noise", unit="rad", low=0.0, high=0.01)


def noisy_ego(ego: EgoState, noise: EgoNoise, rng: Random) -> EgoState:
    """Return the ego state as real sensors report it; standstill and pose stay exact."""
    if ego.speed_mps == 0.0:
        return ego
    return EgoState(
        ego.stamp_ns,
        ego.speed_mps + rng.gauss(0.0, noise.speed_sigma_mps),
        ego.accel_mps2 + rng.gauss(0.0, noise.accel_sigma_mps2),
        ego.yaw_rate_radps + rng.gauss(0.0, noise.yaw_rate_sigma_radps),
        ego.steering_rad + rng.gauss(0.0, noise.steering_sigma_rad),
        ego.gear,
        ego.x_m,
        ego.y_m,
        ego.yaw_rad,
    )
