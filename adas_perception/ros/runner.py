"""Run the processes of the node table without ``ros2 launch``: start, watch, stop, with one environment."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import IO

import yaml

from adas_perception.params import NAMESPACE, Config
from adas_perception.resources import config_path
from adas_perception.ros.child import SPARE, Child
from adas_perception.ros.table import CARLA_ADAPTER, NODES, PROCESSES, SIM_VEHICLE

STOP_TIMEOUT_S = 5.0
POLL_S = 0.1
# Ports of a DDS domain by the RTPS specification, section 9.6.1; above 101 they meet those that Linux gives away.
LOOPBACK, FIRST_PORT, PORTS_PER_DOMAIN = "127.0.0.1", 7410, 250
DOMAINS = range(1, 102)
# A process that crashes is started again, but not for ever, and not when its parameters are wrong.
RESTARTS_MAX = 3
RESTARTS_WINDOW_S = 60.0
BAD_PARAMETERS = 2
# A spare loads when the last start is over, so that it takes nobody's processor.
SPARE_AFTER_S = 4.0
# Fast DDS reads its profile from a variable whose name changed with version 3.
PROFILE_VARIABLES = {"humble": "FASTRTPS_DEFAULT_PROFILES_FILE", "jazzy": "FASTRTPS_DEFAULT_PROFILES_FILE"}
PROFILE_VARIABLE = PROFILE_VARIABLES.get(os.environ.get("ROS_DISTRO", ""), "FASTDDS_DEFAULT_PROFILES_FILE")


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a child: large images by shared memory, package index of this installation."""
    prefixes = [sys.prefix, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    return {
        **os.environ,
        "AMENT_PREFIX_PATH": os.pathsep.join(p for p in dict.fromkeys(prefixes) if p),
        PROFILE_VARIABLE: str(config_path("fastdds_shm.xml")),
        "RCUTILS_CONSOLE_OUTPUT_FORMAT": "[{severity}] [{name}] {message}",
        **extra,
    }


def free_domain() -> str:
    """Return the chosen ROS domain, else one of which nobody on this computer uses the first participant's port."""
    chosen = os.environ.get("ROS_DOMAIN_ID")
    if chosen:
        return chosen
    for domain in random.sample(DOMAINS, len(DOMAINS)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, FIRST_PORT + PORTS_PER_DOMAIN * domain))
            return str(domain)
    raise RuntimeError("every ROS domain from 1 to 101 is in use on this computer; set ROS_DOMAIN_ID")


def overrides_file(values: Mapping[str, object]) -> Path:
    """Write values that win over every parameter file read before; the file goes when this process ends.

    Each node is named: ROS ranks a node's own section in an early file above '/**' in a later one, and `-p` is '/**'.
    Each has its own copy: ROS reads no YAML aliases, which the writer makes of what is there twice.
    """
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    nodes = [*(node.name for node in NODES), SIM_VEHICLE, CARLA_ADAPTER]
    sections = {f"{NAMESPACE}/{node}": {"ros__parameters": deepcopy(plain)} for node in nodes}
    with NamedTemporaryFile("w", prefix="adas_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(sections, file)
    path = Path(file.name)
    atexit.register(path.unlink, missing_ok=True)
    return path


def ros_arguments(files: Iterable[Path], parameters: Mapping[str, object]) -> list[str]:
    """Return the ``--ros-args`` of a process: the files, then values that win over them."""
    chosen = [*files, *([overrides_file(parameters)] if parameters else [])]
    return ["--ros-args", *(part for file in chosen for part in ("--params-file", str(file)))]


class Stack:
    """The processes of the stack as children; a context manager that stops what it started."""

    def __init__(self, arguments: list[str], env: Mapping[str, str], log: IO[str] | None = None) -> None:
        self._arguments = arguments
        self._env = dict(env)
        self._log = log
        self._children: dict[str, Child] = {}
        self._spare: Child | None = None
        self._started_s = -math.inf
        self._restarts: dict[str, list[float]] = {}

    @property
    def processes(self) -> dict[str, subprocess.Popen[bytes]]:
        """Return the processes by the name of their executable."""
        return {name: child.process for name, child in self._children.items()}

    def start(self, executable: str) -> None:
        """Start one executable of the package; the spare becomes it if there is one."""
        if executable in self._children:
            self._children.pop(executable).close()
        child, self._spare = self._spare or self._child(executable), None
        child.become(executable)
        self._children[executable] = child
        self._started_s = time.monotonic()

    def start_all(self) -> None:
        """Start every process of the node table."""
        for process in PROCESSES:
            self.start(f"{process}_process")

    def ended(self) -> dict[str, int]:
        """Return the exit status of every process that has ended."""
        return {n: p.returncode for n, p in self.processes.items() if p.poll() is not None}

    def revive(self) -> tuple[str, int] | None:
        """Start again what has crashed or hangs; return name and exit status of what may not be started again.

        To be called several times a second. Once the last start is some time ago a spare is kept ready.
        """
        now = time.monotonic()
        for name, child in self._children.items():
            if child.hangs(now):
                print(f"adas: {name} hangs; ending it", file=sys.stderr)
                child.kill()
        for name, status in self.ended().items():
            recent = [at for at in self._restarts.get(name, []) if now - at < RESTARTS_WINDOW_S]
            if status == BAD_PARAMETERS or len(recent) >= RESTARTS_MAX:
                return name, status
            self._restarts[name] = [*recent, now]
            print(f"adas: {name} ended with status {status}; started again", file=sys.stderr)
            self.start(name)
        if self._spare is None and now - self._started_s > SPARE_AFTER_S:
            self._spare = self._child(SPARE)
        return None

    def stop(self) -> dict[str, int]:
        """Ask all processes to end, wait, kill what does not; return the exit statuses."""
        if self._spare is not None:
            self._spare.kill()
            self._spare.close()
            self._spare = None
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()  # quietly also where it is still importing, which Ctrl-C would make a traceback of
                process.send_signal(signal.SIGCONT)  # one that was halted hears it too
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in self.processes.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return {name: process.returncode for name, process in self.processes.items()}

    def _child(self, executable: str) -> Child:
        return Child(executable, self._arguments, self._env, self._log)

    def __enter__(self) -> Stack:
        """Return the stack; nothing is started yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        """Stop everything that was started."""
        self.stop()
        for child in self._children.values():
            child.close()


def parameter_files(config: Path | None, preset: str) -> list[Path]:
    """Return the parameter files of a run, checked; raises ParameterError naming file and line."""
    files = [config or config_path("adas.yaml")] + ([config_path(f"presets/{preset}.yaml")] if preset else [])
    Config(*files)
    return files


def run_stack(config: Path | None, preset: str, can_interface: str, can_channel: str, sim_time: bool) -> int:
    """Run every process until SIGINT; returns the exit status for the shell.

    A process that crashes is started again at once; one that crashes again and again ends the run.
    """
    files = parameter_files(config, preset)
    given = {"can_interface": can_interface, "can_channel": can_channel}
    overrides = {"use_sim_time": sim_time, **{name: value for name, value in given.items() if value}}
    for end in (signal.SIGINT, signal.SIGTERM):  # a script that starts it in the background has SIGINT ignored
        signal.signal(end, signal.default_int_handler)
    with Stack(ros_arguments(files, overrides), environment()) as stack:
        stack.start_all()
        try:
            while not (given_up := stack.revive()):
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return max(stack.stop().values())
        name, status = given_up
        print(f"adas: {name} ended with status {status}; stopping the others", file=sys.stderr)
        return status or 1
