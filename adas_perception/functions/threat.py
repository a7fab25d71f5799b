"""How urgent is braking for one object: own braking rolled out against the object's predicted motion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from itertools import compress

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


URGENCIES = (Urgency.FULL, Urgency.PARTIAL, Urgency.WARN)


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
        4.0,
        "a crossing object is taken to stop beside the path if this deceleration suffices",
        unit="m/s2",
        low=0.5,
        high=8.0,
    )
    head_on_s: float = param(
        1.4, "traffic against us keeps to its own lane until contact is nearer than this", unit="s", low=0.5, high=10.0
    )
    crossing_s: float = param(
        4.0, "nobody knows where crossing traffic will be after this", unit="s", low=0.5, high=12.0
    )
    oncoming_m: float = param(
        100.0, "what comes against us may follow a bend; farther off nobody knows whether it crosses our way",
        unit="m", low=10.0, high=300.0,
    )  # fmt: skip
    crossing_margin_m: float = param(
        0.5, "braking must let crossing traffic pass this far off", unit="m", low=0.0, high=2.0
    )
    lead_accel_deadband_mps2: float = param(
        0.5, "weaker braking of the target is taken for noise", unit="m/s2", low=0.0, high=3.0
    )
    drift_horizon_s: float = param(
        1.5, "sideways drift of a target going our way is believed this long", unit="s", low=0.0, high=5.0
    )
    head_on_drift_s: float = param(
        0.7, "the same of traffic against us, whose drift is known badly: another end of a lorry is seen from near",
        unit="s", low=0.0, high=5.0,
    )  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Course:
    """How an object moves against the car's path.

    ``beside_m`` is the free width between it and the swath, negative inside; ``outward_mps`` its speed away from
    the path's middle.
    """

    our_way: bool
    head_on: bool
    lead_accel_mps2: float
    beside_m: float
    outward_mps: float


class Brakings:
    """Distance over time of B brakings with dead time and linear build-up, on the grid TIMES_S."""

    def __init__(self, *delay_ramp_decel: tuple[float, float, float]) -> None:
        delay, ramp, self._decel = np.array(delay_ramp_decel).T[:, :, None]
        into_ramp = np.clip(TIMES_S - delay, 0.0, ramp)
        # Integral of the share of braking that has built up: a parabola in the ramp, a line behind it.
        built = into_ramp**2 / (2.0 * ramp) + np.maximum(TIMES_S - delay - ramp, 0.0)
        self._before = TIMES_S - built
        self._braked = self._decel * built
        self._rolled_for: tuple[float, float] | None = None
        self._rolled: tuple[FloatArray, NDArray[np.bool_]] = (TIMES_S, TIMES_S > 0.0)

    def roll(self, speed_mps: float, accel_mps2: float) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return (B, T) the distances in m and whether the car still moves, from a speed and a present deceleration."""
        # All objects of one cycle meet the same own braking.
        if self._rolled_for != (speed_mps, accel_mps2):
            start = np.maximum(min(accel_mps2, 0.0), -self._decel)
            speed = np.maximum(speed_mps + start * self._before - self._braked, 0.0)
            distance = np.zeros_like(speed)
            np.cumsum((speed[:, 1:] + speed[:, :-1]) * (0.5 * STEP_S), axis=1, out=distance[:, 1:])
            self._rolled_for = (speed_mps, accel_mps2)
            self._rolled = distance, speed > 0.0
        return self._rolled


