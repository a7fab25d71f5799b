"""``adas bag convert``: a bag with the topics of the stack, from a video and a CAN log, pictures or comma2k19."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from adas_perception.can.log import LogError, read_log
from adas_perception.can.profile import ProfileError, QuantityReader, load_profile
from adas_perception.params import ParameterError, read_yaml
from adas_perception.perception.camera import CameraModel
from adas_perception.replay.bags import COMPRESSIONS, STORAGES, BagError, BagWriter
from adas_perception.replay.comma2k19 import SegmentError, iter_events, next_ego, slope
from adas_perception.replay.outputs import full_name
from adas_perception.replay.topics import DRIVER, INFO, ODOMETRY, PICTURES, TYPES
from adas_perception.resources import profile_path
from adas_perception.ros import convert
from adas_perception.types import DriverInput, EgoState, Gear, Indicator, RadarScan, nanoseconds

PICTURE = PICTURES[1]
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
# Time of the first picture when no CAN log tells it; the vehicle's rate then.
START_NS, VEHICLE_HZ = 1_000_000_000, 50.0
JPEG_QUALITY = 90
SWITCHES = ("door_open", "acc_set", "acc_resume", "acc_cancel", "acc_gap", "lka_toggle", "park_request", "park_confirm")


@dataclass(frozen=True)
class Source:
    """What is to become a bag; without a CAN log the car drives straight on at ``speed_mps``."""

    path: Path
    can: Path | None = None
    vehicle: str = "adas"
    camera: Path | None = None
    fov_deg: float = 60.0
    rate_hz: float = 30.0
    speed_mps: float = 0.0
    offset_s: float = 0.0


class Item(NamedTuple):
    """A message of the bag to be."""

    stamp_ns: int
    topic: str
    message: Any


def run_convert(source: Source, bag: Path, storage: str = "mcap", compression: str = "none") -> int:
    """Write the bag; returns 2 with one sentence when the source cannot be read, else 0."""
    console = Console()
    try:
        if storage not in STORAGES or compression not in COMPRESSIONS:
            known = f"storages: {', '.join(STORAGES)}; compressions: {', '.join(COMPRESSIONS)}"
            raise BagError(f"{bag}: storage '{storage}' with compression '{compression}' is unknown; {known}")
        items = items_of(source)
        counts: dict[str, int] = {}
        with BagWriter(bag, storage, compression) as writer:
            for item in track(items, "converting", console=Console(stderr=True), total=None):
                writer.write(full_name(item.topic), TYPES[item.topic], item.stamp_ns, item.message)
                counts[item.topic] = counts.get(item.topic, 0) + 1
        if not counts:
            raise BagError(f"{source.path}: holds nothing that a bag could be made of")
    except (BagError, LogError, ProfileError, SegmentError, ParameterError) as error:
        console.print(f"adas: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 2
    console.print(f"{bag}: " + ", ".join(f"{n} {topic}" for topic, n in sorted(counts.items())), soft_wrap=True)
    return 0


def items_of(source: Source) -> Iterator[Item]:
    """Return the messages in the order of time; raises the error of whatever cannot be read."""
    if (source.path / "processed_log").is_dir():
        return _segment(source.path)
    if source.can is not None:
        vehicle = list(_vehicle(source.can, source.vehicle))
        if not vehicle:
            raise LogError(f"{source.can}: no frame of the profile '{source.vehicle}' in it; choose --vehicle")
        return heapq.merge(vehicle, _pictures(source, vehicle[0].stamp_ns), key=lambda item: item.stamp_ns)
    return _steady(source, _pictures(source, START_NS))


def _segment(path: Path) -> Iterator[Item]:
    ego: EgoState | None = None
    for stamp_ns, sample in iter_events(path):
        if isinstance(sample, EgoState):
            ego = sample
            yield Item(stamp_ns, ODOMETRY, convert.from_ego(sample))
        elif isinstance(sample, RadarScan):
            yield Item(stamp_ns, f"radar/{sample.sensor}", convert.from_radar(sample))
        elif ego is not None:
            yield Item(stamp_ns, DRIVER, convert.from_driver(sample, ego))


def _steady(source: Source, pictures: Iterator[Item]) -> Iterator[Item]:
    """Yield the pictures with a vehicle state before each that is due."""
    step_ns = nanoseconds(1.0 / VEHICLE_HZ)
    due_ns = START_NS
    for picture in pictures:
        while due_ns <= picture.stamp_ns:
            x_m = source.speed_mps * (due_ns - START_NS) / 1e9
            ego = EgoState(due_ns, source.speed_mps, x_m=x_m)
            yield Item(due_ns, DRIVER, convert.from_driver(DriverInput(due_ns), ego))
            yield Item(due_ns, ODOMETRY, convert.from_ego(ego))
            due_ns += step_ns
        yield picture


# --- the CAN log ---


def _vehicle(log: Path, vehicle: str) -> Iterator[Item]:
    """Yield vehicle state and driver with every speed on the bus, radar scans as the radar sends them."""
    profile = load_profile(profile_path(vehicle))
    reader, values = QuantityReader(profile), dict[str, float]()
    scan: dict[int, tuple[float, float, float]] = {}
    history: deque[tuple[int, float]] = deque()
    ego: EgoState | None = None
    scan_ns = 0
    for entry in read_log(log):
        digits = re.search(r"\d+$", entry.bus)
        bus = str(int(digits[0])) if digits else "0"
        target = reader.radar(bus, entry.frame)
        if entry.frame.id in scan:
            yield Item(scan_ns, "radar/front", convert.from_radar(_scan(scan_ns, scan)))
            scan = {}
        if target is not None:
            scan_ns = scan_ns if scan else entry.stamp_ns
            scan[entry.frame.id] = target
        found = reader.quantities(bus, entry.frame)
        values.update(found)
        if "speed_mps" in found and (ego is None or entry.stamp_ns > ego.stamp_ns):
            ego = _ego(ego, entry.stamp_ns, values, history)
            yield Item(entry.stamp_ns, DRIVER, convert.from_driver(_driver(entry.stamp_ns, values), ego))
            yield Item(entry.stamp_ns, ODOMETRY, convert.from_ego(ego))


def _scan(stamp_ns: int, slots: dict[int, tuple[float, float, float]]) -> RadarScan:
    table = np.array([slots[slot] for slot in sorted(slots)], dtype=float).reshape(-1, 3)
    xyz = np.column_stack([table[:, 0], table[:, 1], np.zeros(len(table))])
    return RadarScan(stamp_ns, "front", xyz, table[:, 2])


def _ego(
    last: EgoState | None, stamp_ns: int, values: dict[str, float], history: deque[tuple[int, float]]
) -> EgoState:
    speed_mps = values["speed_mps"]
    accel_mps2 = values.get("accel_mps2", slope(history, stamp_ns, speed_mps))
    yaw_rate, steering = values.get("yaw_rate_radps", 0.0), values.get("steering_rad", 0.0)
    gear = Gear(int(values.get("gear", Gear.DRIVE)))
    return next_ego(last, stamp_ns, speed_mps, accel_mps2, yaw_rate, steering, gear)


def _driver(stamp_ns: int, values: dict[str, float]) -> DriverInput:
    return DriverInput(
        stamp_ns,
        accelerator=values.get("accelerator", 0.0),
        brake=values.get("brake", 0.0),
        steering_torque_nm=values.get("driver_torque_nm", 0.0),
        hands_on=bool(values.get("hands_on", 1.0)),
        indicator=Indicator(int(values.get("indicator", 0.0))),
        **{name: bool(values.get(name, 0.0)) for name in SWITCHES},
    )


# --- the pictures ---


def _pictures(source: Source, start_ns: int) -> Iterator[Item]:
    """Yield each picture as JPEG behind its camera_info; with a calibration the pictures are rectified on the way."""
    lens: _Lens | None = None
    for offset_s, bgr in _frames(source):
        stamp_ns = start_ns + nanoseconds(source.offset_s + offset_s)
        lens = lens or _lens(source, bgr.shape[1], bgr.shape[0])
        info = convert.from_camera(stamp_ns, lens.model)
        yield Item(stamp_ns, INFO, info)
        yield Item(stamp_ns, PICTURE, convert.from_picture_compressed(stamp_ns, lens.rectify(bgr), JPEG_QUALITY))
    if lens is None:
        raise BagError(f"{source.path}: no picture in it that OpenCV can read; give a video or a folder of pictures")


def _frames(source: Source) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    path = source.path
    if not path.exists():
        raise BagError(f"{path}: no such file or folder; give a video, a folder of pictures or a comma2k19 segment")
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES)
        for i, file in enumerate(files):
            bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if bgr is None:
                raise BagError(f"{file}: not a picture that OpenCV can read; mend it or take it out of the folder")
            yield i / source.rate_hz, np.asarray(bgr, np.uint8)
        return
    capture = cv2.VideoCapture(str(path))
    try:
        rate_hz = capture.get(cv2.CAP_PROP_FPS) or source.rate_hz
        number = 0
        while capture.grab():
            good, bgr = capture.retrieve()
            if good:
                yield number / rate_hz, np.asarray(bgr, np.uint8)
            number += 1
    finally:
        capture.release()


class _Lens:
    """The camera of the rectified pictures, and the way there."""

    def __init__(self, model: CameraModel, maps: tuple[Any, Any] | None = None) -> None:
        self.model = model
        self._maps = maps

    def rectify(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture without the distortion of the lens."""
        return bgr if self._maps is None else np.asarray(cv2.remap(bgr, *self._maps, cv2.INTER_LINEAR), np.uint8)


