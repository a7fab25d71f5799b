"""The simulated car: dynamic single-track model with brake, engine and steering actuators.

Body: linear single-track model (Riekert and Schunck 1940) with tyres that saturate at the friction limit; below
walking pace its slip angles lose their meaning, so it fades into kinematics of the rear axle.
Actuators: STANDARDS of the trade for dead time, build-up, lag and rate; every figure is a parameter.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from adas_perception.params import Params, Vehicle, param
from adas_perception.types import DriverInput, EgoState, Gear

GRAVITY_MPS2 = 9.81
STEP_S = 0.005

# Speeds between which the dynamic model takes over from kinematics.
_KINEMATIC_MPS = 1.0
_DYNAMIC_MPS = 3.0
# Share of the lateral grip that ABS keeps under full braking.
_ABS_LATERAL_SHARE = 0.35
_STANDSTILL_MPS = 0.02
_HOLD_MPS2 = 4.0


@dataclass(frozen=True)
class CarParams(Params):
    """Body, tyres and actuators of the simulated car; the shape and understeer come from ``vehicle``."""

    vehicle: Vehicle = Vehicle()
    mass_kg: float = param(1550.0, "mass with driver", unit="kg", low=500.0, high=5000.0)
    yaw_inertia_kgm2: float = param(2600.0, "moment of inertia about the vertical axis", unit="kg m2", low=300.0)
    front_axle_m: float = param(1.27, "centre of gravity to front axle", unit="m", low=0.5, high=4.0)
    rear_stiffness_npr: float = param(135e3, "cornering stiffness of the rear axle", unit="N/rad", low=2e4, high=5e5)
    mass_factor: float = param(1.0, "load: mass over mass with driver; UN R152 allows 1.25", low=0.7, high=2.0)
    mu: float = param(0.9, "friction between tyre and road", low=0.05, high=1.2)
    drive_max_mps2: float = param(3.5, "largest acceleration of the engine", unit="m/s2", low=0.5, high=10.0)
    drive_power_wpkg: float = param(65.0, "engine power per mass", unit="W/kg", low=5.0, high=500.0)
    drive_lag_s: float = param(0.3, "time constant of the engine", unit="s", low=0.01, high=2.0)
    brake_dead_s: float = param(0.1, "dead time of the brake", unit="s", low=0.0, high=0.5)
    brake_rate_mps3: float = param(30.0, "build-up of deceleration", unit="m/s3", low=5.0, high=100.0)
    brake_max_mps2: float = param(10.5, "deceleration of the brake at full pressure", unit="m/s2", low=3.0, high=15.0)
    rolling_mps2: float = param(0.12, "deceleration by rolling and engine drag", unit="m/s2", low=0.0, high=1.0)
    air_per_m: float = param(0.00027, "deceleration by air per squared speed", unit="1/m", low=0.0, high=0.01)
    steering_dead_s: float = param(0.05, "dead time of the power steering", unit="s", low=0.0, high=0.3)
    steering_lag_s: float = param(0.07, "time constant of the power steering", unit="s", low=0.01, high=0.5)
    steering_rate_radps: float = param(0.4, "largest rate of the road wheels", unit="rad/s", low=0.05, high=2.0)
    override_torque_nm: float = param(3.0, "hand torque that beats a steering request", unit="N m", low=0.5, high=10.0)
    gear_change_s: float = param(0.4, "time to engage a requested gear, at standstill", unit="s", low=0.0, high=3.0)
    grade: float = param(0.0, "slope of the road, positive uphill along the map's x axis", low=-0.3, high=0.3)
    throttle_fault_mps2: float = param(0.0, "acceleration that nobody asked for", unit="m/s2", low=0.0, high=3.0)

    push_from_s: float = param(0.0, "slope and fault begin so long after the start", unit="s", low=0.0)

    @property
    def loaded_kg(self) -> float:
        """Return the mass with load."""
        return self.mass_kg * self.mass_factor

    def drag_mps2(self, speed_mps: float) -> float:
        """Return the deceleration by rolling, air and a closed throttle."""
        return self.rolling_mps2 + self.air_per_m * speed_mps**2

    def drive_limit_mps2(self, speed_mps: float) -> float:
        """Return the largest acceleration that the engine gives."""
        power = self.drive_power_wpkg / max(abs(speed_mps), 1.0)
        return min(self.drive_max_mps2, power) / self.mass_factor

    def accelerator_for(self, accel_mps2: float, speed_mps: float) -> float:
        """Return the accelerator, 0..1, that accelerates the car so."""
        return min(max((accel_mps2 + self.drag_mps2(speed_mps)) / self.drive_limit_mps2(speed_mps), 0.0), 1.0)

    def brake_pedal_for(self, decel_mps2: float, speed_mps: float) -> float:
        """Return the brake pedal, 0..1, that decelerates the car so, drag included."""
        decel = decel_mps2 - self.drag_mps2(speed_mps)
        return min(max(decel * self.mass_factor / self.brake_max_mps2, 0.0), 1.0)

    @property
    def rear_axle_m(self) -> float:
        """Return the distance from the centre of gravity to the rear axle."""
        return self.vehicle.wheelbase_m - self.front_axle_m

    @property
    def front_stiffness_npr(self) -> float:
        """Return the front cornering stiffness that gives the vehicle its understeer gradient."""
        gradient = self.vehicle.understeer_rad_per_mps2 * self.vehicle.wheelbase_m / self.loaded_kg
        return self.rear_axle_m / (gradient + self.front_axle_m / self.rear_stiffness_npr)


@dataclass(frozen=True)
class DriverAction:
    """What the driver does to the car: the controls as the bus reports them and the road-wheel angle held."""

    controls: DriverInput
    steering_rad: float = 0.0
    gear: Gear = Gear.DRIVE


class DeadTime:
    """A pure delay of a whole number of simulation steps."""

    def __init__(self, delay_s: float, value: float = 0.0) -> None:
        length = max(1, round(delay_s / STEP_S))
        self._line: deque[float] = deque([value] * length, maxlen=length)

    def __call__(self, value: float) -> float:
        """Put a value in and return the one that went in one delay ago."""
        oldest = self._line[0]
        self._line.append(value)
        return oldest


class Car:
    """The ego vehicle. Its pose is that of base_link (rear axle) in the map frame."""

    def __init__(
        self, params: CarParams, x_m: float = 0.0, y_m: float = 0.0, yaw_rad: float = 0.0, speed_mps: float = 0.0
    ) -> None:
        self.params = params
        self.x_m, self.y_m, self.yaw_rad = x_m, y_m, yaw_rad
        self.speed_mps = speed_mps
        self.accel_mps2 = 0.0
        self.yaw_rate_radps = 0.0
        self.steering_rad = 0.0
        self.slip_mps = 0.0  # lateral speed of the centre of gravity
        self.gear = Gear.DRIVE
        self._lever = Gear.DRIVE
        self._changing_s = 0.0
        self._driven_s = 0.0
        self._drive_mps2 = 0.0
        self._brake_mps2 = 0.0
        self._brake_line = DeadTime(params.brake_dead_s)
        self._steering_line = DeadTime(params.steering_dead_s)
        self._steering_lagged_rad = 0.0
        # What the steps need over and over.
        self._grip_mps2 = params.mu * GRAVITY_MPS2
        self._rear_axle_m = params.rear_axle_m
        self._front_npr = params.front_stiffness_npr
        self._mass_kg = params.loaded_kg
        self._inertia_kgm2 = params.yaw_inertia_kgm2 * params.mass_factor

    @property
    def course_rad(self) -> float:
        """Return the direction in which base_link moves, in the map frame: the heading and the rear slip angle."""
        rear_lateral = self.slip_mps - self.params.rear_axle_m * self.yaw_rate_radps
        return self.yaw_rad + rear_lateral / max(abs(self.speed_mps), _KINEMATIC_MPS)

    def settle(self, steering_rad: float) -> None:
        """Put the car into the steady turn of ``steering_rad`` at its speed, with engine balancing the drag."""
        p = self.params
        self.steering_rad = self._steering_lagged_rad = steering_rad
        self._steering_line = DeadTime(p.steering_dead_s, steering_rad)
        self.yaw_rate_radps = self.speed_mps * p.vehicle.curvature_for(steering_rad, self.speed_mps)
        rear_load = p.loaded_kg * p.front_axle_m / p.vehicle.wheelbase_m * self.speed_mps * self.yaw_rate_radps
        rear_slip = self.speed_mps * rear_load / p.rear_stiffness_npr
        self.slip_mps = p.rear_axle_m * self.yaw_rate_radps - rear_slip

    def step(
        self,
        dt_s: float,
        accel_request_mps2: float | None,
        steering_request_rad: float | None,
        driver: DriverAction,
        gear_request: Gear | None = None,
        hold: bool = False,
    ) -> None:
        """Advance by ``dt_s`` (a multiple of STEP_S) under the requests and the driver.

        Without a request the driver's pedals and hands rule; his brake always adds, his accelerator raises a
        request that does not brake, and his hands beat a steering request beyond ``override_torque_nm``. A gear is
        engaged at standstill; the lever counts when the driver moves it. ``hold`` brakes until he accelerates.
        """
        steps = round(dt_s / STEP_S)
        if steps < 1 or not math.isclose(steps * STEP_S, dt_s, abs_tol=1e-9):
            raise ValueError(f"dt_s = {dt_s} must be a positive multiple of {STEP_S} s")
        self._change_gear(dt_s, gear_request, driver.gear)
        drive, brake = self._demands(accel_request_mps2, driver)
        if hold and driver.controls.accelerator == 0.0:
            brake = max(brake, _HOLD_MPS2)
        overridden = abs(driver.controls.steering_torque_nm) > self.params.override_torque_nm
        request = None if overridden else steering_request_rad
        self._driven_s += dt_s
        for _ in range(steps):
            self._longitudinal(drive, brake)
            self._steer(request, driver.steering_rad)
            self._move()

    def measured(self, stamp_ns: int) -> EgoState:
        """Return the state as ideal sensors report it, with the pose in the map frame."""
        return EgoState(
            stamp_ns, self.speed_mps, self.accel_mps2, self.yaw_rate_radps, self.steering_rad, self.gear,
            self.x_m, self.y_m, self.yaw_rad,
        )  # fmt: skip

    def _change_gear(self, dt_s: float, request: Gear | None, lever: Gear) -> None:
        """Engage what the driver selects at once, what is requested after standing still for the time it takes."""
        if lever is not self._lever:
            self.gear = self._lever = lever
        if request is None or request is self.gear or abs(self.speed_mps) > _STANDSTILL_MPS:
            self._changing_s = 0.0
            return
        self._changing_s += dt_s
        if self._changing_s >= self.params.gear_change_s:
            self.gear = request

    def _demands(self, request_mps2: float | None, driver: DriverAction) -> tuple[float, float]:
        """Return what the engine (net of the drag) and the brake are asked for, in m/s2."""
        p, controls = self.params, driver.controls
        resistance, drive_limit = p.drag_mps2(self.speed_mps), p.drive_limit_mps2(self.speed_mps)
        pedal = controls.accelerator * drive_limit - resistance
        if request_mps2 is None:
            target = pedal
        elif request_mps2 < 0.0 or controls.accelerator == 0.0:
            target = request_mps2
        else:
            target = max(request_mps2, pedal)
        if self.gear in (Gear.PARK, Gear.NEUTRAL) or controls.brake > 0.0:
            target = min(target, -resistance)
        # Down to the drag of a closed throttle the engine does it, below that the brake.
        drive = min(max(target, -resistance), drive_limit)
        brake_max = p.brake_max_mps2 / p.mass_factor
        brake = max(-resistance - target, controls.brake * brake_max, 0.0)
        return drive, min(brake, brake_max)

    def _longitudinal(self, drive_mps2: float, brake_mps2: float) -> None:
        """Let engine and brake follow their demands for one step, and the speed them."""
        p, change = self.params, self.params.brake_rate_mps3 * STEP_S
        self._drive_mps2 += (drive_mps2 - self._drive_mps2) * STEP_S / p.drive_lag_s
        delayed = self._brake_line(brake_mps2)
        if delayed != self._brake_mps2:
            self._brake_mps2 += min(max(delayed - self._brake_mps2, -2.0 * change), change)
        if self._brake_mps2 > 0.0 and self._drive_mps2 > drive_mps2:
            self._drive_mps2 = drive_mps2  # the brake shuts the throttle at once

        grip = self._grip_mps2
        backwards = self.gear is Gear.REVERSE if self.speed_mps == 0.0 else self.speed_mps < 0.0
        forward = -1.0 if backwards else 1.0
        push = 0.0
        if self._driven_s >= p.push_from_s and self.gear in (Gear.DRIVE, Gear.REVERSE):
            push = p.throttle_fault_mps2
        if p.grade and self._driven_s >= p.push_from_s:
            push -= GRAVITY_MPS2 * p.grade * math.cos(self.yaw_rad) * forward
        along = min(max(self._drive_mps2 + push - self._brake_mps2, -grip), grip)
        before = self.speed_mps * forward
        after = before + along * STEP_S
        if before >= 0.0 and after < 0.0:
            after = 0.0  # brake and drag stop a car, they do not push it back
        self.accel_mps2 = (after - before) / STEP_S * forward
        self.speed_mps = after * forward

    def _steer(self, request_rad: float | None, hands_rad: float) -> None:
        """Let the road wheels follow a request after the dead time, or the driver's hands at once."""
        p = self.params
        delayed = self._steering_line(hands_rad if request_rad is None else request_rad)
        target = hands_rad if request_rad is None else delayed
        if target == self._steering_lagged_rad == self.steering_rad:
            return
        self._steering_lagged_rad += (target - self._steering_lagged_rad) * STEP_S / p.steering_lag_s
        change, limit = p.steering_rate_radps * STEP_S, p.vehicle.steering_max_rad
        step = min(max(self._steering_lagged_rad - self.steering_rad, -change), change)
        self.steering_rad = min(max(self.steering_rad + step, -limit), limit)

    def _move(self) -> None:
        v, rear_m = self.speed_mps, self._rear_axle_m
        if self.steering_rad == self.yaw_rate_radps == self.slip_mps == 0.0:
            self.x_m += v * math.cos(self.yaw_rad) * STEP_S
            self.y_m += v * math.sin(self.yaw_rad) * STEP_S
            return
        rolling = math.tan(self.steering_rad)
        kinematic_rate = v * rolling / self.params.vehicle.wheelbase_m
        if v > _KINEMATIC_MPS:
            rate, slip = self._tyres(v, rolling)
            share = min((v - _KINEMATIC_MPS) / (_DYNAMIC_MPS - _KINEMATIC_MPS), 1.0)
            self.yaw_rate_radps = kinematic_rate + share * (rate - kinematic_rate)
            self.slip_mps = rear_m * kinematic_rate + share * (slip - rear_m * kinematic_rate)
        else:
            self.yaw_rate_radps, self.slip_mps = kinematic_rate, rear_m * kinematic_rate

        rear_lateral = self.slip_mps - rear_m * self.yaw_rate_radps
        middle = self.yaw_rad + self.yaw_rate_radps * STEP_S / 2.0
        c, s = math.cos(middle), math.sin(middle)
        self.x_m += (v * c - rear_lateral * s) * STEP_S
        self.y_m += (v * s + rear_lateral * c) * STEP_S
        self.yaw_rad = math.remainder(self.yaw_rad + self.yaw_rate_radps * STEP_S, math.tau)

    def _tyres(self, v: float, rolling: float) -> tuple[float, float]:
        """Return yaw rate and lateral speed one step on, from the lateral tyre forces.

        ``rolling`` is the tangent of the steering angle: it keeps tight turns on the circle of
        Vehicle.curvature_for.
        """
        front_m, rear_m = self.params.front_axle_m, self._rear_axle_m
        rate, slip = self.yaw_rate_radps, self.slip_mps
        used = min(abs(self.accel_mps2) / self._grip_mps2, 1.0)
        share = max(math.sqrt(1.0 - used * used), _ABS_LATERAL_SHARE)
        lateral = share * self._grip_mps2 * self._mass_kg / (front_m + rear_m)
        front_max, rear_max = lateral * rear_m, lateral * front_m
        front = self._front_npr * (rolling - (slip + front_m * rate) / v)
        rear = self.params.rear_stiffness_npr * (rear_m * rate - slip) / v
        front = min(max(front, -front_max), front_max)
        rear = min(max(rear, -rear_max), rear_max)
        return (
            rate + (front_m * front - rear_m * rear) / self._inertia_kgm2 * STEP_S,
            slip + ((front + rear) / self._mass_kg - v * rate) * STEP_S,
        )
