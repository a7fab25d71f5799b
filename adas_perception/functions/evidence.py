"""How strong a reaction of AEB the sensors' evidence for an object allows.

- Nothing happens for an object that fewer than ``cycles_min`` sensor cycles have confirmed.
- Nor, where there is time, for people who have been in the way for fewer than ``moving_cycles``: a place known to one
  sensor alone jumps when the other joins, and seems to move. In the last ``patience_s`` nothing is waited for.
- A standing car must have been confirmed ``standing_cycles`` times: unlike people, cars do not step out from behind
  others, but their hidden parts do appear one after another as we drive past a row of them.
- What moves must have been confirmed ``moving_cycles`` times, people too unless radar and camera agree on them: of
  clutter and the posts of a guard rail three in a row are soon found that could be one thing which crosses the road.
- What radar alone sees, and has never seen moving, gets no reaction at all, warning included: to a radar a steel
  plate, a manhole cover, a bridge and a guard rail look like a standing car (49 CFR 571.127 S9.2; UN R152, annex 3).
  Such a car is braked for once radar and camera agree on it. A car without an object detector therefore brakes only
  for what it has seen moving, a lead that stops included, and says so: AEB is then READY with RADAR_ONLY.
- Nor does anything for what moves inside the camera's field of view, where a detector runs and has not seen it:
  that is the flank of a lorry in the next lane, or oncoming traffic whose place is not known well enough yet.
- What the camera alone sees is placed by the size of its box, and its speed is a guess: never full braking, partial
  for people and cycles, nothing for cars, which radar does not miss.
- All else may brake fully: its speed comes from Doppler, its place from radar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adas_perception.functions.threat import Urgency
from adas_perception.params import Params, param
from adas_perception.types import NIMBLE, Sensor, Track, nanoseconds

AGREED = Sensor.RADAR | Sensor.CAMERA
# What radar alone sees move does so along the line of sight with this part of its speed at least: crossing traffic
# that will meet us has the sine of its bearing, 0.44 at the edge of the camera's view, 0.32 if it is a third as fast.
DOPPLER_SHARE = 0.25


@dataclass(frozen=True)
class EvidenceParams(Params):
    """What counts as enough evidence."""

    cycles_min: int = param(3, "consistent sensor cycles before any reaction", low=1, high=20)
    standing_cycles: int = param(20, "the same for cars that have never been seen moving", low=1, high=100)
    moving_mps: float = param(
        1.5, "an object seen this fast is no part of the road; by radar alone, along its line of sight",
        unit="m/s", low=0.5, high=5.0,
    )  # fmt: skip
    moving_cycles: int = param(6, "cycles for which it must have been so fast, half as many at twice the speed, and "
                               "that must have confirmed it",
                               low=1, high=20)  # fmt: skip
    patience_s: float = param(
        2.0, "time to the collision above which more evidence is waited for", unit="s", low=0.0, high=5.0
    )
    view_half_rad: float = param(0.45, "half of the camera's field of view", unit="rad", low=0.0, high=1.5)
    view_range_m: float = param(100.0, "the camera sees cars up to here", unit="m", low=0.0, high=200.0)
    detector_s: float = param(
        30.0, "a detector runs that has seen something in this time", unit="s", low=1.0, high=600.0
    )


class Evidence:
    """Remembers who has been seen moving, and whether a detector runs."""

    def __init__(self, params: EvidenceParams) -> None:
        self._p = params
        self._moving: dict[int, int] = {}
        self._detected_ns: int | None = None
        self._watched = False

    def see(self, stamp_ns: int, tracks: Sequence[Track]) -> None:
        """Take in the objects of a new sensor cycle."""
        p, before = self._p, self._moving
        if any(Sensor.CAMERA in t.sources for t in tracks):
            self._detected_ns = stamp_ns
        self._watched = self._detected_ns is not None and 0 <= stamp_ns - self._detected_ns < nanoseconds(p.detector_s)
        self._moving = {}
        for t in tracks:
            count = before.get(t.id, 0)
            steps = min(int(_seen_mps(t) / p.moving_mps), 2)
            known = count >= p.moving_cycles
            self._moving[t.id] = count + steps if steps or known else 0

    def cap(self, track: Track, cycles: int, ttc_s: float) -> Urgency:
        """Return the strongest reaction to an object that has been urgent for ``cycles`` sensor cycles."""
        p = self._p
        patient = track.label in NIMBLE and ttc_s > p.patience_s
        if cycles < (p.moving_cycles if patient else p.cycles_min) or track.age < self._cycles_needed(track):
            return Urgency.NONE
        if Sensor.RADAR not in track.sources:
            return Urgency.PARTIAL if track.label in NIMBLE else Urgency.NONE
        return Urgency.NONE if self.radar_only(track) else Urgency.FULL

    def _cycles_needed(self, track: Track) -> int:
        """Return how many sensor cycles must have confirmed an object."""
        if track.label in NIMBLE and track.sources == AGREED:
            return self._p.cycles_min
        if track.label in NIMBLE:
            return self._p.moving_cycles
        return self._p.moving_cycles if self._moves(track) else self._p.standing_cycles

    def radar_only(self, track: Track) -> bool:
        """Return whether radar alone takes an object for an obstacle that may be none."""
        p = self._p
        in_view = abs(math.atan2(track.y_m, track.x_m)) < p.view_half_rad and track.x_m < p.view_range_m
        return Sensor.CAMERA not in track.sources and (not self._moves(track) or self._watched and in_view)

    def _moves(self, track: Track) -> bool:
        return self._moving.get(track.id, 0) >= self._p.moving_cycles


def _seen_mps(track: Track) -> float:
    """Return the speed over ground that is measured: for radar alone that along its line of sight, by Doppler.

    The rest of its velocity comes from places, and those of a guard rail's posts are easily taken for one another:
    what seems to rush across the line of sight has not been measured at all. Who is about to drive into us from outside
    the camera's view comes along it. A camera alone measures nothing: the places of a parked car of which ever more
    shows seem to move.
    """
    if track.sources == AGREED:
        return math.hypot(track.vx_mps, track.vy_mps)
    if Sensor.RADAR not in track.sources:
        return 0.0
    along = abs(track.x_m * track.vx_mps + track.y_m * track.vy_mps) / max(math.hypot(track.x_m, track.y_m), 1.0)
    return along if along >= DOPPLER_SHARE * math.hypot(track.vx_mps, track.vy_mps) else 0.0
