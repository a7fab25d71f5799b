"""Things that need no braking: plates, gaps between cars, bends with rails, signs, ghosts, leads that turn off."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Curve, turn_knots
from adas_perception.sim.driver import DriverScript, Phase
from adas_perception.sim.ghosts import GhostTracks
from adas_perception.sim.meeting import parked_row
from adas_perception.sim.road import Road
from adas_perception.sim.scorecard.manoeuvres.common import (
    CAR,
    KMH,
    RIGHT_LANE_M,
    SIDES,
    START_S_M,
    TARGETS,
    ahead_m,
    body,
    by_hand,
    scene,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec, Event, When
from adas_perception.sim.vehicle import CarParams

_BEFORE_S = 5.0
_LANE_M = 3.5


def _brakes_before(speed_mps: float, brake_mps2: float) -> DriverScript:
    """Return a driver who brakes gently 2 s before the place, if at all."""
    if brake_mps2 == 0.0:
        return by_hand(speed_mps)
    pedal = CarParams().brake_pedal_for(brake_mps2, speed_mps)
    return by_hand(speed_mps, Phase(_BEFORE_S - 2.0, brake=pedal))


@dataclass(frozen=True)
class DriveOver(Manoeuvre):
    """A thing on or above the lane that the car passes over or under."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=10.0, high=200.0)
    thing: str = param("steel_plate", "what it is", choices=TARGETS)
    driver_brake_mps2: float = param(0.0, "the driver brakes so, 0: not", unit="m/s2", low=0.0, high=5.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.thing]
        thing = body("thing", self.thing, ahead_m(_BEFORE_S * speed, kind), RIGHT_LANE_M, 0.0)
        driver = _brakes_before(speed, self.driver_brake_mps2)
        return Stage(scene("drive over", _BEFORE_S + 3.0, speed, driver, (thing,)), target="thing")


