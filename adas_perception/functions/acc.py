"""Adaptive cruise control: set speed, or a constant time gap behind the lead, down to standstill (ISO 15622 FSRA).

The following law is a = k1 (gap - d0 - tau v) + k2 (v_lead - v) + k3 a_lead with k2 = 1/tau and k1 = lambda/tau,
for which a platoon is string stable as long as tau exceeds twice the lag of the drive (Rajamani, Vehicle Dynamics
and Control, ch. 6). A standing object that neither moved before nor was seen by the camera is braked for gently
only: beyond that it is AEB's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adas_perception.functions import guide
from adas_perception.functions.acc_states import TRANSITIONS, Buttons, Event, Reason, State
from adas_perception.functions.common import Clock, decide, driver_usable, ego_usable
from adas_perception.functions.lead import Lead, LeadParams, LeadSelector, usable_lines
from adas_perception.functions.path import decel_required, ego_arc
from adas_perception.limits import Limits
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import age_s, fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Function,
    Gear,
    LaneLines,
    Level,
    Objects,
    seconds,
)

NO_TARGET = -1.0
# The car aims to stop this much short of the standstill gap, so that it need not correct at the end.
STOP_SHORT_M = 1.0
STOP_NOW_M = 1.2


@dataclass(frozen=True)
class AccParams(Params):
    """Parameters of ACC."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    lead: LeadParams = LeadParams()
    guide: guide.AccRule = guide.AccRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    objects_age_s: float = param(0.3, "oldest usable objects", unit="s", low=0.02, high=1.0)
    lanes_age_s: float = param(0.3, "oldest usable lane lines", unit="s", low=0.02, high=1.0)
    objects_lost_s: float = param(1.0, "without objects this long ACC switches off", unit="s", low=0.1, high=5.0)
    set_speed_min_mps: float = param(8.33, "lowest set speed", unit="m/s", low=0.0, high=20.0)
    set_speed_max_mps: float = param(41.7, "highest set speed", unit="m/s", low=10.0, high=60.0)
    set_speed_step_mps: float = param(2.78, "one more press of 'resume' while active", unit="m/s", low=0.1, high=10.0)
    time_gaps_s: tuple[float, ...] = param((1.0, 1.5, 2.0), "time gap settings", unit="s", low=0.8, high=4.0)
    time_gap_first: int = param(1, "index of the setting at start", low=0, high=9)
    standstill_gap_m: float = param(3.0, "gap at standstill, d0", unit="m", low=2.0, high=4.0)
    gap_rate: float = param(0.25, "lambda: how fast a wrong gap is corrected", unit="1/s", low=0.05, high=1.0)
    gap_accel_mps2: float = param(
        1.0, "a gap that is only too short, as after a cut-in, is opened this hard", unit="m/s2", low=0.2, high=3.0
    )
    lead_accel_share: float = param(0.3, "k3: share of the lead's acceleration fed forward", low=0.0, high=1.0)
    speed_gain: float = param(0.4, "acceleration per speed error on a free road", unit="1/s", low=0.05, high=2.0)
    accel_mps2: float = param(1.8, "comfortable acceleration", unit="m/s2", low=0.3, high=4.0)
    decel_mps2: float = param(1.5, "comfortable deceleration towards a lower speed", unit="m/s2", low=0.3, high=3.5)
    decel_uncertain_mps2: float = param(
        2.0, "for standing objects that may be no vehicle", unit="m/s2", low=0.0, high=3.5
    )
    jerk_up_mps3: float = param(2.5, "growth of acceleration", unit="m/s3", low=0.3, high=5.0)
    jerk_share: float = param(0.9, "share of the permitted jerk used to brake", low=0.1, high=1.0)
    curve_accel_mps2: float = param(2.2, "lateral acceleration in curves", unit="m/s2", low=1.0, high=3.0)
    curve_preview_s: float = param(3.0, "curves are looked for this far ahead", unit="s", low=0.0, high=5.0)
    pedal: float = param(0.05, "pedal position that counts as pressed", low=0.01, high=0.5)
    standstill_mps: float = param(0.1, "slower than this is standstill", unit="m/s", low=0.01, high=0.5)
    stop_mps2: float = param(
        1.0, "deceleration of the last metres behind a standing lead", unit="m/s2", low=0.3, high=3.0
    )
    stop_below_mps: float = param(
        8.0, "speed below which the car pulls up behind a standing lead", unit="m/s", low=1.0, high=15.0
    )
    hold_mps2: float = param(1.5, "deceleration request while holding", unit="m/s2", low=0.3, high=5.0)
    drive_off_s: float = param(
        3.0, "within this time the car follows a departing lead by itself", unit="s", low=0.0, high=60.0
    )
    drive_off_mps: float = param(0.5, "lead speed that counts as departing", unit="m/s", low=0.1, high=3.0)


