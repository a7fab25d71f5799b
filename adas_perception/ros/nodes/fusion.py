"""Fusion node: radar targets and camera boxes in, tracked objects out."""

from __future__ import annotations

from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo, PointCloud2
from vision_msgs.msg import Detection2DArray
from visualization_msgs.msg import MarkerArray

from adas_perception.params import CameraMount
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.ros import convert
from adas_perception.ros.function_node import VehicleNode
from adas_perception.ros.markers import markers
from adas_perception.ros.node import in_order
from adas_perception.types import Detections, RadarTargets

PERIOD_S = 0.05


@dataclass(frozen=True)
class FusionNodeParams(FusionParams):
    """The tracker's parameters and where the camera sits."""

    camera: CameraMount = CameraMount()


class FusionNode(VehicleNode):
    """A step for every scan of the front radar; the other inputs wait for it."""

    def __init__(self) -> None:
        super().__init__("fusion", FusionNodeParams)
        self._core = Fusion(self.params)
        self._scans: list[RadarTargets] = []
        self._detections: Detections | None = None
        self._camera: CameraModel | None = None
        self._objects = self.create_publisher(PointCloud2, "objects", 5)
        self._markers = self.create_publisher(MarkerArray, "objects/markers", 5)
        self._step_now = self.follow(PERIOD_S, self._step)
        self.listen("camera/camera_info", CameraInfo, self._to_camera)
        self.listen("detections", Detection2DArray, self._to_detections)
        self.listen("radar/targets", PointCloud2, in_order(convert.to_targets), self._on_targets)

    def _to_camera(self, message: CameraInfo) -> None:
        self._camera = convert.to_camera(message, self.params.camera)

    def _to_detections(self, message: Detection2DArray) -> None:
        size = (self._camera.width_px, self._camera.height_px) if self._camera else (0, 0)
        self._detections = convert.to_detections(message, *size)

    def _on_targets(self, targets: RadarTargets) -> None:
        self._scans.append(targets)
        if targets.sensor == "front":
            self._step_now()

    def _step(self, now_ns: int) -> None:
        scans, detections = self._scans, self._detections
        self._scans, self._detections = [], None
        objects = self._core.step(now_ns, scans, detections, self.ego.value, self._camera)
        self._objects.publish(convert.from_objects(objects))
        if self._markers.get_subscription_count():
            self._markers.publish(markers(objects))
