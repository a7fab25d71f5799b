"""Criteria of blind spot detection (ISO 17387). The target's side decides which lamp is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from adas_perception.params import param
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_least, at_most
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import FloatArray, Trace
from adas_perception.sim.traffic import ActorSpec

# ISO 17387: the adjacent zone reaches from 3 m behind the rear edge to the driver's eye.
ZONE_BEHIND_M = 3.0
EYE_X_M = 1.9
# Longest time to collision by closing speed (types A, B, C).
TYPES = ((10.0, 2.5), (15.0, 3.0), (math.inf, 3.5))


def lamp(trace: Trace) -> FloatArray:
    """Return the level of the lamp on the target's side."""
    return np.where(trace["target_y_m"] > 0.0, trace["bsd_left"], trace["bsd_right"])


def target_of(stage: Stage) -> ActorSpec:
    """Return the road user that the test is about."""
    return next(actor for actor in stage.scenario.actors if actor.name == stage.target)


def in_zone(trace: Trace, stage: Stage) -> np.ndarray:
    """Tell at which ticks the target overlaps the adjacent zone lengthwise."""
    half = target_of(stage).length_m / 2.0
    rear_edge = -stage.car.vehicle.rear_overhang_m - ZONE_BEHIND_M
    return np.asarray((trace["target_x_m"] + half > rear_edge) & (trace["target_x_m"] - half < EYE_X_M))


@dataclass(frozen=True)
class LampInZone(Criterion):
    """The lamp is lit soon after the target entered the zone and stays lit while it is there."""

    within_s: float = param(0.3, "lamp after entry", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the delay and the share of the time in the zone that was dark after it."""
        inside = in_zone(trace, stage)
        entry = trace.first(inside)
        lit = trace.first((lamp(trace) > 0.5) & (trace["time_s"] >= entry))
        after = inside & (trace["time_s"] >= entry + self.within_s)
        dark = float(np.count_nonzero(after & (lamp(trace) < 0.5))) * TICK_S
        return [
            at_most("lamp after entry", lit - entry if math.isfinite(lit) else math.nan, self.within_s, "s"),
            at_most("dark in zone", dark, 0.0, "s"),
        ]


@dataclass(frozen=True)
class LampByTtc(Criterion):
    """The lamp is lit before the time to collision of the closing speed's type is undercut."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time to collision when the lamp went on."""
        target = target_of(stage)
        gap = -stage.car.vehicle.rear_overhang_m - (trace["target_x_m"] + target.length_m / 2.0)
        closing = target.speed_mps - stage.scenario.start_speed_mps
        limit = next(ttc for fastest, ttc in TYPES if closing <= fastest + 1e-6)
        lit = trace.first(lamp(trace) > 0.5)
        ttc = float(gap[trace.at(lit)]) / closing if math.isfinite(lit) else math.nan
        return [at_least("TTC when lit", ttc, limit, "s")]


@dataclass(frozen=True)
class LampWhileOvertaking(Criterion):
    """A road user whom the car overtakes lights the lamp only after this long in the zone."""

    after_s: float = param(2.0, "time in the zone without lamp", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time in the zone when the lamp went on; dark is fine."""
        entry, lit = trace.first(in_zone(trace, stage)), trace.first(lamp(trace) > 0.5)
        return [at_least("in zone before lamp", lit - entry if math.isfinite(lit) else math.inf, self.after_s, "s")]


@dataclass(frozen=True)
class LampsDark(Criterion):
    """Nobody is in a zone: both lamps stay dark."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return how long a lamp was lit."""
        lit = np.maximum(trace["bsd_left"], trace["bsd_right"]) > 0.5
        return [at_most("lamp lit", float(np.count_nonzero(lit)) * TICK_S, 0.0, "s")]


@dataclass(frozen=True)
class LampLevel(Criterion):
    """The highest level that the lamp of a side reaches."""

    side: str = param("left", "side", choices=("left", "right"))
    level: int = param(2, "level that is reached and not exceeded", low=0, high=2)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the highest level of the lamp."""
        highest = float(trace[f"bsd_{self.side}"].max())
        return [at_least("lamp level", highest, self.level), at_most("lamp level", highest, self.level)]


RULES: dict[str, type[Criterion]] = {
    "lamp_in_zone": LampInZone,
    "lamp_by_ttc": LampByTtc,
    "lamp_while_overtaking": LampWhileOvertaking,
    "lamps_dark": LampsDark,
    "lamp_level": LampLevel,
}
