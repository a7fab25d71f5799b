"""Interventions in a replay, and which of them were needless.

The recorded car did not obey, so its drive tells what would have come of doing nothing: a collision warning or an
emergency braking is false when within ``AFTER_S`` the driver did not brake, the car did not slow down hard and the
gap stayed; a lane correction is false when the car's side stayed ``LINE_CLEAR_M`` off the line without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adas_perception.pipeline import Output
from adas_perception.replay.kpi import AEB_BRAKES, Columns, Event
from adas_perception.safety.monitor import Mode
from adas_perception.types import Function

WARNING, BRAKING, CORRECTION = "collision warning", "emergency braking", "lane correction"
LANE_WARNING, BLIND_SPOT, FALLBACK = "lane warning", "blind spot warning", "fallback"
AFTER_S, BEFORE_S = 3.0, 0.5
# The signs of a danger that was real.
PEDAL, DECEL_MPS2, GAP_M = 0.05, 2.0, 2.0
LINE_CLEAR_M = 0.2


class EventWatch:
    """Notices where an intervention begins."""

    def __init__(self) -> None:
        self._on: set[str] = set()
        self.events: list[Event] = []

    def take(self, time_s: float, output: Output) -> None:
        """Look at one step."""
        aeb, lka, bsd = (output.decisions[f].state for f in (Function.AEB, Function.LKA, Function.BSD))
        now = {
            WARNING: (aeb.state in ("WARN", *AEB_BRAKES), aeb.reason),
            BRAKING: (aeb.state in AEB_BRAKES, aeb.reason),
            LANE_WARNING: (lka.state == "WARN", lka.reason),
            CORRECTION: (lka.state == "ACTIVE", lka.reason),
            BLIND_SPOT: (bsd.reason == "INDICATED", bsd.reason),
            FALLBACK: (output.safety.mode is Mode.FALLBACK, output.safety.reason),
        }
        for kind, (on, reason) in now.items():
            if on and kind not in self._on:
                self.events.append(Event(round(time_s, 3), kind, reason))
        self._on = {kind for kind, (on, _) in now.items() if on}


def judged(events: Sequence[Event], table: Columns) -> tuple[Event, ...]:
    """Return the events with what the recorded drive says about each."""
    return tuple(replace(event, false=_false(event, table)) for event in events)


def _false(event: Event, table: Columns) -> bool | None:
    time_s = table["time_s"]
    after = (time_s >= event.time_s) & (time_s <= event.time_s + AFTER_S)
    if event.kind in (WARNING, BRAKING):
        gaps = table["gap_m"][after]
        near = bool(np.any(gaps[np.isfinite(gaps)] < GAP_M))
        braked = bool(np.any(table["driver_brake"][after] > PEDAL) or np.any(table["accel_mps2"][after] < -DECEL_MPS2))
        return not (near or braked)
    if event.kind == CORRECTION:
        around = (time_s >= event.time_s - BEFORE_S) & (time_s <= event.time_s + AFTER_S)
        lines = table["line_m"][around]
        known = lines[np.isfinite(lines)]
        return bool(known.min() > LINE_CLEAR_M) if len(known) else None
    return None
