"""Long drives among ordinary traffic that nobody needs to brake for hard: the test of false reactions.

A drive is cut into legs of forty seconds, each with its own draw of road and traffic; the driver holds his speed, or
ACC does where there is a lead.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.curve import Polyline
from adas_perception.sim.driver import DriverScript
from adas_perception.sim.road import Road
from adas_perception.sim.scorecard.manoeuvres.common import (
    CAR,
    KMH,
    RIGHT_LANE_M,
    START_S_M,
    ahead_m,
    body,
    scene,
    with_acc,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec, Event, When

_LEG_S = 40.0
_LANE_M = 3.5
_WANDER_M = 0.15


@dataclass(frozen=True)
class Surrounding:
    """What a kind of road looks like; counts are per kilometre of the car's way."""

    speed_kmh: float
    radius_m: tuple[float, float]
    parked: float
    walkers: float
    oncoming: float
    slower: float
    signs: float
    bridges: float
    rails_m: tuple[float, ...]


_SURROUNDINGS = {
    "urban": Surrounding(50.0, (150.0, 600.0), 25.0, 8.0, 8.0, 0.0, 6.0, 0.2, ()),
    "rural": Surrounding(90.0, (350.0, 1200.0), 0.0, 0.2, 3.0, 0.0, 2.0, 0.2, (-5.2, 5.2)),
    "motorway": Surrounding(130.0, (1000.0, 4000.0), 0.0, 0.0, 0.0, 3.0, 1.0, 0.6, (-5.6, 5.6)),
}


@dataclass(frozen=True)
class Endurance(Manoeuvre):
    """``minutes`` of driving in a surrounding."""

    place: str = param("urban", "where", choices=tuple(_SURROUNDINGS))
    minutes: float = param(60.0, "length of the drive", unit="min", low=2.0, high=600.0)
    seed: int = param(1, "seed of road and traffic", low=0, high=1000000)

    def stage(self) -> Stage:
        """Return the first leg."""
        return self._leg(0)

    def parts(self) -> int:
        """Return the number of legs."""
        return round(self.minutes * 60.0 / _LEG_S)

    def part(self, number: int) -> Stage:
        """Return a leg."""
        return self._leg(number)

    def _leg(self, number: int) -> Stage:
        rng = Random(self.seed * 100003 + number)
        place = _SURROUNDINGS[self.place]
        speed = place.speed_kmh * KMH
        length = speed * _LEG_S
        motorway = self.place == "motorway"
        d = RIGHT_LANE_M + (_LANE_M if motorway else 0.0)
        road = _winding_road(rng, place, length + START_S_M + 300.0)
        actors = tuple(_traffic(rng, place, road, length, speed, d))
        script = with_acc(speed)
        driver = DriverScript(script.phases, script.presses, wander_sigma_m=_WANDER_M)
        scenario = scene(f"{self.place} {number}", _LEG_S, speed, driver, actors, road=road, start_d_m=d)
        return Stage(scenario, seed=self.seed * 1000 + number)


def _winding_road(rng: Random, place: Surrounding, length_m: float) -> Road:
    knots, s = [(0.0, 0.0), (START_S_M, 0.0)], START_S_M
    while s < length_m:
        radius = rng.choice((-1.0, 1.0)) * rng.uniform(*place.radius_m)
        ramp, arc = 0.25 * abs(radius) ** 0.5 * 8.0, rng.uniform(0.1, 0.4) * abs(radius)
        straight = rng.uniform(40.0, 300.0)
        knots += [
            (s + straight, 0.0), (s + straight + ramp, 1.0 / radius), (s + straight + ramp + arc, 1.0 / radius),
            (s + straight + 2.0 * ramp + arc, 0.0),
        ]  # fmt: skip
        s = knots[-1][0]
    return Road(length_m, tuple(knots), rails_m=place.rails_m)


