"""The watch over all inputs: which sample may be used, and which input is faulty.

It looks at what the functions look at (vehicle state, driver, radar targets, lane lines, echoes), in a process of
its own, so that a perception that has gone astray does not judge itself.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

from adas_perception.params import Params, Vehicle
from adas_perception.safety.faults import DRIVER, ECHOES, FRONT_RADAR, LANES, REAR_RADARS, VEHICLE, Fault
from adas_perception.safety.inputs import Channel, InputParams
from adas_perception.safety.motion import MotionCheck, MotionParams
from adas_perception.safety.pace import PaceParams, jumped
from adas_perception.types import DriverInput, Echoes, EgoState, LaneLine, LaneLines, RadarTargets

Sample = EgoState | DriverInput | RadarTargets | LaneLines | Echoes

TORQUE_MAX_NM = 50.0
FARTHEST_M = 500.0
FASTEST_MPS = 150.0
# The rangers rest above this speed: their silence is no fault there.
RANGING_MPS = 5.0
# What shows that the picture of a sensor must change: the car's speed, a change of it, its turning, the target's
# closing speed, the speed across the lane.
MOVING_MPS = 1.0
SPEED_CHANGE_MPS = 0.05
TURNING_RADPS = 0.002
CLOSING_MPS = 0.3
ACROSS_MPS = 0.05
_SUBJECTS = {"front": FRONT_RADAR, "rear_left": REAR_RADARS, "rear_right": REAR_RADARS}


@dataclass(frozen=True)
class WatchParams(Params):
    """Parameters of the checks of the inputs."""

    inputs: InputParams = InputParams()
    motion: MotionParams = MotionParams()
    pace: PaceParams = PaceParams()


class Watch:
    """Takes in every sample; faults are asked for once a cycle."""

    def __init__(self, params: WatchParams, vehicle: Vehicle) -> None:
        self._p = params
        self._channels: dict[str, Channel] = {}
        self._motion = MotionCheck(params.motion, vehicle)
        self._ego: EgoState | None = None
        self._speeds: dict[str, float] = {}
        self._echo_ns = 0
        self._now_ns: int | None = None

    def take(self, now_ns: int, sample: Sample) -> bool:
        """Return whether a sample may be used."""
        self._look_at_the_clock(now_ns)
        if isinstance(sample, EgoState):
            return self._take_ego(now_ns, sample)
        if isinstance(sample, DriverInput):
            return self._channel(DRIVER).take(now_ns, sample.stamp_ns, sound=_driver_sound(sample))
        if isinstance(sample, LaneLines):
            lines = tuple(line for line in (sample.left, sample.right) if line is not None)
            sound = all(map(_line_sound, lines))
            content = tuple(line.coefficients for line in lines) or None
            moved = self._moved(LANES, across=max((abs(line.slope(0.0)) for line in lines), default=0.0))
            return self._channel(LANES).take(now_ns, sample.stamp_ns, sound=sound, content=content, moved=moved)
        if isinstance(sample, RadarTargets):
            return self._take_radar(now_ns, sample)
        if sample.stamp_ns == self._echo_ns:
            return True  # no new echo, but what is known still holds
        self._echo_ns = sample.stamp_ns
        return self._channel(ECHOES).take(now_ns, sample.stamp_ns)

    def faults(self, now_ns: int) -> tuple[Fault, ...]:
        """Return what is wrong with the inputs now."""
        self._look_at_the_clock(now_ns)
        found = []
        for name, channel in self._channels.items():
            kind = channel.fault(now_ns)
            if kind and not (name == ECHOES and self._rangers_rest()):
                found.append(Fault(kind, _SUBJECTS.get(name, name)))
        return tuple(dict.fromkeys((*found, *self._motion.faults())))

    def _rangers_rest(self) -> bool:
        return self._ego is None or abs(self._ego.speed_mps) > RANGING_MPS

    def _channel(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(self._p.inputs)
        return channel

    def _look_at_the_clock(self, now_ns: int) -> None:
        if self._now_ns is not None and jumped(self._now_ns, now_ns, self._p.pace.jump_s):
            for channel in self._channels.values():
                channel.restart(now_ns)
            self._motion.restart()
        self._now_ns = now_ns

    def _take_ego(self, now_ns: int, ego: EgoState) -> bool:
        good = self._channel(VEHICLE).take(now_ns, ego.stamp_ns, sound=self._motion.possible(ego))
        if good:
            self._motion.take(ego)
            self._ego = ego
        return good

    def _take_radar(self, now_ns: int, targets: RadarTargets) -> bool:
        sound = all(
            math.hypot(t.x_m, t.y_m) <= FARTHEST_M and abs(t.range_rate_mps) <= FASTEST_MPS for t in targets.items
        )
        content: Hashable = tuple((t.x_m, t.y_m, t.range_rate_mps) for t in targets.items) or None
        moved = self._moved(targets.sensor, closing=max((abs(t.range_rate_mps) for t in targets.items), default=0.0))
        good = self._channel(targets.sensor).take(
            now_ns, targets.stamp_ns, sound=sound, content=content, moved=moved
        )
        if good and targets.sensor == "front":
            self._motion.radar(targets)
        return good

    def _moved(self, name: str, closing: float = 0.0, across: float = 0.0) -> bool:
        """Return whether the picture of a sensor must have changed since its last sample."""
        ego = self._ego
        if ego is None:
            return False
        last, self._speeds[name] = self._speeds.get(name, ego.speed_mps), ego.speed_mps
        return abs(ego.speed_mps) > MOVING_MPS and (
            closing > CLOSING_MPS
            or abs(ego.yaw_rate_radps) > TURNING_RADPS
            or name != LANES and abs(ego.speed_mps - last) > SPEED_CHANGE_MPS
            or across * abs(ego.speed_mps) > ACROSS_MPS
        )


def _driver_sound(driver: DriverInput) -> bool:
    pedals = 0.0 <= driver.accelerator <= 1.0 and 0.0 <= driver.brake <= 1.0
    return pedals and abs(driver.steering_torque_nm) <= TORQUE_MAX_NM


def _line_sound(line: LaneLine) -> bool:
    return all(map(math.isfinite, (*line.coefficients, line.x_min, line.x_max))) and abs(line.y(0.0)) <= FARTHEST_M
