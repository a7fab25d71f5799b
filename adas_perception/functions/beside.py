"""Who makes a lane change dangerous: road users beside the car, and those who come from behind too soon."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.functions.common import usable_tracks
from adas_perception.functions.lead import Lines
from adas_perception.functions.path import Arc, Neighbour, ego_arc, neighbour
from adas_perception.params import Params, Vehicle, param
from adas_perception.types import EgoState, Objects, Side, seconds


@dataclass(frozen=True)
class BesideParams(Params):
    """Which part of the neighbour lane must be free (EN26-LD, emergency lane keeping with an overtaking vehicle)."""

    cycles_min: int = param(3, "sensor cycles before an object counts", low=1, high=20)
    strip_m: float = param(3.0, "nearer to the body than this is the next lane", unit="m", low=1.0, high=5.0)
    moving_mps: float = param(1.5, "slower objects are infrastructure", unit="m/s", low=0.2, high=5.0)
    room_m: float = param(1.0, "room that must be free behind and ahead of the car", unit="m", low=0.0, high=10.0)
    ttc_s: float = param(3.0, "who comes from behind sooner is in the way", unit="s", low=0.5, high=6.0)
    hold_s: float = param(0.5, "a side counts as taken for so long after", unit="s", low=0.0, high=3.0)


class Beside:
    """Tells which sides are taken."""

    def __init__(self, params: BesideParams, vehicle: Vehicle) -> None:
        self._p = params
        self._vehicle = vehicle
        self._taken_ns: dict[Side, int] = {}

    def step(self, now_ns: int, ego: EgoState, objects: Objects | None, lines: Lines) -> frozenset[Side]:
        """Return the sides on which a lane change would meet somebody; ``objects`` None is nothing known."""
        for track in usable_tracks(objects) if objects else ():
            if track.age >= self._p.cycles_min:
                age_s = seconds(now_ns - objects.stamp_ns) if objects else 0.0
                near = neighbour(track, _road(ego, lines, self._vehicle), ego.speed_mps, age_s)
                if self._in_the_way(near, ego.speed_mps):
                    self._taken_ns[Side.LEFT if near.d_m > 0.0 else Side.RIGHT] = now_ns
        return frozenset(
            side for side, since in self._taken_ns.items() if 0.0 <= seconds(now_ns - since) <= self._p.hold_s
        )

    def _in_the_way(self, near: Neighbour, ego_mps: float) -> bool:
        p, v = self._p, self._vehicle
        between = abs(near.d_m) - near.half_width_m - v.width_m / 2.0
        if near.vs_mps < p.moving_mps or not 0.0 < between < p.strip_m:
            return False
        ahead = near.s_m - near.half_length_m - v.front_x_m
        behind = -v.rear_overhang_m - near.s_m - near.half_length_m
        return ahead < p.room_m and behind < max(p.room_m, (near.vs_mps - ego_mps) * p.ttc_s)


def _road(ego: EgoState, lines: Lines, vehicle: Vehicle) -> Arc:
    """Return the arc of the road, from the lines at the car where there are any."""
    seen = [line.curvature(0.0) for line in lines if line]
    return Arc(sum(seen) / len(seen)) if seen else ego_arc(ego, vehicle)
