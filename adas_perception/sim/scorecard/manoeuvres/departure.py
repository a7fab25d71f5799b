"""Unintended drift towards a line, with the timing of the lane protocols: straight, then an arc, then straight on.

The driver then gives the wheel free while the car nears the line: a case for LKA and its warning.
"""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.driver import Drift, DriverScript, Phase
from adas_perception.sim.road import Line, Road
from adas_perception.sim.scorecard.manoeuvres.common import CAR, KMH, START_S_M, scene
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.types import LineKind

_DRIFT_AT_S = 2.0
_LANE_M = 3.5
_KEPT_FREE_M = 0.25


def drift_radius_m(speed_kmh: float) -> float:
    """Return the radius by which the drift begins (EN26-LD)."""
    return 600.0 if speed_kmh < 70.0 else 1200.0 if speed_kmh <= 100.0 else 2400.0


@dataclass(frozen=True)
class Departure(Manoeuvre):
    """One lane with a line of ``line`` on the side of the drift; in a bend the drift goes out of it or into it."""

    speed_kmh: float = param(72.0, "speed", unit="km/h", low=30.0, high=200.0)
    lateral_mps: float = param(0.4, "speed towards the line", unit="m/s", low=0.05, high=1.5)
    side: str = param("left", "side of the drift", choices=("left", "right"))
    line: str = param("solid", "kind of the line", choices=("solid", "dashed", "road_edge"))
    radius_m: float = param(0.0, "radius of a bend to the left, 0: straight", unit="m", low=0.0)
    lane_width_m: float = param(_LANE_M, "width of the lane", unit="m", low=2.5, high=5.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        sign = 1.0 if self.side == "left" else -1.0
        half = self.lane_width_m / 2.0
        room = half - CAR.width_m / 2.0
        drift = Drift(sign * self.lateral_mps, drift_radius_m(self.speed_kmh))
        driver = DriverScript((Phase(0.0, speed_mps=speed), Phase(_DRIFT_AT_S, speed_mps=speed, drift=drift)))
        kinds = {1.0: LineKind.SOLID, -1.0: LineKind.SOLID, sign: LineKind[self.line.upper()]}
        road = Road(
            START_S_M + 40.0 * speed,
            ((0.0, 0.0), (START_S_M - 100.0, 0.0), (START_S_M - 20.0, 1.0 / self.radius_m))
            if self.radius_m else ((0.0, 0.0),),
            lane_centres_m=(0.0,), lane_width_m=self.lane_width_m,
            lines=(Line(half, kinds[1.0]), Line(-half, kinds[-1.0])),
            edges_m=(-half - 0.5, half + 0.5), rails_m=(),
        )  # fmt: skip
        # So far on the other side of the middle that the drift is steady when the car is in the middle.
        aside = min(self.lateral_mps * drift.arc_s(speed) / 2.0, room - _KEPT_FREE_M)
        crossing_s = (room + aside) / self.lateral_mps + drift.arc_s(speed)
        return Stage(scene("drift", _DRIFT_AT_S + crossing_s + 6.0, speed, driver, road=road, start_d_m=-sign * aside))


@dataclass(frozen=True)
class HandsOff(Manoeuvre):
    """The driver takes his hands off in the middle of a straight lane."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=30.0, high=200.0)
    seconds: float = param(66.0, "length of the run", unit="s", low=5.0, high=200.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        driver = DriverScript((
            Phase(0.0, speed_mps=speed), Phase(_DRIFT_AT_S, speed_mps=speed, hands_on=False),
        ))  # fmt: skip
        return Stage(scene("hands off", self.seconds, speed, driver))


MANOEUVRES: dict[str, type[Manoeuvre]] = {"departure": Departure, "hands_off": HandsOff}
