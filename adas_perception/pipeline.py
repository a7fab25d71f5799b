"""The whole stack without ROS: sensor samples in, one gated command out, as fast as the processor allows.

These are the very cores that the nodes run. Replay, scorecard and tests use them here, with time as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from adas_perception.functions.acc import Acc, AccParams
from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.apa import Apa, ApaParams
from adas_perception.functions.bsd import Bsd, BsdParams
from adas_perception.functions.friction import Friction
from adas_perception.functions.lka import Lka, LkaParams
from adas_perception.limits import Limits, load_limits
from adas_perception.params import Config, Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.resources import config_path
from adas_perception.safety.chain import SafetyChain, SafetyOutput
from adas_perception.safety.faults import NODES
from adas_perception.safety.monitor import Mode, MonitorParams
from adas_perception.types import (
    Decision,
    Detections,
    DriverInput,
    Echoes,
    EgoState,
    Function,
    FunctionState,
    Image,
    LaneLines,
    Objects,
    RadarScan,
    RadarTargets,
    Request,
    UltrasonicEcho,
    nanoseconds,
)

# How long a part waits for its data before it takes a step without; the nodes wait as long.
PERIOD_S = 0.05
PARKING_PERIOD_S = 0.05

Sample = EgoState | DriverInput | RadarScan | RadarTargets | UltrasonicEcho | Image | Detections | LaneLines | Friction
# What the safety chain looks at before anybody else, and the nodes without which a sample does not arrive.
WATCHED = (EgoState, DriverInput, RadarTargets, LaneLines)
_SENDERS: dict[type, frozenset[str]] = {
    EgoState: frozenset({"can_bridge"}),
    DriverInput: frozenset({"can_bridge"}),
    **dict.fromkeys((RadarScan, RadarTargets), frozenset({"radar"})),
    UltrasonicEcho: frozenset({"ultrasonic"}),
    **dict.fromkeys((Image, LaneLines, Detections), frozenset({"lane_object"})),
}


class LaneFinder(Protocol):
    """What the pipeline needs of lane perception."""

    def step(self, image: Image, ego: EgoState | None) -> LaneLines:
        """Return the lane lines in base_link."""
        ...


class Detector(Protocol):
    """What the pipeline needs of an object detector."""

    def detect(self, image: Image) -> Detections:
        """Return the boxes of a picture."""
        ...


@dataclass(frozen=True)
class Output:
    """Everything one step decided."""

    now_ns: int
    safety: SafetyOutput
    decisions: Mapping[Function, Decision]
    lanes: LaneLines | None = None
    objects: Objects | None = None


class _Turn:
    """When a part takes a step: at once when its data arrives, else when its period is over."""

    def __init__(self, period_s: float) -> None:
        self._period_ns = nanoseconds(period_s)
        self._last_ns: int | None = None

    def comes(self, now_ns: int, arrived: bool = False) -> bool:
        """Return whether it is time for a step, taken to be done then; always when time has gone back."""
        if not arrived and self._last_ns is not None and 0 <= now_ns - self._last_ns < self._period_ns:
            return False
        self._last_ns = now_ns
        return True


class Pipeline:
    """Feed it samples in the order in which they would arrive; call ``step`` once a control cycle.

    Each part takes its step when it would in the car: fusion with the front radar, ACC, AEB and BSD with new
    objects, LKA with new lines, the safety chain in every cycle.
    """

    def __init__(
        self,
        config: Config,
        limits: Limits,
        *,
        lane_finder: LaneFinder | None = None,
        detector: Detector | None = None,
        camera: CameraModel | None = None,
        recorded: bool = False,
    ) -> None:
        """Build all parts; ``recorded``: the car is a recording, which obeys its own driver and not the stack."""
        self._lane_finder = lane_finder
        self._detector = detector
        self.camera = camera
        self._radar = RadarClusterer(config.get("radar", RadarParams))
        self._fusion = Fusion(config.get("fusion", FusionParams))
        self._ring = UltrasonicRing(config.get("ultrasonic", UltrasonicParams))
        self._acc = Acc(config.get("acc", AccParams), limits)
        self._aeb = Aeb(config.get("aeb", AebParams), limits)
        self._lka = Lka(config.get("lka", LkaParams), limits)
        self._bsd = Bsd(config.get("bsd", BsdParams), limits)
        self._apa = Apa(config.get("apa", ApaParams), limits)
        monitor = MonitorParams.from_mapping(config.values("safety_monitor").get("monitor", {}), "monitor")
        monitor = replace(monitor, bus=monitor.bus and not recorded)
        vehicle = Vehicle.from_mapping(config.values("safety_monitor").get("vehicle", {}), "vehicle")
        self._safety = SafetyChain(monitor, limits, vehicle)
        # Nodes that are alive; a fault campaign takes some out.
        self.running = frozenset(NODES)
        self._heartbeats: dict[str, int] = {}
        # Whether the monitor brakes the car to a stop: LKA then keeps it in the lane.
        self._fallback = False
        self._ego: EgoState | None = None
        self._driver: DriverInput | None = None
        self._friction: Friction | None = None
        self._lanes: LaneLines | None = None
        self._objects: Objects | None = None
        self._scans: list[RadarTargets] = []
        self._detections: Detections | None = None
        self._new_scene = self._new_lanes = False
        self._fusion_turn, self._objects_turn, self._lanes_turn = _Turn(PERIOD_S), _Turn(PERIOD_S), _Turn(PERIOD_S)
        self._parking_turn = _Turn(PARKING_PERIOD_S)
        self._decisions: dict[Function, Decision] = {}
        self._requests: dict[Function, Request] = {}
        self._states: dict[Function, FunctionState] = {}

    def feed(self, sample: Sample, now_ns: int | None = None) -> None:
        """Take in one sample that arrives at ``now_ns``, else without delay.

        What the safety chain turns away goes no further.
        """
        if not _SENDERS.get(type(sample), frozenset()) <= self.running:
            return
        if isinstance(sample, UltrasonicEcho):  # first, because of twelve sensors
            self._ring.step(sample)
            return
        if isinstance(sample, RadarScan) and len(sample.range_rate) and not np.isfinite(sample.range_rate).any():
            return  # a radar that sends no number is as good as silent
        checked = self._radar.step(sample, self._ego) if isinstance(sample, RadarScan) else sample
        arrived_ns = sample.stamp_ns if now_ns is None else now_ns
        if isinstance(checked, WATCHED) and not self._safety.take(arrived_ns, checked):
            return
        if isinstance(checked, EgoState):
            self._ego = checked
        elif isinstance(checked, DriverInput):
            self._driver = checked
        elif isinstance(checked, Friction):
            self._friction = checked
        elif isinstance(checked, RadarTargets):
            self._scans.append(checked)
            self._bsd.hear(checked)
            self._new_scene |= checked.sensor == "front"
        elif isinstance(checked, LaneLines):
            self._lanes, self._new_lanes = checked, True
        elif isinstance(checked, Detections):
            self._detections = checked
        else:
            self._see(checked, arrived_ns)

    def _see(self, image: Image, now_ns: int) -> None:
        if self._lane_finder is not None:
            self.feed(self._lane_finder.step(image, self._ego), now_ns)
        if self._detector is not None:
            self._detections = self._detector.detect(image)

    def step(self, now_ns: int, samples: Iterable[Sample] = ()) -> Output:
        """Take in ``samples``, decide, and return the command that may leave."""
        for sample in samples:
            self.feed(sample, now_ns)
        arrived = self._fuse(now_ns)
        self._decide(now_ns, arrived)
        self._heartbeats |= dict.fromkeys(self.running, now_ns)
        output = self._safety.step(
            now_ns, self._requests, self._states, self._ego, self._driver, self._heartbeats
        )
        self._fallback = output.mode is Mode.FALLBACK
        return Output(now_ns, output, dict(self._decisions), self._lanes, self._objects)

    def _fuse(self, now_ns: int) -> bool:
        """Fuse what the sensors have said when it is time; return whether there are new objects."""
        if "fusion" not in self.running:
            return False
        if not self._fusion_turn.comes(now_ns, self._new_scene) or not (self._scans or self._detections is not None):
            return False
        self._objects = self._fusion.step(now_ns, self._scans, self._detections, self._ego, self.camera)
        self._scans, self._detections, self._new_scene = [], None, False
        return True

    def _decide(self, now_ns: int, new_objects: bool) -> None:
        ego, driver, lanes, objects = self._ego, self._driver, self._lanes, self._objects
        drives, parks = self._objects_turn.comes(now_ns, new_objects), self._parking_turn.comes(now_ns)
        echoes = self._ring.echoes(now_ns) if drives or parks else Echoes(0)
        if drives:
            self._keep(Function.AEB, self._aeb.step(now_ns, ego, driver, objects, lanes, echoes, self._friction))
            self._keep(Function.ACC, self._acc.step(now_ns, ego, driver, objects, lanes))
            self._keep(Function.BSD, self._bsd.step(now_ns, ego, driver, objects, lanes))
        if self._lanes_turn.comes(now_ns, self._new_lanes):
            self._new_lanes = False
            self._keep(Function.LKA, self._lka.step(now_ns, ego, driver, lanes, objects, self._fallback))
        if parks:
            self._safety.take(now_ns, echoes)
            self._keep(Function.APA, self._apa.step(now_ns, ego, driver, echoes))

    def _keep(self, function: Function, decision: Decision) -> None:
        if function.value not in self.running and function in self._decisions:
            return
        self._decisions[function], self._states[function] = decision, decision.state
        if function is not Function.BSD:
            self._requests[function] = decision.request


def load_config(preset: str = "", car: Path | None = None) -> Config:
    """Return the parameters of ``car``, else the shipped ones, with a preset by name laid over them ('' for none)."""
    presets = [config_path(f"presets/{preset}.yaml")] if preset else []
    return Config(car or config_path("adas.yaml"), *presets)


def load_pipeline(preset: str = "", **parts: Any) -> Pipeline:
    """Return the pipeline with the shipped parameters, a preset by name laid over them ('' for none).

    ``parts`` go to the Pipeline: a lane finder, a detector, a camera.
    """
    return Pipeline(load_config(preset), load_limits(config_path("limits.yaml")), **parts)
