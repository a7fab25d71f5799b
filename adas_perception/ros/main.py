"""Entry points: every node by itself, and every process of the node table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from adas_perception.params import ParameterError
from adas_perception.ros.node import AdasNode
from adas_perception.ros.table import NODES, PROCESSES, nodes_of

BAD_PARAMETERS = 2


def _class(target: str) -> type[AdasNode]:
    module, name = target.split(":")
    found: type[AdasNode] = getattr(importlib.import_module(f"adas_perception.ros.nodes.{module}"), name)
    return found


def run(targets: list[str]) -> int:
    """Spin the nodes in one executor until SIGINT or SIGTERM; returns the exit status of the process."""
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
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ParameterError as error:
        print(f"adas: {error}", file=sys.stderr)
        return BAD_PARAMETERS
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return max((node.exit_status for node in nodes), default=0)


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
