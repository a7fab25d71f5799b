"""End-to-end protection of AUTOSAR (FO PRS E2EProtocol), Profiles 1 and 2: CRC, counter, and the receiver's verdict.

In both profiles byte 0 is the CRC and the low nibble of byte 1 the counter. The PyPI package autosar-e2e is the
oracle in the tests and not used here, because it has no wheel for aarch64 and no rosdep key.

A receiver judges twice: ``check_frame`` says what one frame is worth, ``Window`` whether the link can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar, TypeAlias


def _table(polynomial: int) -> bytes:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value & 0x80 else 0)
        entries.append(value & 0xFF)
    return bytes(entries)


def _crc(table: bytes, start: int, data: Iterable[int]) -> int:
    for byte in data:
        start = table[start ^ byte]
    return start


_SAE_J1850 = _table(0x1D)
_8H2F = _table(0x2F)


@dataclass(frozen=True, slots=True)
class Profile1:
    """Profile 1, DataID mode BOTH: counter 0..14, CRC over low and high byte of the DataID and bytes 1.. of the frame.

    The polynomial is that of SAE J1850, but start value and final XOR are 0.
    """

    data_id: int
    counters: ClassVar[int] = 15

    def crc(self, data: bytes | bytearray) -> int:
        """Return the CRC of a frame."""
        return _crc(_SAE_J1850, 0, (self.data_id & 0xFF, self.data_id >> 8, *data[1:]))


@dataclass(frozen=True, slots=True)
class Profile2:
    """Profile 2: counter 0..15, CRC-8H2F over bytes 1.. of the frame and the DataID that the counter selects."""

    data_ids: bytes
    counters: ClassVar[int] = 16

    def __post_init__(self) -> None:
        """Refuse a list that does not have an ID for every counter."""
        if len(self.data_ids) != self.counters:
            raise ValueError(f"E2E Profile 2 needs {self.counters} data IDs, not {len(self.data_ids)}")

    def crc(self, data: bytes | bytearray) -> int:
        """Return the CRC of a frame."""
        return _crc(_8H2F, 0xFF, (*data[1:], self.data_ids[data[1] & 0x0F])) ^ 0xFF


Profile: TypeAlias = Profile1 | Profile2


def protect(data: bytearray, profile: Profile, counter: int) -> None:
    """Write counter and CRC into ``data`` (at least 2 bytes) in place."""
    data[1] = data[1] & 0xF0 | counter
    data[0] = profile.crc(data)


def intact(data: bytes, profile: Profile) -> bool:
    """Return whether CRC and counter of ``data`` are valid."""
    return len(data) >= 2 and data[1] & 0x0F < profile.counters and data[0] == profile.crc(data)


class Status(Enum):
    """What a receiver knows after a check."""

    OK = "ok"
    OK_SOME_LOST = "ok, some frames lost"
    INITIAL = "first frame"
    SYNC = "counter not yet trusted again"
    REPEATED = "frame repeated"
    WRONG_SEQUENCE = "counter jumped"
    WRONG_CRC = "wrong CRC"
    NO_NEW_DATA = "no new data"

    @property
    def usable(self) -> bool:
        """Return whether the data of this frame may be used."""
        return self in (Status.OK, Status.OK_SOME_LOST)


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """Counter steps accepted as "some lost", and frames in sequence it takes to trust the counter again."""

    max_delta: int = 3
    sync_frames: int = 1


DEFAULT = CheckConfig()


@dataclass(frozen=True, slots=True)
class CheckState:
    """What a receiver remembers between two checks."""

    status: Status = Status.NO_NEW_DATA
    counter: int | None = None
    sync_left: int = 0


def check_frame(state: CheckState, data: bytes, profile: Profile, config: CheckConfig = DEFAULT) -> CheckState:
    """Return the state after a frame arrived.

    A wrong CRC loses the trust in the counter as a jump does: one byte of CRC lets one random frame in 256
    pass, and only frames in sequence prove that the sender is back.
    """
    if not intact(data, profile):
        return replace(state, status=Status.WRONG_CRC, sync_left=config.sync_frames)
    counter = data[1] & 0x0F
    if state.counter is None:
        return replace(state, status=Status.INITIAL, counter=counter)
    delta = (counter - state.counter) % profile.counters
    if delta == 0:
        return replace(state, status=Status.REPEATED)
    if delta > config.max_delta:
        return CheckState(Status.WRONG_SEQUENCE, counter, config.sync_frames)
    if state.sync_left > 0:
        return CheckState(Status.SYNC, counter, state.sync_left - 1)
    return CheckState(Status.OK if delta == 1 else Status.OK_SOME_LOST, counter)


def check_silence(state: CheckState, config: CheckConfig = DEFAULT) -> CheckState:
    """Return the state after the time allowed for a new frame has passed without one."""
    return replace(state, status=Status.NO_NEW_DATA, sync_left=config.sync_frames)


class Trust(Enum):
    """State of a link, as the state machine of AUTOSAR names it."""

    NO_DATA = "nothing received"
    INIT = "starting"
    VALID = "valid"
    INVALID = "invalid"


# How the window counts a status; what is in neither list only pushes older ones out.
_GOOD = (Status.OK, Status.OK_SOME_LOST, Status.SYNC)
_BAD = (Status.WRONG_CRC,)


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """Length of the window in checks, and in each state the fewest good and the most bad ones it takes to be valid."""

    size: int = 10
    min_ok_init: int = 1
    max_error_init: int = 2
    min_ok_valid: int = 1
    max_error_valid: int = 2
    min_ok_invalid: int = 3
    max_error_invalid: int = 0

    def __post_init__(self) -> None:
        """Refuse limits that the window cannot hold."""
        needs = max(self.min_ok_init, self.min_ok_valid, self.min_ok_invalid)
        if not 0 < needs <= self.size:
            raise ValueError(f"an E2E window of {self.size} checks cannot hold {needs} good ones")


WINDOW = WindowConfig()


@dataclass(frozen=True, slots=True)
class Window:
    """The last verdicts on a link and the state they put it into."""

    trust: Trust = Trust.NO_DATA
    recent: tuple[Status, ...] = field(default=())

    def add(self, status: Status, config: WindowConfig = WINDOW) -> Window:
        """Return the window after another check; a link that becomes invalid starts with an empty one."""
        recent = (*self.recent, status)[-config.size :]
        if self.trust is Trust.NO_DATA:
            started = status not in (Status.NO_NEW_DATA, *_BAD)
            return Window(Trust.INIT if started else Trust.NO_DATA, recent)
        min_ok, max_error = {
            Trust.INIT: (config.min_ok_init, config.max_error_init),
            Trust.VALID: (config.min_ok_valid, config.max_error_valid),
            Trust.INVALID: (config.min_ok_invalid, config.max_error_invalid),
        }[self.trust]
        good, bad = (sum(seen in kinds for seen in recent) for kinds in (_GOOD, _BAD))
        if good >= min_ok and bad <= max_error:
            return Window(Trust.VALID, recent)
        if self.trust is Trust.INIT and bad <= max_error:
            return Window(Trust.INIT, recent)
        return Window(Trust.INVALID, () if self.trust is not Trust.INVALID else recent)
