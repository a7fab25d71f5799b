"""How good the sensors of a run are: clean for what geometry and logic can do, noisy for what must still work."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from random import Random

from adas_perception.sim.ghosts import GhostTracks
from adas_perception.sim.lane_camera import LaneErrors
from adas_perception.sim.object_camera import CameraErrors
from adas_perception.sim.sensors import RADARS, EgoNoise, RadarErrors, UltrasonicModel


@dataclass(frozen=True)
class SensorSetup:
    """Errors of all sensors.

    With ``noisy`` false the radars, the cameras and the rangers make no error at all (their latency stays);
    ``ego`` and ``ghosts`` count apart from it, None is none.
    """

    noisy: bool = True
    radars: dict[str, RadarErrors] = field(default_factory=lambda: dict(RADARS))
    camera: CameraErrors = CameraErrors()
    lanes: LaneErrors = LaneErrors()
    ultrasonic: UltrasonicModel = UltrasonicModel()
    ego: EgoNoise | None = None
    ghosts: GhostTracks | None = None


CLEAN = SensorSetup(noisy=False)
NOISY = SensorSetup(ego=EgoNoise())


def generator(seed: int, purpose: str, stamp_ns: int) -> Random:
    """Return a generator of its own for one measurement, so that it does not matter who asks in which order."""
    return Random(stamp_ns << 64 | zlib.crc32(purpose.encode()) << 32 | seed & 0xFFFFFFFF)
