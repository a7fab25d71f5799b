"""From pictures to lanes and boxes, from radar scans to targets: what the perception nodes do, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from adas_perception.inference.backend import Backend, Settings, load_backend
from adas_perception.inference.models import load_model_spec
from adas_perception.params import Config
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_network import LaneSpec
from adas_perception.perception.lanes import LaneFinder, LaneParams
from adas_perception.perception.objects import DetectorSpec, ObjectDetector
from adas_perception.perception.pace import Pace
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.types import EgoState, Image, RadarScan, UltrasonicEcho


@dataclass
class Perception:
    """The networks are opened when the first picture comes; a recording without pictures needs none."""

    config: Config
    threads: int = 2
    dropped: int = 0
    picture_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clusterer = RadarClusterer(self.config.get("radar", RadarParams))
        self._ring = UltrasonicRing(self.config.get("ultrasonic", UltrasonicParams))
        values = self.config.values("lane_object")
        self._lane_model, self._object_model = str(values.get("lane_model", "lane_v2")), values.get("object_model", "")
        known = LaneParams().__dataclass_fields__
        self._params = LaneParams.from_mapping({n: v for n, v in values.items() if n in known}, "lane_object")
        self._pace = Pace(float(values.get("object_period_s", 0.1)))
        self._camera: CameraModel | None = None
        self._lane_net: tuple[LaneSpec, Backend] | None = None
        self._finder: LaneFinder | None = None
        self._detector: ObjectDetector | None = None

    @property
    def camera(self) -> CameraModel | None:
        """Return the camera as the last camera_info had it."""
        return self._camera

    def look(self, camera: CameraModel) -> None:
        """Take in a camera_info."""
        if camera != self._camera:
            self._camera, self._finder = camera, None

    def see(self, image: Image, ego: EgoState | None) -> Iterator[tuple[str, Any]]:
        """Yield lanes, then boxes, each with its topic; nothing before the camera is known."""
        if self._camera is None:
            self.dropped += 1
            return
        began = time.perf_counter()
        if self._finder is None:
            self._finder = self._open(self._camera)
        yield "lanes", self._finder.step(image, ego)
        if self._detector is not None and self._pace.due(image.stamp_ns):
            yield "detections", self._detector.detect(image)
        self.picture_ms.append(1e3 * (time.perf_counter() - began))

    def scan(self, scan: RadarScan, ego: EgoState | None) -> tuple[str, Any]:
        """Return the targets of a radar scan with their topic."""
        return "radar/targets", self._clusterer.step(scan, ego)

    def hear(self, echo: UltrasonicEcho) -> None:
        """Take in what an ultrasonic sensor says."""
        self._ring.step(echo)

    def echoes(self, now_ns: int) -> tuple[str, Any]:
        """Return the echoes of the ring with their topic."""
        return "parking/echoes", self._ring.echoes(now_ns)

    def _open(self, camera: CameraModel) -> LaneFinder:
        if self._lane_net is None:
            self._lane_net = self._network(self._lane_model, LaneSpec.from_mapping)
            if self._object_model:
                self._detector = ObjectDetector(*self._network(str(self._object_model), DetectorSpec.from_mapping))
        return LaneFinder(*self._lane_net, camera, self._params)

    def _network(self, name: str, spec: Callable[..., Any]) -> tuple[Any, Backend]:
        entry = load_model_spec(name)
        backend = str(self.config.values("lane_object").get("backend", "auto"))
        return spec(entry.spec, f"models.yaml: {name}"), load_backend(entry.file(), backend, Settings(self.threads))
