"""The receiving end of a set of messages: E2E check, timeouts, counts; the same on both sides of the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adas_perception.can import e2e
from adas_perception.can.codec import Codec, Decoded, Fault, Frame, Signals

# Three frames missing, and half a cycle for the jitter of the sender.
TIMEOUT_CYCLES = 3.5


@dataclass(frozen=True, slots=True)
class Health:
    """Health of one received message; ``counts`` holds the frames by E2E status and by fault."""

    status: e2e.Status
    age_ns: int | None
    counts: Mapping[e2e.Status | Fault, int]


@dataclass(frozen=True, slots=True)
class Reception:
    """The last usable frame of a message."""

    received_ns: int
    signals: Signals


class _Slot:
    """State of one received message."""

    def __init__(self, data_id: int, timeout_ns: int) -> None:
        self.data_id = data_id
        self.timeout_ns = timeout_ns
        self.check = e2e.CheckState()
        self.fresh_ns: int | None = None
        self.last: Reception | None = None
        self.counts: Counter[e2e.Status | Fault] = Counter()

    def silent(self, now_ns: int) -> bool:
        return self.fresh_ns is None or not 0 <= now_ns - self.fresh_ns <= self.timeout_ns


class Inbox:
    """Keeps the last usable frame of each message.

    A frame that fails is dropped and counted; the value before it holds until its timeout, so one disturbed
    frame does no harm and a disturbed link goes silent. Without ``timeout_ns`` it is three missing cycles.
    """

    def __init__(self, codec: Codec, names: Iterable[str], timeout_ns: int | None = None) -> None:
        self._codec = codec
        self._slots = {
            name: _Slot(spec.data_id, timeout_ns or int(TIMEOUT_CYCLES * spec.cycle_ns))
            for name, spec in ((name, codec.messages[name]) for name in names)
        }

    def feed(self, frame: Frame, now_ns: int) -> Decoded | None:
        """Take in a frame; return it decoded when it is one of ours and may be used, else None."""
        decoded = self._codec.decode(frame)
        slot = self._slots.get(decoded.name) if decoded else None
        if decoded is None or slot is None:
            return None
        if slot.check.counter is not None and slot.silent(now_ns):
            slot.check = e2e.check_silence(slot.check)
        slot.check = e2e.check_frame(slot.check, frame.data, slot.data_id)
        if slot.check.status is not e2e.Status.REPEATED:
            slot.fresh_ns = now_ns
        slot.counts[slot.check.status] += 1
        if decoded.fault in (Fault.LENGTH, Fault.RANGE):
            slot.counts[decoded.fault] += 1
        if decoded.fault or not slot.check.status.usable:
            return None
        slot.last = Reception(now_ns, decoded.signals)
        return decoded

    def latest(self, name: str, now_ns: int) -> Reception | None:
        """Return the last usable frame of a message, or None when there is none or it has timed out."""
        slot = self._slots[name]
        if slot.last is None or not 0 <= now_ns - slot.last.received_ns <= slot.timeout_ns:
            return None
        return slot.last

    def health(self, now_ns: int) -> Mapping[str, Health]:
        """Return the health of every message; the age is that of the last usable frame."""
        return {
            name: Health(
                status=e2e.Status.NO_NEW_DATA if slot.silent(now_ns) else slot.check.status,
                age_ns=now_ns - slot.last.received_ns if slot.last else None,
                counts=dict(slot.counts),
            )
            for name, slot in self._slots.items()
        }
