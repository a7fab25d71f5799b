"""How urgent is braking for one object: own braking rolled out against the object's predicted motion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.common import GRAVITY_MPS2
from adas_perception.functions.path import Arc, Neighbour, decel_required
from adas_perception.params import Params, Vehicle, param
from adas_perception.types import FloatArray

# Braking at 4 m/s2 from 40 m/s takes 11.5 s with the driver's reaction.
STEP_S = 0.1
TIMES_S: FloatArray = np.arange(0.0, 12.05, STEP_S)
SLOW_MPS = 0.3
# Traffic against us is head-on, not crossing, up to this share of sideways speed.
HEAD_ON = 0.2


class Urgency(IntEnum):
    """What can no longer wait."""

    NONE = 0
    WARN = 1
    PARTIAL = 2
    FULL = 3


@dataclass(frozen=True)
class ThreatParams(Params):
    """The models of car, driver and target behind the last point to brake."""

    friction: float = param(0.8, "usable friction; the planned full braking is this times g", low=0.1, high=1.0)
    brake_delay_s: float = param(0.15, "request to first deceleration, one cycle included", unit="s", low=0.0, high=1.0)
    brake_ramp_s: float = param(0.3, "build-up to full deceleration", unit="s", low=0.01, high=1.0)
    margin_m: float = param(0.8, "gap that full braking must keep", unit="m", low=0.0, high=5.0)
    partial_mps2: float = param(
        5.0, "deceleration of partial braking; UN R152 demands 5 of emergency braking", unit="m/s2", low=1.0, high=6.0
    )
    partial_lead_s: float = param(0.3, "partial braking comes this much before full", unit="s", low=0.0, high=1.0)
    driver_delay_s: float = param(1.3, "a warned driver's reaction, display included", unit="s", low=0.3, high=3.0)
    driver_ramp_s: float = param(0.2, "a warned driver's pedal ramp", unit="s", low=0.01, high=1.0)
    driver_mps2: float = param(3.8, "a warned driver's deceleration", unit="m/s2", low=1.0, high=8.0)
    driver_margin_m: float = param(1.0, "gap that the driver's braking must keep", unit="m", low=0.0, high=5.0)
    overlap_m: float = param(0.1, "overlap with the car's path that makes a threat", unit="m", low=-1.0, high=1.0)
    overlap_growth_mps: float = param(
        0.1, "more overlap asked per second of prediction, as the path grows uncertain", unit="m/s", low=0.0, high=1.0
    )
    crossing_stop_mps2: float = param(
        3.0,
        "a crossing object is taken to stop beside the path if this deceleration suffices",
        unit="m/s2",
        low=0.5,
        high=8.0,
    )
    lead_accel_deadband_mps2: float = param(
        0.5, "weaker braking of the target is taken for noise", unit="m/s2", low=0.0, high=3.0
    )
    drift_horizon_s: float = param(
        1.5, "sideways drift of a target going our way is believed this long", unit="s", low=0.0, high=5.0
    )


@dataclass(frozen=True, slots=True)
class Assessment:
    """Urgency of braking for one object and the figures behind it.

    ``in_path`` tells that it overlaps the path now, ``clear`` that it is beside it and not about to enter.
    """

    target_id: int
    urgency: Urgency
    gap_m: float
    closing_mps: float
    ttc_s: float
    decel_required_mps2: float
    in_path: bool
    clear: bool


class Braking:
    """Distance over time of a braking with dead time and linear build-up, on the grid TIMES_S."""

    def __init__(self, delay_s: float, ramp_s: float, decel_mps2: float) -> None:
        self._decel = decel_mps2
        into_ramp = np.clip(TIMES_S - delay_s, 0.0, ramp_s)
        # Integral of the share of braking that has built up: a parabola in the ramp, a line behind it.
        self._built = into_ramp**2 / (2.0 * ramp_s) + np.maximum(TIMES_S - delay_s - ramp_s, 0.0)
        self._before = TIMES_S - self._built
        self._rolled_for: tuple[float, float] | None = None
        self._rolled: tuple[FloatArray, NDArray[np.bool_]] = (TIMES_S, TIMES_S > 0.0)

    def roll(self, speed_mps: float, accel_mps2: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the distance in m and whether the car still moves, from a speed and a present deceleration."""
        # All objects of one cycle meet the same own braking.
        if self._rolled_for != (speed_mps, accel_mps2):
            start = min(max(accel_mps2, -self._decel), 0.0)
            speed = np.maximum(speed_mps + start * self._before - self._decel * self._built, 0.0)
            steps = (speed[1:] + speed[:-1]) * (0.5 * STEP_S)
            self._rolled_for = (speed_mps, accel_mps2)
            self._rolled = np.concatenate(([0.0], np.cumsum(steps))), speed > 0.0
        return self._rolled


