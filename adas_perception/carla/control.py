"""What the car is to do, as CARLA takes it: an Ackermann command or pedals and wheel.

Here the adapter is the car, not the stack: it obeys what came over the bus, gated, and where nobody asks, the driver.
"""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.carla import signs
from adas_perception.params import Params, param
from adas_perception.types import DriverInput, EgoState, Gear

STANDSTILL_MPS = 0.1
# carla_ackermann_control follows a speed, bounded by the acceleration, while that is below its min_accel of 1 m/s2:
# the speed of so long ahead makes it use the whole acceleration. Speed 0 would be its emergency brake.
AHEAD_S = 4.0
CREEP_MPS = 0.01
# It finds its brake by integrating what is missing; while a hard braking builds up, it is told of more than is missing.
HARD_MPS2, URGE = 2.0, 2.0


@dataclass(frozen=True)
class PedalParams(Params):
    """Pedals of the car: what they do when floored, and how its motion corrects them."""

    throttle_full_mps2: float = param(4.5, "acceleration at full throttle", unit="m/s2", low=1.0, high=20.0)
    brake_full_mps2: float = param(8.5, "deceleration at full brake", unit="m/s2", low=2.0, high=20.0)
    coast_mps2: float = param(0.3, "deceleration without pedals", unit="m/s2", low=0.0, high=3.0)
    correction_hz: float = param(0.8, "share of the error taken up in a second", unit="1/s", low=0.0, high=10.0)
    steering_max_rad: float = param(1.2217, "road-wheel angle of steer = 1; vehicle_info wins", low=0.2, high=1.5)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the car is to do; acceleration counts along the gear, ``hold`` keeps it standing."""

    accel_mps2: float
    steering_rad: float
    gear: Gear
    hold: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What the car's controllers took from the bus; None is no request."""

    accel_mps2: float | None = None
    steering_rad: float | None = None
    gear: Gear | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Ackermann:
    """An ackermann_msgs/AckermannDrive: speed signed, steering to the left positive."""

    speed_mps: float
    accel_mps2: float
    steering_rad: float


@dataclass(frozen=True, slots=True)
class Controls:
    """A carla_msgs/CarlaEgoVehicleControl: pedals 0..1, steer -1..1 with the right positive."""

    throttle: float
    brake: float
    steer: float
    hand_brake: bool
    reverse: bool


def wanted(request: Request, driver: DriverInput, driver_rad: float, ego: EgoState, p: PedalParams) -> Wanted:
    """Return what the car is to do: an axis that nobody asks for is the driver's, and his brake always adds."""
    gear = request.gear if request.gear is not None and abs(ego.speed_mps) < STANDSTILL_MPS else ego.gear
    pedals = driver.accelerator * p.throttle_full_mps2 - driver.brake * p.brake_full_mps2 - p.coast_mps2
    accel = pedals if request.accel_mps2 is None else request.accel_mps2
    if driver.brake > 0.0:
        accel = min(accel, pedals)
    elif driver.accelerator > 0.0 and accel >= 0.0:
        accel = max(accel, pedals)
    steering = driver_rad if request.steering_rad is None else request.steering_rad
    standing = abs(ego.speed_mps) < STANDSTILL_MPS and accel <= 0.0
    parked = gear in (Gear.PARK, Gear.NEUTRAL)
    hold = standing or parked or (request.hold and driver.accelerator == 0.0)
    return Wanted(min(accel, -p.coast_mps2) if parked else accel, steering, gear, hold)


def ackermann(want: Wanted, ego: EgoState) -> Ackermann:
    """Return the command for carla_ackermann_control; speed 0 makes it brake with all it has and hold the car."""
    direction = -1.0 if want.gear is Gear.REVERSE else 1.0
    if want.hold:
        return Ackermann(0.0, min(want.accel_mps2, 0.0), want.steering_rad)
    speed = max(abs(ego.speed_mps) + AHEAD_S * want.accel_mps2, CREEP_MPS)
    missing = max(ego.accel_mps2 - want.accel_mps2, 0.0) if want.accel_mps2 < -HARD_MPS2 else 0.0
    return Ackermann(direction * speed, want.accel_mps2 - URGE * missing, want.steering_rad)


class Pedals:
    """Throttle and brake for an acceleration: what they should do, corrected by what the car did."""

    def __init__(self, params: PedalParams) -> None:
        self._params = params
        self._extra_mps2 = 0.0

    def step(self, want: Wanted, ego: EgoState, dt_s: float, steering_max_rad: float) -> Controls:
        """Return the controls of now, ``dt_s`` after those before."""
        p = self._params
        reverse = want.gear is Gear.REVERSE
        wheel = signs.steer(want.steering_rad, steering_max_rad)
        if want.hold:
            self._extra_mps2 = 0.0
            moving = abs(ego.speed_mps) >= STANDSTILL_MPS
            brake = min(max(-want.accel_mps2 / p.brake_full_mps2, 0.3), 1.0)
            return Controls(0.0, brake, wheel, hand_brake=not moving, reverse=reverse)
        error = want.accel_mps2 - ego.accel_mps2
        extra = self._extra_mps2 + p.correction_hz * dt_s * error
        effort = want.accel_mps2 + extra + p.coast_mps2
        throttle, brake = max(effort, 0.0) / p.throttle_full_mps2, max(-effort, 0.0) / p.brake_full_mps2
        # A pedal that is floored cannot give more: the correction must not wind up.
        if throttle <= 1.0 and brake <= 1.0:
            self._extra_mps2 = min(max(extra, -p.throttle_full_mps2), p.throttle_full_mps2)
        return Controls(min(throttle, 1.0), min(brake, 1.0), wheel, hand_brake=False, reverse=reverse)
