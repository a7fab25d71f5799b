"""Automatic parking assist: this version finds slots and offers them, it does not drive."""

from adas_perception.functions.apa.apa import Apa, ApaDecision, ApaParams, Reason, State
from adas_perception.functions.apa.slots import Slot, SlotKind

__all__ = ["Apa", "ApaDecision", "ApaParams", "Reason", "Slot", "SlotKind", "State"]
