"""A minute of a real Toyota from the comma2k19 data set, as time-ordered inputs of the pipeline.

A segment is a folder of numpy arrays without suffix (``processed_log/CAN/raw_can`` and others). Bus 0 carries the
car, bus 1 its front radar; buses 128 and 129 are echoes of what the recorder sent. The files have lost the trailing
zero bytes of the payloads; they are put back here.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adas_perception.types import DriverInput, EgoState, Gear, Indicator, RadarScan, nanoseconds

Event: TypeAlias = tuple[int, EgoState | RadarScan | DriverInput]

CAR_BUS, RADAR_BUS = 0, 1
FIRST_TRACK, TRACKS = 0x210, 16
WHEELS, STEERING, TORQUE, BRAKE, LEVERS = 170, 37, 608, 548, 1556
# Road wheels against steering wheel: the RAV4 of the recording.
STEERING_RATIO = 16.88
# One unit of the torque sensor is about this much at the steering wheel.
TORQUE_UNIT_NM = 0.01
# The acceleration is the slope of the wheel speeds over this time.
SLOPE_S = 0.25
# The gyroscope is averaged over this many samples, about 0.1 s.
GYRO_SAMPLES = 10
INDICATORS = {1: Indicator.LEFT, 2: Indicator.RIGHT}

# Signal layouts as opendbc has found them (toyota_adas.dbc, _toyota_2017.dbc), in names of our own.
DBC = 'VERSION ""\nBU_: CAR\n' + """
BO_ 170 WHEELS: 8 CAR
 SG_ FR : 7|16@0+ (0.01,-67.67) [0|0] "km/h" CAR
 SG_ FL : 23|16@0+ (0.01,-67.67) [0|0] "km/h" CAR
 SG_ RR : 39|16@0+ (0.01,-67.67) [0|0] "km/h" CAR
 SG_ RL : 55|16@0+ (0.01,-67.67) [0|0] "km/h" CAR

BO_ 37 STEERING: 8 CAR
 SG_ ANGLE : 3|12@0- (1.5,0) [0|0] "deg" CAR
 SG_ FRACTION : 39|4@0- (0.1,0) [0|0] "deg" CAR

BO_ 608 TORQUE: 8 CAR
 SG_ DRIVER : 15|16@0- (1,0) [0|0] "" CAR

BO_ 548 BRAKE: 8 CAR
 SG_ PRESSED : 5|1@0+ (1,0) [0|0] "" CAR

BO_ 1556 LEVERS: 8 CAR
 SG_ TURN : 29|2@0+ (1,0) [0|0] "" CAR
""" + "".join(f"""
BO_ {FIRST_TRACK + slot} TRACK_{slot}: 8 CAR
 SG_ RIGHT : 31|11@0- (0.04,0) [0|0] "m" CAR
 SG_ AHEAD : 15|13@0+ (0.04,0) [0|0] "m" CAR
 SG_ RATE : 47|12@0- (0.025,0) [0|0] "m/s" CAR
 SG_ VALID : 48|1@0+ (1,0) [0|0] "" CAR
