"""Judges of a drive with a fault: seen in time, rightly named, and never an unsafe command on the wire."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.limits import Limits
from adas_perception.params import Vehicle, param
from adas_perception.sim.fault_loop import Evidence, Moment
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_most
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import Trace
from adas_perception.types import Function

LIMITS, VEHICLE = Limits(), Vehicle()
# A fault without effect needs no reaction. It has one from the tolerances of the monitor's checks on.
SPEED_OFF_MPS, ACCEL_OFF_MPS2, LATERAL_OFF_MPS2 = 0.8, 0.8, 0.4
RESOLUTION = 0.02


@dataclass(frozen=True)
class FaultSeen(Criterion):
    """The fault is seen within ``within_s`` of its first effect, by the right check, with the right mode."""

    within_s: float = param(0.3, "detection time", unit="s", low=0.05, high=2.0)
    settled_s: float = param(0.15, "after it the mode is reached", unit="s", low=0.0, high=2.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return detection time, mode and the worst commands."""
        evidence = evidence_of(trace)
        expected, after = evidence.expected, evidence.after
        checks = []
        began = effect_s(evidence)
        seen = began
        if expected.seen_by:
            seen = next((m.time_s for m in after if m.kinds & set(expected.seen_by)), math.inf)
            checks.append(at_most("fault seen after", max(seen - began, 0.0), self.within_s, "s"))
        # A fault that ends, or the driver's own braking, may lead on to other modes.
        span = [m.mode for m in after if m.time_s >= seen][: 1 + round(self.settled_s / TICK_S)]
        reached = next((mode for mode in span if mode in expected.modes), span[-1] if span else None)
        name = reached.name if reached else "never seen"
        checks.append(_yes(f"mode {name}", reached in expected.modes))
        if expected.neutral:
            end = evidence.start_s + min(expected.seconds, 1e6)
            quiet = next((m.time_s for m in after if m.wire_accel is None and m.wire_steering is None), math.inf)
            checks.append(at_most("car neutral after", quiet - evidence.start_s, self.within_s, "s"))
            late = [m for m in after if evidence.start_s + self.within_s <= m.time_s < end]
            checks.append(at_most("requests while the bus is down", sum(_asks(m) for m in late), 0))
        return checks


@dataclass(frozen=True)
class SafeCommands(Criterion):
    """Nothing outside the limits reaches the car, and AEB does not brake on bad data."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the counts and the worst commands."""
        evidence = evidence_of(trace)
        outside = sum(_outside(m) for m in evidence.moments)
        steps = sum(_steps(a, b) for a, b in zip(evidence.moments, evidence.moments[1:], strict=False))
        phantom = 0 if evidence.expected.emergency else sum(m.owner is Function.AEB for m in evidence.moments)
        accels = [m.wire_accel for m in evidence.after if m.wire_accel is not None]
        lateral = [abs(_lateral(m)) for m in evidence.after]
        return [
            at_most("commands outside limits", outside, 0),
            at_most("steps", steps, 0),
            at_most("cycles of AEB on bad data", phantom, 0),
            at_most("strongest braking", -min(accels, default=0.0), LIMITS.emergency.decel_max_mps2, "m/s2"),
            at_most("strongest steering", max(lateral, default=0.0), LIMITS.lateral.accel_max_mps2 * 1.05, "m/s2"),
        ]


def evidence_of(trace: Trace) -> Evidence:
    """Return what the loop kept; raises TypeError for a run without fault."""
    if not isinstance(trace.evidence, Evidence):
        raise TypeError("this criterion needs the manoeuvre 'fault'")
    return trace.evidence


def effect_s(evidence: Evidence) -> float:
    """Return when the fault begins to make a difference: a value stuck at the truth does no harm yet."""
    effects = (
        ("frozen speed", _speed_off),
        ("actuator brake", _brake_off),
        ("actuator steering", _steering_off),
        ("actuator drive", _brake_off),
    )
    for kind, is_off in effects:
        if evidence.kind.startswith(kind):
            return next((m.time_s for m in evidence.after if is_off(m)), math.inf)
    return evidence.start_s


def _speed_off(m: Moment) -> bool:
    return abs(m.stack_speed_mps - m.speed_mps) > SPEED_OFF_MPS


def _brake_off(m: Moment) -> bool:
    return m.obeyed_accel is not None and abs(m.obeyed_accel - (m.wire_accel or 0.0)) > ACCEL_OFF_MPS2


def _steering_off(m: Moment) -> bool:
    if m.wire_steering is None:
        return False
    return abs(m.wire_steering - (m.obeyed_steering or 0.0)) * _gain(m.speed_mps) > LATERAL_OFF_MPS2


def _gain(speed_mps: float) -> float:
    v = max(abs(speed_mps), 1.0)
    return v * v / (VEHICLE.wheelbase_m + VEHICLE.understeer_rad_per_mps2 * v * v)


def _lateral(m: Moment) -> float:
    return (m.wire_steering or 0.0) * _gain(m.speed_mps)


def _asks(m: Moment) -> bool:
    return m.wire_accel is not None or m.wire_steering is not None


def _outside(m: Moment) -> bool:
    accel = m.wire_accel
    high = LIMITS.longitudinal.accel_max(m.speed_mps) + RESOLUTION + 0.1
    bad_accel = accel is not None and not -LIMITS.emergency.decel_max_mps2 - RESOLUTION <= accel <= high
    return bad_accel or abs(_lateral(m)) > LIMITS.lateral.accel_max_mps2 * 1.05


def _steps(a: Moment, b: Moment) -> bool:
    """Tell whether a request moves faster than jerk allows, AEB apart; each cycle has room for one more."""
    accel = a.wire_accel is not None and b.wire_accel is not None and Function.AEB not in (a.owner, b.owner)
    steering = a.wire_steering is not None and b.wire_steering is not None
    jerk = LIMITS.longitudinal.jerk_max(b.speed_mps) * 2.0 * TICK_S + RESOLUTION
    sideways = LIMITS.lateral.jerk_max_mps3 * 2.0 * TICK_S + RESOLUTION
    return (
        accel and abs((b.wire_accel or 0.0) - (a.wire_accel or 0.0)) > jerk
        or steering and abs(_lateral(b) - _lateral(a)) > sideways
    )  # fmt: skip


def _yes(name: str, passed: bool) -> Check:
    return Check(name, float(passed), 1.0, "", 0.0 if passed else -1.0, passed)


RULES: dict[str, type[Criterion]] = {"fault_seen": FaultSeen, "safe_commands": SafeCommands}
