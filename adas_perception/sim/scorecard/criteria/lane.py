"""Criteria of lane keeping and departure warning (EN26-LD, EN23 LSS, ISO 11270, ISO 17361, UN R79)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from adas_perception.params import param
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_least, at_most
from adas_perception.sim.scorecard.criteria.cruise import mean_over
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import FloatArray, Trace


def to_line_m(trace: Trace) -> FloatArray:
    """Return the distance of the car's side to the nearer line, negative beyond it (DTLE)."""
    return np.minimum(trace["to_left_m"], trace["to_right_m"])


@dataclass(frozen=True)
class LineKept(Criterion):
    """The car does not get farther beyond the line than this."""

    beyond_m: float = param(0.3, "allowed beyond the line", unit="m", low=0.0, high=1.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the smallest distance to the line edge."""
        return [at_least("distance to line", float(to_line_m(trace).min()), -self.beyond_m, "m")]


@dataclass(frozen=True)
class LateralLimits(Criterion):
    """ISO 11270 6.3: lateral acceleration, and its jerk as a moving mean, while the car is steered for the driver."""

    accel_mps2: float = param(3.0, "lateral acceleration", unit="m/s2", low=0.0)
    jerk_mps3: float = param(5.0, "lateral jerk", unit="m/s3", low=0.0)
    window_s: float = param(0.5, "mean of the jerk over", unit="s", low=0.05)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return both maxima, and that there was an intervention at all."""
        steered = trace["lka_steers"] > 0.5
        if not steered.any():
            return []
        lateral = trace["speed_mps"] * trace["yaw_rate_radps"]
        n = max(1, round(self.window_s / TICK_S))
        jerk = np.abs(lateral[n:] - lateral[:-n]) / (n * TICK_S)
        during = jerk[steered[n:]]
        return [
            at_most("lateral acceleration", float(np.abs(lateral[steered]).max()), self.accel_mps2, "m/s²"),
            at_most("lateral jerk", float(during.max(initial=0.0)), self.jerk_mps3, "m/s³"),
        ]


@dataclass(frozen=True)
class WarnedInZone(Criterion):
    """ISO 17361: the warning comes after the earliest and before the latest warning line.

    Earliest inside the line: 0.75 m up to 0.5 m/s towards it, 1.5 s times that speed to 1 m/s, 1.5 m above.
    """

    beyond_m: float = param(0.3, "latest: so far beyond the line", unit="m", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the distance to the line at the warning against both warning lines."""
        distance = to_line_m(trace)
        warned = trace.first(trace["lka_warns"] > 0.5)
        if not math.isfinite(warned):
            return [at_least("distance at warning", math.nan, -self.beyond_m, "m")]
        i = trace.at(warned)
        rate = max(float(-mean_over(np.diff(distance[max(i - 12, 0) : i + 1]) / TICK_S, 0.3)[-1]), 0.0)
        earliest = min(max(1.5 * rate, 0.75), 1.5)
        return [
            at_least("distance at warning", float(distance[i]), -self.beyond_m, "m"),
            at_most("distance at warning", float(distance[i]), earliest, "m"),
        ]


@dataclass(frozen=True)
class NoSteering(Criterion):
    """LKA stays away from the steering, and from the warning lamp if ``warnings`` is false."""

    warnings: bool = param(True, "whether warnings are allowed")

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return how long LKA steered and warned."""
        checks = [at_most("steered", float(np.count_nonzero(trace["lka_steers"] > 0.5)) * TICK_S, 0.0, "s")]
        if not self.warnings:
            checks.append(at_most("warned", float(np.count_nonzero(trace["lka_warns"] > 0.5)) * TICK_S, 0.0, "s"))
        return checks


@dataclass(frozen=True)
class SteersOnlyNearLine(Criterion):
    """LKA begins to steer only where the car is this near a line."""

    within_m: float = param(0.4, "distance of the car's side to the line", unit="m", low=0.0, high=2.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the largest distance at which it began."""
        begins = np.diff(trace["lka_steers"], prepend=0.0) > 0.5
        farthest = float(to_line_m(trace)[begins].max()) if begins.any() else 0.0
        return [at_most("began to steer at", farthest, self.within_m, "m")]


@dataclass(frozen=True)
class HandsOffCascade(Criterion):
    """UN R79 5.6.2.2: optical warning, then an acoustic one, then off, each after so long with hands off."""

    off_from_s: float = param(2.0, "hands off from", unit="s", low=0.0)
    optical_s: float = param(15.0, "optical warning after", unit="s", low=0.0)
    acoustic_s: float = param(30.0, "red and acoustic warning after", unit="s", low=0.0)
    end_s: float = param(60.0, "off after", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time of each stage."""
        stages = (
            ("optical warning", "HANDS_OFF", self.optical_s),
            ("acoustic warning", "HANDS_OFF_ALARM", self.acoustic_s),
            ("switched off", "HANDS_OFF_END", self.end_s),
        )
        return [
            at_most(name, self._since(trace, reason), limit, "s") for name, reason, limit in stages
        ]

    def _since(self, trace: Trace, reason: str) -> float:
        times = [t for t, function, _, why in trace.states if function == "lka" and why == reason]
        return times[0] - self.off_from_s if times else math.nan


RULES: dict[str, type[Criterion]] = {
    "line_kept": LineKept,
    "lateral_limits": LateralLimits,
    "warned_in_zone": WarnedInZone,
    "no_steering": NoSteering,
    "steers_only_near_line": SteersOnlyNearLine,
    "hands_off_cascade": HandsOffCascade,
}
