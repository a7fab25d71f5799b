"""The simulated car against the single-track model of commonroad-vehicle-models: steady turns and steps of steering."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from adas_perception.params import Vehicle
from adas_perception.sim.vehicle import STEP_S, Car, CarParams, DriverAction
from adas_perception.types import DriverInput

parameters = pytest.importorskip(
    "vehiclemodels.parameters_vehicle2",
    reason="commonroad-vehicle-models is not installed; `pip install -e .[dev]` brings it",
)
dynamics = pytest.importorskip("vehiclemodels.vehicle_dynamics_st")

P = parameters.parameters_vehicle2()
# The model's tyres are linear with stiffness by load; ours get the same axle stiffness.
REAR_NPR = -P.tire.p_ky1 * P.m * 9.81 * P.a / (P.a + P.b)
CAR = CarParams(
    vehicle=Vehicle(wheelbase_m=P.a + P.b, understeer_rad_per_mps2=0.0),
    mass_kg=P.m, yaw_inertia_kgm2=P.I_z, front_axle_m=P.a, rear_stiffness_npr=REAR_NPR, mu=1.2,
    steering_dead_s=0.0, steering_lag_s=0.03,
    drive_lag_s=0.01, rolling_mps2=0.0, air_per_m=0.0,
)  # fmt: skip
IDLE = DriverAction(DriverInput(0))
SUBSTEPS = 5


class Oracle:
    """Integrates the model with the steering angle that our actuator really gives."""

    def __init__(self, speed_mps: float) -> None:
        self.x = [P.b, 0.0, 0.0, speed_mps, 0.0, 0.0, 0.0]  # its reference point is the centre of mass

    def step(self, steering_rad: float) -> None:
        dt = STEP_S / SUBSTEPS
        rate = (steering_rad - self.x[2]) / STEP_S
        for _ in range(SUBSTEPS):
            slope = dynamics.vehicle_dynamics_st(self.x, [rate, 0.0], P)
            middle = [a + b * dt / 2.0 for a, b in zip(self.x, slope, strict=True)]
            slope = dynamics.vehicle_dynamics_st(middle, [rate, 0.0], P)
            self.x = [a + b * dt for a, b in zip(self.x, slope, strict=True)]
        self.x[2] = steering_rad

    @property
    def rear_axle(self) -> tuple[float, float]:
        return self.x[0] - P.b * math.cos(self.x[4]), self.x[1] - P.b * math.sin(self.x[4])


def run(speed_mps: float, steering_rad: float, duration_s: float) -> list[tuple[float, float, float]]:
    """Return yaw rates of ours and of the oracle, and the distance of the two cars, for every step."""
    car, oracle = Car(CAR, speed_mps=speed_mps), Oracle(speed_mps)
    rows = []
    for _ in range(round(duration_s / STEP_S)):
        car.step(STEP_S, 0.0, steering_rad, IDLE)
        oracle.step(car.steering_rad)
        x, y = oracle.rear_axle
        rows.append((car.yaw_rate_radps, oracle.x[5], math.hypot(car.x_m - x, car.y_m - y)))
    return rows


@pytest.mark.parametrize(("speed", "steering"), [(8.0, 0.06), (15.0, 0.03), (25.0, -0.012), (35.0, 0.006)])
def test_steady_turn_agrees(speed: float, steering: float) -> None:
    ours, theirs, _ = run(speed, steering, 4.0)[-1]
    assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize(("speed", "steering"), [(10.0, 0.04), (20.0, 0.02), (30.0, 0.008)])
def test_step_steer_agrees_all_the_way(speed: float, steering: float) -> None:
    rows = run(speed, steering, 2.0)
    final = rows[-1][1]
    assert max(abs(ours - theirs) for ours, theirs, _ in rows) < 0.05 * abs(final)
    assert rows[-1][2] < 0.1  # metres apart after two seconds
    # The response overshoots or not as the oracle's does.
    assert max(ours for ours, _, _ in rows) == pytest.approx(max(theirs for _, theirs, _ in rows), rel=0.02)


def test_the_oracle_notices_a_softer_tyre() -> None:
    soft, oracle = Car(replace(CAR, rear_stiffness_npr=0.6 * REAR_NPR), speed_mps=25.0), Oracle(25.0)
    for _ in range(400):
        soft.step(STEP_S, 0.0, 0.02, IDLE)
        oracle.step(soft.steering_rad)
    assert abs(soft.slip_mps / 25.0 - oracle.x[6]) > 0.3 * abs(oracle.x[6])
