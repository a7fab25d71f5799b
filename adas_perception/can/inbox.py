"""The receiving end of a set of messages: E2E check, timeouts, counts; the same on both sides of the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adas_perception.can import e2e
from adas_perception.can.codec import Codec, Decoded, Fault, Frame, MessageSpec, Signals

# Three frames missing, and half a cycle for the jitter of the sender.
TIMEOUT_CYCLES = 3.5


@dataclass(frozen=True, slots=True)
class Health:
    """Health of one received message; ``counts`` holds the frames by E2E status and by fault."""

    status: e2e.Status
    trust: e2e.Trust
    age_ns: int | None
    counts: Mapping[e2e.Status | Fault, int]


@dataclass(frozen=True, slots=True)
class Reception:
    """The last usable frame of a message."""

    received_ns: int
    signals: Signals


class _Slot:
    """State of one received message."""

    def __init__(self, spec: MessageSpec, timeout_ns: int) -> None:
        self.profile = spec.profile
        self.cycle_ns = spec.cycle_ns
        self.timeout_ns = timeout_ns
        self.check = e2e.CheckState()
        self.window = e2e.Window()
        self.fresh_ns: int | None = None
        self.last: Reception | None = None
        self.counts: Counter[e2e.Status | Fault] = Counter()

    def silent(self, now_ns: int) -> bool:
        return self.fresh_ns is None or not 0 <= now_ns - self.fresh_ns <= self.timeout_ns

    def take(self, data: bytes, now_ns: int) -> None:
        """Judge a frame; silence before it counts once for every cycle that was missed."""
        if self.fresh_ns is not None and self.silent(now_ns):
            self.check = e2e.check_silence(self.check)
            missed = min(abs(now_ns - self.fresh_ns) // self.cycle_ns, e2e.WINDOW.size)
            for _ in range(missed):
                self.window = self.window.add(e2e.Status.NO_NEW_DATA)
        self.check = e2e.check_frame(self.check, data, self.profile)
        self.window = self.window.add(self.check.status)
        self.counts[self.check.status] += 1
        if self.check.status is not e2e.Status.REPEATED:
            self.fresh_ns = now_ns


class Inbox:
    """Keeps the last usable frame of each message.

    A frame that fails is dropped and counted; the value before it holds until its timeout, so one disturbed
    frame does no harm. A link that is disturbed often, or was silent for long, is invalid: nothing of it is used
    until it has proved itself again. Without ``timeout_ns`` the timeout is three missing cycles.
    """

    def __init__(self, codec: Codec, names: Iterable[str], timeout_ns: int | None = None) -> None:
        self._codec = codec
        self._slots = {
            name: _Slot(spec, timeout_ns or int(TIMEOUT_CYCLES * spec.cycle_ns))
            for name, spec in ((name, codec.messages[name]) for name in names)
        }

    def feed(self, frame: Frame, now_ns: int) -> Decoded | None:
        """Take in a frame; return it decoded when it is one of ours and may be used, else None."""
        decoded = self._codec.decode(frame)
        slot = self._slots.get(decoded.name) if decoded else None
        if decoded is None or slot is None:
            return None
        slot.take(frame.data, now_ns)
        if decoded.fault in (Fault.LENGTH, Fault.RANGE):
            slot.counts[decoded.fault] += 1
        if decoded.fault or not slot.check.status.usable or slot.window.trust is not e2e.Trust.VALID:
            return None
        slot.last = Reception(now_ns, decoded.signals)
        return decoded

    def latest(self, name: str, now_ns: int) -> Reception | None:
        """Return the last usable frame of a message; None when there is none, it is old or the link is invalid."""
        slot = self._slots[name]
        if slot.last is None or slot.window.trust is not e2e.Trust.VALID:
            return None
        return slot.last if 0 <= now_ns - slot.last.received_ns <= slot.timeout_ns else None

    def health(self, now_ns: int) -> Mapping[str, Health]:
        """Return the health of every message; the age is that of the last usable frame."""
        return {
            name: Health(
                status=e2e.Status.NO_NEW_DATA if slot.silent(now_ns) else slot.check.status,
                trust=slot.window.trust,
                age_ns=now_ns - slot.last.received_ns if slot.last else None,
                counts=dict(slot.counts),
            )
            for name, slot in self._slots.items()
        }
