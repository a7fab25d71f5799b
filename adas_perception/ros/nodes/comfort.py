"""Blind spot detection and parking as nodes."""

from __future__ import annotations

from geometry_msgs.msg import PoseArray
from nav_msgs.msg import Path
from sensor_msgs.msg import PointCloud2

from adas_perception.functions.apa import Apa, ApaParams
from adas_perception.functions.bsd import Bsd, BsdParams
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import convert
from adas_perception.ros.function_node import PERIOD_S, FunctionNode, SceneNode
from adas_perception.ros.node import in_order


class BsdNode(SceneNode):
    """Blind spot detection: a state, never a request."""

    def __init__(self) -> None:
        super().__init__("bsd", BsdParams, Bsd, requests=False)
        self.listen("radar/targets", PointCloud2, in_order(convert.to_targets), self._core.hear, depth=10)


class ApaNode(FunctionNode):
    """Automatic parking assist: steps when echoes arrive, because a request is as old as its echoes."""

    def __init__(self) -> None:
        super().__init__("apa", ApaParams)
        self._core = Apa(self.params, self.limits())
        self._slots = self.create_publisher(PoseArray, "parking/slots", 5)
        self._path = self.create_publisher(Path, "parking/path", 5)
        step_now = self.follow(PERIOD_S, self._step)
        self.echoes = self.listen(
            "parking/echoes", PointCloud2, lambda m: convert.to_echoes(m, SENSORS), lambda _: step_now()
        )

    def _step(self, now_ns: int) -> None:
        decision = self._core.step(now_ns, self.ego.value, self.driver.value, self.echoes.value)
        self.publish(decision)
        if decision.slots:
            poses = [(slot.x_m, slot.y_m, slot.yaw_rad) for slot in decision.slots]
            self._slots.publish(convert.from_slots(now_ns, poses))
        if decision.path:
            self._path.publish(convert.from_path(now_ns, list(decision.path)))
