"""Recordings as arrivals: when each sample reached the stack, in order; what could not be used is told, not lost."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from adas_perception.replay.bags import BagReader, Unreadable
from adas_perception.replay.comma2k19 import iter_events
from adas_perception.replay.topics import DRIVER, ODOMETRY, Converter, Mounting, choose
from adas_perception.ros.convert import ConvertError
from adas_perception.types import EgoState, RadarScan, nanoseconds

# Beyond this the writer's clock and the sensors' clock are different clocks: a bag of a simulation without /clock.
OTHER_CLOCK_NS = nanoseconds(5.0)
# Messages looked at to tell.
CLOCK_SAMPLES = 50
# How far reading is ahead.
BATCH, BATCHES_AHEAD = 32, 2


class Arrival(NamedTuple):
    """A sample that reaches the stack at ``now_ns`` on our topic; None with a reason when it could not be used."""

    now_ns: int
    topic: str
    sample: Any
    reason: str = ""


class Recording(Protocol):
    """What can be replayed. ``shadow``: its driver drives alone, so ACC is held engaged to see what it would do."""

    @property
    def name(self) -> str:
        """Return what it is called in reports."""
        ...

    @property
    def shadow(self) -> bool:
        """Return whether ACC is held engaged."""
        ...

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the samples in the order of arrival."""
        ...


@dataclass(frozen=True)
class SegmentRecording:
    """A minute of comma2k19."""

    path: Path
    shadow: bool = True

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return self.path.name

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the samples; raises SegmentError."""
        for stamp_ns, sample in iter_events(self.path):
            topic = ODOMETRY if isinstance(sample, EgoState) else DRIVER
            yield Arrival(stamp_ns, f"radar/{sample.sensor}" if isinstance(sample, RadarScan) else topic, sample)


@dataclass(frozen=True)
class BagRecording:
    """A rosbag2 recording."""

    path: Path
    chosen: Mapping[str, str]
    mounting: Mounting = Mounting()
    shadow: bool = False

    @property
    def name(self) -> str:
        """Return the name of the folder or file."""
        return self.path.stem if self.path.is_file() else self.path.name

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the samples, decoded ahead in a thread of their own; raises BagError, TopicError."""
        return ahead(self._arrivals())

    def _arrivals(self) -> Iterator[Arrival]:
        with BagReader(self.path) as bag:
            topics = choose(bag.types, self.chosen, str(self.path))
            by_stamps = _other_clock(bag, topics)
            converter, now_ns = Converter(self.mounting), 0
            for message in bag.messages(topics):
                name = topics[message.topic]
                now_ns = max(now_ns, stamp_of(message)) if by_stamps else message.stamp_ns
                if isinstance(message, Unreadable):
                    yield Arrival(now_ns, name, None, message.reason)
                    continue
                try:
                    sample = converter.sample(name, message.fields)
                except ConvertError as error:
                    yield Arrival(now_ns, name, None, str(error))
                else:
                    yield Arrival(now_ns, name, sample)


def stamp_of(message: Any) -> int:
    """Return the stamp in the header of a message, 0 when it has none."""
    header = getattr(getattr(message, "fields", None), "header", None)
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec) if header is not None else 0


def _other_clock(bag: BagReader, topics: Mapping[str, str]) -> bool:
    """Return whether the sensors' stamps are of another clock than that which the bag was written by."""
    vehicle = {topic for topic, name in topics.items() if name == ODOMETRY}
    ages = []
    for message in bag.messages(vehicle):
        if not isinstance(message, Unreadable):
            ages.append(abs(message.stamp_ns - stamp_of(message)))
        if len(ages) >= CLOCK_SAMPLES:
            break
    return bool(ages) and sorted(ages)[len(ages) // 2] > OTHER_CLOCK_NS


def ahead(source: Iterator[Any]) -> Iterator[Any]:
    """Yield what ``source`` yields; a thread works ahead of the reader, and what it raises is raised here.

    Items change hands by the batch: one by one, both threads would wait for each other at every item.
    """
    batches: queue.Queue[tuple[list[Any], bool, Exception | None]] = queue.Queue(BATCHES_AHEAD)
    stopped = threading.Event()

    def put(batch: list[Any], more: bool = True, error: Exception | None = None) -> bool:
        while not stopped.is_set():
            try:
                batches.put((batch, more, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        batch: list[Any] = []
        failed = None
        try:
            for item in source:
                batch.append(item)
                if len(batch) == BATCH:
                    if not put(batch):
                        return
                    batch = []
        except Exception as error:  # it belongs to the reader
            failed = error
        put(batch, False, failed)

    thread = threading.Thread(target=work, name="reading ahead", daemon=True)
    thread.start()
    try:
        more = True
        while more:
            batch, more, error = batches.get()
            yield from batch
            if error is not None:
                raise error
    finally:
        stopped.set()
        thread.join(2.0)
