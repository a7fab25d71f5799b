"""What judges a run: a criterion looks at the trace and returns checks, each a figure against its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import Params
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import Trace


@dataclass(frozen=True)
class Check:
    """One figure against its limit. ``margin`` is the room left in ``unit``, negative when the limit is broken.

    ``colour`` and ``points`` are those of the protocol's bands, where it has any.
    """

    name: str
    value: float
    limit: float
    unit: str
    margin: float
    passed: bool
    colour: str = ""
    points: float = 0.0

    @property
    def text(self) -> str:
        """Return the figure for people."""
        shown = "none" if math.isinf(self.value) or math.isnan(self.value) else f"{self.value:.2f} {self.unit}"
        return f"{shown.strip()} (limit {self.limit:g} {self.unit})".replace(" )", ")")


@dataclass(frozen=True)
class Criterion(Params):
    """A rule with its figures, from a row file."""

    def judge(self, trace: Trace, stage: Stage) -> list[Check]:
        """Return the checks of a run."""
        raise NotImplementedError


def at_most(name: str, value: float, limit: float, unit: str = "") -> Check:
    """Return the check of an upper limit; no figure (NaN) fails."""
    return Check(name, value, limit, unit, limit - value, value <= limit + 1e-9)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Check:
    """Return the check of a lower limit; no figure (NaN) fails."""
    return Check(name, value, limit, unit, value - limit, value >= limit - 1e-9)
