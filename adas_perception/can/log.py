"""Bus logs on disk through python-can: candump .log, .asc, .blf, .mf4, .csv, .trc and others, by the suffix."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import can

from adas_perception.can.codec import Frame
from adas_perception.types import nanoseconds


class LogError(ValueError):
    """A bus log cannot be read or written; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A frame of a log; ``bus`` is its channel as the log names it."""

    stamp_ns: int
    bus: str
    frame: Frame


class FrameLog:
    """Writes every frame of a bus into a file; threads may share it, and a full disk stops no control loop."""

    def __init__(self, path: Path) -> None:
        """Create the file; raises LogError for a suffix nobody can write or a folder that is not there."""
        try:
            self._writer = can.Logger(str(path))
        except (OSError, ValueError, NotImplementedError, ImportError) as error:
            raise LogError(f"{path}: cannot be written as a bus log ({error}); {_remedy()}") from None
        self._lock = threading.Lock()
        self.lost = 0

    def write(self, message: can.Message, *, received: bool) -> None:
        """Append a frame; one that the file does not take is counted as ``lost``."""
        message.is_rx = received
        message.timestamp = message.timestamp or time.time()
        message.channel = 0 if message.channel is None else message.channel
        with self._lock:
            try:
                self._writer.on_message_received(message)
            except Exception:  # each writer raises its own kind
                self.lost += 1

    def close(self) -> None:
        """Finish the file."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._writer.stop()


def read_log(path: Path) -> Iterator[Logged]:
    """Yield the data frames with 11-bit identifiers of a bus log; raises LogError with the remedy."""
    try:
        with can.LogReader(str(path)) as reader:
            for message in reader:
                if not (message.is_error_frame or message.is_remote_frame or message.is_extended_id):
                    frame = Frame(message.arbitration_id, bytes(message.data))
                    yield Logged(nanoseconds(message.timestamp), str(message.channel or 0), frame)
    except FileNotFoundError:
        raise LogError(f"{path}: no such file; check the path of the bus log") from None
    except Exception as error:  # each reader raises its own kind for a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LogError(f"{path}: not a readable bus log ({reason}); {_remedy()}") from None


def _remedy() -> str:
    known = " ".join(sorted(can.io.logger.MESSAGE_WRITERS))
    return f"known kinds: {known}; .mf4 needs 'pip install python-can[mf4]'"
