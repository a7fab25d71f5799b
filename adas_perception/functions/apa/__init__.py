"""Automatic parking assist: from echoes to a parked car."""

from adas_perception.functions.apa.apa import Apa, ApaDecision, ApaParams
from adas_perception.functions.apa.slots import Slot, SlotKind
from adas_perception.functions.apa.states import Reason, State

__all__ = ["Apa", "ApaDecision", "ApaParams", "Reason", "Slot", "SlotKind", "State"]