@dataclass(frozen=True)
class PassThrough(Manoeuvre):
    """Between two standing cars, ``apart_m`` from side to side."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=10.0, high=200.0)
    apart_m: float = param(4.5, "free width", unit="m", low=2.5, high=10.0)
    driver_brake_mps2: float = param(0.0, "the driver brakes so, 0: not", unit="m/s2", low=0.0, high=5.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS["target_car"]
        s, aside = ahead_m(_BEFORE_S * speed, kind), (self.apart_m + kind.width_m) / 2.0
        cars = tuple(
            body(name, "target_car", s, RIGHT_LANE_M + sign * aside, 0.0) for name, sign in SIDES.items()
        )
        return Stage(scene("pass through", _BEFORE_S + 3.0, speed, _brakes_before(speed, self.driver_brake_mps2), cars))


@dataclass(frozen=True)
class BendWithRail(Manoeuvre):
    """A left bend with a guard rail on the outside; ``behind`` names who stands one metre behind it at its apex."""

    radius_m: float = param(100.0, "radius", unit="m", low=20.0, high=2000.0)
    speed_kmh: float = param(45.0, "speed", unit="km/h", low=5.0, high=200.0)
    behind: str = param("none", "who stands behind the rail", choices=("none", *TARGETS))

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        begin = START_S_M + 3.0 * speed
        clothoid = min(30.0, 0.5 * self.radius_m)
        knots = turn_knots(begin, self.radius_m, math.pi / 2.0, clothoid)
        road = Road(knots[-1][0] + 200.0, ((0.0, 0.0), *knots), rails_m=(-_LANE_M - 1.0,), edges_m=(-4.3, 4.3))
        actors: tuple[ActorSpec, ...] = ()
        if self.behind != "none":
            kind = KINDS[self.behind]
            # Straight on from where the bend begins: the car points at him while it steers in.
            s = begin + 0.35 * (knots[-1][0] - begin)
            actors = (body("stander", self.behind, s, road.rails_m[0] - 1.0 - kind.width_m / 2.0, 0.0),)
        seconds = (knots[-1][0] - START_S_M) / speed + 1.0
        return Stage(scene("bend with rail", seconds, speed, by_hand(speed), actors, road=road))


@dataclass(frozen=True)
class LeadTurnsOff(Manoeuvre):
    """The lead brakes to ``turn_kmh`` and turns off to the right; the car goes on at its speed."""

    speed_kmh: float = param(40.0, "speed of both", unit="km/h", low=20.0, high=100.0)
    turn_kmh: float = param(20.0, "speed of the turn", unit="km/h", low=5.0, high=60.0)
    headway_s: float = param(4.0, "time headway at the start", unit="s", low=1.0, high=10.0)
    decel_mps2: float = param(2.0, "deceleration of the lead", unit="m/s2", low=0.5, high=6.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, slow, kind = self.speed_kmh * KMH, self.turn_kmh * KMH, KINDS["car"]
        start, brake_at = ahead_m(self.headway_s * speed, kind), 2.0
        turn_s = start + brake_at * speed + (speed**2 - slow**2) / (2.0 * self.decel_mps2)
        way = Curve(turn_s + 200.0, ((0.0, 0.0), *turn_knots(turn_s, 12.0, -math.pi / 2.0, 5.0)), y_m=RIGHT_LANE_M)
        brakes = Event(When.TIME, brake_at, slow, self.decel_mps2)
        lead = ActorSpec("lead", start, 0.0, speed, (brakes,), kind, way)
        return Stage(scene("lead turns off", 14.0, speed, by_hand(speed), (lead,)), target="lead")


@dataclass(frozen=True)
class SignAhead(Manoeuvre):
    """A road-works sign stands in the lane; the driver changes lane before it."""

    speed_kmh: float = param(60.0, "speed", unit="km/h", low=10.0, high=150.0)
    change_ttc_s: float = param(4.0, "the lane change begins so long before the sign", unit="s", low=2.0, high=10.0)
    change_s: float = param(3.0, "duration of the lane change", unit="s", low=1.0, high=6.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS["roadworks_sign"]
        at = 2.0 + self.change_ttc_s
        sign = body("sign", "roadworks_sign", ahead_m(at * speed, kind), RIGHT_LANE_M, 0.0)
        change = Phase(2.0, speed_mps=speed, lane_d_m=RIGHT_LANE_M + _LANE_M, change_s=self.change_s)
        return Stage(scene("sign ahead", at + 3.0, speed, by_hand(speed, change), (sign,)), target="sign")


@dataclass(frozen=True)
class Ghosts(Manoeuvre):
    """An empty road; radar ghosts appear in the lane and live for at most ``life_s``."""

    speed_kmh: float = param(100.0, "speed", unit="km/h", low=10.0, high=200.0)
    life_s: float = param(0.1, "life of a ghost", unit="s", low=0.01, high=2.0)
    seed: int = param(1, "seed of the ghosts", low=0, high=1000000)
    seconds: float = param(30.0, "length of the run", unit="s", low=5.0, high=600.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        ghosts = GhostTracks(life_s=self.life_s)
        return Stage(scene("ghosts", self.seconds, speed, by_hand(speed)), ghosts=ghosts, seed=self.seed)


@dataclass(frozen=True)
class ParkedRow(Manoeuvre):
    """Parked cars beside the lane, on a straight or in a bend."""

    speed_kmh: float = param(50.0, "speed", unit="km/h", low=10.0, high=100.0)
    gap_m: float = param(1.0, "from the car's side to the parked cars", unit="m", low=0.3, high=5.0)
    count: int = param(8, "number of parked cars", low=1, high=30)
    radius_m: float = param(0.0, "radius of a left bend, 0: straight", unit="m", low=0.0, high=1000.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        knots = ((0.0, 0.0), (START_S_M, 0.0), (START_S_M + 30.0, 1.0 / self.radius_m)) if self.radius_m else None
        road = Road(3000.0, knots, rails_m=()) if knots else Road(3000.0, rails_m=())
        d = RIGHT_LANE_M - CAR.width_m / 2.0 - self.gap_m - KINDS["car"].width_m / 2.0
        first = START_S_M + 4.0 * speed
        row = parked_row("parked", first + self.count * 6.0, d, self.count, gap_m=1.4)
        seconds = 6.0 + self.count * 6.0 / speed
        return Stage(scene("parked row", seconds, speed, by_hand(speed), row, road=road))


MANOEUVRES: dict[str, type[Manoeuvre]] = {
    "drive_over": DriveOver,
    "pass_through": PassThrough,
    "bend_with_rail": BendWithRail,
    "lead_turns_off": LeadTurnsOff,
    "sign_ahead": SignAhead,
    "ghosts": Ghosts,
    "parked_row": ParkedRow,
}
