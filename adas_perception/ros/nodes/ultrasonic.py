"""Ultrasonic node: twelve ranges in, one topic of echo points out."""

from __future__ import annotations

from functools import partial

from sensor_msgs.msg import PointCloud2, Range

from adas_perception.perception.ultrasonic import SENSORS, UltrasonicParams, UltrasonicRing
from adas_perception.ros import convert
from adas_perception.ros.frames import publish_frames
from adas_perception.ros.node import AdasNode
from adas_perception.types import UltrasonicEcho, nanoseconds

PERIOD_S, RESTING_PERIOD_S = 0.05, 0.1


class UltrasonicNode(AdasNode):
    """Keeps the latest echo of each sensor; tells of none less often, as sensors rest at speed."""

    def __init__(self) -> None:
        super().__init__("ultrasonic", UltrasonicParams)
        self._core = UltrasonicRing(self.params)
        self._fresh, self._told_ns = False, 0
        self._echoes = self.create_publisher(PointCloud2, "parking/echoes", 5)
        for sensor in SENSORS:
            self.listen(f"ultrasonic/{sensor}", Range, partial(convert.to_echo, sensor=sensor), self._hear,
                        reliable=False)  # fmt: skip
        publish_frames(self, {f"ultrasonic_{name}": self.params.ring.mount(name) for name in SENSORS})
        self.cycle(PERIOD_S, self._publish)

    def _hear(self, echo: UltrasonicEcho) -> None:
        self._core.step(echo)
        self._fresh = True

    def _publish(self, now_ns: int) -> None:
        # Negative after the clock stepped back.
        if not self._fresh and 0 <= now_ns - self._told_ns < nanoseconds(0.9 * RESTING_PERIOD_S):
            return
        self._fresh, self._told_ns = False, now_ns
        self._echoes.publish(convert.from_echoes(self._core.echoes(now_ns), SENSORS))
