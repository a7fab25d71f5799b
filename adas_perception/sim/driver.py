"""The simulated driver: steers with preview, holds a speed until ACC takes over, lets go of the wheel when told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from adas_perception.params import Vehicle
from adas_perception.sim.road import Road
from adas_perception.sim.vehicle import Car, DriverAction
from adas_perception.types import DriverInput, Indicator

_PRESS_S = 0.2
_PREVIEW_S = 0.15
# Stiffness of lane keeping: a natural frequency of 0.8 rad/s, well damped, as people steer.
_OFFSET_GAIN_PS2 = 0.64
_HEADING_GAIN_PS = 1.8
_LATERAL_MAX_MPS2 = 2.5
_SPEED_GAIN = 0.4
_PEDAL_MPS2 = 3.5
# People do not floor the pedal to hold a speed: that would mean kick-down to AEB.
_PEDAL_MAX = 0.6
_STARTLING_MPS2 = -2.0
_HAND_TORQUE_NMPRAD = 20.0


class Button(Enum):
    """A switch on the steering wheel; its value is the field of DriverInput."""

    ACC_SET = "acc_set"
    ACC_RESUME = "acc_resume"
    ACC_CANCEL = "acc_cancel"
    ACC_GAP = "acc_gap"
    LKA_TOGGLE = "lka_toggle"


@dataclass(frozen=True)
class Phase:
    """From ``start_s`` on the driver does this.

    ``speed_mps`` is held with the pedals, None leaves them alone (ACC drives). Hands off, the road wheels keep
    following the road but for ``drift_rad``. ``brake`` is the pedal, 0..1.
    """

    start_s: float
    speed_mps: float | None = None
    hands_on: bool = True
    drift_rad: float = 0.0
    brake: float = 0.0
    lane_d_m: float | None = None
    indicator: Indicator = Indicator.OFF


@dataclass(frozen=True)
class DriverScript:
    """Phases in order of time and buttons pressed at times (s)."""

    phases: tuple[Phase, ...] = (Phase(0.0),)
    presses: tuple[tuple[float, Button], ...] = ()


class Driver:
    """Follows a script. Keeps to ``lane_d_m`` unless a phase names another offset.

    When the car brakes by itself he takes his foot off the accelerator for the rest of the phase.
    """

    def __init__(self, script: DriverScript, vehicle: Vehicle, lane_d_m: float) -> None:
        self._script = script
        self._vehicle = vehicle
        self._lane_d_m = lane_d_m
        self._startled_in: Phase | None = None

    def act(self, time_s: float, stamp_ns: int, car: Car, road: Road, s_m: float, d_m: float) -> DriverAction:
        """Return what the driver does now; (s_m, d_m) is the rear axle on the road."""
        phase = self._script.phases[0]
        for later in self._script.phases:
            if later.start_s <= time_s + 1e-9:
                phase = later
        pressed = {b.value: True for t, b in self._script.presses if 0.0 <= time_s - t + 1e-9 < _PRESS_S}
        road_curvature = road.point(s_m + _PREVIEW_S * car.speed_mps).curvature
        if phase.hands_on:
            target_d = self._lane_d_m if phase.lane_d_m is None else phase.lane_d_m
            heading = math.remainder(car.course_rad - road.point(s_m).yaw_rad, math.tau)
            steering = self._keep_lane(car, road_curvature, d_m - target_d, heading)
            torque = _HAND_TORQUE_NMPRAD * (steering - car.steering_rad)
        else:
            steering = self._vehicle.steering_for(road_curvature, car.speed_mps) + phase.drift_rad
            torque = 0.0
        accelerator, brake = self._pedals(phase, car)
        controls = DriverInput(
            stamp_ns, accelerator, brake, min(max(torque, -2.0), 2.0), phase.hands_on, phase.indicator, **pressed
        )
        return DriverAction(controls, steering)

    def _keep_lane(self, car: Car, curvature: float, offset_m: float, heading_rad: float) -> float:
        v = max(car.speed_mps, 3.0)
        correction = -_OFFSET_GAIN_PS2 * offset_m - _HEADING_GAIN_PS * v * heading_rad
        lateral = min(max(correction, -_LATERAL_MAX_MPS2), _LATERAL_MAX_MPS2)
        return self._vehicle.steering_for(curvature + lateral / v**2, v)

    def _pedals(self, phase: Phase, car: Car) -> tuple[float, float]:
        if phase.brake == 0.0 and car.accel_mps2 < _STARTLING_MPS2:
            self._startled_in = phase
        if phase.brake > 0.0 or phase.speed_mps is None or self._startled_in is phase:
            return 0.0, phase.brake
        demand = _SPEED_GAIN * (phase.speed_mps - car.speed_mps)
        drag = car.params.rolling_mps2 + car.params.air_per_m * car.speed_mps**2
        return min(max((demand + drag) / _PEDAL_MPS2, 0.0), _PEDAL_MAX), 0.0
