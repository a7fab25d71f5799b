"""Blind spot detection and lane change warning (ISO 17387): who is beside the car, or will be before a lane change.

Two zones on each side, bent along the road: the adjacent zone from behind the rear bumper to the driver's eye, and
the rear zone behind it, where the time to collision counts. Level 1 informs, level 2 warns a driver who indicates.

Beside the doors hardly a radar sees anything, and what it sees there is the end of a flank. So who is in the zone
stays in with some slack, and who vanishes there is taken to drive on as before until it should have left the zone.

A side that no radar looks at is not free but unknown: without both rear radars there is no blind spot detection.
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
    RadarTargets,
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
    NO_REAR_RADARS = "a rear radar was never heard"
    REAR_RADARS_STALE = "a rear radar is silent"


SIDES = (Side.LEFT, Side.RIGHT)
REAR_RADARS = ("rear_left", "rear_right")
INDICATED = {Indicator.LEFT: Side.LEFT, Indicator.RIGHT: Side.RIGHT}


@dataclass(frozen=True)
class BsdParams(Params):
    """Parameters of BSD."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    guide: guide.BsdRule = guide.BsdRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.3, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    objects_age_s: float = param(0.3, "oldest usable objects and scans of rear radars", unit="s", low=0.02, high=1.0)
    lanes_age_s: float = param(0.3, "oldest usable lane lines", unit="s", low=0.02, high=1.0)
    line_confidence: float = param(0.5, "lines below this confidence are not used", low=0.0, high=1.0)
    speed_min_mps: float = param(2.78, "BSD works from this speed", unit="m/s", low=0.0, high=15.0)
    cycles_min: int = param(2, "sensor cycles before an object counts", low=1, high=20)
    zone_inner_m: float = param(0.5, "nearest edge of the zones, from the body", unit="m", low=0.0, high=1.0)
    zone_outer_m: float = param(
        3.7, "farthest edge of the zones, from the body: 3 m and half of what is left to the lane after the next",
        unit="m", low=2.0, high=5.0,
    )  # fmt: skip
    zone_behind_m: float = param(3.0, "adjacent zone: so far behind the bumper", unit="m", low=0.0, high=10.0)
    mirror_x_m: float = param(1.9, "adjacent zone: up to here, the driver's eye", unit="m", low=0.0, high=4.0)
    slack_m: float = param(0.5, "who is in the adjacent zone stays in so far beside it", unit="m", low=0.0, high=2.0)
    hold_s: float = param(3.0, "longest memory of who vanished in the adjacent zone", unit="s", low=0.0, high=10.0)
    known_s: float = param(0.5, "only who was seen there so long is remembered", unit="s", low=0.0, high=5.0)
    rear_zone_m: float = param(80.0, "rear zone: so far behind the bumper", unit="m", low=10.0, high=150.0)
    closing_mps: tuple[float, ...] = param(
        (10.0, 15.0), "closing speeds of types A and B", unit="m/s", low=1.0, high=50.0
    )
    ttc_s: tuple[float, ...] = param(
        (2.5, 3.0, 3.5), "time to collision of types A, B, C", unit="s", low=1.0, high=10.0
    )
    gap_margin_m: float = param(
        1.0, "closing traffic is taken to be so much nearer, for its unknown length", unit="m", low=0.0, high=3.0
    )
    ttc_margin_s: float = param(0.3, "earlier by the delay until the lamp is on", unit="s", low=0.0, high=2.0)
    moving_mps: float = param(1.5, "slower objects are infrastructure", unit="m/s", low=0.2, high=5.0)
    overtaking_mps: float = param(0.5, "slower than the car by this is being overtaken", unit="m/s", low=0.1, high=5.0)
    overtaking_s: float = param(2.0, "who is overtaken counts after so long in the zone", unit="s", low=0.0, high=5.0)
    on_s: float = param(0.15, "taken this long lights the lamp; 0.3 s is the limit", unit="s", low=0.0, high=0.3)
    off_s: float = param(0.5, "free this long puts the lamp out", unit="s", low=0.0, high=2.0)


@dataclass(frozen=True, slots=True)
class Occupant:
    """Somebody in the adjacent zone, along the road in base_link; ``taken`` tells that it lights the lamp."""

    side: Side
    since_ns: int
    seen_ns: int
    rear_m: float
    front_m: float
    closing_mps: float
    taken: bool

    def moved_m(self, now_ns: int) -> float:
        """Return how far it has come nearer since it was seen, at its last speed."""
        return self.closing_mps * seconds(now_ns - self.seen_ns)


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


def _side(n: Neighbour) -> Side:
    return Side.LEFT if n.d_m > 0.0 else Side.RIGHT


