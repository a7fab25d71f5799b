"""Camera node: pictures in, lane lines and boxes out. Inference runs in a thread of its own, on the newest picture."""

from __future__ import annotations

import threading
import time
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

from adas_perception.inference.backend import Arrays, Backend, ModelError, load_backend
from adas_perception.inference.models import load_model_spec
from adas_perception.params import CameraMount, ParameterError, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lanes import LaneFinder, LaneParams, LaneSpec
from adas_perception.perception.objects import DetectorSpec, ObjectDetector
from adas_perception.perception.overlay import draw_lanes
from adas_perception.ros import convert
from adas_perception.ros.node import AdasNode
from adas_perception.types import Detections, Image, LaneLines, Level, seconds

SILENT_S = 0.5
OVERLAY_PERIOD_S = 0.2
JPEG_QUALITY = 80


@dataclass(frozen=True)
class LaneObjectParams(LaneParams):
    """Networks, backend and camera, beside the tuning of lane perception."""

    lane_model: str = param("lane_v1", "lane network, by its name in models.yaml")
    object_model: str = param("", "object detector, by its name in models.yaml; empty: none")
    models_file: str = param("", "list of models; empty: the shipped models.yaml")
    backend: str = param("auto", "what runs the networks", choices=("auto", "tensorrt", "openvino", "onnxruntime"))
    threads: int = param(2, "processor threads of a network", low=1, high=64)
    compressed: bool = param(False, "take camera/image/compressed instead of camera/image")
    reliable: bool = param(True, "subscribe reliably; false for a driver that publishes best effort")
    camera: CameraMount = CameraMount()


class Timed:
    """A backend that remembers how long its last run took."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.reason = backend.name, backend.reason
        self._backend = backend
        self.last_ms = 0.0

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network."""
        began = time.perf_counter()
        outputs = self._backend.infer(inputs)
        self.last_ms = 1e3 * (time.perf_counter() - began)
        return outputs


class LaneObjectNode(AdasNode):
    """Lanes first, they are urgent; then the boxes of the same picture."""

    def __init__(self) -> None:
        super().__init__("lane_object", LaneObjectParams)
        self._running = False
        try:
            self._lane_spec, self._lane_net = self._network(self.params.lane_model, LaneSpec)
            self._detector = self._open_detector()
        except ModelError as error:
            raise ParameterError(str(error)) from None
        self.get_logger().info(f"{self.params.lane_model} on {self._lane_net.name}: {self._lane_net.reason}")
        self._camera: CameraModel | None = None
        self._finder: LaneFinder | None = None
        self._newest: Image | None = None
        self._arrived = threading.Condition()
        self._seen_ns = self._overlay_ns = 0
        self._running = True
        self._create_topics()
        self.create_timer(SILENT_S, self._watch)
        self._worker = threading.Thread(target=self._work, name="inference", daemon=True)
        self._worker.start()

    def _network(self, name: str, kind: type[Any]) -> tuple[Any, Timed]:
        listing = Path(self.params.models_file) if self.params.models_file else None
        entry = load_model_spec(name, listing)
        backend = load_backend(entry.file(), self.params.backend, self.params.threads)
        return kind.from_mapping(entry.spec, f"models.yaml: {name}"), Timed(backend)

    def _open_detector(self) -> ObjectDetector | None:
        if not self.params.object_model:
            return None
        return ObjectDetector(*self._network(self.params.object_model, DetectorSpec))

    def _create_topics(self) -> None:
        self._lanes = self.create_publisher(PointCloud2, "lanes", 5)
        self._detections = self.create_publisher(Detection2DArray, "detections", 5)
        self._overlay = self.create_publisher(CompressedImage, "perception/overlay/compressed", 1)
        self._ego = self.listen("vehicle/odometry", Odometry, lambda m: convert.to_ego(m, None))
        self.listen("camera/camera_info", CameraInfo, self._to_camera, depth=1)
        quality = {"depth": 1, "reliable": self.params.reliable}
        if self.params.compressed:
            self._images = self.listen(
                "camera/image/compressed", CompressedImage, convert.to_image_compressed, self._on_image, **quality
            )
        else:
            self._images = self.listen("camera/image", ImageMessage, convert.to_image, self._on_image, **quality)

    def _to_camera(self, message: CameraInfo) -> None:
        camera = convert.to_camera(message, self.params.camera)
        if camera != self._camera:
            self._finder = LaneFinder(self._lane_spec, self._lane_net, camera, self.params)
            self._camera = camera

    def _on_image(self, image: Image) -> None:
        with self._arrived:
            self._newest = image
            self._arrived.notify()

    # --- the worker ---

    def _work(self) -> None:
        while self._running:
            with self._arrived:
                self._arrived.wait_for(lambda: self._newest is not None or not self._running)
                image, self._newest = self._newest, None
            if image is not None and self._finder is not None and self.context.ok():
                try:
                    self._see(image, self._finder)
                except Exception as error:  # whatever a backend raises, the next picture must be seen
                    self._images.rejected += 1
                    self._images.reason = str(error)

    def _see(self, image: Image, finder: LaneFinder) -> None:
        began = time.perf_counter()
        lanes = finder.step(image, self._ego.value)
        self._lanes.publish(convert.from_lanes(lanes))
        self.figures["network_ms"] = self._lane_net.last_ms
        self.figures["lanes_ms"] = 1e3 * (time.perf_counter() - began)
        self._seen_ns = self.now_ns()
        detections = self._detector.detect(image) if self._detector else None
        if detections is not None:
            self._detections.publish(convert.from_detections(detections, "front_camera_optical"))
        self._show(image, finder.camera, lanes, detections)

    def _show(self, image: Image, camera: CameraModel, lanes: LaneLines, detections: Detections | None) -> None:
        due = seconds(image.stamp_ns - self._overlay_ns) >= OVERLAY_PERIOD_S
        if not due or not self._overlay.get_subscription_count():
            return
        self._overlay_ns = image.stamp_ns
        picture = draw_lanes(np.ascontiguousarray(image.rgb[:, :, ::-1]), camera, lanes)
        for box in detections.items if detections else ():
            cv2.rectangle(picture, (int(box.x1), int(box.y1)), (int(box.x2), int(box.y2)), (0, 200, 255), 2)
        self._overlay.publish(convert.from_picture_compressed(image.stamp_ns, picture, JPEG_QUALITY))

    # --- health ---

    def _watch(self) -> None:
        silent = seconds(self.now_ns() - self._seen_ns) > SILENT_S
        waiting = "no camera_info" if self._camera is None else "no picture"
        if silent and self._images.value is None:
            waiting = "no picture"
        self.level = Level.WARN if silent else Level.OK
        self.message = f"{waiting} for {SILENT_S} s" if silent else f"{self._lane_net.name}: {self._lane_net.reason}"

    def destroy_node(self) -> None:
        """End the worker."""
        if self._running:
            with self._arrived:
                self._running = False
                self._arrived.notify()
            self._worker.join(2.0)
        super().destroy_node()
