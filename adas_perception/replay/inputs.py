"""How well the inputs came: rates, gaps, samples that are missing, late, out of order or not usable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adas_perception.types import nanoseconds, seconds

# The gate withdraws a request that rests on an older sample.
STALE_S = 0.25
# An interval longer than so many usual ones means that samples are missing.
GAP_FACTOR = 1.8
# Rangers are off at speed: their pauses are no gaps.
PAUSING = ("ultrasonic/",)


@dataclass(frozen=True)
class InputFigures:
    """What one topic brought. ``dropped`` is how many samples fit into its gaps, by the usual interval."""

    topic: str
    messages: int
    rate_hz: float
    dropped: int
    gap_max_s: float
    out_of_order: int
    stale: int
    age_p95_ms: float
    rejected: int
    reason: str = ""


@dataclass
class _Heard:
    stamps_ns: list[int] = field(default_factory=list)
    ages_ns: list[int] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""


class InputWatch:
    """Takes in every arrival; ``figures`` tells what came of each topic."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def take(self, topic: str, now_ns: int, stamp_ns: int) -> None:
        """Take in a sample that arrived at ``now_ns`` and was measured at ``stamp_ns``."""
        heard = self._heard.setdefault(topic, _Heard())
        heard.stamps_ns.append(stamp_ns)
        heard.ages_ns.append(now_ns - stamp_ns)

    def reject(self, topic: str, reason: str) -> None:
        """Count a message that could not be used."""
        heard = self._heard.setdefault(topic, _Heard())
        heard.rejected += 1
        heard.reason = heard.reason or reason

    def figures(self) -> tuple[InputFigures, ...]:
        """Return the figures of every topic, by name."""
        return tuple(_figures(topic, heard) for topic, heard in sorted(self._heard.items()))


def _figures(topic: str, heard: _Heard) -> InputFigures:
    stamps, ages = np.array(heard.stamps_ns, dtype=np.int64), np.array(heard.ages_ns, dtype=np.int64)
    gaps = intervals(heard.stamps_ns)
    usual_ns = float(np.median(gaps)) if len(gaps) else 0.0
    long = gaps[gaps > GAP_FACTOR * usual_ns] if usual_ns and not topic.startswith(PAUSING) else gaps[:0]
    return InputFigures(
        topic=topic,
        messages=len(stamps),
        rate_hz=round(1e9 / usual_ns, 2) if usual_ns else 0.0,
        dropped=int(np.sum(np.round(long / usual_ns) - 1)) if usual_ns else 0,
        gap_max_s=seconds(int(gaps.max())) if len(gaps) else 0.0,
        out_of_order=int(np.sum(np.diff(stamps) < 0)),
        stale=int(np.sum(ages > nanoseconds(STALE_S))),
        age_p95_ms=round(float(np.percentile(ages, 95)) / 1e6, 3) if len(ages) else 0.0,
        rejected=heard.rejected,
        reason=heard.reason,
    )


def intervals(stamps_ns: Sequence[int]) -> np.ndarray:
    """Return the times between stamps that grow, in nanoseconds; steps back are left out."""
    steps = np.diff(np.array(stamps_ns, dtype=np.int64))
    return np.asarray(steps[steps > 0])
