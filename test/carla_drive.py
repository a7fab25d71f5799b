"""The drive of the CARLA tests."""

from __future__ import annotations

from adas_perception.sim.driver import Button, DriverScript, Phase
from adas_perception.sim.road import Road
from adas_perception.sim.scenarios import KMH, RIGHT_LANE_M, SILVER, Scenario
from adas_perception.sim.traffic import ActorSpec, Event, When

DRIFT_S, CANCEL_S, BRAKE_S, END_S = 8.0, 32.0, 40.0, 60.0


def scenario() -> Scenario:
    """60 s: ACC set at 60 km/h, hands off and drifting, a slower car to follow; ACC off, the car ahead brakes hard."""
    driver = DriverScript(
        phases=(Phase(0.0, speed_mps=60 * KMH), Phase(0.6), Phase(DRIFT_S, hands_on=False, drift_rad=0.0012),
                Phase(DRIFT_S + 6.0), Phase(CANCEL_S, speed_mps=50 * KMH)),
        presses=((0.4, Button.ACC_SET), (CANCEL_S, Button.ACC_CANCEL)),
    )  # fmt: skip
    lead = ActorSpec("lead", 150.0, RIGHT_LANE_M, 50 * KMH, (Event(When.TIME, BRAKE_S, 0.0, 7.0),), rgb=SILVER)
    return Scenario(
        "carla", "In CARLA", END_S, Road(1500.0), 60.0, RIGHT_LANE_M, 60 * KMH, 60 * KMH, driver, (lead,)
    )
