"""The car's motion as its own sensors would report it on the bus, from what a CARLA interface gives.

The bridge's odometry has speed and yaw rate. Without it the speed comes from the speedometer, or from two positions
of the satellite receiver, and the yaw rate from the gyroscope. Acceleration and road-wheel angle are worked out.
"""

from __future__ import annotations

import math

from adas_perception.params import Vehicle
from adas_perception.types import EgoState, Gear, seconds

EARTH_RADIUS_M = 6_378_137.0
# Over a longer gap, or a step back, the clock was reset: acceleration starts anew.
_GAP_S = 0.5
_ACCEL_FILTER_S = 0.08
# Below this speed the yaw rate says nothing about the wheels.
_ROLLING_MPS = 2.0


class Motion:
    """Makes the state of the car from speeds and yaw rates in the order of their stamps."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle
        self._last: EgoState | None = None

    def moved(
        self,
        stamp_ns: int,
        speed_mps: float,
        yaw_rate_radps: float,
        gear: Gear,
        held_rad: float,
        measured: bool = False,
    ) -> EgoState | None:
        """Return the state at ``stamp_ns``; None for a stamp that is not newer than the last one.

        ``held_rad`` is the road-wheel angle that was last asked for, or with ``measured`` the true one; unmeasured, a
        rolling car's angle is worked out from its yaw rate (linear single-track model).
        """
        last = self._last
        dt = seconds(stamp_ns - last.stamp_ns) if last else math.inf
        if -_GAP_S < dt <= 0.0:
            return None
        accel = 0.0
        if last is not None and 0.0 < dt < _GAP_S:
            rate = (speed_mps - last.speed_mps) / dt * (-1.0 if gear is Gear.REVERSE else 1.0)
            accel = last.accel_mps2 + (rate - last.accel_mps2) * dt / (dt + _ACCEL_FILTER_S)
        wheels = held_rad
        if not measured and abs(speed_mps) > _ROLLING_MPS:
            limit = self._vehicle.steering_max_rad
            wheels = min(max(self._vehicle.steering_for(yaw_rate_radps / speed_mps, speed_mps), -limit), limit)
        self._last = EgoState(stamp_ns, speed_mps, accel, yaw_rate_radps, wheels, gear)
        return self._last


class GroundSpeed:
    """Speed from two positions of the satellite receiver; its sign is that of the engaged gear."""

    def __init__(self) -> None:
        self._last: tuple[int, float, float] | None = None

    def step(self, stamp_ns: int, latitude_deg: float, longitude_deg: float, gear: Gear) -> float | None:
        """Return the speed in m/s since the last position; None for the first one and after a gap."""
        last, self._last = self._last, (stamp_ns, latitude_deg, longitude_deg)
        dt = seconds(stamp_ns - last[0]) if last else math.inf
        if last is None or not 0.0 < dt < _GAP_S:
            return None
        north = math.radians(latitude_deg - last[1]) * EARTH_RADIUS_M
        east = math.radians(longitude_deg - last[2]) * EARTH_RADIUS_M * math.cos(math.radians(latitude_deg))
        return math.hypot(north, east) / dt * (-1.0 if gear is Gear.REVERSE else 1.0)
