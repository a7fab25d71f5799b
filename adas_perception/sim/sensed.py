"""A world as the sensors see it: the same models, whether our own scenarios play or somebody else's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random

from adas_perception.functions.friction import Friction
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ultrasonic import CYCLE_S
from adas_perception.sim.ghosts import ghost_points
from adas_perception.sim.object_camera import see_objects
from adas_perception.sim.radar_model import scan_radar
from adas_perception.sim.sensors import Surroundings, noisy_ego
from adas_perception.sim.setup import SensorSetup, generator
from adas_perception.sim.ultrasonic_model import range_ultrasonic
from adas_perception.types import Detections, DriverInput, EgoState, LaneLines, RadarScan, UltrasonicEcho


class SensedWorld(ABC):
    """What all worlds share: a clock, a seed, and sensors that look at the surroundings of the ego."""

    def __init__(self, sensors: SensorSetup, camera: CameraModel, seed: int, start_ns: int) -> None:
        self.sensors = sensors
        self.camera = camera
        self.seed = seed
        self.start_ns = self.stamp_ns = start_ns
        self._generators: dict[str, Random] = {}
        self._ranged_ns: int | None = None

    @property
    def time_s(self) -> float:
        """Return the time since the start."""
        return (self.stamp_ns - self.start_ns) / 1e9

    @abstractmethod
    def true_ego(self) -> EgoState:
        """Return the ego state without error."""

    @abstractmethod
    def driver_input(self) -> DriverInput:
        """Return the driver's controls as the bus reports them."""

    @abstractmethod
    def surroundings(self) -> Surroundings:
        """Return bodies and guard rails in base_link."""

    @abstractmethod
    def lanes(self) -> LaneLines:
        """Return the boundaries that lane perception would find in the picture of now."""

    def generator(self, sensor: str) -> Random | None:
        """Return the generator of one sensor, None for faultless sensors."""
        return self._generator(sensor) if self.sensors.noisy else None

    def _generator(self, sensor: str) -> Random:
        if sensor not in self._generators:
            self._generators[sensor] = generator(self.seed, sensor)
        return self._generators[sensor]

    def ego(self) -> EgoState:
        """Return the measured ego state."""
        state, noise = self.true_ego(), self.sensors.ego
        return state if noise is None else noisy_ego(state, noise, self._generator("ego"))

    def true_friction(self) -> float | None:
        """Return the friction of the road, None where nobody knows it."""
        return None

    def friction(self) -> Friction | None:
        """Return what the car's estimator says of the road."""
        value, sigma = self.true_friction(), self.sensors.friction_sigma
        if value is None or sigma is None:
            return None
        rng = self.generator("friction")
        return Friction(self.stamp_ns, value if rng is None else max(rng.gauss(value, sigma), 0.05), sigma)

    def radar(self, name: str) -> RadarScan:
        """Scan with one of the car's radars, by its name."""
        ego, ghosts = self.true_ego(), self.sensors.ghosts
        points = ghost_points(ghosts, self.seed, self.time_s, ego.speed_mps) if ghosts and name == "front" else ()
        errors = self.sensors.radars[name]
        return scan_radar(name, errors, self.stamp_ns, ego, self.surroundings(), self.generator(name), points)

    def ultrasonics(self) -> tuple[UltrasonicEcho, ...]:
        """Return what the ultrasonic rangers measured that have fired since the last call."""
        since_s = (self.stamp_ns - self._ranged_ns) / 1e9 if self._ranged_ns is not None else CYCLE_S
        self._ranged_ns = self.stamp_ns
        faults = self.sensors.rangers
        faults = faults if faults and self.time_s >= faults.start_s else None
        rng = self.generator("ultrasonic")
        return range_ultrasonic(
            self.stamp_ns, self.surroundings(), rng, self.sensors.ultrasonic, self.true_ego(), min(since_s, CYCLE_S),
            faults,
        )  # fmt: skip

    def detections(self) -> Detections:
        """Return the boxes that a detector would find in the picture of now."""
        rng = self.generator("detections")
        return see_objects(self.stamp_ns, self.surroundings(), self.camera, self.sensors.camera, rng)