def _traffic(
    rng: Random, place: Surrounding, road: Road, length_m: float, speed_mps: float, d_m: float
) -> list[ActorSpec]:
    """Draw who stands, walks and drives along the way; nobody enters the car's lane before it."""
    km = length_m / 1000.0
    first, last = START_S_M + 60.0, START_S_M + length_m

    def places(per_km: float) -> list[float]:
        return [rng.uniform(first, last) for _ in range(round(per_km * km))]

    kerb = -_LANE_M - 0.4
    actors = [
        body(f"parked{i}", rng.choice(("car", "van")), s, kerb - 1.1, 0.0)
        for i, s in enumerate(sorted(places(place.parked)))
    ]
    walkers = enumerate(places(place.walkers))
    actors += [_walker(f"walker{i}", road, s, kerb - rng.uniform(2.6, 4.0), rng) for i, s in walkers]
    actors += _oncoming(rng, road, places(place.oncoming), speed_mps)
    actors += _slower(rng, places(place.slower), speed_mps)
    actors += [body(f"sign{i}", "sign", s, kerb - 1.0, 0.0) for i, s in enumerate(places(place.signs))]
    actors += [
        body(f"bridge{i}", rng.choice(("bridge", "gantry")), s, 0.0, 0.0) for i, s in enumerate(places(place.bridges))
    ]
    if rng.random() < 0.5:
        gap = rng.uniform(1.5, 3.0) * speed_mps + 5.0
        slow = Event(When.TIME, rng.uniform(10.0, 25.0), speed_mps * rng.uniform(0.6, 0.9), rng.uniform(0.5, 1.5))
        actors.append(body("lead", "car", ahead_m(gap, KINDS["car"], CAR), d_m, speed_mps, slow))
    if rng.random() < 0.5:
        kind = rng.choice(("car", "van", "truck"))
        gap = rng.uniform(1.5, 3.0) * speed_mps + CAR.rear_overhang_m + KINDS[kind].length_m / 2.0
        actors.append(body("follower", kind, START_S_M - gap, d_m, speed_mps * rng.uniform(1.0, 1.1), reacts=True))
    return actors


def _oncoming(rng: Random, road: Road, meetings_m: list[float], speed_mps: float) -> list[ActorSpec]:
    """Return who comes against the car in the other lane, one behind the other, met at places along the road."""
    starts = []
    for s in meetings_m:
        other = speed_mps * rng.uniform(0.8, 1.1)
        starts.append((s + other * (s - START_S_M) / speed_mps, other))
    if not starts:
        return []
    farthest = max(start for start, _ in starts)
    way = _backwards(road, farthest, -RIGHT_LANE_M)
    kinds = [KINDS[rng.choice(("car", "car", "van", "truck"))] for _ in starts]
    specs = [
        ActorSpec(f"oncoming{i}", farthest - start, 0.0, other, (), kind, way, reacts=True)
        for i, ((start, other), kind) in enumerate(zip(starts, kinds, strict=True))
    ]
    return _apart(specs)


def _slower(rng: Random, meetings_m: list[float], speed_mps: float) -> list[ActorSpec]:
    """Return who drives more slowly in the lane to the right, passed at places along the road."""
    specs = []
    for i, s in enumerate(meetings_m):
        other = rng.uniform(80.0, 100.0) * KMH
        start = START_S_M + (s - START_S_M) * (1.0 - other / speed_mps)
        specs.append(body(f"slower{i}", rng.choice(("truck", "car")), start + 15.0, RIGHT_LANE_M, other, reacts=True))
    return _apart(specs)


def _apart(specs: list[ActorSpec]) -> list[ActorSpec]:
    """Leave out who would start less than a second behind the one before him."""
    kept: list[ActorSpec] = []
    for spec in sorted(specs, key=lambda spec: -spec.s_m):
        room = (spec.length_m + kept[-1].length_m) / 2.0 + spec.speed_mps if kept else 0.0
        if not kept or kept[-1].s_m - spec.s_m >= room:
            kept.append(spec)
    return kept


def _walker(name: str, road: Road, s_m: float, d_m: float, rng: Random) -> ActorSpec:
    """Return somebody who walks along the pavement, one way or the other."""
    points = [road.place(s_m + 10.0 * i, d_m)[:2] for i in range(-16, 17)]
    way = Polyline(points if rng.random() < 0.5 else points[::-1])
    return ActorSpec(name, 160.0, 0.0, rng.uniform(0.8, 1.8), (), KINDS[rng.choice(("adult", "child"))], way)


def _backwards(road: Road, s_m: float, d_m: float) -> Polyline:
    """Return the way of somebody who comes against the car from ``s_m`` on."""
    points = [road.place(s_m - 5.0 * i, d_m)[:2] for i in range(max(2, round((s_m - START_S_M) / 5.0) + 40))]
    return Polyline(points)


MANOEUVRES: dict[str, type[Manoeuvre]] = {"endurance": Endurance}
