"""The sensors of the car as a clocked whole: who measures when, and when the result reaches the stack."""

from __future__ import annotations

from dataclasses import dataclass, field

from adas_perception.pipeline import Sample
from adas_perception.sim.sensed import SensedWorld
from adas_perception.types import nanoseconds

# The rangers are for parking; above this speed nobody listens to them.
_RANGING_MPS = 12.0


@dataclass(frozen=True)
class Clocking:
    """Periods of the sensors; a sensor measures at the first cycle of the control loop at or after it is due."""

    front_radar_s: float = 0.05
    corner_radar_s: float = 0.1
    camera_s: float = 0.05
    friction_s: float = 0.5
    ultrasonic_s: float = 0.05


@dataclass
class SensorSuite:
    """Feeds one stack from one world. ``camera_boxes`` off leaves out the object detector."""

    world: SensedWorld
    clocking: Clocking = field(default_factory=Clocking)
    camera_boxes: bool = True
    _due_ns: dict[str, int] = field(default_factory=dict)
    _underway: list[tuple[int, Sample]] = field(default_factory=list)

    def samples(self) -> list[Sample]:
        """Return what reaches the stack at the world's present time, in the order of arrival."""
        world, clocking = self.world, self.clocking
        if self._due("camera", clocking.camera_s):
            errors = world.sensors
            self._send(world.lanes(), errors.lanes.latency_s)
            if self.camera_boxes:
                self._send(world.detections(), errors.camera.latency_s)
        arrived: list[Sample] = [sample for due_ns, sample in self._underway if due_ns <= world.stamp_ns]
        self._underway = [pair for pair in self._underway if pair[0] > world.stamp_ns]
        samples: list[Sample] = [world.ego(), world.driver_input(), *arrived]
        friction = world.friction() if self._due("friction", clocking.friction_s) else None
        if friction is not None:
            samples.append(friction)
        if "front" in world.sensors.radars and self._due("front", clocking.front_radar_s):
            samples.append(world.radar("front"))
        if self._due("corners", clocking.corner_radar_s):
            samples += [world.radar(name) for name in world.sensors.radars if name != "front"]
        if abs(world.true_ego().speed_mps) < _RANGING_MPS and self._due("ultrasonic", clocking.ultrasonic_s):
            samples += world.ultrasonics()
        return samples

    def _due(self, sensor: str, period_s: float) -> bool:
        now = self.world.stamp_ns
        due = self._due_ns.get(sensor, now)
        if now < due:
            return False
        self._due_ns[sensor] = max(due + nanoseconds(period_s), now)
        return True

    def _send(self, sample: Sample, latency_s: float) -> None:
        self._underway.append((self.world.stamp_ns + nanoseconds(latency_s), sample))
