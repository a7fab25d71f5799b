"""Samples from the running stack: a node that only listens, on the time of the stack."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from adas_perception.params import NAMESPACE
from adas_perception.replay.topics import Mounting
from adas_perception.resources import config_path
from adas_perception.ros.convert import ConvertError, to_ns
from adas_perception.ros.runner import PROFILE_VARIABLE
from adas_perception.view.reading import PICTURES, SCENE, TOPIC_TYPES, MessageReader, Seen

# Without /clock for so long the wall clock counts: there is no simulation, or it has ended.
CLOCK_LOST_S = 2.0
WAIT_S = 0.05


class Listener:
    """Hears topics of the stack and hands each sample to ``take``; a context manager.

    The time is that of /clock while it runs, else that of the wall.
    """

    def __init__(
        self,
        topics: Collection[str],
        mounting: Mounting,
        take: Callable[[Seen], None],
        context: rclpy.Context | None = None,
    ) -> None:
        """Join the graph; ``context`` is another one than the process's own."""
        # Pictures travel through shared memory, as the stack sends them.
        os.environ.setdefault(PROFILE_VARIABLE, str(config_path("fastdds_shm.xml")))
        self._own = context is None
        self._context = context or rclpy.Context()
        if self._own:
            rclpy.init(context=self._context)
        self._node = rclpy.create_node(
            f"adas_view_{os.getpid()}", context=self._context, enable_rosout=False, start_parameter_services=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._reader = MessageReader(mounting)
        self._take = take
        self._clock_ns, self._clock_heard_s = 0, -CLOCK_LOST_S
        self._node.create_subscription(Clock, "/clock", self._on_clock, _quality(1, reliable=False))
        for topic in topics:
            # A camera may publish best effort, which a reliable subscription would not match.
            quality = _quality(2 if topic in PICTURES else 20, reliable=topic not in PICTURES)
            kind, name = _class(TOPIC_TYPES[topic]), f"{NAMESPACE}/{topic}"
            self._node.create_subscription(kind, name, partial(self._on_message, topic), quality)

    def __enter__(self) -> Listener:
        """Return itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        if self._own:
            self._context.try_shutdown()

    def now_ns(self) -> int:
        """Return the time of the stack."""
        simulated = time.monotonic() - self._clock_heard_s < CLOCK_LOST_S
        return self._clock_ns if simulated else time.time_ns()

    def spin(self, seconds: float) -> None:
        """Listen for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=left)

    def _on_clock(self, message: Clock) -> None:
        self._clock_ns, self._clock_heard_s = to_ns(message.clock), time.monotonic()

    def _on_message(self, topic: str, message: Any) -> None:
        try:
            sample = self._reader.sample(topic, message)
        except ConvertError:
            sample = None
        self._take(Seen(self.now_ns(), topic, sample))


def _quality(depth: int, *, reliable: bool) -> QoSProfile:
    policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=depth, reliability=policy)


def _class(type_name: str) -> type:
    package, _, name = type_name.split("/")
    found: type = getattr(import_module(f"{package}.msg"), name)
    return found


def watch(take: Callable[[Seen], None], mounting: Mounting, camera: bool) -> None:
    """Hand over all that is drawn until Ctrl-C; raw pictures rather than compressed ones."""
    topics = (*SCENE, PICTURES[0]) if camera else SCENE
    try:
        with Listener(topics, mounting, take) as listener:
            while True:
                listener.spin(WAIT_S)
    except ExternalShutdownException:
        pass
