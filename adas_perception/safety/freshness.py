"""Age and order of samples: no data is a decision, so every user of a sample asks here whether it may be used."""

from __future__ import annotations

import math
from typing import Protocol, TypeGuard, TypeVar

from adas_perception.types import seconds

# A stamp may lie this far in the future: clocks of sensor and computer are never set alike.
FUTURE_TOLERANCE_S = 0.05
# So many samples in order, all older than what came before, are a clock that has gone back.
RESYNC_SAMPLES = 5


class Stamped(Protocol):
    """Anything that carries the stamp of its sensor sample."""

    @property
    def stamp_ns(self) -> int:
        """Return the stamp in nanoseconds."""
        ...


T = TypeVar("T", bound=Stamped)


def age_s(sample: Stamped | None, now_ns: int) -> float:
    """Return the age of ``sample`` in seconds, infinite when there is none or it lies in the future."""
    if sample is None or sample.stamp_ns == 0:
        return math.inf
    age = seconds(now_ns - sample.stamp_ns)
    if age >= 0.0:
        return age
    return 0.0 if age >= -FUTURE_TOLERANCE_S else math.inf


def fresh(sample: T | None, now_ns: int, limit_s: float) -> TypeGuard[T]:
    """Return whether ``sample`` exists and is at most ``limit_s`` old."""
    return age_s(sample, now_ns) <= limit_s


class Order:
    """Whether samples come in the order of their stamps: each once, and none older than the one before.

    A sender that has restarted with an older clock is believed once ``resync_samples`` have proven its order.
    """

    def __init__(self, resync_samples: int = RESYNC_SAMPLES) -> None:
        self._resync = resync_samples
        self._last_ns: int | None = None
        self._refused_ns: int | None = None
        self._proven = 0

    def follows(self, stamp_ns: int) -> bool:
        """Return whether the next sample may be used."""
        newer = self._last_ns is None or stamp_ns > self._last_ns
        if not newer:
            proves = self._refused_ns is not None and stamp_ns > self._refused_ns
            self._proven = self._proven + 1 if proves else 1
            self._refused_ns = stamp_ns
            if self._proven < self._resync:
                return False
        self._last_ns, self._refused_ns, self._proven = stamp_ns, None, 0
        return True
