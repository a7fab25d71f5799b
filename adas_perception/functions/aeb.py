"""Autonomous emergency braking: brake fully at the last point where full braking still avoids the contact.

The threat model (threat.py) says what can no longer wait; this file turns that into stages with hysteresis and
lets the driver interrupt. Requirements: UN R152, FMVSS 127, Euro NCAP crash avoidance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from adas_perception.functions import guide
from adas_perception.functions.aeb_states import GUIDE_STAGE, LEVEL, STAGE, Reason, State
from adas_perception.functions.common import decide, driver_usable, ego_usable, usable_tracks
from adas_perception.functions.evidence import Evidence, EvidenceParams
from adas_perception.functions.friction import Friction, FrictionParams, SlipEstimator, planned
from adas_perception.functions.path import Arc, ego_arc, kept_lane, neighbour
from adas_perception.functions.reverse import BEHIND, Behind, ReverseParams
from adas_perception.functions.threat import Assessment, ThreatModel, ThreatParams, Urgency
from adas_perception.limits import Limits
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import age_s, fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    Echoes,
    EgoState,
    Function,
    Gear,
    LaneLines,
    Level,
    Objects,
    Track,
    seconds,
)

BRAKING = (State.PARTIAL, State.FULL)
NO_TARGET = -1


@dataclass(frozen=True)
class AebParams(Params):
    """Parameters of AEB."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    threat: ThreatParams = ThreatParams()
    evidence: EvidenceParams = EvidenceParams()
    friction: FrictionParams = FrictionParams()
    reverse: ReverseParams = ReverseParams()
    vehicle: Vehicle = Vehicle()
    guide: guide.AebRule = guide.AebRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    objects_age_s: float = param(0.3, "oldest usable objects", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    speed_min_mps: float = param(1.4, "slower than this is manoeuvring", unit="m/s", low=0.5, high=5.0)
    manoeuvring_s: float = param(
        3.0, "after this long at manoeuvring speed no intervention starts", unit="s", low=0.0, high=60.0
    )
    memory_s: float = param(0.5, "braking goes on this long when the target is lost", unit="s", low=0.0, high=2.0)
    release_s: float = param(0.3, "a stage ends when its cause has been gone this long", unit="s", low=0.0, high=2.0)
    line_confidence: float = param(0.5, "lines below this confidence are not used", low=0.0, high=1.0)
    standstill_mps: float = param(0.1, "slower than this is standstill", unit="m/s", low=0.01, high=0.5)
    hold_s: float = param(3.0, "longest hold after an emergency stop", unit="s", low=0.0, high=60.0)
    hold_mps2: float = param(2.0, "deceleration request while holding", unit="m/s2", low=0.5, high=5.0)
    pedal: float = param(0.1, "pedal position by which the driver takes over from the hold", low=0.01, high=1.0)
    pedal_mps2: float = param(10.0, "deceleration asked for by a full brake pedal", unit="m/s2", low=3.0, high=15.0)
    kick_down: float = param(0.9, "accelerator position that interrupts", low=0.3, high=1.0)
    evasive_torque_nm: float = param(6.0, "steering torque that interrupts", unit="Nm", low=1.0, high=20.0)


class Aeb:
    """Autonomous emergency braking and forward collision warning."""

    def __init__(self, params: AebParams, limits: Limits) -> None:
        self._p = params
        half, full = params.threat.partial_mps2, limits.emergency.decel_max_mps2
        if params.rule == "guide":
            half, full = 0.5 * params.guide.full_mps2, params.guide.full_mps2
        self._accel = {State.PARTIAL: -half, State.FULL: -full, State.HOLD: -params.hold_mps2}
        self._threat = params.threat
        self._models: dict[ThreatParams, ThreatModel] = {}
        self._slip = SlipEstimator(params.friction)
        self._behind = Behind(params.reverse, params.threat, params.vehicle)
        self._state = State.READY
        self._since_ns = 0
        self._caused_ns = 0
        self._target = NO_TARGET
        self._last: Assessment | None = None
        self._cycles: dict[int, int] = {}
        self._sample_ns = 0
        self._fast_ns: int | None = None
        self._evidence = Evidence(params.evidence)
        self._radar_only = False

    def step(
        self,
        now_ns: int,
        ego: EgoState | None,
        driver: DriverInput | None,
        objects: Objects | None,
        lanes: LaneLines | None,
        echoes: Echoes | None = None,
        friction: Friction | None = None,
    ) -> Decision:
        """Decide one cycle; the request is a deceleration or no opinion.

        In reverse the ``echoes`` count. ``friction`` is an estimate from outside, None where there is none.
        """
        p = self._p
        sample_ns = objects.stamp_ns if objects else 0
        if not ego_usable(ego, now_ns, p.ego_age_s):
            return self._off(now_ns, sample_ns, Reason.EGO_STALE)
        pedal = driver.brake if driver_usable(driver, now_ns, p.driver_age_s) else 0.0
        asked = max(pedal * p.pedal_mps2, -self._accel.get(self._state, 0.0))
        self._threat = planned(p.threat, p.friction, now_ns, friction, self._slip.step(now_ns, ego, asked))
        backwards = ego.gear is Gear.REVERSE and p.rule != "guide"
        if backwards and fresh(echoes, now_ns, p.reverse.echoes_age_s):
            return self._reverse(now_ns, ego, driver, echoes)
        if not fresh(objects, now_ns, p.objects_age_s):
            return self._off(now_ns, sample_ns, Reason.OBJECTS_STALE)
        if ego.gear is not Gear.DRIVE or ego.speed_mps < -p.standstill_mps:
            return self._off(now_ns, sample_ns, Reason.GEAR)

        if ego.speed_mps >= p.speed_min_mps:
            self._fast_ns = now_ns
        seen = self._assess(now_ns, ego, objects, lanes)
        return self._choose(now_ns, sample_ns, ego, driver, seen)

    def _reverse(self, now_ns: int, ego: EgoState, driver: DriverInput | None, echoes: Echoes) -> Decision:
        """Decide one cycle in reverse."""
        found = self._behind.assess(now_ns, ego, echoes, self._threat.friction)
        return self._choose(now_ns, echoes.stamp_ns, ego, driver, {BEHIND: found} if found else {})

    def _choose(
        self, now_ns: int, sample_ns: int, ego: EgoState, driver: DriverInput | None, seen: dict[int, Assessment]
    ) -> Decision:
        """Choose the state: the driver's will first, then an emergency stop to its end, then what is urgent."""
        p = self._p
        pedals = driver if driver_usable(driver, now_ns, p.driver_age_s) else DriverInput(now_ns)
        interrupts = pedals.accelerator >= p.kick_down or abs(pedals.steering_torque_nm) >= p.evasive_torque_nm
        takes_over = max(pedals.accelerator, pedals.brake) >= p.pedal

        reason = Reason.NO_THREAT
        if interrupts:
            state, reason, target = State.READY, Reason.DRIVER, None
        elif self._state is State.HOLD:
            over = takes_over or seconds(now_ns - self._since_ns) >= p.hold_s
            state, target = (State.READY, None) if over else (State.HOLD, self._last)
        elif self._state in BRAKING and self._stands(ego):
            state, target = State.HOLD, self._last
        elif p.rule == "guide":
            state, target = self._guide(seen)
        else:
            state, target = self._staged(now_ns, seen)
        return self._finish(now_ns, sample_ns, state, reason, target)

    def _assess(
        self, now_ns: int, ego: EgoState, objects: Objects, lanes: LaneLines | None
    ) -> dict[int, Assessment]:
        """Return the assessment of every object; urgent only as far as there is evidence for it."""
        p = self._p
        tracks = usable_tracks(objects)
        arc, age = ego_arc(ego, p.vehicle), age_s(objects, now_ns)
        lane = kept_lane(lanes, arc, p.line_confidence)
        new_sample = objects.stamp_ns != self._sample_ns
        self._sample_ns = objects.stamp_ns
        if new_sample:
            self._evidence.see(objects.stamp_ns, tracks)
        seen: dict[int, Assessment] = {}
        cycles: dict[int, int] = {}
        self._radar_only = False
        for track in tracks:
            found = self._on_path(track, arc, ego, age)
            if found.urgency and lane:
                # At a bend's entry the car still drives straight on, and its path sweeps over what stands outside.
                along_lane = self._on_path(track, lane.arc_to(track.x_m), ego, age, lane.heading(track.x_m))
                found = min(found, along_lane, key=lambda a: a.urgency)
            if found.urgency:
                cycles[track.id] = self._cycles.get(track.id, 0) + new_sample
                cap = self._evidence.cap(track, cycles[track.id], found.ttc_s)
                self._radar_only |= cap is Urgency.NONE and self._evidence.radar_only(track)
                found = found if found.urgency <= cap else replace(found, urgency=cap)
            seen[track.id] = found
        self._cycles = cycles
        return seen

    def _on_path(
        self, track: Track, path: Arc, ego: EgoState, age_s: float, heading_rad: float | None = None
    ) -> Assessment:
        """Return how urgent braking for an object is on one path of the car; ``heading_rad`` is its direction there."""
        now_at = neighbour(track, path, ego.speed_mps, age_s, heading_rad)
        model = self._models.get(self._threat)
        if model is None:
            model = self._models[self._threat] = ThreatModel(self._threat, self._p.vehicle)
        return model.assess(now_at, path, max(ego.speed_mps, 0.0), ego.accel_mps2)

    def _staged(self, now_ns: int, seen: dict[int, Assessment]) -> tuple[State, Assessment | None]:
        """Return the stage and its target: up at once, down with hysteresis."""
        worst = max(seen.values(), key=lambda a: (a.urgency, -a.ttc_s), default=None)
        allowed = worst is not None and (worst.target_id == BEHIND or not self._manoeuvring(now_ns))
        wanted = STAGE[worst.urgency] if worst and allowed else State.READY
        if wanted > State.READY and wanted >= self._state:
            self._caused_ns = now_ns
            return wanted, worst
        if self._state > State.READY and self._goes_on(now_ns, seen.get(self._target)):
            return self._state, seen.get(self._target, self._last)
        return wanted, worst if wanted > State.READY else None

    def _goes_on(self, now_ns: int, target: Assessment | None) -> bool:
        """Return whether the present stage must go on although nothing asks for it this cycle."""
        if target is None:
            return seconds(now_ns - self._caused_ns) < self._p.memory_s
        reached = self._state in BRAKING and not target.clear
        if STAGE[target.urgency] >= self._state or reached and target.closing_mps > 0.0:
            self._caused_ns = now_ns
        # Braking for an object in the path or on its way there ends at once when that no longer comes nearer.
        limit_s = 0.0 if reached else self._p.release_s
        return self._caused_ns == now_ns or seconds(now_ns - self._caused_ns) < limit_s

    def _stands(self, ego: EgoState) -> bool:
        """Return whether the car no longer moves the way that its gear says."""
        return (-ego.speed_mps if ego.gear is Gear.REVERSE else ego.speed_mps) <= self._p.standstill_mps

    def _manoeuvring(self, now_ns: int) -> bool:
        return self._fast_ns is None or seconds(now_ns - self._fast_ns) >= self._p.manoeuvring_s

    def _guide(self, seen: dict[int, Assessment]) -> tuple[State, Assessment | None]:
        """Return the guide's stage for the nearest object in the path; no hysteresis, no prediction."""
        ahead = [a for a in seen.values() if a.in_path and a.gap_m > 0.0]
        nearest = min(ahead, key=lambda a: a.gap_m, default=None)
        if nearest is None:
            return State.READY, None
        return GUIDE_STAGE[guide.aeb(nearest.gap_m, nearest.closing_mps, self._p.guide)], nearest

    def _finish(self, now_ns: int, sample_ns: int, state: State, reason: Reason, target: Assessment | None) -> Decision:
        if state is not self._state:
            self._since_ns = now_ns
        self._state, self._last = state, target
        self._target = target.target_id if target else NO_TARGET
        if state is State.HOLD:
            reason = Reason.STANDSTILL
        elif state > State.READY:
            reason = Reason.THREAT
        elif reason is Reason.NO_THREAT and self._manoeuvring(now_ns):
            reason = Reason.SPEED
        elif reason is Reason.NO_THREAT and self._radar_only:
            reason = Reason.RADAR_ONLY
        values = {"target_id": float(self._target)}
        if target:
            figures = {
                "ttc_s": target.ttc_s,
                "gap_m": target.gap_m,
                "decel_required_mps2": target.decel_required_mps2,
            }
            values |= {name: value for name, value in figures.items() if math.isfinite(value)}
        return decide(
            Function.AEB, now_ns, sample_ns, LEVEL[state], state.name, reason.name, values,
            accel_mps2=self._accel.get(state),
        )  # fmt: skip

    def _off(self, now_ns: int, sample_ns: int, reason: Reason) -> Decision:
        self._state, self._last, self._target = State.OFF, None, NO_TARGET
        self._cycles = {}
        level = Level.OK if reason is Reason.GEAR else LEVEL[State.OFF]
        return decide(
            Function.AEB, now_ns, sample_ns, level, State.OFF.name, reason.name, {"target_id": float(NO_TARGET)}
        )
