"""The criteria by name, as row files call them."""

from __future__ import annotations

from adas_perception.sim.scorecard.criteria import blindspot, braking, cruise, faults, lane, parking
from adas_perception.sim.scorecard.criteria.base import Check, Criterion

__all__ = ["CRITERIA", "Check", "Criterion"]

CRITERIA: dict[str, type[Criterion]] = {
    **braking.RULES, **cruise.RULES, **lane.RULES, **blindspot.RULES, **faults.RULES, **parking.RULES,
}  # fmt: skip
