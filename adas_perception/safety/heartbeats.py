"""The heartbeats of the nodes: when each was last heard, and whether it is still the same one."""

from __future__ import annotations

from collections.abc import Mapping


class Heartbeats:
    """A node that was started again is silent until its second heartbeat, however fast it was back.

    What it knew is lost with the process: a cruise control that was active, the tracks of a fusion.
    """

    def __init__(self) -> None:
        self._incarnations: dict[str, str] = {}
        self._heard_ns: dict[str, int] = {}

    @property
    def heard_ns(self) -> Mapping[str, int]:
        """Return when each node was last heard."""
        return self._heard_ns

    def take(self, now_ns: int, node: str, incarnation: str) -> bool:
        """Take in a heartbeat; return whether the node is another one than before."""
        if self._incarnations.setdefault(node, incarnation) == incarnation:
            self._heard_ns[node] = now_ns
            return False
        self._incarnations[node] = incarnation
        self._heard_ns.pop(node, None)
        return True
