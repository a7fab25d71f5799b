"""Entry points: every node by itself, and every process of the node table."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from adas_perception.ros.table import NODES, PROCESSES, nodes_of

if TYPE_CHECKING:
    from adas_perception.ros.node import AdasNode

BAD_PARAMETERS = 2


def _class(target: str) -> type[AdasNode]:
    module, name = target.split(":")
    found: type[AdasNode] = getattr(importlib.import_module(f"adas_perception.ros.nodes.{module}"), name)
    return found


def _on_signals(action: Callable[..., None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _interrupt_once(*_: object) -> None:
    """End the process on the first signal; those that follow must not disturb its end.

    ``ros2 launch`` without a terminal sends SIGINT to processes that Ctrl-C has reached already.
    """
    _on_signals(lambda *_: None)
    raise KeyboardInterrupt


def _spin(targets: list[str]) -> int:
    """Spin the nodes in one executor until one has finished; returns the exit status of the process."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from adas_perception.params import ParameterError

    try:
        rclpy.init(args=sys.argv)
    except RuntimeError as error:
        print(f"adas: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_PARAMETERS
    executor = SingleThreadedExecutor()
    nodes: list[AdasNode] = []
    try:
        for target in targets:
            nodes.append(_class(target)())  # type: ignore[call-arg]
            executor.add_node(nodes[-1])
        end = next((node.finished for node in nodes if node.finished), None)
        if end is not None:
            executor.spin_until_future_complete(end)
        else:
            executor.spin()
    except KeyboardInterrupt:
        pass
    except ParameterError as error:
        print(f"adas: {error}", file=sys.stderr)
        return BAD_PARAMETERS
    except Exception:
        # A signal shuts ROS down under whatever is being called; that is no failure.
        if rclpy.ok():
            raise
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return max((node.exit_status for node in nodes), default=0)


def run(targets: list[str]) -> int:
    """Run the nodes until they have finished, or until SIGINT or SIGTERM; returns the exit status of the process."""
    _on_signals(_interrupt_once)
    try:
        return _spin(targets)
    except KeyboardInterrupt:
        # The signal came while ROS was still being imported or started.
        return 0
    finally:
        # The interpreter's own end would put back the default action of every handler but this one.
        _on_signals(signal.SIG_IGN)


_targets = {node.name: [node.target] for node in NODES}
_targets |= {f"{process}_process": [n.target for n in nodes_of(process)] for process in PROCESSES}
_targets["sim_vehicle"] = ["sim_vehicle:SimVehicleNode"]


def __getattr__(executable: str) -> Callable[[], None]:
    """Return the entry point of an executable: ``from adas_perception.ros.main import acc``."""
    if executable not in _targets:
        raise AttributeError(executable)

    def main() -> None:
        sys.exit(run(_targets[executable]))

    return main


if __name__ == "__main__":
    __getattr__(sys.argv.pop(1))()
