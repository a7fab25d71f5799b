"""A platoon of cars with the same ACC: each one follows what the car before it really drove."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.params import param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.scorecard.manoeuvres.common import KMH, RIGHT_LANE_M, ahead_m, body, scene, with_acc
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.scorecard.trace import Trace

_BEGINS_S = 10.0
_STANDSTILL_GAP_M = 3.0
# The lead of the platoon neither brakes nor accelerates harder.
_LEAD_MPS2 = 1.0
_AMPLITUDE_MPS = 2.0
_PROFILE_STEP_S = 0.1

Profile = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Platoon(Manoeuvre):
    """The first car drives a sine of ``hz``, or with 0 Hz a step by ``step_mps``, or stop and go."""

    speed_kmh: float = param(80.0, "speed at the start", unit="km/h", low=30.0, high=130.0)
    hz: float = param(0.0, "frequency of the lead's speed, 0: no sine", unit="Hz", low=0.0, high=1.0)
    step_mps: float = param(0.0, "step of the lead's speed", unit="m/s", low=-20.0, high=20.0)
    stop_go: bool = param(False, "the lead stops and drives off again")
    cars: int = param(4, "cars behind the lead", low=1, high=10)
    seconds: float = param(70.0, "length of the run", unit="s", low=20.0, high=300.0)

    def stage(self) -> Stage:
        """Return the run of the first follower; the others come one after the other."""
        return self._follower(1, self._lead())

    def _follower(self, number: int, ahead: Profile) -> Stage:
        speed, kind = self.speed_kmh * KMH, KINDS["car"]
        gap = _STANDSTILL_GAP_M + 1.5 * speed
        lead = body("lead", "car", ahead_m(gap, kind), RIGHT_LANE_M, speed, profile=ahead)
        scenario = scene("platoon", self.seconds, speed, with_acc(speed, steps_up=2), (lead,))

        def behind(trace: Trace) -> Stage:
            driven = zip(trace["time_s"].tolist(), trace["speed_mps"].tolist(), strict=True)
            return self._follower(number + 1, tuple(driven))

        return Stage(scenario, target="lead", then=behind if number < self.cars else None)

    def _lead(self) -> Profile:
        speed = self.speed_kmh * KMH
        if self.hz > 0.0:
            amplitude = min(_AMPLITUDE_MPS, _LEAD_MPS2 / (math.tau * self.hz))
            steps = round((self.seconds - _BEGINS_S) / _PROFILE_STEP_S)
            waves = (
                (_BEGINS_S + i * _PROFILE_STEP_S, math.sin(math.tau * self.hz * i * _PROFILE_STEP_S))
                for i in range(steps)
            )
            return ((0.0, speed), *((t, speed + amplitude * wave) for t, wave in waves))
        if self.stop_go:
            stopped = _BEGINS_S + speed / _LEAD_MPS2
            go = stopped + 2.0
            return ((0.0, speed), (_BEGINS_S, speed), (stopped, 0.0), (go, 0.0), (go + speed / _LEAD_MPS2, speed))
        end = _BEGINS_S + abs(self.step_mps) / _LEAD_MPS2
        return ((0.0, speed), (_BEGINS_S, speed), (end, speed + self.step_mps))


MANOEUVRES: dict[str, type[Manoeuvre]] = {"platoon": Platoon}
