"""What a simulated drive is to survive: a process of the stack that ends or halts, or a bus that closes for a while."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass

from adas_perception.can.bus import server_command, server_port
from adas_perception.params import param
from adas_perception.ros.bus_port import BusParams
from adas_perception.ros.table import NODES
from adas_perception.sim.recorder import Recorder
from adas_perception.types import nanoseconds

# The name under which the server of the loopback bus can be ended.
BUS = "bus"
BUS_CLOSED_S = 0.5
# What a process said before it was killed may arrive for this long.
ECHO_S = 0.2


@dataclass(frozen=True)
class MishapParams(BusParams):
    """What happens, to whom, when."""

    kill_pid: int = param(0, "process to end during the drive; 0: none", low=0, high=2**31 - 1)
    halt: bool = param(False, "halt that process instead of ending it")
    kill_name: str = param("", "its name in the record; 'bus': the server of the loopback bus, which starts again")
    kill_at_s: float = param(0.0, "when, in simulated time", unit="s", low=0.0, high=3600.0)


class Mishap:
    """Strikes once; notes in the record when it did, and when the victim was heard again.

    The server of a closed bus starts again after 0.5 s.
    """

    def __init__(self, params: MishapParams) -> None:
        self._p = params
        self._pid = params.kill_pid
        self._names = {BUS} if params.kill_name == BUS else {n.name for n in NODES if n.process == params.kill_name}
        self._struck_ns: int | None = None
        self._back = self._noted = False
        self._server: subprocess.Popen[bytes] | None = None

    def heard(self, name: str, now_ns: int) -> None:
        """Take note that a node, or the bus, was heard."""
        since_ns = self._struck_ns
        self._back |= name in self._names and since_ns is not None and now_ns - since_ns > nanoseconds(ECHO_S)

    def step(self, time_s: float, now_ns: int, recorder: Recorder) -> None:
        """Strike when it is time, and open a closed bus again."""
        if self._pid and time_s >= self._p.kill_at_s:
            os.kill(self._pid, signal.SIGSTOP if self._p.halt else signal.SIGKILL)
            self._pid, self._struck_ns = 0, now_ns
            recorder.note(time_s, f"killed {self._p.kill_name}")
        if self._struck_ns is None:
            return
        if self._p.kill_name == BUS and self._server is None and now_ns - self._struck_ns >= nanoseconds(BUS_CLOSED_S):
            command = server_command(server_port(self._p.can_channel))
            self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self._back and not self._noted:
            self._noted = True
            recorder.note(time_s, f"back {self._p.kill_name}")

    def close(self) -> None:
        """End the server, if the bus was opened again."""
        if self._server is not None:
            self._server.kill()  # it has inherited blocked signals
            self._server.wait()
