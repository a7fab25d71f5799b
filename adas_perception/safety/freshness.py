"""Age of samples: no data is a decision, so every user of a sample asks here whether it may be used."""

from __future__ import annotations

import math
from typing import Protocol, TypeGuard, TypeVar

from adas_perception.types import seconds

# A stamp may lie this far in the future: clocks of sensor and computer are never set alike.
FUTURE_TOLERANCE_S = 0.05


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
