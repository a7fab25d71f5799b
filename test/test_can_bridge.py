"""The bridge as a real process: a bus that goes and comes back, a hang, a burst of commands, disturbed frames."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
pytest.importorskip("can_remote", reason="needs the package python-can-remote")

from ackermann_msgs.msg import AckermannDriveStamped
from ros_rig import Rig

from adas_perception.can.bus import Port, free_port, loopback_server, open_bus
from adas_perception.can.car import CarEncoder
from adas_perception.can.codec import Codec, Decoded, Frame
from adas_perception.can.log import read_log
from adas_perception.can.messages import LATERAL, SPEED
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.types import Command, DriverInput, EgoState, Function

pytestmark = pytest.mark.ros


class Bench:
    """A bridge, the bus, and the car's end of it in the hands of the test."""

    def __init__(self, folder: Path) -> None:
        self.number = free_port()
        self._server = ExitStack()
        self.channel = self._server.enter_context(loopback_server(self.number))
        self.log = folder / "bus.log"
        self.rig = Rig(folder / "log.txt", can_interface="remote", can_channel=self.channel, can_log=str(self.log))
        self.codec = Codec(config_path("adas.dbc"))
        self.encoder = CarEncoder(self.codec)
        self.port = Port(open_bus("remote", self.channel))
        self.commands = self.rig.publisher("command", AckermannDriveStamped)
        self.rig.stack.start("can_bridge")
        self.rig.wait_for("can_bridge")

    def command(self) -> None:
        now_ns = self.rig.node.get_clock().now().nanoseconds
        steer = Command(now_ns, steering_rad=0.01, lateral=Function.LKA)
        self.commands.publish(convert.from_command(steer))

    def measure(self, flip: str = "") -> None:
        """Send the car's frames, one of them with a flipped bit."""
        now_ns = time.monotonic_ns()
        for frame in self.encoder.frames(EgoState(now_ns, 10.0), DriverInput(now_ns), (10.0,) * 4):
            disturbed = flip and frame.id == self.codec.messages[flip].id
            self.port.send(Frame(frame.id, frame.data[:-1] + bytes([frame.data[-1] ^ 1])) if disturbed else frame)

    def frames(self, name: str) -> list[Decoded]:
        found = []
        while (frame := self.port.receive(0.0)) is not None:
            decoded = self.codec.decode(frame)
            if decoded is not None and decoded.name == name:
                found.append(decoded)
        return found

    def end_server(self) -> None:
        self.port.close()
        self._server.close()

    def start_server(self) -> None:
        self._server.enter_context(loopback_server(self.number))
        self.port = Port(open_bus("remote", self.channel))

    def said(self) -> str:
        return str(self.rig.health["can_bridge"].message)

    def figure(self, key: str) -> float:
        values = {v.key: float(v.value) for v in self.rig.health["can_bridge"].values}
        return values.get(key, 0.0)

    def close(self) -> None:
        self.rig.close()
        self.port.close()
        self._server.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bridge"))
    yield made
    made.close()


def test_a_lost_bus_is_told_and_opened_again(bench: Bench) -> None:
    assert bench.rig.spin_until(lambda: bool(bench.frames(LATERAL)))
    bench.end_server()
    assert bench.rig.spin_until(lambda: "gone" in bench.said() or "no CAN server" in bench.said()), bench.said()
    assert bench.rig.health["can_bridge"].level == b"\x02"
    bench.start_server()
    assert bench.rig.spin_until(lambda: bool(bench.frames(LATERAL))), bench.rig.text()
    assert bench.rig.spin_until(lambda: bench.said() == "ok" and bench.figure("bus outages") >= 1.0)
    print(f"silent for {bench.figure('last outage s'):.2f} s, the absence of the server included")
    assert not bench.rig.stack.ended()


def test_after_a_hang_no_old_request_goes_out(bench: Bench) -> None:
    assert bench.rig.spin_until(lambda: any(f.signals["SteeringValid"] for f in bench.frames(LATERAL)),
                                each=bench.command)  # fmt: skip
    process = bench.rig.stack.processes["can_bridge"]
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    bench.frames(LATERAL)
    process.send_signal(signal.SIGCONT)
    assert bench.rig.spin_until(lambda: bench.figure("loop hangs") >= 1.0), bench.rig.text()
    assert bench.rig.spin_until(lambda: bench.said() == "ok")
    seen = bench.frames(LATERAL)
    assert bench.rig.spin_until(lambda: bool(seen.extend(bench.frames(LATERAL)) or seen))
    assert not any(f.signals["SteeringValid"] for f in seen)


def test_a_burst_of_commands_does_not_flood_the_bus(bench: Bench) -> None:
    assert bench.rig.spin_until(lambda: bool(bench.frames(LATERAL)))
    bench.frames(LATERAL)
    start = time.monotonic()
    while time.monotonic() - start < 1.0:
        bench.command()
        time.sleep(0.001)
    count = len(bench.frames(LATERAL))
    assert 40 < count < 1.1 * (time.monotonic() - start) / 0.005


def test_disturbed_frames_are_counted_by_message(bench: Bench) -> None:
    def measure(flip: str) -> None:
        bench.measure(flip)
        time.sleep(0.01)

    assert bench.rig.spin_until(lambda: bench.figure(f"{SPEED} ok") > 10, each=lambda: measure(""))
    assert bench.rig.spin_until(lambda: bench.said() == f"end-to-end protection fails: {SPEED}",
                                each=lambda: measure(SPEED)), bench.said()  # fmt: skip
    assert bench.figure(f"{SPEED} wrong CRC") >= 3
    assert bench.rig.health["can_bridge"].level == b"\x01"
    assert bench.rig.spin_until(lambda: bench.said() == "ok", each=lambda: measure(""))


def test_the_bridge_writes_a_log_of_both_directions(bench: Bench) -> None:
    """The last test of the file: it ends the bridge."""
    assert bench.rig.spin_until(lambda: bench.figure(f"{SPEED} ok") > 3, each=bench.measure)
    bench.rig.stack.stop()
    names = {bench.codec.decode(entry.frame).name for entry in read_log(bench.log)}
    assert {LATERAL, SPEED} <= names
