"""What all manoeuvres share: the proving ground, where the car starts, and how a target is placed ahead of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adas_perception.params import Vehicle
from adas_perception.sim.bodies import KINDS, Kind
from adas_perception.sim.driver import Button, DriverScript, Phase
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import KMH, RIGHT_LANE_M, Scenario
from adas_perception.sim.traffic import ActorSpec, Event
from adas_perception.types import Indicator, Side

CAR = Vehicle()
# Room behind the car for those who overtake it.
START_S_M = 400.0
# The monitor lets the functions act after they have been healthy for a second.
READY_S = 1.2
TARGETS = tuple(KINDS)
SIDES = {"left": Side.LEFT, "right": Side.RIGHT}


@lru_cache(maxsize=4)
def straight_road(length_m: float = 6000.0) -> Road:
    """Return two lanes of a straight proving ground without guard rails."""
    return Road(length_m, rails_m=())


def by_hand(speed_mps: float, *later: Phase) -> DriverScript:
    """Return a driver who holds a speed and the lane himself."""
    return DriverScript((Phase(0.0, speed_mps=speed_mps), *later))


def with_acc(speed_mps: float, *, steps_up: int = 0, gap_presses: int = 0) -> DriverScript:
    """Return a driver who sets ACC once it is ready, raises the set speed by steps and chooses the time gap."""
    presses = [(READY_S, Button.ACC_SET)]
    presses += [(READY_S + 0.4 + 0.4 * i, Button.ACC_RESUME) for i in range(steps_up)]
    presses += [(READY_S + 0.4 + 0.4 * i, Button.ACC_GAP) for i in range(gap_presses)]
    return DriverScript((Phase(0.0, speed_mps=speed_mps), Phase(READY_S + 0.1)), tuple(presses))


def ahead_m(gap_m: float, kind: Kind, car: Vehicle = CAR) -> float:
    """Return s of a body's centre with ``gap_m`` between its rear and the car's front at the start."""
    return START_S_M + car.front_x_m + gap_m + kind.length_m / 2.0


def at_base_link(x_m: float) -> float:
    """Return s of a body's centre ``x_m`` ahead of base_link at the start."""
    return START_S_M + x_m


def scene(
    title: str,
    duration_s: float,
    speed_mps: float,
    driver: DriverScript,
    actors: tuple[ActorSpec, ...] = (),
    *,
    road: Road | None = None,
    start_d_m: float = RIGHT_LANE_M,
    set_speed_mps: float | None = None,
) -> Scenario:
    """Return a scenario that starts at START_S_M."""
    return Scenario(
        "scorecard", title, duration_s, road or straight_road(), START_S_M, start_d_m, speed_mps,
        speed_mps if set_speed_mps is None else set_speed_mps, driver, actors,
    )  # fmt: skip


def body(name: str, kind: str, s_m: float, d_m: float, speed_mps: float, *events: Event, **more: Any) -> ActorSpec:
    """Return a road user of a kind."""
    return ActorSpec(name, s_m, d_m, speed_mps, tuple(events), KINDS[kind], **more)


__all__ = [
    "CAR", "KMH", "READY_S", "RIGHT_LANE_M", "SIDES", "START_S_M", "TARGETS", "Indicator", "Side", "ahead_m",
    "at_base_link", "body", "by_hand", "scene", "straight_road", "with_acc",
]  # fmt: skip
