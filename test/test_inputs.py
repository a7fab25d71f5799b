"""The watch over the inputs: what is passed over, what is a fault, and when it is good again."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.params import Vehicle
from adas_perception.safety.faults import (
    DRIVER,
    ECHOES,
    FRONT_RADAR,
    LANES,
    NEEDS,
    REAR_RADARS,
    VEHICLE,
    Fault,
    FaultKind,
    affected,
)
from adas_perception.safety.freshness import Order
from adas_perception.safety.inputs import Channel, InputParams
from adas_perception.safety.pace import Pace, PaceParams, jumped
from adas_perception.safety.watch import Watch, WatchParams
from adas_perception.types import (
    DriverInput,
    Echoes,
    EgoState,
    Function,
    LaneLine,
    LaneLines,
    RadarTarget,
    RadarTargets,
)

MS = 1_000_000
START = 10_000_000_000
P = InputParams()
SLOW = FaultKind.INPUT_SLOW


class Feed:
    """A channel with a sample every 50 ms."""

    def __init__(self) -> None:
        self.channel = Channel(P)
        self.now = START

    def take(self, lag_ms: float = 0.0, **more) -> bool:
        self.now += 50 * MS
        return self.channel.take(self.now, self.now - round(lag_ms * MS), **more)

    def good(self, count: int) -> None:
        for i in range(count):
            assert self.take(), i

    def fault(self, after_ms: int = 0):
        return self.channel.fault(self.now + after_ms * MS)


def test_an_input_that_was_never_heard_is_not_judged():
    assert Channel(P).fault(START) is None


def test_silence_is_a_fault_after_its_limit():
    feed = Feed()
    feed.good(1)
    assert feed.fault(after_ms=250) is None
    assert feed.fault(after_ms=251) is FaultKind.INPUT_SILENT


@pytest.mark.parametrize(("period_ms", "fault"), [(166, None), (200, SLOW), (240, SLOW)])
def test_too_few_samples_a_second_are_a_fault(period_ms, fault):
    feed = Feed()
    for _ in range(10):
        feed.now += (period_ms - 50) * MS
        feed.take()
    assert feed.fault() is fault


def test_the_rate_is_judged_after_a_second_only():
    feed = Feed()
    feed.good(1)
    feed.now += 190 * MS
    feed.take()
    assert feed.fault() is None


@pytest.mark.parametrize(("lag_ms", "taken"), [(0, True), (249, True), (251, False), (-49, True), (-51, False)])
def test_late_samples_and_samples_of_the_future_are_turned_away(lag_ms, taken):
    assert Feed().take(lag_ms) is taken


def test_one_bad_sample_is_passed_over_two_are_a_fault_and_good_ones_heal_it():
    feed = Feed()
    feed.good(5)
    assert not feed.take(sound=False)
    assert feed.fault() is None
    assert not feed.take(sound=False)
    assert feed.fault() is FaultKind.INPUT_REFUSED
    feed.good(1)
    assert feed.fault() is FaultKind.INPUT_REFUSED
    feed.good(1)
    assert feed.fault() is None


def test_the_score_of_bad_samples_is_bounded_and_so_is_the_time_to_heal():
    feed = Feed()
    for _ in range(100):
        feed.take(sound=False)
    feed.good(5)
    assert feed.fault() is FaultKind.INPUT_REFUSED
    feed.good(1)
    assert feed.fault() is None


def test_samples_in_turns_out_of_order_are_refused_and_become_a_fault():
    feed = Feed()
    feed.good(1)
    taken = [feed.take(lag) for lag in (0, 120, 0, 120, 0, 120)]
    assert taken == [True, False] * 3
    assert feed.fault() is FaultKind.INPUT_REFUSED


def test_a_duplicate_is_refused():
    channel = Channel(P)
    assert channel.take(START, START)
    assert not channel.take(START + MS, START)


def test_a_sender_with_an_older_clock_is_believed_after_it_has_proven_its_order():
    feed = Feed()
    feed.good(3)
    # Its clock has gone back by 220 ms: each stamp follows the one before, but not the last accepted one.
    taken = [feed.channel.take(feed.now + i * MS, feed.now - 220 * MS + i * MS) for i in range(1, 9)]
    assert taken == [False] * 4 + [True] * 4


def test_refused_samples_without_order_are_never_believed():
    feed = Feed()
    feed.good(3)
    assert not any(feed.channel.take(feed.now + i * MS, feed.now - 100 * MS) for i in range(20))


def test_equal_content_is_frozen_only_while_the_car_moves():
    feed = Feed()
    assert [feed.take(content=1, moved=True) for _ in range(6)] == [True] * 4 + [False] * 2
    assert feed.fault() is FaultKind.INPUT_FROZEN
    assert feed.take(content=2, moved=True)
    assert feed.fault() is None
    assert all(feed.take(content=3) for _ in range(20))
    assert all(feed.take(moved=True) for _ in range(20)), "no content, no verdict"


def test_after_a_restart_order_and_rate_begin_anew_but_a_dead_input_is_still_found():
    feed = Feed()
    feed.good(30)
    earlier = feed.now - 5_000 * MS
    feed.channel.restart(earlier)
    assert feed.channel.fault(earlier + 250 * MS) is None
    assert feed.channel.fault(earlier + 251 * MS) is FaultKind.INPUT_SILENT
    assert feed.channel.take(earlier + 10 * MS, earlier + 10 * MS)
    unheard = Channel(P)
    unheard.restart(START)
    assert unheard.fault(START + 10_000 * MS) is None


# --- the watch ---


def line(c0: float, c1: float = 0.0) -> LaneLine:
    return LaneLine((c0, c1, 0.0, 0.0), 0.0, 60.0)


def targets(
    stamp: int, *speeds: float, y: float = 8.0, sensor: str = "front", rate: float = -20.0, x: float = 20.0
) -> RadarTargets:
    items = tuple(RadarTarget(x + 9.0 * i, y, rate, v, 3, sensor) for i, v in enumerate(speeds))
    return RadarTargets(stamp, sensor, items)


class Drive:
    """A car at 20 m/s whose inputs all arrive every 50 ms, changed by keyword."""

    def __init__(self) -> None:
        self.watch = Watch(WatchParams(), Vehicle())
        self.now = START
        self.count = 0

    def step(self, **inputs) -> set[Fault]:
        self.now += 50 * MS
        self.count += 1
        samples = {
            "ego": EgoState(self.now, speed_mps=20.0),
            "driver": DriverInput(self.now),
            "lanes": LaneLines(self.now, line(1.7 + 0.01 * self.count), line(-1.7)),
            "radar": targets(self.now, 0.0, 0.0, 0.0, 0.0, x=90.0 - self.count),
            "rear": targets(self.now, 0.0, sensor="rear_left", x=-self.count),
            "echoes": Echoes(self.now),
            **inputs,
        }
        now = {name: replace(sample, stamp_ns=self.now) for name, sample in samples.items() if sample}
        self.taken = {name: self.watch.take(self.now, sample) for name, sample in now.items()}
        return set(self.watch.faults(self.now))

    def run(self, count: int, **inputs) -> set[Fault]:
        return [self.step(**inputs) for _ in range(count)][-1]


@pytest.fixture
def drive() -> Drive:
    running = Drive()
    assert running.run(30) == set()
    assert all(running.taken.values())
    return running


@pytest.mark.parametrize(
    ("name", "subject"),
    [("ego", VEHICLE), ("driver", DRIVER), ("lanes", LANES), ("radar", FRONT_RADAR), ("rear", REAR_RADARS)],
)
def test_each_input_that_falls_silent_is_named(drive, name, subject):
    assert drive.run(6, **{name: None}) == {Fault(FaultKind.INPUT_SILENT, subject)}


def test_rangers_rest_at_speed_and_are_missed_when_the_car_is_slow(drive):
    assert drive.run(10, echoes=None) == set()
    slow = Drive()
    crawling = {"ego": EgoState(0, speed_mps=3.0), "radar": None, "rear": None}
    slow.run(10, **crawling)
    assert slow.run(6, echoes=None, **crawling) == {Fault(FaultKind.INPUT_SILENT, ECHOES)}


def test_echoes_without_a_new_one_are_neither_new_nor_wrong():
    watch = Watch(WatchParams(), Vehicle())
    assert watch.take(START, Echoes(START)) and watch.take(START + MS, Echoes(START))
    assert watch.faults(START + MS) == ()


@pytest.mark.parametrize(
    ("name", "sample", "subject"),
    [
        ("ego", EgoState(0, speed_mps=math.nan), VEHICLE),
        ("ego", EgoState(0, speed_mps=101.0), VEHICLE),
        ("ego", EgoState(0, speed_mps=-31.0), VEHICLE),
        ("ego", EgoState(0, 20.0, accel_mps2=21.0), VEHICLE),
        ("ego", EgoState(0, 20.0, yaw_rate_radps=-3.1), VEHICLE),
        ("ego", EgoState(0, 20.0, steering_rad=1.3), VEHICLE),
        ("ego", EgoState(0, 20.0, x_m=math.inf), VEHICLE),
        ("ego", EgoState(0, 20.0, yaw_rad=math.nan), VEHICLE),
        ("ego", EgoState(0, speed_mps=25.0), VEHICLE),
        ("ego", EgoState(0, 20.0, yaw_rate_radps=1.5), VEHICLE),
        ("ego", EgoState(0, 20.0, steering_rad=0.6), VEHICLE),
        ("driver", DriverInput(0, accelerator=1.01), DRIVER),
        ("driver", DriverInput(0, brake=-0.01), DRIVER),
        ("driver", DriverInput(0, brake=math.nan), DRIVER),
        ("driver", DriverInput(0, steering_torque_nm=51.0), DRIVER),
        ("lanes", LaneLines(0, line(math.nan)), LANES),
        ("lanes", LaneLines(0, None, line(501.0)), LANES),
        ("lanes", LaneLines(0, replace(line(1.0), x_max=math.inf)), LANES),
        ("radar", targets(0, 0.0, y=math.nan), FRONT_RADAR),
        ("radar", targets(0, 0.0, rate=151.0), FRONT_RADAR),
        ("radar", targets(0, 0.0, y=501.0), FRONT_RADAR),
    ],
)
def test_impossible_samples_are_turned_away_and_soon_a_fault(drive, name, sample, subject):
    assert drive.step(**{name: sample}) == set()
    assert not drive.taken[name]
    assert Fault(FaultKind.INPUT_REFUSED, subject) in drive.step(**{name: sample})


def test_the_largest_possible_samples_pass():
    watch = Watch(WatchParams(), Vehicle())
    assert watch.take(START, EgoState(START, 100.0, -20.0, 3.0, -1.2))
    assert watch.take(START, DriverInput(START, 1.0, 1.0, -50.0))
    assert watch.take(START, targets(START, 0.0, rate=-150.0, y=499.0))
    assert watch.take(START, LaneLines(START, line(-500.0)))


TURNING = EgoState(0, 20.0, yaw_rate_radps=0.003, steering_rad=0.0005)
STILL = LaneLines(0, line(1.7), line(-1.7))


@pytest.mark.parametrize(
    ("inputs", "subject"),
    [
        ({"lanes": STILL, "ego": TURNING}, LANES),
        ({"lanes": LaneLines(0, line(1.7, 0.004)), "ego": EgoState(0, 20.0)}, LANES),
        ({"radar": targets(0, 0.0, rate=-0.31), "ego": EgoState(0, 20.0)}, FRONT_RADAR),
        ({"rear": targets(0, 0.0, sensor="rear_right", rate=0.5), "ego": EgoState(0, 20.0)}, REAR_RADARS),
        ({"radar": targets(0, 0.0, rate=0.0), "ego": TURNING}, FRONT_RADAR),
    ],
)
def test_a_picture_that_must_change_and_does_not_is_frozen(drive, inputs, subject):
    faults = [drive.step(**inputs) for _ in range(5)]
    assert Fault(FaultKind.INPUT_FROZEN, subject) in faults[-1]
    assert Fault(FaultKind.INPUT_FROZEN, subject) not in faults[-2]


@pytest.mark.parametrize(
    "inputs",
    [
        {"lanes": STILL},
        {"lanes": LaneLines(0, line(1.7, 0.002))},
        {"lanes": LaneLines(0)},
        {"radar": targets(0, 0.0, rate=0.3)},
        {"radar": RadarTargets(0, "front")},
        {"lanes": STILL, "ego": EgoState(0, 0.9, yaw_rate_radps=0.003), "radar": targets(0, 0.0, rate=-2.0)},
    ],
)
def test_a_picture_that_may_stay_the_same_is_not_frozen(inputs):
    drive = Drive()
    assert not {f.kind for f in drive.run(20, **inputs)} & {FaultKind.INPUT_FROZEN}


def test_a_change_of_speed_must_show_in_the_radar_but_not_in_the_lanes():
    drive = Drive()
    for i in range(12):
        ego = EgoState(0, 20.0 + 0.06 * i, accel_mps2=1.2)
        faults = drive.step(ego=ego, lanes=STILL, radar=targets(0, 0.0, rate=0.0))
    assert faults == {Fault(FaultKind.INPUT_FROZEN, FRONT_RADAR)}


def test_without_vehicle_state_nothing_is_frozen():
    drive = Drive()
    assert drive.run(10, ego=None, radar=targets(0, 0.0), lanes=STILL) == set()


@pytest.mark.parametrize("jump_ms", [-500, 500, -5_000, 5_000])
def test_after_a_jump_of_the_clock_the_inputs_are_believed_at_once(drive, jump_ms):
    drive.now += jump_ms * MS
    assert drive.step() == set()
    assert all(drive.taken.values())
    assert drive.run(30) == set()


def test_a_small_step_back_restarts_too(drive):
    drive.now -= 60 * MS
    assert drive.step() == set()
    assert all(drive.taken.values())


# --- clock and cycle ---


@pytest.mark.parametrize(("ms", "jumps"), [(0, False), (400, False), (401, True), (-1, True)])
def test_jumped(ms, jumps):
    assert jumped(START, START + ms * MS, 0.4) is jumps


def kinds(pace: Pace, now: int) -> list[FaultKind]:
    return [fault.kind for fault in pace.step(now)]


def test_a_jump_is_shown_for_a_while():
    pace = Pace(PaceParams())
    assert kinds(pace, START) == []
    back = START - 5_000 * MS
    assert kinds(pace, back) == [FaultKind.CLOCK_JUMP]
    assert kinds(pace, back + 300 * MS) == [FaultKind.CLOCK_JUMP]
    assert kinds(pace, back + 301 * MS) == []
    assert kinds(pace, back + 302 * MS - 6_000 * MS) == [FaultKind.CLOCK_JUMP]


@pytest.mark.parametrize(("period_ms", "overload"), [(75, False), (76, True), (100, True)])
def test_missed_cycles_are_an_overload(period_ms, overload):
    pace = Pace(PaceParams())
    seen = [kinds(pace, START + i * period_ms * MS) for i in range(20)]
    assert (seen[-1] == [FaultKind.OVERLOAD]) is overload
    assert seen[1] == [], "one late cycle is passed over"
    assert (seen[2] == [FaultKind.OVERLOAD]) is overload


def test_an_overload_ends_after_cycles_in_time():
    pace = Pace(PaceParams())
    for i in range(50):
        kinds(pace, START + i * 100 * MS)
    late = START + 49 * 100 * MS
    after = [kinds(pace, late + i * 25 * MS) for i in range(1, 10)]
    assert after[:5] == [[FaultKind.OVERLOAD]] * 5
    assert after[5:] == [[]] * 4


# --- what a fault takes away ---


@pytest.mark.parametrize(
    ("kind", "subject", "lost"),
    [
        (FaultKind.NO_VEHICLE_STATE, VEHICLE, set(NEEDS)),
        (FaultKind.SPEED_DOUBTFUL, VEHICLE, set(NEEDS)),
        (FaultKind.YAW_DOUBTFUL, VEHICLE, set(NEEDS)),
        (FaultKind.INPUT_REFUSED, VEHICLE, set(NEEDS)),
        (FaultKind.NO_DRIVER_INPUT, DRIVER, set(NEEDS) - {Function.AEB}),
        (FaultKind.INPUT_SILENT, DRIVER, set(NEEDS) - {Function.AEB}),
        (FaultKind.INPUT_FROZEN, FRONT_RADAR, {Function.AEB, Function.ACC}),
        (FaultKind.INPUT_SLOW, REAR_RADARS, {Function.BSD}),
        (FaultKind.INPUT_SILENT, LANES, {Function.LKA}),
        (FaultKind.INPUT_SILENT, ECHOES, {Function.APA}),
        (FaultKind.INPUT_SILENT, "front_left", set()),
        (FaultKind.NODE_SILENT, "fusion", {Function.AEB, Function.ACC, Function.BSD}),
        (FaultKind.NODE_SILENT, "can_bridge", set(NEEDS)),
        (FaultKind.STALE_REQUEST, "lka", {Function.LKA}),
        (FaultKind.REQUEST_REFUSED, "acc", {Function.ACC}),
        (FaultKind.OVERLOAD, "safety_monitor", {Function.APA, Function.BSD}),
        (FaultKind.BRAKE_DISOBEYS, VEHICLE, {Function.ACC, Function.APA}),
        (FaultKind.STEERING_DISOBEYS, VEHICLE, {Function.LKA, Function.APA}),
        (FaultKind.CLOCK_JUMP, "safety_monitor", set()),
    ],
)
def test_what_a_fault_takes_away(kind, subject, lost):
    assert affected([Fault(kind, subject)]) == lost
    assert affected([]) == set()


# --- order --------------------------------------------------------------------------------------------------


def test_each_sample_counts_once_and_in_order():
    order = Order(5)
    assert [stamp for stamp in (10, 20, 20, 15, 30, 25, 31) if order.follows(stamp)] == [10, 20, 30, 31]


def test_a_sender_with_an_older_clock_is_believed_once_it_has_proven_its_order():
    order = Order(3)
    assert order.follows(100)
    assert [order.follows(stamp) for stamp in (1, 2, 3, 4, 4, 5)] == [False, False, True, True, False, True]


def test_what_is_refused_in_disorder_proves_nothing():
    order = Order(3)
    order.follows(100)
    assert not any(order.follows(stamp) for stamp in (2, 1, 2, 2, 1, 2))


@given(st.lists(st.integers(0, 9), max_size=60))
def test_what_is_accepted_is_newer_or_ends_a_row_of_three_in_order(stamps):
    order, last = Order(3), -1
    for i, stamp in enumerate(stamps):
        if order.follows(stamp):
            assert stamp > last or stamps[i - 2] < stamps[i - 1] < stamp
            last = stamp
        else:
            assert stamp <= last