""" for slot in range(TRACKS))  # fmt: skip


class SegmentError(ValueError):
    """The folder is not a segment of the data set; the message says what is missing."""


@dataclass(frozen=True)
class Frame:
    """A CAN frame of the recording."""

    stamp_ns: int
    bus: int
    id: int
    data: bytes


def read_frames(folder: Path) -> Iterator[Frame]:
    """Yield all CAN frames of a segment in the order of time, payloads padded to 8 bytes."""
    stamps, buses, ids, payloads = (_array(folder, f"CAN/raw_can/{n}") for n in ("t", "src", "address", "data"))
    for i in np.argsort(stamps, kind="stable"):
        yield Frame(nanoseconds(float(stamps[i])), int(buses[i]), int(ids[i]), bytes(payloads[i]).ljust(8, b"\0"))


def iter_events(folder: Path) -> Iterator[Event]:
    """Yield the motion of the car, its driver and its front radar in the order of their stamps.

    Raises SegmentError when an array is missing or broken.
    """
    yield from heapq.merge(_car(folder), _radar(folder), key=lambda event: event[0])


def _array(folder: Path, name: str) -> NDArray[Any]:
    path = folder / "processed_log" / name
    try:
        return np.asarray(np.load(path))
    except (OSError, ValueError) as error:
        raise SegmentError(f"{path}: not a readable array of a comma2k19 segment ({error})") from None


@cache
def _database() -> Any:
    import cantools  # takes 0.15 s, which a replay of bags need not wait for

    return cantools.database.load_string(DBC, "dbc")


def parse_frame(frame: Frame) -> dict[str, float]:
    """Return the signals of a frame that this module knows, in the units of the bus; raises KeyError for others."""
    return {name: float(value) for name, value in _database().decode_message(frame.id, frame.data).items()}


def _radar(folder: Path) -> Iterator[Event]:
    """Yield the cycles of the radar: each slot in use is one detection at the front of the car.

    A cycle has its stamp from its first frame; it ends where a slot comes again.
    """
    cycle: dict[int, dict[str, float]] = {}
    stamp_ns = 0
    for frame in read_frames(folder):
        slot = frame.id - FIRST_TRACK
        if frame.bus != RADAR_BUS or not 0 <= slot < TRACKS:
            continue
        if slot in cycle:
            yield stamp_ns, _scan(stamp_ns, cycle)
            cycle = {}
        if not cycle:
            stamp_ns = frame.stamp_ns
        cycle[slot] = parse_frame(frame)
    if cycle:
        yield stamp_ns, _scan(stamp_ns, cycle)


def _scan(stamp_ns: int, cycle: dict[int, dict[str, float]]) -> RadarScan:
    rows = [(t["AHEAD"], -t["RIGHT"], 0.0, t["RATE"]) for _, t in sorted(cycle.items()) if t["VALID"]]
    table = np.array(rows, dtype=float).reshape(-1, 4)
    return RadarScan(stamp_ns, "front", table[:, :3], table[:, 3])


def _car(folder: Path) -> Iterator[Event]:
    """Yield EgoState with every frame of wheel speeds, DriverInput with every frame of the torque sensor.

    The yaw rate is that of the recorder's gyroscope (its z axis points down), since the car's own sensor has an
    offset of 0.4 deg/s in this data.
    """
    gyro = -_array(folder, "IMU/gyro/value")[:, 2]
    yaw_rates = np.convolve(gyro, np.full(GYRO_SAMPLES, 1.0 / GYRO_SAMPLES), "same")
    yaw_stamps = _array(folder, "IMU/gyro/t")
    steering_rad, brake, indicator = 0.0, 0.0, Indicator.OFF
    history: deque[tuple[int, float]] = deque()
    ego: EgoState | None = None
    for frame in read_frames(folder):
        if frame.bus != CAR_BUS or frame.id not in (WHEELS, STEERING, TORQUE, BRAKE, LEVERS):
            continue
        stamp_ns, signals = frame.stamp_ns, parse_frame(frame)
        if frame.id == STEERING:
            steering_rad = math.radians(signals["ANGLE"] + signals["FRACTION"]) / STEERING_RATIO
        elif frame.id == BRAKE:
            brake = signals["PRESSED"]
        elif frame.id == LEVERS:
            indicator = INDICATORS.get(int(signals["TURN"]), Indicator.OFF)
        elif frame.id == TORQUE:
            torque_nm = signals["DRIVER"] * TORQUE_UNIT_NM
            yield stamp_ns, DriverInput(stamp_ns, brake=brake, steering_torque_nm=torque_nm, indicator=indicator)
        elif ego is None or stamp_ns > ego.stamp_ns:
            speed_mps = sum(signals.values()) / len(signals) / 3.6
            yaw_rate = float(np.interp(stamp_ns / 1e9, yaw_stamps, yaw_rates))
            ego = next_ego(ego, stamp_ns, speed_mps, slope(history, stamp_ns, speed_mps), yaw_rate, steering_rad)
            yield stamp_ns, ego


def slope(history: deque[tuple[int, float]], stamp_ns: int, speed_mps: float) -> float:
    """Return the mean acceleration over the last ``SLOPE_S``; ``history`` keeps the speeds of that time."""
    history.append((stamp_ns, speed_mps))
    while len(history) > 2 and stamp_ns - history[1][0] >= nanoseconds(SLOPE_S):
        history.popleft()
    elapsed_ns = stamp_ns - history[0][0]
    return (speed_mps - history[0][1]) / elapsed_ns * 1e9 if elapsed_ns else 0.0


def next_ego(
    last: EgoState | None,
    stamp_ns: int,
    speed_mps: float,
    accel_mps2: float,
    yaw_rate: float,
    steering_rad: float,
    gear: Gear = Gear.DRIVE,
) -> EgoState:
    """Return the new state, its pose carried on from the last one's."""
    x, y, yaw = (last.x_m, last.y_m, last.yaw_rad) if last else (0.0, 0.0, 0.0)
    dt = (stamp_ns - last.stamp_ns) / 1e9 if last else 0.0
    return EgoState(
        stamp_ns, speed_mps, accel_mps2, yaw_rate, steering_rad, gear,
        x_m=x + speed_mps * dt * math.cos(yaw), y_m=y + speed_mps * dt * math.sin(yaw), yaw_rad=yaw + yaw_rate * dt,
    )  # fmt: skip
