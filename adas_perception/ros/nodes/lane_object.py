"""Camera node: pictures in, lane lines and boxes out. Inference runs in threads of its own, on the newest picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2
from sensor_msgs.msg import Image as ImageMessage
from vision_msgs.msg import Detection2DArray

from adas_perception.inference.backend import Arrays, Backend, ModelError, Settings, threads_for
from adas_perception.inference.cuda import CUDA_LIBRARIES
from adas_perception.inference.models import load_model_spec
from adas_perception.inference.switching import SwitchingBackend, open_network
from adas_perception.params import CameraMount, ParameterError, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_network import LaneSpec
from adas_perception.perception.lanes import LaneFinder, LaneParams
from adas_perception.perception.objects import DetectorSpec, ObjectDetector
from adas_perception.perception.overlay import draw_lanes
from adas_perception.perception.pace import Pace
from adas_perception.ros import convert
from adas_perception.ros.frames import publish_frames
from adas_perception.ros.node import AdasNode
from adas_perception.ros.picture_worker import PictureWorker
from adas_perception.types import Detections, Image, LaneLines, Level, seconds

SILENT_S = 0.5
OVERLAY_PERIOD_S = 0.2
JPEG_QUALITY = 80


@dataclass(frozen=True)
class LaneObjectParams(LaneParams):
    """Networks, backend and camera, beside the tuning of lane perception."""

    lane_model: str = param("lane_v2", "lane network, by its name in models.yaml")
    object_model: str = param("object_v3", "object detector, by its name in models.yaml; empty: none")
    object_period_s: float = param(
        0.1, "boxes are looked for this often; tracking carries them on", unit="s", low=0.0, high=1.0
    )
    models_file: str = param("", "list of models; empty: the shipped models.yaml")
    backend: str = param("auto", "what runs the networks", choices=("auto", "tensorrt", "openvino", "onnxruntime"))
    precision: str = param(
        "auto", "of the networks' files; auto: the best of the backend", choices=("auto", "fp32", "fp16", "int8")
    )
    dla_core: int = param(-1, "deep learning accelerator for the lane network; -1: the GPU", low=-1, high=1)
    cuda: str = param("auto", "library for TensorRT's memory", choices=CUDA_LIBRARIES)
    threads: int = param(
        0, "processor threads of the lane network, the detector takes half; 0: two, one where there are but two",
        low=0, high=64,
    )
    compressed: bool = param(False, "take camera/image/compressed instead of camera/image")
    reliable: bool = param(True, "subscribe reliably; false for a driver that publishes best effort")
    camera: CameraMount = CameraMount()


class Timed:
    """The backend of a model, which remembers how long its last run took."""

    def __init__(self, model: str, backend: Backend) -> None:
        self.model = model
        self._backend = backend
        self.last_ms = 0.0

    @property
    def name(self) -> str:
        """Return the name of the backend that runs now."""
        return self._backend.name

    @property
    def reason(self) -> str:
        """Return why it is this one."""
        return self._backend.reason

    @property
    def degraded(self) -> bool:
        """Return whether it runs on less than was asked for."""
        return isinstance(self._backend, SwitchingBackend) and self._backend.degraded

    def close(self) -> None:
        """End what the backend still does."""
        if isinstance(self._backend, SwitchingBackend):
            self._backend.close()

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network."""
        began = time.perf_counter()
        outputs = self._backend.infer(inputs)
        self.last_ms = 1e3 * (time.perf_counter() - began)
        return outputs


