"""Is the measured motion of the car possible? Speed against acceleration and radar, yaw rate against steering.

Each check compares two sensors that cannot fail alike. The tolerances leave room for noise, for the asynchrony of
the messages and for a car at the limit of its tyres; they are parameters.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.faults import VEHICLE, Fault, FaultKind
from adas_perception.types import EgoState, RadarTarget, RadarTargets, seconds

# What no road car does; a sample beyond is a fault of the sensor.
SPEED_MAX_MPS = 100.0
REVERSE_MAX_MPS = 30.0
ACCEL_MAX_MPS2 = 20.0
YAW_RATE_MAX_RADPS = 3.0
STEERING_MAX_RAD = 1.2
# Largest changes between two samples: rates that no car reaches, and the noise of one sample.
SPEED_JUMP = (20.0, 1.0)
YAW_RATE_JUMP = (8.0, 0.15)
STEERING_JUMP = (3.0, 0.05)
# The roadside begins here, beyond the lanes beside the car.
ROADSIDE_M = 5.5
# Echoes nearer to each other may come from one lorry, which in a bend drives where the roadside is.
THING_M = 20.0
# Things that agree on one speed.
SAME_MPS = 0.5


@dataclass(frozen=True)
class MotionParams(Params):
    """Tolerances between sensors."""

    speed_mps: float = param(0.8, "speed may leave the integral of the acceleration by", unit="m/s", low=0.1, high=5.0)
    memory_s: float = param(2.0, "time over which it is integrated", unit="s", low=0.1, high=10.0)
    yaw_lag_s: float = param(0.15, "lag of the yaw rate behind the steering", unit="s", low=0.0, high=1.0)
    lateral_mps2: float = param(1.5, "yaw rate times speed may differ by", unit="m/s2", low=0.2, high=5.0)
    lateral_share: float = param(0.35, "and by this share of the accelerations", low=0.0, high=1.0)
    yaw_above_mps: float = param(3.0, "yaw rate is judged above this speed", unit="m/s", low=1.0, high=20.0)
    radar_mps: float = param(1.5, "speed may differ from the roadside's by", unit="m/s", low=0.2, high=5.0)
    radar_share: float = param(0.04, "and by this share of the speed", low=0.0, high=0.5)
    radar_targets: int = param(4, "roadside things that must agree", low=3, high=50)
    confirm: int = param(3, "samples in a row that make a fault", low=1, high=20)


class MotionCheck:
    """Judges one vehicle state after the other."""

    def __init__(self, params: MotionParams, vehicle: Vehicle) -> None:
        self._p = params
        self._vehicle = vehicle
        self.restart()

    def restart(self) -> None:
        """Begin anew after the clock has jumped."""
        self._last: EgoState | None = None
        self._speed_error = 0.0
        self._yaw_expected: float | None = None
        self._yaw_bad = self._radar_bad = 0

    def possible(self, ego: EgoState) -> bool:
        """Return whether the numbers can be those of a car and follow from the last good ones."""
        in_range = (
            -REVERSE_MAX_MPS <= ego.speed_mps <= SPEED_MAX_MPS
            and abs(ego.accel_mps2) <= ACCEL_MAX_MPS2
            and abs(ego.yaw_rate_radps) <= YAW_RATE_MAX_RADPS
            and abs(ego.steering_rad) <= STEERING_MAX_RAD
            and all(map(math.isfinite, (ego.x_m, ego.y_m, ego.yaw_rad)))
        )
        last = self._last
        if not in_range or last is None:
            return in_range
        dt = abs(seconds(ego.stamp_ns - last.stamp_ns))
        return (
            _near(ego.speed_mps, last.speed_mps, SPEED_JUMP, dt)
            and _near(ego.yaw_rate_radps, last.yaw_rate_radps, YAW_RATE_JUMP, dt)
            and _near(ego.steering_rad, last.steering_rad, STEERING_JUMP, dt)
        )

    def take(self, ego: EgoState) -> None:
        """Take in an accepted state."""
        p, last = self._p, self._last
        self._last = ego
        expected = ego.speed_mps * self._vehicle.curvature_for(ego.steering_rad, ego.speed_mps)
        if last is None or self._yaw_expected is None:
            self._yaw_expected = expected
            return
        dt = max(seconds(ego.stamp_ns - last.stamp_ns), 0.0)
        fade = math.exp(-dt / p.memory_s)
        driven = (last.accel_mps2 + ego.accel_mps2) / 2.0 * dt
        self._speed_error = (self._speed_error + ego.speed_mps - last.speed_mps - driven) * fade
        self._yaw_expected += (expected - self._yaw_expected) * dt / (p.yaw_lag_s + dt) if dt > 0.0 else 0.0
        self._yaw_bad = self._yaw_bad + 1 if self._yaw_differs(ego, self._yaw_expected) else 0

    def radar(self, targets: RadarTargets) -> None:
        """Compare the odometry with what stands at the roadside; too few things say nothing.

        Nor do they where half as many stand as move: then the others are traffic.
        """
        p, ego = self._p, self._last
        if ego is None:
            return
        speeds = [t.speed_mps for t in _things(targets)]
        if len(speeds) < p.radar_targets:
            return
        middle, tolerance = statistics.median(speeds), max(p.radar_mps, p.radar_share * abs(ego.speed_mps))
        agree = sum(abs(speed - middle) <= SAME_MPS for speed in speeds)
        stand = sum(abs(speed) <= tolerance for speed in speeds)
        wrong = abs(middle) > tolerance and agree >= p.radar_targets and agree > 2 * stand
        self._radar_bad = self._radar_bad + 1 if wrong else 0

    def faults(self) -> tuple[Fault, ...]:
        """Return what does not fit together."""
        speed = abs(self._speed_error) > self._p.speed_mps or self._radar_bad >= self._p.confirm
        yaw = self._yaw_bad >= self._p.confirm
        kinds = ((speed, FaultKind.SPEED_DOUBTFUL), (yaw, FaultKind.YAW_DOUBTFUL))
        return tuple(Fault(kind, VEHICLE) for wrong, kind in kinds if wrong)

    def _yaw_differs(self, ego: EgoState, expected: float) -> bool:
        if abs(ego.speed_mps) < self._p.yaw_above_mps:
            return False
        difference = abs(ego.speed_mps * (ego.yaw_rate_radps - expected))
        stress = abs(ego.speed_mps * expected) + abs(ego.accel_mps2)
        return difference > self._p.lateral_mps2 + self._p.lateral_share * stress


def _things(targets: RadarTargets) -> list[RadarTarget]:
    """Return one target of each thing at the roadside."""
    things: list[RadarTarget] = []
    for t in targets.items:
        at_roadside = abs(t.y_m) > ROADSIDE_M and math.isfinite(t.speed_mps)
        if at_roadside and all(math.dist((t.x_m, t.y_m), (o.x_m, o.y_m)) > THING_M for o in things):
            things.append(t)
    return things


def _near(value: float, last: float, jump: tuple[float, float], dt: float) -> bool:
    rate, noise = jump
    return abs(value - last) <= rate * dt + noise
