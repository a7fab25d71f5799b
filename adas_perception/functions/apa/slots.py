"""Parking slots beside the car, measured while driving past with the sideways ultrasonic sensors and odometry.

Both sensors of a side write into one profile along the street. A sensor meets the corner of an obstacle long before it
is beside it, at a longer range: from range r and the distance d of the row the corner lies sqrt(r^2 - d^2) further on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import linear_regression, median

from adas_perception.functions.apa.angled import Sample, leaning
from adas_perception.functions.apa.geometry import Frame, Pose
from adas_perception.params import Mount, Params, param
from adas_perception.types import Side


class SlotKind(Enum):
    """How a car stands in a slot."""

    PARALLEL = "parallel"
    PERPENDICULAR = "perpendicular"
    ANGLED = "angled"


@dataclass(frozen=True, slots=True)
class Slot:
    """A free slot between two obstacles.

    Its pose, in the odometry frame, is the middle of the opening on the line along the obstacles, heading along the
    street. ``length_m`` is the opening; ``depth_m`` is free behind that line, infinite when nothing was seen.
    ``axis_rad`` is the heading of a parked car against the street, positive towards the street;
    ``before_m`` and ``after_m`` are how far the neighbours stand back from that line, and their leans how far their
    sides run against the street for a metre of the slot's depth.
    """

    kind: SlotKind
    side: Side
    x_m: float
    y_m: float
    yaw_rad: float
    length_m: float
    depth_m: float
    axis_rad: float = 0.0
    before_m: float = 0.0
    after_m: float = 0.0
    before_lean: float = 0.0
    after_lean: float = 0.0

    @property
    def frame(self) -> Frame:
        """Return the frame of the slot."""
        return Frame(self.x_m, self.y_m, self.yaw_rad, 1 if self.side is Side.RIGHT else -1)


@dataclass(frozen=True)
class SlotParams(Params):
    """How slots are measured."""

    edge_m: float = param(0.75, "a range longer by this is behind the obstacle", unit="m", low=0.2, high=2.0)
    obstacle_m: float = param(0.3, "so much of an obstacle must be passed to end a slot", unit="m", low=0.0, high=2.0)
    straight_rad: float = param(0.1, "largest turn of the car along a slot", unit="rad", low=0.01, high=0.5)
    shortest_m: float = param(0.8, "a shorter gap belongs to the obstacle", unit="m", low=0.2, high=2.0)
    longest_m: float = param(20.0, "a longer gap is no slot", unit="m", low=5.0, high=100.0)
    half_cone_rad: float = param(0.60, "half the opening angle of the sensors", unit="rad", low=0.1, high=1.2)
    window_m: float = param(30.0, "length of street that is remembered", unit="m", low=10.0, high=100.0)
    spacing_m: float = param(0.04, "samples nearer together than this are left out", unit="m", low=0.0, high=0.5)


@dataclass(frozen=True, slots=True)
class Gap:
    """A free stretch between two obstacles, before it is known whether a car fits; its pose is in odometry.

    ``axis_rad`` is the heading of cars that stand at an angle, 0 when they do not; the leans are those of a slot.
    """

    length_m: float
    depth_m: float
    x_m: float
    y_m: float
    yaw_rad: float
    before_m: float
    after_m: float
    axis_rad: float = 0.0
    before_lean: float = 0.0
    after_lean: float = 0.0


class SideScan:
    """The profile along one side of the car; ``gaps`` reads it."""

    def __init__(self, params: SlotParams, side: Side) -> None:
        self._p = params
        self._side = side
        self._street: Frame | None = None
        self._samples: deque[Sample] = deque()
        self._last_x: dict[str, float] = {}
        # How many samples have met something, and the farthest of these.
        self._met, self._met_x = 0, -math.inf
        self._fresh = False
        self._gaps: tuple[Gap, ...] = ()

    def reset(self) -> None:
        """Forget everything, after a gap in the data."""
        self._street = None
        self._samples.clear()
        self._last_x.clear()
        self._met, self._met_x = 0, -math.inf
        self._gaps = ()

    def add(self, sensor: str, mount: Mount, car: Pose, range_m: float) -> None:
        """Take one measurement, infinite when nothing answered, made while base_link was at ``car``."""
        if not (math.isfinite(car.x_m + car.y_m + car.yaw_rad) and range_m > 0.0):
            return
        turned = math.remainder(car.yaw_rad - self._street.yaw_rad, math.tau) if self._street else 0.0
        if self._street is None or abs(turned) > self._p.straight_rad:
            self.reset()
            self._street = Frame(*car, side=int(self._side))
        place = self._street.to_local(car)
        c, s = math.cos(place.yaw_rad), math.sin(place.yaw_rad)
        out_m = mount.y_m * self._side
        x, y = place.x_m + c * mount.x_m - s * out_m, place.y_m + s * mount.x_m + c * out_m
        # The beam leans with the car.
        lean = place.yaw_rad
        if abs(x - self._last_x.get(sensor, -math.inf)) < self._p.spacing_m:
            return
        self._last_x[sensor] = x
        if math.isfinite(range_m):
            x, y = x - range_m * math.sin(lean), y - range_m * (1.0 - math.cos(lean))
        self._keep(Sample(x, y, range_m))

    def _keep(self, sample: Sample) -> None:
        """Add a sample and drop the oldest; one of nothing, beyond all that was met, changes no gap."""
        self._samples.append(sample)
        if math.isfinite(sample.range_m):
            self._met, self._met_x = self._met + 1, max(self._met_x, sample.x_m)
        self._fresh |= sample.x_m <= self._met_x
        while self._samples and sample.x_m - self._samples[0].x_m > self._p.window_m:
            self._fresh |= self._met > 0
            self._met -= math.isfinite(self._samples.popleft().range_m)

    def gaps(self) -> tuple[Gap, ...]:
        """Return the gaps between obstacles of which enough has been seen, in the order of the street."""
        if self._fresh:
            self._fresh = False
            self._gaps = self._find()
        return self._gaps

    def _find(self) -> tuple[Gap, ...]:
        obstacles = self._obstacles()
        found = [self._gap(before, after) for before, after in zip(obstacles, obstacles[1:], strict=False)]
        return tuple(gap for gap in found if gap is not None)

    def _obstacles(self) -> list[_Obstacle]:
        """Split the profile into obstacles, each with what was seen behind it up to the next one."""
        obstacles: list[_Obstacle] = []
        for sample in sorted(self._samples):
            now = obstacles[-1] if obstacles else None
            near_m = now.nearest_m + self._p.edge_m if now else math.inf
            if not sample.lateral_m <= near_m or math.isinf(sample.range_m):
                if now:
                    now.behind.append(sample)
                continue
            if now and sample.lateral_m < now.nearest_m - _BACKGROUND_M:
                # What came before was the background.
                obstacles.pop()
                if obstacles:
                    obstacles[-1].behind += [*now.seen, *now.behind]
                now = obstacles[-1] if obstacles else None
            if now is None or now.behind and self._far(now, sample):
                obstacles.append(_Obstacle([sample], [], sample.lateral_m))
                continue
            now.behind.clear()
            now.seen.append(sample)
            now.nearest_m = min(now.nearest_m, sample.lateral_m)
        return obstacles

    def _far(self, obstacle: _Obstacle, sample: Sample) -> bool:
        """Tell whether a sample belongs to another obstacle: more than a flicker lies between."""
        return len(obstacle.behind) > 1 and sample.x_m - obstacle.seen[-1].x_m > _FLICKER_M

    def _gap(self, before: _Obstacle, after: _Obstacle) -> Gap | None:
        return self._angled(before, after) or self._straight(before, after)

    def _angled(self, before: _Obstacle, after: _Obstacle) -> Gap | None:
        """Return the gap in a row of cars at an angle."""
        last_x = before.seen[-1].x_m
        near = [s for s in before.seen if last_x - s.x_m <= _FRONT_M]
        first_x = after.seen[0].x_m
        far = [s for s in after.seen if s.x_m - first_x <= _FRONT_M]
        slot = leaning([*near, *before.behind], far)
        street = self._street
        if slot is None or street is None or after.seen[-1].x_m - slot.end_m < _CORNER_PASSED_M:
            return None
        middle = street.to_odom(Pose((slot.begin_m + slot.end_m) / 2.0, slot.row_m, 0.0))
        length = slot.end_m - slot.begin_m
        lean = 1.0 / math.tan(slot.axis_rad)
        return Gap(length, math.inf, *middle, slot.inner_m, 0.0, slot.axis_rad, lean, lean)

    def _straight(self, before: _Obstacle, after: _Obstacle) -> Gap | None:
        start, start_y = before.edge(1, before.behind[0], self._p.half_cone_rad)
        end, end_y = after.edge(-1, before.behind[-1], self._p.half_cone_rad)
        length = end - start
        passed = after.seen[-1].x_m - end
        street = self._street
        if street is None or passed < self._p.obstacle_m or not self._p.shortest_m <= length <= self._p.longest_m:
            return None
        row = min(start_y, end_y, before.face(1), after.face(-1))
        if max(start_y, end_y) > row + _ROW_M:
            return None
        # Near its ends one sees the far corners of the neighbours, not the back of the gap.
        quarter = length / 4.0
        inner = [s for s in before.behind if start + quarter <= s.x_m <= end - quarter]
        seen = [s.lateral_m for s in inner if not self._far_corner(s, min(s.x_m - start, end - s.x_m), row)]
        depth = min(seen, default=math.inf) - row
        middle = street.to_odom(Pose((start + end) / 2.0, row, 0.0))
        return Gap(length, depth, *middle, start_y - row, end_y - row, 0.0, before.slope(1), after.slope(-1))

    def _far_corner(self, sample: Sample, away_m: float, row_m: float) -> bool:
        """Tell whether a sample may have met the far corner of a car whose edge is ``away_m`` along the street."""
        if not away_m < sample.range_m * math.sin(self._p.half_cone_rad) or math.isinf(sample.range_m):
            return False
        behind_m = sample.y_m + math.sqrt(sample.range_m**2 - away_m**2) - row_m
        return _CAR_WIDTH_M[0] < behind_m < _CAR_WIDTH_M[1]


@dataclass
class _Obstacle:
    """Samples on an obstacle in the order of the street, and those behind its line up to the next obstacle."""

    seen: list[Sample]
    behind: list[Sample]
    nearest_m: float

    def edge(self, way: int, beyond: Sample, half_cone_rad: float) -> tuple[float, float]:
        """Return (x, lateral) of the corner at the end (``way`` 1) or the begin (-1) of the obstacle.

        ``beyond`` is the first sample that has met the obstacle no more.
        """
        ordered = self.seen if way > 0 else self.seen[::-1]
        last_x, slope = ordered[-1].x_m, self.slope(way)
        local = [s for s in ordered if way * (last_x - s.x_m) <= _CORNER_REGION_M]
        level = _lowest([s.lateral_m - slope * s.x_m for s in local])
        on_face = [s.lateral_m - slope * s.x_m <= level + _CORNER_M for s in local]
        # What lies before the end of the face is no echo of its corner, but a face that leans.
        after = len(local) - on_face[::-1].index(True)
        edge, row = last_x, level + slope * local[after - 1].x_m
        if after == len(local):
            least = max(_corner(way, s, row) for s in local)
            most = way * beyond.x_m - (row - beyond.y_m) * math.tan(half_cone_rad)
            return way * (least + max(most, least)) / 2.0, row
        for _ in range(_REFINED):
            edge = way * median(_corner(way, s, row) for s in local[after:])
            row = level + slope * edge
        return edge, row

    def slope(self, way: int) -> float:
        """Return how the face at the end (``way`` 1) or the begin (-1) leans: growth of the lateral along the street.

        Only the side of a car is straight for so long that its lean can be measured; it is 0 for anything else.
        """
        last_x = self.seen[-1].x_m if way > 0 else self.seen[0].x_m
        face = [s for s in self.seen if _CORNER_REGION_M < abs(last_x - s.x_m) <= _FACE_M]
        if not face or max(s.x_m for s in face) - min(s.x_m for s in face) < _STRAIGHT_M:
            return 0.0
        x, lateral = [s.x_m for s in face], [s.lateral_m for s in face]
        slope, level = linear_regression(x, lateral)
        off = max(abs(level + slope * s.x_m - s.lateral_m) for s in face)
        return slope if abs(slope) < _SLOPE_MAX and off < _CORNER_M else 0.0

    def face(self, way: int) -> float:
        """Return the lateral of what sticks out farthest of the car at the end (``way`` 1) or the begin (-1)."""
        last_x = self.seen[-1].x_m if way > 0 else self.seen[0].x_m
        return _lowest([s.lateral_m for s in self.seen if abs(last_x - s.x_m) <= _FACE_M], share=8)


# So far from the last echo the row is taken to run straight; echoes so much farther than it are from its corner.
_CORNER_REGION_M = 1.6
_CORNER_M = 0.04
# A corner lies on the line of a face that leans, at a lateral that depends on where it is.
_REFINED = 3
# Two things of which one stands so much farther back are no row.
_ROW_M = 1.5
# Of a car at an angle so much is looked at before the gap; of the next one its corner is enough.
_FRONT_M, _CORNER_PASSED_M = 3.0, 0.15
# Length of a neighbour's face that tells how far it stands out, and of the part of it that tells how it leans.
_FACE_M, _STRAIGHT_M, _SLOPE_MAX = 4.0, 1.5, 0.2
# Cars are so wide.
_CAR_WIDTH_M = (1.4, 2.2)
# In a narrow gap the echoes of both its corners nearly meet; a missed echo leaves a shorter hole.
_FLICKER_M = 0.3
# What lies so much deeper than the next obstacle is what is behind the row; less is a neighbour that stands askew.
_BACKGROUND_M = 1.0


def _corner(way: int, sample: Sample, row_m: float) -> float:
    """Return x of a corner that a sample has met from beyond it, counted along ``way``."""
    beside = row_m - sample.y_m
    return way * sample.x_m - math.sqrt(max(sample.range_m**2 - beside**2, 0.0))


def _lowest(values: Sequence[float], share: int = 4) -> float:
    """Return the lower quartile: most echoes of a face come from beside it, and noise is on both sides."""
    return sorted(values)[len(values) // share]
