"""Buses: frames between processes, and one clear sentence for everything that can be wrong with a channel."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import can
import pytest

from adas_perception.can import bus as bus_module
from adas_perception.can.bus import BusError, Port, loopback_server, open_bus, socketcan_available
from adas_perception.can.car import CarReceiver
from adas_perception.can.codec import Codec, Frame
from adas_perception.can.hmi import Hmi
from adas_perception.can.vehicle import Transmitter
from adas_perception.limits import Limits
from adas_perception.types import Command, Function

DBC = Path(__file__).resolve().parents[1] / "config" / "adas.dbc"

# A process of its own that sends back every frame with its bytes reversed and its identifier raised by one.
ECHO = """
import sys
from adas_perception.can.bus import Port, open_bus
from adas_perception.can.codec import Frame
port = Port(open_bus("remote", sys.argv[1]))
print("ready", flush=True)
while True:
    frame = port.receive(10.0)
    if frame is None or not frame.data:
        break
    port.send(Frame(frame.id + 1, frame.data[::-1]))
port.close()
"""


@pytest.fixture(scope="module")
def channel() -> Iterator[str]:
    pytest.importorskip("can_remote", reason="needs the package python-can-remote")
    with loopback_server() as channel:
        yield channel


def opened(channel: str) -> Port:
    return Port(open_bus("remote", channel))


def received(port: Port, timeout_s: float = 5.0) -> Frame:
    frame = port.receive(timeout_s)
    assert frame is not None, f"nothing received within {timeout_s} s"
    return frame


# --- frames -----------------------------------------------------------------------------------------------


def test_frames_pass_between_processes_in_order(channel: str) -> None:
    port = opened(channel)
    with subprocess.Popen([sys.executable, "-c", ECHO, channel], stdout=subprocess.PIPE, text=True) as echo:
        assert echo.stdout is not None and echo.stdout.readline() == "ready\n"
        for i in range(200):
            assert port.send(Frame(0x100 + i, bytes([i, 1, 2, 3, 4, 5, 6, 7])))
        for i in range(200):
            assert received(port) == Frame(0x101 + i, bytes([7, 6, 5, 4, 3, 2, 1, i]))
        port.send(Frame(0x100, b""))
        assert echo.wait(10.0) == 0
    assert (port.sent, port.dropped) == (201, 0)
    port.close()


def test_a_request_drives_the_car_over_the_bus(channel: str) -> None:
    stack, car = opened(channel), opened(channel)
    transmitter, receiver = Transmitter(Codec(DBC), Limits()), CarReceiver(Codec(DBC))
    command = Command(1, accel_mps2=-2.0, longitudinal=Function.ACC)
    now_ns = 0
    for tick in range(3):
        now_ns = tick * 20_000_000
        frames = transmitter.frames(now_ns, command, now_ns, Hmi())
        assert all(stack.send(frame) for frame in frames)
        for _ in frames:
            receiver.feed(received(car), now_ns)
    assert receiver.request(now_ns) == (pytest.approx(-2.0), None)
    stack.close()
    car.close()


def test_one_thread_may_send_while_another_receives(channel: str) -> None:
    left, right = opened(channel), opened(channel)
    seen: list[Frame] = []

    def collect() -> None:
        while len(seen) < 300:
            seen.append(received(right))

    reader = threading.Thread(target=collect)
    reader.start()
    for i in range(300):
        left.send(Frame(i, bytes(8)))
        right.send(Frame(i, bytes(8)))
    reader.join(10.0)
    assert [frame.id for frame in seen] == list(range(300))
    left.close()
    right.close()


@pytest.mark.parametrize(
    "other",
    [
        can.Message(arbitration_id=0x123, is_extended_id=True, data=bytes(8)),
        can.Message(arbitration_id=0x123, is_extended_id=False, is_remote_frame=True, dlc=8),
        can.Message(arbitration_id=0x123, is_extended_id=False, is_fd=True, data=bytes(12)),
        can.Message(is_error_frame=True, is_extended_id=False),
    ],
    ids=["extended", "remote", "fd", "error"],
)
def test_other_kinds_of_frames_are_passed_over(other: can.Message) -> None:
    with can.Bus(interface="virtual", channel="kinds") as bus:
        bus.recv = lambda timeout: other
        assert Port(bus).receive(0.1) is None


# --- a bus that goes wrong ----------------------------------------------------------------------------------


class FullBus(can.BusABC):
    """A bus whose queue is full."""

    channel_info = "full"

    def __init__(self) -> None:
        super().__init__(channel="full")

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("No buffer space available", 105)


def test_a_full_queue_drops_the_frame_and_counts_it() -> None:
    bus = FullBus()
    port = Port(bus)
    assert [port.send(Frame(1, bytes(8))) for _ in range(3)] == [False] * 3
    assert (port.sent, port.dropped) == (0, 3)
    bus.shutdown()


def test_a_frame_too_long_for_classic_can_is_dropped() -> None:
    with can.Bus(interface="virtual", channel="malformed") as bus:
        assert not Port(bus).send(Frame(0x100, bytes(9)))


def test_a_server_that_dies_ends_receiving_and_drops_sending(channel: str) -> None:
    with loopback_server() as own:
        port = opened(own)
    with pytest.raises(BusError, match=r"CAN bus .* is gone .*; open it again"):
        for _ in range(50):
            port.receive(0.1)
    assert not port.send(Frame(1, bytes(8)))
    with pytest.raises(BusError, match="is closed; open it again"):
        port.receive(0.1)
    port.close()


def test_a_server_that_hangs_blocks_neither_sending_nor_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(bus_module, "SHUTDOWN_S", 0.3)
    with loopback_server() as own:
        port = opened(own)
        started[0].send_signal(signal.SIGSTOP)
        port._bus.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        begin = time.monotonic()
        while port.dropped == 0 and time.monotonic() - begin < 20.0:
            port.send(Frame(1, bytes(8)))
        assert port.dropped > 0
        begin = time.monotonic()
        port.close()
        assert time.monotonic() - begin < 5.0
        started[0].send_signal(signal.SIGCONT)


# --- channels that cannot be opened -------------------------------------------------------------------------


def test_no_server() -> None:
    with pytest.raises(BusError, match=r"no CAN server answers at 'ws://127.0.0.1:1/' .*; start it with"):
        open_bus("remote", "ws://127.0.0.1:1/")


@pytest.mark.parametrize("channel", ["", "vcan0", "ws://127.0.0.1:port/", "ws://127.0.0.1:99999/"])
def test_no_address(channel: str) -> None:
    with pytest.raises(BusError, match=f"no CAN server answers at '{channel}'"):
        open_bus("remote", channel)


def test_channel_occupied_by_a_web_server() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        with pytest.raises(BusError, match=r"is occupied by another program \(BaseHTTP"):
            open_bus("remote", f"ws://127.0.0.1:{other.server_port}/")


def test_channel_occupied_by_a_program_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "PROBE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(BusError, match="no CAN server answers at .* start it with"):
            open_bus("remote", f"ws://127.0.0.1:{other.getsockname()[1]}/")


def test_server_port_occupied() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BusError, match=f"port {port} is occupied by another program; choose another"):
            with loopback_server(port):
                pass


def test_server_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BusError, match="stopped at once with exit code 1; check that the package"):
        with loopback_server():
            pass


def test_unknown_interface() -> None:
    with pytest.raises(BusError, match="python-can has no interface 'telepathy'; known: .*socketcan"):
        open_bus("telepathy", "x")


def test_missing_socketcan_channel() -> None:
    assert not socketcan_available("nocan7")
    with pytest.raises(BusError, match="CAN channel 'nocan7' is not there or not up; create a virtual one with"):
        open_bus("socketcan", "nocan7")


def test_a_network_card_is_no_can_channel() -> None:
    assert not socketcan_available("lo")


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("slcan", r"the driver of CAN interface 'slcan' is missing \(no serial\); install it"),
        ("remote", "no interface 'remote'; install the package python-can-remote"),
    ],
)
def test_driver_that_is_missing(interface: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> can.BusABC:
        raise can.CanInterfaceNotImplementedError("no serial")

    monkeypatch.setattr(can, "Bus", refuse)
    monkeypatch.setattr(can, "VALID_INTERFACES", frozenset({"slcan"}))
    monkeypatch.setattr(bus_module, "_require_server", lambda channel: None)
    with pytest.raises(BusError, match=message):
        open_bus(interface, "channel")


def test_hardware_channel_held_by_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> can.BusABC:
        raise can.CanInitializationError("PCAN-Channel is not available")

    monkeypatch.setattr(can, "Bus", refuse)
    with pytest.raises(BusError, match=r"'PCAN_USBBUS1' .* cannot be opened \(PCAN-.*\); close the program"):
        open_bus("pcan", "PCAN_USBBUS1")


def test_virtual_bus_opens() -> None:
    with open_bus("virtual", "test") as bus:
        assert Port(bus).send(Frame(1, bytes(8)))
