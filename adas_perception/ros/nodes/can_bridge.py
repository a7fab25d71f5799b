"""CAN bridge node: the only one that opens the bus. Gated commands out, vehicle state and driver inputs in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ackermann_msgs.msg import AckermannDriveStamped
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import Joy

from adas_perception.can.codec import Frame
from adas_perception.can.e2e import Trust
from adas_perception.can.hmi import Hmi, hmi_from_states
from adas_perception.can.link import Spacing
from adas_perception.can.vehicle import REQUESTS, Transmitter, VehicleReceiver
from adas_perception.can.watchdog import Watchdog
from adas_perception.params import param
from adas_perception.ros import convert
from adas_perception.ros.bus_port import BusParams, open_link, open_log, open_vehicle
from adas_perception.ros.node import AdasNode
from adas_perception.ros.table import STATES
from adas_perception.types import Command, Function, FunctionState, Level, nanoseconds

PERIOD_S = 0.02
RECEIVE_TIMEOUT_S = 0.1
SHOWN_S = 0.3
SPACING_S = 0.005
HEALTH_PERIOD_S = 0.1


@dataclass(frozen=True)
class BridgeParams(BusParams):
    """Which bus, and when the bridge falls silent by itself."""

    vehicle_profile: str = param("adas", "car: a name of config/vehicles, or the path of a profile")
    can_log: str = param("", "bus log to write, its kind by the suffix: .log .asc .blf .mf4; empty: none")
    watchdog_s: float = param(0.2, "hang of the sending loop that silences the bus", unit="s", low=0.05, high=2.0)


class CanBridgeNode(AdasNode):
    """Sends every frame from fresh state; without a fresh command the frames say 'no request'."""

    def __init__(self) -> None:
        super().__init__("can_bridge", BridgeParams)
        self._reading = False
        self._reader = threading.Thread(target=self._read, name="can reader", daemon=True)
        self._log = open_log(self.params.can_log)
        self._link = open_link(self.params, self._log)
        self._watchdog = Watchdog(self.params.watchdog_s, self._hung, self._link.unmute)
        self._spacing = Spacing(nanoseconds(SPACING_S))
        profile, codec = open_vehicle(self.params.vehicle_profile)
        self._request_ids = {codec.messages[name].id for name in REQUESTS}
        self._transmitter = Transmitter(codec, self.limits())
        self._receiver = VehicleReceiver(codec, profile.signals)
        # What is shown, with the time it was heard: a dead function must not be shown as alive.
        self._states: dict[Function, tuple[int, FunctionState]] = {}
        self._safety = (0, "", False)
        self._command: Command | None = None
        self._received_ns = 0
        self._published_ns = [0, 0]
        self._odometry = self.create_publisher(Odometry, "vehicle/odometry", 5)
        self._driver = self.create_publisher(Joy, "vehicle/driver", 5)
        self.listen("safety/state", DiagnosticArray, convert.to_safety_state, self._on_safety)
        self.listen("command", AckermannDriveStamped, convert.to_command, self._on_command)
        for topic in STATES:
            self.listen(topic, DiagnosticArray, convert.to_state, self._on_state)
        self.create_timer(PERIOD_S, self._send)
        # The loop and the wire live in real time, whatever /clock says.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._postponed = self.create_timer(SPACING_S, self._send_new, clock=steady)
        self._postponed.cancel()
        self.create_timer(PERIOD_S, lambda: self._watchdog.kick(time.monotonic_ns()), clock=steady)
        self.create_timer(HEALTH_PERIOD_S, self._judge, clock=steady)
        self._reading = True
        self._reader.start()
        self._watchdog.start()

    # --- to the car ---

    def _on_safety(self, state: tuple[str, bool]) -> None:
        self._safety = (self.now_ns(), *state)

    def _on_command(self, command: Command) -> None:
        self._command, self._received_ns = command, self.now_ns()
        if self._spacing.free(time.monotonic_ns()):
            self._send_new()
        else:
            self._postponed.reset()

    def _send_new(self) -> None:
        self._postponed.cancel()
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
        now_ns, made_ns = self.now_ns(), time.monotonic_ns()
        for frame in self._transmitter.frames(now_ns, self._command, self._received_ns, self._hmi(now_ns), new):
            self._link.send(frame, made_ns)
            if frame.id in self._request_ids:
                self._spacing.sent(made_ns)

    def _hung(self, age_s: float) -> None:
        self._link.mute(f"the sending loop hung for {age_s:.2f} s")

    # --- from the car ---

    def _read(self) -> None:
        while self._reading:
            frame = self._link.receive(RECEIVE_TIMEOUT_S)
            if frame is not None and self.context.ok():
                self._on_frame(frame)

    def _on_frame(self, frame: Frame) -> None:
        now_ns = self.now_ns()
        decoded = self._receiver.feed(frame, now_ns)
        moved = decoded is not None and self._receiver.carries(decoded, "speed_mps")
        pressed = decoded is not None and self._receiver.carries(decoded, "accelerator")
        ego = self._receiver.ego(now_ns) if moved or pressed else None
        # Two frames within one step of a simulated clock would be two samples of the same moment: one is enough.
        if ego is not None and moved and ego.stamp_ns != self._published_ns[0]:
            self._odometry.publish(convert.from_ego(ego))
            self._published_ns[0] = ego.stamp_ns
        driver = self._receiver.driver(now_ns) if pressed else None
        if ego is not None and driver is not None and driver.stamp_ns != self._published_ns[1]:
            self._driver.publish(convert.from_driver(driver, ego))
            self._published_ns[1] = driver.stamp_ns

    # --- what the heartbeat says ---

    def _judge(self) -> None:
        link, health = self._link, self._receiver.health(self.now_ns())
        broken = [name for name, h in health.items() if h.trust is Trust.INVALID]
        if link.fault:
            self.level, self.message = Level.ERROR, link.fault
        elif broken:
            self.level, self.message = Level.WARN, f"end-to-end protection fails: {', '.join(broken)}"
        else:
            self.level, self.message = Level.OK, ""
        self.figures = {
            "frames sent": float(link.sent),
            "frames dropped": float(link.dropped),
            "values refused": float(sum(self._transmitter.refused.values())),
            "bus outages": float(link.outages),
            "last outage s": link.last_outage_s,
            "loop hangs": float(self._watchdog.hangs),
        }
        for name, h in health.items():
            self.figures |= {f"{name} {kind.value}": float(count) for kind, count in h.counts.items()}
            if h.age_ns is not None:
                self.figures[f"{name} age ms"] = h.age_ns / 1e6

    def destroy_node(self) -> None:
        """Stop reading, close the bus."""
        if self._reading:
            self._reading = False
            self._watchdog.stop()
            self._reader.join(2 * RECEIVE_TIMEOUT_S)
            self._link.close()
            if self._log is not None:
                self._log.close()
        super().destroy_node()
