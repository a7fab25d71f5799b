"""Entry points: every node by itself, and every process of the node table."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from adas_perception.ros.child import ALIVE_PERIOD_S, SPARE, tell_alive
from adas_perception.ros.table import CARLA_ADAPTER, LAST_METRES, NODES, PROCESSES, SIM_VEHICLE, nodes_of

if TYPE_CHECKING:
    from rclpy.task import Future

    from adas_perception.ros.node import AdasNode

BAD_PARAMETERS = 2
ENDING = (signal.SIGINT, signal.SIGTERM)
# Nothing reaches the actuators but through the last metres: they have the processor first.
FIRST_NICE = -10


def node_class(target: str) -> type[AdasNode]:
    """Return the class of a node by its target in the node table."""
    module, name = target.split(":")
    found: type[AdasNode] = getattr(importlib.import_module(f"adas_perception.ros.nodes.{module}"), name)
    return found


def _end_on_signal(end: Future) -> None:
    signal.sigwait(ENDING)
    end.set_result(None)


def _spin(targets: list[str]) -> int:
    """Spin the nodes in one executor until they have finished or a signal asks for the end."""
    import rclpy
    from rclpy.clock import Clock, ClockType
    from rclpy.signals import SignalHandlerOptions
    from rclpy.task import Future

    from adas_perception.params import ParameterError
    from adas_perception.ros.executor import SteadyExecutor, share_clock

    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        print(f"adas: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_PARAMETERS
    executor = SteadyExecutor()
    nodes: list[AdasNode] = []
    try:
        for target in targets:
            nodes.append(node_class(target)())  # type: ignore[call-arg]
            executor.add_node(nodes[-1])
        share_clock(nodes)
        end = next((node.finished for node in nodes if node.finished), Future())
        threading.Thread(target=_end_on_signal, args=(end,), name="signals", daemon=True).start()
        nodes[0].create_timer(ALIVE_PERIOD_S, tell_alive, clock=Clock(clock_type=ClockType.STEADY_TIME))
        executor.spin_until_future_complete(end)
    except ParameterError as error:
        print(f"adas: {error}", file=sys.stderr)
        return BAD_PARAMETERS
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return max((node.exit_status for node in nodes), default=0)


def run(executable: str) -> int:
    """Run its nodes until they have finished, or until SIGINT or SIGTERM; returns the exit status of the process.

    The signals are blocked in every thread and waited for in one, so that none interrupts a callback, the start or
    the end: ``ros2 launch`` without a terminal sends SIGINT to processes that Ctrl-C has reached already.
    """
    for end in ENDING:  # what is ignored, as in the background of a script, could not be waited for
        signal.signal(end, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    if executable == SPARE:
        executable = _named_later()
    if executable in _FIRST:
        # Only root may, and who was given the right (LimitNICE of systemd, limits.conf).
        with contextlib.suppress(OSError):
            os.nice(FIRST_NICE)
    return _spin(_targets[executable]) if executable else 0


def _named_later() -> str:
    """Import what any process needs, then read from the standard input which one this becomes; '' at its end."""
    from adas_perception.inference.backend import BackendUnavailableError
    from adas_perception.inference.openvino_backend import load as load_openvino

    for node in NODES:
        node_class(node.target)
    with contextlib.suppress(BackendUnavailableError):
        load_openvino()  # perception would import it when it opens its networks
    return sys.stdin.readline().strip()


_targets = {node.name: [node.target] for node in NODES}
_targets |= {f"{process}_process": [n.target for n in nodes_of(process)] for process in PROCESSES}
_targets[SIM_VEHICLE] = ["sim_vehicle:SimVehicleNode"]
_targets[CARLA_ADAPTER] = ["carla_adapter:CarlaAdapterNode"]
_FIRST = {name for process in LAST_METRES for name in (f"{process}_process", *(n.name for n in nodes_of(process)))}


def __getattr__(executable: str) -> Callable[[], None]:
    """Return the entry point of an executable: ``from adas_perception.ros.main import acc``."""
    if executable not in (*_targets, SPARE):
        raise AttributeError(executable)

    def main() -> None:
        sys.exit(run(executable))

    return main


if __name__ == "__main__":
    __getattr__(sys.argv.pop(1))()
