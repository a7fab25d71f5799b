"""A bus that is lost and comes back: one policy for a closed bus, bus-off, a full queue and a loop that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from adas_perception.can.bus import BusError, Port
from adas_perception.can.codec import Frame
from adas_perception.types import NS_PER_S, nanoseconds, seconds


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """When a bus counts as lost, and how it is opened again."""

    # A full queue costs the frame; this many in a row mean that nobody takes them off: open anew.
    full_queue_frames: int = 25
    # A frame that waited this long in this process is not sent; the next tick brings a newer one.
    send_age_s: float = 0.05
    # The wait before opening again doubles from the first to the last, and starts over after a stable time.
    retry_first_s: float = 0.1
    retry_last_s: float = 2.0
    stable_s: float = 1.0


class Link:
    """Frames out and in, silent while the bus is lost; neither ``send`` nor ``receive`` raises.

    One thread calls ``receive`` in a loop, which also opens a lost bus again; any thread may ``send``. Nothing is
    kept for later: what cannot be sent now is dropped and counted in ``dropped``.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        config: LinkConfig | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the bus; raises BusError when it cannot be opened the first time."""
        self._open_port = open_port
        self._config = config or LinkConfig()
        self._now_ns, self._sleep = now_ns, sleep
        self._lock = threading.Lock()
        self._port: Port | None = open_port()
        self._lost_port: Port | None = None
        self._muted = ""
        self._full = 0
        self._wait_s = self._config.retry_first_s
        self._opened_ns = now_ns()
        self._lost_ns = 0
        self._retry_ns = 0
        self.reason = ""
        self.sent = self.dropped = self.outages = 0
        self.last_outage_s = 0.0

    @property
    def fault(self) -> str:
        """Return why nothing is sent, or an empty text."""
        return self.reason or self._muted

    def send(self, frame: Frame, made_ns: int) -> bool:
        """Send a frame made at ``made_ns``, monotonic; return False and count it when it does not go out."""
        port = self._port
        late = not 0 <= self._now_ns() - made_ns <= nanoseconds(self._config.send_age_s)
        if port is None or self._muted or late:
            self.dropped += 1
            return False
        taken = port.send(frame)
        self.sent += taken
        self.dropped += not taken
        self._full = 0 if taken else self._full + 1
        if self._full >= self._config.full_queue_frames:
            self._lose(port, f"the bus took none of the last {self._full} frames")
        return taken

    def receive(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None after ``timeout_s`` and while the bus is lost."""
        port = self._port
        if port is None:
            self._open_again(timeout_s)
            return None
        try:
            return port.receive(timeout_s)
        except BusError as error:
            self._lose(port, str(error))
            return None

    def mute(self, reason: str) -> None:
        """Stop sending and throw away what waits in the driver; receiving goes on."""
        self._muted = reason
        port = self._port
        if port is not None:
            port.flush()

    def unmute(self) -> None:
        """Send again."""
        self._muted = ""

    def close(self) -> None:
        """Close the bus for good."""
        for port in (self._port, self._lost_port):
            if port is not None:
                port.close()

    def _lose(self, port: Port, reason: str) -> None:
        now_ns = self._now_ns()
        with self._lock:
            if self._port is not port:
                return  # the other thread was first
            if now_ns - self._opened_ns > nanoseconds(self._config.stable_s):
                self._wait_s = self._config.retry_first_s
            self._port, self._lost_port = None, port
            self._lost_ns, self._retry_ns = now_ns, now_ns + nanoseconds(self._wait_s)
            self.reason = reason

    def _open_again(self, timeout_s: float) -> None:
        wait_s = seconds(self._retry_ns - self._now_ns())
        if wait_s > 0.0:
            self._sleep(min(wait_s, timeout_s))
            return
        self._wait_s = min(2.0 * self._wait_s, self._config.retry_last_s)
        if self._lost_port is not None:
            self._lost_port.close()
            self._lost_port = None
        try:
            port = self._open_port()
        except BusError as error:
            self.reason = str(error)
            self._retry_ns = self._now_ns() + nanoseconds(self._wait_s)
            return
        with self._lock:
            self._opened_ns = self._now_ns()
            self._full = 0
            self.outages += 1
            self.last_outage_s = (self._opened_ns - self._lost_ns) / NS_PER_S
            self._port, self.reason = port, ""


class Spacing:
    """Keeps a least time between the request frames of new commands, so that no burst of commands floods the bus."""

    def __init__(self, least_ns: int) -> None:
        self._least_ns = least_ns
        self._sent_ns: int | None = None

    def free(self, now_ns: int) -> bool:
        """Return whether a request may go out at once."""
        return self._sent_ns is None or now_ns - self._sent_ns >= self._least_ns

    def sent(self, now_ns: int) -> None:
        """Note that requests went out."""
        self._sent_ns = now_ns
