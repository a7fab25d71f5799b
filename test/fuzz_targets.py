"""What takes bytes from outside, each as a function of one byte string that may raise nothing but its named error."""

from __future__ import annotations

import array
import io
import os
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from adas_perception.can.codec import Codec, DbcError, Frame
from adas_perception.can.inbox import Inbox
from adas_perception.can.log import LogError, read_log
from adas_perception.can.messages import FROM_CAR
from adas_perception.can.profile import ProfileError, load_profile
from adas_perception.inference.backend import ModelError
from adas_perception.inference.models import load_model_spec
from adas_perception.limits import load_limits
from adas_perception.params import Config, ParameterError
from adas_perception.replay.bags import BagError, BagReader, BagWriter
from adas_perception.replay.comma2k19 import SegmentError, iter_events

CONFIG = Path(__file__).resolve().parents[1] / "config"
Target = Callable[[bytes], None]


@cache
def folder() -> Path:
    memory = Path("/dev/shm")
    kept = tempfile.TemporaryDirectory(prefix="fuzz_", dir=memory if os.access(memory, os.W_OK) else None)
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@cache
def inbox() -> Inbox:
    return Inbox(Codec(CONFIG / "adas.dbc"), FROM_CAR)


def can_frames(data: bytes) -> None:
    """Two bytes of identifier, the rest payload: the codec, and the receiver with its E2E state."""
    identifier, payload = int.from_bytes(data[:2], "little") & 0x7FF, data[2:]
    known = [160, 161, 162, 163, 164, 416, 417]
    inbox().feed(Frame(identifier, payload), len(data))
    inbox().feed(Frame(known[identifier % 7], payload), identifier)


def _file(name: str, data: bytes) -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


def bus_log(suffix: str) -> Target:
    def target(data: bytes) -> None:
        try:
            list(read_log(_file(f"fuzz.{suffix}", data)))
        except LogError:
            pass

    return target


def yaml_files(data: bytes) -> None:
    path = _file("fuzz.yaml", data)
    for load in (load_limits, Config, load_profile):
        try:
            load(path)
        except (ParameterError, ProfileError):
            pass
    try:
        load_model_spec("lane_v2", path)
    except (ModelError, ParameterError):
        pass


def dbc_file(data: bytes) -> None:
    try:
        Codec(_file("fuzz.dbc", data))
    except DbcError:
        pass


def segment(data: bytes) -> None:
    """A comma2k19 segment whose arrays are these bytes."""
    for name in ("CAN/raw_can/t", "CAN/raw_can/src", "CAN/raw_can/address", "CAN/raw_can/data"):
        path = folder() / "segment" / "processed_log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    try:
        list(iter_events(folder() / "segment"))
    except SegmentError:
        pass


def bag(suffix: str) -> Target:
    def target(data: bytes) -> None:
        try:
            with BagReader(_file(f"fuzz.{suffix}", data)) as reader:
                list(reader.messages())
        except BagError:
            pass

    return target


def clouds(data: bytes) -> None:
    """A header of sizes and fields out of the first bytes, the rest the points."""
    from sensor_msgs.msg import PointCloud2, PointField

    from adas_perception.ros import convert

    head = data[:16].ljust(16, b"\0")
    names = ("x", "y", "z", "velocity", "line", "confidence", "kind", "sigma", "id", "age", "vx", "vy", "class")
    message = PointCloud2(
        width=head[0] if head[1] < 200 else int.from_bytes(head[:4], "little"),
        height=head[2] % 4 if head[3] < 200 else int.from_bytes(head[2:6], "little"),
        point_step=head[4] if head[5] < 200 else int.from_bytes(head[4:8], "little"),
        is_bigendian=bool(head[6] & 1),
        data=array.array("B", data[16:]),
    )
    message.fields = [
        PointField(name=name, offset=(head[7] * i) % 256, datatype=(head[8] + i * head[9]) % 10, count=head[10])
        for i, name in enumerate(names)
    ]
    readers: tuple[Callable[[PointCloud2], object], ...] = (
        lambda m: convert.to_radar(m, "front"),
        convert.to_targets,
        convert.to_lanes,
        convert.to_objects,
        lambda m: convert.to_echoes(m, ("front_left",)),
    )
    for reader in readers:
        try:
            reader(message)
        except convert.ConvertError:
            pass


ENCODINGS = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16", "yuv422", "bayer_rggb8", "", "32FC1", "nonsense")


def pictures(data: bytes) -> None:
    """A header of sizes and encoding out of the first bytes, the rest the pixels; then all of it as a JPEG."""
    from sensor_msgs.msg import CompressedImage, Image

    from adas_perception.ros import convert

    head = data[:8].ljust(8, b"\0")
    raw = Image(
        width=head[0] if head[1] < 200 else int.from_bytes(head[:4], "little"),
        height=head[2] % 16 if head[3] < 200 else int.from_bytes(head[2:6], "little"),
        step=head[4] if head[5] < 128 else 0,
        encoding=ENCODINGS[head[6] % len(ENCODINGS)],
        is_bigendian=head[7] & 1,
        data=array.array("B", data[8:]),
    )
    for reader, message in (
        (convert.to_image, raw),
        (convert.to_image_compressed, CompressedImage(format="jpeg", data=array.array("B", data))),
    ):
        try:
            reader(message)
        except convert.ConvertError:
            pass


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(4.0))
    return buffer.getvalue()


def _bag(storage: str, suffix: str) -> bytes:
    from sensor_msgs.msg import Range

    path = folder() / storage
    with BagWriter(path, storage) as writer:
        for stamp_ns in (1, 2):
            writer.write("/adas/ultrasonic/front_left", "sensor_msgs/msg/Range", stamp_ns, Range(range=1.5))
    return next(path.glob(f"*.{suffix}")).read_bytes()


def _jpeg() -> bytes:
    import cv2

    return bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])


# Each target with something sound to start from: bytes at random alone never get past the first check.
TARGETS: dict[str, tuple[Target, bytes]] = {
    "CAN frames": (can_frames, bytes.fromhex("a000") + bytes(8)),
    "candump log": (bus_log("log"), b"(1.000000) can0 0A0#0011223344556677\n(1.1) can0 123##10011\n"),
    "asc log": (bus_log("asc"), b"date Mon Jan 1 10:00:00.000 am 2024\nbase hex  timestamps absolute\n"
                                b"   1.000000 1  A0              Rx   d 8 00 11 22 33 44 55 66 77\n"),
    "blf log": (bus_log("blf"), b"LOGG" + struct.pack("<L", 144) + bytes(136) + b"LOBJ" + bytes(60)),
    "mcap bag": (bag("mcap"), _bag("mcap", "mcap")),
    "sqlite bag": (bag("db3"), _bag("sqlite3", "db3")),
    "YAML files": (yaml_files, (CONFIG / "vehicles" / "adas.yaml").read_bytes()),
    "DBC file": (dbc_file, b"\n".join((CONFIG / "adas.dbc").read_bytes().split(b"\n")[:16])),
    "recorded segment": (segment, _npy()),
    "point clouds": (clouds, bytes([3, 0, 1, 0, 52, 0, 0, 4, 7, 0, 1, 0, 0, 0, 0, 0]) + bytes(156)),
    "pictures": (pictures, _jpeg()),
}  # fmt: skip
