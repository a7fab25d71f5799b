"""Road users beside and behind the car: cases for blind spot detection."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Polyline
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.road import Road
from adas_perception.sim.scorecard.manoeuvres.common import (
    CAR,
    KMH,
    RIGHT_LANE_M,
    SIDES,
    START_S_M,
    TARGETS,
    Indicator,
    at_base_link,
    body,
    by_hand,
    scene,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec, Event, When

_APPROACH_MPS = 2.0
_APPROACH_S = 5.0


def beside_d_m(side: str, gap_m: float, width_m: float) -> float:
    """Return d of a body with ``gap_m`` between its side and the car's."""
    return RIGHT_LANE_M + SIDES[side] * (CAR.width_m / 2.0 + gap_m + width_m / 2.0)


def _driver(speed_mps: float, side: str, indicates: bool) -> DriverScript:
    """Return a driver who holds his speed and indicates all the way, if at all."""
    lever = {"left": Indicator.LEFT, "right": Indicator.RIGHT}[side] if indicates else Indicator.OFF
    return DriverScript((Phase(0.0, speed_mps=speed_mps, indicator=lever),))


@dataclass(frozen=True)
class Beside(Manoeuvre):
    """Somebody comes up from behind, then stays beside the car with his centre at ``x_m`` of base_link."""

    speed_kmh: float = param(80.0, "speed of both", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    x_m: float = param(0.0, "where he stays, his centre in base_link", unit="m", low=-60.0, high=10.0)
    gap_m: float = param(1.5, "distance between the sides", unit="m", low=0.2, high=10.0)
    side: str = param("left", "side", choices=("left", "right"))
    indicator: bool = param(False, "the driver indicates to that side")

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        brake_m = _APPROACH_MPS / 2.0
        start = self.x_m - _APPROACH_MPS * _APPROACH_S - brake_m
        other = body(
            "target", self.target, at_base_link(start), beside_d_m(self.side, self.gap_m, kind.width_m),
            speed + _APPROACH_MPS, Event(When.TIME, _APPROACH_S, speed, _APPROACH_MPS),
        )  # fmt: skip
        return Stage(scene("beside", 10.0, speed, _driver(speed, self.side, self.indicator), (other,)), target="target")


@dataclass(frozen=True)
class Overtaken(Manoeuvre):
    """Somebody passes in the neighbouring lane with ``closing_mps``; negative: the car passes him."""

    speed_kmh: float = param(80.0, "speed of the car", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    closing_mps: float = param(5.0, "faster than the car by", unit="m/s", low=-40.0, high=40.0)
    gap_m: float = param(1.5, "distance between the sides", unit="m", low=0.2, high=10.0)
    side: str = param("left", "side", choices=("left", "right"))
    indicator: bool = param(False, "the driver indicates to that side")

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind, closing = self.speed_kmh * KMH, KINDS[self.target], self.closing_mps
        far = 6.0 * abs(closing) + 8.0
        start = -far if closing > 0.0 else far
        other = body(
            "target", self.target, at_base_link(start), beside_d_m(self.side, self.gap_m, kind.width_m), speed + closing
        )
        seconds = (far + 12.0) / abs(closing)
        driver = _driver(speed, self.side, self.indicator)
        return Stage(scene("overtaking", seconds, speed, driver, (other,)), target="target")


@dataclass(frozen=True)
class Follower(Manoeuvre):
    """Somebody follows in the car's own lane, straight or in a left bend."""

    speed_kmh: float = param(80.0, "speed of both", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    gap_m: float = param(5.0, "distance behind the bumper", unit="m", low=0.5, high=100.0)
    radius_m: float = param(0.0, "radius of the bend, 0: straight", unit="m", low=0.0, high=5000.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        bend = ((START_S_M - 200.0, 0.0), (START_S_M - 150.0, 1.0 / self.radius_m)) if self.radius_m else ()
        road = Road(START_S_M + 12.0 * max(speed, 5.0), ((0.0, 0.0), *bend), rails_m=())
        s = at_base_link(-CAR.rear_overhang_m - self.gap_m - kind.length_m / 2.0)
        other = body("target", self.target, s, RIGHT_LANE_M, speed)
        return Stage(scene("follower", 10.0, speed, by_hand(speed), (other,), road=road), target="target")


@dataclass(frozen=True)
class AlongRail(Manoeuvre):
    """A guard rail runs beside the car, nobody else is there."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=10.0, high=200.0)
    rail_m: float = param(1.0, "from the car's side to the rail", unit="m", low=0.3, high=5.0)
    side: str = param("left", "side of the rail", choices=("left", "right"))

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        d = RIGHT_LANE_M + SIDES[self.side] * (CAR.width_m / 2.0 + self.rail_m)
        road = Road(START_S_M + 20.0 * speed, rails_m=(d,))
        return Stage(scene("along a rail", 12.0, speed, by_hand(speed), road=road))


@dataclass(frozen=True)
class OncomingBeside(Manoeuvre):
    """Cars come against the car in the lane to its left, one after the other."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=10.0, high=200.0)
    other_kmh: float = param(80.0, "speed of the others", unit="km/h", low=10.0, high=200.0)
    count: int = param(4, "number of cars", low=1, high=20)

    def stage(self) -> Stage:
        """Return the run."""
        speed, other = self.speed_kmh * KMH, self.other_kmh * KMH
        far = START_S_M + 3.0 * (speed + other)
        way = Polyline([(far, -RIGHT_LANE_M), (far - 3000.0, -RIGHT_LANE_M)])
        pitch = 1.5 * (speed + other)
        cars = tuple(ActorSpec(f"car{i}", -i * pitch, 0.0, other, (), KINDS["car"], way) for i in range(self.count))
        seconds = 4.0 + 1.5 * self.count
        return Stage(scene("oncoming beside", seconds, speed, by_hand(speed), cars))


MANOEUVRES: dict[str, type[Manoeuvre]] = {
    "beside": Beside,
    "overtaken": Overtaken,
    "follower": Follower,
    "along_rail": AlongRail,
    "oncoming_beside": OncomingBeside,
}
