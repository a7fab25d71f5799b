"""Parking slots beside the car, measured while driving past with a sideways ultrasonic sensor and odometry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from adas_perception.functions.common import finite
from adas_perception.params import Params, param
from adas_perception.types import EchoPoint, EgoState, Side


class SlotKind(Enum):
    """How a car stands in a slot."""

    PARALLEL = "parallel"
    PERPENDICULAR = "perpendicular"


@dataclass(frozen=True, slots=True)
class Slot:
    """A free slot between two obstacles.

    Its pose, in the odometry frame, is the middle of the opening on the line along the obstacles, heading along the
    street. ``length_m`` is the opening; ``depth_m`` is free behind that line, infinite when nothing was seen.
    """

    kind: SlotKind
    side: Side
    x_m: float
    y_m: float
    yaw_rad: float
    length_m: float
    depth_m: float


@dataclass(frozen=True)
class SlotParams(Params):
    """How slots are measured."""

    edge_m: float = param(0.6, "a range longer by this is behind the obstacle", unit="m", low=0.2, high=2.0)
    obstacle_m: float = param(0.3, "so much of an obstacle must be seen to end a slot", unit="m", low=0.0, high=2.0)
    straight_rad: float = param(0.1, "largest turn of the car along a slot", unit="rad", low=0.01, high=0.5)
    longest_m: float = param(20.0, "a longer gap is no slot", unit="m", low=5.0, high=100.0)


@dataclass
class _Obstacle:
    """A stretch of near echoes: first and last echo, nearest range and side distance there, yaw at the last."""

    first_s: float
    first_range: float
    last_s: float
    last_range: float
    nearest: float
    lateral_m: float
    yaw_rad: float

    def start(self) -> float:
        """Return where the obstacle begins: the cone meets its corner early, at a longer range."""
        return self.first_s + _early(self.first_range, self.nearest)

    def end(self) -> float:
        """Return where the obstacle ends."""
        return self.last_s - _early(self.last_range, self.nearest)


def _early(range_m: float, nearest_m: float) -> float:
    return math.sqrt(max(range_m**2 - nearest_m**2, 0.0))


@dataclass(frozen=True, slots=True)
class Gap:
    """A free stretch between two obstacles, before it is known whether a car fits."""

    length_m: float
    depth_m: float
    x_m: float
    y_m: float
    yaw_rad: float


class SideScan:
    """Follows the obstacles along one side of the car."""

    def __init__(self, params: SlotParams, side: Side) -> None:
        self._p = params
        self._side = side
        self._before: _Obstacle | None = None
        self._now: _Obstacle | None = None
        self._reported = False
        self._gap_nearest = math.inf

    def reset(self) -> None:
        """Forget everything, after a gap in the data."""
        self._before = self._now = None
        self._gap_nearest = math.inf

    def step(self, ego: EgoState, travelled_m: float, echo: EchoPoint | None) -> Gap | None:
        """Take one measurement, None when nothing answered; returns a gap when its far end has been seen."""
        if echo is not None and not finite(echo.x_m, echo.y_m, echo.range_m):
            return None
        now = self._now
        if echo is None or (now is not None and echo.range_m > now.nearest + self._p.edge_m):
            self._behind(math.inf if echo is None else echo.range_m)
            return None
        s = travelled_m + echo.x_m
        if now is None:
            self._meet(ego, s, echo)
            return None
        now.last_s, now.last_range, now.yaw_rad = s, echo.range_m, ego.yaw_rad
        if echo.range_m < now.nearest:
            now.nearest, now.lateral_m = echo.range_m, abs(echo.y_m)
        return self._report(ego, travelled_m, now)

    def _behind(self, range_m: float) -> None:
        """The obstacle has ended, or what is seen lies behind its line."""
        if self._now is not None:
            self._before, self._now, self._gap_nearest = self._now, None, math.inf
        self._gap_nearest = min(self._gap_nearest, range_m)

    def _meet(self, ego: EgoState, s: float, echo: EchoPoint) -> None:
        """Start an obstacle, unless the echo is the back of the present gap."""
        before = self._before
        if before is not None and echo.range_m > before.nearest + self._p.edge_m:
            self._gap_nearest = min(self._gap_nearest, echo.range_m)
            return
        self._now = _Obstacle(s, echo.range_m, s, echo.range_m, echo.range_m, abs(echo.y_m), ego.yaw_rad)
        self._reported = before is None

    def _report(self, ego: EgoState, travelled_m: float, now: _Obstacle) -> Gap | None:
        """Return the gap before the present obstacle, once, when enough of the obstacle has been seen."""
        before = self._before
        if self._reported or before is None or now.last_s - now.first_s < self._p.obstacle_m:
            return None
        self._reported = True
        length = now.start() - before.end()
        turned = math.remainder(ego.yaw_rad - before.yaw_rad, 2.0 * math.pi)
        if length > self._p.longest_m or abs(turned) > self._p.straight_rad:
            return None
        row = max(before.nearest, now.nearest)
        x = (now.start() + before.end()) / 2.0 - travelled_m
        y = self._side * max(before.lateral_m, now.lateral_m)
        c, n = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
        return Gap(
            length,
            self._gap_nearest - row,
            ego.x_m + c * x - n * y,
            ego.y_m + n * x + c * y,
            ego.yaw_rad,
        )
