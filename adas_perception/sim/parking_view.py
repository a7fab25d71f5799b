"""A parking manoeuvre from above: echoes, map, slot, plan and driven path in one picture."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa import ApaDecision, Slot
from adas_perception.functions.apa.geometry import Frame, Pose, pose_at
from adas_perception.functions.apa.local_map import LocalMap, MapParams
from adas_perception.params import Ring, Vehicle
from adas_perception.pipeline import Sample, load_pipeline
from adas_perception.sim.contact import outline
from adas_perception.sim.loop import drive
from adas_perception.sim.recorder import PARKING_PICTURE
from adas_perception.sim.scorecard.manoeuvres.parking import Parking
from adas_perception.sim.scorecard.play import Conditions, new_world
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import Echoes, EchoPoint, EgoState, Function, FunctionState, UltrasonicEcho

_PX_PER_M = 48
_NEAR_M = 2.5
_INK, _GROUND = (60, 48, 40), (250, 248, 246)
_BODY, _EGO, _MAP = (205, 200, 195), (178, 114, 0), (29, 52, 192)
_PLAN, _PATH, _SLOT = (0, 159, 230), (80, 120, 0), (85, 160, 10)
Place = tuple[float, float, float]
Places = list[Place]


@dataclass
class View:
    """What a drive left behind, in the map frame."""

    bodies: list[NDArray[np.float64]]
    echoes: list[tuple[float, float]] = field(default_factory=list)
    driven: Places = field(default_factory=list)
    plan: Places = field(default_factory=list)
    points: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    opening: tuple[tuple[float, float], ...] = ()
    states: list[tuple[float, str]] = field(default_factory=list)


def record(run: Parking) -> View:
    """Park and collect what is to be drawn."""
    world = new_world(run.stage(), Conditions())
    pipeline = load_pipeline(camera=world.camera)
    view = View([_to_map(world, box.corners()) for box in world.surroundings().boxes])
    sensors = _Listening(world, camera_boxes=False)
    for output in drive(world, pipeline, sensors=sensors):
        decision = output.decisions[Function.APA]
        assert isinstance(decision, ApaDecision)
        state = decision.state.state
        if not view.states or view.states[-1][1] != state:
            view.states.append((world.time_s, state))
        if state in ("DONE", "ABORTED"):
            break
        if state not in ("CONFIRMED", "MANOEUVRING", "PAUSED"):
            continue
        view.driven.append((world.car.x_m, world.car.y_m, world.car.yaw_rad))
        view.plan = view.plan or list(decision.path)
        view.opening = view.opening or _opening(decision.slots[0], decision.slots[0].length_m)
        view.points = decision.map if decision.map is not None else view.points
        view.echoes += _echoes(world, ((echo.sensor, echo.range_m) for echo in sensors.heard))
    return view


class Watch:
    """Looks on while the stack parks as processes, and collects what is to be drawn from what it says.

    The map is not among that: it is made anew from the echoes.
    """

    def __init__(self) -> None:
        self.view: View | None = None
        self._map = LocalMap(MapParams())
        self._heard_ns: dict[str, int] = {}
        self._slots: Sequence[Place] = ()
        self._path: Sequence[Place] = ()
        self._start, self._odom_start = Pose(0.0, 0.0, 0.0), Frame(0.0, 0.0, 0.0)

    def offer(self, slots: Sequence[Place]) -> None:
        """Take the slots on offer."""
        self._slots = slots

    def plan(self, path: Sequence[Place]) -> None:
        """Take the path; the first one is drawn."""
        self._path = self._path or path

    def step(
        self, world: World, state: FunctionState | None, echoes: Echoes | None, odometry: EgoState | None
    ) -> None:
        """Take in one cycle: the latest that was heard. The car stands when a slot is confirmed."""
        if state is None or odometry is None:
            return
        if self.view is None and state.state == "CONFIRMED":
            self.view = View([_to_map(world, box.corners()) for box in world.surroundings().boxes])
            self._start = Pose(world.car.x_m, world.car.y_m, world.car.yaw_rad)
            self._odom_start = Frame(odometry.x_m, odometry.y_m, odometry.yaw_rad)
        view = self.view
        if view is None:
            return
        if not view.states or view.states[-1][1] != state.state:
            view.states.append((world.time_s, state.state))
        if state.state not in ("CONFIRMED", "MANOEUVRING", "PAUSED", "DONE"):
            return
        view.driven.append((world.car.x_m, world.car.y_m, world.car.yaw_rad))
        if self._path and self._slots and not view.opening:
            view.plan = [self._in_map(place) for place in self._path]
            taken = min(self._slots, key=lambda slot: math.dist(slot[:2], self._path[-1][:2]))
            view.opening = _opening(self._in_map(taken), state.values.get("slot_length_m", 0.0))
        self._hear(world, view, echoes.points if echoes else ())
        view.points = self._map.points

    def _in_map(self, place: Place) -> Pose:
        """Return a pose in odometry, which began elsewhere, in the map frame."""
        return Frame(*self._start).to_odom(self._odom_start.to_local(Pose(*place)))

    def _hear(self, world: World, view: View, points: Sequence[EchoPoint]) -> None:
        ego = world.ego()
        for echo in points:
            if echo.stamp_ns <= self._heard_ns.get(echo.sensor, 0):
                continue
            self._heard_ns[echo.sensor] = echo.stamp_ns
            view.echoes += _echoes(world, ((echo.sensor, echo.range_m),))
            mount = Ring().mount(echo.sensor)
            self._map.hear(world.stamp_ns, echo.sensor, mount, pose_at(ego, echo.stamp_ns), echo.range_m)
        self._map.tidy(world.stamp_ns, Pose(ego.x_m, ego.y_m, ego.yaw_rad))

    def save(self, folder: Path) -> None:
        """Write the picture of the manoeuvre into a folder; nothing when no slot was confirmed."""
        picture, view = folder / PARKING_PICTURE, self.view
        picture.unlink(missing_ok=True)
        if view is not None and view.opening:
            end_s, end = view.states[-1]
            since_s = end_s - view.states[0][0]
            cv2.imwrite(str(picture), draw(view, f"{end} from {since_s:.0f} s after confirming on"))


@dataclass
class _Listening(SensorSuite):
    """The sensors of the car, which keeps the ranges of the last cycle."""

    heard: list[UltrasonicEcho] = field(default_factory=list)

    def samples(self) -> list[Sample]:
        samples = super().samples()
        self.heard = [sample for sample in samples if isinstance(sample, UltrasonicEcho)]
        return samples


def _echoes(world: World, heard: Iterable[tuple[str, float]]) -> list[tuple[float, float]]:
    """Return echoes, by sensor and range, on the axes of their sensors, in the map frame."""
    points = []
    for sensor, reach in heard:
        mount = Ring().mount(sensor)
        if reach < _NEAR_M:
            points.append((mount.x_m + reach * math.cos(mount.yaw_rad), mount.y_m + reach * math.sin(mount.yaw_rad)))
    return [(float(x), float(y)) for x, y in _to_map(world, np.array(points).reshape(-1, 2))]


def _to_map(world: World, points: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s = math.cos(world.car.yaw_rad), math.sin(world.car.yaw_rad)
    return points @ np.array([[c, s], [-s, c]]) + (world.car.x_m, world.car.y_m)


def draw(view: View, title: str) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) in BGR."""
    (xa, ya), (xb, yb) = view.opening
    x0, y1 = (xa + xb) / 2.0 - 9.0, (ya + yb) / 2.0 + 8.5
    width, height = int(20.0 * _PX_PER_M), int(15.0 * _PX_PER_M)
    picture = np.full((height, width, 3), _GROUND, np.uint8)

    def px(points: Sequence[Sequence[float]] | NDArray[np.float64]) -> NDArray[np.int32]:
        p = np.asarray(points, dtype=float).reshape(-1, 2)
        return np.column_stack(((p[:, 0] - x0) * _PX_PER_M, (y1 - p[:, 1]) * _PX_PER_M)).round().astype(np.int32)

    for body in view.bodies:
        cv2.fillPoly(picture, [px(body)], _BODY, cv2.LINE_AA)
    for place in view.driven[:: max(1, len(view.driven) // 14)]:
        cv2.polylines(picture, [px(_car(place))], True, (225, 205, 180), 1, cv2.LINE_AA)
    for x, y in px(view.echoes):
        cv2.circle(picture, (int(x), int(y)), 2, (210, 170, 220), -1, cv2.LINE_AA)
    for x, y in px(view.points):
        cv2.circle(picture, (int(x), int(y)), 3, _MAP, -1, cv2.LINE_AA)
    cv2.polylines(picture, [px([p[:2] for p in view.plan])], False, _PLAN, 3, cv2.LINE_AA)
    cv2.polylines(picture, [px([p[:2] for p in view.driven])], False, _PATH, 2, cv2.LINE_AA)
    cv2.polylines(picture, [px(view.opening)], False, _SLOT, 4, cv2.LINE_AA)
    cv2.polylines(picture, [px(_car(view.driven[0]))], True, _EGO, 1, cv2.LINE_AA)
    cv2.polylines(picture, [px(_car(view.driven[-1]))], True, _EGO, 3, cv2.LINE_AA)
    legend = (("echoes", (190, 120, 200)), ("map", _MAP), ("opening of the slot", _SLOT), ("first plan", _PLAN),
              ("driven", _PATH), ("car at start and end", _EGO))  # fmt: skip
    cv2.putText(picture, title, (16, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, _INK, 2, cv2.LINE_AA)
    for i, (name, colour) in enumerate(legend):
        cv2.rectangle(picture, (16, 46 + 22 * i), (34, 58 + 22 * i), colour, -1)
        cv2.putText(picture, name, (42, 58 + 22 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return picture


def _car(place: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, yaw = place
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array(outline(Vehicle())) @ np.array([[c, s], [-s, c]]) + (x, y)


def _opening(slot: Slot | Pose, length_m: float) -> tuple[tuple[float, float], ...]:
    c, s = math.cos(slot.yaw_rad), math.sin(slot.yaw_rad)
    half = length_m / 2.0
    return (slot.x_m - half * c, slot.y_m - half * s), (slot.x_m + half * c, slot.y_m + half * s)


def main(kind: str, extra_m: float, path: str) -> None:
    """Park once and write the picture."""
    run = Parking(kind=kind, extra_m=extra_m, thing="kerb" if kind == "parallel" else "none")
    view = record(run)
    took = view.states[-1][0] - run.go_s
    cv2.imwrite(path, draw(view, f"{kind} slot, {extra_m:.1f} m more than the car: {view.states[-1][1]}, {took:.0f} s"))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
