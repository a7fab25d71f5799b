"""Following a path: rear-axle tracking of one segment after another, gear and wheels set while the car stands.

Feedback of lateral offset and heading about the curvature of the path (Samson 1992, as in the survey of Paden 2016).
Speed: v = sqrt(2 a d), so that the car stands at the end of each segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adas_perception.functions.apa.geometry import Pose, Segment, along
from adas_perception.functions.common import NOMINAL_STEP_S
from adas_perception.params import Params, Vehicle, param
from adas_perception.types import EgoState, Gear


@dataclass(frozen=True)
class TrackParams(Params):
    """How a path is driven."""

    speed_max_mps: float = param(1.2, "fastest; UN R79 allows 10 km/h", unit="m/s", low=0.2, high=2.7)
    # Emergency braking in reverse watches from 0.5 m/s on; a parking car feels its way below that.
    reverse_max_mps: float = param(0.48, "fastest backwards", unit="m/s", low=0.1, high=2.7)
    decel_mps2: float = param(0.4, "deceleration towards the end of a segment", unit="m/s2", low=0.1, high=2.0)
    accel_max_mps2: float = param(0.8, "largest acceleration", unit="m/s2", low=0.1, high=2.0)
    brake_delay_s: float = param(0.2, "time until the brake works", unit="s", low=0.0, high=1.0)
    brake_mps2: float = param(3.5, "braking when something is in the way", unit="m/s2", low=1.0, high=5.0)
    hold_mps2: float = param(1.0, "braking at standstill", unit="m/s2", low=0.2, high=5.0)
    creep_mps: float = param(0.12, "slowest while moving", unit="m/s", low=0.02, high=0.5)
    lag_s: float = param(0.35, "time constant of speed control", unit="s", low=0.05, high=2.0)
    overspeed_lag_s: float = param(0.15, "the same when the car is too fast", unit="s", low=0.05, high=2.0)
    learning_ps2: float = param(0.8, "how fast lasting errors of speed are learnt", unit="1/s2", low=0.0, high=5.0)
    learnt_max_mps2: float = param(1.2, "largest acceleration that is learnt", unit="m/s2", low=0.0, high=3.0)
    reached_m: float = param(0.015, "a segment ends so near to its end", unit="m", low=0.001, high=0.2)
    offset_gain_pm2: float = param(1.2, "curvature per lateral offset", unit="1/m2", low=0.0, high=10.0)
    heading_gain_pm: float = param(2.0, "curvature per heading error", unit="1/m", low=0.0, high=10.0)
    aligned_rad: float = param(0.015, "wheels count as set", unit="rad", low=0.002, high=0.2)
    steering_max_rad: float = param(0.56, "largest road-wheel angle", unit="rad", low=0.1, high=1.2)


@dataclass(frozen=True, slots=True)
class Drive:
    """What the tracker asks for; ``accel_mps2`` counts along the gear."""

    accel_mps2: float
    steering_rad: float
    gear: Gear | None = None
    hold: bool = False


STANDING_MPS = 0.03
# Larger errors of speed come from starting and stopping, and teach no more than this.
_LEARN_FROM_MPS = 0.15
_STUCK_STEPS = 20


class Tracker:
    """Drives one path, given in odometry."""

    def __init__(self, params: TrackParams, vehicle: Vehicle, start: Pose, path: Sequence[Segment]) -> None:
        self._p = params
        self._vehicle = vehicle
        self._legs: list[tuple[Pose, Segment]] = []
        for segment in path:
            self._legs.append((start, segment))
            start = along(start, segment.curvature, segment.length_m)
        self.goal = start
        self.moved = 0
        self._last_way = 0
        self._rolling = False
        self._learnt = {1: 0.0, -1: 0.0}
        self._slow_steps = 0

    @property
    def done(self) -> bool:
        """Tell whether the end of the path is reached."""
        return not self._legs

    @property
    def leg(self) -> tuple[Pose, Segment] | None:
        """Return the segment that is driven now, with its start."""
        return self._legs[0] if self._legs else None

    def step(self, ego: EgoState, cap_mps: float) -> Drive:
        """Return what to do now; the speed stays below ``cap_mps``, 0 stops the car."""
        stands = abs(ego.speed_mps) < STANDING_MPS
        if cap_mps <= 0.0:
            return self.stop(ego)
        if self._legs and self._remaining(ego) < self._end_m(ego):
            self._legs.pop(0)
            self._rolling = False
        if not self._legs:
            return self.stop(ego, self._p.hold_mps2)
        _, segment = self._legs[0]
        way = 1 if segment.length_m > 0.0 else -1
        wheels = self._steering(ego, way)
        gear = Gear.DRIVE if way > 0 else Gear.REVERSE
        aligned = stands and abs(ego.steering_rad - wheels) < self._p.aligned_rad
        self._rolling = ego.gear is gear and (self._rolling or aligned)
        if not self._rolling:
            brake = self._p.hold_mps2 if stands else self._p.brake_mps2
            return Drive(-brake, wheels, None if ego.gear is gear else gear, hold=True)
        if way != self._last_way:
            self.moved, self._last_way = self.moved + 1, way
        return Drive(self._accel(ego, way, cap_mps), wheels)

    def stop(self, ego: EgoState, brake_mps2: float | None = None) -> Drive:
        """Return how to stop and to stand."""
        self._rolling = False
        brake = self._p.brake_mps2 if brake_mps2 is None or abs(ego.speed_mps) > STANDING_MPS else brake_mps2
        return Drive(-brake, ego.steering_rad, None, hold=abs(ego.speed_mps) < STANDING_MPS)

    def _end_m(self, ego: EgoState) -> float:
        # A car that stands a little short of the end would only creep into it.
        return self._p.reached_m if abs(ego.speed_mps) > STANDING_MPS else 2.0 * self._p.reached_m

    def _remaining(self, ego: EgoState) -> float:
        """Return the way left on the segment, negative beyond its end."""
        start, segment = self._legs[0]
        way = 1.0 if segment.length_m > 0.0 else -1.0
        return abs(segment.length_m) - way * self._progress(ego, start, segment.curvature)

    def _progress(self, ego: EgoState, start: Pose, curvature: float) -> float:
        """Return how far along the arc the car is, signed as the arc."""
        dx, dy = ego.x_m - start.x_m, ego.y_m - start.y_m
        c, s = math.cos(start.yaw_rad), math.sin(start.yaw_rad)
        x, y = c * dx + s * dy, c * dy - s * dx
        if abs(curvature) < 1e-6:
            return x
        return math.atan2(curvature * x, 1.0 - curvature * y) / curvature

    def _accel(self, ego: EgoState, way: int, cap_mps: float) -> float:
        p = self._p
        left = max(self._remaining(ego) - p.brake_delay_s * abs(ego.speed_mps), 0.0)
        cap_mps = min(cap_mps, p.speed_max_mps if way > 0 else p.reverse_max_mps)
        allowed = min(cap_mps, max(math.sqrt(2.0 * p.decel_mps2 * left), p.creep_mps))
        speed = ego.speed_mps * way
        braking = -p.decel_mps2 if allowed < cap_mps and speed > 0.8 * allowed else 0.0
        error = allowed - speed
        # What slopes and a wrong engine add is learnt, for each direction of its own.
        # Starting from rest teaches nothing, the engine only lags; a car that stays slow does.
        self._slow_steps = 0 if speed > 0.4 * allowed else self._slow_steps + 1
        if speed > 0.4 * allowed or self._slow_steps > _STUCK_STEPS:
            small = min(max(error, -_LEARN_FROM_MPS), _LEARN_FROM_MPS)
            learnt = self._learnt[way] + p.learning_ps2 * small * NOMINAL_STEP_S
            self._learnt[way] = min(max(learnt, -p.learnt_max_mps2), p.learnt_max_mps2)
        gain = 1.0 / p.lag_s if error > 0.0 else 1.0 / p.overspeed_lag_s
        wanted = gain * error + (braking if allowed > p.creep_mps else 0.0) + self._learnt[way]
        return min(max(wanted, -p.brake_mps2), p.accel_max_mps2 + max(self._learnt[way], 0.0))

    def _steering(self, ego: EgoState, way: int) -> float:
        start, segment = self._legs[0]
        at = along(start, segment.curvature, self._progress(ego, start, segment.curvature))
        offset = math.cos(at.yaw_rad) * (ego.y_m - at.y_m) - math.sin(at.yaw_rad) * (ego.x_m - at.x_m)
        heading = math.remainder(ego.yaw_rad - at.yaw_rad, math.tau)
        curvature = segment.curvature - self._p.offset_gain_pm2 * offset - way * self._p.heading_gain_pm * heading
        steering = math.atan(self._vehicle.wheelbase_m * curvature)
        return min(max(steering, -self._p.steering_max_rad), self._p.steering_max_rad)
