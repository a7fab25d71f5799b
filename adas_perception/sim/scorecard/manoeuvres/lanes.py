"""Lane departures towards other traffic, and driving that LKA must leave alone."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Polyline
from adas_perception.sim.driver import Drift, DriverScript, Phase
from adas_perception.sim.road import Line, Road
from adas_perception.sim.scorecard.manoeuvres.common import CAR, KMH, START_S_M, TARGETS, Indicator, body, scene
from adas_perception.sim.scorecard.manoeuvres.departure import drift_radius_m
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec
from adas_perception.types import LineKind

_DRIFT_AT_S = 3.0
_LANE_M = 3.5
_HALF_M = _LANE_M / 2.0


def two_lanes(length_m: float) -> Road:
    """Return a straight road; the car's lane is centred on d = 0, the other lies to its left."""
    lines = (Line(-_HALF_M, LineKind.SOLID), Line(_HALF_M, LineKind.DASHED), Line(_HALF_M + _LANE_M, LineKind.SOLID))
    return Road(
        length_m, lane_centres_m=(0.0, _LANE_M), lane_width_m=_LANE_M, lines=lines,
        edges_m=(-_HALF_M - 0.5, _HALF_M + _LANE_M + 0.5), rails_m=(),
    )  # fmt: skip


@dataclass(frozen=True)
class DepartureTraffic(Manoeuvre):
    """The car drifts over the dashed line to its left, where somebody comes whom it would touch.

    ``oncoming``: he comes against it, his side ``beyond_m`` behind the line. ``overtaking``: he comes from behind in
    the middle of his lane, faster by ``faster_kmh``, his front at a quarter of the car's length when they would
    touch. ``indicator``: the driver means to change lane and indicates.
    """

    speed_kmh: float = param(70.0, "speed", unit="km/h", low=30.0, high=200.0)
    lateral_mps: float = param(0.4, "speed towards the line", unit="m/s", low=0.1, high=1.5)
    other: str = param("oncoming", "who comes", choices=("oncoming", "overtaking"))
    target: str = param("target_car", "kind of the other", choices=TARGETS)
    other_kmh: float = param(0.0, "speed of who comes against the car, 0: as the car", unit="km/h", low=0.0)
    faster_kmh: float = param(10.0, "who overtakes is faster by", unit="km/h", low=1.0, high=100.0)
    beyond_m: float = param(1.5, "his side behind the line", unit="m", low=0.2, high=3.0)
    indicator: bool = param(False, "the driver indicates")

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        drift = Drift(self.lateral_mps, drift_radius_m(self.speed_kmh))
        aside = -min(self.lateral_mps * drift.arc_s(speed) / 2.0, _HALF_M - CAR.width_m / 2.0 - 0.25)
        free = self.beyond_m if self.other == "oncoming" else (_LANE_M - kind.width_m) / 2.0
        way = _HALF_M + free - CAR.width_m / 2.0 - aside + 0.2
        meets = _DRIFT_AT_S + drift.arc_s(speed) / 2.0 + way / self.lateral_mps
        middle = START_S_M + speed * meets + CAR.front_x_m
        d = _HALF_M + free + kind.width_m / 2.0
        if self.other == "oncoming":
            other = self.other_kmh * KMH or speed
            path = Polyline([(middle, d), (middle - 3000.0, d)])
            target = ActorSpec("target", -other * meets - kind.length_m / 2.0, 0.0, other, (), kind, path)
        else:
            other = speed + self.faster_kmh * KMH
            front = middle - 0.75 * CAR.length_m
            target = body("target", self.target, front - kind.length_m / 2.0 - other * meets, d, other)
        lever = Indicator.LEFT if self.indicator else Indicator.OFF
        driver = DriverScript((
            Phase(0.0, speed_mps=speed), Phase(_DRIFT_AT_S, speed_mps=speed, drift=drift, indicator=lever),
        ))  # fmt: skip
        road = two_lanes(START_S_M + speed * (meets + 10.0))
        return Stage(
            scene("departure", meets + 4.0, speed, driver, (target,), road=road, start_d_m=aside), target="target"
        )


@dataclass(frozen=True)
class LaneKeeping(Manoeuvre):
    """The driver keeps to the lane himself, wandering as people do, or changes lane with the indicator.

    ``lines``: both; one (the left is not there); worn; double (a second line 0.3 m inside each); none.
    """

    speed_kmh: float = param(90.0, "speed", unit="km/h", low=30.0, high=200.0)
    wander_m: float = param(0.0, "standard deviation of the driver's offset", unit="m", low=0.0, high=0.5)
    lane_width_m: float = param(_LANE_M, "width of the lane", unit="m", low=2.5, high=5.0)
    lines: str = param("both", "lines of the lane", choices=("both", "one", "worn", "double", "none"))
    change: str = param("none", "changes lane, indicating", choices=("none", "left", "right"))
    seconds: float = param(60.0, "length of the run", unit="s", low=5.0, high=3600.0)
    seed: int = param(1, "seed of the wander", low=0, high=1000000)

    def stage(self) -> Stage:
        """Return the run."""
        speed, half = self.speed_kmh * KMH, self.lane_width_m / 2.0
        phases = [Phase(0.0, speed_mps=speed)]
        if self.change != "none":
            sign, lever = (1.0, Indicator.LEFT) if self.change == "left" else (-1.0, Indicator.RIGHT)
            goal = sign * self.lane_width_m
            phases += [
                Phase(3.0, speed_mps=speed, indicator=lever),
                Phase(4.0, speed_mps=speed, indicator=lever, lane_d_m=goal, change_s=5.0),
                Phase(10.0, speed_mps=speed, lane_d_m=goal),
            ]
        driver = DriverScript(tuple(phases), wander_sigma_m=self.wander_m)
        contrast = 0.3 if self.lines == "worn" else 1.0
        width = self.lane_width_m
        painted = {
            "one": (-half,), "none": (), "double": (-half, -half + 0.3, half - 0.3, half),
        }.get(self.lines, (-half - width, -half, half, half + width))  # fmt: skip
        edges = 12.0 if self.lines in ("one", "none") else half + width + 0.5
        road = Road(
            START_S_M + speed * (self.seconds + 5.0), lane_centres_m=(-width, 0.0, width), lane_width_m=width,
            lines=tuple(Line(d, LineKind.DASHED, contrast=contrast) for d in painted),
            edges_m=(-edges, edges), rails_m=(),
        )  # fmt: skip
        scenario = scene("lane keeping", self.seconds, speed, driver, road=road, start_d_m=0.0)
        return Stage(scenario, seed=self.seed)


MANOEUVRES: dict[str, type[Manoeuvre]] = {"departure_traffic": DepartureTraffic, "lane_keeping": LaneKeeping}
