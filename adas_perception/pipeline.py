"""The whole stack without ROS: sensor samples in, one gated command out, as fast as the processor allows.

These are the very cores that the nodes run. Replay, scorecard and tests use them here, with time as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adas_perception.functions.acc import Acc, AccParams
from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.apa import Apa, ApaParams
from adas_perception.functions.bsd import Bsd, BsdParams
from adas_perception.functions.lka import Lka, LkaParams
from adas_perception.limits import Limits, load_limits
from adas_perception.params import Config, Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.resources import config_path
from adas_perception.safety.chain import SafetyChain, SafetyOutput
from adas_perception.safety.monitor import NEEDS, MonitorParams
from adas_perception.types import (
    Decision,
    Detections,
    DriverInput,
    EgoState,
    Function,
    Image,
    LaneLines,
    Objects,
    RadarScan,
    RadarTargets,
    UltrasonicEcho,
)

Sample = EgoState | DriverInput | RadarScan | UltrasonicEcho | Image | Detections | LaneLines


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


class Pipeline:
    """Feed it samples in the order in which they would arrive; call ``step`` once a control cycle."""

    def __init__(
        self,
        config: Config,
        limits: Limits,
        *,
        lane_finder: LaneFinder | None = None,
        detector: Detector | None = None,
        camera: CameraModel | None = None,
    ) -> None:
        self._lane_finder = lane_finder
        self._detector = detector
        self._camera = camera
        self._radar = RadarClusterer(config.get("radar", RadarParams))
        self._fusion = Fusion(config.get("fusion", FusionParams))
        self._ring = UltrasonicRing(config.get("ultrasonic", UltrasonicParams))
        self._acc = Acc(config.get("acc", AccParams), limits)
        self._aeb = Aeb(config.get("aeb", AebParams), limits)
        self._lka = Lka(config.get("lka", LkaParams), limits)
        self._bsd = Bsd(config.get("bsd", BsdParams), limits)
        self._apa = Apa(config.get("apa", ApaParams), limits)
        monitor = MonitorParams.from_mapping(config.values("safety_monitor").get("monitor", {}), "monitor")
        vehicle = Vehicle.from_mapping(config.values("safety_monitor").get("vehicle", {}), "vehicle")
        self._safety = SafetyChain(monitor, limits, vehicle)
        self._nodes = {node for nodes in NEEDS.values() for node in nodes}
        self._ego: EgoState | None = None
        self._driver: DriverInput | None = None
        self._lanes: LaneLines | None = None
        self._objects: Objects | None = None
        self._scans: list[RadarTargets] = []
        self._detections: Detections | None = None

    def feed(self, sample: Sample) -> None:
        """Take in one sample."""
        if isinstance(sample, EgoState):
            self._ego = sample
        elif isinstance(sample, DriverInput):
            self._driver = sample
        elif isinstance(sample, RadarScan):
            self._scans.append(self._radar.step(sample, self._ego))
        elif isinstance(sample, UltrasonicEcho):
            self._ring.step(sample)
        elif isinstance(sample, LaneLines):
            self._lanes = sample
        elif isinstance(sample, Detections):
            self._detections = sample
        else:
            self._see(sample)

    def _see(self, image: Image) -> None:
        if self._lane_finder is not None:
            self._lanes = self._lane_finder.step(image, self._ego)
        if self._detector is not None:
            self._detections = self._detector.detect(image)

    def step(self, now_ns: int, samples: Iterable[Sample] = ()) -> Output:
        """Take in ``samples``, decide, and return the command that may leave."""
        for sample in samples:
            self.feed(sample)
        if self._scans or self._detections is not None:
            self._objects = self._fusion.step(now_ns, self._scans, self._detections, self._ego, self._camera)
            self._scans, self._detections = [], None

        decisions = self._decide(now_ns)
        output = self._safety.step(
            now_ns,
            {function: d.request for function, d in decisions.items() if function is not Function.BSD},
            {function: d.state for function, d in decisions.items()},
            self._ego,
            self._driver,
            dict.fromkeys(self._nodes, now_ns),
        )
        return Output(now_ns, output, decisions, self._lanes, self._objects)

    def _decide(self, now_ns: int) -> dict[Function, Decision]:
        ego, driver, lanes, objects = self._ego, self._driver, self._lanes, self._objects
        return {
            Function.AEB: self._aeb.step(now_ns, ego, driver, objects, lanes),
            Function.ACC: self._acc.step(now_ns, ego, driver, objects, lanes),
            Function.LKA: self._lka.step(now_ns, ego, driver, lanes, objects),
            Function.BSD: self._bsd.step(now_ns, ego, driver, objects, lanes),
            Function.APA: self._apa.step(now_ns, ego, driver, self._ring.echoes(now_ns)),
        }


def load_pipeline(preset: str = "", **parts: Any) -> Pipeline:
    """Return the pipeline with the shipped parameters, a preset by name laid over them ('' for none).

    ``parts`` go to the Pipeline: a lane finder, a detector, a camera.
    """
    presets = [config_path(f"presets/{preset}.yaml")] if preset else []
    return Pipeline(Config(config_path("adas.yaml"), *presets), load_limits(config_path("limits.yaml")), **parts)
