"""Criteria of adaptive cruise control (ISO 15622, UN R157 for following and cut-ins)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from adas_perception.params import param
from adas_perception.sim.loop import TICK_S
from adas_perception.sim.scorecard.criteria.base import Check, Criterion, at_least, at_most
from adas_perception.sim.scorecard.criteria.braking import KMH, avoided
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import FloatArray, Trace

_STANDSTILL_MPS = 0.1
# A time gap means nothing at walking pace.
_TIME_GAP_FROM_MPS = 5.0


def mean_over(values: FloatArray, window_s: float) -> FloatArray:
    """Return the moving mean over a window, as long as the values minus the window."""
    n = max(1, round(window_s / TICK_S))
    if len(values) <= n:
        return np.array([values.mean()])
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((sums[n:] - sums[:-n]) / n)


@dataclass(frozen=True)
class SetSpeed(Criterion):
    """The set speed is reached without overshoot and kept."""

    error_mps: float = param(1.0, "deviation in the last seconds", unit="m/s", low=0.0)
    overshoot_mps: float = param(1.0, "largest excess", unit="m/s", low=0.0)
    last_s: float = param(5.0, "the steady state at the end of the run", unit="s", low=0.5)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return deviation and overshoot."""
        error = trace["speed_mps"] - stage.scenario.set_speed_mps
        steady = error[trace["time_s"] > trace["time_s"][-1] - self.last_s]
        return [
            at_most("steady speed error", float(np.abs(steady).max()), self.error_mps, "m/s"),
            at_most("overshoot", max(float(error.max()), 0.0), self.overshoot_mps, "m/s"),
        ]


@dataclass(frozen=True)
class IsoEnvelope(Criterion):
    """ISO 15622 6.4: acceleration, deceleration (2 s mean) and negative jerk (1 s mean) by speed, while ACC drives."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the room to each of the three limits at its worst moment."""
        drives = (trace["acc_active"] > 0.5) & (trace["aeb_brakes"] < 0.5) & (trace["brake"] == 0.0)
        v, a, time = trace["speed_mps"], trace["accel_mps2"], float(np.count_nonzero(drives)) * TICK_S
        one, two = round(1.0 / TICK_S), round(2.0 / TICK_S)
        throughout = {n: mean_over(drives.astype(float), n * TICK_S) > 1.0 - 1e-6 for n in (one, two)}
        if not throughout[two].any():
            return [at_least("time under ACC", min(time, 1.9), 2.0, "s")]
        up = (np.interp(v, (5.0, 20.0), (4.0, 2.0)) - a)[drives]
        down = (np.interp(mean_over(v, 2.0), (5.0, 20.0), (5.0, 3.5)) + mean_over(a, 2.0))[throughout[two]]
        jerk = mean_over(np.diff(a, prepend=a[0]) / TICK_S, 1.0)
        smooth = (np.interp(mean_over(v, 1.0), (5.0, 20.0), (5.0, 2.5)) + jerk)[throughout[one]]
        return [
            at_least(name, float(room.min()), 0.0, unit)
            for name, room, unit in (
                ("room to acceleration limit", up, "m/s²"),
                ("room to deceleration limit", down, "m/s²"),
                ("room to jerk limit", smooth, "m/s³"),
            )
        ]


@dataclass(frozen=True)
class SteadyGap(Criterion):
    """The chosen time gap is kept in the steady state at the end of the run."""

    time_gap_s: float = param(1.5, "setting", unit="s", low=0.5, high=4.0)
    standstill_gap_m: float = param(3.0, "gap at standstill", unit="m", low=0.0, high=6.0)
    least_s: float = param(0.8, "shortest time gap", unit="s", low=0.0)
    last_s: float = param(10.0, "the steady state at the end of the run", unit="s", low=0.5)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time gap and the error of the gap."""
        steady = trace["time_s"] > trace["time_s"][-1] - self.last_s
        v, gap = trace["speed_mps"][steady], trace["gap_m"][steady]
        wanted = self.standstill_gap_m + self.time_gap_s * v
        room = np.maximum(1.0, 0.1 * wanted) - np.abs(gap - wanted)
        return [
            at_least("room to gap tolerance", float(room.min()), 0.0, "m"),
            at_least("time gap", float((gap / np.maximum(v, 1.0)).min()), self.least_s, "s"),
        ]


@dataclass(frozen=True)
class TimeGap(Criterion):
    """The time gap never becomes shorter than this while the car moves."""

    least_s: float = param(0.6, "shortest time gap", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the shortest time gap."""
        moves = trace["speed_mps"] > _TIME_GAP_FROM_MPS
        gap = (trace["gap_m"] / np.maximum(trace["speed_mps"], 1.0))[moves]
        return [at_least("time gap", float(gap.min(initial=math.inf)), self.least_s, "s")]


