"""How much friction braking may count on: what an estimate says, what braking itself tells, and what if nobody knows.

The rule. A recent estimate with a small error replaces the nominal friction where it is lower: all stages of AEB then
come as early as that road needs, and the warning still earlier by one standard deviation. Without such an estimate
the brakes are planned with the nominal friction, because braking early for a road that may be slippery would be
phantom braking on every dry one; only the warning, which costs little, supposes a slippery road.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from adas_perception.functions.common import GRAVITY_MPS2
from adas_perception.functions.threat import ThreatParams
from adas_perception.params import Params, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import EgoState, seconds

# Plans differ by whole steps of friction, rounded down, so that few threat models are ever made.
STEP = 0.05
LOWEST = 0.1


@dataclass(frozen=True, slots=True)
class Friction:
    """What an estimator says of the friction between tyres and road, with its standard deviation."""

    stamp_ns: int
    value: float
    sigma: float = 0.05


@dataclass(frozen=True)
class FrictionParams(Params):
    """What an estimate must be worth, and how braking tells the friction."""

    age_s: float = param(5.0, "oldest usable estimate", unit="s", low=0.1, high=60.0)
    sigma_max: float = param(0.15, "estimates less certain than this are not used", low=0.01, high=0.5)
    unknown: float = param(0.35, "what the warning supposes while nothing is known", low=0.1, high=1.0)
    hard_mps2: float = param(4.0, "weaker braking tells nothing", unit="m/s2", low=1.0, high=10.0)
    shortfall_mps2: float = param(
        1.5, "the tyres slip when so much of the deceleration asked for is missing", unit="m/s2", low=0.5, high=5.0
    )
    settle_s: float = param(0.6, "so long after braking began, its build-up included", unit="s", low=0.1, high=2.0)
    slip_speed_mps: float = param(2.0, "slower than this no slip is judged", unit="m/s", low=0.5, high=10.0)
    slip_sigma: float = param(0.05, "error of the friction that slipping tyres show", low=0.01, high=0.2)


class SlipEstimator:
    """Reads the friction from braking: slipping tyres decelerate the car by just what the road gives.

    Every car has the signals: the deceleration asked for and that reached. It knows nothing before the first hard
    braking; a slope adds its own share to the error.
    """

    def __init__(self, params: FrictionParams) -> None:
        self._p = params
        self._short_ns: int | None = None
        self._found: Friction | None = None

    def step(self, now_ns: int, ego: EgoState, asked_mps2: float) -> Friction | None:
        """Return the latest finding; ``asked_mps2`` is the deceleration that driver or function ask for."""
        reached = -math.copysign(1.0, ego.speed_mps) * ego.accel_mps2
        hard = asked_mps2 > self._p.hard_mps2 and abs(ego.speed_mps) > self._p.slip_speed_mps
        # A car that hardly decelerates has a fault of its brakes.
        slips = asked_mps2 - reached > self._p.shortfall_mps2 and reached > LOWEST * GRAVITY_MPS2
        if not (hard and slips):
            self._short_ns = None
        elif self._short_ns is None:
            self._short_ns = now_ns
        elif seconds(now_ns - self._short_ns) >= self._p.settle_s:
            self._found = Friction(now_ns, reached / GRAVITY_MPS2, self._p.slip_sigma)
        return self._found


def usable(friction: Friction | None, now_ns: int, p: FrictionParams) -> bool:
    """Return whether an estimate is recent, possible and certain enough."""
    return fresh(friction, now_ns, p.age_s) and 0.0 < friction.value < 2.0 and 0.0 <= friction.sigma <= p.sigma_max


def planned(threat: ThreatParams, p: FrictionParams, now_ns: int, *estimates: Friction | None) -> ThreatParams:
    """Return the threat parameters for the road as the lowest of the usable estimates tells it."""
    known = [f for f in estimates if f is not None and usable(f, now_ns, p)]
    lowest = min(known, key=lambda f: f.value, default=None)
    if lowest is None:
        return _with(threat, threat.friction, p.unknown)
    return _with(threat, min(threat.friction, lowest.value), lowest.value - lowest.sigma)


def _with(threat: ThreatParams, braking: float, warning: float) -> ThreatParams:
    """Return the parameters with the friction of the brakes and of the warned driver's braking."""
    if braking < threat.friction:
        braking = _down(braking)
    driver = min(threat.driver_mps2, max(_down(warning) * GRAVITY_MPS2, 1.0))
    return _replaced(threat, braking, driver)


@lru_cache(maxsize=32)  # friction changes in steps and seldom; checking all parameters again every cycle costs more
def _replaced(threat: ThreatParams, friction: float, driver_mps2: float) -> ThreatParams:
    return replace(threat, friction=friction, driver_mps2=driver_mps2)


def _down(friction: float) -> float:
    return max(math.floor(friction / STEP + 1e-6) * STEP, LOWEST)
