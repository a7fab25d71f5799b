"""The manoeuvres by name, as row files call them."""

from __future__ import annotations

from adas_perception.sim.scorecard.manoeuvres import (
    approach,
    blindspot,
    crossing,
    cruise,
    cutin,
    departure,
    endurance,
    false,
    faults,
    lanes,
    parking,
    platoon,
    reverse,
    turning,
)
from adas_perception.sim.scorecard.stage import Manoeuvre

__all__ = ["MANOEUVRES", "Manoeuvre"]

MANOEUVRES: dict[str, type[Manoeuvre]] = {
    **approach.MANOEUVRES,
    **cruise.MANOEUVRES,
    **cutin.MANOEUVRES,
    **departure.MANOEUVRES,
    **blindspot.MANOEUVRES,
    **crossing.MANOEUVRES,
    **turning.MANOEUVRES,
    **false.MANOEUVRES,
    **reverse.MANOEUVRES,
    **platoon.MANOEUVRES,
    **lanes.MANOEUVRES,
    **endurance.MANOEUVRES,
    **faults.MANOEUVRES,
    **parking.MANOEUVRES,
}
