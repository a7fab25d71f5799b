"""One parking manoeuvre: plan, drive, stop before what the plan does not know, plan again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa.back import Back, kerb
from adas_perception.functions.apa.geometry import Array, Body, Pose, along, trace
from adas_perception.functions.apa.local_map import Heard, LocalMap
from adas_perception.functions.apa.plan import Path, Planner, Planning, Scene
from adas_perception.functions.apa.search import SizeParams, edges, parked
from adas_perception.functions.apa.slots import Slot, SlotKind
from adas_perception.functions.apa.track import STANDING_MPS, Drive, Tracker, TrackParams
from adas_perception.functions.apa.zones import Echo, Zone, ZoneParams, Zones, ZoneState
from adas_perception.params import Params, Vehicle, param
from adas_perception.types import EgoState, Gear, nanoseconds

# Where else something may be that was found on the way: an echo tells its distance better than its direction.
_ROUND_M = 0.15 * np.array([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)])
# So near to the edges of a slot the side sensors may have missed something.
_AT_EDGE_M = 0.08
# So far beside a slot the line of the row is known from its neighbours.
_AROUND_M = 1.0
_POSES_M, _AHEAD = 0.1, 6


class Phase(Enum):
    """What a manoeuvre is doing."""

    PLANNING = "looks for a way"
    DRIVING = "drives"
    WAITING = "stands before an obstacle"
    DONE = "parked"
    NO_PATH = "found no way"
    LOST = "left the path"


@dataclass(frozen=True)
class ManoeuvreParams(Params):
    """How patient a manoeuvre is, and when the car has left its path."""

    work_per_step: int = param(6, "pieces of planning work a cycle", low=1, high=10_000)
    clear_s: float = param(1.0, "way free so long before the car goes on", unit="s", low=0.0, high=10.0)
    go_on_mps: float = param(0.3, "the car goes on when it may be this fast", unit="m/s", low=0.0, high=1.0)
    replan_s: float = param(3.0, "after so long another way is looked for", unit="s", low=0.2, high=60.0)
    known_replan_s: float = param(0.4, "the same before what the plan knows", unit="s", low=0.0, high=10.0)
    replans_max: int = param(12, "most plans of a manoeuvre", low=1, high=100)
    give_up_s: float = param(30.0, "a way blocked for so long is given up", unit="s", low=1.0, high=300.0)
    changed_m: float = param(0.05, "a plan with a found thing so near is made anew", unit="m", low=0.0, high=0.3)
    nearer_m: float = param(0.03, "the same with a known one so much nearer than planned", unit="m", low=0.0, high=0.3)
    tight_nearer_m: float = param(0.05, "the same in the tightest slots", unit="m", low=0.0, high=0.3)
    off_path_m: float = param(0.4, "farther beside its path the car is lost", unit="m", low=0.05, high=2.0)


class Manoeuvre:
    """Drives the car into one slot. Each cycle: tell it the echoes with ``hear``, then ``step``."""

    def __init__(
        self,
        params: ManoeuvreParams,
        track: TrackParams,
        zones: ZoneParams,
        size: SizeParams,
        planner: Planner,
        vehicle: Vehicle,
        slot: Slot,
        chart: LocalMap,
    ) -> None:
        self.slot = slot
        self.phase = Phase.PLANNING
        self.zone = ZoneState()
        self.moves = 0
        self.plans = 0
        self.path: Path = ()
        self._poses: Array = np.empty((0, 3))
        self._at = 0
        # How far the plan keeps away from what is known, and where along it that was so.
        self._keeps_m = 0.0
        self._kept: NDArray[np.bool_] = np.empty(0, dtype=bool)
        # The map has changed against the path: it may not be driven on, also when no other one is found.
        self._void = False
        self._p, self._track, self._size = params, track, size
        self._vehicle, self._planner, self._map = vehicle, planner, chart
        self._zones, self._body = Zones(zones, vehicle), Body.outline(vehicle)
        self._back = Back(slot, vehicle.width_m + size.depth_extra_m, zones.half_cone_rad)
        self._planning: Planning | None = None
        self._tracker: Tracker | None = None
        self._start = Pose(0.0, 0.0, 0.0)
        self._plan_ns = self._path_ns = self._first_ns = 0
        self._heard: dict[str, Heard] = {}
        self._fresh: set[str] = set()
        self._blocked_ns: int | None = None
        self._clear_ns: int | None = None
        self._way = 0

    def hear(self, heard: Mapping[str, Heard | None]) -> None:
        """Take in how the echoes of this cycle were understood, by sensor; None: nothing near."""
        for sensor, echo in heard.items():
            self._fresh.add(sensor)
            if echo is None:
                self._heard.pop(sensor, None)
            else:
                self._heard[sensor] = echo
        if self.plans:
            self._back.hear(echo for echo in heard.values() if echo is not None and echo.since_ns > self._first_ns)

    def step(self, now_ns: int, ego: EgoState) -> Drive:
        """Return what to do in this cycle."""
        if self.phase is Phase.PLANNING:
            drive = self._plan(now_ns, ego)
        elif self._tracker is None or self.phase in (Phase.DONE, Phase.NO_PATH, Phase.LOST):
            drive = self._stand(ego)
        else:
            drive = self._drive(now_ns, ego, self._tracker)
        self._fresh.clear()
        return drive

    def poses(self) -> tuple[Pose, ...]:
        """Return the planned path in odometry, every 0.1 m."""
        return tuple(Pose(*row) for row in self._poses.tolist())

    # --- planning ---

    def _plan(self, now_ns: int, ego: EgoState) -> Drive:
        if abs(ego.speed_mps) < STANDING_MPS:
            if self._planning is None:
                self._begin(now_ns, ego)
            self._work(now_ns)
        return self._stand(ego)

    def _begin(self, now_ns: int, ego: EgoState) -> None:
        frame = self.slot.frame
        if not self.plans:
            self._forget(now_ns, Pose(ego.x_m, ego.y_m, ego.yaw_rad))
            neighbours, back = edges(self.slot, self._vehicle)
            self._assume(now_ns, *back, low=self.slot.kind is SlotKind.PARALLEL)
            self._assume(now_ns, *neighbours, low=False)
            self._first_ns = now_ns
        if self._back.depth_m < self.slot.depth_m:
            self.slot = replace(self.slot, depth_m=self._back.depth_m)
            self._assume(now_ns, *kerb(self.slot), low=True)
        self.plans += 1
        self._plan_ns = now_ns
        found = self._map.found_since(self._first_ns)
        points = np.concatenate((self._map.points, *(found + shift for shift in _ROUND_M)))
        self._start = Pose(ego.x_m, ego.y_m, ego.yaw_rad)
        scene = Scene(
            frame.points_to_local(points),
            frame.to_local(self._start),
            parked(self.slot, self._vehicle, self._size),
            frame.points_to_local(self._map.low),
        )
        self._planning = self._planner.planning(scene)

    def _assume(self, now_ns: int, points: Array, facing: Array, low: bool) -> None:
        """Take points in the frame of the slot into the map."""
        frame = self.slot.frame
        self._map.assume(now_ns, frame.points_to_odom(points), frame.yaw_rad + frame.side * facing, low)

    def _forget(self, now_ns: int, car: Pose) -> None:
        """Forget what lies in the slot or before its line: there the side sensors have found nothing nearer.

        In passing, the direction of a corner is known to one or two decimetres only, its place in the row to one tenth
        of that.
        """
        slot, half = self.slot, self.slot.length_m / 2.0
        depth = min(slot.depth_m, self._vehicle.length_m) - _AT_EDGE_M
        passed_m = slot.frame.to_local(car).y_m - self._vehicle.width_m / 2.0
        lean = 1.0 / math.tan(slot.axis_rad) if slot.kind is SlotKind.ANGLED else 0.0
        self._map.free(slot.frame, half - _AT_EDGE_M * math.hypot(1.0, lean), (-depth, 0.0), lean)
        self._map.free(slot.frame, half + _AROUND_M, (_AT_EDGE_M, passed_m))
        self._map.tidy(now_ns, car)

    def _work(self, now_ns: int) -> None:
        """Do a few pieces of work; when there is a path, take it."""
        assert self._planning is not None
        try:
            for _ in range(self._p.work_per_step):
                next(self._planning)
        except StopIteration as end:
            self._planning = None
            self._take(now_ns, end.value)

    def _take(self, now_ns: int, path: Path | None) -> None:
        if not path:
            waiting = self._blocked_ns is not None and self.plans < self._p.replans_max
            self.phase = Phase.WAITING if waiting else Phase.NO_PATH
            return
        self._path_ns, self._void = self._plan_ns, False
        side = self.slot.frame.side
        self.path = tuple(piece._replace(curvature=side * piece.curvature) for piece in path)
        self._tracker = Tracker(self._track, self._vehicle, self._start, self.path)
        self._poses, self._at = trace(self._start, self.path, _POSES_M), 0
        # In the tightest slots every plan anew costs moves.
        tight = self._planner.margin_m <= self._planner.tight_m
        spare_m = self._p.tight_nearer_m if tight else self._p.nearer_m
        # Room to spare may shrink: a plan that would be made with less is still a good one.
        self._keeps_m = min(self._planner.margin_m - spare_m, self._planner.enough_m)
        self._kept = self._body.free(self._poses, self._map.points, self._keeps_m)
        self._blocked_ns = self._clear_ns = None
        self._zones.reset()
        self.phase = Phase.DRIVING

    # --- driving ---

    def _drive(self, now_ns: int, ego: EgoState, tracker: Tracker) -> Drive:
        leg = tracker.leg
        if leg is None:
            self.phase = Phase.DONE
            return self._stand(ego)
        self._watch(ego, tracker)
        if self._off_path(ego, tracker):
            self.phase = Phase.LOST
            return self._stand(ego)
        if not self._void and self._map_changed(ego):
            more = self.plans < self._p.replans_max
            self._blocked_ns, self.phase, self._void = now_ns, Phase.PLANNING if more else Phase.NO_PATH, True
            return tracker.stop(ego)
        blocked = self._void or self.zone.zone is Zone.STOP
        if self.phase is Phase.DRIVING and not blocked:
            before = tracker.moved
            drive = tracker.step(ego, self.zone.cap_mps)
            self.moves += tracker.moved - before
            return drive
        # What has stopped the car must leave some room before it is worth going on.
        blocked |= self.zone.cap_mps < self._p.go_on_mps and not self._ahead_since(self._path_ns)
        self._wait(now_ns, ego, blocked)
        return tracker.stop(ego)

    def _watch(self, ego: EgoState, tracker: Tracker) -> None:
        """Look at the zones ahead, along the arc that the wheels are set to or will be set to."""
        assert tracker.leg is not None
        _, segment = tracker.leg
        way = 1 if segment.length_m > 0.0 else -1
        stands = abs(ego.speed_mps) < STANDING_MPS
        turned = math.tan(ego.steering_rad) / self._vehicle.wheelbase_m
        if way != self._way:
            self._zones.reset()
            self._way = way
        first, plan = self._first_ns, self._path_ns
        heard = (h for h in self._heard.values() if not h.low)
        echoes = [Echo(h, h.since_ns <= first, h.sure, h.since_ns <= plan) for h in heard]
        curvature = segment.curvature if stands else turned
        car = Pose(ego.x_m, ego.y_m, ego.yaw_rad)
        self.zone = self._zones.step(car, curvature, way, ego.speed_mps, echoes, frozenset(self._fresh))

    def _wait(self, now_ns: int, ego: EgoState, blocked: bool) -> None:
        """Stand until the way is clear for a while; look for another way when it stays blocked."""
        self.phase = Phase.WAITING
        if self._blocked_ns is None:
            self._blocked_ns = now_ns
        if not blocked:
            self._clear_ns = self._clear_ns or now_ns
            if now_ns - self._clear_ns >= nanoseconds(self._p.clear_s):
                self._blocked_ns = self._clear_ns = None
                self.phase = Phase.DRIVING
            return
        self._clear_ns = None
        waited_s = (now_ns - self._blocked_ns) / 1e9
        patience = self._p.known_replan_s if self._ahead_since(self._first_ns) else self._p.replan_s
        since_s = (now_ns - max(self._blocked_ns, self._plan_ns)) / 1e9
        if waited_s >= self._p.give_up_s:
            self.phase = Phase.NO_PATH
        elif abs(ego.speed_mps) < STANDING_MPS and since_s >= patience and self.plans < self._p.replans_max:
            self.phase = Phase.PLANNING

    def _map_changed(self, ego: EgoState) -> bool:
        """Tell whether the plan would not have been made with what the map knows now."""
        if self._map.raised_ns > self._plan_ns or self._back.depth_m < self.slot.depth_m:
            return True
        # A path may come by the same place twice, so the car is looked for a little ahead of where it was.
        near = self._poses[self._at : self._at + _AHEAD]
        self._at += int(np.argmin(np.hypot(near[:, 0] - ego.x_m, near[:, 1] - ego.y_m)))
        ahead = self._poses[self._at :]
        found = self._map.found_since(self._plan_ns, sure=True)
        if len(found) and not self._body.free(ahead, found, self._p.changed_m).all():
            return True
        known = self._map.known_since(self._plan_ns)
        nearer = self._kept[self._at :] & ~self._body.free(ahead, known, self._keeps_m)
        return bool(nearer.any())

    def _ahead_since(self, stamp_ns: int) -> bool:
        """Tell whether what lies ahead was known at a time."""
        heard = self._heard.get(self.zone.sensor)
        return heard is not None and heard.since_ns <= stamp_ns

    def _off_path(self, ego: EgoState, tracker: Tracker) -> bool:
        assert tracker.leg is not None
        start, segment = tracker.leg
        at = np.array([along(start, segment.curvature, part * segment.length_m) for part in np.linspace(0.0, 1.0, 9)])
        nearest = float(np.hypot(at[:, 0] - ego.x_m, at[:, 1] - ego.y_m).min())
        return nearest > self._p.off_path_m + abs(segment.length_m) / 8.0

    def _stand(self, ego: EgoState) -> Drive:
        gear = Gear.PARK if self.phase is Phase.DONE and ego.gear is not Gear.PARK else None
        brake = self._track.hold_mps2 if abs(ego.speed_mps) < STANDING_MPS else self._track.brake_mps2
        steering = 0.0 if self.phase is Phase.DONE else ego.steering_rad
        return Drive(-brake, steering, gear, hold=True)
