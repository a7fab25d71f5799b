"""Criteria of parking (ISO 16787, UN R79): how the car stands, how it got there, what ends a manoeuvre."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import param
from adas_perception.sim.contact import Pose, box_at, gap_m, outline
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_least, at_most
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import APA_STATES, Trace
from adas_perception.sim.traffic import Actor

_MOVING_MPS = 0.03
_DONE, _ABORTED, _OFFERED = (float(APA_STATES.index(name)) for name in ("DONE", "ABORTED", "OFFERED"))
_CONFIRMED = float(APA_STATES.index("CONFIRMED"))


def _parking(trace: Trace) -> NDArray[np.bool_]:
    """Tell at which ticks a manoeuvre is under way or has ended."""
    under_way: NDArray[np.bool_] = trace["apa_state"] >= _CONFIRMED
    return under_way


@dataclass(frozen=True)
class Parked(Criterion):
    """The car stands in the slot: heading, distance to the kerb, middle between the neighbours, moves.

    With ``required`` false a slot that is not taken is as good; figures of infinity are not looked at.
    """

    required: bool = param(True, "the slot must be taken")
    yaw_deg: float = param(3.0, "largest deviation of the heading", unit="deg", low=0.0)
    heading_deg: float = param(0.0, "heading of a parked car, seen with the row on the right", unit="deg")
    kerb_low_m: float = param(-math.inf, "smallest distance to the kerb", unit="m")
    kerb_high_m: float = param(math.inf, "largest distance to the kerb", unit="m")
    centred_m: float = param(math.inf, "largest distance from the middle of the slot", unit="m", low=0.0)
    moves_max: int = param(20, "most moves", low=1)

    def __post_init__(self) -> None:
        """Infinity stands for no limit: the usual check of ranges would refuse it."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return whether it is parked and, if so, the figures."""
        done = float(trace["apa_state"][-1] == _DONE)
        if not done:
            confirmed = bool((trace["apa_state"] == _CONFIRMED).any())
            return [at_least("parked", 0.0 if self.required or confirmed else 1.0, 1.0)]
        pose = Pose(*(float(trace[name][-1]) for name in ("x_m", "y_m", "yaw_rad")))
        gaps = _gaps(stage, pose)
        side = math.copysign(1.0, float(trace["y_m"][0]) - _row_y(stage))
        off = math.degrees(math.remainder(pose.yaw_rad * side - math.radians(self.heading_deg), math.tau))
        time_s = float(trace["time_s"][-1] - trace.first(_parking(trace)))
        checks = [
            at_most("heading error", abs(off), self.yaw_deg, "deg"),
            at_most("moves", float(np.nanmax(trace["apa_moves"])), float(self.moves_max)),
            at_most("time", time_s, 180.0, "s"),
        ]
        if math.isfinite(self.kerb_high_m):
            checks += [at_least("kerb", gaps["back"], self.kerb_low_m, "m"),
                       at_most("kerb", gaps["back"], self.kerb_high_m, "m")]  # fmt: skip
        if math.isfinite(self.centred_m):
            checks.append(at_most("off the middle", abs(gaps["before_1"] - gaps["after_1"]) / 2.0, self.centred_m, "m"))
        return checks


def _row_y(stage: Stage) -> float:
    return next(actor.d_m for actor in stage.scenario.actors if actor.name == "before_1")


def _gaps(stage: Stage, ego: Pose) -> dict[str, float]:
    """Return the distances of the standing bodies to the car at a pose, by name."""
    corners = outline(stage.car.vehicle)
    gaps = {}
    for spec in stage.scenario.actors:
        actor = Actor.from_spec(spec, stage.scenario.road)
        gaps[spec.name] = gap_m(box_at(actor, Pose(actor.x_m, actor.y_m, actor.yaw_rad), ego), corners)
    return gaps


@dataclass(frozen=True)
class NeverOffered(Criterion):
    """No slot is offered."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time for which one was."""
        offered = float(np.count_nonzero(trace["apa_state"] == _OFFERED)) * 0.05
        return [at_most("offered", offered, 0.0, "s")]


@dataclass(frozen=True)
class GapWhileMoving(Criterion):
    """The moving car keeps its distance to everything."""

    at_least_m: float = param(0.1, "smallest gap", unit="m", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the smallest gap."""
        moving = _parking(trace) & (np.abs(trace["speed_mps"]) > _MOVING_MPS)
        gaps = trace["body_gap_m"][moving]
        return [at_least("gap", float(gaps.min()) if len(gaps) else math.nan, self.at_least_m, "m")]


@dataclass(frozen=True)
class EndsWithin(Criterion):
    """After the event the manoeuvre is aborted, the car brakes and is held."""

    within_s: float = param(0.2, "time until it is aborted", unit="s", low=0.0)
    reason: str = param("", "the reason that must be told; empty: any")

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time to the abort and to the command, and whether the car was driving before and stands after."""
        before = trace["apa_state"][trace["time_s"] < stage.event_s]
        drove = len(before) > 0 and _CONFIRMED <= before[-1] < _DONE
        aborted = trace.first(trace["apa_state"] == _ABORTED) - stage.event_s
        told = [reason for _, name, state, reason in trace.states if name == "apa" and state == "ABORTED"]
        right = bool(told) and (not self.reason or told[0] == self.reason)
        return [
            at_most("abort after", aborted if drove else math.nan, self.within_s, "s"),
            at_least("reason told", float(right), 1.0),
            at_most("speed at the end", abs(float(trace["speed_mps"][-1])), 0.05, "m/s"),
        ]


@dataclass(frozen=True)
class ParkingSpeed(Criterion):
    """The car is never faster than parking allows."""

    up_to_kmh: float = param(10.0, "fastest", unit="km/h", low=1.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the highest speed."""
        speeds = np.abs(trace["speed_mps"][_parking(trace)])
        return [at_most("speed", 3.6 * float(speeds.max()) if len(speeds) else math.nan, self.up_to_kmh, "km/h")]


RULES: dict[str, type[Criterion]] = {
    "parked": Parked,
    "never_offered": NeverOffered,
    "gap_while_moving": GapWhileMoving,
    "ends_within": EndsWithin,
    "parking_speed": ParkingSpeed,
}
