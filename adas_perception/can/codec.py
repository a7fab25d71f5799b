"""Frames to signals and back by the DBC file, with E2E protection; the only place that knows cantools."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

import cantools.database
from cantools.database.can import Database, Message

from adas_perception.can import e2e
from adas_perception.types import NS_PER_S

NS_PER_MS = NS_PER_S // 1000

Signals = Mapping[str, float]


class DbcError(ValueError):
    """The DBC file cannot be used; the message says where and what to do."""


class SignalError(ValueError):
    """A value cannot be sent: not finite, outside the range of its signal, or no such signal."""


class Fault(Enum):
    """Why a received frame is unusable on its own, its predecessors left aside."""

    LENGTH = "wrong length"
    E2E = "wrong CRC or counter"
    RANGE = "signal out of range"


@dataclass(frozen=True, slots=True)
class Frame:
    """A classic CAN data frame with an 11-bit identifier."""

    id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame of a known message; ``signals`` is empty when there is a fault."""

    name: str
    signals: Signals
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """What the DBC says about a message."""

    name: str
    id: int
    length: int
    cycle_ns: int
    profile: e2e.Profile
    ranges: Mapping[str, tuple[float, float]]
    codec: Message


class Codec:
    """Encodes and decodes the messages of one DBC file; keeps the counters of what it sends."""

    def __init__(self, dbc_path: Path) -> None:
        """Read the DBC; raises DbcError with the file and the remedy."""
        specs = [_spec(message, dbc_path) for message in _load(dbc_path).messages]
        self.messages: Mapping[str, MessageSpec] = {spec.name: spec for spec in specs}
        self._by_id = {spec.id: spec for spec in specs}
        self._counters = dict.fromkeys(self.messages, 0)

    def encode(self, name: str, signals: Signals) -> Frame:
        """Return the next frame of a message, signals that are not given being 0.

        Raises SignalError, and leaves the counter alone, when a value does not fit.
        """
        spec = self.messages[name]
        values = dict.fromkeys(spec.ranges, 0.0)
        for signal, value in signals.items():
            if signal not in spec.ranges:
                raise SignalError(f"{name}: there is no signal '{signal}'; known: {', '.join(spec.ranges)}")
            low, high = spec.ranges[signal]
            if not low <= value <= high:  # so is NaN
                raise SignalError(f"{name}.{signal}: {value} is outside {low}..{high}")
            values[signal] = value
        data = bytearray(spec.codec.encode({**values, "Crc": 0, "Counter": 0}, strict=False))
        e2e.protect(data, spec.profile, self._counters[name])
        self._counters[name] = (self._counters[name] + 1) % spec.profile.counters
        return Frame(spec.id, bytes(data))

    def decode(self, frame: Frame) -> Decoded | None:
        """Return the signals of a frame, or None for an identifier that the DBC lacks; never raises."""
        spec = self._by_id.get(frame.id)
        if spec is None:
            return None
        if len(frame.data) != spec.length:
            return Decoded(spec.name, {}, Fault.LENGTH)
        if not e2e.intact(frame.data, spec.profile):
            return Decoded(spec.name, {}, Fault.E2E)
        signals = cast(dict[str, float], spec.codec.decode(frame.data, decode_choices=False))
        if not all(low <= signals[signal] <= high for signal, (low, high) in spec.ranges.items()):
            return Decoded(spec.name, {}, Fault.RANGE)
        return Decoded(spec.name, signals, None)


class Schedule:
    """Tells which messages are due, so that each keeps its cycle whatever the period of the caller's tick."""

    def __init__(self, specs: Mapping[str, MessageSpec], names: tuple[str, ...]) -> None:
        self._cycles = {name: specs[name].cycle_ns for name in names}
        self._due: dict[str, int] = {}

    def due(self, now_ns: int, at_once: Collection[str] = ()) -> list[str]:
        """Return the messages to send at ``now_ns``, each call counting as sent; those ``at_once`` are always due.

        A message is sent up to half a cycle early, because a tick that comes a little too soon would
        otherwise skip a whole period; on average the cycle is kept. After a pause or a jump of the clock
        the cycle starts anew.
        """
        names = []
        for name, cycle_ns in self._cycles.items():
            due_ns = self._due.get(name, now_ns)
            if name in at_once or abs(now_ns - due_ns) > 2 * cycle_ns:
                due_ns = now_ns
            if now_ns >= due_ns - cycle_ns // 2:
                names.append(name)
                due_ns += cycle_ns
            self._due[name] = due_ns
        return names


def _load(path: Path) -> Database:
    try:
        return cast(Database, cantools.database.load_file(path, database_format="dbc", strict=True))
    except FileNotFoundError:
        raise DbcError(f"{path}: no such file; check the path of the DBC file") from None
    except (OSError, ValueError, cantools.database.Error) as error:
        reason = str(error).splitlines()[0]
        raise DbcError(f"{path}: not a usable DBC file ({reason}); correct it") from None


def _spec(message: Message, path: Path) -> MessageSpec:
    names = {signal.name for signal in message.signals}
    if not (message.cycle_time and message.length >= 2 and {"Crc", "Counter"} <= names):
        needs = "GenMsgCycleTime and the signals Crc and Counter"
        raise DbcError(f"{path}: {message.name} needs {needs}; add what is missing")
    ranges = {}
    for signal in message.signals:
        if signal.minimum is None or signal.maximum is None:
            raise DbcError(f"{path}: {message.name}.{signal.name} has no range; give it one in brackets")
        if signal.name not in ("Crc", "Counter"):
            ranges[signal.name] = (signal.minimum, signal.maximum)
    return MessageSpec(
        name=message.name,
        id=message.frame_id,
        length=message.length,
        cycle_ns=message.cycle_time * NS_PER_MS,
        profile=_profile(message, path),
        ranges=ranges,
        codec=message,
    )


def _profile(message: Message, path: Path) -> e2e.Profile:
    """Return the E2E profile by its attribute: E2EDataID for Profile 1, E2EDataIDList (32 hex digits) for Profile 2."""
    attributes = message.dbc.attributes if message.dbc else {}
    data_id, data_ids = (attributes[n].value if n in attributes else 0 for n in ("E2EDataID", "E2EDataIDList"))
    if bool(data_id) == bool(data_ids):
        raise DbcError(f"{path}: {message.name} needs E2EDataID (Profile 1) or E2EDataIDList (Profile 2), exactly one")
    if data_id:
        return e2e.Profile1(int(data_id))
    try:
        return e2e.Profile2(bytes.fromhex(str(data_ids)))
    except ValueError as error:
        wrong = f"E2EDataIDList '{data_ids}' is wrong ({error}); give 32 hex digits"
        raise DbcError(f"{path}: {message.name}: {wrong}") from None