class Bsd:
    """Blind spot detection on both sides; it never asks for actuation."""

    def __init__(self, params: BsdParams, limits: Limits) -> None:
        self._p = params
        self._lamps = self._dark()
        self._occupants: dict[int, Occupant] = {}
        self._scans: dict[str, RadarTargets] = {}

    def hear(self, targets: RadarTargets) -> None:
        """Take note of a scan: its objects come through the fusion, but an empty one says that the radar is there."""
        self._scans[targets.sensor] = targets

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
        rear = [self._scans.get(name) for name in REAR_RADARS]
        if None in rear:
            return self._off(now_ns, sample_ns, Reason.NO_REAR_RADARS)
        if not all(fresh(scan, now_ns, p.objects_age_s) for scan in rear):
            return self._off(now_ns, sample_ns, Reason.REAR_RADARS_STALE)
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
        closing_in: dict[Side, float] = {}
        present: dict[int, Occupant] = {}
        ids: set[int] = set()
        for n in near:
            ids.add(n.track.id)
            occupant = self._occupant(now_ns, n, ego.speed_mps)
            if occupant is not None:
                present[n.track.id] = occupant
                continue
            side, ttc = self._closing_in(n, ego.speed_mps)
            closing_in[side] = min(closing_in.get(side, math.inf), ttc)
        held = {i: o for i, o in self._occupants.items() if i not in ids and self._hidden(now_ns, o)}
        self._occupants = held | present
        beside = {o.side: 0.0 for o in self._occupants.values() if o.taken}
        return {side: ttc for side, ttc in closing_in.items() if math.isfinite(ttc)} | beside

    def _occupant(self, now_ns: int, n: Neighbour, ego_mps: float) -> Occupant | None:
        """Return a track as somebody in the adjacent zone, if it is there."""
        p = self._p
        before = self._occupants.get(n.track.id)
        slack = p.slack_m if before else 0.0
        front, rear = n.s_m + n.half_length_m, n.s_m - n.half_length_m
        lengthwise = front > self._zone_rear_m and rear < p.mirror_x_m
        if not lengthwise or not self._in_strip(n, slack) or n.vs_mps < p.moving_mps:
            return None
        since = before.since_ns if before else now_ns
        closing = n.vs_mps - ego_mps
        taken = closing > -p.overtaking_mps or seconds(now_ns - since) >= p.overtaking_s
        return Occupant(_side(n), since, now_ns, rear, front, closing, taken)

    def _hidden(self, now_ns: int, o: Occupant) -> bool:
        """Return whether somebody who is no longer seen must still be in the zone."""
        p, moved = self._p, o.moved_m(now_ns)
        known = seconds(o.seen_ns - o.since_ns) >= p.known_s
        recent = 0.0 <= seconds(now_ns - o.seen_ns) < p.hold_s
        return known and recent and o.front_m + moved > self._zone_rear_m and o.rear_m + moved < p.mirror_x_m

    def _closing_in(self, n: Neighbour, ego_mps: float) -> tuple[Side, float]:
        """Return the side of a track and its time to collision if that is short enough to count, else infinity."""
        p, side = self._p, _side(n)
        closing = n.vs_mps - ego_mps
        gap = -self._p.vehicle.rear_overhang_m - n.s_m - n.half_length_m
        counts = self._in_strip(n, 0.0) and n.vs_mps >= p.moving_mps and 0.0 < gap < p.rear_zone_m and closing > 0.0
        near = counts and (gap - p.gap_margin_m) / closing <= self._ttc_limit(closing)
        return side, gap / closing if near else math.inf

    def _in_strip(self, n: Neighbour, slack_m: float) -> bool:
        """Return whether a track is beside the car's own strip of road and not two lanes over."""
        p = self._p
        beside = abs(n.d_m) - p.vehicle.width_m / 2.0
        return beside > p.zone_inner_m - slack_m and beside - n.half_width_m < p.zone_outer_m + slack_m

    @property
    def _zone_rear_m(self) -> float:
        return -self._p.vehicle.rear_overhang_m - self._p.zone_behind_m

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
        self._lamps, self._occupants = self._dark(), {}
        # A car that has no rear radars is no fault.
        quiet = reason in (Reason.GEAR, Reason.SPEED, Reason.NO_REAR_RADARS)
        level = Level.OK if quiet else Level.WARN
        values = {"left_level": 0.0, "right_level": 0.0}
        return decide(Function.BSD, now_ns, sample_ns, level, State.OFF.name, reason.name, values)

    def _dark(self) -> dict[Side, Lamp]:
        return {side: Lamp(self._p.on_s, self._p.off_s) for side in SIDES}
