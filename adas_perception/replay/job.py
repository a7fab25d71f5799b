"""One recording from its file to its figures, with an output bag on the way; runs here or on a Dask worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adas_perception.limits import load_limits
from adas_perception.params import CameraMount, Config, Vehicle
from adas_perception.pipeline import Pipeline, load_config
from adas_perception.replay.bags import BagError, BagWriter
from adas_perception.replay.comma2k19 import SegmentError
from adas_perception.replay.events import EventWatch, judged
from adas_perception.replay.inputs import InputWatch
from adas_perception.replay.kpi import Drive, columns_of, row_of
from adas_perception.replay.outputs import FORMS, full_name
from adas_perception.replay.perception import Perception
from adas_perception.replay.recording import Arrival, BagRecording, Recording, SegmentRecording
from adas_perception.replay.stack import Publish, Stack
from adas_perception.replay.topics import Mounting, TopicError, load_map
from adas_perception.resources import config_path

Progress = Callable[[float], None]
PROGRESS_EVERY = 50


@dataclass(frozen=True)
class Result:
    """A drive, or why there is none; ``wall_s`` is what it took, ``picture_ms`` the median time of a picture.

    ``pictures_unseen`` came before any camera_info, without which a picture cannot be laid onto the road.
    """

    name: str
    drive: Drive | None
    error: str = ""
    wall_s: float = 0.0
    picture_ms: float = 0.0
    pictures_unseen: int = 0
    bag: Path | None = None

    @property
    def real_time_factor(self) -> float:
        """Return how much faster than the recording it went."""
        return float(self.drive.columns["time_s"][-1]) / self.wall_s if self.drive and self.wall_s else 0.0


@dataclass(frozen=True)
class Job:
    """A recording to replay. ``bag`` is where the outputs go, None for nowhere; ``shadow`` as in ``Stack``."""

    path: Path
    topics: Path | None = None
    preset: str = ""
    car: Path | None = None
    bag: Path | None = None
    threads: int = 0
    shadow: bool = False

    def __call__(self, progress: Progress | None = None) -> Result:
        """Replay it; a recording that cannot be used is a result with an error."""
        try:
            return self._run(progress or (lambda _: None))
        except (BagError, SegmentError, TopicError) as error:
            return Result(self.path.name, None, str(error))
        except ValueError as error:
            return Result(self.path.name, None, f"{self.path}: {error}")

    def _run(self, progress: Progress) -> Result:
        config = load_config(self.preset, self.car)
        recording = open_recording(self.path, self.topics, _mounting(config), self.shadow)
        perception = Perception(config, self.threads)
        pipeline = Pipeline(config, load_limits(config_path("limits.yaml")), recorded=True)
        width_m = Vehicle.from_mapping(config.values("safety_monitor").get("vehicle", {}), "vehicle").width_m
        began = time.perf_counter()
        with _output(self.bag) as publish:
            stack = Stack(pipeline, perception, publish, shadow=recording.shadow)
            drive = _drive(recording, stack, width_m, progress)
        return Result(
            recording.name,
            drive,
            wall_s=time.perf_counter() - began,
            picture_ms=float(np.median(perception.picture_ms)) if perception.picture_ms else 0.0,
            pictures_unseen=perception.dropped,
            bag=self.bag,
        )


def open_recording(path: Path, topics: Path | None, mounting: Mounting, shadow: bool) -> Recording:
    """Return the recording at ``path``: a bag, or a comma2k19 segment; raises BagError when it is neither."""
    if (path / "processed_log").is_dir():
        return SegmentRecording(path)
    return BagRecording(path, load_map(topics), mounting, shadow)


def _mounting(config: Config) -> Mounting:
    camera = CameraMount.from_mapping(config.values("lane_object").get("camera", {}), "camera")
    return Mounting(camera, float(config.values("radar").get("closing_sign", -1.0)))


@contextmanager
def _output(bag: Path | None) -> Iterator[Publish]:
    """Yield what writes the stack's outputs into ``bag``, which comes into being with the first of them."""
    if bag is None:
        yield lambda now_ns, topic, value: None
        return
    writer: BagWriter | None = None

    def publish(now_ns: int, topic: str, value: Any) -> None:
        nonlocal writer
        writer = writer or BagWriter(bag, compression="storage", replace=True)
        form = FORMS[topic]
        writer.write(full_name(topic), form.type, now_ns, form.write(value))

    try:
        yield publish
    finally:
        if writer is not None:
            writer.close()


def _drive(recording: Recording, stack: Stack, width_m: float, progress: Progress) -> Drive:
    inputs, events, rows = InputWatch(), EventWatch(), []
    start_ns = 0

    def watched() -> Iterator[Arrival]:
        for arrival in recording.arrivals():
            if arrival.sample is None:
                inputs.reject(arrival.topic, arrival.reason)
            else:
                inputs.take(arrival.topic, arrival.now_ns, getattr(arrival.sample, "stamp_ns", arrival.now_ns))
            yield arrival

    for step in stack.steps(watched()):
        start_ns = start_ns or step.output.now_ns
        rows.append(row_of(start_ns, step, width_m))
        events.take(rows[-1].time_s, step.output)
        if len(rows) % PROGRESS_EVERY == 0:
            progress(rows[-1].time_s)
    table = columns_of(rows)
    return Drive(recording.name, table, judged(events.events, table), inputs.figures())
