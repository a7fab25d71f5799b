"""Radar node: the clouds of all radars in, one topic of targets out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sensor_msgs.msg import PointCloud2

from adas_perception.params import Mount, ParameterError, param
from adas_perception.perception.radar import RADARS, RadarClusterer, RadarParams
from adas_perception.ros import convert
from adas_perception.ros.frames import publish_frames
from adas_perception.ros.function_node import VehicleNode
from adas_perception.types import RadarScan


@dataclass(frozen=True)
class RadarNodeParams(RadarParams):
    """The clusterer's parameters and the drivers' convention."""

    closing_sign: float = param(-1.0, "sign of the velocity field for a closing target: -1 or 1", low=-1.0, high=1.0)

    def __post_init__(self) -> None:
        """Refuse what would scale the range rate instead of turning it."""
        super().__post_init__()
        if abs(self.closing_sign) != 1.0:
            raise ParameterError(f"closing_sign: {self.closing_sign} is neither -1 nor 1")


class RadarNode(VehicleNode):
    """Clusters each scan as it arrives."""

    def __init__(self) -> None:
        super().__init__("radar", RadarNodeParams)
        self._core = RadarClusterer(self.params)
        self._targets = self.create_publisher(PointCloud2, "radar/targets", 10)
        for sensor in RADARS:
            read = partial(convert.to_radar, sensor=sensor, closing_sign=self.params.closing_sign)
            self.listen(f"radar/{sensor}", PointCloud2, read, self._step, reliable=False)
        sensors = {f"radar_{name}": self.params.radars.named(name).mount for name in RADARS}
        # Targets are in base_link already; the name of their frame only tells which radar has seen them.
        publish_frames(self, sensors | {convert.target_frame(name): Mount(z_m=0.0) for name in RADARS})

    def _step(self, scan: RadarScan) -> None:
        self._targets.publish(convert.from_targets(self._core.step(scan, self.ego.value)))
        self.figures["rejected points"] = float(self._core.rejected)