class LaneObjectNode(AdasNode):
    """Lanes first, they are urgent; then, in a thread of its own, the boxes of the newest picture."""

    def __init__(self) -> None:
        super().__init__("lane_object", LaneObjectParams)
        self._workers: list[PictureWorker] = []
        self._networks: list[Timed] = []
        try:
            # The stream of the lanes goes before that of the boxes.
            self._lane_spec, self._lane_net = self._network(
                self.params.lane_model, LaneSpec, -1, self.params.dla_core, threads_for(self.params.threads)
            )
            self._detector = self._open_detector()
        except ModelError as error:
            raise ParameterError(str(error)) from None
        self._camera: CameraModel | None = None
        self._finder: LaneFinder | None = None
        self._seen_boxes: Detections | None = None
        self._seen_ns = self._overlay_ns = 0
        self._pace = Pace(self.params.object_period_s)
        self._boxes = self._start("boxes", self._see_boxes) if self._detector else None
        self._pictures = self._start("lanes", self._see_lanes)
        self._create_topics()
        publish_frames(self, {convert.CAMERA: self.params.camera})
        self.create_timer(SILENT_S, self._watch)

    def _start(self, name: str, see: Callable[[Image], None]) -> PictureWorker:
        self._workers.append(PictureWorker(name, see, self._failed))
        return self._workers[-1]

    def _network(
        self, name: str, kind: type[Any], priority: int, dla_core: int, threads: int
    ) -> tuple[Any, Timed]:
        entry = load_model_spec(name, Path(self.params.models_file) if self.params.models_file else None)
        settings = Settings(threads, self.params.precision, dla_core, self.params.cuda, priority)
        network = Timed(name, open_network(entry, self.params.backend, settings))
        self._networks.append(network)
        self.get_logger().info(f"{name} on {network.name}: {network.reason}")
        return kind.from_mapping(entry.spec, f"models.yaml: {name}"), network

    def _open_detector(self) -> ObjectDetector | None:
        if not self.params.object_model:
            return None
        threads = max(1, threads_for(self.params.threads) // 2)
        return ObjectDetector(*self._network(self.params.object_model, DetectorSpec, 0, -1, threads))

    def _create_topics(self) -> None:
        self._lanes = self.create_publisher(PointCloud2, "lanes", 5)
        self._detections = self.create_publisher(Detection2DArray, "detections", 5)
        self._overlay = self.create_publisher(CompressedImage, "perception/overlay/compressed", 1)
        self._ego = self.listen("vehicle/odometry", Odometry, lambda m: convert.to_ego(m, None))
        self.listen("camera/camera_info", CameraInfo, self._to_camera, depth=1)
        quality = {"depth": 1, "reliable": self.params.reliable}
        if self.params.compressed:
            self._images = self.listen(
                "camera/image/compressed", CompressedImage, convert.to_image_compressed, self._pictures.offer, **quality
            )
        else:
            self._images = self.listen("camera/image", ImageMessage, convert.to_image, self._pictures.offer, **quality)

    def _to_camera(self, message: CameraInfo) -> None:
        camera = convert.to_camera(message, self.params.camera)
        if camera != self._camera:
            self._finder = LaneFinder(self._lane_spec, self._lane_net, camera, self.params)
            self._camera = camera

    # --- in the workers' threads ---

    def _see_lanes(self, image: Image) -> None:
        finder = self._finder
        if finder is None:
            return
        began = time.perf_counter()
        lanes = finder.step(image, self._ego.value)
        self._lanes.publish(convert.from_lanes(lanes))
        self.figures["network_ms"] = self._lane_net.last_ms
        self.figures["lanes_ms"] = 1e3 * (time.perf_counter() - began)
        self._seen_ns = self.now_ns()
        if self._boxes is not None and self._pace.due(image.stamp_ns):
            self._boxes.offer(image)
        self._show(image, finder.camera, lanes)

    def _see_boxes(self, image: Image) -> None:
        assert self._detector is not None
        self._seen_boxes = self._detector.detect(image)
        self._detections.publish(convert.from_detections(self._seen_boxes))
        self.figures["objects_ms"] = self._networks[-1].last_ms

    def _failed(self, error: Exception) -> None:
        self._images.rejected += 1
        self._images.reason = str(error)

    def _show(self, image: Image, camera: CameraModel, lanes: LaneLines) -> None:
        due = seconds(image.stamp_ns - self._overlay_ns) >= OVERLAY_PERIOD_S
        if not due or not self._overlay.get_subscription_count():
            return
        self._overlay_ns = image.stamp_ns
        picture = draw_lanes(np.ascontiguousarray(image.rgb[:, :, ::-1]), camera, lanes)
        for box in self._seen_boxes.items if self._seen_boxes else ():
            cv2.rectangle(picture, (int(box.x1), int(box.y1)), (int(box.x2), int(box.y2)), (0, 200, 255), 2)
        self._overlay.publish(convert.from_picture_compressed(image.stamp_ns, picture, JPEG_QUALITY))

    # --- health ---

    def _watch(self) -> None:
        silent = seconds(self.now_ns() - self._seen_ns) > SILENT_S
        waiting = "no picture" if self._camera is not None or self._images.value is None else "no camera_info"
        degraded = any(network.degraded for network in self._networks)
        running = "; ".join(f"{n.model} on {n.name}: {n.reason}" for n in self._networks)
        self.level = Level.WARN if silent or degraded else Level.OK
        self.message = f"{waiting} for {SILENT_S} s" if silent else running

    def destroy_node(self) -> None:
        """End the threads, and a build that still runs."""
        for worker in self._workers:
            worker.stop()
        for network in self._networks:
            network.close()
        super().destroy_node()
