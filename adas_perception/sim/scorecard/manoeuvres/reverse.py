"""Reversing towards somebody behind the car."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Polyline
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.scorecard.manoeuvres.common import CAR, KMH, RIGHT_LANE_M, START_S_M, TARGETS, scene
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec
from adas_perception.types import Gear


@dataclass(frozen=True)
class Reverse(Manoeuvre):
    """The car reverses; the target stands in its way, or crosses it and would meet the middle of its rear."""

    speed_kmh: float = param(4.0, "speed backwards", unit="km/h", low=1.0, high=20.0)
    target: str = param("adult", "kind of the target", choices=TARGETS)
    target_kmh: float = param(0.0, "speed of the target, 0: stands", unit="km/h", low=0.0, high=20.0)
    before_s: float = param(4.0, "the run starts so long before the meeting", unit="s", low=2.0, high=20.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, other, kind = self.speed_kmh * KMH, self.target_kmh * KMH, KINDS[self.target]
        x = START_S_M - CAR.rear_overhang_m - kind.width_m / 2.0 - speed * self.before_s
        way = Polyline([(x, RIGHT_LANE_M - 50.0), (x, RIGHT_LANE_M + 50.0)])
        target = ActorSpec("target", 50.0 - other * self.before_s, 0.0, other, (), kind, way)
        driver = DriverScript((Phase(0.0, speed_mps=-speed, gear=Gear.REVERSE),))
        scenario = scene("reverse", self.before_s + 3.0, -speed, driver, (target,))
        return Stage(scenario, target="target")


MANOEUVRES: dict[str, type[Manoeuvre]] = {"reverse": Reverse}
