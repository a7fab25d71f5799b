"""From pictures to lanes and boxes, from radar scans to targets: what the perception nodes do, one after another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from adas_perception.inference.backend import Backend, Settings, threads_for
from adas_perception.inference.models import load_model_spec
from adas_perception.inference.switching import open_network
from adas_perception.params import Config
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_network import LaneNetwork, LaneSpec
from adas_perception.perception.lanes import LaneFinder, LaneParams
from adas_perception.perception.objects import DetectorSpec, ObjectDetector
from adas_perception.perception.pace import Pace
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.ultrasonic import UltrasonicParams, UltrasonicRing
from adas_perception.replay.recording import Arrival
from adas_perception.types import Detections, EgoState, FloatArray, Image, RadarScan, UltrasonicEcho

# So many arrivals lie between a picture's networks and its lanes: some pictures.
AHEAD = 64


@dataclass
class Perception:
    """The networks are opened when the first picture comes; a recording without pictures needs none."""

    config: Config
    threads: int = 0
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
        self._works: deque[Future[tuple[FloatArray, Detections | None]]] = deque()
        self._detector: ObjectDetector | None = None

    @property
    def camera(self) -> CameraModel | None:
        """Return the camera as the last camera_info had it."""
        return self._camera

    def ahead(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """Yield what arrives, a little later: a thread runs the networks on the pictures that come next."""
        waiting: deque[Arrival] = deque()
        with ThreadPoolExecutor(1, "networks") as worker:
            for arrival in arrivals:
                if isinstance(arrival.sample, Image):
                    self._works.append(worker.submit(self._work, arrival.sample))
                waiting.append(arrival)
                if len(waiting) > AHEAD:
                    yield waiting.popleft()
            yield from waiting

    def _work(self, image: Image) -> tuple[FloatArray, Detections | None]:
        if self._lane_net is None:
            self._lane_net = self._network(self._lane_model, LaneSpec.from_mapping)
            self._lanes = LaneNetwork(*self._lane_net)
            if self._object_model:
                self._detector = ObjectDetector(*self._network(str(self._object_model), DetectorSpec.from_mapping))
        began = time.perf_counter()
        answer, boxes = self._lanes.answer(image.rgb), None
        if self._detector is not None and self._pace.due(image.stamp_ns):
            boxes = self._detector.detect(image)
        self.picture_ms.append(1e3 * (time.perf_counter() - began))
        return answer, boxes

    def look(self, camera: CameraModel) -> None:
        """Take in a camera_info."""
        if camera != self._camera:
            self._camera, self._finder = camera, None

    def see(self, image: Image, ego: EgoState | None) -> Iterator[tuple[str, Any]]:
        """Yield lanes, then boxes, each with its topic; nothing before the camera is known."""
        work = self._works.popleft()
        if self._camera is None:
            self.dropped += 1
            return
        answer, boxes = work.result()
        if self._finder is None:
            assert self._lane_net is not None
            self._finder = LaneFinder(*self._lane_net, self._camera, self._params)
        yield "lanes", self._finder.follow(image, answer, ego)
        if boxes is not None:
            yield "detections", boxes

    def scan(self, scan: RadarScan, ego: EgoState | None) -> tuple[str, Any]:
        """Return the targets of a radar scan with their topic."""
        return "radar/targets", self._clusterer.step(scan, ego)

    def hear(self, echo: UltrasonicEcho) -> None:
        """Take in what an ultrasonic sensor says."""
        self._ring.step(echo)

    def echoes(self, now_ns: int) -> tuple[str, Any]:
        """Return the echoes of the ring with their topic."""
        return "parking/echoes", self._ring.echoes(now_ns)

    def _network(self, name: str, spec: Callable[..., Any]) -> tuple[Any, Backend]:
        entry, values = load_model_spec(name), self.config.values("lane_object")
        backend = str(values.get("backend", "auto"))
        settings = Settings(threads_for(self.threads), str(values.get("precision", "auto")))
        # Not one that changes to TensorRT when its engine is built: two runs must be the same.
        network = open_network(entry, "cpu" if backend == "auto" else backend, settings)
        return spec(entry.spec, f"models.yaml: {name}"), network
