"""What can be wrong, and which functions cannot do without what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from adas_perception.types import Function


class FaultKind(Enum):
    """What can be wrong with the inputs of the stack, its nodes and the car."""

    NO_VEHICLE_STATE = "vehicle state missing or too old"
    NO_DRIVER_INPUT = "driver input missing or too old"
    NODE_SILENT = "node is silent"
    STALE_REQUEST = "request rests on old samples"
    INPUT_SILENT = "no samples arrive"
    INPUT_SLOW = "samples arrive too seldom"
    INPUT_FROZEN = "samples repeat the same content"
    INPUT_REFUSED = "samples are not finite, out of range, late or out of order"
    SPEED_DOUBTFUL = "speed contradicts the acceleration or the radar"
    YAW_DOUBTFUL = "yaw rate contradicts the steering angle"
    CLOCK_JUMP = "the clock has jumped"
    OVERLOAD = "cycles are missed"
    BRAKE_DISOBEYS = "the car does not brake as asked"
    STEERING_DISOBEYS = "the car does not steer as asked"
    REQUEST_REFUSED = "the gate has refused its request; the driver must arm it again"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and what it concerns: a node, a function, an input, or the vehicle."""

    kind: FaultKind
    subject: str

    def __str__(self) -> str:
        """Return the sentence for people."""
        return f"{self.subject}: {self.kind.value}"


VEHICLE = "vehicle"
DRIVER = "driver"
FRONT_RADAR = "front radar"
REAR_RADARS = "rear radars"
LANES = "lanes"
ECHOES = "ultrasonic"

# The nodes each function cannot do without.
NEEDS: dict[Function, tuple[str, ...]] = {
    Function.AEB: ("can_bridge", "radar", "fusion", "aeb"),
    Function.ACC: ("can_bridge", "radar", "fusion", "acc"),
    Function.LKA: ("can_bridge", "lane_object", "lka"),
    Function.BSD: ("can_bridge", "radar", "fusion", "bsd"),
    Function.APA: ("can_bridge", "ultrasonic", "apa"),
}
NODES = tuple(sorted({node for nodes in NEEDS.values() for node in nodes}))
BUS_NODE = "can_bridge"
# The inputs each function cannot do without; all of them need the vehicle state.
INPUTS: dict[Function, tuple[str, ...]] = {
    Function.AEB: (FRONT_RADAR,),
    Function.ACC: (FRONT_RADAR,),
    Function.LKA: (LANES,),
    Function.BSD: (REAR_RADARS,),
    Function.APA: (ECHOES,),
}
# Emergency braking works without knowing what the driver does.
NEEDS_DRIVER = tuple(function for function in NEEDS if function is not Function.AEB)

# These faults take functions away whatever their subject. A car that brakes too weakly still needs its emergency
# braking; an overloaded computer sheds comfort first.
_BY_KIND: dict[FaultKind, tuple[Function, ...]] = {
    FaultKind.NO_VEHICLE_STATE: tuple(NEEDS),
    FaultKind.SPEED_DOUBTFUL: tuple(NEEDS),
    FaultKind.YAW_DOUBTFUL: tuple(NEEDS),
    FaultKind.NO_DRIVER_INPUT: NEEDS_DRIVER,
    FaultKind.OVERLOAD: (Function.APA, Function.BSD),
    FaultKind.BRAKE_DISOBEYS: (Function.ACC, Function.APA),
    FaultKind.STEERING_DISOBEYS: (Function.LKA, Function.APA),
}
# With these the vehicle state cannot be trusted: the stack asks for nothing.
VEHICLE_FAULTS = frozenset({FaultKind.NO_VEHICLE_STATE, FaultKind.SPEED_DOUBTFUL, FaultKind.YAW_DOUBTFUL})
# The driver must know of these at once, whatever function is engaged.
HAND_OVER = frozenset({FaultKind.BRAKE_DISOBEYS, FaultKind.STEERING_DISOBEYS})
_INPUT_FAULTS = frozenset(
    {FaultKind.INPUT_SILENT, FaultKind.INPUT_SLOW, FaultKind.INPUT_FROZEN, FaultKind.INPUT_REFUSED}
)


def affected(faults: Iterable[Fault]) -> set[Function]:
    """Return the functions that a set of faults takes away."""
    hit: set[Function] = set()
    for fault in faults:
        hit.update(_BY_KIND.get(fault.kind, ()))
        if fault.kind in _INPUT_FAULTS:
            hit.update(_by_input(fault.subject))
        else:
            hit.update(f for f, nodes in NEEDS.items() if fault.subject == f.value or fault.subject in nodes)
    return hit


def _by_input(subject: str) -> tuple[Function, ...]:
    if subject == VEHICLE:
        return tuple(NEEDS)
    if subject == DRIVER:
        return NEEDS_DRIVER
    return tuple(function for function, inputs in INPUTS.items() if subject in inputs)
