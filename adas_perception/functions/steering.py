"""From lateral acceleration to the road-wheel angle: bounded, free of steps, and fading out at the end."""

from __future__ import annotations

from adas_perception.functions.common import slew
from adas_perception.limits import LateralLimits
from adas_perception.params import Vehicle
from adas_perception.types import EgoState

# Below it the curvature of a lateral acceleration has no meaning.
STANDSTILL_MPS = 1.0
# A correction has faded out when it asks for no more than this beyond following the road.
FADED_MPS2 = 0.05
# Head room under the limit, so that the gate never has to cut.
ACCEL_SHARE = 0.95


class Steering:
    """Moves the lateral acceleration with bounded jerk, starting from what the measured angle makes."""

    def __init__(self, vehicle: Vehicle, limits: LateralLimits, jerk_mps3: float) -> None:
        self._vehicle = vehicle
        self._limits = limits
        self._jerk_mps3 = jerk_mps3
        # The path asked for, kept as curvature: a change of speed moves no wheel.
        self._asked: float | None = None
        self._road = 0.0

    def end(self) -> None:
        """Let go at once; the next request starts from the measured angle."""
        self._asked = None

    def follow(self, dt: float, ego: EgoState, curvature: float, accel_mps2: float = 0.0) -> float:
        """Return the road-wheel angle in rad on the way to the road's curvature in 1/m plus ``accel_mps2``."""
        v = max(ego.speed_mps, STANDSTILL_MPS)
        if self._asked is None:
            self._asked = self._vehicle.curvature_for(ego.steering_rad, v)
        self._road = curvature
        limit = ACCEL_SHARE * self._limits.accel_max_mps2
        wanted = min(max(curvature * v * v + accel_mps2, -limit), limit)
        self._asked = slew(self._asked * v * v, wanted, self._jerk_mps3 * dt) / (v * v)
        angle = self._vehicle.steering_for(self._asked, v)
        return min(max(angle, -self._limits.steering_max_rad), self._limits.steering_max_rad)

    def fade(self, dt: float, ego: EgoState) -> float | None:
        """Return the angle while a correction fades to following the road, None once it has faded."""
        v = max(ego.speed_mps, STANDSTILL_MPS)
        if self._asked is None or abs(self._asked - self._road) * v * v < FADED_MPS2:
            self._asked = None
            return None
        return self.follow(dt, ego, self._road)
