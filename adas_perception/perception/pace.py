"""Which pictures the detector looks at: it is slower than the lanes, and tracking carries its boxes on."""

from __future__ import annotations

from adas_perception.types import seconds

# Pictures come with jitter: one that is this early counts.
EARLY_S = 0.015


class Pace:
    """Picks pictures at least ``period_s`` apart by their stamps."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_ns = 0

    def due(self, stamp_ns: int) -> bool:
        """Return whether this picture is to be looked at; a clock that went back makes none wait."""
        if 0.0 <= seconds(stamp_ns - self._last_ns) < self._period_s - EARLY_S:
            return False
        self._last_ns = stamp_ns
        return True
