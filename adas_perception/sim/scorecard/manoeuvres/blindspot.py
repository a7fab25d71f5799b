"""Road users beside and behind the car: cases for blind spot detection."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.scorecard.manoeuvres.common import (
    CAR,
    KMH,
    RIGHT_LANE_M,
    TARGETS,
    at_base_link,
    body,
    by_hand,
    scene,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import Event, When

_SIDES = {"left": 1.0, "right": -1.0}
_APPROACH_MPS = 2.0
_APPROACH_S = 5.0


def beside_d_m(side: str, gap_m: float, width_m: float) -> float:
    """Return d of a body with ``gap_m`` between its side and the car's."""
    return RIGHT_LANE_M + _SIDES[side] * (CAR.width_m / 2.0 + gap_m + width_m / 2.0)


@dataclass(frozen=True)
class Beside(Manoeuvre):
    """Somebody comes up from behind, then stays beside the car with his centre at ``x_m`` of base_link."""

    speed_kmh: float = param(80.0, "speed of both", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    x_m: float = param(0.0, "where he stays, his centre in base_link", unit="m", low=-60.0, high=10.0)
    gap_m: float = param(1.5, "distance between the sides", unit="m", low=0.2, high=10.0)
    side: str = param("left", "side", choices=("left", "right"))

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        brake_m = _APPROACH_MPS / 2.0
        start = self.x_m - _APPROACH_MPS * _APPROACH_S - brake_m
        other = body(
            "target", self.target, at_base_link(start), beside_d_m(self.side, self.gap_m, kind.width_m),
            speed + _APPROACH_MPS, Event(When.TIME, _APPROACH_S, speed, _APPROACH_MPS),
        )  # fmt: skip
        return Stage(scene("beside", 10.0, speed, by_hand(speed), (other,)), target="target")


@dataclass(frozen=True)
class Overtaken(Manoeuvre):
    """Somebody passes in the neighbouring lane with ``closing_mps``; negative: the car passes him."""

    speed_kmh: float = param(80.0, "speed of the car", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    closing_mps: float = param(5.0, "faster than the car by", unit="m/s", low=-40.0, high=40.0)
    gap_m: float = param(1.5, "distance between the sides", unit="m", low=0.2, high=10.0)
    side: str = param("left", "side", choices=("left", "right"))

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind, closing = self.speed_kmh * KMH, KINDS[self.target], self.closing_mps
        far = 6.0 * abs(closing) + 8.0
        start = -far if closing > 0.0 else far
        other = body(
            "target", self.target, at_base_link(start), beside_d_m(self.side, self.gap_m, kind.width_m), speed + closing
        )
        seconds = (far + 12.0) / abs(closing)
        return Stage(scene("overtaking", seconds, speed, by_hand(speed), (other,)), target="target")


@dataclass(frozen=True)
class Follower(Manoeuvre):
    """Somebody follows in the car's own lane."""

    speed_kmh: float = param(80.0, "speed of both", unit="km/h", low=0.0, high=200.0)
    target: str = param("car", "kind of the other", choices=TARGETS)
    gap_m: float = param(5.0, "distance behind the bumper", unit="m", low=0.5, high=100.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        s = at_base_link(-CAR.rear_overhang_m - self.gap_m - kind.length_m / 2.0)
        other = body("target", self.target, s, RIGHT_LANE_M, speed)
        return Stage(scene("follower", 8.0, speed, by_hand(speed), (other,)), target="target")


MANOEUVRES: dict[str, type[Manoeuvre]] = {"beside": Beside, "overtaken": Overtaken, "follower": Follower}
