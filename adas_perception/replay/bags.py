"""rosbag2 on disk, without ROS: mcap and sqlite3, plain or compressed, a folder with metadata.yaml or a bare file."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Nodetype
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from adas_perception.ros.convert.definitions import NUMPY, typestore

SUFFIXES = (".mcap", ".db3")
STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
COMPRESSIONS = {
    "none": CompressionMode.NONE,
    "file": CompressionMode.FILE,
    "message": CompressionMode.MESSAGE,
    "storage": CompressionMode.STORAGE,
}


class BagError(ValueError):
    """A bag cannot be read or written; the message says which, where and what to do."""


class Message(NamedTuple):
    """A message of a bag: when it was written, its topic, its type and its fields."""

    stamp_ns: int
    topic: str
    type: str
    fields: Any


class Unreadable(NamedTuple):
    """A message whose bytes do not decode; the others of the bag are not lost with it."""

    stamp_ns: int
    topic: str
    reason: str


def is_bag(path: Path) -> bool:
    """Return whether a path looks like a bag: a folder with metadata.yaml or such a file."""
    return path.suffix in SUFFIXES or (path / "metadata.yaml").is_file()


class BagReader:
    """A bag to read, in the order in which its messages were written; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open the bag; raises BagError when it cannot be read."""
        self.path = path
        if not path.exists():
            raise BagError(f"{path}: no such bag; give the folder with metadata.yaml, or a .mcap or .db3 file")
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            raise BagError(f"{path}: holds no metadata.yaml; give a rosbag2 folder, or write it by 'ros2 bag reindex'")
        with _one_error(path):
            self._reader = AnyReader([path], default_typestore=typestore())
            self._reader.open()
            self.types: Mapping[str, str] = {c.topic: c.msgtype for c in self._reader.connections}
            self.counts: Mapping[str, int] = {c.topic: c.msgcount for c in self._reader.connections}
            self.start_ns, self.end_ns = int(self._reader.start_time), int(self._reader.end_time)

    def __enter__(self) -> BagReader:
        """Return itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        if self._reader.stack is not None:
            with _one_error(self.path):
                self._reader.close()

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Message | Unreadable]:
        """Yield the messages of ``topics``, None for all; raises BagError where the file itself is broken."""
        wanted = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not wanted:
            return
        with _one_error(self.path):
            source = self._reader.messages(wanted)
        while True:
            with _one_error(self.path):
                entry = next(source, None)
            if entry is None:
                return
            connection, stamp_ns, raw = entry
            try:
                fields = self._reader.deserialize(raw, connection.msgtype)
            except Exception as error:  # a generated decoder meets bytes of any kind
                yield Unreadable(stamp_ns, connection.topic, f"{connection.msgtype} does not decode ({_line(error)})")
            else:
                yield Message(stamp_ns, connection.topic, connection.msgtype, fields)


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises over broken bytes into one sentence."""
    try:
        yield
    except BagError:
        raise
    except Exception as error:  # each storage, codec and parser raises its own kind; a wrong length asks for all memory
        raise BagError(
            f"{path}: not a readable bag ({_line(error)}); 'ros2 bag reindex' mends a recording that was cut off"
        ) from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class BagWriter:
    """A bag to write; topics come into being with their first message. A context manager.

    With ``storage`` compression the chunks of a mcap file are compressed, which ``ros2 bag`` reads without options.
    """

    def __init__(self, path: Path, storage: str = "mcap", compression: str = "none", replace: bool = False) -> None:
        """Create the folder; raises BagError when it is there already and ``replace`` is not set."""
        self.path = path
        if replace and is_bag(path) and path.is_dir():
            shutil.rmtree(path)
        try:
            self._writer = Writer(path, version=9, storage_plugin=STORAGES[storage])
            self._writer.set_compression(COMPRESSIONS[compression], CompressionFormat.ZSTD)
            self._writer.open()
        except Exception as error:  # the folder is there, or cannot be made
            raise BagError(f"{path}: cannot be written ({_line(error)}); choose another folder") from None
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> BagWriter:
        """Return itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Finish the bag."""
        self.close()

    def write(self, topic: str, type_name: str, stamp_ns: int, message: Any) -> None:
        """Append a message, of ROS or a stand-in, under the time ``stamp_ns``."""
        store = typestore()
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(topic, type_name, typestore=store)
            self._connections[topic] = connection
        self._writer.write(connection, stamp_ns, store.serialize_cdr(plain(type_name)(message), type_name))

    def close(self) -> None:
        """Write index and metadata."""
        self._writer.close()


@cache
def plain(type_name: str) -> Any:
    """Return what turns a message of that type, of whatever class, into what the typestore writes.

    ROS has other containers: array.array for sequences of numbers, bytes for a single byte.
    """
    store = typestore()
    made = store.types[type_name]
    parts = [(name, _part(description)) for name, description in store.fielddefs[type_name][1]]

    def build(message: Any) -> Any:
        return made(*[part(getattr(message, name)) for name, part in parts])

    return build


def _part(description: Any) -> Any:
    node, detail = description
    if node == Nodetype.NAME:
        return plain(detail)
    if node == Nodetype.BASE:
        return _byte if detail[0] == "byte" else _same
    (inner, what), _ = detail
    if inner == Nodetype.NAME:
        build = plain(what)
        return lambda items: [build(item) for item in items]
    if what[0] == "string":
        return list
    dtype = np.dtype(NUMPY.get(what[0], what[0]))
    return lambda items: np.asarray(items, dtype)


def _byte(value: Any) -> int:
    return value[0] if isinstance(value, bytes) else int(value)


def _same(value: Any) -> Any:
    return value
