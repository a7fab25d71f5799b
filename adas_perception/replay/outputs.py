"""What the stack publishes: a topic, a type and a conversion for each of its decisions, as the nodes do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adas_perception.params import NAMESPACE
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.pipeline import Output
from adas_perception.ros import convert
from adas_perception.ros.convert.messages import DiagnosticArray
from adas_perception.types import Decision, Function, FunctionState, Objects, nanoseconds

DIAGNOSTICS = "/diagnostics"
CLOUD, DRIVE = "sensor_msgs/msg/PointCloud2", "ackermann_msgs/msg/AckermannDriveStamped"
DIAGNOSTIC = "diagnostic_msgs/msg/DiagnosticArray"
REQUESTERS = (Function.ACC, Function.AEB, Function.LKA, Function.APA)
DIAGNOSTICS_NS = nanoseconds(1.0)


@dataclass(frozen=True)
class Form:
    """How a value becomes a message."""

    type: str
    write: Callable[[Any], Any]


def _diagnostics(values: tuple[int, list[FunctionState]]) -> Any:
    message = DiagnosticArray(status=[convert.from_state(state).status[0] for state in values[1]])
    message.header.stamp = convert.to_stamp(values[0])
    return message


FORMS: dict[str, Form] = {
    "lanes": Form(CLOUD, convert.from_lanes),
    "detections": Form("vision_msgs/msg/Detection2DArray", convert.from_detections),
    "radar/targets": Form(CLOUD, convert.from_targets),
    "parking/echoes": Form(CLOUD, lambda e: convert.from_echoes(e, SENSORS)),
    "objects": Form(CLOUD, convert.from_objects),
    **{f"{f.value}/request": Form(DRIVE, convert.from_request) for f in REQUESTERS},
    **{f"{f.value}/state": Form(DIAGNOSTIC, convert.from_state) for f in (*REQUESTERS, Function.BSD)},
    "parking/slots": Form("geometry_msgs/msg/PoseArray", lambda v: convert.from_slots(*v)),
    "parking/path": Form("nav_msgs/msg/Path", lambda v: convert.from_path(*v)),
    "safety/state": Form(DIAGNOSTIC, lambda v: convert.from_safety(*v)),
    "command": Form(DRIVE, convert.from_command),
    DIAGNOSTICS: Form(DIAGNOSTIC, _diagnostics),
}


def full_name(topic: str) -> str:
    """Return the name of a topic in a bag."""
    return topic if topic.startswith("/") else f"{NAMESPACE}/{topic}"


class Announcer:
    """What of a step is new, topic by topic, in the order of the chain."""

    def __init__(self) -> None:
        self._objects: Objects | None = None
        self._decisions: dict[Function, Decision] = {}
        self._diagnosed_ns = 0

    def news(self, output: Output) -> Iterator[tuple[str, Any]]:
        """Yield what the nodes would publish after this step."""
        now_ns = output.now_ns
        if output.objects is not None and output.objects is not self._objects:
            self._objects = output.objects
            yield "objects", output.objects
        for function, decision in output.decisions.items():
            if decision is not self._decisions.get(function):
                self._decisions[function] = decision
                yield from self._decision(now_ns, function, decision)
        yield "safety/state", (now_ns, output.safety)
        yield "command", output.safety.command
        if not 0 <= now_ns - self._diagnosed_ns < DIAGNOSTICS_NS:
            self._diagnosed_ns = now_ns
            yield DIAGNOSTICS, (now_ns, [decision.state for decision in output.decisions.values()])

    def _decision(self, now_ns: int, function: Function, decision: Decision) -> Iterator[tuple[str, Any]]:
        if function in REQUESTERS:
            yield f"{function.value}/request", decision.request
        yield f"{function.value}/state", decision.state
        slots, path = getattr(decision, "slots", ()), getattr(decision, "path", ())
        if slots:
            yield "parking/slots", (now_ns, [(slot.x_m, slot.y_m, slot.yaw_rad) for slot in slots])
        if path:
            yield "parking/path", (now_ns, list(path))
