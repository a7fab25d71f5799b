"""Search: from echoes and odometry to slots that the car fits into, the parked pose in them, and their edges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from adas_perception.functions import guide
from adas_perception.functions.apa.geometry import Array, Pose, pose_at
from adas_perception.functions.apa.plan import outline_points
from adas_perception.functions.apa.slots import Gap, SideScan, Slot, SlotKind, SlotParams
from adas_perception.params import Mount, Params, Vehicle, param
from adas_perception.types import Echoes, EchoPoint, EgoState, Side


@dataclass(frozen=True)
class SizeParams(Params):
    """What is a slot: sizes beyond those of the car, as measured; and how the car shall stand in it."""

    parallel_extra_m: float = param(0.65, "parallel slot: car length plus this", unit="m", low=0.3, high=3.0)
    perpendicular_extra_m: float = param(0.6, "perpendicular slot: car width plus this", unit="m", low=0.3, high=3.0)
    depth_extra_m: float = param(0.1, "depth of a slot: the car plus this", unit="m", low=0.0, high=1.0)
    kerb_gap_m: float = param(0.22, "tyres to kerb when parked parallel", unit="m", low=0.05, high=0.5)
    inward_m: float = param(0.05, "car behind the line of its neighbours", unit="m", low=0.0, high=1.0)
    forget_m: float = param(15.0, "a slot this far away is no longer offered", unit="m", low=5.0, high=50.0)


class Search:
    """Follows both sides of the car and keeps the slots within reach."""

    def __init__(self, size: SizeParams, scan: SlotParams, vehicle: Vehicle, rule: guide.ApaRule | None) -> None:
        self._size = size
        self._vehicle = vehicle
        self._guide = rule
        self._scans = {side: SideScan(scan, side) for side in (Side.LEFT, Side.RIGHT)}
        self._heard_ns: dict[str, int] = {}
        self._slots: tuple[Slot, ...] = ()

    def reset(self) -> None:
        """Forget the slots: without odometry or echoes nobody knows where they are."""
        self._slots = ()
        self._heard_ns.clear()
        for scan in self._scans.values():
            scan.reset()

    def step(self, ego: EgoState, echoes: Echoes, mounts: dict[str, Mount]) -> tuple[Slot, ...]:
        """Take in new echoes of the side sensors; return the slots, nearest first."""
        first: dict[str, EchoPoint] = {}
        for point in echoes.points:
            first.setdefault(point.sensor, point)
        for sensor, mount in mounts.items():
            side = Side.LEFT if mount.y_m > 0.0 else Side.RIGHT
            if sensor in echoes.silent:
                self._scans[side].reset()
                continue
            echo = first.get(sensor)
            stamp_ns = (echo.stamp_ns or echoes.stamp_ns) if echo else echoes.stamp_ns
            if stamp_ns <= self._heard_ns.get(sensor, 0):
                continue
            self._heard_ns[sensor] = stamp_ns
            self._scans[side].add(sensor, mount, pose_at(ego, stamp_ns), echo.range_m if echo else math.inf)
        here = (ego.x_m, ego.y_m)
        found = [slot for side, scan in self._scans.items() for gap in scan.gaps() if (slot := self._slot(gap, side))]
        away = [(math.dist(here, (slot.x_m, slot.y_m)), i) for i, slot in enumerate(found)]
        self._slots = tuple(found[i] for distance, i in sorted(away) if distance <= self._size.forget_m)
        return self._slots

    def _slot(self, gap: Gap, side: Side) -> Slot | None:
        """Return how the car fits into a gap, None when it does not."""
        size, v = self._size, self._vehicle
        parallel = gap.length_m >= v.length_m + size.parallel_extra_m
        perpendicular = gap.length_m >= v.width_m + size.perpendicular_extra_m
        if self._guide is not None:
            parallel, perpendicular = guide.parking(gap.length_m, self._guide)
        if gap.axis_rad:
            if gap.length_m * math.sin(gap.axis_rad) < v.width_m + size.perpendicular_extra_m:
                return None
            kind, axis = SlotKind.ANGLED, gap.axis_rad
        elif parallel and gap.depth_m >= v.width_m + size.depth_extra_m:
            kind, axis = SlotKind.PARALLEL, 0.0
        elif perpendicular and gap.depth_m >= v.length_m + size.depth_extra_m:
            kind, axis = SlotKind.PERPENDICULAR, math.pi / 2.0
        else:
            return None
        # The noses of cars side by side look like a side, but tell little of how the cars lean.
        leans = (0.0, 0.0) if kind is SlotKind.PERPENDICULAR else (gap.before_lean, gap.after_lean)
        back = (gap.before_m, gap.after_m)
        return Slot(kind, side, gap.x_m, gap.y_m, gap.yaw_rad, gap.length_m, gap.depth_m, axis, *back, *leans)


def parked(slot: Slot, vehicle: Vehicle, size: SizeParams) -> Pose:
    """Return the pose of the parked car in the frame of the slot."""
    middle = (vehicle.front_x_m - vehicle.rear_overhang_m) / 2.0
    if slot.kind is SlotKind.PARALLEL:
        behind = slot.depth_m - size.kerb_gap_m - vehicle.width_m
        if not math.isfinite(behind) or behind > _DEEP_M:
            behind = size.inward_m
        return Pose(-middle, -(behind + vehicle.width_m / 2.0), 0.0)
    # At an angle one corner of the nose is nearer to the street than its middle.
    reach = vehicle.front_x_m + size.inward_m + vehicle.width_m / 2.0 / math.tan(slot.axis_rad)
    return Pose(-reach * math.cos(slot.axis_rad), -reach * math.sin(slot.axis_rad), slot.axis_rad)


# A kerb farther behind the car than this is none of its slot's.
_DEEP_M = 0.6
_ROW_M = 7.0


def edges(slot: Slot, vehicle: Vehicle) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return what a slot says about its surroundings, in its frame: neighbours and kerb, points and facings each."""
    half = slot.length_m / 2.0
    deep = vehicle.width_m + 0.3 if slot.kind is SlotKind.PARALLEL else vehicle.length_m + 0.8
    depth = min(deep, slot.depth_m)
    angled = slot.kind is SlotKind.ANGLED
    # At an angle the opening is that on the line of the row, and the front of a car runs back to it; other neighbours
    # stand as far back as their corner.
    corner = (-half - (slot.before_lean * slot.before_m if angled else 0.0), -slot.before_m)
    outer = (corner[0] - slot.before_m / slot.before_lean, 0.0) if angled else corner
    left = outline_points([_deep(*corner, slot.before_lean, depth), corner, outer, (outer[0] - _ROW_M, outer[1])])
    after = (half, -slot.after_m)
    right = outline_points([(half + _ROW_M, -slot.after_m), after, _deep(*after, slot.after_lean, depth)])
    neighbours = np.concatenate((left[0], right[0])), np.concatenate((left[1], right[1])) + math.pi
    if not slot.depth_m < deep + 1.0:
        return neighbours, (np.empty((0, 2)), np.empty(0))
    kerb = outline_points([(-half - 1.0, -slot.depth_m), (half + 1.0, -slot.depth_m)])
    return neighbours, kerb


def _deep(x_m: float, y_m: float, lean: float, depth_m: float) -> tuple[float, float]:
    """Return where the side of a neighbour that begins at a corner ends, at a depth of the slot."""
    return x_m - lean * (depth_m + y_m), -depth_m
