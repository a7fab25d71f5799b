"""Where samples come from without ROS: bags, several laid over each other, and a simulated drive."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adas_perception.params import Config, ParameterError
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.pipeline import Output, load_pipeline
from adas_perception.replay.bags import BagReader, Unreadable
from adas_perception.replay.outputs import Announcer
from adas_perception.replay.topics import Mounting
from adas_perception.ros.convert import ConvertError
from adas_perception.sim.loop import drive
from adas_perception.sim.scenarios import SCENARIOS, scenario
from adas_perception.sim.scorecard.play import Conditions, new_world
from adas_perception.sim.scorecard.rows import load_rows
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import (
    Detections,
    DriverInput,
    EgoState,
    LaneLines,
    RadarScan,
    UltrasonicEcho,
    nanoseconds,
)
from adas_perception.view.reading import (
    PATH,
    PICTURES,
    SAFETY,
    SCENE,
    SLOTS,
    MessageReader,
    Poses,
    Seen,
    safety_view,
    short_name,
)

PICTURE_NS, ECHO_NS = nanoseconds(0.1), nanoseconds(0.1)
TOPIC_OF = {EgoState: "vehicle/odometry", DriverInput: "vehicle/driver", LaneLines: "lanes", Detections: "detections"}


def from_bags(paths: Sequence[Path], mounting: Mounting) -> Iterator[Seen]:
    """Yield what the bags hold in the order of time: a recording and what a replay of it has said, for example."""
    return heapq.merge(*(_from_bag(path, mounting) for path in paths), key=lambda seen: seen.now_ns)


def _from_bag(path: Path, mounting: Mounting) -> Iterator[Seen]:
    reader = MessageReader(mounting)
    with BagReader(path) as bag:
        wanted = {topic for topic in bag.types if short_name(topic) in (*SCENE, *PICTURES)}
        for message in bag.messages(wanted):
            name = short_name(message.topic)
            try:
                sample = None if isinstance(message, Unreadable) else reader.sample(name, message.fields)
            except ConvertError:
                sample = None
            yield Seen(message.stamp_ns, name, sample)


def from_simulation(name: str, preset: str, config: Config, pictures: bool = True) -> Iterator[Seen]:
    """Drive the closed loop and yield all that its stack sees and says; raises ParameterError.

    ``name`` is a drive ('demo') or a row of the scorecard ('A01', its first run; 'P01#3', its third).
    """
    stage = _stage(name)
    world = new_world(stage, Conditions(preset))
    recorder = _Recorder(world, stage.objects, config, pictures)
    for output in drive(world, load_pipeline(preset, camera=world.camera), sensors=recorder):
        yield from recorder.news(output)


def _stage(name: str) -> Stage:
    if name in SCENARIOS:
        return Stage(scenario(name))
    row, _, number = name.partition("#")
    cases = [case for found in load_rows() if found.id == row for case in found.cases]
    if not cases:
        drives = ", ".join(SCENARIOS)
        raise ParameterError(f"--sim: '{name}' is no drive ({drives}) and no row of the scorecard ('A01', 'P01#3')")
    if number and not (number.isdecimal() and 1 <= int(number) <= len(cases)):
        raise ParameterError(f"--sim: {row} has the runs 1 to {len(cases)}, not '{number}'")
    return cases[int(number or 1) - 1].manoeuvre.stage()


class _Recorder(SensorSuite):
    """The sensors of the simulated car, overheard."""

    def __init__(self, world: World, boxes: bool, config: Config, pictures: bool) -> None:
        super().__init__(world, camera_boxes=boxes)
        self._world, self._pictures = world, pictures
        self._ring = UltrasonicRing(config.get("ultrasonic", UltrasonicParams))
        self._radar = RadarClusterer(config.get("radar", RadarParams))
        self._announcer = Announcer()
        self._heard: list[Seen] = []
        self._picture_ns = self._echo_ns = 0
        self._ranging = False

    def samples(self) -> list[Any]:
        """Return what reaches the stack, and keep it for the viewer."""
        samples, now_ns = super().samples(), self.world.stamp_ns
        for sample in samples:
            self._hear(now_ns, sample)
        return samples

    def _hear(self, now_ns: int, sample: Any) -> None:
        if isinstance(sample, UltrasonicEcho):
            self._ring.step(sample)
            self._ranging = True
        elif isinstance(sample, RadarScan):
            self._heard.append(Seen(now_ns, "radar/targets", self._radar.step(sample, self.world.ego())))
        elif type(sample) in TOPIC_OF:
            self._heard.append(Seen(now_ns, TOPIC_OF[type(sample)], sample))

    def news(self, output: Output) -> Iterator[Seen]:
        """Yield what was overheard, a picture now and then, and what the stack decided."""
        now_ns, heard = output.now_ns, self._heard
        self._heard = []
        if self._pictures and now_ns >= self._picture_ns:
            self._picture_ns = now_ns + PICTURE_NS
            yield Seen(now_ns, "camera/camera_info", self.world.camera)
            yield Seen(now_ns, "camera/image", self._world.picture())
        yield from heard
        if self._ranging and now_ns >= self._echo_ns:
            self._echo_ns = now_ns + ECHO_NS
            yield Seen(now_ns, "parking/echoes", self._ring.echoes(now_ns))
        for topic, value in self._announcer.news(output):
            if topic in SCENE:
                yield Seen(now_ns, topic, _as_seen(topic, value))


def _as_seen(topic: str, value: Any) -> Any:
    """Return what the viewer would read from the message of a value."""
    if topic == SAFETY:
        return safety_view(*value)
    return Poses(value[0], tuple(value[1])) if topic in (SLOTS, PATH) else value
