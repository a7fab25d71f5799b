"""Blind spot detection and lane change warning (ISO 17387): who is beside the car, or will be before a lane change.

Two zones on each side, bent along the road: the adjacent zone from behind the rear bumper to the driver's eye, and
the rear zone behind it, where the time to collision counts. Level 1 informs, level 2 warns a driver who indicates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from adas_perception.functions import guide
from adas_perception.functions.common import decide, driver_usable, ego_usable, usable_tracks
from adas_perception.functions.lead import usable_lines
from adas_perception.functions.path import Arc, Neighbour, ego_arc, neighbour
from adas_perception.limits import Limits
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import age_s, fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Function,
    Gear,
    Indicator,
    LaneLines,
    Level,
    Objects,
    Side,
    seconds,
)


class State(Enum):
    """States of BSD."""

    OFF = "not available"
    READY = "both sides free"
    WARN = "a side is taken"


class Reason(Enum):
    """Why BSD is in its state."""

    FREE = "nobody beside or closing in"
    OCCUPIED = "a road user beside or closing in"
    INDICATED = "the driver indicates towards a taken side"
    SPEED = "below the lowest speed"
    GEAR = "not in drive"
    EGO_STALE = "no recent vehicle state"
    OBJECTS_STALE = "no recent objects"


SIDES = (Side.LEFT, Side.RIGHT)
INDICATED = {Indicator.LEFT: Side.LEFT, Indicator.RIGHT: Side.RIGHT}


@dataclass(frozen=True)
class BsdParams(Params):
    """Parameters of BSD."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    guide: guide.BsdRule = guide.BsdRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    objects_age_s: float = param(0.3, "oldest usable objects", unit="s", low=0.02, high=1.0)
    lanes_age_s: float = param(0.3, "oldest usable lane lines", unit="s", low=0.02, high=1.0)
    line_confidence: float = param(0.5, "lines below this confidence are not used", low=0.0, high=1.0)
    speed_min_mps: float = param(2.78, "BSD works from this speed", unit="m/s", low=0.0, high=15.0)
    cycles_min: int = param(2, "sensor cycles before an object counts", low=1, high=20)
    zone_inner_m: float = param(0.5, "nearest edge of the zones, from the body", unit="m", low=0.0, high=1.0)
    zone_outer_m: float = param(3.0, "farthest edge of the zones, from the body", unit="m", low=2.0, high=5.0)
    zone_behind_m: float = param(3.0, "adjacent zone: so far behind the bumper", unit="m", low=0.0, high=10.0)
    mirror_x_m: float = param(1.9, "adjacent zone: up to here, the driver's eye", unit="m", low=0.0, high=4.0)
    rear_zone_m: float = param(80.0, "rear zone: so far behind the bumper", unit="m", low=10.0, high=150.0)
    closing_mps: tuple[float, ...] = param(
        (10.0, 15.0), "closing speeds of types A and B", unit="m/s", low=1.0, high=50.0
    )
    ttc_s: tuple[float, ...] = param(
        (2.5, 3.0, 3.5), "time to collision of types A, B, C", unit="s", low=1.0, high=10.0
    )
    ttc_margin_s: float = param(0.3, "earlier by the delay until the lamp is on", unit="s", low=0.0, high=2.0)
    moving_mps: float = param(1.5, "slower objects are infrastructure", unit="m/s", low=0.2, high=5.0)
    overtaking_mps: float = param(0.5, "slower than the car by this is being overtaken", unit="m/s", low=0.1, high=5.0)
    overtaking_s: float = param(2.0, "who is overtaken counts after so long in the zone", unit="s", low=0.0, high=5.0)
    on_s: float = param(0.15, "taken this long lights the lamp; 0.3 s is the limit", unit="s", low=0.0, high=0.3)
    off_s: float = param(0.5, "free this long puts the lamp out", unit="s", low=0.0, high=2.0)


class Lamp:
    """One side's lamp: on and off with delay."""

    def __init__(self, on_s: float, off_s: float) -> None:
        self._delay_s = {True: on_s, False: off_s}
        self.lit = False
        self._changed_ns: int | None = None

    def update(self, now_ns: int, taken: bool) -> bool:
        """Return whether the lamp is lit, after the side has been seen taken or free."""
        if taken is self.lit:
            self._changed_ns = None
        elif self._changed_ns is None:
            self._changed_ns = now_ns
        if self._changed_ns is not None and seconds(now_ns - self._changed_ns) >= self._delay_s[taken]:
            self.lit, self._changed_ns = taken, None
        return self.lit


