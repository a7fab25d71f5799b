"""Ultrasonic node: twelve ranges in, one topic of echo points out."""

from __future__ import annotations

from functools import partial

from sensor_msgs.msg import PointCloud2, Range

from adas_perception.perception.ultrasonic import SENSORS, UltrasonicParams, UltrasonicRing
from adas_perception.ros import convert
from adas_perception.ros.frames import publish_frames
from adas_perception.ros.node import AdasNode

PERIOD_S = 0.1


class UltrasonicNode(AdasNode):
    """Keeps the latest echo of each sensor."""

    def __init__(self) -> None:
        super().__init__("ultrasonic", UltrasonicParams)
        self._core = UltrasonicRing(self.params)
        self._echoes = self.create_publisher(PointCloud2, "parking/echoes", 5)
        for sensor in SENSORS:
            self.listen(f"ultrasonic/{sensor}", Range, partial(convert.to_echo, sensor=sensor), self._core.step,
                        reliable=False)  # fmt: skip
        publish_frames(self, {f"ultrasonic_{name}": self.params.ring.mount(name) for name in SENSORS})
        self.cycle(PERIOD_S, self._publish)

    def _publish(self, now_ns: int) -> None:
        self._echoes.publish(convert.from_echoes(self._core.echoes(now_ns), SENSORS))
