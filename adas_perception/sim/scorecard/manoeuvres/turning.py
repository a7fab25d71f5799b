"""Turns at a junction across oncoming traffic and pedestrians, and traffic that comes head on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Polyline, turn_knots
from adas_perception.sim.meeting import Approach, turned_across
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
from adas_perception.sim.traffic import ActorSpec

_LANE_M = 3.5
# Way before the turn begins.
_LEAD_IN_S = 4.0
# EN26: radius of the turn by speed in km/h.
_RADII_M = ((10.0, 9.0), (15.0, 11.75), (math.inf, 14.75))
_CLOTHOID_M = 6.0


def turning_road(side: str, speed_mps: float) -> Road:
    """Return the path of a turn by 90 degrees: straight, clothoid, arc, clothoid, straight; no lines, no rails."""
    radius = next(r for fastest, r in _RADII_M if speed_mps / KMH <= fastest + 1e-6)
    lead_in = START_S_M + _LEAD_IN_S * speed_mps
    knots = turn_knots(lead_in, radius, SIDES[side] * math.pi / 2.0, _CLOTHOID_M)
    return Road(
        lead_in + 150.0, ((0.0, 0.0), *knots), lane_centres_m=(0.0,), lane_width_m=_LANE_M, lines=(),
        edges_m=(-8.0, 8.0), rails_m=(),
    )  # fmt: skip


def junction_m(speed_mps: float) -> tuple[float, float]:
    """Return where the turn begins in the map (the road starts at the origin along x)."""
    return START_S_M + _LEAD_IN_S * speed_mps, 0.0


@dataclass(frozen=True)
class TurnAcross(Manoeuvre):
    """The car turns; the target comes against it on the neighbouring lane and meets its front in the crossing."""

    speed_kmh: float = param(15.0, "speed of the turn", unit="km/h", low=5.0, high=30.0)
    target: str = param("target_car", "kind of the target", choices=TARGETS)
    target_kmh: float = param(45.0, "speed of the target", unit="km/h", low=1.0, high=100.0)
    waits: bool = param(False, "the target waits at the stop line instead")
    side: str = param("left", "side of the turn", choices=("left", "right"))

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        road = turning_road(self.side, speed)
        x, _ = junction_m(speed)
        if self.waits:
            far = x + 16.0
            way = Polyline([(far + 200.0, _LANE_M), (far, _LANE_M)])
            target = ActorSpec("target", 200.0 - kind.length_m / 2.0, 0.0, 0.0, (), kind, way)
        else:
            way = Polyline([(x + 400.0, _LANE_M), (x - 400.0, _LANE_M)])
            ego = Approach(road, START_S_M, 0.0, speed)
            target = turned_across("target", kind, ego, way, self.target_kmh * KMH)
        seconds = _LEAD_IN_S + 40.0 / speed
        scenario = scene("turn across", seconds, speed, by_hand(speed), (target,), road=road, start_d_m=0.0)
        return Stage(scenario, target="target", until_stop=not self.waits)


@dataclass(frozen=True)
class TurnPedestrian(Manoeuvre):
    """The car turns; somebody crosses the road that it turns into.

    ``same`` walks the way the car came (from its back to its front before the turn), ``opposite`` against it.
    """

    speed_kmh: float = param(10.0, "speed of the turn", unit="km/h", low=5.0, high=30.0)
    target: str = param("adult", "kind of the target", choices=TARGETS)
    target_kmh: float = param(5.0, "speed of the target", unit="km/h", low=0.5, high=30.0)
    side: str = param("left", "side of the turn: left is the far side", choices=("left", "right"))
    direction: str = param("same", "direction of the target", choices=("same", "opposite"))
    beyond_m: float = param(6.0, "from the end of the turn to his path", unit="m", low=0.0, high=20.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        road = turning_road(self.side, speed)
        last = road.curvature_knots[-1][0]
        x, y, yaw = road.place(last + self.beyond_m, 0.0)
        along = 0.0 if self.direction == "same" else math.pi
        dx, dy = math.cos(along), math.sin(along)
        way = Polyline([(x - 60.0 * dx, y - 60.0 * dy), (x + 60.0 * dx, y + 60.0 * dy)])
        ego = Approach(road, START_S_M, 0.0, speed)
        target = turned_across("target", kind, ego, way, self.target_kmh * KMH)
        seconds = _LEAD_IN_S + 60.0 / speed
        scenario = scene("turn, pedestrian", seconds, speed, by_hand(speed), (target,), road=road, start_d_m=0.0)
        return Stage(scenario, target="target", until_stop=True)


@dataclass(frozen=True)
class HeadOn(Manoeuvre):
    """Somebody comes against the car in its own lane."""

    speed_kmh: float = param(50.0, "speed of the car", unit="km/h", low=10.0, high=200.0)
    target: str = param("target_car", "kind of the target", choices=TARGETS)
    target_kmh: float = param(50.0, "speed of the target", unit="km/h", low=1.0, high=200.0)
    impact_percent: float = param(50.0, "impact location, 0 right edge, 100 left edge", low=-25.0, high=125.0)
    start_ttc_s: float = param(5.0, "time to collision at the start", unit="s", low=2.0, high=20.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, other, kind = self.speed_kmh * KMH, self.target_kmh * KMH, KINDS[self.target]
        d = RIGHT_LANE_M + (self.impact_percent / 100.0 - 0.5) * CAR.width_m
        far = ahead_m((speed + other) * self.start_ttc_s, kind)
        target = body("target", self.target, 0.0, 0.0, other, way=Polyline([(far, d), (far - 2000.0, d)]))
        scenario = scene("head on", self.start_ttc_s + 3.0, speed, by_hand(speed), (target,))
        return Stage(scenario, target="target", until_stop=True)


MANOEUVRES: dict[str, type[Manoeuvre]] = {
    "turn_across": TurnAcross, "turn_pedestrian": TurnPedestrian, "head_on": HeadOn,
}  # fmt: skip
