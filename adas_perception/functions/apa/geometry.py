"""Planar geometry of parking: poses, arcs of constant curvature, and the distance from a car's body to points.

Poses are those of base_link (middle of the rear axle). The frame of a slot has its origin in the middle of the
opening, x along the street as the car passed, y towards the street; slots on the left are mirrored into it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Vehicle
from adas_perception.types import EgoState

Array = NDArray[np.float64]
_STRAIGHT = 1e-6
_OUTSIDE_M = 1e-3
TYRE_RADIUS_M = 0.33


class Pose(NamedTuple):
    """Position and heading."""

    x_m: float
    y_m: float
    yaw_rad: float


class Segment(NamedTuple):
    """A piece of path of constant curvature (1/m, positive left); a negative length is driven backwards."""

    length_m: float
    curvature: float


class Frame(NamedTuple):
    """A frame in odometry; ``side`` is -1 when its y axis is mirrored."""

    x_m: float
    y_m: float
    yaw_rad: float
    side: int = 1

    def to_local(self, pose: Pose) -> Pose:
        """Return an odometry pose in this frame."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        dx, dy = pose.x_m - self.x_m, pose.y_m - self.y_m
        yaw = math.remainder(pose.yaw_rad - self.yaw_rad, math.tau)
        return Pose(c * dx + s * dy, self.side * (c * dy - s * dx), self.side * yaw)

    def to_odom(self, pose: Pose) -> Pose:
        """Return a pose of this frame in odometry."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        x, y = pose.x_m, self.side * pose.y_m
        yaw = math.remainder(self.yaw_rad + self.side * pose.yaw_rad, math.tau)
        return Pose(self.x_m + c * x - s * y, self.y_m + s * x + c * y, yaw)

    def points_to_local(self, points: Array) -> Array:
        """Return odometry points (N, 2) in this frame."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        dx, dy = points[:, 0] - self.x_m, points[:, 1] - self.y_m
        return np.column_stack((c * dx + s * dy, self.side * (c * dy - s * dx)))

    def points_to_odom(self, points: Array) -> Array:
        """Return points (N, 2) of this frame in odometry."""
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        x, y = points[:, 0], self.side * points[:, 1]
        return np.column_stack((self.x_m + c * x - s * y, self.y_m + s * x + c * y))


def pose_at(ego: EgoState, stamp_ns: int) -> Pose:
    """Return where the car was at a time a moment before its state, at constant speed and yaw rate."""
    ago = (ego.stamp_ns - stamp_ns) / 1e9 if stamp_ns else 0.0
    yaw = ego.yaw_rad - ego.yaw_rate_radps * ago / 2.0
    back = ego.speed_mps * ago
    return Pose(ego.x_m - back * math.cos(yaw), ego.y_m - back * math.sin(yaw), ego.yaw_rad - ego.yaw_rate_radps * ago)


def along(start: Pose, curvature: float, length_m: float) -> Pose:
    """Return the pose after driving an arc; backwards when ``length_m`` is negative."""
    x, y, yaw = start
    if abs(curvature) < _STRAIGHT:
        return Pose(x + length_m * math.cos(yaw), y + length_m * math.sin(yaw), yaw)
    end = yaw + curvature * length_m
    return Pose(
        x + (math.sin(end) - math.sin(yaw)) / curvature, y + (math.cos(yaw) - math.cos(end)) / curvature, end
    )


def sweep(start: Pose, segment: Segment, step_m: float = 0.05) -> Array:
    """Return the poses (M, 3) along an arc, from one step behind its start to its end."""
    count = max(1, math.ceil(abs(segment.length_m) / step_m))
    s = np.linspace(0.0, segment.length_m, count + 1)[1:]
    x, y, yaw = start
    k = segment.curvature
    if abs(k) < _STRAIGHT:
        return np.column_stack((x + s * math.cos(yaw), y + s * math.sin(yaw), np.full(count, yaw)))
    end = yaw + k * s
    return np.column_stack((x + (np.sin(end) - math.sin(yaw)) / k, y + (math.cos(yaw) - np.cos(end)) / k, end))


def trace(start: Pose, segments: Sequence[Segment], step_m: float = 0.05) -> Array:
    """Return the poses (M, 3) along a path, its start first."""
    parts = [np.array([start], dtype=np.float64)]
    for segment in segments:
        parts.append(sweep(start, segment, step_m))
        start = along(start, segment.curvature, segment.length_m)
    return np.concatenate(parts)


def end_of(start: Pose, segments: Sequence[Segment]) -> Pose:
    """Return the pose at the end of a path."""
    for segment in segments:
        start = along(start, segment.curvature, segment.length_m)
    return start


