"""The inputs of the stack: alive, in time, in order, in range, and not frozen.

Every sample passes here before it may be used. A single bad one is turned away and passed over; when they
accumulate the input is faulty, and stays so until enough good ones have come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from adas_perception.params import Params, param
from adas_perception.safety.faults import FaultKind
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, RESYNC_SAMPLES, Order
from adas_perception.types import nanoseconds, seconds

RATE_WINDOW_S = 1.0
RATE_WINDOW_NS = nanoseconds(RATE_WINDOW_S)


@dataclass(frozen=True)
class InputParams(Params):
    """When an input counts as faulty."""

    silent_s: float = param(0.25, "silence of an input before it counts as lost", unit="s", low=0.05, high=1.0)
    late_s: float = param(0.25, "older samples are turned away", unit="s", low=0.05, high=1.0)
    rate_min_hz: float = param(6.0, "fewer samples a second are too few", unit="Hz", low=0.0, high=50.0)
    bad_limit: float = param(1.5, "score of bad samples above which an input is faulty", low=0.5, high=10.0)
    bad_leak: float = param(0.25, "score that a good sample takes back", low=0.01, high=1.0)
    frozen_samples: int = param(4, "equal samples in a row, although the car moves, that are frozen", low=2, high=50)
    resync_samples: int = param(
        RESYNC_SAMPLES, "refused samples in order that start a new order", low=2, high=50
    )


class Channel:
    """One input, judged sample by sample."""

    def __init__(self, params: InputParams) -> None:
        self._p = params
        self._score = 0.0
        self._same = 0
        self._last: Hashable = None
        self._heard: deque[int] = deque()
        self._order = Order(params.resync_samples)
        self._heard_ns: int | None = None
        self._since_ns: int | None = None

    def restart(self, now_ns: int) -> None:
        """Begin anew after the clock has jumped: the old stamps mean nothing any more."""
        self._order = Order(self._p.resync_samples)
        self._heard.clear()
        if self._heard_ns is not None:
            self._heard_ns = self._since_ns = now_ns

    def take(
        self, now_ns: int, stamp_ns: int, *, sound: bool = True, content: Hashable = None, moved: bool = False
    ) -> bool:
        """Return whether a sample may be used.

        ``sound`` is the verdict on its values; ``content`` what must change while the car has ``moved``, None for
        nothing.
        """
        if not (sound and self._timely(now_ns, stamp_ns)):
            self._score = min(self._score + 1.0, 2.0 * self._p.bad_limit)
            return False
        self._score = max(self._score - self._p.bad_leak, 0.0)
        self._heard_ns = now_ns
        self._since_ns = now_ns if self._since_ns is None else self._since_ns
        self._heard.append(now_ns)
        self._forget(now_ns)
        repeated = content is not None and content == self._last
        self._same = self._same + moved if repeated else 0
        self._last = content
        return self._same < self._p.frozen_samples

    def fault(self, now_ns: int) -> FaultKind | None:
        """Return what is wrong with the input; nothing as long as it has never been heard."""
        if self._score > self._p.bad_limit:
            return FaultKind.INPUT_REFUSED
        if self._same >= self._p.frozen_samples:
            return FaultKind.INPUT_FROZEN
        if self._heard_ns is None or self._since_ns is None:
            return None
        if seconds(now_ns - self._heard_ns) > self._p.silent_s:
            return FaultKind.INPUT_SILENT
        self._forget(now_ns)
        settled = seconds(now_ns - self._since_ns) >= RATE_WINDOW_S
        return FaultKind.INPUT_SLOW if settled and len(self._heard) < self._p.rate_min_hz * RATE_WINDOW_S else None

    def _timely(self, now_ns: int, stamp_ns: int) -> bool:
        """Return whether a stamp is neither late nor of the future and follows the one before."""
        in_time = -FUTURE_TOLERANCE_S <= seconds(now_ns - stamp_ns) <= self._p.late_s
        return in_time and self._order.follows(stamp_ns)

    def _forget(self, now_ns: int) -> None:
        oldest_ns = now_ns - RATE_WINDOW_NS
        while self._heard and self._heard[0] <= oldest_ns:
            self._heard.popleft()
