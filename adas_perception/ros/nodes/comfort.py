"""Blind spot detection and parking as nodes."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseArray
from nav_msgs.msg import Path
from sensor_msgs.msg import PointCloud2

from adas_perception.functions.apa import Apa, ApaParams
from adas_perception.functions.bsd import Bsd, BsdParams
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import convert
from adas_perception.ros.nodes.driving import FunctionNode

PERIOD_S = 0.05


class BsdNode(FunctionNode):
    """Blind spot detection: a state, never a request."""

    def __init__(self) -> None:
        super().__init__("bsd", BsdParams, requests=False)
        self._core = Bsd(self.params, self.limits())
        self._step_now = self.cycle(PERIOD_S, self._step)
        self.listen_scene()

    def on_objects(self, _: Any) -> None:
        self._step_now()

    def _step(self, now_ns: int) -> None:
        scene = (self.ego.value, self.driver.value, self.objects.value, self.lanes.value)
        self.publish(self._core.step(now_ns, *scene))


class ApaNode(FunctionNode):
    """Automatic parking assist."""

    def __init__(self) -> None:
        super().__init__("apa", ApaParams)
        self._core = Apa(self.params, self.limits())
        self._slots = self.create_publisher(PoseArray, "parking/slots", 5)
        self._path = self.create_publisher(Path, "parking/path", 5)
        self.echoes = self.listen("parking/echoes", PointCloud2, lambda m: convert.to_echoes(m, SENSORS))
        self.cycle(2 * PERIOD_S, self._step)

    def _step(self, now_ns: int) -> None:
        decision = self._core.step(now_ns, self.ego.value, self.driver.value, self.echoes.value)
        self.publish(decision)
        if decision.slots:
            poses = [(slot.x_m, slot.y_m, slot.yaw_rad) for slot in decision.slots]
            self._slots.publish(convert.from_slots(now_ns, poses))
        if decision.path:
            self._path.publish(convert.from_path(now_ns, list(decision.path)))