class ThreatModel:
    """Assesses objects against the car's path for one cycle after another."""

    def __init__(self, params: ThreatParams, vehicle: Vehicle) -> None:
        p = self._p = params
        self._vehicle = vehicle
        self._overlap: FloatArray = p.overlap_m + p.overlap_growth_mps * TIMES_S
        full = p.friction * GRAVITY_MPS2
        at_last = (p.brake_delay_s, p.brake_ramp_s, full)
        early = (p.brake_delay_s + p.partial_lead_s, p.brake_ramp_s, full)
        partial = (p.brake_delay_s, p.brake_ramp_s, min(p.partial_mps2, full))
        by_driver = (p.driver_delay_s, p.driver_ramp_s, min(p.driver_mps2, full))
        # In the order of URGENCIES: what must begin now because it just suffices.
        self._our_way = Brakings(at_last, early, by_driver)
        self._other_way = Brakings(at_last, partial, by_driver)
        self._margins: FloatArray = np.array([[p.margin_m], [p.margin_m], [p.driver_margin_m]])

    def assess(self, n: Neighbour, arc: Arc, speed_mps: float, accel_mps2: float) -> Assessment:
        """Return the urgency of braking for one object, at the car's speed and present acceleration."""
        course = self._course(n)
        gap = n.near_s_m - self._vehicle.front_x_m
        closing = speed_mps - n.vs_mps
        horizon = TIMES_S[-1]
        foresight = horizon if course.our_way else self._p.head_on_s if course.head_on else self._p.crossing_s
        reach_m = (speed_mps + max(-n.vs_mps, 0.0)) * foresight
        if -n.vs_mps > abs(n.vd_mps):
            reach_m = min(reach_m, self._p.oncoming_m)
        in_reach = -self._vehicle.front_overhang_m < gap < reach_m
        comes_near = course.beside_m < max(-course.outward_mps, 0.0) * horizon
        nearing = closing > 0.0 or course.lead_accel_mps2 < 0.0
        # Braking does not help against who drives beside us and drifts nearer.
        alongside = course.our_way and gap < 0.0 and course.beside_m > 0.0
        urgency = Urgency.NONE
        if in_reach and comes_near and nearing and not alongside:
            urgency = self._urgency(n, course, arc, speed_mps, accel_mps2)
        return Assessment(
            target_id=n.track.id,
            urgency=urgency,
            gap_m=gap,
            closing_mps=closing,
            ttc_s=max(gap, 0.0) / closing if closing > 0.0 else math.inf,
            decel_required_mps2=decel_required(gap, speed_mps, n.vs_mps, course.lead_accel_mps2),
            in_path=course.beside_m < 0.0,
            clear=course.beside_m > 0.0 and course.outward_mps > -SLOW_MPS,
        )

    def _course(self, n: Neighbour) -> Course:
        p = self._p
        our_way = n.vs_mps >= abs(n.vd_mps) or math.hypot(n.vs_mps, n.vd_mps) < SLOW_MPS
        # A lead that brakes is taken to brake until it stands.
        brakes = our_way and n.track.ax_mps2 < -p.lead_accel_deadband_mps2 and n.vs_mps > SLOW_MPS
        return Course(
            our_way=our_way,
            head_on=n.vs_mps < 0.0 and abs(n.vd_mps) < HEAD_ON * -n.vs_mps,
            lead_accel_mps2=max(n.track.ax_mps2, -GRAVITY_MPS2) if brakes else 0.0,
            beside_m=abs(n.d_m) - n.half_width_m - self._vehicle.width_m / 2.0,
            outward_mps=n.vd_mps * math.copysign(1.0, n.d_m),
        )

    def _urgency(self, n: Neighbour, course: Course, arc: Arc, speed_mps: float, accel_mps2: float) -> Urgency:
        """Roll the object's motion out and compare it with what full, early, partial and the driver's braking do."""
        p, v = self._p, self._vehicle
        follows_road = course.our_way or course.head_on
        s, d = self._along_path(n, course) if follows_road else self._across(n, arc)
        reach = n.half_width_m + v.width_m / 2.0
        in_path = np.abs(d) < reach - self._overlap
        near, far = s - n.half_length_m - v.front_x_m, s + n.half_length_m + v.rear_overhang_m

        # A sample stands for the step that follows it, so that no short encounter falls between two.
        coasting = speed_mps * TIMES_S
        meets = in_path & (near < coasting + speed_mps * STEP_S) & (far > coasting)
        if course.lead_accel_mps2 == 0.0 and not np.any(meets):
            return Urgency.NONE

        # Who crosses is where he is predicted only within a margin, before and behind him.
        if not follows_road:
            in_path = np.abs(d) < reach + p.crossing_margin_m
            far = far + p.crossing_margin_m
        # Who crosses slowly may stop in the path and then blocks it for good.
        room = v.width_m + 2.0 * n.half_width_m
        stays = course.our_way or n.vd_mps**2 < 2.0 * p.crossing_stop_mps2 * room
        blocked = np.logical_or.accumulate(in_path) if stays else in_path

        brakings = self._our_way if course.our_way else self._other_way
        own, moving = brakings.roll(speed_mps, accel_mps2)
        touches = blocked & (near < own + self._margins) & (far > own)
        # Stopping before head-on traffic avoids no more; stopping in the way of crossing traffic does harm.
        if course.head_on:
            touches &= moving
        entering = course.beside_m > -p.overlap_m and not course.our_way
        stopping_m = course.outward_mps**2 / (2.0 * p.crossing_stop_mps2)
        may_stop_beside = entering and course.beside_m > stopping_m + p.overlap_m
        fails: list[bool] = np.asarray(touches.any(axis=1)).tolist()
        fails[0] &= not may_stop_beside
        return next(compress(URGENCIES, fails), Urgency.NONE)

    def _along_path(self, n: Neighbour, course: Course) -> tuple[FloatArray, FloatArray]:
        """Return s and d over time of a target that follows the same road."""
        accel = course.lead_accel_mps2
        drifts_s = self._p.head_on_drift_s if course.head_on else self._p.drift_horizon_s
        time = np.minimum(TIMES_S, n.vs_mps / -accel) if accel < 0.0 else TIMES_S
        s = n.s_m + time * (n.vs_mps + 0.5 * accel * time)
        return s, n.d_m + n.vd_mps * np.minimum(TIMES_S, drifts_s)

    def _across(self, n: Neighbour, arc: Arc) -> tuple[FloatArray, FloatArray]:
        """Return s and d over time of a target that moves straight on over ground."""
        t = n.track
        return arc.project_many(n.x_m + t.vx_mps * TIMES_S, n.y_m + t.vy_mps * TIMES_S)
