"""Which object ahead is the lead: the one in the car's own lane, or in its arc where no lane is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.functions.common import line_usable, usable_tracks
from adas_perception.functions.path import Neighbour, ego_arc, neighbour
from adas_perception.params import Params, Vehicle, param
from adas_perception.types import EgoState, LaneLine, LaneLines, ObjectClass, Objects, Sensor, Track

# The left and the right line of the own lane.
Lines = tuple[LaneLine | None, LaneLine | None]
NOT_VEHICLES = (ObjectClass.TRAFFIC_LIGHT, ObjectClass.TRAFFIC_SIGN, ObjectClass.LANE_LINE)
# A camera errs by less than this factor about the distance of a car.
GUESS_FACTOR = 2.0


@dataclass(frozen=True)
class LeadParams(Params):
    """How the lead is chosen."""

    lane_width_m: float = param(3.5, "lane width where fewer than two lines are seen", unit="m", low=2.0, high=6.0)
    lane_reach: float = param(1.3, "a line is believed this much farther than it is seen", low=1.0, high=3.0)
    lane_goes_on: float = param(
        2.0, "for what is surely a vehicle it goes on this much farther than it is seen", low=1.0, high=3.0
    )
    line_confidence: float = param(0.5, "lines below this confidence are not used", low=0.0, high=1.0)
    cycles_min: int = param(3, "sensor cycles before an object counts", low=1, high=20)
    keep_m: float = param(
        0.4, "the present lead may be this much farther out than a new one", unit="m", low=0.0, high=1.0
    )
    cut_in_m: float = param(
        0.3,
        "a car this far over the line and still coming counts as in the lane (UN R157)",
        unit="m",
        low=0.0,
        high=1.0,
    )
    cut_in_mps: float = param(0.2, "sideways speed that counts as still coming", unit="m/s", low=0.05, high=2.0)
    moving_mps: float = param(2.0, "an object seen this fast is known to be a vehicle", unit="m/s", low=0.5, high=5.0)
    stationary_cycles: int = param(
        10, "sensor cycles before what radar alone sees stand, or a car of the camera alone, counts", low=1, high=100
    )


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead: gap from bumper to bumper, speed and acceleration along the path.

    ``certain`` tells that it is surely in the way: seen moving by radar, seen by radar and camera, or somebody whom
    radar may miss.
    """

    id: int
    gap_m: float
    speed_mps: float
    accel_mps2: float
    certain: bool


