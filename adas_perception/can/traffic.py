"""What passes a bus, message by message: rates, gaps, ages, verdicts; behind ``adas can monitor`` and ``check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from adas_perception.can import e2e
from adas_perception.can.codec import Codec, Decoded, Fault, Frame, MessageSpec
from adas_perception.can.inbox import TIMEOUT_CYCLES
from adas_perception.can.profile import PlainDecoder, VehicleProfile
from adas_perception.types import seconds

# What a sound bus never shows; lost frames are visible as such and as gaps.
UNSOUND = (
    e2e.Status.WRONG_CRC,
    e2e.Status.WRONG_SEQUENCE,
    e2e.Status.REPEATED,
    e2e.Status.OK_SOME_LOST,
    Fault.LENGTH,
    Fault.RANGE,
)


class Kind(Enum):
    """What is wrong with the traffic of a message."""

    MISSING = "never seen"
    UNKNOWN = "unknown id"
    GAP = "cycle"
    E2E = "E2E"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in a sentence."""

    kind: Kind
    message: str
    text: str


@dataclass(slots=True)
class Passed:
    """Everything seen of one message."""

    name: str
    id: int
    bus: str
    cycle_ns: int = 0
    protected: bool = False
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    worst_gap_ns: int = 0
    gaps: int = 0
    check: e2e.CheckState = e2e.CheckState()
    window: e2e.Window = e2e.Window()
    counts: Counter[e2e.Status | Fault] = field(default_factory=Counter)
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate_hz(self) -> float:
        """Return the mean rate over the time between the first and the last frame."""
        span_s = seconds(self.last_ns - self.first_ns)
        return (self.count - 1) / span_s if span_s > 0.0 else 0.0


class Traffic:
    """Counts the frames of one car; those of no DBC in ``unknown`` by bus and id."""

    def __init__(self, profile: VehicleProfile) -> None:
        """Read the DBC files of the profile; raises ProfileError, DbcError."""
        self._codec: Codec | None = profile.codec() if profile.writes else None
        self._plain = None if profile.writes else PlainDecoder(profile)
        self._specs: Mapping[str, MessageSpec] = self._codec.messages if self._codec else {}
        self._cycles = self._plain.cycles_ns() if self._plain else {}
        self.messages: dict[tuple[str, str], Passed] = {}
        self.unknown: Counter[tuple[str, int]] = Counter()

    def add(self, stamp_ns: int, bus: str, frame: Frame) -> None:
        """Take in a frame."""
        decoded = self._decode(bus, frame)
        if decoded is None:
            self.unknown[bus, frame.id] += 1
            return
        spec = self._specs.get(decoded.name)
        cycle_ns = spec.cycle_ns if spec else self._cycles.get(decoded.name, 0)
        start = Passed(decoded.name, frame.id, bus, cycle_ns, spec is not None, first_ns=stamp_ns, last_ns=stamp_ns)
        seen = self.messages.setdefault((bus, decoded.name), start)
        gap_ns = stamp_ns - seen.last_ns
        seen.worst_gap_ns = max(seen.worst_gap_ns, gap_ns)
        seen.gaps += bool(cycle_ns) and gap_ns > TIMEOUT_CYCLES * cycle_ns
        seen.count += 1
        seen.last_ns = stamp_ns
        if spec:
            seen.check = e2e.check_frame(seen.check, frame.data, spec.profile)
            seen.window = seen.window.add(seen.check.status)
            seen.counts[seen.check.status] += 1
        if decoded.fault in (Fault.LENGTH, Fault.RANGE):
            seen.counts[decoded.fault] += 1
        if not decoded.fault:
            seen.signals = decoded.signals

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the whole of the traffic."""
        seen_names = {name for _, name in self.messages}
        for name in self._specs:
            if name not in seen_names:
                yield Finding(Kind.MISSING, name, "is in the DBC and not in the log")
        for (bus, identifier), count in sorted(self.unknown.items()):
            yield Finding(Kind.UNKNOWN, f"0x{identifier:X}", f"is in no DBC of bus {bus}: {count} frames")
        for seen in self.messages.values():
            if seen.gaps:
                text = f"{seen.gaps} gaps of more than {TIMEOUT_CYCLES} cycles of {seen.cycle_ns / 1e6:.0f} ms"
                yield Finding(Kind.GAP, seen.name, f"{text}, the longest {seen.worst_gap_ns / 1e6:.0f} ms")
            for verdict in UNSOUND:
                if seen.counts[verdict]:
                    kind = Kind.RANGE if isinstance(verdict, Fault) else Kind.E2E
                    yield Finding(kind, seen.name, f"{verdict.value}: {seen.counts[verdict]} of {seen.count} frames")

    def _decode(self, bus: str, frame: Frame) -> Decoded | None:
        if self._codec:
            return self._codec.decode(frame)
        return self._plain.decode(bus, frame) if self._plain else None
