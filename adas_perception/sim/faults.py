"""Faults to survive: each one hurts what passes between the world and the stack, from ``start_s`` to ``end_s``.

Names and grouping follow the scorecard's rows X01-X11.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

from adas_perception.can.codec import Codec, Frame
from adas_perception.can.messages import MOTION, SPEED, STEERING
from adas_perception.pipeline import Sample
from adas_perception.types import (
    DriverInput,
    EgoState,
    LaneLine,
    LaneLines,
    RadarScan,
    UltrasonicEcho,
    nanoseconds,
)

Obeyed = tuple[float | None, float | None]


@dataclass
class Fault:
    """A fault that does nothing; each kind overrides what it hurts. Times are those of the world, in s."""

    what: str = ""
    start_s: float = math.inf
    end_s: float = math.inf

    def active(self, time_s: float) -> bool:
        """Tell whether the fault is there."""
        return self.start_s <= time_s < self.end_s

    def from_car(self, frame: Frame, codec: Codec) -> Frame | None:
        """Return what arrives of a frame of the car."""
        return frame

    def to_car(self, frame: Frame) -> Frame | None:
        """Return what arrives of a frame of the stack."""
        return frame

    def sample(self, sample: Sample) -> Sample | None:
        """Return what arrives of a sample."""
        return sample

    def jump_ns(self) -> int:
        """Return by how much the stack's clock is ahead."""
        return 0

    def stopped(self) -> frozenset[str]:
        """Return the nodes that do not run."""
        return frozenset()

    def obeyed(self, accel: float | None, steering: float | None, time_s: float) -> Obeyed:
        """Return what the actuators make of a request."""
        return accel, steering

    def stalls(self, time_s: float) -> bool:
        """Tell whether the computer misses this cycle."""
        return False


def of_sensor(sample: Sample, sensor: str) -> bool:
    """Tell whether a sample comes from a sensor as the rows name it."""
    if sensor == "radar":
        return isinstance(sample, RadarScan)
    if sensor == "camera":
        return not isinstance(sample, (RadarScan, UltrasonicEcho, EgoState, DriverInput))
    if sensor == "ego":
        return isinstance(sample, EgoState)
    if sensor == "driver":
        return isinstance(sample, DriverInput)
    return isinstance(sample, UltrasonicEcho)


MESSAGES = {"wheel": SPEED, "yaw": MOTION, "steer_angle": STEERING}


@dataclass
class Loss(Fault):
    """X01: a sensor is silent."""

    def from_car(self, frame: Frame, codec: Codec) -> Frame | None:
        """Drop the message of a lost sensor of the car."""
        lost = self.what in MESSAGES and frame.id == codec.messages[MESSAGES[self.what]].id
        return None if lost else frame

    def sample(self, sample: Sample) -> Sample | None:
        """Drop the samples of a lost sensor."""
        return None if self.what not in MESSAGES and of_sensor(sample, self.what) else sample


@dataclass
class Frozen(Fault):
    """X02: a sensor repeats its last content with new stamps; 'speed' is a stuck value."""

    def __post_init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: dict[str, Sample] = {}

    def sample(self, sample: Sample) -> Sample | None:
        """Return the first content of this kind with the stamp of now."""
        if self.what == "speed":
            if not isinstance(sample, EgoState):
                return sample
            kept = self._kept.setdefault("ego", sample)
            return replace(sample, speed_mps=kept.speed_mps) if isinstance(kept, EgoState) else sample
        if not of_sensor(sample, self.what):
            return sample
        kept = self._kept.setdefault(f"{type(sample).__name__} {getattr(sample, 'sensor', '')}", sample)
        return replace(kept, stamp_ns=sample.stamp_ns)


_WILD = (math.nan, math.inf, 1e6)


@dataclass
class Wild(Fault):
    """X03: a field is not finite or out of range, in turn."""

    def __post_init__(self) -> None:
        """Start the cycle of wild values."""
        self._values = itertools.cycle(_WILD)

    def sample(self, sample: Sample) -> Sample | None:
        """Spoil the field."""
        value = next(self._values)
        kind, field = self.what.split(".")
        if kind == "ego" and isinstance(sample, EgoState):
            return _changed(sample, field, value)
        if kind == "driver" and isinstance(sample, DriverInput):
            return _changed(sample, field, value)
        if kind == "radar" and isinstance(sample, RadarScan):
            wild = np.full_like(sample.range_rate, value)
            return replace(sample, xyz=np.column_stack((wild, wild, wild)), range_rate=wild)
        if kind == "lanes" and isinstance(sample, LaneLines):
            return replace(sample, left=_spoilt(sample.left, value), right=_spoilt(sample.right, value))
        if kind == "us" and isinstance(sample, UltrasonicEcho):
            return replace(sample, range_m=math.nan)
        return sample


def _changed(sample: Any, field: str, value: Any) -> Any:
    return replace(sample, **{field: value})


def _spoilt(line: LaneLine | None, value: float) -> LaneLine | None:
    return line and replace(line, coefficients=(value, *line.coefficients[1:]))


