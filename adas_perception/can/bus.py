"""CAN buses through python-can: clear errors when opening, nothing that stops a control loop."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import can

from adas_perception.can.codec import Frame
from adas_perception.can.log import FrameLog

HOST = "127.0.0.1"
PROBE_TIMEOUT_S = 10.0
SERVER_START_S = 15.0
# A send that takes longer has met a full queue; the next tick brings a newer frame anyway.
SEND_TIMEOUT_S = 0.02
SHUTDOWN_S = 2.0

_ARPHRD_CAN = "280"
_IFF_UP = 1
_CAN_ERR_BUSOFF = 0x40  # linux/can/error.h


class BusError(RuntimeError):
    """A CAN bus cannot be used; the message says which, why and what to do."""


def open_bus(interface: str, channel: str, bitrate: int = 500_000, data_bitrate: int = 0) -> can.BusABC:
    """Open a bus of any python-can interface, as CAN FD with a ``data_bitrate``; raises BusError."""
    if interface == "remote":
        _require_server(channel)
    if interface == "socketcan" and not socketcan_available(channel):
        raise BusError(
            f"CAN channel '{channel}' is not there or not up; create a virtual one with "
            f"'sudo ip link add {channel} type vcan && sudo ip link set {channel} up', "
            f"or bring up a real one with 'sudo ip link set {channel} up type can bitrate {bitrate}'"
        )
    fd: dict[str, Any] = {"fd": True, "data_bitrate": data_bitrate} if data_bitrate else {}
    try:
        bus = can.Bus(interface=interface, channel=channel, bitrate=bitrate, **fd)
    except can.CanInterfaceNotImplementedError as error:
        raise BusError(_no_interface(interface, error)) from error
    except Exception as error:  # each driver of python-can raises its own kind
        raise BusError(
            f"CAN channel '{channel}' of interface '{interface}' cannot be opened ({error}); "
            "close the program that holds it or choose another channel"
        ) from error
    if interface == "remote":
        _hurry(bus)
    return bus


def _no_interface(interface: str, error: Exception) -> str:
    if interface in can.VALID_INTERFACES:
        return f"the driver of CAN interface '{interface}' is missing ({error}); install it"
    if interface == "remote":
        return "python-can has no interface 'remote'; install the package python-can-remote"
    known = ", ".join(sorted(can.VALID_INTERFACES))
    return f"python-can has no interface '{interface}'; known: {known}"


def socketcan_available(channel: str) -> bool:
    """Return whether the kernel has a CAN network interface of this name and it is up."""
    device = Path("/sys/class/net") / channel
    try:
        is_can = (device / "type").read_text().strip() == _ARPHRD_CAN
        return is_can and bool(int((device / "flags").read_text(), 16) & _IFF_UP)
    except OSError:
        return False


class Port:
    """A bus as the control loop sees it: ``send`` never raises and never waits long.

    ``sent`` and ``dropped`` count frames; one thread may send while another receives. With ``fd`` frames go out
    in the CAN FD format; a log gets every frame that passed.
    """

    def __init__(self, bus: can.BusABC, fd: bool = False, log: FrameLog | None = None) -> None:
        self._bus = bus
        self._fd = fd
        self._log = log
        self._closed = False
        self.sent = 0
        self.dropped = 0

    def send(self, frame: Frame) -> bool:
        """Send a frame; return False, and count it as dropped, when the bus does not take it."""
        taken = False
        if not self._closed:
            # Each driver raises its own kind; whatever it is, the next tick must come.
            with contextlib.suppress(Exception):
                message = can.Message(
                    arbitration_id=frame.id,
                    data=frame.data,
                    is_extended_id=False,
                    is_fd=self._fd,
                    bitrate_switch=self._fd,
                    check=True,
                )
                self._bus.send(message, timeout=SEND_TIMEOUT_S)
                taken = True
                if self._log is not None:
                    self._log.write(message, received=False)
        self.sent += taken
        self.dropped += not taken
        return taken

    def receive(self, timeout_s: float) -> Frame | None:
        """Return the next data frame with an 11-bit identifier, or None after ``timeout_s``.

        CAN FD frames are passed over unless the port is one of CAN FD. Raises BusError when the bus is gone or off.
        """
        if self._closed:
            raise BusError(f"CAN bus {self._bus.channel_info} is closed; open it again")
        try:
            message = self._bus.recv(timeout_s)
        except Exception as error:  # each driver raises its own kind
            self._closed = True
            raise BusError(f"CAN bus {self._bus.channel_info} is gone ({error}); open it again") from error
        if message is None:
            if self._bus.state is can.BusState.ERROR:
                raise self._off()
            return None
        if message.is_error_frame and message.arbitration_id & _CAN_ERR_BUSOFF:
            raise self._off()
        if self._log is not None:
            self._log.write(message, received=True)
        if message.is_extended_id or message.is_error_frame or message.is_remote_frame:
            return None
        if message.is_fd and not self._fd:
            return None
        return Frame(message.arbitration_id, bytes(message.data))

    def flush(self) -> None:
        """Throw away what waits in the driver, where the driver can."""
        with contextlib.suppress(Exception):
            self._bus.flush_tx_buffer()

    def _off(self) -> BusError:
        self._closed = True
        return BusError(f"CAN bus {self._bus.channel_info} is off after too many errors; check wiring and bit rate")

    def close(self) -> None:
        """Close the bus; returns soon even when the other end hangs."""
        self._closed = True
        shutdown = threading.Thread(target=self._shutdown, daemon=True)
        shutdown.start()
        shutdown.join(SHUTDOWN_S)

    def _shutdown(self) -> None:
        # A peer that has gone first is no error when closing, but stops a driver before it has told its base.
        with contextlib.suppress(Exception):
            self._bus.shutdown()
        can.BusABC.shutdown(self._bus)


@contextlib.contextmanager
def loopback_server(port: int = 0) -> Iterator[str]:
    """Run a CAN bus shared by processes and yield its channel for ``open_bus('remote', channel)``.

    It is the server of python-can-remote over python-can's virtual bus, on 127.0.0.1 only. ``port`` 0 takes a
    free one. Raises BusError when it does not start.
    """
    with loopback_process(port) as (channel, _):
        yield channel


@contextlib.contextmanager
def loopback_process(port: int = 0) -> Iterator[tuple[str, int]]:
    """Do what ``loopback_server`` does, and yield its process id too: a bus to be closed by force."""
    port = port or free_port()
    if _answers(port):
        raise BusError(f"port {port} is occupied by another program; choose another, or 0 for a free one")
    # In a session of its own, so that Ctrl-C reaches the clients first and they close in good order.
    server = subprocess.Popen(
        server_command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    channel = server_channel(port)
    try:
        await_server(channel, server.poll)
        yield channel, server.pid
    finally:
        server.terminate()
        try:
            server.wait(SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def server_command(port: int) -> list[str]:
    """Return the command that starts a CAN server on a port of this computer."""
    return [sys.executable, "-m", "can_remote", "-i", "virtual", "-H", HOST, "-p", str(port)]


def server_channel(port: int) -> str:
    """Return the channel of that server for ``open_bus('remote', channel)``."""
    return f"ws://{HOST}:{port}/"


def server_port(channel: str) -> int:
    """Return the port of such a channel."""
    return urlparse(channel).port or 0


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        return probe.connect_ex((HOST, port)) == 0


def await_server(channel: str, exit_code: Callable[[], int | None] = lambda: None) -> None:
    """Wait until the server answers.

    Raises BusError after 15 s, and at once when ``exit_code`` tells that the server has ended.
    """
    deadline = time.monotonic() + SERVER_START_S
    while True:
        try:
            return _require_server(channel)
        except BusError as error:
            code = exit_code()
            if code is not None:
                raise BusError(
                    f"the CAN loopback server stopped at once with exit code {code}; "
                    "check that the package python-can-remote is installed"
                ) from None
            if time.monotonic() > deadline:
                raise BusError(f"the CAN loopback server does not start: {error}") from None
        time.sleep(0.05)


def _require_server(channel: str) -> None:
    """Raise BusError unless a python-can server answers; its client would wait for ever on anything else."""
    address = urlparse(channel if "://" in channel else f"ws://{channel}")
    remedy = "start it with 'python -m can_remote -i virtual -H 127.0.0.1 -p PORT' or correct the channel"
    try:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PROBE_TIMEOUT_S)
        try:
            connection.request("HEAD", "/")
            software = connection.getresponse().getheader("Server", "")
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BusError(f"no CAN server answers at '{channel}' ({error}); {remedy}") from None
    if not software.startswith("python-can/"):
        raise BusError(f"'{channel}' is occupied by another program ({software or 'no name'}); {remedy}")


def _hurry(bus: can.BusABC) -> None:
    """Send small frames at once and give up on a full socket; python-can-remote does neither."""
    duplicate = socket.socket(fileno=socket.dup(bus.fileno()))
    with duplicate:
        duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit = struct.pack("ll", 0, int(SEND_TIMEOUT_S * 1e6))
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
