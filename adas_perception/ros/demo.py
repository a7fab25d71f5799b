"""The simulated drive: a CAN bus, the stack as processes, a simulated car that obeys the bus, a report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adas_perception.can.bus import loopback_process, socketcan_available
from adas_perception.params import ParameterError
from adas_perception.ros.mishap import BUS
from adas_perception.ros.runner import Stack, environment, free_domain, parameter_files, ros_arguments
from adas_perception.ros.table import PROCESSES, SIM_VEHICLE
from adas_perception.sim.report import show_drive

VCAN = "vcan0"
LOG_LINES = 15


@dataclass(frozen=True)
class Drive:
    """What to drive; ``can_interface`` 'auto' takes vcan0 where it exists, else a loopback server.

    ``kill`` is '' or 'process@seconds', for example 'tracking@12', or 'bus@12' to close the loopback bus for a while;
    ``halt`` halts that process instead of ending it,
    and with ``revive`` one that has ended is started again, as ``adas up`` does.
    """

    scenario: str = "demo"
    out: Path = Path("out/demo")
    preset: str = ""
    can_interface: str = "auto"
    can_channel: str = ""
    kill: str = ""
    halt: bool = False
    revive: bool = False


@contextmanager
def opened_bus(drive: Drive) -> Iterator[tuple[str, str, int]]:
    """Yield interface and channel of a bus that processes share, and the process id of its server, 0 without one."""
    interface = drive.can_interface
    if interface == "auto":
        interface = "socketcan" if socketcan_available(VCAN) else "remote"
    if interface == "remote" and not drive.can_channel:
        with loopback_process() as (channel, pid):
            yield "remote", channel, pid
    else:
        yield interface, drive.can_channel or VCAN, 0


def _kill_plan(text: str) -> tuple[str, float] | None:
    if not text:
        return None
    process, _, moment = text.partition("@")
    if process not in (*PROCESSES, BUS):
        raise ParameterError(f"--kill: there is no process '{process}'; known: {', '.join((*PROCESSES, BUS))}")
    try:
        return process, float(moment)
    except ValueError:
        raise ParameterError(f"--kill: '{text}' is not of the form process@seconds") from None


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def drive_stack(drive: Drive) -> int:
    """Run the stack and the simulated car until the drive ends; returns the car's exit status.

    The record lies in ``drive.out``, what the processes said in ``stack.log`` there.
    """
    plan = _kill_plan(drive.kill)
    drive.out.mkdir(parents=True, exist_ok=True)
    log_path = drive.out / "stack.log"
    env = environment(ROS_DOMAIN_ID=free_domain(), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", PYTHONUNBUFFERED="1")
    files = parameter_files(None, drive.preset)
    with opened_bus(drive) as (interface, channel, server_pid), log_path.open("w") as log:
        bus = {"can_interface": interface, "can_channel": channel}
        with Stack(ros_arguments(files, {"use_sim_time": True, **bus}), env, log) as stack:
            stack.start_all()
            parameters = {"scenario": drive.scenario, "out": drive.out.resolve(), **bus}
            if plan:
                if plan[0] == BUS and not server_pid:
                    raise ParameterError("--kill bus: only a loopback bus can be closed; add --can-interface remote")
                victim = server_pid if plan[0] == BUS else stack.processes[f"{plan[0]}_process"].pid
                parameters |= {"kill_name": plan[0], "kill_pid": victim, "kill_at_s": plan[1], "halt": drive.halt}
            with Stack(ros_arguments(files, parameters), env) as car:
                car.start(SIM_VEHICLE)
                return _watch(stack, car, f"{plan[0]}_process" if plan else "", drive.revive, log_path)


def _watch(stack: Stack, car: Stack, victim: str, revive: bool, log_path: Path) -> int:
    """Wait for the end of the drive; a process other than ``victim`` that ends before is an error."""
    while True:
        status = car.ended().get(SIM_VEHICLE)
        if status is not None:
            return status
        dead = {name: code for name, code in stack.ended().items() if name != victim}
        if not dead and revive:
            stack.revive()
        if dead:
            name, code = next(iter(dead.items()))
            print(f"adas: {name} ended with status {code}; the end of {log_path}:\n{_tail(log_path)}", file=sys.stderr)
            return 1
        time.sleep(0.05)


def run_demo(drive: Drive) -> int:
    """Drive, then write the report; returns 0 when every check of the report passed."""
    status = drive_stack(drive)
    return status or (0 if show_drive(drive.out) else 1)
