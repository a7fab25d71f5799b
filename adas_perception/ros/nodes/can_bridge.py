"""CAN bridge node: the only one that opens the bus. Gated commands out, vehicle state and driver inputs in."""

from __future__ import annotations

import threading

from ackermann_msgs.msg import AckermannDriveStamped
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Joy

from adas_perception.can.bus import BusError
from adas_perception.can.codec import Codec, Frame
from adas_perception.can.hmi import Hmi, hmi_from_states
from adas_perception.can.messages import PEDALS, SPEED
from adas_perception.can.vehicle import Transmitter, VehicleReceiver
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.bus_port import BusParams, open_port
from adas_perception.ros.node import AdasNode
from adas_perception.ros.table import STATES
from adas_perception.types import Command, Function, FunctionState, Level, nanoseconds

PERIOD_S = 0.02
RECEIVE_TIMEOUT_S = 0.1
SHOWN_S = 0.3


class CanBridgeNode(AdasNode):
    """Sends every frame from fresh state; without a fresh command the frames say 'no request'."""

    def __init__(self) -> None:
        super().__init__("can_bridge", BusParams)
        self._reading = False
        self._reader = threading.Thread(target=self._read, name="can reader", daemon=True)
        self._port = open_port(self.params)
        codec = Codec(config_path("adas.dbc"))
        self._transmitter = Transmitter(codec, self.limits())
        self._receiver = VehicleReceiver(codec)
        # What is shown, with the time it was heard: a dead function must not be shown as alive.
        self._states: dict[Function, tuple[int, FunctionState]] = {}
        self._safety = (0, "", False)
        self._command: Command | None = None
        self._received_ns = 0
        self._odometry = self.create_publisher(Odometry, "vehicle/odometry", 5)
        self._driver = self.create_publisher(Joy, "vehicle/driver", 5)
        self.listen("safety/state", DiagnosticArray, convert.to_safety_state, self._on_safety)
        self.listen("command", AckermannDriveStamped, convert.to_command, self._on_command)
        for topic in STATES:
            self.listen(topic, DiagnosticArray, convert.to_state, self._on_state)
        self.create_timer(PERIOD_S, self._send)
        self._reading = True
        self._reader.start()

    # --- to the car ---

    def _on_safety(self, state: tuple[str, bool]) -> None:
        self._safety = (self.now_ns(), *state)

    def _on_command(self, command: Command) -> None:
        self._command, self._received_ns = command, self.now_ns()
        self._send(new=True)

    def _on_state(self, state: FunctionState) -> None:
        self._states[state.function] = (self.now_ns(), state)

    def _hmi(self, now_ns: int) -> Hmi:
        oldest_ns = now_ns - nanoseconds(SHOWN_S)
        heard_ns, mode, takeover = self._safety
        states = {function: state for function, (heard, state) in self._states.items() if heard >= oldest_ns}
        known = heard_ns >= oldest_ns
        return hmi_from_states(states, mode if known else "DISENGAGED", takeover=takeover and known)

    def _send(self, new: bool = False) -> None:
        now_ns = self.now_ns()
        for frame in self._transmitter.frames(now_ns, self._command, self._received_ns, self._hmi(now_ns), new):
            self._port.send(frame)
        self.figures["frames sent"] = float(self._port.sent)
        self.figures["frames dropped"] = float(self._port.dropped)
        self.figures["values refused"] = float(sum(self._transmitter.refused.values()))

    # --- from the car ---

    def _read(self) -> None:
        while self._reading:
            try:
                frame = self._port.receive(RECEIVE_TIMEOUT_S)
            except BusError as error:
                self.level, self.message = Level.ERROR, str(error)
                return
            if frame is not None and self.context.ok():
                self._on_frame(frame)

    def _on_frame(self, frame: Frame) -> None:
        now_ns = self.now_ns()
        decoded = self._receiver.feed(frame, now_ns)
        if decoded is None or decoded.name not in (SPEED, PEDALS):
            return
        ego, driver = self._receiver.ego(now_ns), self._receiver.driver(now_ns)
        if ego is not None and decoded.name == SPEED:
            self._odometry.publish(convert.from_ego(ego))
        if ego is not None and driver is not None and decoded.name == PEDALS:
            self._driver.publish(convert.from_driver(driver, ego))

    def destroy_node(self) -> None:
        """Stop reading, close the bus."""
        if self._reading:
            self._reading = False
            self._reader.join(2 * RECEIVE_TIMEOUT_S)
            self._port.close()
        super().destroy_node()
