"""How good the sensors of a run are: clean for what geometry and logic can do, noisy for what must still work."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from random import Random

from adas_perception.sim.ghosts import GhostTracks
from adas_perception.sim.lane_camera import LaneErrors
from adas_perception.sim.object_camera import CameraErrors
from adas_perception.sim.radar_model import RADARS, RadarErrors
from adas_perception.sim.sensors import EgoNoise
from adas_perception.sim.ultrasonic_model import RangerFaults, UltrasonicModel


@dataclass(frozen=True)
class SensorSetup:
    """Errors of all sensors; a radar that ``radars`` leaves out is not there.

    ``friction_sigma`` is the error of the car's friction estimate, None for a car without one.

    With ``noisy`` false the radars, the cameras and the rangers make no error at all (their latency stays);
    ``ego`` and ``ghosts`` count apart from it, None is none.
    """

    noisy: bool = True
    radars: dict[str, RadarErrors] = field(default_factory=lambda: dict(RADARS))
    camera: CameraErrors = CameraErrors()
    lanes: LaneErrors = LaneErrors()
    ultrasonic: UltrasonicModel = UltrasonicModel()
    rangers: RangerFaults | None = None
    friction_sigma: float | None = 0.05
    ego: EgoNoise | None = None
    ghosts: GhostTracks | None = None


CLEAN = SensorSetup(noisy=False)
NOISY = SensorSetup(ego=EgoNoise())


def generator(seed: int, sensor: str) -> Random:
    """Return the generator of one sensor: each has its own, so that it does not matter who measures first."""
    return Random(zlib.crc32(sensor.encode()) << 64 | seed & 0xFFFFFFFFFFFFFFFF)
