"""Real processes for tests: starts executables of the package in a ROS domain of their own and listens to them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

from adas_perception.params import NAMESPACE
from adas_perception.resources import config_path
from adas_perception.ros.runner import Stack, environment, ros_arguments

_domains = itertools.cycle(range(1 + os.getpid() % 50, 101))
PATIENCE_S = 30.0


class Rig:
    """A ROS node of the test and the processes under test, alone in their domain."""

    def __init__(self, log: Path, **parameters: object) -> None:
        self.domain = next(_domains)
        self.log = log
        env = environment(
            ROS_DOMAIN_ID=str(self.domain),
            ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
            ROS_PYTHON_CHECK_FIELDS="1",
            PYTHONUNBUFFERED="1",
        )
        os.environ.update({k: env[k] for k in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE")})
        self._file = log.open("w")
        self.stack = Stack(ros_arguments([config_path("adas.yaml")], parameters), env, self._file)
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.node = rclpy.create_node("test", namespace=NAMESPACE, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.health: dict[str, DiagnosticStatus] = {}
        self.listen("heartbeat", DiagnosticStatus, lambda m: self.health.update({m.name: m}))

    def listen(self, topic: str, kind: type, callback: Callable) -> None:
        self.node.create_subscription(kind, topic, callback, QoSProfile(depth=50))

    def publisher(self, topic: str, kind: type):
        return self.node.create_publisher(kind, topic, 10)

    def spin_until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S, each=lambda: None) -> bool:
        """Spin until the condition holds; ``each`` is called about every 50 ms meanwhile."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            each()
            self.executor.spin_once(timeout_sec=0.05)
        return True

    def wait_for(self, *nodes: str) -> None:
        """Wait until the nodes are heard."""
        assert self.spin_until(lambda: set(nodes) <= set(self.health)), self.text()

    def text(self) -> str:
        """Return what the processes said."""
        return self.log.read_text()

    def close(self) -> None:
        self.stack.stop()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        self._file.close()
