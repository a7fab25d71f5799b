"""What every function needs: which inputs may be used, time steps, slew, and how a decision is put together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

from adas_perception.safety.freshness import fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Function,
    FunctionState,
    LaneLine,
    Level,
    Objects,
    Request,
    Track,
    seconds,
)

GRAVITY_MPS2 = 9.81
NOMINAL_STEP_S = 0.05
LONGEST_STEP_S = 0.2
# Beyond these a figure cannot come from a road; such a sample is as good as none.
FARTHEST_M = 1000.0
FASTEST_MPS = 150.0


def finite(*values: float) -> bool:
    """Return whether all values are finite numbers."""
    return all(map(math.isfinite, values))


def ego_usable(ego: EgoState | None, now_ns: int, limit_s: float) -> TypeGuard[EgoState]:
    """Return whether the vehicle state is recent and holds only possible numbers."""
    return (
        fresh(ego, now_ns, limit_s)
        and finite(ego.accel_mps2, ego.yaw_rate_radps, ego.steering_rad, ego.x_m, ego.y_m, ego.yaw_rad)
        and abs(ego.speed_mps) < FASTEST_MPS
    )


def driver_usable(driver: DriverInput | None, now_ns: int, limit_s: float) -> TypeGuard[DriverInput]:
    """Return whether the driver's inputs are recent and finite."""
    return fresh(driver, now_ns, limit_s) and finite(driver.accelerator, driver.brake, driver.steering_torque_nm)


def line_usable(line: LaneLine | None, confidence_min: float) -> TypeGuard[LaneLine]:
    """Return whether a lane line exists, holds finite numbers and is trusted enough."""
    return line is not None and finite(*line.coefficients, line.x_max) and line.confidence >= confidence_min


def usable_tracks(objects: Objects) -> tuple[Track, ...]:
    """Return the tracks that hold only possible numbers."""
    return tuple(filter(_possible, objects.tracks))


def _possible(t: Track) -> bool:
    return (
        abs(t.x_m) < FARTHEST_M
        and abs(t.y_m) < FARTHEST_M
        and abs(t.vx_mps) < FASTEST_MPS
        and abs(t.vy_mps) < FASTEST_MPS
        and abs(t.ax_mps2) < FASTEST_MPS
        and abs(t.yaw_rad) < FARTHEST_M
        and 0.0 <= t.length_m < FARTHEST_M
        and 0.0 <= t.width_m < FARTHEST_M
    )


def slew(value: float, target: float, step: float) -> float:
    """Return ``value`` moved towards ``target`` by at most ``step``."""
    return min(max(target, value - step), value + step)


class Clock:
    """Time since the last step, bounded, so that a jump of the clock moves no actuator."""

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def step_s(self, now_ns: int) -> float:
        """Return the seconds since the last call: 0 when time went back, at most LONGEST_STEP_S."""
        last, self._last_ns = self._last_ns, now_ns
        if last is None:
            return NOMINAL_STEP_S
        return min(max(seconds(now_ns - last), 0.0), LONGEST_STEP_S)


class Press:
    """Rising edge of a push button; a button that is down at the first look has not been pressed."""

    def __init__(self) -> None:
        self._down = True

    def edge(self, down: bool) -> bool:
        """Return whether the button has just gone down."""
        before, self._down = self._down, down
        return down and not before


def decide(
    function: Function,
    now_ns: int,
    sample_ns: int,
    level: Level,
    state: str,
    reason: str,
    values: Mapping[str, float],
    *,
    accel_mps2: float | None = None,
    steering_rad: float | None = None,
) -> Decision:
    """Put request and state of one step together."""
    return Decision(
        Request(function, sample_ns, accel_mps2, steering_rad),
        FunctionState(function, now_ns, level, state, reason, values),
    )