@dataclass
class Disorder(Fault):
    """X04: stamps of a sensor ('kind sensor') come in the wrong order, twice, or late."""

    def __post_init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: dict[str, Sample] = {}
        self._count = 0

    def sample(self, sample: Sample) -> Sample | None:
        """Change the stamp."""
        kind, sensor = self.what.split()
        if not of_sensor(sample, sensor):
            return sample
        key = f"{type(sample).__name__} {getattr(sample, 'sensor', '')}"
        if kind == "late":
            return replace(sample, stamp_ns=sample.stamp_ns - nanoseconds(0.4))
        if kind == "duplicate":
            return self._kept.setdefault(key, sample)
        # Every second sample is overtaken by the one after it.
        self._count += 1
        return replace(sample, stamp_ns=sample.stamp_ns - nanoseconds(0.12 * (self._count % 2)))


@dataclass
class BusDrop(Fault):
    """X05: no frame passes in either direction."""

    def from_car(self, frame: Frame, codec: Codec) -> Frame | None:
        """Drop."""
        return None

    def to_car(self, frame: Frame) -> Frame | None:
        """Drop."""
        return None


@dataclass
class Corrupted(Fault):
    """X06: frames of the car arrive with a stuck counter, a skipping counter, a wrong CRC or a foreign identifier."""

    def __post_init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: dict[int, Frame] = {}
        self._count: dict[int, int] = {}

    def from_car(self, frame: Frame, codec: Codec) -> Frame | None:
        """Spoil the protection."""
        if self.what == "counter":
            return self._kept.setdefault(frame.id, frame)
        if self.what == "skip":
            self._count[frame.id] = self._count.get(frame.id, 0) + 1
            return frame if self._count[frame.id] % 5 == 0 else None
        if self.what == "crc":
            return Frame(frame.id, bytes((frame.data[0] ^ 0x5A, *frame.data[1:])))
        ids = sorted(message.id for message in codec.messages.values())
        foreign = ids[(ids.index(frame.id) + 1) % len(ids)]
        return Frame(foreign, frame.data)


@dataclass
class ClockJump(Fault):
    """X07: the clock of the stack jumps by ``what`` seconds."""

    def jump_ns(self) -> int:
        """Return the jump."""
        return nanoseconds(float(self.what))


@dataclass
class NodeStop(Fault):
    """X08: a node does nothing and says nothing."""

    def stopped(self) -> frozenset[str]:
        """Return the node."""
        return frozenset({self.what})


@dataclass
class Disobedient(Fault):
    """X09: an actuator does not do what it is asked."""

    def __post_init__(self) -> None:
        """Nothing is kept yet."""
        self._stuck: float | None = None
        self._line: list[tuple[float, float | None]] = []

    def obeyed(self, accel: float | None, steering: float | None, time_s: float) -> Obeyed:
        """Return what is left of the request."""
        braking = accel is not None and accel < 0.0
        if self.what == "brake none":
            return (0.0 if braking else accel), steering
        if self.what == "brake half" and accel is not None and braking:
            return 0.5 * accel, steering
        if self.what == "drive stuck":
            return max(accel or 0.0, 0.5), steering
        if self.what == "brake stuck":
            self._stuck = self._stuck if self._stuck is not None else accel
            return self._stuck, steering
        if self.what == "steering none":
            return accel, None
        if self.what == "steering late":
            self._line.append((time_s, steering))
            past = [value for t, value in self._line if t <= time_s - 0.5]
            return accel, past[-1] if past else None
        return accel, steering


@dataclass
class Overload(Fault):
    """X10: the computer misses cycles: at random ('cpu'), every second one ('period'), or in stalls ('memory')."""

    def __post_init__(self) -> None:
        """Draw the same cycles in every run."""
        self._random = Random(1)
        self._cycle = 0

    def stalls(self, time_s: float) -> bool:
        """Miss a cycle."""
        self._cycle += 1
        if self.what == "cpu":
            return self._cycle % 3 != 0 if self._random.random() < 0.5 else self._cycle % 2 == 1
        return self._cycle % 2 == 1 if self.what == "period" else self._cycle % 6 in (1, 2, 3, 5)


@dataclass
class Several(Fault):
    """X11: several faults at once."""

    parts: tuple[Fault, ...] = ()

    def from_car(self, frame: Frame, codec: Codec) -> Frame | None:
        """Pass through all."""
        return _chain(frame, [partial(part.from_car, codec=codec) for part in self.parts])

    def to_car(self, frame: Frame) -> Frame | None:
        """Pass through all."""
        return _chain(frame, [part.to_car for part in self.parts])

    def sample(self, sample: Sample) -> Sample | None:
        """Pass through all."""
        return _chain(sample, [part.sample for part in self.parts])

    def jump_ns(self) -> int:
        """Return the sum."""
        return sum(part.jump_ns() for part in self.parts)

    def stopped(self) -> frozenset[str]:
        """Return all nodes."""
        return frozenset().union(*(part.stopped() for part in self.parts))

    def obeyed(self, accel: float | None, steering: float | None, time_s: float) -> Obeyed:
        """Pass through all."""
        for part in self.parts:
            accel, steering = part.obeyed(accel, steering, time_s)
        return accel, steering

    def stalls(self, time_s: float) -> bool:
        """Tell whether one does."""
        return any([part.stalls(time_s) for part in self.parts])


def _chain(value: Any, parts: Sequence[Callable[[Any], Any]]) -> Any:
    for part in parts:
        if value is not None:
            value = part(value)
    return value


FAULTS: dict[str, type[Fault]] = {
    "none": Fault,
    "loss": Loss,
    "frozen": Frozen,
    "wild": Wild,
    "disorder": Disorder,
    "bus": BusDrop,
    "e2e": Corrupted,
    "clock": ClockJump,
    "node": NodeStop,
    "actuator": Disobedient,
    "overload": Overload,
}
