"""How a reacting road user follows: the intelligent driver model (Treiber, Hennecke and Helbing 2000)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

_ACCEL_MPS2 = 1.5
_COMFORT_MPS2 = 2.5
_HARDEST_MPS2 = 8.0
_TIME_GAP_S = 1.2
_STANDSTILL_GAP_M = 2.0
# Whose middle is nearer than this across the lane is ahead, not beside.
_ACROSS_M = 1.9


class Spot(NamedTuple):
    """Somebody on a line: the place of his rear along and across it, and his speed."""

    rear_s_m: float
    d_m: float
    speed_mps: float


def next_ahead(front_s_m: float, d_m: float, others: Iterable[Spot]) -> Spot | None:
    """Return the nearest of ``others`` ahead in the same lane; who overlaps lengthwise is not ahead."""
    ahead = (o for o in others if o.rear_s_m > front_s_m and abs(o.d_m - d_m) < _ACROSS_M)
    return min(ahead, key=lambda o: o.rear_s_m, default=None)


def following_mps2(speed_mps: float, wanted_mps: float, front_s_m: float, leader: Spot | None) -> float:
    """Return the acceleration towards the wanted speed that keeps the distance to the leader."""
    accel = _ACCEL_MPS2 * (1.0 - (speed_mps / max(wanted_mps, 0.1)) ** 4)
    if leader is not None:
        closing = speed_mps - leader.speed_mps
        wish = speed_mps * _TIME_GAP_S + speed_mps * closing / (2.0 * math.sqrt(_ACCEL_MPS2 * _COMFORT_MPS2))
        gap = max(leader.rear_s_m - front_s_m, 0.1)
        accel -= _ACCEL_MPS2 * ((_STANDSTILL_GAP_M + max(wish, 0.0)) / gap) ** 2
    return max(accel, -_HARDEST_MPS2)
