"""The rules of the guide that this product grew out of, as it gives them; chosen by ``rule: guide``.

They are kept to reproduce and to compare: docs say where each one is unsafe. Angles and signs follow base_link.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from adas_perception.params import Params, param
from adas_perception.types import Side


class AccAction(Enum):
    """What the guide's cruise control does."""

    ACCELERATE = "accelerate"
    HOLD = "hold"
    DECELERATE = "decelerate"


class AebAction(Enum):
    """What the guide's emergency brake does."""

    NONE = "safe"
    WARN = "audible warning"
    HALF = "50 % brake"
    FULL = "100 % brake"


class LkaAction(Enum):
    """What the guide's lane keeping does."""

    NONE = "normal"
    WARN = "warn"
    STEER = "steering correction"


@dataclass(frozen=True)
class AccRule(Params):
    """The guide's cruise control; the two rates are ours, the guide names none."""

    distance_m: float = param(50.0, "nearer than this: decelerate", unit="m", low=0.0, high=500.0)
    accel_mps2: float = param(1.0, "rate of 'accelerate'", unit="m/s2", low=0.0, high=2.0)
    decel_mps2: float = param(2.0, "rate of 'decelerate'", unit="m/s2", low=0.0, high=3.5)


@dataclass(frozen=True)
class AebRule(Params):
    """The guide's emergency brake; 100 % is taken as 0.9 g, the grip of a test track."""

    full_s: float = param(0.6, "below this TTC: 100 % brake", unit="s", low=0.0, high=10.0)
    half_s: float = param(1.5, "below this TTC: 50 % brake", unit="s", low=0.0, high=10.0)
    warn_s: float = param(3.0, "below this TTC: warning", unit="s", low=0.0, high=10.0)
    full_mps2: float = param(8.83, "deceleration of 100 % brake", unit="m/s2", low=1.0, high=10.0)


@dataclass(frozen=True)
class LkaRule(Params):
    """The guide's lane keeping: offset of the car from the middle of the lane."""

    warn_m: float = param(0.3, "farther out: warn", unit="m", low=0.0, high=2.0)
    steer_m: float = param(0.5, "farther out: steer", unit="m", low=0.0, high=2.0)


@dataclass(frozen=True)
class BsdRule(Params):
    """The guide's blind-spot zone on each side of the car."""

    rear_m: float = param(-4.0, "x of the rear end", unit="m", low=-100.0, high=0.0)
    front_m: float = param(-1.0, "x of the front end", unit="m", low=-100.0, high=10.0)
    width_m: float = param(2.0, "largest distance from the centre line", unit="m", low=0.0, high=10.0)


@dataclass(frozen=True)
class ApaRule(Params):
    """The guide's smallest slots."""

    parallel_m: float = param(6.0, "length of a parallel slot", unit="m", low=0.0, high=20.0)
    perpendicular_m: float = param(2.5, "width of a perpendicular slot", unit="m", low=0.0, high=10.0)


def acc(speed_mps: float, distance_m: float, set_speed_mps: float, rule: AccRule) -> AccAction:
    """Return what to do at a speed with an object at a distance (infinite without one)."""
    if distance_m < rule.distance_m:
        return AccAction.DECELERATE
    return AccAction.ACCELERATE if speed_mps < set_speed_mps else AccAction.HOLD


def ttc(distance_m: float, closing_mps: float) -> float:
    """Return the time to collision in seconds, infinite when not closing."""
    return distance_m / closing_mps if closing_mps > 0.0 else math.inf


def aeb(distance_m: float, closing_mps: float, rule: AebRule) -> AebAction:
    """Return what to do for an object at a distance that closes at a speed."""
    time = ttc(distance_m, closing_mps)
    if time < rule.full_s:
        return AebAction.FULL
    if time < rule.half_s:
        return AebAction.HALF
    return AebAction.WARN if time < rule.warn_s else AebAction.NONE


def lka(offset_m: float, rule: LkaRule) -> LkaAction:
    """Return what to do at an offset from the middle of the lane."""
    if abs(offset_m) > rule.steer_m:
        return LkaAction.STEER
    return LkaAction.WARN if abs(offset_m) > rule.warn_m else LkaAction.NONE


def bsd(x_m: float, y_m: float, rule: BsdRule) -> Side | None:
    """Return the side on which an object's centre (base_link) is in the zone, None when it is in neither."""
    if not rule.rear_m <= x_m <= rule.front_m or not 0.0 <= abs(y_m) <= rule.width_m:
        return None
    return Side.LEFT if y_m >= 0.0 else Side.RIGHT


def parking(length_m: float, rule: ApaRule) -> tuple[bool, bool]:
    """Return whether a gap serves as a parallel and as a perpendicular slot."""
    return length_m >= rule.parallel_m, length_m >= rule.perpendicular_m
