"""Scenarios of the demo and the tests: a road, the ego's start, a driver and scripted traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from adas_perception.sim.driver import Button, DriverScript, Phase
from adas_perception.sim.road import Road
from adas_perception.sim.traffic import ActorSpec, Event, When

KMH = 1.0 / 3.6

RIGHT_LANE_M = -1.75
LEFT_LANE_M = 1.75


@dataclass(frozen=True)
class Scenario:
    """Everything that happens outside the driver-assistance stack. ``set_speed_mps`` is what ACC should hold."""

    name: str
    title: str
    duration_s: float
    road: Road
    start_s_m: float
    start_d_m: float
    start_speed_mps: float
    set_speed_mps: float
    driver: DriverScript
    actors: tuple[ActorSpec, ...] = ()
    chapters: tuple[tuple[float, str], ...] = ()  # (start in s, what happens), for the report


WHITE, SILVER, BLUE, RED, GREY = (222, 224, 226), (160, 166, 172), (38, 66, 128), (150, 32, 34), (74, 78, 84)


def demo() -> Scenario:
    """46 s on a dual carriageway with every function at work: ACC set at 60 km/h, raised to 80 in two presses."""
    road = Road(1500.0, (
        (430.0, 0.0), (490.0, 1 / 800), (580.0, 1 / 800), (640.0, 0.0),
        (680.0, 0.0), (720.0, -1 / 1000), (770.0, -1 / 1000), (820.0, 0.0),
    ))  # fmt: skip
    driver = DriverScript(
        phases=(
            Phase(0.0, speed_mps=60 * KMH),
            Phase(0.6),
            Phase(4.5, hands_on=False, drift_rad=0.0012),
            Phase(9.5),
            Phase(12.5, hands_on=False, drift_rad=-0.0012),
            Phase(17.5),
        ),
        presses=((0.4, Button.ACC_SET), (1.0, Button.ACC_RESUME), (1.5, Button.ACC_RESUME)),
    )
    overtaker = ActorSpec("overtaker", 28.0, LEFT_LANE_M, 72 * KMH, rgb=BLUE, events=(
        Event(When.TIME, 13.5, speed_mps=92 * KMH, accel_mps2=2.0),
        Event(When.GAP, 0.0, speed_mps=59 * KMH, accel_mps2=2.5),
        Event(When.TIME, 27.5, d_m=RIGHT_LANE_M, duration_s=2.2),
        Event(When.TIME, 32.0, d_m=LEFT_LANE_M, duration_s=2.6, speed_mps=95 * KMH, accel_mps2=2.5),
    ))  # fmt: skip
    lead = ActorSpec("lead", 225.0, RIGHT_LANE_M, 60 * KMH, rgb=SILVER, events=(
        Event(When.AHEAD, 42.0, other="stopped", d_m=LEFT_LANE_M, duration_s=2.4),
    ))  # fmt: skip
    stopped = ActorSpec("stopped", 885.0, RIGHT_LANE_M, 0.0, rgb=RED)
    return Scenario(
        "demo", "Dual carriageway", 46.0, road, 60.0, RIGHT_LANE_M, 60 * KMH, 80 * KMH, driver,
        (overtaker, lead, stopped),
        ((0.0, "ACC to 80 km/h"), (4.5, "drift left"), (9.5, "recentre"), (12.5, "drift right"),
         (17.5, "overtaken; slower lead"), (27.0, "cut-in"), (32.0, "follow"), (37.5, "stopped car")),
    )  # fmt: skip


def _straight(
    name: str, title: str, duration_s: float, speed_kmh: float, *actors: ActorSpec, driver: DriverScript | None = None
) -> Scenario:
    """Build a short scenario on a straight road; unless told otherwise the driver sets ACC and lets it drive."""
    speed = speed_kmh * KMH
    cruising = DriverScript((Phase(0.0, speed_mps=speed), Phase(0.3)), ((0.1, Button.ACC_SET),))
    return Scenario(
        name, title, duration_s, Road(1000.0), 60.0, RIGHT_LANE_M, speed, speed, driver or cruising, actors
    )


def short_follow() -> Scenario:
    """6 s: a car 35 m ahead that is 10 km/h slower."""
    return _straight("short_follow", "Follow", 6.0, 70.0, ActorSpec("lead", 102.0, RIGHT_LANE_M, 60 * KMH, rgb=SILVER))


def short_brake() -> Scenario:
    """8 s: the lead brakes with 6 m/s2 to a stop."""
    lead = ActorSpec("lead", 92.0, RIGHT_LANE_M, 50 * KMH, (Event(When.TIME, 2.0, 0.0, 6.0),), rgb=SILVER)
    return _straight("short_brake", "Lead brakes", 8.0, 50.0, lead)


def short_stopped() -> Scenario:
    """8 s: a stopped car 100 m ahead, no ACC: a case for AEB."""
    stopped = ActorSpec("stopped", 166.0, RIGHT_LANE_M, 0.0, rgb=RED)
    return _straight(
        "short_stopped", "Stopped car", 8.0, 50.0, stopped, driver=DriverScript((Phase(0.0, speed_mps=50 * KMH),))
    )


def short_cut_in() -> Scenario:
    """8 s: a car from the left lane cuts in 12 m ahead, 15 km/h slower."""
    car = ActorSpec(
        "cutter", 80.0, LEFT_LANE_M, 65 * KMH, (Event(When.TIME, 1.0, d_m=RIGHT_LANE_M, duration_s=2.0),), rgb=BLUE
    )
    return _straight("short_cut_in", "Cut-in", 8.0, 80.0, car)


def short_drift() -> Scenario:
    """8 s: hands off at 80 km/h, the car drifts to the left line."""
    phases = (Phase(0.0, speed_mps=80 * KMH), Phase(1.0, speed_mps=80 * KMH, hands_on=False, drift_rad=0.0012))
    return _straight("short_drift", "Drift left", 8.0, 80.0, driver=DriverScript(phases))


def short_blind_spot() -> Scenario:
    """8 s: a faster car passes in the left lane."""
    passing = ActorSpec("passing", 20.0, LEFT_LANE_M, 105 * KMH, rgb=WHITE)
    return _straight("short_blind_spot", "Overtaken", 8.0, 80.0, passing)


def free_road() -> Scenario:
    """10 s of an empty straight road."""
    return _straight("free_road", "Free road", 10.0, 80.0)


def parking() -> Scenario:
    """75 s: past a row of parked cars at 15 km/h, then into the free slot at a right angle to the street."""
    # The rows of the scorecard are built from the parts of this module.
    from adas_perception.sim.scorecard.manoeuvres.parking import Parking

    run = Parking(kind="perpendicular", extra_m=1.2, gap_m=1.0, speed_kmh=15.0, thing="none")
    chapters = ((0.0, "past the row"), (run.stop_s - 2.0, "stop, confirm"), (run.go_s, "let go: it parks"))
    return replace(run.stage().scenario, name="parking", title="Parking", duration_s=75.0, chapters=chapters)


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    build.__name__: build
    for build in (
        demo, short_follow, short_brake, short_stopped, short_cut_in, short_drift, short_blind_spot, free_road,
        parking,
    )
}  # fmt: skip


def scenario(name: str) -> Scenario:
    """Return a scenario by its name; raises ValueError that lists the known ones."""
    if name not in SCENARIOS:
        raise ValueError(f"there is no scenario '{name}'; known: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]()