class LeadSelector:
    """Chooses the lead, with memory of who led before and of who has been seen moving.

    A car that the camera alone sees is a guess: its speed begins with zero, as if it stood. Where radar knows a lead
    that it may be, that one leads. Else it leads late and is never certain, so that ACC brakes gently for it.
    """

    def __init__(self, params: LeadParams, vehicle: Vehicle) -> None:
        self._p = params
        self._vehicle = vehicle
        self._lead_id: int | None = None
        self._moved: set[int] = set()

    def choose(self, ego: EgoState, objects: Objects, age_s: float, lanes: LaneLines | None) -> tuple[Lead, ...]:
        """Return the nearest object in the own lane, then what is certain beyond it; nothing when the lane is free."""
        arc = ego_arc(ego, self._vehicle)
        tracks = usable_tracks(objects)
        moving = {t.id for t in tracks if Sensor.RADAR in t.sources and abs(t.vx_mps) > self._p.moving_mps}
        self._moved = moving | (self._moved & {t.id for t in tracks})

        lines = usable_lines(lanes, self._p.line_confidence)
        guesses = {t.id for t in tracks if _is_guess(t)}
        found = (self._lead(neighbour(t, arc, ego.speed_mps, age_s), lines) for t in tracks if self._counts(t))
        leads = sorted((lead for lead in found if lead), key=lambda lead: lead.gap_m)
        known_m = next((lead.gap_m for lead in leads if lead.id not in guesses), math.inf)
        leads = [lead for lead in leads if lead.id not in guesses or known_m > GUESS_FACTOR * lead.gap_m]
        self._lead_id = leads[0].id if leads else None
        return (*leads[:1], *(lead for lead in leads[1:] if lead.certain))

    def _certain(self, track: Track) -> bool:
        """Return whether a track is surely in the way."""
        return track.id in self._moved or Sensor.CAMERA in track.sources and not _is_guess(track)

    def _counts(self, track: Track) -> bool:
        """Return whether a track has been seen often enough to be a lead."""
        cycles = self._p.cycles_min if self._certain(track) else self._p.stationary_cycles
        return track.age >= cycles and track.label not in NOT_VEHICLES

    def _lead(self, n: Neighbour, lines: Lines) -> Lead | None:
        """Return the object as a lead, or None when it is none."""
        t = n.track
        gap = n.near_s_m - self._vehicle.front_x_m
        ahead = gap > -self._vehicle.front_overhang_m
        oncoming = n.vs_mps < -self._p.moving_mps
        if not ahead or oncoming or not self._in_lane(n, lines):
            return None
        certain = self._certain(t)
        if not (certain or self._lines_reach(n.x_m, lines)):
            return None
        return Lead(t.id, max(gap, 0.0), n.vs_mps, t.ax_mps2, certain)

    def _lines_reach(self, x_m: float, lines: Lines) -> bool:
        """Return whether the lines tell the lane at ``x_m``, or there are none to tell it."""
        seen = [line for line in lines if line]
        return not seen or any(x_m <= line.x_max * self._p.lane_reach for line in seen)

    def _in_lane(self, n: Neighbour, lines: Lines) -> bool:
        """Return whether an object is in the own lane or cutting into it."""
        p = self._p
        middle, half_lane = self._lane_at(n, lines)
        offset = n.d_m - middle
        outward = n.vd_mps if offset > 0.0 else -n.vd_mps
        inside = abs(offset) < half_lane - (0.0 if n.track.id == self._lead_id else p.keep_m)
        cutting_in = outward < -p.cut_in_mps and abs(offset) - n.half_width_m < half_lane - p.cut_in_m
        return inside or cutting_in

    def _lane_at(self, n: Neighbour, lines: Lines) -> tuple[float, float]:
        """Return where the middle of the lane is, as an offset from the arc, and half its width, at an object."""
        half = self._p.lane_width_m / 2.0
        x, y = n.x_m, n.y_m
        left, right = (
            goes_on(line, x) if line and x <= line.x_max * self._p.lane_goes_on else None for line in lines
        )
        # The offset is taken across at the object's x, where the difference to the arc's own offset is small.
        if left is not None and right is not None:
            half = max(abs(left - right) / 2.0, 1.0)
            return n.d_m - (y - (left + right) / 2.0), half
        if left is not None:
            return n.d_m - (y - left + half), half
        if right is not None:
            return n.d_m - (y - right - half), half
        return 0.0, half


def _is_guess(track: Track) -> bool:
    """Return whether a track is a car that the camera alone sees, which radar would not miss."""
    return track.sources == Sensor.CAMERA and track.label is ObjectClass.CAR


def goes_on(line: LaneLine, x_m: float) -> float:
    """Return the lateral position of a line; beyond where it is seen it goes on as it bends there.

    The arc that the car drives knows nothing of that: at the end of a bend it leads from the lane of what stands ahead.
    """
    beyond = max(x_m - line.x_max, 0.0)
    x = x_m - beyond
    return line.y(x) + beyond * (line.slope(x) + line.curvature(x) * beyond / 2.0)


def usable_lines(lanes: LaneLines | None, confidence_min: float) -> Lines:
    """Return the left and the right line of the own lane, None where there is none to trust."""
    left = lanes.left if lanes else None
    right = lanes.right if lanes else None
    return (
        left if line_usable(left, confidence_min) else None,
        right if line_usable(right, confidence_min) else None,
    )
