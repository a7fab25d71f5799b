"""How CARLA's car answers its commands, as far as the sources of the bridge tell: pedals, and who works them."""

from __future__ import annotations

import numpy as np

THROTTLE_MPS2, BRAKE_MPS2 = 4.5, 8.5
CONTROL_S = 0.05  # control_loop_rate of carla_ackermann_control


def pushed(throttle: float, brake: float) -> float:
    """Return the acceleration (m/s2) of a car whose pedals do that when floored."""
    return THROTTLE_MPS2 * throttle - BRAKE_MPS2 * brake


class AckermannControl:
    """The node carla_ackermann_control: two integrating controllers between the command and the pedals.

    Below ``MIN_ACCEL`` the speed is followed, bounded by the acceleration; speed 0 brakes with all it has. The pedal
    is found by integrating the error of the acceleration, so that it takes its time.
    """

    MIN_ACCEL, MAX_ACCEL, MAX_DECEL, MAX_PEDAL = 1.0, 3.0, 8.0, 3.0
    KP, LAY_OFF = 0.05, 0.3

    def __init__(self) -> None:
        self._calm = 0
        self._goal = self._pedal = self._accel = 0.0
        self._speed: float | None = None

    def step(self, wanted_speed: float, wanted_accel: float, speed: float) -> tuple[float, float]:
        """Return throttle and brake; called every ``CONTROL_S``."""
        before = speed if self._speed is None else self._speed
        self._accel = (4.0 * self._accel + (speed - before) / CONTROL_S) / 5.0
        self._speed = speed
        stop = abs(wanted_speed) < 1e-5
        if stop and speed < 0.1:
            self._goal = self._pedal = 0.0
            return 0.0, 1.0
        target = float(np.clip(-self.MAX_DECEL if stop else wanted_accel, -self.MAX_DECEL, self.MAX_ACCEL))
        self._calm = min(self._calm + 1, 5) if abs(target) < self.MIN_ACCEL else max(self._calm - 1, 0)
        if self._calm >= 5:
            low, high = (-self.MAX_DECEL, self.MAX_ACCEL) if abs(target) < 1e-5 else (-abs(target), abs(target))
            self._goal = float(np.clip(self._goal + self.KP * (abs(wanted_speed) - speed), low, high))
        else:
            self._goal = target
        self._pedal += self.KP * (self._goal - self._accel)
        self._pedal = float(np.clip(self._pedal, -self.MAX_PEDAL, self.MAX_PEDAL))
        if self._pedal > 0.0:
            return self._pedal / self.MAX_PEDAL, 0.0
        return 0.0, float(np.clip((-self.LAY_OFF - self._pedal) / self.MAX_PEDAL, 0.0, 1.0))
