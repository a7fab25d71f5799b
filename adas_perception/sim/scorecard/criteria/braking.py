"""Criteria of emergency braking and collision warning, and of its false reactions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from adas_perception.params import param
from adas_perception.sim.scorecard.criteria.bands import (
    COLOURS,
    POINTS,
    colour,
    head_on_colour,
    limit_of,
    r152_limit_kmh,
)
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_least, at_most
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import Trace
from adas_perception.sim.vehicle import GRAVITY_MPS2

KMH = 3.6
_FULL = 4.0  # AEB's state FULL


def impact_kmh(trace: Trace) -> float:
    """Return the relative speed at the first contact along the car's motion, 0 when there was none."""
    if trace.contact is None:
        return 0.0
    forward = math.copysign(1.0, trace.contact.ego_mps)
    return max(forward * trace.contact.closing_mps, 0.0) * KMH


def smallest_gap_m(trace: Trace) -> float:
    """Return the smallest distance to the next body in the way."""
    known = trace["gap_m"][np.isfinite(trace["gap_m"])]
    return float(known.min()) if len(known) else math.inf


def avoided(trace: Trace, limit_kmh: float) -> Check:
    """Return the impact speed against its limit; without contact the smallest gap is the margin."""
    if trace.contact:
        return at_most(f"impact with {trace.contact.name}", impact_kmh(trace), limit_kmh, "km/h")
    return at_least("smallest gap", smallest_gap_m(trace), 0.0, "m")


def _coloured(check: Check, name: str, worst: str) -> Check:
    passed = COLOURS.index(name) <= COLOURS.index(worst)
    return replace(check, colour=name, points=POINTS[name], passed=passed)


@dataclass(frozen=True)
class ImpactColour(Criterion):
    """The impact speed's colour (EN26) is not worse than ``worst``."""

    worst: str = param("green", "the worst colour that passes", choices=COLOURS)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the impact with its colour and points."""
        speed_kmh = stage.scenario.start_speed_mps * KMH
        name = colour(round(speed_kmh, 6), impact_kmh(trace))
        return [_coloured(avoided(trace, limit_of(speed_kmh, self.worst)), name, self.worst)]


@dataclass(frozen=True)
class AvoidedOrRed(Criterion):
    """Turning and crossing: no contact is green, any contact red (EN26)."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the impact with its colour and points."""
        return [_coloured(avoided(trace, 0.0), "red" if trace.contact else "green", "green")]


@dataclass(frozen=True)
class SpeedReduction(Criterion):
    """Head-on: the car's own speed is reduced before the contact (EN26)."""

    worst: str = param("green", "the worst colour that passes", choices=COLOURS)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the reduction with its colour and points."""
        reduction = (stage.scenario.start_speed_mps - float(trace["speed_mps"][-1])) * KMH
        check = at_least("speed reduction", reduction, 20.0 if self.worst == "green" else 10.0, "km/h")
        return [_coloured(check, head_on_colour(reduction), self.worst)]


@dataclass(frozen=True)
class NoContact(Criterion):
    """No contact at all, in tests at or below a speed."""

    up_to_kmh: float = param(1000.0, "applies to tests up to this speed", unit="km/h", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the contact check, none in faster tests."""
        if stage.scenario.start_speed_mps * KMH > self.up_to_kmh + 1e-6:
            return []
        return [replace(avoided(trace, 0.0), passed=not trace.contact)]


