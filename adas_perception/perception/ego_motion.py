"""Where the car was at a past stamp: short dead reckoning from speed and yaw rate."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from adas_perception.types import EgoState, seconds

# Samples kept: more than one second of a 100 Hz source.
HISTORY = 128
# Slower cars turn in places and out of them, and tell nothing of the road's bend.
BEND_SPEED_MPS = 5.0


class Pose(NamedTuple):
    """A pose in the plane, in metres and radians."""

    x_m: float
    y_m: float
    yaw_rad: float

    def seen_from(self, other: Pose) -> Pose:
        """Return this pose in the frame of ``other``."""
        c, s = math.cos(other.yaw_rad), math.sin(other.yaw_rad)
        dx, dy = self.x_m - other.x_m, self.y_m - other.y_m
        return Pose(c * dx + s * dy, c * dy - s * dx, self.yaw_rad - other.yaw_rad)


class EgoMotion:
    """Poses of base_link over the last second, in a frame that starts where the first sample was."""

    def __init__(self) -> None:
        self._samples: deque[tuple[EgoState, Pose]] = deque(maxlen=HISTORY)

    def add(self, ego: EgoState) -> None:
        """Take in a sample; one that is not newer than the last changes nothing."""
        if not self._samples:
            self._samples.append((ego, Pose(0.0, 0.0, 0.0)))
        elif ego.stamp_ns > self._samples[-1][0].stamp_ns:
            last, pose = self._samples[-1]
            speed = (last.speed_mps + ego.speed_mps) / 2.0
            yaw_rate = (last.yaw_rate_radps + ego.yaw_rate_radps) / 2.0
            self._samples.append((ego, _drive(pose, speed, yaw_rate, seconds(ego.stamp_ns - last.stamp_ns))))

    def pose(self, stamp_ns: int) -> Pose:
        """Return the pose at ``stamp_ns``, carried on with constant speed and yaw rate between and beyond samples.

        Raises LookupError before the first sample.
        """
        if not self._samples:
            raise LookupError("the motion of the car is asked for before its first sample")
        ego, pose = next((s for s in reversed(self._samples) if s[0].stamp_ns <= stamp_ns), self._samples[0])
        return _drive(pose, ego.speed_mps, ego.yaw_rate_radps, seconds(stamp_ns - ego.stamp_ns))


    def bend(self) -> float | None:
        """Return the curvature (1/m, positive to the left) of the road as the car drives it now, if that shows it."""
        ego, _ = self._samples[-1]
        return ego.yaw_rate_radps / ego.speed_mps if ego.speed_mps > BEND_SPEED_MPS else None


def _drive(pose: Pose, speed_mps: float, yaw_rate_radps: float, dt_s: float) -> Pose:
    turn = yaw_rate_radps * dt_s
    heading = pose.yaw_rad + turn / 2.0
    way = speed_mps * dt_s
    return Pose(pose.x_m + way * math.cos(heading), pose.y_m + way * math.sin(heading), pose.yaw_rad + turn)
