"""Lane keeping assist: warn before a line is crossed, steer back when only steering can still prevent it.

Limits: ISO 11270 (3 m/s2, 5 m/s3), warning zone: ISO 17361, hands-off cascade: UN R79.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from adas_perception.functions import guide
from adas_perception.functions.beside import Beside, BesideParams
from adas_perception.functions.common import Clock, Press, decide, driver_usable, ego_usable
from adas_perception.functions.lane import Departure, Drift, Lane, view_lane
from adas_perception.functions.lead import Lines, usable_lines
from adas_perception.functions.steering import Steering
from adas_perception.limits import Limits
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Function,
    Gear,
    Indicator,
    LaneLines,
    Level,
    Objects,
    Side,
    seconds,
)


class State(Enum):
    """States of LKA."""

    OFF = "not available"
    READY = "watches both lines"
    WARN = "warns"
    ACTIVE = "steers"
    DEGRADED = "sees one line or none"


class Reason(Enum):
    """Why LKA is in its state."""

    IN_LANE = "no line is near"
    DEPARTURE = "the car is leaving the lane"
    RETURNING = "the car is brought back to the middle"
    FALLBACK = "the car is kept in the lane until it stands"
    ONE_LINE = "only one line is seen"
    NO_LINES = "no line is seen"
    LANE_WIDTH = "the two lines make no plausible lane"
    LANES_STALE = "no recent lane lines"
    EGO_STALE = "no recent vehicle state"
    DRIVER_STALE = "no recent driver input"
    SWITCHED_OFF = "switched off by the driver"
    SPEED = "outside the speed range"
    GEAR = "not in drive"
    DRIVER_STEERS = "the driver steers"
    HANDS_OFF = "hands off the wheel"
    HANDS_OFF_ALARM = "hands off the wheel for long"
    HANDS_OFF_END = "off, for hands stayed off the wheel"


QUIET = (Reason.SWITCHED_OFF, Reason.SPEED, Reason.GEAR, Reason.DRIVER_STEERS)
INDICATED = {Indicator.LEFT: Side.LEFT, Indicator.RIGHT: Side.RIGHT}


@dataclass(frozen=True)
class LkaParams(Params):
    """Parameters of LKA."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    guide: guide.LkaRule = guide.LkaRule()
    beside: BesideParams = BesideParams()
    enabled_at_start: bool = param(True, "LKA is on after the start; the driver's button toggles it")
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    lanes_age_s: float = param(0.25, "oldest usable lane lines", unit="s", low=0.02, high=1.0)
    objects_age_s: float = param(0.3, "oldest usable objects", unit="s", low=0.02, high=1.0)
    line_confidence: float = param(0.5, "lines below this confidence are not used", low=0.0, high=1.0)
    lane_width_min_m: float = param(2.2, "narrower is no lane", unit="m", low=1.0, high=4.0)
    lane_width_max_m: float = param(5.5, "wider is no lane", unit="m", low=3.0, high=10.0)
    speed_min_mps: float = param(12.5, "LKA works from this speed", unit="m/s", low=0.0, high=40.0)
    speed_max_mps: float = param(55.0, "LKA works up to this speed", unit="m/s", low=10.0, high=80.0)
    speed_hysteresis_mps: float = param(1.0, "width of the band around the lowest speed", unit="m/s", low=0.0, high=5.0)
    warn_ttlc_s: float = param(1.0, "warn below this time to line crossing", unit="s", low=0.1, high=3.0)
    warn_m: float = param(0.15, "warn below this distance while nearing the line", unit="m", low=-0.3, high=0.5)
    act_m: float = param(0.1, "steer below this distance ...", unit="m", low=-0.3, high=0.5)
    act_s: float = param(0.5, "... plus this times the speed towards the line", unit="s", low=0.0, high=2.0)
    nearing_mps: float = param(0.05, "slower drift towards a line is no departure", unit="m/s", low=0.0, high=0.5)
    preview_s: float = param(0.4, "curvature counts for the drift this far ahead", unit="s", low=0.0, high=2.0)
    slip_rad_per_mps2: float = param(
        0.005, "angle by which the rear axle slips per lateral acceleration", unit="rad/(m/s2)", low=0.0, high=0.02
    )
    slip_s: float = param(0.6, "what the line's direction lacks is learned in this time", unit="s", low=0.1, high=5.0)
    steering_delay_s: float = param(0.15, "request to effect of the steering", unit="s", low=0.0, high=1.0)
    position_gain: float = param(0.7, "lateral acceleration per offset", unit="1/s2", low=0.05, high=3.0)
    drift_gain: float = param(2.0, "lateral acceleration per lateral speed", unit="1/s", low=0.1, high=5.0)
    accel_mps2: float = param(1.5, "lateral acceleration of the correction", unit="m/s2", low=0.3, high=3.0)
    slow_mps: float = param(10.0, "below it the correction takes a way, not a time", unit="m/s", low=1.0, high=20.0)
    jerk_mps3: float = param(4.0, "lateral jerk of the correction", unit="m/s3", low=0.5, high=5.0)
    keep_off_m: float = param(0.6, "with one line: distance that is kept to it", unit="m", low=0.1, high=2.0)
    done_m: float = param(0.2, "back in the middle within this", unit="m", low=0.05, high=0.5)
    done_mps: float = param(0.1, "and drifting slower than this", unit="m/s", low=0.02, high=0.5)
    done_s: float = param(0.5, "for this long ends the correction", unit="s", low=0.0, high=3.0)
    override_nm: float = param(2.5, "steering torque by which the driver overrides", unit="Nm", low=0.5, high=10.0)
    hands_off_warn_s: float = param(14.0, "optical warning after hands-off", unit="s", low=1.0, high=15.0)
    hands_off_alarm_s: float = param(29.0, "acoustic warning after hands-off", unit="s", low=1.0, high=30.0)
    hands_off_end_s: float = param(55.0, "LKA ends after hands-off", unit="s", low=1.0, high=60.0)


