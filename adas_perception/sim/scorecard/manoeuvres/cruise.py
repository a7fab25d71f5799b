"""Adaptive cruise control on its own lane: free road, following, braking and stopping leads, driver's actions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adas_perception.params import ParameterError, param
from adas_perception.sim.bodies import KINDS
from adas_perception.sim.driver import Button, Phase
from adas_perception.sim.road import Line, Road
from adas_perception.sim.scorecard.manoeuvres.common import (
    KMH,
    RIGHT_LANE_M,
    SIDES,
    START_S_M,
    ahead_m,
    body,
    scene,
    with_acc,
)
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import Event, When
from adas_perception.types import LineKind

_STEP_KMH = 10.0
_TIME_GAPS_S = (1.5, 2.0, 1.0)  # in the order of the button, from the setting at the start
_STANDSTILL_GAP_M = 3.0
_LOWEST_SET_KMH = 30.0
_EVENT_S = 8.0
_LANE_M = 3.5


@dataclass(frozen=True)
class FreeRoad(Manoeuvre):
    """The driver sets ACC ``below_kmh`` under the speed and raises it in steps to it on an empty road."""

    speed_kmh: float = param(50.0, "set speed", unit="km/h", low=30.0, high=150.0)
    below_kmh: float = param(20.0, "speed at the start, under the set speed", unit="km/h", low=0.0, high=150.0)
    seconds: float = param(30.0, "length of the run", unit="s", low=5.0, high=120.0)

    def stage(self) -> Stage:
        """Return the run."""
        start = max(self.speed_kmh - self.below_kmh, 0.0)
        steps = max(round((self.speed_kmh - max(start, _LOWEST_SET_KMH)) / _STEP_KMH), 0)
        driver = with_acc(start * KMH, steps_up=steps)
        scenario = scene("free road", self.seconds, start * KMH, driver, set_speed_mps=self.speed_kmh * KMH)
        return Stage(scenario)


@dataclass(frozen=True)
class Follow(Manoeuvre):
    """Following with ACC from a settled gap; after eight seconds the lead changes speed as ``lead`` says.

    constant; step: by ``change_kmh`` and back; brake: to ``end_kmh``; stop_go: to a stop of ``stop_s`` and on;
    creep: stop and go below ``end_kmh``; leaves: pulls over to the left lane.
    """

    speed_kmh: float = param(50.0, "speed of both", unit="km/h", low=10.0, high=150.0)
    time_gap_s: float = param(1.5, "time gap setting", unit="s", low=1.0, high=2.0)
    lead: str = param(
        "constant", "what the lead does", choices=("constant", "step", "brake", "stop_go", "creep", "leaves")
    )
    change_kmh: float = param(-18.0, "step of the lead's speed", unit="km/h", low=-100.0, high=100.0)
    accel_mps2: float = param(1.0, "acceleration and deceleration of the lead", unit="m/s2", low=0.1, high=10.0)
    end_kmh: float = param(0.0, "speed to which the lead brakes", unit="km/h", low=0.0, high=150.0)
    stop_s: float = param(2.0, "time the lead stands", unit="s", low=0.5, high=60.0)
    go_at_s: float = param(0.0, "when the driver says go, 0: never", unit="s", low=0.0, high=120.0)
    seconds: float = param(35.0, "length of the run", unit="s", low=5.0, high=200.0)

    def __post_init__(self) -> None:
        """Check the time gap against the settings that ACC has."""
        super().__post_init__()
        if self.time_gap_s not in _TIME_GAPS_S:
            raise ParameterError(f"time_gap_s: {self.time_gap_s} is not one of {sorted(_TIME_GAPS_S)}")

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        gap = _STANDSTILL_GAP_M + self.time_gap_s * speed
        lead = body(
            "lead", "car", ahead_m(gap, KINDS["car"]), RIGHT_LANE_M, speed, *self._events(speed)
        )
        driver = with_acc(speed, steps_up=2, gap_presses=_TIME_GAPS_S.index(self.time_gap_s))
        if self.go_at_s:
            driver = replace(driver, presses=(*driver.presses, (self.go_at_s, Button.ACC_RESUME)))
        return Stage(
            scene("follow", self.seconds, speed, driver, (lead,), set_speed_mps=speed + 2 * _STEP_KMH * KMH),
            target="lead",
        )

    def _events(self, speed: float) -> list[Event]:
        at, a = _EVENT_S, self.accel_mps2
        if self.lead == "step":
            other = max(speed + self.change_kmh * KMH, 0.0)
            back = at + abs(other - speed) / a + 12.0
            return [Event(When.TIME, at, other, a), Event(When.TIME, back, speed, a)]
        if self.lead == "brake":
            return [Event(When.TIME, at, self.end_kmh * KMH, a, ramp_s=0.5)]
        if self.lead == "stop_go":
            go = at + speed / a + self.stop_s
            return [Event(When.TIME, at, 0.0, a), Event(When.TIME, go, speed, 1.2)]
        if self.lead == "creep":
            slow = self.end_kmh * KMH
            stops = at + (speed - slow) / a
            return [
                Event(When.TIME, at, slow, a),
                *(
                    Event(When.TIME, stops + 7.0 * i + 3.5 * half, 0.0 if half else slow, 1.0)
                    for i in range(3)
                    for half in (1, 0)
                ),
            ]
        if self.lead == "leaves":
            return [Event(When.TIME, at, d_m=-RIGHT_LANE_M, duration_s=3.0)]
        return []


@dataclass(frozen=True)
class FollowInBend(Manoeuvre):
    """Following with ACC through a left bend; ``beside`` a car that is slower is overtaken in the next lane."""

    speed_kmh: float = param(60.0, "speed of both", unit="km/h", low=10.0, high=150.0)
    radius_m: float = param(250.0, "radius of the bend, 0: straight", unit="m", low=0.0, high=5000.0)
    beside: str = param("none", "side of the slower car", choices=("none", "left", "right"))
    slower_kmh: float = param(15.0, "the car beside is slower by", unit="km/h", low=1.0, high=100.0)
    seconds: float = param(35.0, "length of the run", unit="s", low=10.0, high=120.0)

    def stage(self) -> Stage:
        """Return the run."""
        speed, kind = self.speed_kmh * KMH, KINDS["car"]
        begin = START_S_M + 3.0 * speed
        bend = ((begin, 0.0), (begin + 2.0 * speed, 1.0 / self.radius_m)) if self.radius_m else ()
        lines = (Line(-7.0, LineKind.SOLID), Line(-3.5, LineKind.DASHED), Line(0.0, LineKind.DASHED))
        road = Road(
            begin + 40.0 * speed, ((0.0, 0.0), *bend), lane_centres_m=(-5.25, -1.75, 1.75),
            lines=(*lines, Line(3.5, LineKind.SOLID)), edges_m=(-8.0, 4.4), rails_m=(),
        )  # fmt: skip
        gap = _STANDSTILL_GAP_M + _TIME_GAPS_S[0] * speed
        actors = [body("lead", "car", ahead_m(gap, kind), RIGHT_LANE_M, speed)]
        if self.beside != "none":
            d = RIGHT_LANE_M + SIDES[self.beside] * _LANE_M
            slower = speed - self.slower_kmh * KMH
            actors.append(body("beside", "car", ahead_m(12.0 * self.slower_kmh * KMH, kind), d, slower))
        scenario = scene("follow in a bend", self.seconds, speed, with_acc(speed), tuple(actors), road=road)
        return Stage(scenario, target="lead")


@dataclass(frozen=True)
class DriverActs(Manoeuvre):
    """ACC drives on a free road; at four seconds the driver acts."""

    speed_kmh: float = param(80.0, "speed", unit="km/h", low=10.0, high=150.0)
    action: str = param("brake", "what the driver does", choices=("brake", "accelerator", "cancel", "set"))

    def stage(self) -> Stage:
        """Return the run."""
        speed, at = self.speed_kmh * KMH, 4.0
        driver = with_acc(speed)
        if self.action == "brake":
            driver = replace(driver, phases=(*driver.phases, Phase(at, brake=0.15)))
        elif self.action == "accelerator":
            pushes = Phase(at, speed_mps=speed + 30.0 * KMH)
            driver = replace(driver, phases=(*driver.phases, pushes, Phase(at + 4.0)))
        elif self.action == "cancel":
            driver = replace(driver, presses=(*driver.presses, (at, Button.ACC_CANCEL)))
        return Stage(scene("driver acts", 25.0, speed, driver, set_speed_mps=max(speed, _LOWEST_SET_KMH * KMH)))


MANOEUVRES: dict[str, type[Manoeuvre]] = {
    "free_road": FreeRoad,
    "follow": Follow,
    "follow_in_bend": FollowInBend,
    "driver_acts": DriverActs,
}