class ThreatModel:
    """Assesses objects against the car's path for one cycle after another."""

    def __init__(self, params: ThreatParams, vehicle: Vehicle) -> None:
        p = self._p = params
        self._vehicle = vehicle
        full = p.friction * GRAVITY_MPS2
        self._driver = Braking(p.driver_delay_s, p.driver_ramp_s, min(p.driver_mps2, full))
        self._full = Braking(p.brake_delay_s, p.brake_ramp_s, full)
        self._early = Braking(p.brake_delay_s + p.partial_lead_s, p.brake_ramp_s, full)
        self._partial = Braking(p.brake_delay_s, p.brake_ramp_s, min(p.partial_mps2, full))

    def assess(self, n: Neighbour, arc: Arc, speed_mps: float, accel_mps2: float) -> Assessment:
        """Return the urgency of braking for one object ahead."""
        p, v = self._p, self._vehicle
        gap = n.near_s_m - v.front_x_m
        closing = speed_mps - n.vs_mps
        going_our_way = n.vs_mps >= abs(n.vd_mps) or math.hypot(n.vs_mps, n.vd_mps) < SLOW_MPS
        head_on = n.vs_mps < 0.0 and abs(n.vd_mps) < HEAD_ON * -n.vs_mps
        lead_accel = self._lead_accel(n) if going_our_way else 0.0
        beside = abs(n.d_m) - n.half_width_m - v.width_m / 2.0
        outward = n.vd_mps * math.copysign(1.0, n.d_m)

        def result(urgency: Urgency) -> Assessment:
            ttc = max(gap, 0.0) / closing if closing > 0.0 else math.inf
            need = decel_required(gap, speed_mps, n.vs_mps, lead_accel)
            clear = beside > 0.0 and outward > -SLOW_MPS
            return Assessment(n.track.id, urgency, gap, closing, ttc, need, beside < 0.0, clear)

        reachable = gap > -v.front_overhang_m and gap < (speed_mps + max(-n.vs_mps, 0.0)) * TIMES_S[-1]
        comes_near = beside < max(-outward, 0.0) * TIMES_S[-1]
        if not (reachable and comes_near) or (closing <= 0.0 and lead_accel == 0.0):
            return result(Urgency.NONE)

        s, d = self._along_path(n, lead_accel) if going_our_way or head_on else self._across(n, arc)
        overlap = p.overlap_m + p.overlap_growth_mps * TIMES_S
        in_path = np.abs(d) < n.half_width_m + v.width_m / 2.0 - overlap
        near, far = s - n.half_length_m - v.front_x_m, s + n.half_length_m + v.rear_overhang_m

        # A sample stands for the step that follows it, so that no short encounter falls between two.
        coasting = speed_mps * TIMES_S
        meets = in_path & (near < coasting + speed_mps * STEP_S) & (far > coasting)
        if lead_accel == 0.0 and not np.any(meets):
            return result(Urgency.NONE)

        # Who crosses slowly may stop in the path and then blocks it for good.
        room = v.width_m + 2.0 * n.half_width_m
        stays = going_our_way or n.vd_mps**2 < 2.0 * p.crossing_stop_mps2 * room
        blocked = np.logical_or.accumulate(in_path) if stays else in_path

        def contact(braking: Braking, margin: float) -> bool:
            own, moving = braking.roll(speed_mps, accel_mps2)
            # Stopping before head-on traffic avoids no more; stopping in the way of crossing traffic does harm.
            touches = blocked & (near < own + margin) & (far > own)
            return bool(np.any(touches & moving if head_on else touches))

        entering = beside > -p.overlap_m and not going_our_way
        may_stop = entering and beside > outward**2 / (2.0 * p.crossing_stop_mps2) + p.overlap_m
        if not may_stop and contact(self._full, p.margin_m):
            return result(Urgency.FULL)
        if contact(self._early if going_our_way else self._partial, p.margin_m):
            return result(Urgency.PARTIAL)
        if contact(self._driver, p.driver_margin_m):
            return result(Urgency.WARN)
        return result(Urgency.NONE)

    def _lead_accel(self, n: Neighbour) -> float:
        """Return the deceleration (negative) that a target going our way is believed to keep until it stands."""
        braking = n.track.ax_mps2 < -self._p.lead_accel_deadband_mps2 and n.vs_mps > SLOW_MPS
        return max(n.track.ax_mps2, -GRAVITY_MPS2) if braking else 0.0

    def _along_path(self, n: Neighbour, accel: float) -> tuple[FloatArray, FloatArray]:
        """Return s and d over time of a target that follows the same road."""
        time = np.minimum(TIMES_S, n.vs_mps / -accel) if accel < 0.0 else TIMES_S
        s = n.s_m + time * (n.vs_mps + 0.5 * accel * time)
        return s, n.d_m + n.vd_mps * np.minimum(TIMES_S, self._p.drift_horizon_s)

    def _across(self, n: Neighbour, arc: Arc) -> tuple[FloatArray, FloatArray]:
        """Return s and d over time of a target that moves straight on over ground."""
        t = n.track
        return arc.project_many(t.x_m + t.vx_mps * TIMES_S, t.y_m + t.vy_mps * TIMES_S)