class Lka:
    """Lane keeping assist and lane departure warning."""

    def __init__(self, params: LkaParams, limits: Limits) -> None:
        self._p = params
        self._clock = Clock()
        self._steering = Steering(params.vehicle, limits.lateral, params.jerk_mps3)
        self._beside = Beside(params.beside, params.vehicle)
        self._drift = Drift(params.vehicle.wheelbase_m, params.slip_rad_per_mps2, params.slip_s)
        self._toggle = Press()
        self._enabled = params.enabled_at_start
        self._in_range = False
        self._hands_on_ns: int | None = None
        # The correction: its side, and since when it looks finished.
        self._side: Side | None = None
        self._done_ns: int | None = None

    def step(
        self,
        now_ns: int,
        ego: EgoState | None,
        driver: DriverInput | None,
        lanes: LaneLines | None,
        objects: Objects | None = None,
        fallback: bool = False,
    ) -> Decision:
        """Decide one cycle; the request is a road-wheel angle or no opinion.

        ``fallback`` tells that the monitor brakes the car to a stop: it is then kept in the middle at any speed, with
        or without hands on the wheel, until the driver takes over.
        """
        p = self._p
        dt = self._clock.step_s(now_ns)
        sample_ns = lanes.stamp_ns if lanes else 0
        if not driver_usable(driver, now_ns, p.driver_age_s):
            return self._idle(now_ns, sample_ns, State.OFF, Reason.DRIVER_STALE)
        if self._toggle.edge(driver.lka_toggle):
            self._enabled = not self._enabled
        if not ego_usable(ego, now_ns, p.ego_age_s):
            return self._idle(now_ns, sample_ns, State.OFF, Reason.EGO_STALE)
        hands = self._hands(now_ns, driver)
        off = self._off_reason(ego, hands, fallback)
        if off:
            return self._idle(now_ns, sample_ns, State.OFF, off)
        if abs(driver.steering_torque_nm) > p.override_nm:
            return self._idle(now_ns, sample_ns, State.READY, Reason.DRIVER_STEERS)

        recent = lanes if fresh(lanes, now_ns, p.lanes_age_s) else None
        lines = usable_lines(recent, p.line_confidence)
        lane = view_lane(
            lines,
            self._drift.step(sample_ns, lines, ego),
            ego,
            p.vehicle,
            preview_s=p.preview_s,
            steering_delay_s=p.steering_delay_s,
            keep_off_m=p.keep_off_m,
        )
        if lane is None:
            reason = Reason.LANES_STALE if lanes and not recent else Reason.NO_LINES
            return self._idle(now_ns, sample_ns, State.DEGRADED, reason, self._steering.fade(dt, ego))
        if lane.width_m is not None and not p.lane_width_min_m <= lane.width_m <= p.lane_width_max_m:
            return self._idle(now_ns, sample_ns, State.DEGRADED, Reason.LANE_WIDTH, self._steering.fade(dt, ego))

        recent_objects = objects if fresh(objects, now_ns, p.objects_age_s) else None
        meant = None if fallback else self._meant(now_ns, ego, driver, recent_objects, lines)
        nearest = self._nearest(lane, meant)
        warns, acts = self._triggers(lane, nearest)
        self._correct(now_ns, lane, nearest if acts else None, meant)
        steers = fallback or self._side is not None
        steering = self._steer(dt, ego, lane) if steers else self._steering.fade(dt, ego)
        decision = self._finish(now_ns, sample_ns, lane, nearest, warns, hands, steering)
        return _in_fallback(decision) if fallback else decision

    def _off_reason(self, ego: EgoState, hands: Reason | None, fallback: bool) -> Reason | None:
        """Return why LKA is off, None when it may work."""
        p = self._p
        lowest = p.speed_min_mps - (p.speed_hysteresis_mps if self._in_range else 0.0)
        self._in_range = lowest <= ego.speed_mps <= p.speed_max_mps
        checks = (
            (not self._enabled, Reason.SWITCHED_OFF),
            (ego.gear is not Gear.DRIVE, Reason.GEAR),
            (not self._in_range and not fallback, Reason.SPEED),
            (hands is Reason.HANDS_OFF_END and not fallback, Reason.HANDS_OFF_END),
        )
        return next((reason for failed, reason in checks if failed), None)

    def _hands(self, now_ns: int, driver: DriverInput) -> Reason | None:
        """Return the stage of the hands-off cascade."""
        p = self._p
        if driver.hands_on or self._hands_on_ns is None:
            self._hands_on_ns = now_ns
        away = seconds(now_ns - self._hands_on_ns)
        stages = (
            (p.hands_off_end_s, Reason.HANDS_OFF_END),
            (p.hands_off_alarm_s, Reason.HANDS_OFF_ALARM),
            (p.hands_off_warn_s, Reason.HANDS_OFF),
        )
        return next((reason for limit, reason in stages if away >= limit), None)

    def _meant(
        self, now_ns: int, ego: EgoState, driver: DriverInput, objects: Objects | None, lines: Lines
    ) -> Side | None:
        """Return the side whose line the driver means to cross and may: nobody is in the way there (EN26-LD)."""
        taken = self._beside.step(now_ns, ego, objects, lines)
        side = INDICATED.get(driver.indicator)
        return None if side in taken and self._p.rule != "guide" else side

    def _nearest(self, lane: Lane, meant: Side | None) -> Departure | None:
        """Return the line that would be crossed first, the one that the driver means to cross left out."""
        others = (d for d in lane.departures if d.side is not meant)
        return min(others, key=lambda d: (d.ttlc_s, d.distance_m), default=None)

    def _triggers(self, lane: Lane, nearest: Departure | None) -> tuple[bool, bool]:
        """Return whether to warn and whether to steer."""
        p = self._p
        if nearest is None:
            return False, False
        if p.rule == "guide":
            action = guide.lka(lane.offset_m or 0.0, p.guide)
            return action is not guide.LkaAction.NONE, action is guide.LkaAction.STEER
        nearing = nearest.nearing_mps > p.nearing_mps
        warns = nearest.ttlc_s < p.warn_ttlc_s or nearest.distance_m < p.warn_m
        acts = nearest.distance_m < p.act_m + p.act_s * nearest.nearing_mps
        return nearing and (warns or acts), nearing and acts

    def _correct(self, now_ns: int, lane: Lane, wanted: Departure | None, meant: Side | None) -> None:
        """Start, keep or end the correction."""
        p = self._p
        if wanted:
            self._side, self._done_ns = wanted.side, None
        elif self._side is not None:
            settled = abs(lane.target_m) < p.done_m and abs(lane.target_mps) < p.done_mps
            if not settled:
                self._done_ns = None
            elif self._done_ns is None:
                self._done_ns = now_ns
            over = self._done_ns is not None and seconds(now_ns - self._done_ns) >= p.done_s
            if over or p.rule == "guide" or self._side is meant:
                self._side = self._done_ns = None

    def _steer(self, dt: float, ego: EgoState, lane: Lane) -> float:
        """Return the road-wheel angle that brings the car back."""
        p = self._p
        # Slowly the same way back in metres, not the same time, or the car would turn across its lane.
        pace = min(max(ego.speed_mps, 0.0) / p.slow_mps, 1.0)
        wanted = pace * (pace * p.position_gain * lane.target_m + p.drift_gain * lane.target_mps)
        return self._steering.follow(dt, ego, lane.curvature, min(max(wanted, -p.accel_mps2), p.accel_mps2))

    def _finish(
        self, now_ns: int, sample_ns: int, lane: Lane, nearest: Departure | None, warns: bool,
        hands: Reason | None, steering: float | None,
    ) -> Decision:  # fmt: skip
        """Put state, level and figures together."""
        one_line = lane.width_m is None
        if self._side is not None or steering is not None:
            state, level = State.ACTIVE, Level.WARN
            reason = Reason.DEPARTURE if warns else Reason.RETURNING
        elif warns:
            state, reason, level = State.WARN, Reason.DEPARTURE, Level.WARN
        elif one_line:
            state, reason, level = State.DEGRADED, Reason.ONE_LINE, Level.WARN
        else:
            state, reason, level = State.READY, Reason.IN_LANE, Level.OK
        if hands and not warns:
            reason, level = hands, Level.ERROR if hands is Reason.HANDS_OFF_ALARM else Level.WARN
        side = self._side or (nearest.side if nearest and warns else 0)
        values = {"side": float(side)}
        if nearest and math.isfinite(nearest.ttlc_s):
            values["ttlc_s"] = nearest.ttlc_s
        if lane.offset_m is not None and lane.width_m is not None:
            values["offset_m"], values["lane_width_m"] = lane.offset_m, lane.width_m
        return decide(Function.LKA, now_ns, sample_ns, level, state.name, reason.name, values, steering_rad=steering)

    def _idle(
        self, now_ns: int, sample_ns: int, state: State, reason: Reason, steering: float | None = None
    ) -> Decision:
        """End the correction: at once, or by fading out with ``steering``."""
        self._side = self._done_ns = None
        if steering is None:
            self._steering.end()
        level = Level.OK if reason in QUIET else Level.WARN
        return decide(
            Function.LKA, now_ns, sample_ns, level, state.name, reason.name, {"side": 0.0}, steering_rad=steering
        )


def _in_fallback(decision: Decision) -> Decision:
    """Return the decision with the fallback as its reason."""
    return replace(decision, state=replace(decision.state, reason=Reason.FALLBACK.name))
