"""What the nodes of the functions share: vehicle inputs, the scene, publishing, a log line on every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ackermann_msgs.msg import AckermannDriveStamped
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Joy, PointCloud2

from adas_perception.params import Params
from adas_perception.ros import convert
from adas_perception.ros.node import AdasNode, in_order
from adas_perception.types import Decision, DriverInput, EgoState, FunctionState, Level

PERIOD_S = 0.05


class VehicleNode(AdasNode):
    """A node that hears the car and its driver; ``check`` turns bad samples away, the monitor has its own."""

    def __init__(self, name: str, kind: type[Params], check: Callable[..., Any] = in_order) -> None:
        super().__init__(name, kind)
        self._joy: Joy | None = None
        self._checked_driver = check(self._to_driver)
        self.driver = self.listen("vehicle/driver", Joy, self._take_driver)
        self.ego = self.listen("vehicle/odometry", Odometry, check(self._to_ego))

    def _take_driver(self, message: Joy) -> DriverInput:
        driver: DriverInput = self._checked_driver(message)
        self._joy = message  # what the odometry has no field for
        return driver

    def _to_driver(self, message: Joy) -> DriverInput:
        return convert.to_driver(message)

    def _to_ego(self, message: Odometry) -> EgoState:
        return convert.to_ego(message, self._joy)


class FunctionNode(VehicleNode):
    """A node around one function: a state publisher, log lines on every change of state."""

    def __init__(self, name: str, kind: type[Params], *, requests: bool = True) -> None:
        super().__init__(name, kind)
        self._request = self.create_publisher(AckermannDriveStamped, f"{name}/request", 5) if requests else None
        self._state = self.create_publisher(DiagnosticArray, f"{name}/state", 5)
        self._shown = ("", "")

    def listen_scene(self) -> None:
        """Subscribe to objects and lane lines."""
        self.objects = self.listen("objects", PointCloud2, convert.to_objects, self.on_objects)
        self.lanes = self.listen("lanes", PointCloud2, in_order(convert.to_lanes), self.on_lanes)

    def on_objects(self, _: Any) -> None:
        """Called when objects arrive."""

    def on_lanes(self, _: Any) -> None:
        """Called when lane lines arrive."""

    def publish(self, decision: Decision) -> None:
        """Publish request and state; log a change of state."""
        if self._request is not None:
            self._request.publish(convert.from_request(decision.request))
        self.publish_state(decision.state)

    def publish_state(self, state: FunctionState) -> None:
        """Publish the state; log its changes."""
        self._state.publish(convert.from_state(state))
        if (state.state, state.reason) != self._shown:
            self._shown = (state.state, state.reason)
            self.say(f"{state.state} ({state.reason})", warning=state.level >= Level.WARN)


class SceneNode(FunctionNode):
    """A function that steps when new objects arrive."""

    def __init__(
        self, name: str, kind: type[Params], core: Callable[..., Any], *, requests: bool = True
    ) -> None:
        super().__init__(name, kind, requests=requests)
        self._core = core(self.params, self.limits())
        self._step_now = self.follow(PERIOD_S, self._step)
        self.listen_scene()

    def on_objects(self, _: Any) -> None:
        self._step_now()

    def _step(self, now_ns: int) -> None:
        scene = (self.ego.value, self.driver.value, self.objects.value, self.lanes.value)
        self.publish(self._core.step(now_ns, *scene))