def strokes(segments: Sequence[Segment]) -> int:
    """Return the number of moves: pieces driven without a change of direction."""
    signs = [segment.length_m > 0.0 for segment in segments if abs(segment.length_m) > 1e-6]
    return sum(1 for i, sign in enumerate(signs) if i == 0 or sign != signs[i - 1])


def backwards(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the path driven the other way round, from its end to its start."""
    return tuple(Segment(-s.length_m, s.curvature) for s in reversed(segments))


def joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the path with neighbouring pieces of one arc and direction made one."""
    found: list[Segment] = []
    for segment in segments:
        if found and found[-1].curvature == segment.curvature and found[-1].length_m * segment.length_m > 0.0:
            found[-1] = Segment(found[-1].length_m + segment.length_m, segment.curvature)
        else:
            found.append(segment)
    return tuple(found)


class Body:
    """A rectangle on the car for collision checks: its outline, or what touches the ground."""

    def __init__(self, front_m: float, rear_m: float, width_m: float) -> None:
        self.half_length_m = (front_m - rear_m) / 2.0
        self.half_width_m = width_m / 2.0
        self.middle_m = (front_m + rear_m) / 2.0

    @classmethod
    def outline(cls, vehicle: Vehicle) -> Body:
        """Return the outline of the car."""
        return cls(vehicle.front_x_m, -vehicle.rear_overhang_m, vehicle.width_m)

    @classmethod
    def wheels(cls, vehicle: Vehicle) -> Body:
        """Return the rectangle around the tyres, which alone can touch a kerb: the bumpers pass over it."""
        return cls(vehicle.wheelbase_m + TYRE_RADIUS_M, -TYRE_RADIUS_M, vehicle.width_m)

    def beyond(self, poses: Array, points: Array) -> tuple[Array, Array]:
        """Return how far points (N, 2) lie beyond the body lengthwise and sideways at poses (M, 3): two (M, N)."""
        c, s = np.cos(poses[:, 2:3]), np.sin(poses[:, 2:3])
        dx, dy = points[None, :, 0] - poses[:, 0:1], points[None, :, 1] - poses[:, 1:2]
        lengthwise = np.abs(c * dx + s * dy - self.middle_m) - self.half_length_m
        sideways = np.abs(c * dy - s * dx) - self.half_width_m
        return lengthwise, sideways

    def free(self, poses: Array, points: Array, margin_m: float) -> NDArray[np.bool_]:
        """Tell for each pose whether no point is inside the body inflated by ``margin_m``."""
        near = self._near(poses, points, margin_m) if len(poses) else points[:0]
        if not len(near):
            return np.ones(len(poses), dtype=bool)
        lengthwise, sideways = self.beyond(poses, near)
        return np.asarray(((lengthwise >= margin_m) | (sideways >= margin_m)).all(axis=1), dtype=np.bool_)

    def _near(self, poses: Array, points: Array, margin_m: float) -> Array:
        """Return the points that the body may reach at any of the poses; looking at no others saves much time."""
        middles = poses[:, :2] + self.middle_m * np.column_stack((np.cos(poses[:, 2]), np.sin(poses[:, 2])))
        reach = math.hypot(self.half_length_m, self.half_width_m) + 2.0 * margin_m
        inside = (points > middles.min(axis=0) - reach) & (points < middles.max(axis=0) + reach)
        near: Array = points[inside.all(axis=1)]
        return near

    def moved_out(self, pose: Pose, points: Array, margin_m: float) -> Array:
        """Return the points as they may be while the body stands at a pose: at least ``margin_m`` away from it.

        Those inside the body cannot be there and are left out.
        """
        if not len(points):
            return points
        lengthwise, sideways = (rows[0] for rows in self.beyond(np.array([pose], dtype=np.float64), points))
        near = np.maximum(lengthwise, sideways)
        missing = np.where(near < margin_m, margin_m + _OUTSIDE_M - near, 0.0)
        c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
        dx, dy = points[:, 0] - pose.x_m, points[:, 1] - pose.y_m
        along_m, across_m = c * dx + s * dy, c * dy - s * dx
        ahead = lengthwise > sideways
        forth = np.where(ahead, np.sign(along_m - self.middle_m) * missing, 0.0)
        left = np.where(ahead, 0.0, np.sign(across_m) * missing)
        moved = points + np.column_stack((c * forth - s * left, s * forth + c * left))
        return np.asarray(moved[near > 0.0], dtype=np.float64)

    def clearance(self, pose: Pose, points: Array) -> float:
        """Return the distance from the body to the nearest point, negative when it is inside."""
        if not len(points):
            return math.inf
        lengthwise, sideways = self.beyond(np.array([pose], dtype=np.float64), points)
        outside = np.hypot(np.maximum(lengthwise, 0.0), np.maximum(sideways, 0.0))
        return float((outside + np.minimum(np.maximum(lengthwise, sideways), 0.0)).min())
