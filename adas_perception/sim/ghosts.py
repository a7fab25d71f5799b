"""Radar ghosts that live for a few cycles: reflections by bridges, rails and spray that look like an obstacle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from adas_perception.params import Params, param


@dataclass(frozen=True)
class GhostTracks(Params):
    """How often ghosts appear in the car's way, where, and how long they live."""

    every_s: float = param(1.0, "one ghost in each such span of time", unit="s", low=0.1, high=1000.0)
    life_s: float = param(0.09, "life of a ghost: at most two radar cycles", unit="s", low=0.01, high=2.0)
    near_m: float = param(8.0, "nearest place of birth", unit="m", low=1.0, high=200.0)
    far_m: float = param(70.0, "farthest place of birth", unit="m", low=1.0, high=200.0)
    aside_m: float = param(1.0, "largest offset", unit="m", low=0.0, high=10.0)
    points: int = param(3, "points of a ghost", low=1, high=20)


def ghost_points(
    ghosts: GhostTracks, seed: int, time_s: float, ego_mps: float
) -> list[tuple[float, float, float, float]]:
    """Return (range, azimuth, range rate, height) of the ghost alive at ``time_s``, none or ``points``.

    A ghost stands, or moves with part of the ego's speed, as real ones do.
    """
    span = math.floor(time_s / ghosts.every_s)
    rng = Random(seed << 32 | span)
    age = time_s - span * ghosts.every_s - rng.uniform(0.0, max(ghosts.every_s - ghosts.life_s, 0.0))
    if not 0.0 <= age < ghosts.life_s:
        return []
    rate = (rng.choice((0.0, rng.random())) - 1.0) * ego_mps
    x = rng.uniform(ghosts.near_m, ghosts.far_m) + rate * age
    y = rng.uniform(-ghosts.aside_m, ghosts.aside_m)
    return [
        (math.hypot(x, y), math.atan2(y + 0.3 * k - 0.15 * ghosts.points, x), rate, 0.0) for k in range(ghosts.points)
    ]
