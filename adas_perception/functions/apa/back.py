"""The back of a parallel slot that was not heard in passing: a low kerb answers only from near, on the way in.

Whatever runs along the street at a depth is heard at its depth less that of the sensor, wherever the sensor is, as long
as the perpendicular on it lies in the cone. So echoes from several places, of several sensors, that agree in that
difference come from one straight thing, and the direction of none of them needs to be known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from adas_perception.functions.apa.geometry import Array
from adas_perception.functions.apa.local_map import Heard
from adas_perception.functions.apa.plan import outline_points
from adas_perception.functions.apa.slots import Slot, SlotKind


class _Foot(NamedTuple):
    """Where an echo has met the back if it did: the place along the street, and the depth."""

    x_m: float
    depth_m: float
    sensor: str


# Echoes that agree so well, over so much of the slot, are of one straight thing.
_AGREE_M, _SPREAD_M, _SENSORS, _SHARE = 0.04, 0.4, 2, 0.8
# So far from a neighbour it is the back that answers.
_BESIDE_M = 0.3


class Back:
    """Collects the echoes that nothing known explains while the car drives into a slot.

    ``depth_m`` is the depth of the slot: as measured in passing until another one was heard on the way.
    """

    def __init__(self, slot: Slot, nearest_m: float, half_cone_rad: float) -> None:
        """``nearest_m`` is the least depth at which the car fits before the back: what is nearer is in its way."""
        self.depth_m = slot.depth_m
        self._slot = slot
        self._nearest_m = nearest_m
        self._half_cone_rad = half_cone_rad
        self._feet: list[_Foot] = []

    def hear(self, echoes: Iterable[Heard]) -> None:
        """Take in new echoes."""
        slot = self._slot
        if slot.kind is not SlotKind.PARALLEL or self.depth_m < slot.depth_m:
            return
        for echo in echoes:
            at = slot.frame.to_local(echo.at)
            square = abs(math.remainder(-math.pi / 2.0 - at.yaw_rad, math.tau)) < self._half_cone_rad
            depth_m = echo.range_m - at.y_m
            between = abs(at.x_m) < slot.length_m / 2.0 - _BESIDE_M
            if square and between and self._nearest_m <= depth_m < slot.depth_m - _AGREE_M:
                self._feet.append(_Foot(at.x_m, depth_m, echo.sensor))
                self._judge(median(foot.depth_m for foot in self._feet))

    def _judge(self, depth_m: float) -> None:
        """Take the depth for that of the slot when enough echoes agree in it."""
        agreeing = [foot for foot in self._feet if abs(foot.depth_m - depth_m) < _AGREE_M]
        places = [foot.x_m for foot in agreeing] or [0.0]
        heard_by = {foot.sensor for foot in agreeing}
        straight = len(agreeing) >= _SHARE * len(self._feet) and max(places) - min(places) >= _SPREAD_M
        if straight and len(heard_by) >= _SENSORS:
            self.depth_m = depth_m


def kerb(slot: Slot) -> tuple[Array, Array]:
    """Return points (N, 2) along the back of a slot between its neighbours, and their facings, in its frame."""
    half = slot.length_m / 2.0 - _BESIDE_M
    return outline_points([(-half, -slot.depth_m), (half, -slot.depth_m)])
