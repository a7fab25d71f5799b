"""Paths into a slot: from the parked pose out to the car, and then driven the other way round.

Getting out is the narrow part, so the search starts in the slot. First one connection of arcs and lines (Reeds and
Shepp) from the parked pose, which is the one-move two-arc way where it fits, or after one stroke out of the slot; then
a general search for the fewest moves out of a tight slot (waves.py), followed by such a connection.
Every pose is checked against the map with the inflated body.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa.geometry import (
    Array,
    Body,
    Pose,
    Segment,
    along,
    backwards,
    end_of,
    joined,
    strokes,
    sweep,
    trace,
)
from adas_perception.functions.apa.reeds_shepp import connections
from adas_perception.functions.apa.waves import Waves
from adas_perception.params import Params, Vehicle, param

Path = tuple[Segment, ...]
Planning = Generator[None, None, Path | None]
NOTHING: Array = np.empty((0, 2))


@dataclass(frozen=True)
class PlanParams(Params):
    """What a path may look like."""

    steering_rad: float = param(0.52, "road-wheel angle of the arcs", unit="rad", low=0.2, high=1.2)
    tight_steering_rad: float = param(0.55, "the same where nothing else helps", unit="rad", low=0.2, high=1.2)
    wide_margin_m: float = param(0.17, "free space around the body where there is room", unit="m", low=0.1, high=0.5)
    margin_m: float = param(0.13, "the same where there is less", unit="m", low=0.1, high=0.5)
    tight_margin_m: float = param(0.10, "the same where nothing else helps", unit="m", low=0.1, high=0.5)
    aside_m: float = param(0.03, "where needed the car may stand so much farther out", unit="m", low=0.0, high=0.1)
    askew_rad: float = param(0.0175, "and be turned so much outwards", unit="rad", low=0.0, high=0.035)
    kerb_margin_m: float = param(0.13, "free space to a kerb", unit="m", low=0.0, high=0.5)
    tight_kerb_margin_m: float = param(0.07, "the same where nothing else helps", unit="m", low=0.0, high=0.5)
    street_m: float = param(6.3, "width of street that may be used", unit="m", low=3.0, high=15.0)
    change_m: float = param(3.0, "way that a change of direction is worth", unit="m", low=0.0, high=20.0)
    wheels_m: float = param(1.0, "way that turning the wheels at a stand is worth", unit="m", low=0.0, high=5.0)
    moves_max: int = param(10, "most moves", low=1, high=20)
    few_moves: int = param(8, "a path with no more moves is good enough", low=1, high=20)
    wide_moves_max: int = param(5, "the same as long as room is looked for", low=1, high=20)
    step_m: float = param(0.05, "distance of the poses that are checked", unit="m", low=0.01, high=0.2)
    connect_max: int = param(10, "connections of a pose that are checked", low=1, high=48)
    nodes_max: int = param(60_000, "most poses of the general search", low=10, high=1_000_000)
    wide_nodes_max: int = param(8_000, "the same as long as room is looked for", low=10, high=1_000_000)


@dataclass(frozen=True)
class Scene:
    """What a plan is made for, in the frame of the slot: points (N, 2) in the way, start and parked pose.

    ``low`` are points of kerbs, which only the wheels must not touch.
    """

    points: Array
    start: Pose
    goal: Pose
    low: Array = field(default_factory=lambda: NOTHING)


class _Room(NamedTuple):
    """How much room a plan keeps: one after the other is tried. ``over_kerb`` is what a kerb must not touch.

    ``aside_m`` and ``askew_rad`` are how far the car ends from the parked pose; without nodes there is no search.
    """

    steering_rad: float
    margin_m: float
    over_kerb: Body
    kerb_margin_m: float
    moves_max: int
    nodes_max: int
    step_m: float = 0.06
    aside_m: float = 0.0
    askew_rad: float = 0.0


class Planner:
    """Plans for one car."""

    def __init__(self, params: PlanParams, vehicle: Vehicle) -> None:
        self._p = params
        self._body, wheels = Body.outline(vehicle), Body.wheels(vehicle)
        p, wide_m = params, params.wide_margin_m
        kerb_m, tight_m = p.kerb_margin_m, p.tight_margin_m
        tight = _Room(p.tight_steering_rad, tight_m, wheels, p.tight_kerb_margin_m, p.moves_max, p.nodes_max, _FINE_M)
        # A pose that is as good as the parked one may save moves.
        places = ((p.aside_m, 0.0), (0.0, p.askew_rad), (p.aside_m, p.askew_rad))
        self._rooms = (
            _Room(p.steering_rad, wide_m + 0.1, self._body, tight_m, p.wide_moves_max, p.wide_nodes_max // 2),
            _Room(p.steering_rad, wide_m, self._body, tight_m, p.wide_moves_max, p.wide_nodes_max),
            _Room(p.steering_rad, p.margin_m, wheels, kerb_m, p.wide_moves_max + 1, p.nodes_max // 2),
            _Room(p.steering_rad, p.margin_m, wheels, p.tight_kerb_margin_m, p.moves_max, p.nodes_max),
            tight,
            *(tight._replace(nodes_max=0, aside_m=aside_m, askew_rad=askew) for aside_m, askew in places),
        )
        self._wheelbase_m = vehicle.wheelbase_m
        # How far the latest plan keeps away from what the body can touch; what is enough, and the least.
        self.margin_m, self.enough_m, self.tight_m = wide_m, p.margin_m, tight_m
        self._room = self._rooms[0]
        self.radius_m = vehicle.wheelbase_m / math.tan(params.steering_rad)

    def plan(self, scene: Scene) -> Path | None:
        """Return the path from the start to the parked pose, None when there is none."""
        return run(self.planning(scene))

    def planning(self, scene: Scene) -> Planning:
        """Plan in small pieces of work, a few milliseconds each: a generator that returns what ``plan`` returns."""
        best: Path | None = None
        for room in self._rooms:
            self._room, self.radius_m = room, self._wheelbase_m / math.tan(room.steering_rad)
            x, y, yaw = scene.goal
            goal = Pose(x, y + room.aside_m, yaw + room.askew_rad)
            seen = replace(scene, points=self._body.moved_out(scene.start, scene.points, room.margin_m), goal=goal)
            if not self._free(seen, np.array([goal], dtype=np.float64)):
                continue
            found = yield from self._out_by_stroke(seen)
            found = found or (yield from self._out_by_turns(seen))
            if not found and room.nodes_max:
                found = yield from self._search(seen)
            if not found:
                continue
            found = yield from self._simplified(seen, found)
            if best is None or strokes(found) < strokes(best):
                best, self.margin_m = found, room.margin_m
            if strokes(best) <= self._p.few_moves:
                break
        return backwards(best) if best else None

    def cost(self, path: Path) -> float:
        """Return the length in metres, with what the moves and the turning of the wheels are worth."""
        way_m = sum(abs(s.length_m) for s in path)
        return way_m + self._p.change_m * strokes(path) + self._p.wheels_m * len(path)

    # --- pieces ---

    def _free(self, scene: Scene, poses: Array) -> bool:
        return bool(self._fits(scene, poses).all())

    def _fits(self, scene: Scene, poses: Array) -> NDArray[np.bool_]:
        """Tell for each pose whether the body keeps clear of the points and within the street."""
        reach = np.abs(np.sin(poses[:, 2])) * self._body.half_length_m
        reach += np.abs(np.cos(poses[:, 2])) * self._body.half_width_m
        top = poses[:, 1] + np.sin(poses[:, 2]) * self._body.middle_m + reach
        limit = max(self._p.street_m, scene.start.y_m + 1.5)
        room = self._room
        free = self._body.free(poses, scene.points, room.margin_m)
        free &= room.over_kerb.free(poses, scene.low, room.kerb_margin_m)
        fits: NDArray[np.bool_] = free & (top < limit)
        return fits

    def _connect(self, scene: Scene, start: Pose, before: Path, best: Path | None = None) -> Path | None:
        """Return the cheapest free connection of a pose with the car that is cheaper than ``best``.

        ``before`` is the way to that pose.
        """
        whole = ((*before, *way) for way in connections(start, scene.start, self.radius_m))
        limit = self.cost(best) if best else math.inf
        ways = sorted((self.cost(path), path) for path in whole if strokes(path) <= self._room.moves_max)
        for cost, path in ways[: self._p.connect_max]:
            if cost >= limit:
                return None
            rest = path[len(before) :]
            if all(self._free(scene, trace(start, rest, step)[1:-1]) for step in (_COARSE_M, self._p.step_m)):
                return path
        return None

    def _stroke(
        self, scene: Scene, start: Pose, curvature: float, way: int, longest_m: float, step_m: float
    ) -> float:
        """Return how far the car gets on an arc before something is in the way."""
        fits = self._fits(scene, sweep(start, Segment(way * longest_m, curvature), step_m))
        count = int(np.argmin(fits)) if not fits.all() else len(fits)
        return count * longest_m / len(fits)

    def _simplified(self, scene: Scene, path: Path) -> Generator[None, None, Path]:
        """Return the path with parts of it replaced by cheaper connections: what a search finds wriggles."""
        first = 0
        while first < len(path) - 1:
            ends = (i for i in range(first + 2, len(path)) if path[i].length_m * path[i - 1].length_m < 0.0)
            for last in (len(path), *ends, first + 2):
                shorter = self._replaced(scene, path, first, last)
                yield
                if shorter:
                    path = shorter
                    break
            else:
                first += 1
        return path

    def _replaced(self, scene: Scene, path: Path, first: int, last: int) -> Path | None:
        """Return a cheaper path whose pieces from ``first`` to before ``last`` are others, None when there is none."""
        start, end = (end_of(scene.goal, path[:i]) for i in (first, last))
        limit = self.cost(path) - _GAIN_M
        ways = [(joined((*path[:first], *way, *path[last:])), way) for way in connections(start, end, self.radius_m)]
        cheaper = sorted((cost, whole, way) for whole, way in ways if (cost := self.cost(whole)) < limit)
        for _, whole, way in cheaper[: self._p.connect_max]:
            if self._free(scene, trace(start, way, self._p.step_m)[1:-1]):
                return whole
        return None

    # --- one stroke out of the slot ---

    def _out_by_stroke(self, scene: Scene) -> Planning:
        """Return the cheapest way out by one stroke, at once or after some of it connected with the car."""
        k = 1.0 / self.radius_m
        best: Path | None = self._connect(scene, scene.goal, ())
        for way, curvature in ((1, 0.0), (-1, 0.0), (1, k), (1, -k)):
            length = self._stroke(scene, scene.goal, curvature, way, _LONGEST_STROKE_M, self._p.step_m)
            for part in _parts(length, _CONNECT_EVERY_M):
                segment = Segment(way * part, curvature)
                if best and self.cost((segment,)) > self.cost(best):
                    break
                connected = self._connect(scene, along(scene.goal, curvature, way * part), (segment,), best)
                best = connected or best
                yield
        return best

    # --- one stroke after another ---

    def _out_by_turns(self, scene: Scene) -> Planning:
        """Return the cheapest way out that turns the car as far as it gets, forwards and backwards by turns."""
        ways = []
        for first in (1, -1):
            found = yield from self._turning(scene, first)
            if found:
                ways.append(found)
        return min(ways, key=self.cost) if ways else None

    def _turning(self, scene: Scene, way: int) -> Planning:
        """Turn towards the street on the tightest arcs, each stroke to its end, until the car can leave."""
        path: Path = ()
        pose, short = scene.goal, 0
        while len(path) < self._room.moves_max and short < 2:
            curvature = way / self.radius_m
            length = self._stroke(scene, pose, curvature, way, _LONGEST_STROKE_M, _FINE_M / 2.0)
            yield
            if way > 0 and length > _LEAVING_M:
                left = yield from self._leaving(scene, pose, path, curvature, length)
                if left:
                    return left
            short = short + 1 if length < 2.0 * _FINE_M else 0
            if length:
                path = (*path, Segment(way * length, curvature))
                pose = along(pose, curvature, way * length)
            way = -way
        return None

    def _leaving(self, scene: Scene, pose: Pose, path: Path, curvature: float, length_m: float) -> Planning:
        """Return the cheapest path that leaves some way along the last stroke."""
        best: Path | None = None
        for part in _parts(length_m, _CONNECT_EVERY_M):
            before = (*path, Segment(part, curvature))
            best = self._connect(scene, along(pose, curvature, part), before, best) or best
            yield
        return best

    # --- general search ---

    def _search(self, scene: Scene) -> Planning:
        """Return the path with the fewest moves out of the slot, and on to the car."""
        near = np.hypot(scene.points[:, 0] - scene.goal.x_m, scene.points[:, 1] - scene.goal.y_m) < _SLOT_M
        inner = Scene(scene.points[near], scene.start, scene.goal, scene.low)
        waves = Waves(scene.goal, self.radius_m, lambda poses: self._fits(inner, poses), self._room.nodes_max,
                      self._room.step_m)  # fmt: skip
        found: list[int] = []
        began: tuple[int, int] | None = None
        since = 0
        for move, way, poses, numbers in waves.steps(self._room.moves_max):
            ended = began is not None and (began != (move, way) or since % _STEPS_PER_TRY == 0)
            if ended:
                connected = yield from self._connect_one(scene, waves, found)
                if connected:
                    return connected
                found, began = [], None
            yield
            out = numbers[self._outside(poses)] if len(numbers) else numbers
            if len(out):
                began, since = (move, way), since + 1
                found += out.tolist()
        return (yield from self._connect_one(scene, waves, found))

    def _connect_one(self, scene: Scene, waves: Waves, numbers: list[int]) -> Planning:
        """Try to connect some of the poses with the car, those first that are nearest to it."""
        ahead = sorted(numbers, key=lambda number: self._ahead(waves.pose(number), scene.start))
        ways = []
        for number in ahead[:: max(1, len(ahead) // _TRIES)][:_TRIES]:
            connected = self._connect(scene, waves.pose(number), waves.path(number))
            if connected:
                ways.append(connected)
            yield
        return min(ways, key=self.cost) if ways else None

    def _outside(self, poses: Array) -> NDArray[np.bool_]:
        """Tell which poses are out of the slot: the whole body on the street."""
        c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
        lowest = poses[:, 1] + self._body.middle_m * s
        lowest -= self._body.half_length_m * np.abs(s) + self._body.half_width_m * np.abs(c)
        outside: NDArray[np.bool_] = lowest > _OUT_M
        return outside

    def _ahead(self, pose: Pose, start: Pose) -> float:
        turn = abs(math.remainder(pose.yaw_rad - start.yaw_rad, math.tau))
        return max(math.hypot(pose.x_m - start.x_m, pose.y_m - start.y_m), turn * self.radius_m)


# In the tightest slots a step less of each move is a move more.
_FINE_M = 0.03
_LONGEST_STROKE_M = 7.0
_CONNECT_EVERY_M = 0.4
# A stroke as long as this is on its way out of the slot.
_LEAVING_M = 0.8
_COARSE_M = 0.4
# The general search looks at points this near to the parked pose, until the body is this far out of the slot.
_SLOT_M, _OUT_M = 7.0, -0.6
_TRIES, _STEPS_PER_TRY = 12, 8
# Pieces are replaced when that saves so much.
_GAIN_M = 0.05


def run(planning: Planning) -> Path | None:
    """Do all the work of a planning at once."""
    while True:
        try:
            next(planning)
        except StopIteration as end:
            path: Path | None = end.value
            return path


def _parts(length_m: float, every_m: float) -> list[float]:
    """Return lengths at which a stroke may end."""
    count = int(length_m / every_m)
    parts = [i * every_m for i in range(1, count + 1)]
    if length_m > 0.01 and (not parts or length_m - parts[-1] > 0.02):
        parts.append(length_m)
    return parts


def outline_points(corners: Sequence[tuple[float, float]], step_m: float = 0.1) -> tuple[Array, Array]:
    """Return points (N, 2) along a line of corners and the direction that each faces, to the left of the line."""
    points, facing = [], []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
        count = max(1, round(math.hypot(x1 - x0, y1 - y0) / step_m))
        for i in range(count + 1):
            points.append((x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count))
            facing.append(math.atan2(y1 - y0, x1 - x0) + math.pi / 2.0)
    return np.array(points, dtype=np.float64).reshape(-1, 2), np.array(facing, dtype=np.float64)
