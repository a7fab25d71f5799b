"""Parking rests on dead reckoning from CAN frames: what the car has turned must not be lost when frames are held up."""

from __future__ import annotations

import math
from random import Random

import pytest

from adas_perception.can.car import CarEncoder
from adas_perception.can.codec import Codec
from adas_perception.can.vehicle import VehicleReceiver
from adas_perception.resources import config_path
from adas_perception.types import DriverInput, EgoState, Gear, nanoseconds

TICK_S, SPEED_MPS, YAW_RATE_RADPS = 0.025, 0.48, 0.1


def dead_reckoning(held_ticks: int, seconds: float = 15.0) -> float:
    """Return the yaw that the bridge believes in when frames come in bunches of up to so many ticks."""
    codec = Codec(config_path("adas.dbc"))
    encoder, receiver, rng = CarEncoder(codec), VehicleReceiver(codec), Random(1)
    waiting, hold = [], 0
    for tick in range(1, int(seconds / TICK_S) + 1):
        now_ns = nanoseconds(10.0 + tick * TICK_S)
        ego = EgoState(now_ns, SPEED_MPS, 0.0, YAW_RATE_RADPS, 0.0, Gear.DRIVE)
        waiting += encoder.frames(ego, DriverInput(now_ns), (SPEED_MPS,) * 4)
        if hold > 0:
            hold -= 1
            continue
        for frame in waiting:
            receiver.feed(frame, now_ns)
        waiting, hold = [], rng.randint(0, held_ticks)
    found = receiver.ego(now_ns)
    assert found is not None
    return found.yaw_rad


@pytest.mark.parametrize("held_ticks", [0, 2, 5, 8])
def test_the_car_knows_how_far_it_has_turned(held_ticks):
    turned = YAW_RATE_RADPS * 15.0
    until_trusted = YAW_RATE_RADPS * TICK_S * (held_ticks + 6)
    assert dead_reckoning(held_ticks) == pytest.approx(turned, abs=until_trusted)
    assert math.degrees(turned) > 80.0
