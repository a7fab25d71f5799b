"""All nodes of a stack in one process, called back by polling: no wait set, no timeouts, whatever the load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from rclpy.node import Node

IDLE_S = 0.002


class Polled:
    """Calls back what waits at the nodes, one after the other in a fixed order."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = tuple(nodes)

    def settle(self, answered: Callable[[], bool], patience_s: float) -> bool:
        """Call back until the condition holds and nothing waits; return False when ``patience_s`` runs out."""
        deadline = time.monotonic() + patience_s
        while True:
            busy = [self._call_back(node) for node in self._nodes]
            if not any(busy):
                if answered():
                    return True
                if time.monotonic() > deadline:
                    return False
                time.sleep(IDLE_S)

    def _call_back(self, node: Node) -> bool:
        work = False
        for subscription in node.subscriptions:
            with subscription.handle:
                while taken := subscription.handle.take_message(subscription.msg_type, subscription.raw):
                    subscription.callback(taken[0])
                    work = True
        for timer in node.timers:
            with timer.handle:
                if timer.is_ready():
                    timer.handle.call_timer()
                    timer.callback()
                    work = True
        return work
