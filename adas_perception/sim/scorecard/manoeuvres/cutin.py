"""Lane changes of others before the car under ACC: cut-in, cut-out before a stopped car, slower cars beside."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.scorecard.manoeuvres.common import KMH, RIGHT_LANE_M, ahead_m, body, by_hand, scene, with_acc
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import Event, When

_LANE_M = 3.5
_SETTLED_S = 3.0


@dataclass(frozen=True)
class CutIn(Manoeuvre):
    """A car from the left lane changes into the gap ``gap_m`` ahead, slower by ``slower_kmh``."""

    speed_kmh: float = param(100.0, "speed under ACC", unit="km/h", low=30.0, high=150.0)
    slower_kmh: float = param(20.0, "the other car is slower by", unit="km/h", low=0.0, high=100.0)
    gap_m: float = param(25.0, "gap when the lane change begins", unit="m", low=3.0, high=150.0)
    change_s: float = param(3.0, "duration of the lane change", unit="s", low=1.0, high=8.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        other = speed - self.slower_kmh * KMH
        start = self.gap_m + _SETTLED_S * (speed - other)
        change = Event(When.TIME, _SETTLED_S, d_m=RIGHT_LANE_M, duration_s=self.change_s)
        cutter = body("cutter", "car", ahead_m(start, KINDS["car"]), RIGHT_LANE_M + _LANE_M, other, change)
        return Stage(scene("cut-in", 20.0, speed, with_acc(speed), (cutter,)), target="cutter")


@dataclass(frozen=True)
class CutOut(Manoeuvre):
    """The lead leaves the lane ``ttc_s`` before a stopped car that it had hidden."""

    speed_kmh: float = param(60.0, "speed of the car and its lead", unit="km/h", low=30.0, high=150.0)
    ttc_s: float = param(3.0, "time to collision of the lead when it changes lane", unit="s", low=1.0, high=10.0)
    change_s: float = param(2.0, "duration of the lane change", unit="s", low=1.0, high=8.0)
    time_gap_s: float = param(1.5, "time gap of the car", unit="s", low=1.0, high=2.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, car = self.speed_kmh * KMH, KINDS["car"]
        gap = 3.0 + self.time_gap_s * speed
        lead_s = ahead_m(gap, car)
        stopped_s = lead_s + car.length_m + speed * (self.ttc_s + 5.0)
        change = Event(
            When.AHEAD, self.ttc_s * speed, d_m=RIGHT_LANE_M + _LANE_M, duration_s=self.change_s, other="stopped"
        )
        actors = (
            body("lead", "car", lead_s, RIGHT_LANE_M, speed, change),
            body("stopped", "car", stopped_s, RIGHT_LANE_M, 0.0),
        )
        return Stage(scene("cut-out", 25.0, speed, with_acc(speed), actors), target="stopped")


@dataclass(frozen=True)
class SlowerBeside(Manoeuvre):
    """The car, driven by hand, passes a slower one in the neighbouring lane."""

    speed_kmh: float = param(100.0, "speed of the car", unit="km/h", low=10.0, high=200.0)
    slower_kmh: float = param(20.0, "the other car is slower by", unit="km/h", low=1.0, high=200.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, closing = self.speed_kmh * KMH, self.slower_kmh * KMH
        start = 5.0 * closing
        other = body("other", "car", ahead_m(start, KINDS["car"]), RIGHT_LANE_M + _LANE_M, speed - closing)
        return Stage(scene("slower car beside", 6.0 + 12.0 / closing, speed, by_hand(speed), (other,)), target="other")


MANOEUVRES: dict[str, type[Manoeuvre]] = {"cut_in": CutIn, "cut_out": CutOut, "slower_beside": SlowerBeside}