class Acc:
    """Adaptive cruise control with stop and go."""

    def __init__(self, params: AccParams, limits: Limits) -> None:
        self._p = params
        self._limits = limits.longitudinal
        self._selector = LeadSelector(params.lead, params.vehicle)
        self._clock = Clock()
        self._buttons = Buttons()
        self._state = State.OFF
        self._reason = Reason.READY
        self._set_speed: float | None = None
        self._gap_index = min(params.time_gap_first, len(params.time_gaps_s) - 1)
        self._accel = 0.0
        self._cancelled = self._go = False
        self._held_ns = self._go_ns = 0
        self._objects_ns: int | None = None

    def step(
        self,
        now_ns: int,
        ego: EgoState | None,
        driver: DriverInput | None,
        objects: Objects | None,
        lanes: LaneLines | None,
    ) -> Decision:
        """Decide one cycle; the request is an acceleration or no opinion."""
        p = self._p
        dt = self._clock.step_s(now_ns)
        sample_ns = objects.stamp_ns if objects else 0
        if not ego_usable(ego, now_ns, p.ego_age_s):
            return self._off(now_ns, sample_ns, Reason.EGO_STALE)
        if not driver_usable(driver, now_ns, p.driver_age_s):
            return self._off(now_ns, sample_ns, Reason.DRIVER_STALE)

        leads: tuple[Lead, ...] = ()
        sees = False
        if fresh(objects, now_ns, p.objects_age_s):
            sees, self._objects_ns = True, now_ns
            lanes = lanes if fresh(lanes, now_ns, p.lanes_age_s) else None
            leads = self._selector.choose(ego, objects, age_s(objects, now_ns), lanes)
        elif self._objects_ns is None or seconds(now_ns - self._objects_ns) > p.objects_lost_s:
            return self._off(now_ns, sample_ns, Reason.OBJECTS_STALE)
        if ego.gear is not Gear.DRIVE:
            return self._off(now_ns, sample_ns, Reason.GEAR)

        self._press(now_ns, ego, driver)
        lead = leads[0] if leads else None
        wanted, aim = self._wanted(ego, leads, lanes)
        self._advance(now_ns, ego, driver, lead, wanted)
        if self._state is State.ACTIVE:
            self._reason = aim if sees else Reason.OBJECTS_STALE
        return self._finish(now_ns, sample_ns, dt, ego, lead, wanted if sees else min(self._accel, 0.0))

    def _press(self, now_ns: int, ego: EgoState, driver: DriverInput) -> None:
        """Take the buttons: their edges, the set speed and the time gap setting."""
        p = self._p
        pressed = self._buttons.edges(driver)
        if pressed.gap:
            self._gap_index = (self._gap_index + 1) % len(p.time_gaps_s)
        if pressed.set or (pressed.resume and self._set_speed is None):
            self._set_speed = ego.speed_mps
        elif pressed.resume and self._state is State.ACTIVE:
            self._set_speed = self._target_speed(ego) + p.set_speed_step_mps
        if self._set_speed is not None:
            self._set_speed = min(max(self._set_speed, p.set_speed_min_mps), p.set_speed_max_mps)
        self._cancelled = pressed.cancel
        self._go = pressed.set or pressed.resume
        if self._go:
            self._go_ns = now_ns

    def _advance(self, now_ns: int, ego: EgoState, driver: DriverInput, lead: Lead | None, wanted: float) -> None:
        """Move the state machine by one cycle."""
        p, held = self._p, self._state is State.HOLD
        braked = driver.brake > p.pedal
        door = driver.door_open and not held
        departing = lead is not None and lead.speed_mps > p.drive_off_mps
        by_itself = departing and seconds(now_ns - self._held_ns) < p.drive_off_s
        by_driver = seconds(now_ns - self._go_ns) < p.drive_off_s
        happened = {
            Event.AVAILABLE: True,
            Event.CANCEL: braked or self._cancelled or door,
            Event.ACTIVATE: self._go and not (braked or self._cancelled or driver.door_open),
            Event.PRESS: driver.accelerator > p.pedal,
            Event.RELEASE: driver.accelerator <= p.pedal,
            Event.STOPPED: ego.speed_mps < p.standstill_mps and wanted <= 0.0,
            Event.GO: wanted > 0.0 and not driver.door_open and (by_itself or by_driver),
        }
        for event, state in TRANSITIONS[self._state]:
            if happened.get(event, False):
                self._enter(now_ns, ego, state)
                if event is Event.CANCEL:
                    self._reason = Reason.DRIVER_BRAKE if braked else Reason.DRIVER_CANCEL
                    self._reason = Reason.DOOR if door else self._reason
                break
        if self._state is State.HOLD:
            waits = not by_itself and seconds(now_ns - self._held_ns) >= p.drive_off_s
            self._reason = Reason.WAITS_FOR_DRIVER if waits else Reason.STANDSTILL

    def _enter(self, now_ns: int, ego: EgoState, state: State) -> None:
        if state is State.ACTIVE:
            self._accel = ego.accel_mps2
        elif state is State.HOLD:
            self._held_ns = now_ns
        elif state is State.OVERRIDE:
            self._reason = Reason.DRIVER_ACCELERATOR
        else:
            self._reason = Reason.READY
        self._state = state

    def _target_speed(self, ego: EgoState) -> float:
        return self._set_speed if self._set_speed is not None else ego.speed_mps

    def _wanted(self, ego: EgoState, leads: Sequence[Lead], lanes: LaneLines | None) -> tuple[float, Reason]:
        """Return the acceleration that speed, curve and leads ask for within the envelope, and who asked.

        Whoever stands before a lead counts at once, not when the lead has left the lane.
        """
        p, limits, v = self._p, self._limits, max(ego.speed_mps, 0.0)
        if p.rule == "guide":
            return self._guide(v, leads[0] if leads else None, self._target_speed(ego))
        wanted, reason = p.speed_gain * (self._target_speed(ego) - v), Reason.SET_SPEED
        curve = p.speed_gain * (self._curve_speed(ego, lanes) - v)
        if curve < wanted:
            wanted, reason = curve, Reason.CURVE
        wanted = min(max(wanted, -p.decel_mps2), p.accel_mps2)
        for lead in leads:
            following, need = self._follow(lead, v)
            if following < wanted:
                wanted, reason = following, Reason.FOLLOWING
            if need > limits.decel_max(v) and lead.certain:
                reason = Reason.TAKE_OVER
        return min(max(wanted, -limits.decel_max(v)), limits.accel_max(v)), reason

    def _follow(self, lead: Lead, v: float) -> tuple[float, float]:
        """Return the following acceleration, and the deceleration that avoiding the lead needs."""
        p, tau = self._p, self.time_gap_s
        gap_error = lead.gap_m - p.standstill_gap_m - tau * v
        accel = (
            max(p.gap_rate / tau * gap_error, -p.gap_accel_mps2)
            + (lead.speed_mps - v) / tau
            + p.lead_accel_share * lead.accel_mps2
        )
        if lead.speed_mps < p.drive_off_mps and v < p.stop_below_mps:
            accel = self._stop_behind(lead.gap_m - p.standstill_gap_m - STOP_SHORT_M, v)
        need = decel_required(lead.gap_m - (p.standstill_gap_m - 1.0), v, lead.speed_mps, lead.accel_mps2)
        if need > p.decel_mps2:
            accel = min(accel, -need)
        return accel if lead.certain else max(accel, -p.decel_uncertain_mps2), need

    def _stop_behind(self, distance_m: float, v: float) -> float:
        """Return the acceleration that brings the car to rest after a distance without creeping.

        In the last STOP_NOW_M it is that of their beginning: nearer must never mean braking less.
        """
        p = self._p
        if distance_m < STOP_NOW_M:
            return -max(p.stop_mps2, v * v / (2.0 * STOP_NOW_M))
        planned = math.sqrt(2.0 * p.stop_mps2 * distance_m)
        return -v * v / (2.0 * distance_m) if v > planned else planned - v

    def _guide(self, v: float, lead: Lead | None, target: float) -> tuple[float, Reason]:
        """Return the acceleration of the guide's rule."""
        rule = self._p.guide
        action = guide.acc(v, lead.gap_m if lead else math.inf, target, rule)
        accel = {
            guide.AccAction.ACCELERATE: rule.accel_mps2,
            guide.AccAction.HOLD: 0.0,
            guide.AccAction.DECELERATE: -rule.decel_mps2,
        }[action]
        return accel, Reason.FOLLOWING if action is guide.AccAction.DECELERATE else Reason.SET_SPEED

    def _curve_speed(self, ego: EgoState, lanes: LaneLines | None) -> float:
        """Return the speed that the sharpest curve in sight allows."""
        p = self._p
        bends = [abs(ego_arc(ego, p.vehicle).curvature)]
        for line in usable_lines(lanes, p.lead.line_confidence):
            if line:
                reach = min(p.curve_preview_s * ego.speed_mps, line.x_max)
                bends += [abs(line.curvature(0.5 * reach)), abs(line.curvature(reach))]
        return math.sqrt(p.curve_accel_mps2 / max(*bends, 1e-6))

    @property
    def time_gap_s(self) -> float:
        """Return the time gap setting in use."""
        return self._p.time_gaps_s[self._gap_index]

    def _finish(
        self, now_ns: int, sample_ns: int, dt: float, ego: EgoState, lead: Lead | None, wanted: float
    ) -> Decision:
        accel: float | None = None
        if self._state is State.ACTIVE:
            accel = self._accel = self._smooth(wanted, max(ego.speed_mps, 0.0), dt)
        elif self._state is State.HOLD:
            accel = self._accel = -self._p.hold_mps2
        level = Level.OK
        if self._reason is Reason.TAKE_OVER:
            level = Level.ERROR
        elif self._reason is Reason.OBJECTS_STALE:
            level = Level.WARN
        values = {"time_gap_s": self.time_gap_s, "target_id": float(lead.id) if lead else NO_TARGET}
        if self._set_speed is not None:
            values["set_speed_mps"] = self._set_speed
        if lead:
            values["gap_m"], values["lead_speed_mps"] = lead.gap_m, lead.speed_mps
        return decide(
            Function.ACC, now_ns, sample_ns, level, self._state.name, self._reason.name, values, accel_mps2=accel
        )

    def _smooth(self, wanted: float, v: float, dt: float) -> float:
        """Return the next acceleration request within the envelope and its jerk."""
        limits, jerk = self._limits, self._limits.jerk_max(v)
        down = self._p.jerk_share * jerk * dt
        up = min(self._p.jerk_up_mps3, jerk) * dt
        smooth = min(max(wanted, self._accel - down), self._accel + up)
        return min(max(smooth, -limits.decel_max(v)), limits.accel_max(v))

    def _off(self, now_ns: int, sample_ns: int, reason: Reason) -> Decision:
        self._state, self._reason = State.OFF, reason
        level = Level.OK if reason is Reason.GEAR else Level.WARN
        values = {"time_gap_s": self.time_gap_s, "target_id": NO_TARGET}
        return decide(Function.ACC, now_ns, sample_ns, level, State.OFF.name, reason.name, values)
