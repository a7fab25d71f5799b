"""An executor for nodes whose topics seldom change: it gathers once what it waits for.

rclpy's own gathers every entity of every node anew before each wait and wakes itself twice after each callback, which
takes the processor for longer than our callbacks do. Here what happens often, messages and timers, is done directly;
the rest, parameter services for example, is left to rclpy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation as rcl
from rclpy.node import Node
from rclpy.task import Future

# What the middleware reports, a publisher whose QoS does not fit for example, can wait: there are twice as many such
# events to wait for as there are topics.
EVENTS_PERIOD_S = 1.0


class SteadyExecutor(SingleThreadedExecutor):
    """Calls plain callbacks in the thread that spins: a subscription's with the message, a timer's with nothing.

    Guard conditions and actions of nodes are not for it.
    """

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Spin until the future is done or the context has shut down; with a time limit as rclpy does."""
        if timeout_sec is not None:
            super().spin_until_future_complete(future, timeout_sec)
            return
        future.add_done_callback(lambda _: self.wake())
        while not future.done() and self.context.ok():
            with ExitStack() as in_use:
                self._spin_unchanged(_Gathered(self, in_use), future)

    def _spin_unchanged(self, gathered: _Gathered, future: Future) -> None:
        """Spin until the future is done, or something woke this executor: an entity came or went, or the end."""
        rclpy_due_s = 0.0
        while not future.done():
            woken, seldom = gathered.wait_and_call()
            now_s = time.monotonic()
            if self.context.ok() and (seldom or now_s >= rclpy_due_s):
                self.spin_once(timeout_sec=0.0)
                rclpy_due_s = now_s + EVENTS_PERIOD_S
            if woken:
                return


def share_clock(nodes: Sequence[Node]) -> None:
    """Let the first of the nodes of a process hear /clock for all of them."""
    first, *others = nodes
    for node in others:
        node._time_source.detach_node()
        first._time_source.attach_clock(node.get_clock())


class _Gathered:
    """A wait set for the entities of an executor's nodes, which stay until ``in_use`` is closed."""

    def __init__(self, executor: SteadyExecutor, in_use: ExitStack) -> None:
        nodes = executor.get_nodes()
        self._guard = executor._guard.handle  # what add_node and a node's new entities trigger
        self._topics = {topic.handle.pointer: topic for node in nodes for topic in node.subscriptions}
        self._timers = {timer.handle.pointer: timer for node in nodes for timer in node.timers}
        self._services = [service.handle for node in nodes for service in node.services]
        self._clients = [client.handle for node in nodes for client in node.clients]
        often = [entity.handle for entity in (*self._topics.values(), *self._timers.values())]
        for handle in (executor.context.handle, self._guard, *often, *self._services, *self._clients):
            in_use.enter_context(handle)
        counts = (len(self._topics), 1, len(self._timers), len(self._clients), len(self._services), 0)
        self._set = rcl.WaitSet(*counts, executor.context.handle)
        in_use.enter_context(self._set)

    def wait_and_call(self) -> tuple[bool, bool]:
        """Wait and call what is due; return whether the executor was woken, and whether rclpy has something to do."""
        self._wait()
        ready = self._set.get_ready_entities
        for pointer in ready("timer"):
            timer = self._timers[pointer]
            if timer.handle.is_timer_ready():  # no callback before has cancelled it
                timer.handle.call_timer()
                timer.callback()
        for pointer in ready("subscription"):
            topic = self._topics[pointer]
            taken = topic.handle.take_message(topic.msg_type, topic.raw)
            if taken is not None:
                topic.callback(taken[0])
        return bool(ready("guard_condition")), bool(ready("service") or ready("client"))

    def _wait(self) -> None:
        self._set.clear_entities()
        self._set.add_guard_condition(self._guard)
        for topic in self._topics.values():
            self._set.add_subscription(topic.handle)
        for timer in self._timers.values():
            self._set.add_timer(timer.handle)
        for service in self._services:
            self._set.add_service(service)
        for client in self._clients:
            self._set.add_client(client)
        self._set.wait(int(1e9 * EVENTS_PERIOD_S))
