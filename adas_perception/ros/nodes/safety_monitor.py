"""Safety monitor node: all requests in, the one gated command out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ackermann_msgs.msg import AckermannDriveStamped
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Joy, PointCloud2

from adas_perception.params import Params, Vehicle
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import convert
from adas_perception.ros.function_node import VehicleNode
from adas_perception.ros.table import REQUESTS, STATES
from adas_perception.safety.chain import SafetyChain, SafetyOutput
from adas_perception.safety.heartbeats import Heartbeats
from adas_perception.safety.monitor import Mode, MonitorParams
from adas_perception.safety.watch import Sample
from adas_perception.types import DriverInput, EgoState, Function, FunctionState, Level, Request, seconds

PERIOD_S = 0.025
DIAGNOSTICS_PERIOD_S = 1.0
# Requests that must not wait for the next cycle.
URGENT = (Function.AEB, Function.LKA)


@dataclass(frozen=True)
class SafetyMonitorParams(Params):
    """The monitor's policy and the car the gate computes with."""

    monitor: MonitorParams = MonitorParams()
    vehicle: Vehicle = Vehicle()


class SafetyMonitorNode(VehicleNode):
    """A cycle at a fixed rate, and at once when an urgent request arrives."""

    def __init__(self) -> None:
        super().__init__("safety_monitor", SafetyMonitorParams, check=lambda convert: convert)
        self._chain = SafetyChain(self.params.monitor, self.limits(), self.params.vehicle)
        self._requests: dict[Function, Request] = {}
        self._states: dict[Function, FunctionState] = {}
        self._heartbeats = Heartbeats()
        self._health: dict[str, DiagnosticStatus] = {}
        self._shown: tuple[object, ...] = ()
        self._stepped_ns = 0
        self._command = self.create_publisher(AckermannDriveStamped, "command", 5)
        self._state = self.create_publisher(DiagnosticArray, "safety/state", 5)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self._step_now = self.cycle(PERIOD_S, self._step)
        for topic in REQUESTS:
            function = Function(topic.split("/")[0])
            self.listen(topic, AckermannDriveStamped, partial(convert.to_request, function=function), self._on_request)
        for topic in STATES:
            self.listen(topic, DiagnosticArray, convert.to_state, self._on_state)
        # The monitor looks at the inputs itself: a perception that has gone astray does not judge itself.
        self.listen("lanes", PointCloud2, convert.to_lanes, self._look)
        self.listen("radar/targets", PointCloud2, convert.to_targets, self._look, depth=10)
        self.listen("parking/echoes", PointCloud2, partial(convert.to_echoes, sensors=SENSORS), self._look)
        self.listen("heartbeat", DiagnosticStatus, lambda m: m, self._on_heartbeat, depth=50)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)

    def _to_driver(self, message: Joy) -> DriverInput:
        driver = super()._to_driver(message)
        self._demand(driver)
        return driver

    def _to_ego(self, message: Odometry) -> EgoState:
        ego = super()._to_ego(message)
        self._demand(ego)
        return ego

    def _look(self, sample: Sample) -> None:
        self._chain.take(self.now_ns(), sample)

    def _demand(self, sample: Sample) -> None:
        """Turn away what the chain turns away."""
        if not self._chain.take(self.now_ns(), sample):
            raise ValueError("out of range, late or out of order")

    def _on_request(self, request: Request) -> None:
        self._requests[request.function] = request
        if request.function in URGENT:
            self._step_now()

    def _on_state(self, state: FunctionState) -> None:
        self._states[state.function] = state

    def _on_heartbeat(self, status: DiagnosticStatus) -> None:
        self._health[status.name] = status
        if self._heartbeats.take(self.now_ns(), status.name, status.hardware_id):
            self.say(f"{status.name} was started again", warning=True)
            self._step_now()  # before it is heard again

    def _step(self, now_ns: int) -> None:
        self._count_missed(now_ns)
        inputs = (self._requests, self._states, self.ego.value, self.driver.value, self._heartbeats.heard_ns)
        output = self._chain.step(now_ns, *inputs)
        self._state.publish(convert.from_safety(now_ns, output))
        self._command.publish(convert.from_command(output.command))
        self._log_change(output)

    def _count_missed(self, now_ns: int) -> None:
        """Count the cycles that came later than two periods; a longer pause is a jump of the clock."""
        cycle_s = seconds(now_ns - self._stepped_ns)
        self._stepped_ns = now_ns
        if 2.0 * PERIOD_S < cycle_s <= self.params.monitor.watch.pace.jump_s:
            self.figures["missed cycles"] = self.figures.get("missed cycles", 0.0) + 1.0
            self.say(f"cycle of {1e3 * cycle_s:.0f} ms", warning=True)

    def _log_change(self, output: SafetyOutput) -> None:
        shown = (output.mode, output.allowed, output.violations, output.faults)
        if shown != self._shown:
            self._shown = shown
            self.say(f"{output.mode.name}: {output.reason}", warning=output.mode is not Mode.NORMAL)

    def _publish_diagnostics(self) -> None:
        now_ns = self.now_ns()
        for name, heard_ns in self._heartbeats.heard_ns.items():
            if seconds(now_ns - heard_ns) > DIAGNOSTICS_PERIOD_S:
                self._health[name].level = bytes([Level.STALE])
        message = DiagnosticArray(status=[*self._health.values(), *self._function_statuses()])
        message.header.stamp = convert.to_stamp(now_ns)
        self._diagnostics.publish(message)

    def _function_statuses(self) -> list[DiagnosticStatus]:
        return [convert.from_state(state).status[0] for state in self._states.values()]