def _lens(source: Source, width: int, height: int) -> _Lens:
    if source.camera is None:
        focal_px = width / 2.0 / float(np.tan(np.radians(source.fov_deg) / 2.0))
        k = np.array([[focal_px, 0.0, (width - 1) / 2.0], [0.0, focal_px, (height - 1) / 2.0], [0.0, 0.0, 1.0]])
        return _Lens(CameraModel.from_matrix(width, height, k))
    content = read_yaml(source.camera)
    try:
        size = int(content["image_width"]), int(content["image_height"])
        k = np.array(content["camera_matrix"]["data"], dtype=float).reshape(3, 3)
        distortion = np.array(content["distortion_coefficients"]["data"], dtype=float)
        p = np.array(content["projection_matrix"]["data"], dtype=float).reshape(3, 4)[:, :3]
    except (KeyError, TypeError, ValueError) as error:
        remedy = "make one by 'adas calibrate'"
        raise ParameterError(f"{source.camera}: not a camera_info file ({error}); {remedy}") from None
    if size != (width, height):
        own = f"{source.camera}: is for {size[0]} x {size[1]} pixels"
        raise ParameterError(f"{own}, {source.path} has {width} x {height}; calibrate at that size")
    maps = cv2.initUndistortRectifyMap(k, distortion, np.eye(3), p, size, cv2.CV_16SC2)
    return _Lens(CameraModel.from_matrix(width, height, p), maps)