@dataclass(frozen=True)
class ImpactAtMost(Criterion):
    """The impact speed stays below a figure."""

    kmh: float = param(0.0, "largest impact speed", unit="km/h", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the impact check."""
        return [avoided(trace, self.kmh)]


@dataclass(frozen=True)
class ImpactR152(Criterion):
    """The impact speed stays within the table of UN R152."""

    target: str = param("car", "road user", choices=("car", "pedestrian", "bicycle"))
    load: str = param("running", "mass of the car", choices=("running", "laden"))

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the impact check."""
        speed = round(stage.scenario.start_speed_mps * KMH, 6)
        return [avoided(trace, r152_limit_kmh(speed, self.target, self.load))]


@dataclass(frozen=True)
class WarnsBeforeBraking(Criterion):
    """UN R152 5.2.1.1: the warning comes so long before the emergency braking, which demands at least 5 m/s2."""

    lead_s: float = param(0.8, "warning before braking", unit="s", low=0.0, high=5.0)
    demand_mps2: float = param(5.0, "demand of the emergency braking", unit="m/s2", low=0.0, high=12.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the times and the demand."""
        braking = trace["aeb_brakes"] > 0.5
        ahead = trace.first(braking) - trace.first(trace["aeb_warns"] > 0.5)
        demand = float(np.max(-trace["accel_request_mps2"][braking], initial=0.0))
        return [
            at_least("warning before braking", ahead, self.lead_s, "s"),
            at_least("braking demand", demand, self.demand_mps2, "m/s²"),
        ]


@dataclass(frozen=True)
class WarnsByTtc(Criterion):
    """The warning comes at a time to collision that leaves the driver room."""

    ttc_s: float = param(1.7, "time to collision at the warning", unit="s", low=0.0, high=10.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time to collision at the warning; no warning fails."""
        warned = trace.first(trace["aeb_warns"] > 0.5)
        ttc = float(trace["ttc_s"][trace.at(warned)]) if math.isfinite(warned) else math.nan
        check = at_least("TTC at warning", ttc, self.ttc_s, "s")
        return [_coloured(check, "green" if check.passed else "red", "green")]


@dataclass(frozen=True)
class NoBraking(Criterion):
    """Nothing is to be braked for: the stack adds no more deceleration than this, and AEB neither brakes nor warns.

    What the driver brakes by himself is taken off.
    """

    added_g: float = param(0.25, "largest deceleration that is added", unit="g", low=0.0, high=1.0)
    warnings: int = param(0, "warnings allowed", low=0, high=1000)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return deceleration, braking and warnings."""
        asked = -np.nan_to_num(trace["accel_request_mps2"])
        by_driver = trace["brake"] * stage.car.brake_max_mps2 / stage.car.mass_factor
        by_aeb = np.where(trace["aeb_brakes"] > 0.5, np.maximum(asked - by_driver, 0.0), 0.0)
        brakings, warnings = (_rises(trace[name]) for name in ("aeb_brakes", "aeb_warns"))
        return [
            at_most("added deceleration", float(by_aeb.max()) / GRAVITY_MPS2, self.added_g, "g"),
            at_most("brakings", brakings, 0.0),
            at_most("warnings", warnings, float(self.warnings)),
        ]


@dataclass(frozen=True)
class QuietDrive(Criterion):
    """Over all legs of a long drive: no intervention of AEB, few warnings."""

    warnings_per_h: float = param(1.0, "warnings allowed", unit="1/h", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return interventions and warnings per hour."""
        legs = (*trace.before, trace)
        hours = sum(float(leg["time_s"][-1]) for leg in legs) / 3600.0
        brakings, warnings = (sum(_rises(leg[name]) for leg in legs) for name in ("aeb_brakes", "aeb_warns"))
        return [
            at_most("brakings", brakings, 0.0),
            at_most("warnings", warnings / max(hours, 1.0), self.warnings_per_h, "1/h"),
            at_most("contacts", float(sum(leg.contact is not None for leg in legs)), 0.0),
        ]


@dataclass(frozen=True)
class NoFullBraking(Criterion):
    """No full braking; pre-fill, partial braking and warnings are allowed."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return how often full braking began."""
        return [at_most("full brakings", _rises((trace["aeb_stage"] == _FULL).astype(float)), 0.0)]


def _rises(flag: np.ndarray) -> float:
    return float(np.count_nonzero(np.diff(flag, prepend=0.0) > 0.5))


RULES: dict[str, type[Criterion]] = {
    "impact_colour": ImpactColour,
    "avoided_or_red": AvoidedOrRed,
    "speed_reduction": SpeedReduction,
    "no_contact": NoContact,
    "impact_at_most": ImpactAtMost,
    "impact_r152": ImpactR152,
    "warns_before_braking": WarnsBeforeBraking,
    "warns_by_ttc": WarnsByTtc,
    "no_braking": NoBraking,
    "no_full_braking": NoFullBraking,
    "quiet_drive": QuietDrive,
}
