"""The stack on a recording: samples in the order of arrival, steps when the nodes would take them, time from the bag.

Steps come with the data, as in the car: with the front radar, with a picture's lanes; where no data comes, after
``STEP_S``. The recorded car obeys its recorded driver, so nothing that is decided here moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from adas_perception.perception.camera import CameraModel
from adas_perception.pipeline import Output, Pipeline
from adas_perception.replay.outputs import Announcer
from adas_perception.replay.perception import Perception
from adas_perception.replay.recording import Arrival
from adas_perception.types import (
    DriverInput,
    EgoState,
    Function,
    Image,
    LaneLines,
    RadarScan,
    RadarTargets,
    UltrasonicEcho,
    nanoseconds,
)

STEP_S, ECHO_S = 0.05, 0.1
# After a step that data has brought the timer waits longer, or it would fire just before the next data.
FILL_S = 0.075
# A button counts when it goes down, so it is pressed and let go in turn.
PRESS_NS = 200_000_000
SHADOW_SPEED_MPS = 33.0
Publish = Callable[[int, str, Any], None]


class Step(NamedTuple):
    """What was known and decided at one time of the recording."""

    ego: EgoState
    driver: DriverInput | None
    output: Output


class Stack:
    """One drive of the pipeline through a recording; ``publish(now_ns, topic, value)`` hears what the stack says.

    With ``shadow`` the pedals count as released, for every function, 'set' is pressed whenever ACC stands by, and then
    'resume', until only the lead keeps it from driving faster: ACC cannot be switched on by a driver who is not there.
    """

    def __init__(self, pipeline: Pipeline, perception: Perception, publish: Publish, *, shadow: bool = False) -> None:
        self._pipeline = pipeline
        self._perception = perception
        self._publish = publish
        self._shadow = shadow
        self._announcer = Announcer()
        self._ego: EgoState | None = None
        self._driver: DriverInput | None = None
        self._standby, self._set_speed_mps = True, 0.0
        self._due_ns = self._echo_ns = 0
        self._heard_echo = False

    def steps(self, arrivals: Iterable[Arrival]) -> Iterator[Step]:
        """Yield a step at a time, once the car's motion is known; what arrives at one time is one step."""
        last_ns: int | None = None
        urgent = False
        for arrival in self._perception.ahead(arrivals):
            now_ns = arrival.now_ns
            if last_ns is not None and now_ns != last_ns and urgent:
                yield from self._step(last_ns, FILL_S)
                urgent = False
            if last_ns is None or now_ns < last_ns:  # the first, or the recording begins again
                self._due_ns, self._echo_ns = now_ns + nanoseconds(STEP_S), now_ns
            last_ns = now_ns
            while now_ns > self._due_ns:
                yield from self._step(self._due_ns, STEP_S)
            if arrival.sample is not None:
                urgent |= self._feed(arrival)
        if urgent and last_ns is not None:
            yield from self._step(last_ns, FILL_S)

    def _feed(self, arrival: Arrival) -> bool:
        """Take in a sample; return whether the nodes would take a step at once."""
        now_ns, sample = arrival.now_ns, arrival.sample
        if isinstance(sample, Image):
            seen = list(self._perception.see(sample, self._ego))
            return bool(seen) and any([self._forward(now_ns, topic, value) for topic, value in seen])
        if isinstance(sample, RadarScan):
            return self._forward(now_ns, *self._perception.scan(sample, self._ego))
        if isinstance(sample, CameraModel):
            self._perception.look(sample)
            self._pipeline.camera = sample
            return False
        if isinstance(sample, EgoState):
            self._ego = sample
        elif isinstance(sample, DriverInput):
            self._driver = sample
            sample = self._at_the_wheel(sample)
        elif isinstance(sample, UltrasonicEcho):
            self._heard_echo = True
            self._perception.hear(sample)
        self._pipeline.feed(sample, now_ns)
        return _urgent(sample)

    def _forward(self, now_ns: int, topic: str, value: Any) -> bool:
        self._publish(now_ns, topic, value)
        self._pipeline.feed(value, now_ns)
        return _urgent(value)

    def _at_the_wheel(self, driver: DriverInput) -> DriverInput:
        if not self._shadow:
            return driver
        pressed = driver.stamp_ns // PRESS_NS % 2 == 0
        slow = self._set_speed_mps < SHADOW_SPEED_MPS
        return replace(
            driver, brake=0.0, accelerator=0.0, acc_set=pressed and self._standby,
            acc_resume=pressed and slow and not self._standby,
        )  # fmt: skip

    def _step(self, now_ns: int, wait_s: float) -> Iterator[Step]:
        self._due_ns = now_ns + nanoseconds(wait_s)
        if self._heard_echo and now_ns >= self._echo_ns:
            self._echo_ns = now_ns + nanoseconds(ECHO_S)
            self._publish(now_ns, *self._perception.echoes(now_ns))
        output = self._pipeline.step(now_ns)
        acc = output.decisions[Function.ACC].state
        self._standby = acc.state in ("OFF", "STANDBY")
        self._set_speed_mps = acc.values.get("set_speed_mps", 0.0)
        for topic, value in self._announcer.news(output):
            self._publish(now_ns, topic, value)
        if self._ego is not None:
            yield Step(self._ego, self._driver, output)


def _urgent(sample: Any) -> bool:
    return isinstance(sample, LaneLines) or isinstance(sample, RadarTargets) and sample.sensor == "front"
