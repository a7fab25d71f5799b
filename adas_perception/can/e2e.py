"""E2E Profile 1 (AUTOSAR FO PRS E2EProtocol): CRC and counter of a frame, and what a receiver makes of them.

Byte 0 is the CRC, the low nibble of byte 1 the counter 0..14. DataID mode BOTH: the CRC runs over the low
byte of the DataID, its high byte and bytes 1.. of the frame. The PyPI package autosar-e2e is the oracle in
the tests and not used here, because it has no wheel for aarch64 and no rosdep key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

COUNTERS = 15
_POLYNOMIAL = 0x1D


def _table() -> bytes:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80 else 0)
        entries.append(value & 0xFF)
    return bytes(entries)


_TABLE = _table()


def crc(data: bytes | bytearray, data_id: int) -> int:
    """Return the Profile 1 CRC of a frame; SAE J1850's polynomial, but start value and final XOR are 0."""
    value = _TABLE[_TABLE[data_id & 0xFF] ^ data_id >> 8]
    for byte in data[1:]:
        value = _TABLE[value ^ byte]
    return value


def protect(data: bytearray, data_id: int, counter: int) -> None:
    """Write counter and CRC into ``data`` (at least 2 bytes) in place."""
    data[1] = data[1] & 0xF0 | counter
    data[0] = crc(data, data_id)


def intact(data: bytes, data_id: int) -> bool:
    """Return whether CRC and counter of ``data`` are valid."""
    return len(data) >= 2 and data[1] & 0x0F < COUNTERS and data[0] == crc(data, data_id)


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
    """What a receiver remembers between two checks; a window over ``status`` can judge the whole link."""

    status: Status = Status.NO_NEW_DATA
    counter: int | None = None
    sync_left: int = 0


def check_frame(state: CheckState, data: bytes, data_id: int, config: CheckConfig = DEFAULT) -> CheckState:
    """Return the state after a frame arrived.

    A wrong CRC loses the trust in the counter as a jump does: one byte of CRC lets one random frame in 256
    pass, and only frames in sequence prove that the sender is back.
    """
    if not intact(data, data_id):
        return replace(state, status=Status.WRONG_CRC, sync_left=config.sync_frames)
    counter = data[1] & 0x0F
    if state.counter is None:
        return replace(state, status=Status.INITIAL, counter=counter)
    delta = (counter - state.counter) % COUNTERS
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
