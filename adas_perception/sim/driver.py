"""The simulated driver, also a test robot: steers with preview, holds a speed, drifts, reacts to warnings.

He holds the speed exactly until the car intervenes, follows the middle of his lane, changes lane, lets the car drift
at a lateral speed reached on an arc as the lane-support protocols ask, and answers a warning as their driver model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from random import Random

from adas_perception.params import Vehicle
from adas_perception.sim.road import Road
from adas_perception.sim.vehicle import Car, DriverAction
from adas_perception.types import DriverInput, Gear, Indicator

_PRESS_S = 0.2
_PREVIEW_S = 0.15
# After the turn of a drift he steers on so long, until the car moves straight.
_SETTLE_S = 0.3
# Stiffness of lane keeping: a natural frequency of 0.8 rad/s, well damped, as people steer.
_OFFSET_GAIN_PS2 = 0.64
_HEADING_GAIN_PS = 1.8
_LATERAL_MAX_MPS2 = 2.5
_SPEED_GAIN = 0.4
# People do not floor the pedal to hold a speed: that would mean kick-down to AEB.
_PEDAL_MAX = 0.6
_STARTLING_MPS2 = -2.0
_HAND_TORQUE_NMPRAD = 20.0
_HAND_TORQUE_MAX_NM = 2.0
# Wander of a driver in his lane: this many swings between these frequencies.
_SWINGS = 6
_SWING_HZ = (0.02, 0.1)


class Button(Enum):
    """A switch on the steering wheel; its value is the field of DriverInput."""

    ACC_SET = "acc_set"
    ACC_RESUME = "acc_resume"
    ACC_CANCEL = "acc_cancel"
    ACC_GAP = "acc_gap"
    LKA_TOGGLE = "lka_toggle"
    PARK_REQUEST = "park_request"
    PARK_CONFIRM = "park_confirm"


@dataclass(frozen=True)
class Drift:
    """Leave the lane: turn, on arcs no tighter than ``radius_m``, until the car moves sideways with ``lateral_mps``.

    Positive is left. While he turns the driver steers; then he gives the wheel free, his hands without torque on it.
    """

    lateral_mps: float
    radius_m: float = 1200.0

    def arc_s(self, speed_mps: float) -> float:
        """Return how long the turn takes."""
        return 1.5 * abs(self.lateral_mps) * self.radius_m / max(speed_mps, 1.0) ** 2

    def turn_m(self, speed_mps: float) -> float:
        """Return how far the car moves sideways until the driver gives the wheel free, positive to the left."""
        return self.at(self.arc_s(speed_mps) + _SETTLE_S, speed_mps)[0]

    def at(self, time_s: float, speed_mps: float) -> tuple[float, float, float]:
        """Return offset, lateral speed and lateral acceleration at a time since the begin."""
        whole, v = self.arc_s(speed_mps), self.lateral_mps
        u = min(max(time_s / whole, 0.0), 1.0)
        # The lateral speed rises as 3 u^2 - 2 u^3: no step in acceleration, its peak that of the radius.
        beyond = max(time_s - whole, 0.0)
        return (
            v * (whole * u**3 * (1.0 - u / 2.0) + beyond),
            v * u * u * (3.0 - 2.0 * u),
            6.0 * v / whole * u * (1.0 - u),
        )


@dataclass(frozen=True)
class Phase:
    """From ``start_s`` on the driver does this.

    ``speed_mps`` is held with the pedals, None leaves them alone (ACC drives). Hands off, the road wheels keep
    following the road but for ``drift_rad``. ``brake`` and ``accelerator`` are pedals, 0..1. ``lane_d_m`` is the
    offset to keep, reached within ``change_s`` (0: at once, as fast as he dares). ``torque_nm`` lies on the wheel
    against any assistance.
    """

    start_s: float
    speed_mps: float | None = None
    hands_on: bool = True
    drift_rad: float = 0.0
    brake: float = 0.0
    lane_d_m: float | None = None
    indicator: Indicator = Indicator.OFF
    change_s: float = 0.0
    drift: Drift | None = None
    accelerator: float = 0.0
    torque_nm: float | None = None
    gear: Gear = Gear.DRIVE
    door_open: bool = False


@dataclass(frozen=True)
class Reaction:
    """How the driver answers the first forward-collision warning.

    He lifts his foot ``release_s`` after it and, unless ``brake_s`` is None, brakes after ``brake_s`` with
    ``decel_mps2`` built up within ``ramp_s``. The defaults are the driver of Euro NCAP's FCW tests.
    """

    release_s: float = 0.5
    brake_s: float | None = None
    decel_mps2: float = 4.0
    ramp_s: float = 0.2


NCAP_DRIVER = Reaction(brake_s=1.2)


@dataclass(frozen=True)
class Cue:
    """What the driver notices of the assistance: a collision warning, and that the car brakes by itself."""

    warning: bool = False
    braking: bool = False


@dataclass(frozen=True)
class DriverScript:
    """Phases in order of time and buttons pressed at times (s).

    ``wander_sigma_m`` is the standard deviation of the offset at which he drives, as people do.
    """

    phases: tuple[Phase, ...] = (Phase(0.0),)
    presses: tuple[tuple[float, Button], ...] = ()
    reaction: Reaction | None = None
    wander_sigma_m: float = 0.0


class Driver:
    """Follows a script. Keeps to ``lane_d_m`` unless a phase names another offset.

    When the car brakes by itself he takes his foot off the accelerator for the rest of the phase.
    """

    def __init__(self, script: DriverScript, vehicle: Vehicle, lane_d_m: float, seed: int = 0) -> None:
        self._script = script
        self._vehicle = vehicle
        self._lane_d_m = lane_d_m
        self._startled_in: Phase | None = None
        self._warned_s = math.inf
        self._phase = script.phases[0]
        self._from_d_m = lane_d_m
        rng = Random(seed)
        self._swings = [
            (math.tau * rng.uniform(*_SWING_HZ), rng.uniform(0.0, math.tau)) for _ in range(_SWINGS)
        ]  # fmt: skip

    def act(
        self, time_s: float, stamp_ns: int, car: Car, road: Road, s_m: float, d_m: float, cue: Cue | None = None
    ) -> DriverAction:
        """Return what the driver does now; (s_m, d_m) is the rear axle on the road."""
        phase = self._enter_phase(time_s, d_m)
        if cue is not None and cue.warning:
            self._warned_s = min(self._warned_s, time_s)
        pressed = {b.value: True for t, b in self._script.presses if 0.0 <= time_s - t + 1e-9 < _PRESS_S}
        steering, torque = self._steer(phase, time_s, car, road, s_m, d_m)
        if phase.torque_nm is not None:
            torque = phase.torque_nm
        accelerator, brake = self._pedals(phase, time_s, car, cue is not None and cue.braking)
        controls = DriverInput(
            stamp_ns, accelerator, brake, torque, phase.hands_on, phase.indicator, phase.door_open, **pressed
        )  # fmt: skip
        return DriverAction(controls, steering, phase.gear)

    def _enter_phase(self, time_s: float, d_m: float) -> Phase:
        phase = self._script.phases[0]
        for later in self._script.phases:
            if later.start_s <= time_s + 1e-9:
                phase = later
        if phase is not self._phase:
            self._phase, self._from_d_m = phase, d_m
        return phase

    # --- hands -------------------------------------------------------------------------------------------------

    def _steer(
        self, phase: Phase, time_s: float, car: Car, road: Road, s_m: float, d_m: float
    ) -> tuple[float, float]:
        """Return the road-wheel angle he holds and the torque of his hands."""
        ahead = road.point(s_m + _PREVIEW_S * car.speed_mps).curvature
        since, speed = time_s - phase.start_s, car.speed_mps
        released = phase.drift is not None and since > phase.drift.arc_s(speed) + _SETTLE_S
        if released or not phase.hands_on:
            return self._vehicle.steering_for(ahead, speed) + phase.drift_rad, 0.0
        if phase.drift is not None:
            moved, rate, _ = phase.drift.at(since, speed)
            d, lateral = self._from_d_m + moved, phase.drift.at(since + _PREVIEW_S, speed)[2]
        else:
            d, rate, lateral = self._target(phase, time_s, since)
        heading = math.remainder(car.course_rad - road.point(s_m).yaw_rad, math.tau)
        heading -= rate / max(car.speed_mps, 3.0)
        steering = self._follow(car, ahead, d_m - d, heading, lateral)
        torque = _HAND_TORQUE_NMPRAD * (steering - car.steering_rad)
        return steering, min(max(torque, -_HAND_TORQUE_MAX_NM), _HAND_TORQUE_MAX_NM)

    def _target(self, phase: Phase, time_s: float, since_s: float) -> tuple[float, float, float]:
        """Return the offset to keep with its first and second derivative in time."""
        goal = self._lane_d_m if phase.lane_d_m is None else phase.lane_d_m
        if since_s >= phase.change_s:
            return self._wandering(goal, time_s)
        u, span, T = since_s / phase.change_s, goal - self._from_d_m, phase.change_s
        shape = u**3 * (10.0 + u * (6.0 * u - 15.0))
        rate = 30.0 * u**2 * (1.0 - u) ** 2
        return self._from_d_m + span * shape, span * rate / T, span * 60.0 * u * (1.0 - u) * (1.0 - 2.0 * u) / T**2

    def _wandering(self, goal_m: float, time_s: float) -> tuple[float, float, float]:
        if self._script.wander_sigma_m == 0.0:
            return goal_m, 0.0, 0.0
        size = self._script.wander_sigma_m * math.sqrt(2.0 / _SWINGS)
        waves = [(w, w * time_s + phase) for w, phase in self._swings]
        return (
            goal_m + size * sum(math.sin(angle) for _, angle in waves),
            size * sum(w * math.cos(angle) for w, angle in waves),
            -size * sum(w * w * math.sin(angle) for w, angle in waves),
        )

    def _follow(self, car: Car, curvature: float, offset_m: float, heading_rad: float, lateral_mps2: float) -> float:
        v = max(car.speed_mps, 3.0)
        correction = lateral_mps2 - _OFFSET_GAIN_PS2 * offset_m - _HEADING_GAIN_PS * v * heading_rad
        lateral = min(max(correction, -_LATERAL_MAX_MPS2), _LATERAL_MAX_MPS2)
        return self._vehicle.steering_for(curvature + lateral / v**2, v)

    # --- feet --------------------------------------------------------------------------------------------------

    def _pedals(self, phase: Phase, time_s: float, car: Car, car_brakes: bool) -> tuple[float, float]:
        brake = max(phase.brake, self._braking_after_warning(time_s, car))
        if phase.brake == 0.0 and (car_brakes or car.accel_mps2 < _STARTLING_MPS2):
            self._startled_in = phase
        if brake > 0.0 or self._startled_in is phase or self._lifted(time_s):
            return 0.0, brake
        if phase.speed_mps is None:
            return phase.accelerator, 0.0
        speed, wanted = abs(car.speed_mps), abs(phase.speed_mps)
        return min(car.params.accelerator_for(_SPEED_GAIN * (wanted - speed), speed), _PEDAL_MAX), 0.0

    def _lifted(self, time_s: float) -> bool:
        reaction = self._script.reaction
        return reaction is not None and time_s >= self._warned_s + reaction.release_s

    def _braking_after_warning(self, time_s: float, car: Car) -> float:
        reaction = self._script.reaction
        if reaction is None or reaction.brake_s is None:
            return 0.0
        since = time_s - self._warned_s - reaction.brake_s
        if since < 0.0:
            return 0.0
        wanted = reaction.decel_mps2 * min(max(since / reaction.ramp_s, 0.0), 1.0)
        return car.params.brake_pedal_for(wanted, car.speed_mps)

