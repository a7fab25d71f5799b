"""Road users who cross the car's path, plain or from behind parked cars, and those who stop at the kerb."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import ParameterError, param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.meeting import Approach, crossing, parked_row
from adas_perception.sim.scorecard.manoeuvres.common import (
    CAR,
    KMH,
    RIGHT_LANE_M,
    SIDES,
    START_S_M,
    TARGETS,
    by_hand,
    scene,
    straight_road,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec


@dataclass(frozen=True)
class Crossing(Manoeuvre):
    """Somebody crosses at a right angle and, if nobody brakes, meets the car's front at ``impact_percent``.

    He starts to walk ``start_m`` beside the car's middle and reaches his speed within ``run_up_m``; with a run-up of
    0 he comes from farther away. ``parked`` cars, ``parked_gap_m`` from the car's side, hide him; the last one ends
    ``clear_m`` before his path. ``stop_m`` lets him stop so far beside the car's side.
    """

    speed_kmh: float = param(40.0, "speed of the car", unit="km/h", low=1.0, high=200.0)
    target: str = param("adult", "kind of the target", choices=TARGETS)
    target_kmh: float = param(5.0, "speed of the target", unit="km/h", low=0.5, high=100.0)
    side: str = param("right", "where he comes from; right is the near side", choices=("left", "right"))
    impact_percent: float = param(50.0, "impact location, 0 right edge, 100 left edge", low=0.0, high=100.0)
    start_m: float = param(4.0, "start beside the car's middle", unit="m", low=1.0, high=100.0)
    run_up_m: float = param(1.0, "way to reach his speed", unit="m", low=0.0, high=20.0)
    stop_m: float = param(0.0, "stops so far beside the car's side, 0: crosses", unit="m", low=0.0, high=10.0)
    parked: int = param(0, "number of parked cars", low=0, high=10)
    parked_gap_m: float = param(1.0, "from the car's side to the parked cars", unit="m", low=0.1, high=20.0)
    clear_m: float = param(1.0, "from the parked cars to the target's path", unit="m", low=0.0, high=20.0)
    before_s: float = param(6.0, "the run starts so long before the meeting", unit="s", low=2.0, high=20.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS[self.target]
        ego = Approach(straight_road(), START_S_M, RIGHT_LANE_M, speed)
        at = START_S_M + CAR.front_x_m + self.before_s * speed + kind.width_m / 2.0
        stop = self.stop_m + CAR.width_m / 2.0 + kind.length_m / 2.0 if self.stop_m else None
        try:
            target = crossing(
                "target", kind, ego, at, SIDES[self.side], self.target_kmh * KMH, self.start_m,
                impact_percent=self.impact_percent, run_up_m=self.run_up_m, stop_m=stop,
            )  # fmt: skip
        except ValueError as error:
            raise ParameterError(str(error)) from None
        actors = (target, *self._parked(at - kind.width_m / 2.0 - self.clear_m))
        scenario = scene("crossing", self.before_s + 4.0, speed, by_hand(speed), actors)
        return Stage(scenario, target="target", until_stop=not self.stop_m)

    def _parked(self, front_s_m: float) -> tuple[ActorSpec, ...]:
        beside = CAR.width_m / 2.0 + self.parked_gap_m + KINDS["car"].width_m / 2.0
        return parked_row("parked", front_s_m, RIGHT_LANE_M + SIDES[self.side] * beside, self.parked)


MANOEUVRES: dict[str, type[Manoeuvre]] = {"crossing": Crossing}
