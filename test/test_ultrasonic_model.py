"""What answers a ranger in the simulator: sides that are turned towards it, high enough to be met by its sound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.params import Ring
from adas_perception.sim.bodies import KERB, WALL, Kind
from adas_perception.sim.sensors import Box, Surroundings
from adas_perception.sim.ultrasonic_model import range_ultrasonic

SIDE = Ring().rear_right_side


def heard(kind: Kind, away_m: float) -> tuple[float, float]:
    """Return first and second range of a side sensor beside a long body whose face is so far away."""
    y = SIDE.y_m - away_m - kind.width_m / 2.0
    body = Box(0.0, y, 0.0, 20.0, kind.width_m, kind.height_m, 0.0, 0.0, kind)
    (echo,) = [e for e in range_ultrasonic(0, Surroundings((body,), np.empty((0, 2))), None)
               if e.sensor == "rear_right_side"]  # fmt: skip
    return echo.range_m, echo.second_m


@pytest.mark.parametrize("away_m", [0.3, 0.4, 0.5, 0.6])
def test_a_kerb_below_the_sound_does_not_answer_with_its_far_side(away_m):
    assert heard(KERB, away_m) == (math.inf, math.inf)


@pytest.mark.parametrize("kind", [KERB, WALL])
def test_what_is_met_answers_once_with_its_face(kind):
    assert heard(kind, 1.0) == (pytest.approx(1.0), math.inf)
