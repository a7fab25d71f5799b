"""The data that passes between the cores: frozen, SI units, radians, base_link unless said otherwise.

base_link is the middle of the rear axle on the ground: x forward, y left, z up (REP 103, REP 105).
Every sample carries the stamp of the sensor exposure it rests on, in nanoseconds of one clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
NS_PER_S = 1_000_000_000


def seconds(ns: int) -> float:
    """Return a duration in nanoseconds as seconds."""
    return ns / NS_PER_S


def nanoseconds(s: float) -> int:
    """Return a duration in seconds as nanoseconds."""
    return round(s * NS_PER_S)


# --- the car and its driver -------------------------------------------------------------------------------


class Gear(IntEnum):
    """Gear selector position."""

    PARK = 0
    REVERSE = 1
    NEUTRAL = 2
    DRIVE = 3


class Side(IntEnum):
    """A side of the car; its value is the sign of y."""

    LEFT = 1
    RIGHT = -1


class Indicator(IntEnum):
    """Direction indicator lever."""

    OFF = 0
    LEFT = 1
    RIGHT = 2
    HAZARD = 3


@dataclass(frozen=True, slots=True)
class EgoState:
    """Motion of the car, from wheel speeds, yaw-rate and steering sensors.

    Pose is dead reckoning in the frame ``odom``: smooth, drifting. Speed is signed, negative in reverse.
    ``steering_rad`` is the angle of the road wheels, not of the hand wheel.
    """

    stamp_ns: int
    speed_mps: float = 0.0
    accel_mps2: float = 0.0
    yaw_rate_radps: float = 0.0
    steering_rad: float = 0.0
    gear: Gear = Gear.DRIVE
    x_m: float = 0.0
    y_m: float = 0.0
    yaw_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class DriverInput:
    """What the driver does. Pedals 0..1, steering torque positive to the left, buttons while pressed."""

    stamp_ns: int
    accelerator: float = 0.0
    brake: float = 0.0
    steering_torque_nm: float = 0.0
    hands_on: bool = True
    indicator: Indicator = Indicator.OFF
    door_open: bool = False
    acc_set: bool = False
    acc_resume: bool = False
    acc_cancel: bool = False
    acc_gap: bool = False
    lka_toggle: bool = False
    park_request: bool = False
    park_confirm: bool = False


# --- sensors and perception -------------------------------------------------------------------------------


class ObjectClass(IntEnum):
    """Classes of the guide's data set; UNKNOWN takes the place of its background. NIMBLE is who steps aside at once."""

    UNKNOWN = 0
    CAR = 1
    PEDESTRIAN = 2
    CYCLIST = 3
    TRAFFIC_LIGHT = 4
    TRAFFIC_SIGN = 5
    LANE_LINE = 6


NIMBLE = (ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST)


class Sensor(IntFlag):
    """Which kinds of sensor have confirmed an object."""

    NONE = 0
    RADAR = 1
    CAMERA = 2
    ULTRASONIC = 4


@dataclass(frozen=True, slots=True)
class Image:
    """A camera picture, (H, W, 3) uint8 in RGB order."""

    stamp_ns: int
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Detection:
    """A box in one picture, in pixels of the original picture, score 0..1."""

    label: ObjectClass
    score: float
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Detections:
    """All boxes of one picture of ``width`` x ``height`` pixels."""

    stamp_ns: int
    width: int
    height: int
    items: tuple[Detection, ...] = ()


class LineKind(IntEnum):
    """Kind of lane boundary."""

    UNKNOWN = 0
    SOLID = 1
    DASHED = 2
    ROAD_EDGE = 3


@dataclass(frozen=True, slots=True)
class LaneLine:
    """A lane boundary y = c0 + c1 x + c2 x^2 + c3 x^3 in base_link, seen between ``x_min`` and ``x_max``.

    ``sigma_m`` is the standard deviation of the lateral position near the car; ``covariance`` (16,) is that of c0..c3,
    row by row, empty where it is not known.
    """

    coefficients: tuple[float, float, float, float]
    x_min: float
    x_max: float
    confidence: float = 1.0
    kind: LineKind = LineKind.UNKNOWN
    sigma_m: float = 0.05
    covariance: tuple[float, ...] = ()

    def y(self, x: float) -> float:
        """Return the lateral position in metres at ``x`` metres ahead."""
        c0, c1, c2, c3 = self.coefficients
        return c0 + x * (c1 + x * (c2 + x * c3))

    def slope(self, x: float) -> float:
        """Return dy/dx at ``x``: the line's heading against the car, in radians for small angles."""
        _, c1, c2, c3 = self.coefficients
        return c1 + x * (2.0 * c2 + 3.0 * x * c3)

    def curvature(self, x: float) -> float:
        """Return the curvature in 1/m at ``x``, positive to the left."""
        _, _, c2, c3 = self.coefficients
        return (2.0 * c2 + 6.0 * c3 * x) / math.hypot(1.0, self.slope(x)) ** 3


@dataclass(frozen=True, slots=True)
class LaneLines:
    """The boundaries of the car's own lane and any further lines; a missing line is None."""

    stamp_ns: int
    left: LaneLine | None = None
    right: LaneLine | None = None
    others: tuple[LaneLine, ...] = ()


