"""What a manoeuvre sets up: the scenario, the simulated car, and when the run may end early."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from adas_perception.params import Params
from adas_perception.sim.fault_loop import FaultLoop
from adas_perception.sim.ghosts import GhostTracks
from adas_perception.sim.scenarios import Scenario
from adas_perception.sim.scorecard.trace import Trace
from adas_perception.sim.ultrasonic_model import RangerFaults
from adas_perception.sim.vehicle import CarParams


@dataclass(frozen=True)
class Stage:
    """One run before it starts.

    ``target`` names the road user that the test is about. ``until_slower`` ends the run half a second after the
    car has become no faster than the target, as the protocols end an approach,
    ``until_stop`` when it stands, ``until_parked`` when parking has ended. ``rangers`` are faults of the rangers;
    ``event_s`` is when the fault begins or the driver acts; ``objects`` tells whether radars and cameras see any.
    ``ghosts`` are false radar tracks that appear in clean and in noisy runs alike;
    ``seed`` draws what is random in the scenario itself. ``then`` makes the next leg of a longer run from the trace
    of this one; the legs are judged together. ``loop`` drives instead of the plain closed loop.
    """

    scenario: Scenario
    car: CarParams = field(default_factory=CarParams)
    target: str = ""
    until_slower: bool = False
    until_stop: bool = False
    ghosts: GhostTracks | None = None
    seed: int = 0
    rangers: RangerFaults | None = None
    until_parked: bool = False
    objects: bool = True
    event_s: float = math.inf
    then: Callable[[Trace], Stage] | None = None
    loop: FaultLoop | None = None


@dataclass(frozen=True)
class Manoeuvre(Params):
    """A family of scenarios whose figures come from a row file."""

    def stage(self) -> Stage:
        """Return the run; raises ParameterError when the figures do not fit together."""
        raise NotImplementedError

    def parts(self) -> int:
        """Return into how many parts the run may be cut, which know nothing of each other; they are judged together."""
        return 1

    def part(self, number: int) -> Stage:
        """Return one of the parts, counted from 0."""
        return self.stage()