class Bsd:
    """Blind spot detection on both sides; it never asks for actuation."""

    def __init__(self, params: BsdParams, limits: Limits) -> None:
        self._p = params
        self._lamps = self._dark()
        self._zone_since_ns: dict[int, int] = {}

    def step(
        self,
        now_ns: int,
        ego: EgoState | None,
        driver: DriverInput | None,
        objects: Objects | None,
        lanes: LaneLines | None,
    ) -> Decision:
        """Decide one cycle; the request has no opinion, the levels are in the state's values."""
        p = self._p
        sample_ns = objects.stamp_ns if objects else 0
        if not ego_usable(ego, now_ns, p.ego_age_s):
            return self._off(now_ns, sample_ns, Reason.EGO_STALE)
        if not fresh(objects, now_ns, p.objects_age_s):
            return self._off(now_ns, sample_ns, Reason.OBJECTS_STALE)
        if ego.gear is not Gear.DRIVE:
            return self._off(now_ns, sample_ns, Reason.GEAR)
        if ego.speed_mps < p.speed_min_mps:
            return self._off(now_ns, sample_ns, Reason.SPEED)

        arc = self._road(ego, lanes if fresh(lanes, now_ns, p.lanes_age_s) else None)
        age = age_s(objects, now_ns)
        tracks = (t for t in usable_tracks(objects) if t.age >= p.cycles_min)
        near = [neighbour(t, arc, ego.speed_mps, age) for t in tracks]
        indicator = driver.indicator if driver_usable(driver, now_ns, p.driver_age_s) else Indicator.OFF
        ttc = self._guide(near) if p.rule == "guide" else self._zones(now_ns, ego, near)
        return self._finish(now_ns, sample_ns, ttc, INDICATED.get(indicator))

    def _road(self, ego: EgoState, lanes: LaneLines | None) -> Arc:
        """Return the arc of the road, from the lines at the car where there are any."""
        seen = [line for line in usable_lines(lanes, self._p.line_confidence) if line]
        if seen:
            return Arc(sum(line.curvature(0.0) for line in seen) / len(seen))
        return ego_arc(ego, self._p.vehicle)

    def _zones(self, now_ns: int, ego: EgoState, near: Iterable[Neighbour]) -> dict[Side, float]:
        """Return the shortest time to collision of each taken side, 0 for somebody beside the car."""
        p, v = self._p, self._p.vehicle
        taken: dict[Side, float] = {}
        since: dict[int, int] = {}
        for n in near:
            side = Side.LEFT if n.d_m > 0.0 else Side.RIGHT
            beside = abs(n.d_m) - v.width_m / 2.0
            in_strip = beside > p.zone_inner_m and beside - n.half_width_m < p.zone_outer_m
            if not in_strip or n.vs_mps < p.moving_mps:
                continue
            front, rear = n.s_m + n.half_length_m, n.s_m - n.half_length_m
            closing = n.vs_mps - ego.speed_mps
            if front > -v.rear_overhang_m - p.zone_behind_m and rear < p.mirror_x_m:
                since[n.track.id] = self._zone_since_ns.get(n.track.id, now_ns)
                long_enough = seconds(now_ns - since[n.track.id]) >= p.overtaking_s
                if closing > -p.overtaking_mps or long_enough:
                    taken[side] = 0.0
                continue
            gap = -v.rear_overhang_m - front
            if 0.0 < gap < p.rear_zone_m and closing > 0.0 and gap / closing <= self._ttc_limit(closing):
                taken[side] = min(taken.get(side, math.inf), gap / closing)
        self._zone_since_ns = since
        return taken

    def _ttc_limit(self, closing_mps: float) -> float:
        """Return the time to collision from which a closing road user counts, by ISO 17387's types."""
        p = self._p
        kind = sum(closing_mps > limit for limit in p.closing_mps)
        return p.ttc_s[min(kind, len(p.ttc_s) - 1)] + p.ttc_margin_s

    def _guide(self, near: Iterable[Neighbour]) -> dict[Side, float]:
        """Return the sides on which an object's centre is in the guide's box."""
        sides = (guide.bsd(n.x_m, n.y_m, self._p.guide) for n in near)
        return {side: 0.0 for side in sides if side is not None}

    def _finish(self, now_ns: int, sample_ns: int, ttc: dict[Side, float], indicated: Side | None) -> Decision:
        lit = {side: self._lamps[side].update(now_ns, side in ttc) for side in SIDES}
        levels = {side: (2 if side is indicated else 1) if lit[side] else 0 for side in SIDES}
        values = {"left_level": float(levels[Side.LEFT]), "right_level": float(levels[Side.RIGHT])}
        for side, name in ((Side.LEFT, "left_ttc_s"), (Side.RIGHT, "right_ttc_s")):
            if side in ttc:
                values[name] = ttc[side]
        state, level, reason = (
            (State.READY, Level.OK, Reason.FREE),
            (State.WARN, Level.WARN, Reason.OCCUPIED),
            (State.WARN, Level.ERROR, Reason.INDICATED),
        )[max(levels.values())]
        return decide(Function.BSD, now_ns, sample_ns, level, state.name, reason.name, values)

    def _off(self, now_ns: int, sample_ns: int, reason: Reason) -> Decision:
        self._lamps, self._zone_since_ns = self._dark(), {}
        level = Level.OK if reason in (Reason.GEAR, Reason.SPEED) else Level.WARN
        values = {"left_level": 0.0, "right_level": 0.0}
        return decide(Function.BSD, now_ns, sample_ns, level, State.OFF.name, reason.name, values)

    def _dark(self) -> dict[Side, Lamp]:
        return {side: Lamp(self._p.on_s, self._p.off_s) for side in SIDES}
