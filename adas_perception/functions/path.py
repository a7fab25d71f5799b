"""Where the car will go, and where other objects are beside that path.

The path of the rear axle is a circular arc that starts along x. Positions beside it are given as (s, d): s metres
along the arc from the rear axle, d metres to its left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adas_perception.functions.common import line_usable
from adas_perception.params import Vehicle
from adas_perception.types import EgoState, FloatArray, LaneLine, LaneLines, Track

# Below it the yaw rate is mostly noise; the steering angle then tells the curvature better.
YAW_SPEED_MPS = 3.0
CURVATURE_MAX = 0.25
# The driver keeps his lane while his heading and curvature differ from it by less than this.
KEPT_SLOPE = 0.06
KEPT_CURVATURE = 0.015
# A line is believed this much farther than it is seen.
LINE_REACH = 1.3


@dataclass(frozen=True, slots=True)
class Arc:
    """A path of constant curvature in 1/m, positive to the left."""

    curvature: float

    def project(self, x: float, y: float) -> tuple[float, float, float]:
        """Return (s, d) of a point in base_link and the heading of the path there, in m, m and rad."""
        k = self.curvature
        angle = math.atan2(k * x, 1.0 - k * y)
        s = angle / k if abs(k) > 1e-9 else x
        return s, (2.0 * y - k * (x * x + y * y)) / (1.0 + math.hypot(k * x, 1.0 - k * y)), angle

    def project_many(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (s, d) of points in base_link, arrays of one shape."""
        k = self.curvature
        s = np.arctan2(k * x, 1.0 - k * y) / k if abs(k) > 1e-9 else x
        return s, (2.0 * y - k * (x * x + y * y)) / (1.0 + np.hypot(k * x, 1.0 - k * y))


class Neighbour(NamedTuple):
    """A track seen from the path: position, velocity over ground along and across it, half its size.

    ``x_m`` and ``y_m`` are where it is now in base_link. A tuple, because one is made for every track in every cycle.
    """

    track: Track
    x_m: float
    y_m: float
    s_m: float
    d_m: float
    vs_mps: float
    vd_mps: float
    half_length_m: float
    half_width_m: float

    @property
    def near_s_m(self) -> float:
        """Return s of its face towards the car behind it."""
        return self.s_m - self.half_length_m


def ego_arc(ego: EgoState, vehicle: Vehicle) -> Arc:
    """Return the arc the car is driving, from yaw rate, or from the steering angle at walking pace."""
    if abs(ego.speed_mps) < YAW_SPEED_MPS:
        curvature = vehicle.curvature_for(ego.steering_rad, ego.speed_mps)
    else:
        curvature = ego.yaw_rate_radps / ego.speed_mps
    return Arc(min(max(curvature, -CURVATURE_MAX), CURVATURE_MAX))


@dataclass(frozen=True, slots=True)
class KeptLane:
    """The lines, at least one, of the lane that the car keeps to."""

    lines: tuple[LaneLine, ...]

    def arc_to(self, x_m: float) -> Arc:
        """Return the arc that takes the car along its lane, its offset kept, to the lane's end or ``x_m`` ahead."""
        x = min(max(x_m, 1.0), min(line.x_max for line in self.lines) * LINE_REACH)
        y = sum(line.y(x) - line.y(0.0) for line in self.lines) / len(self.lines)
        return Arc(2.0 * y / (x * x + y * y))

    def heading(self, x_m: float) -> float:
        """Return the direction of the lane in rad ``x_m`` ahead, at its end at most.

        At the entry of a bend that is more than the arc to that place says: who comes along the lane would seem to
        leave it.
        """
        x = min(max(x_m, 0.0), min(line.x_max for line in self.lines) * LINE_REACH)
        return math.atan(sum(line.slope(x) for line in self.lines) / len(self.lines))


def kept_lane(lanes: LaneLines | None, arc: Arc, confidence_min: float) -> KeptLane | None:
    """Return the lane, if the car is in it and seems to stay: it drives along the lines and curves as they do."""
    if lanes is None:
        return None
    left, right = (line if line_usable(line, confidence_min) else None for line in (lanes.left, lanes.right))
    lines = tuple(line for line in (left, right) if line)
    kept = (
        (left is None or left.y(0.0) > 0.0)
        and (right is None or right.y(0.0) < 0.0)
        and all(abs(line.slope(0.0)) < KEPT_SLOPE for line in lines)
        and all(abs(line.curvature(0.0) - arc.curvature) < KEPT_CURVATURE for line in lines)
    )
    return KeptLane(lines) if lines and kept else None


def neighbour(
    track: Track, arc: Arc, ego_mps: float = 0.0, age_s: float = 0.0, heading_rad: float | None = None
) -> Neighbour:
    """Return a track in path coordinates, as it stands ``age_s`` after its sensor sample.

    Until then both sides move on as they did, the car with ``ego_mps``. ``heading_rad`` is the direction of the path
    beside the track where that is known better than by the arc.
    """
    x = track.x_m + (track.vx_mps - ego_mps) * age_s
    y = track.y_m + track.vy_mps * age_s
    s, d, angle = arc.project(x, y)
    angle = angle if heading_rad is None else heading_rad
    c, n = math.cos(angle), math.sin(angle)
    ch, sh = abs(math.cos(track.yaw_rad - angle)), abs(math.sin(track.yaw_rad - angle))
    return Neighbour(
        track,
        x,
        y,
        s,
        d,
        c * track.vx_mps + n * track.vy_mps,
        c * track.vy_mps - n * track.vx_mps,
        (ch * track.length_m + sh * track.width_m) / 2.0,
        (sh * track.length_m + ch * track.width_m) / 2.0,
    )


def decel_required(gap_m: float, speed_mps: float, lead_mps: float, lead_accel_mps2: float) -> float:
    """Return the constant deceleration in m/s2 that just avoids reaching the lead.

    A braking lead is taken to brake on until it stands; its acceleration is given no credit. 0 when no braking is
    needed, infinite when the gap is used up.
    """
    closing = speed_mps - max(lead_mps, 0.0)
    braking = max(-lead_accel_mps2, 0.0) if lead_mps > 0.0 else 0.0
    if gap_m <= 0.0:
        return math.inf if closing > 0.0 or braking > 0.0 else 0.0
    following = braking + max(closing, 0.0) ** 2 / (2.0 * gap_m)
    if braking <= 0.0:
        return following
    to_standstill = speed_mps**2 / (2.0 * (gap_m + lead_mps**2 / (2.0 * braking)))
    # Which of the two holds depends on who stops first: the car meets the braking lead only while that still moves.
    meets_moving = closing > 0.0 and 2.0 * gap_m / closing < lead_mps / braking
    return following if meets_moving else to_standstill
