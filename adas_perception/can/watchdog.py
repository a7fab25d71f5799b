"""A watchdog thread over the sending loop: when the loop hangs the bus falls silent, whatever the loop does later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from adas_perception.types import nanoseconds, seconds

# Kicks without a gap after which a loop that hung is trusted again.
REGULAR_KICKS = 5


class Watchdog:
    """Calls ``on_hang(age_s)`` once when no kick came for ``timeout_s``, ``on_back()`` when they come regularly again.

    It is armed by the first kick, so that a slow start is no hang. Stamps are monotonic nanoseconds.
    """

    def __init__(self, timeout_s: float, on_hang: Callable[[float], None], on_back: Callable[[], None]) -> None:
        self._timeout_ns = nanoseconds(timeout_s)
        self._on_hang, self._on_back = on_hang, on_back
        self._kicked_ns: int | None = None
        self._regular = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(timeout_s / 4.0,), name="can watchdog", daemon=True)
        self.hung = False
        self.hangs = 0

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to watch."""
        self._end.set()
        self._thread.join()

    def kick(self, now_ns: int) -> None:
        """Tell that the loop is alive."""
        gap = self._kicked_ns is None or now_ns - self._kicked_ns > self._timeout_ns
        self._regular = 0 if gap else self._regular + 1
        self._kicked_ns = now_ns

    def check(self, now_ns: int) -> None:
        """Judge the loop; the thread calls it four times in every timeout."""
        if self._kicked_ns is None:
            return
        age_ns = now_ns - self._kicked_ns
        if not self.hung and age_ns > self._timeout_ns:
            self.hung = True
            self.hangs += 1
            self._on_hang(seconds(age_ns))
        elif self.hung and age_ns <= self._timeout_ns and self._regular >= REGULAR_KICKS:
            self.hung = False
            self._on_back()

    def _run(self, period_s: float) -> None:
        while not self._end.wait(period_s):
            self.check(time.monotonic_ns())
