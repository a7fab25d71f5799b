"""ACC, AEB and LKA as nodes: thin shells that step the core when its data arrives."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import AccelWithCovarianceStamped
from sensor_msgs.msg import PointCloud2

from adas_perception.functions.acc import Acc, AccParams
from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.functions.lka import Lka, LkaParams
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import convert
from adas_perception.ros.function_node import PERIOD_S, FunctionNode, SceneNode
from adas_perception.safety.monitor import Mode


class AccNode(SceneNode):
    """Adaptive cruise control."""

    def __init__(self) -> None:
        super().__init__("acc", AccParams, Acc)


class AebNode(SceneNode):
    """Autonomous emergency braking and forward collision warning."""

    def __init__(self) -> None:
        super().__init__("aeb", AebParams, Aeb)
        self._echoes = self.listen("parking/echoes", PointCloud2, lambda m: convert.to_echoes(m, SENSORS))
        self._friction = self.listen("vehicle/friction", AccelWithCovarianceStamped, convert.to_friction)

    def _step(self, now_ns: int) -> None:
        scene = (self.ego.value, self.driver.value, self.objects.value, self.lanes.value)
        self.publish(self._core.step(now_ns, *scene, self._echoes.value, self._friction.value))


class LkaNode(FunctionNode):
    """Lane keeping assist: a step for every picture."""

    def __init__(self) -> None:
        super().__init__("lka", LkaParams)
        self._core = Lka(self.params, self.limits())
        self._step_now = self.follow(PERIOD_S, self._step)
        self.listen_scene()
        self._safety = self.listen("safety/state", DiagnosticArray, convert.to_safety_state)

    def on_lanes(self, _: Any) -> None:
        self._step_now()

    def _step(self, now_ns: int) -> None:
        scene = (self.ego.value, self.driver.value, self.lanes.value, self.objects.value)
        mode, _ = self._safety.value or ("", False)
        self.publish(self._core.step(now_ns, *scene, fallback=mode == Mode.FALLBACK.name))