@dataclass(frozen=True)
class NoAeb(Criterion):
    """ACC copes by itself: AEB does not brake."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return how long AEB braked."""
        return [at_most("AEB braked", float(np.count_nonzero(trace["aeb_brakes"] > 0.5)) * TICK_S, 0.0, "s")]


@dataclass(frozen=True)
class TakeOver(Criterion):
    """The driver is called: by ACC's take-over request or a collision warning."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the number of cycles with a call."""
        called = (trace["acc_takeover"] > 0.5) | (trace["aeb_warns"] > 0.5)
        return [at_least("time the driver was called", float(np.count_nonzero(called)) * TICK_S, TICK_S, "s")]


@dataclass(frozen=True)
class CutInAvoided(Criterion):
    """UN R157 5.2.5.2: no contact where the TTC at lane intrusion exceeds v_rel / (2 * 6 m/s2) + 0.35 s.

    The lane is intruded when the near side of the other car is 0.3 m over the line.
    """

    intrusion_m: float = param(0.3, "over the line", unit="m", low=0.0, high=1.0)
    decel_mps2: float = param(6.0, "braking that the rule assumes", unit="m/s2", low=1.0)
    reaction_s: float = param(0.35, "reaction that the rule assumes", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the contact check where the rule demands it."""
        actor = next(a for a in stage.scenario.actors if a.name == stage.target)
        edge = stage.scenario.road.lane_width_m / 2.0 - self.intrusion_m
        inside = np.abs(trace["target_y_m"] + trace["offset_m"]) - actor.width_m / 2.0 < edge
        vehicle = stage.car.vehicle
        gap = trace["target_x_m"] - actor.length_m / 2.0 - vehicle.front_x_m
        i = trace.at(trace.first(inside)) if inside.any() else len(gap) - 1
        closing = float(-np.gradient(gap, trace["time_s"])[max(i - 2, 0) : i + 1].mean())
        ttc = float(gap[i]) / closing if closing > 0.1 else math.inf
        needed = closing / (2.0 * self.decel_mps2) + self.reaction_s
        check = avoided(trace, 0.0)
        if ttc > needed:
            return [replace(check, passed=not trace.contact)]
        return [replace(check, name=f"{check.name} (avoidance not demanded: TTC {ttc:.2f} s)", passed=True, margin=0.0)]


@dataclass(frozen=True)
class StopGap(Criterion):
    """The car stops behind the target at a decent distance."""

    least_m: float = param(2.0, "smallest gap", unit="m", low=0.0)
    most_m: float = param(5.0, "largest gap", unit="m", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the gap at the first standstill."""
        stands = (trace["speed_mps"] < _STANDSTILL_MPS) & (trace["time_s"] > 1.0)
        if not stands.any():
            return [at_most("speed at the end", float(trace["speed_mps"][-1]), _STANDSTILL_MPS, "m/s")]
        gap = float(trace["gap_m"][np.argmax(stands)])
        return [at_least("gap at stop", gap, self.least_m, "m"), at_most("gap at stop", gap, self.most_m, "m")]


@dataclass(frozen=True)
class Holds(Criterion):
    """ISO 15622 6.3: the hold state is reached soon after the stop, and left only with the rule or the driver.

    A lead that departs within ``by_itself_s`` after the hold began is followed; later the driver must say go.
    """

    within_s: float = param(3.0, "hold after the stop", unit="s", low=0.0)
    by_itself_s: float = param(3.0, "departing lead followed within", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the time to hold and how long after the hold began the car left by itself."""
        time, holds = trace["time_s"], trace["acc_hold"] > 0.5
        stopped = trace.first((trace["speed_mps"] < _STANDSTILL_MPS) & (time > 1.0))
        held = trace.first(holds & (time >= stopped))
        checks = [at_most("hold after stop", held - stopped if math.isfinite(held) else math.nan, self.within_s, "s")]
        left = (~holds) & (trace["acc_active"] > 0.5) & (time > held)
        presses = [t for t, _ in stage.scenario.driver.presses if t > held]
        if left.any():
            after = trace.first(left) - held
            allowed = math.inf if presses and presses[0] <= trace.first(left) else self.by_itself_s
            checks.append(at_most("drove off after", after, allowed, "s"))
        return checks


@dataclass(frozen=True)
class Drives(Criterion):
    """At the end of the run the car moves again, or still stands."""

    moves: bool = param(True, "whether it should move at the end")

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the speed at the end."""
        speed = float(trace["speed_mps"][-1])
        if self.moves:
            return [at_least("speed at the end", speed, 0.5, "m/s")]
        return [at_most("speed at the end", speed, _STANDSTILL_MPS, "m/s")]


@dataclass(frozen=True)
class SpeedKept(Criterion):
    """Nobody in another lane slows the car down: its speed stays above a share of the start."""

    loss_kmh: float = param(5.0, "largest loss of speed", unit="km/h", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the largest loss of speed."""
        loss = (stage.scenario.start_speed_mps - float(trace["speed_mps"].min())) * KMH
        return [at_most("loss of speed", max(loss, 0.0), self.loss_kmh, "km/h")]


@dataclass(frozen=True)
class LetsGo(Criterion):
    """ISO 15622 6.3: after the driver acts, ACC asks for nothing any more (brake, cancel) or yields (accelerator)."""

    at_s: float = param(4.0, "when the driver acts", unit="s", low=0.0)
    within_s: float = param(0.1, "time to react", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return how long ACC's command outlived the driver's action; ACC must have been active before."""
        time = trace["time_s"]
        before = float(trace["acc_active"][trace.at(self.at_s - 0.1)])
        commands = np.isfinite(trace["accel_request_mps2"]) & (time >= self.at_s)
        lasted = float(time[commands].max() - self.at_s + TICK_S) if commands.any() else 0.0
        return [at_least("ACC active before", before, 1.0), at_most("command lasted", lasted, self.within_s, "s")]


@dataclass(frozen=True)
class StringStable(Criterion):
    """In a platoon no car changes speed more than the one before it: the gain of the peaks is at most one.

    Peaks are deviations from the speed at the start, after the first seconds.
    """

    gain: float = param(1.0, "largest gain from car to car", low=0.5, high=2.0)
    from_s: float = param(8.0, "peaks count from", unit="s", low=0.0)

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the largest gain, to two decimals as the criterion is given."""
        legs = (*trace.before, trace)
        speeds = [legs[0]["target_speed_mps"], *(leg["speed_mps"] for leg in legs)]
        start = stage.scenario.start_speed_mps
        peaks = [float(np.nanmax(np.abs(v[round(self.from_s / TICK_S) :] - start))) for v in speeds]
        gain = max(after / max(ahead, 0.05) for ahead, after in zip(peaks, peaks[1:], strict=False))
        return [at_most("gain from car to car", round(gain, 2), self.gain)]


RULES: dict[str, type[Criterion]] = {
    "set_speed": SetSpeed,
    "iso_envelope": IsoEnvelope,
    "steady_gap": SteadyGap,
    "time_gap": TimeGap,
    "no_aeb": NoAeb,
    "take_over": TakeOver,
    "cut_in_avoided": CutInAvoided,
    "stop_gap": StopGap,
    "holds": Holds,
    "drives": Drives,
    "speed_kept": SpeedKept,
    "lets_go": LetsGo,
    "string_stable": StringStable,
}
