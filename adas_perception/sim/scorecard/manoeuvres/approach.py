"""Approach to a target in the lane that stands, moves or brakes, driven by hand: a case for AEB and its warning."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.driver import DriverScript, Phase, Reaction
from adas_perception.sim.meeting import impact_offset_m
from adas_perception.sim.scorecard.manoeuvres.common import (
    KMH,
    RIGHT_LANE_M,
    TARGETS,
    ahead_m,
    body,
    scene,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import Event, When
from adas_perception.sim.vehicle import CarParams

# When the target starts to brake; the functions are ready before.
_BRAKES_AT_S = 2.5


@dataclass(frozen=True)
class Approach(Manoeuvre):
    """The start gap is ``headway_m``, else ``headway_s`` times the speed, else ``start_ttc_s`` of closing."""

    speed_kmh: float = param(50.0, "test speed of the car", unit="km/h", low=1.0, high=200.0)
    target: str = param("target_car", "kind of the target", choices=TARGETS)
    target_kmh: float = param(0.0, "speed of the target", unit="km/h", low=0.0, high=200.0)
    impact_percent: float = param(50.0, "impact location, 0 right edge, 100 left edge", low=-25.0, high=125.0)
    start_ttc_s: float = param(5.0, "time to collision at the start", unit="s", low=2.0, high=20.0)
    headway_s: float = param(0.0, "time headway at the start", unit="s", low=0.0, high=10.0)
    headway_m: float = param(0.0, "distance at the start", unit="m", low=0.0, high=500.0)
    decel_mps2: float = param(0.0, "deceleration of the target", unit="m/s2", low=0.0, high=10.0)
    decel_reached_s: float = param(1.0, "full deceleration is reached within", unit="s", low=0.0, high=3.0)
    end_kmh: float = param(0.0, "speed to which the target brakes", unit="km/h", low=0.0, high=200.0)
    turned_deg: float = param(0.0, "heading of the target against the lane", unit="deg", low=-90.0, high=90.0)
    driver_releases: bool = param(False, "the driver lifts his foot 0.5 s after the warning")
    driver_decel_mps2: float = param(0.0, "the warned driver brakes so, 0: not", unit="m/s2", low=0.0, high=8.0)
    driver_delay_s: float = param(1.2, "the warned driver brakes after", unit="s", low=0.0, high=5.0)
    mu: float = param(0.9, "friction of the road", low=0.05, high=1.2)
    load: float = param(1.0, "mass against that of the empty car with driver", low=0.8, high=2.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, other = self.speed_kmh * KMH, self.target_kmh * KMH
        gap = self.headway_m or self.headway_s * speed or self.start_ttc_s * max(speed - other, 0.5)
        events = []
        if self.decel_mps2 > 0.0:
            events.append(
                Event(When.TIME, _BRAKES_AT_S, self.end_kmh * KMH, self.decel_mps2, ramp_s=self.decel_reached_s)
            )
        d = RIGHT_LANE_M + impact_offset_m(self.impact_percent, CarParams().vehicle)
        target = body(
            "target", self.target, ahead_m(gap, KINDS[self.target]), d, other, *events,
            turned_rad=math.radians(self.turned_deg),
        )  # fmt: skip
        braking_s = _BRAKES_AT_S + 20.0 if self.decel_mps2 > 0.0 else gap / max(speed - other, 0.5)
        driver = DriverScript((Phase(0.0, speed_mps=speed),), reaction=self._reaction())
        scenario = scene("approach", braking_s + 6.0, speed, driver, (target,))
        return Stage(scenario, CarParams(mu=self.mu, mass_factor=self.load), "target", until_slower=True)

    def _reaction(self) -> Reaction | None:
        if self.driver_decel_mps2 > 0.0:
            return Reaction(brake_s=self.driver_delay_s, decel_mps2=self.driver_decel_mps2)
        return Reaction() if self.driver_releases else None


MANOEUVRES: dict[str, type[Manoeuvre]] = {"approach": Approach}