@dataclass(frozen=True, slots=True)
class RadarScan:
    """One radar cycle: detections in the frame of the sensor, x along its axis, y left.

    ``xyz`` is (N, 3) in metres; ``range_rate`` is (N,) in m/s, negative when the range shrinks.
    """

    stamp_ns: int
    sensor: str
    xyz: FloatArray
    range_rate: FloatArray


@dataclass(frozen=True, slots=True)
class RadarTarget:
    """Radar detections that belong together, in base_link.

    ``range_rate_mps`` is as measured (negative when closing); ``speed_mps`` is the same with the car's own motion
    taken out: the target's velocity over ground along the ray from the sensor, positive when moving away.
    """

    x_m: float
    y_m: float
    range_rate_mps: float
    speed_mps: float
    points: int
    sensor: str


@dataclass(frozen=True, slots=True)
class RadarTargets:
    """All targets of one radar cycle of one sensor."""

    stamp_ns: int
    sensor: str
    items: tuple[RadarTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class UltrasonicEcho:
    """One measurement of one ultrasonic sensor; ``range_m`` is infinite when nothing answered.

    A sensor that hears a disturbance before its own burst reports NaN (REP 117). ``second_m`` is the second echo.
    """

    stamp_ns: int
    sensor: str
    range_m: float
    second_m: float = math.inf


@dataclass(frozen=True, slots=True)
class EchoPoint:
    """An echo laid into base_link along the axis of its sensor; ``stamp_ns`` is when the sensor fired, 0 unknown."""

    sensor: str
    x_m: float
    y_m: float
    range_m: float
    stamp_ns: int = 0


@dataclass(frozen=True, slots=True)
class Echoes:
    """The latest echo of every ultrasonic sensor that is alive and sees something."""

    stamp_ns: int
    points: tuple[EchoPoint, ...] = ()
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """A fused object. Position is the centre of its box on the ground, in base_link.

    Velocities are over ground, along the axes of base_link. ``yaw_rad`` is the object's heading in base_link.
    ``score`` is the probability that it exists, ``age`` the number of sensor cycles that confirmed it.
    """

    id: int
    x_m: float
    y_m: float
    vx_mps: float
    vy_mps: float
    ax_mps2: float = 0.0
    yaw_rad: float = 0.0
    length_m: float = 4.5
    width_m: float = 1.8
    height_m: float = 1.5
    label: ObjectClass = ObjectClass.UNKNOWN
    score: float = 1.0
    sources: Sensor = Sensor.RADAR
    age: int = 1

    @property
    def rear_x_m(self) -> float:
        """Return x of the face nearest to a follower, for an object seen from behind."""
        return self.x_m - self.half_extent_m[0]

    @property
    def half_extent_m(self) -> tuple[float, float]:
        """Return half the size of the axis-aligned box around the object, along x and y."""
        c, s = abs(math.cos(self.yaw_rad)), abs(math.sin(self.yaw_rad))
        return (c * self.length_m + s * self.width_m) / 2.0, (s * self.length_m + c * self.width_m) / 2.0


@dataclass(frozen=True, slots=True)
class Objects:
    """All fused objects at one time."""

    stamp_ns: int
    tracks: tuple[Track, ...] = ()


# --- decisions --------------------------------------------------------------------------------------------


class Function(Enum):
    """Who may ask for actuation. FALLBACK is the monitor's minimal-risk manoeuvre."""

    NONE = "none"
    DRIVER = "driver"
    ACC = "acc"
    AEB = "aeb"
    LKA = "lka"
    BSD = "bsd"
    APA = "apa"
    FALLBACK = "fallback"


class Level(IntEnum):
    """Severity, with the values of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What a function asks of the actuators; None is no opinion on that axis.

    ``stamp_ns`` is the stamp of the sensor sample that the decision rests on, so that age is measured from the
    sensor and not from the last hop; 0 when there was no sample. ``accel_mps2`` counts along the engaged gear and is
    negative when braking. ``gear`` is to be engaged at standstill, ``hold`` keeps the car standing.
    """

    function: Function
    stamp_ns: int
    accel_mps2: float | None = None
    steering_rad: float | None = None
    gear: Gear | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class FunctionState:
    """State of one function for people and for the other nodes.

    ``state`` and ``reason`` are names of the function's own enums; ``values`` are the figures behind the decision
    (TTC, gap, margin), in SI units, named with the unit.
    """

    function: Function
    stamp_ns: int
    level: Level
    state: str
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of one step of a function: what it asks for and the state it is in."""

    request: Request
    state: FunctionState


@dataclass(frozen=True, slots=True)
class Command:
    """What the gate lets through to the actuators; None is no request on that axis.

    ``stamp_ns`` is the sample stamp of the lateral decision if there is one, else of the longitudinal one: the
    camera's stamp travels to the bus, and the latency from picture to frame can be measured there.
    """

    stamp_ns: int
    accel_mps2: float | None = None
    steering_rad: float | None = None
    longitudinal: Function = Function.NONE
    lateral: Function = Function.NONE
    gear: Gear | None = None
    hold: bool = False
