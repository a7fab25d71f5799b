"""ACC: following, string stability, stop and go, lead choice, driver, envelope, bad input."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

import pytest
from closed_loop import BOTH, CYCLE_S, KMH, START_NS, STEP_S, VEHICLE, Lead, objects_of
from hypothesis import given, settings
from hypothesis import strategies as st
from lateral_loop import lines

from adas_perception.functions.acc import Acc, AccParams
from adas_perception.functions.aeb import Aeb, AebParams
from adas_perception.limits import Limits
from adas_perception.types import (
    Decision,
    DriverInput,
    EgoState,
    Gear,
    LaneLine,
    LaneLines,
    Level,
    ObjectClass,
    Objects,
    Sensor,
    Track,
    nanoseconds,
    seconds,
)

LIMITS = Limits()
LENGTH = 4.77


def at(t: float) -> int:
    return START_NS + nanoseconds(t)


class Car:
    """A car under ACC with 0.1 s dead time and 0.25 s lag; AEB watches without acting."""

    def __init__(self, x: float, v: float, set_speed: float, gap_setting: int = 1) -> None:
        self.x, self.v, self.a = x, v, 0.0
        self.acc = Acc(AccParams(time_gap_first=gap_setting), LIMITS)
        self.aeb = Aeb(AebParams(), LIMITS)
        self.set_speed = set_speed
        self.queue = deque([0.0] * 10)
        self.rows: list[tuple[float, float, float, float, Decision, str]] = []

    def decide(self, t: float, lead=None, **driver) -> None:
        now, gap = at(t), lead.x - LENGTH - self.x if lead else math.inf
        objects = objects_of(now, gap, lead.v, lead.a) if lead else Objects(now)
        # Setting the speed at a speed that the car does not have yet takes a made-up speedometer.
        first = t == pytest.approx(CYCLE_S)
        ego = EgoState(now, self.set_speed if first else self.v, self.a)
        decision = self.acc.step(now, ego, DriverInput(now, acc_set=first, **driver), objects, None)
        watching = self.aeb.step(now, EgoState(now, self.v, self.a), None, objects, None).state.state
        self.queue.append(decision.request.accel_mps2 or 0.0)
        self.rows.append((t, self.v, self.a, gap, decision, watching))

    def move(self) -> None:
        wanted = self.queue[-1]
        self.queue.append(wanted)
        self.a += (self.queue[-11] - self.a) * STEP_S / 0.25
        self.x += self.v * STEP_S
        self.v = max(self.v + self.a * STEP_S, 0.0)
        if self.v == 0.0:
            self.a = max(self.a, 0.0)

    def column(self, index: int, after: float = 0.0) -> list[float]:
        return [row[index] for row in self.rows if row[0] >= after]

    def aeb_states(self) -> set[str]:
        return {row[5] for row in self.rows}


def platoon(accel, speed, *, count=1, setting=1, seconds=60.0, set_speed=41.0, gap=None):
    """Cars that follow a lead from the steady state; returns the lead's speeds and the cars."""
    lead, tau = Lead(0.0, speed, accel), (1.0, 1.5, 2.0)[setting]
    spacing = LENGTH + (3.0 + tau * speed if gap is None else gap)
    cars = [Car(-spacing * (i + 1), speed, set_speed, setting) for i in range(count)]
    speeds = []
    for i in range(round(seconds / STEP_S)):
        t = i * STEP_S
        if i % 5 == 0:
            for car, ahead in zip(cars, [lead, *cars], strict=False):
                car.decide(t, ahead)
            speeds.append((t, lead.v))
        for car in cars:
            car.move()
        lead.step(t)
    return speeds, cars


# --- following --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [0, 1, 2])
@pytest.mark.parametrize("speed", [30, 80, 130])
def test_keeps_the_time_gap(speed, setting):
    _, (car,) = platoon(lambda t: 0.0, speed * KMH, setting=setting, seconds=40, gap=speed * KMH * 2.0)
    wanted = 3.0 + (1.0, 1.5, 2.0)[setting] * speed * KMH
    assert car.rows[-1][3] == pytest.approx(wanted, rel=0.1)
    assert car.rows[-1][1] == pytest.approx(speed * KMH, abs=0.3)


@pytest.mark.parametrize("setting", [0, 1, 2])
@pytest.mark.parametrize("frequency", [0.05, 0.1, 0.2, 0.4])
def test_a_wave_does_not_grow_along_the_platoon(frequency, setting):
    w = 2.0 * math.pi * frequency
    amplitude = min(1.5 * w, 1.0)
    speeds, cars = platoon(
        lambda t: amplitude * math.cos(w * (t - 5.0)) if t > 5.0 else 0.0, 22.0, count=4, setting=setting, seconds=60
    )
    swings = [max(v for t, v in speeds if t > 30.0) - min(v for t, v in speeds if t > 30.0)]
    swings += [max(c.column(1, 30.0)) - min(c.column(1, 30.0)) for c in cars]
    assert all(behind <= ahead * 1.001 for ahead, behind in zip(swings, swings[1:], strict=False)), swings


@pytest.mark.parametrize("setting", [0, 1, 2])
def test_a_step_does_not_grow_along_the_platoon(setting):
    _, cars = platoon(lambda t: -2.0 if 5.0 < t < 7.5 else 0.0, 25.0, count=4, setting=setting, seconds=40)
    for car in cars:
        assert 25.0 - min(car.column(1)) <= 5.0 * 1.005
        assert car.aeb_states() == {"READY"}


@pytest.mark.parametrize("setting", [0, 1, 2])
@pytest.mark.parametrize("decel", [2.0, 3.5])
@pytest.mark.parametrize("speed", [50, 80, 100, 130])
def test_a_braking_lead_is_no_case_for_aeb(speed, decel, setting):
    _, (car,) = platoon(lambda t: -decel if t > 5.0 else 0.0, speed * KMH, setting=setting, seconds=30)
    assert 2.0 <= min(car.column(3)) and car.rows[-1][3] <= 5.5
    assert car.aeb_states() <= {"READY", "WARN"}


def test_a_hard_braking_lead_asks_the_driver_to_take_over():
    _, (car,) = platoon(lambda t: -6.0 if t > 5.0 else 0.0, 100 * KMH, setting=0, seconds=9)
    decisions = [row[4] for row in car.rows]
    asked = [d for d in decisions if d.state.reason == "TAKE_OVER"]
    assert asked and all(d.state.level is Level.ERROR for d in asked)
    assert {"WARN", "FULL"} <= car.aeb_states()


@pytest.mark.parametrize("gap", [15.0, 25.0, 40.0])
@pytest.mark.parametrize("slower", [0, 20])
@pytest.mark.parametrize("speed", [60, 100, 130])
def test_a_cut_in_is_opened_gently(speed, slower, gap):
    lead = Lead(gap, (speed - slower) * KMH)
    car = Car(-LENGTH, speed * KMH, speed * KMH)
    for i in range(3000):
        if i % 5 == 0:
            car.decide(i * STEP_S, lead)
        car.move()
        lead.step(i * STEP_S)
    assert min(car.column(3)) > 2.0
    assert "FULL" not in car.aeb_states()
    if slower == 0:
        assert min(car.column(2)) > -1.2


def test_free_road_reaches_the_set_speed_without_overshoot():
    car = Car(0.0, 10.0, 30.0)
    for i in range(6000):
        if i % 5 == 0:
            car.decide(i * STEP_S)
        car.move()
    assert max(car.column(1)) < 30.5
    assert car.rows[-1][1] == pytest.approx(30.0, abs=0.5)
    assert max(car.column(2)) <= AccParams().accel_mps2 + 0.01


def test_requests_stay_in_the_envelope_and_its_jerk():
    limits = LIMITS.longitudinal
    _, (car,) = platoon(lambda t: -5.0 if 5.0 < t < 9.0 else 2.0, 30.0, setting=0, seconds=20)
    requests = [(row[1], row[4].request.accel_mps2) for row in car.rows if row[4].request.accel_mps2 is not None]
    for (v, a), (_, b) in zip(requests, requests[1:], strict=False):
        assert -limits.decel_max(v) - 0.05 <= a <= limits.accel_max(v)
        assert abs(b - a) <= limits.jerk_max(v) * CYCLE_S + 0.05


# --- stop and go ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [0, 1, 2])
def test_stops_behind_the_lead_holds_and_waits_for_the_driver(setting):
    def accel(t):
        return -2.5 if 5.0 < t < 10.0 else (1.5 if 30.0 < t < 40.0 else 0.0)

    _, (car,) = platoon(accel, 12.0, setting=setting, seconds=36)
    held = [row for row in car.rows if row[4].state.state == "HOLD"]
    assert held[0][0] < 9.8 + 5.0
    assert 2.0 <= held[0][3] <= 5.0
    assert car.rows[-1][4].state.state == "HOLD"
    assert car.rows[-1][4].state.reason == "WAITS_FOR_DRIVER"
    assert car.rows[-1][4].request.accel_mps2 < 0.0


def stopped(lead_speed=0.0) -> tuple[Acc, float]:
    """An ACC that has just gone to HOLD, and the time."""
    acc = Acc(AccParams(), LIMITS)
    for i in range(12):
        decision = press(acc, i * CYCLE_S, speed=0.0, lead=(3.5, lead_speed), acc_set=i == 1)
    assert decision.state.state == "HOLD"
    return acc, 12 * CYCLE_S


def press(acc, t, *, speed=20.0, lead=None, lanes=None, ego=None, objects=None, **driver) -> Decision:
    now = at(t)
    objects = objects or (objects_of(now, lead[0], lead[1], 0.0) if lead else Objects(now))
    return acc.step(now, replace(ego or EgoState(0, speed), stamp_ns=now), DriverInput(now, **driver), objects, lanes)


def test_drives_off_with_the_lead_within_three_seconds():
    acc, t = stopped()
    assert press(acc, t, speed=0.0, lead=(4.0, 1.5)).state.state == "ACTIVE"


def test_later_the_driver_must_say_go():
    acc, t = stopped()
    assert press(acc, t + 4.0, speed=0.0, lead=(8.0, 3.0)).state.reason == "WAITS_FOR_DRIVER"
    assert press(acc, t + 4.1, speed=0.0, lead=(9.0, 3.0), acc_resume=True).state.state == "ACTIVE"


def test_go_with_the_lead_still_standing_waits_for_it():
    acc, t = stopped()
    assert press(acc, t + 4.0, speed=0.0, lead=(3.5, 0.0), acc_resume=True).state.state == "HOLD"
    assert press(acc, t + 5.0, speed=0.0, lead=(4.5, 1.5)).state.state == "ACTIVE"


def test_does_not_drive_off_with_an_open_door():
    acc, t = stopped()
    assert press(acc, t, speed=0.0, lead=(4.0, 1.5), door_open=True).state.state == "HOLD"


def test_accelerator_leaves_the_hold():
    acc, t = stopped()
    assert press(acc, t, speed=0.0, lead=(3.5, 0.0), accelerator=0.2).state.state == "OVERRIDE"


# --- driver and states ------------------------------------------------------------------------------------


def active(speed=20.0, params=None, **kwargs) -> Acc:
    acc = Acc(params or AccParams(), LIMITS)
    press(acc, 0.0, speed=speed, **kwargs)
    press(acc, 0.05, speed=speed, acc_set=True, **kwargs)
    assert press(acc, 0.1, speed=speed, **kwargs).state.state == "ACTIVE"
    return acc


def test_starts_in_standby_and_a_button_held_at_start_is_no_press():
    acc = Acc(AccParams(), LIMITS)
    states = [press(acc, 0.05 * i, acc_set=True).state for i in range(3)]
    assert [s.state for s in states] == ["STANDBY"] * 3
    assert "set_speed_mps" not in states[0].values


@pytest.mark.parametrize(
    ("driver", "reason"),
    [({"brake": 0.2}, "DRIVER_BRAKE"), ({"acc_cancel": True}, "DRIVER_CANCEL"), ({"door_open": True}, "DOOR")],
)
def test_the_driver_ends_it_at_once(driver, reason):
    acc = active()
    decision = press(acc, 0.15, **driver)
    assert (decision.state.state, decision.state.reason) == ("STANDBY", reason)
    assert decision.request.accel_mps2 is None
    # Only a new press starts it again, and resume brings the old set speed back.
    assert press(acc, 0.2, speed=15.0).state.state == "STANDBY"
    again = press(acc, 0.25, speed=15.0, acc_resume=True)
    assert again.state.state == "ACTIVE"
    assert again.state.values["set_speed_mps"] == 20.0


@pytest.mark.parametrize("driver", [{"brake": 0.2}, {"door_open": True}])
def test_does_not_start_against_the_driver(driver):
    acc = Acc(AccParams(), LIMITS)
    press(acc, 0.0)
    assert press(acc, 0.05, acc_set=True, **driver).state.state == "STANDBY"


def test_accelerator_overrides_and_its_release_gives_control_back():
    acc = active()
    decision = press(acc, 0.15, accelerator=0.4)
    assert (decision.state.state, decision.state.reason) == ("OVERRIDE", "DRIVER_ACCELERATOR")
    assert decision.request.accel_mps2 is None
    assert press(acc, 0.2).state.state == "ACTIVE"
    press(acc, 0.25, accelerator=0.4)
    assert press(acc, 0.3, accelerator=0.4, brake=0.2).state.state == "STANDBY"


def test_set_speed_is_capped_raised_and_lowered():
    acc = Acc(AccParams(), LIMITS)
    press(acc, 0.0, speed=3.0)
    low = press(acc, 0.05, speed=3.0, acc_resume=True)
    assert low.state.values["set_speed_mps"] == 8.33
    press(acc, 0.1, speed=3.0)
    assert press(acc, 0.15, speed=3.0, acc_resume=True).state.values["set_speed_mps"] == pytest.approx(11.11)
    press(acc, 0.2, speed=3.0)
    assert press(acc, 0.25, speed=50.0, acc_set=True).state.values["set_speed_mps"] == 41.7


def test_gap_button_cycles_the_settings():
    acc = active()
    gaps = [press(acc, 0.2 + 0.1 * i, acc_gap=i % 2 == 0).state.values["time_gap_s"] for i in range(6)]
    assert gaps == [2.0, 2.0, 1.0, 1.0, 1.5, 1.5]


def test_reverse_gear_is_off_without_alarm():
    decision = press(active(), 0.15, ego=EgoState(0, 1.0, gear=Gear.REVERSE))
    assert (decision.state.state, decision.state.reason, decision.state.level) == ("OFF", "GEAR", Level.OK)


# --- which object leads -----------------------------------------------------------------------------------


def car_at(x, y, v=15.0, i=1, **extra) -> Track:
    extra = {"age": 50, "sources": BOTH, "label": ObjectClass.CAR} | extra
    return Track(i, x, y, v, extra.pop("vy", 0.0), **extra)


def target(tracks, *, lanes=None, yaw_rate=0.0, steps=3, speed=20.0) -> float:
    acc = Acc(AccParams(), LIMITS)
    for i in range(steps):
        now = at(i * CYCLE_S)
        ego = EgoState(now, speed, yaw_rate_radps=yaw_rate)
        seen = replace(lanes, stamp_ns=now) if lanes else None
        decision = acc.step(now, ego, DriverInput(now), Objects(now, tuple(tracks)), seen)
    return decision.state.values["target_id"]


def road(curvature, *, left=True, right=True, reach=100.0) -> LaneLines:
    both = [replace(line, x_max=reach) for line in lines(0.0, 0.0, curvature, 3.5)]
    return LaneLines(1, both[0] if left else None, both[1] if right else None)


def test_the_nearest_object_in_the_lane_leads():
    tracks = [car_at(60.0, 0.2, i=1), car_at(40.0, 0.2, i=2), car_at(30.0, 3.5, i=3), car_at(-20.0, 0.0, i=4)]
    assert target(tracks) == 2.0
    assert target([tracks[2], tracks[3]]) == -1.0


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("radius", "speed"), [(125.0, 40), (250.0, 60), (500.0, 80)])
def test_in_a_curve_the_own_lane_counts(radius, speed, side):
    x = 40.0
    y = side * x * x / (2 * radius)
    own, other = car_at(x, y, 10.0, i=1), car_at(x - 8.0, side * (x - 8.0) ** 2 / (2 * radius) - 3.5 * side, 10.0, i=2)
    lanes = road(side / radius)
    yaw_rate = side * speed * KMH / radius
    assert target([own, other], lanes=lanes) == 1.0, "lanes only, as at the entry of the curve"
    assert target([own, other], yaw_rate=yaw_rate, speed=speed * KMH) == 1.0, "arc only"
    for keep in ({"left": False}, {"right": False}):
        assert target([own, other], lanes=road(side / radius, **keep), yaw_rate=yaw_rate, speed=speed * KMH) == 1.0


def test_a_line_is_not_believed_far_beyond_where_it_is_seen():
    bent = road(1 / 100.0, reach=20.0)
    assert target([car_at(60.0, 0.0, i=1)], lanes=bent) == 1.0


def test_a_standing_radar_object_beyond_the_lines_does_not_lead():
    post = car_at(85.0, 0.0, 0.0, age=30, sources=Sensor.RADAR)
    assert target([post], lanes=road(0.0, reach=50.0), steps=20) == -1.0
    assert target([post], lanes=road(0.0, reach=90.0), steps=20) == 1


def test_a_car_cutting_in_counts_before_its_middle_is_over_the_line():
    assert target([car_at(30.0, 2.2, vy=-0.8)]) == 1.0
    assert target([car_at(30.0, 2.2, vy=0.0)]) == -1.0
    assert target([car_at(30.0, -2.2, vy=0.8)]) == 1.0


def test_the_lead_is_kept_a_little_farther_out_than_it_is_taken():
    acc = Acc(AccParams(), LIMITS)
    ids = []
    for i, y in enumerate([1.5, 1.5, 1.2, 1.5, 1.9]):
        ids.append(
            press(acc, i * CYCLE_S, objects=Objects(at(i * CYCLE_S), (car_at(40.0, y),))).state.values["target_id"]
        )
    assert ids == [-1.0, -1.0, 1.0, 1.0, -1.0]


def test_oncoming_cars_signs_and_new_tracks_do_not_lead():
    assert target([car_at(60.0, 0.0, -20.0)]) == -1.0
    assert target([car_at(60.0, 0.0, 0.0, label=ObjectClass.TRAFFIC_SIGN)]) == -1.0
    assert target([car_at(60.0, 0.0, age=2)]) == -1.0


def test_a_standing_object_needs_camera_motion_or_patience():
    radar = {"v": 0.0, "sources": Sensor.RADAR, "label": ObjectClass.UNKNOWN}
    assert target([car_at(60.0, 0.0, age=5, **radar)]) == -1.0
    assert target([car_at(60.0, 0.0, age=30, **radar)]) == 1.0
    assert target([car_at(60.0, 0.0, age=5, v=0.0)]) == 1.0
    acc = Acc(AccParams(), LIMITS)
    press(acc, 0.0, objects=Objects(at(0.0), (car_at(60.0, 0.0, age=4, **(radar | {"v": 5.0})),)))
    stopped_now = Objects(at(0.05), (car_at(60.0, 0.0, age=5, **radar),))
    assert press(acc, 0.05, objects=stopped_now).state.values["target_id"] == 1.0


def test_a_second_track_of_the_lead_by_the_camera_alone_does_not_lead():
    """Its speed begins with zero: braked for as for a standing car, it stopped one CARLA drive in three."""
    lead = car_at(80.0, 0.0, 14.0, i=1)
    guess = car_at(70.0, 0.0, 0.1, i=2, sources=Sensor.CAMERA)
    assert target([lead, guess], steps=20) == 1.0
    assert target([lead, replace(guess, sources=BOTH)]) == 2.0
    assert target([lead, replace(guess, x_m=35.0)], steps=20) == 2.0, "no camera errs that much"


def test_who_stands_before_the_lead_is_braked_for_before_the_lead_has_left():
    def lowest(*tracks):
        acc, found = active(25.0), 0.0
        for i in range(40):
            t = 0.15 + i * CYCLE_S
            decision = press(acc, t, speed=25.0, objects=Objects(at(t), tracks))
            found = min(found, decision.request.accel_mps2)
        return found

    lead, standing = car_at(60.0, 0.0, 25.0, i=1), car_at(100.0, 0.0, 0.0, i=2)
    assert lowest(lead) == 0.0
    assert lowest(lead, standing) == pytest.approx(-3.5)
    assert lowest(lead, replace(standing, sources=Sensor.RADAR)) == 0.0, "a manhole cover under the lead"


def test_a_car_that_radar_does_not_see_leads_late():
    guess = car_at(60.0, 0.0, 10.0, i=2, sources=Sensor.CAMERA)
    assert target([replace(guess, age=9)]) == -1.0
    assert target([replace(guess, age=10)]) == 2.0
    assert target([replace(guess, age=3, label=ObjectClass.PEDESTRIAN)]) == 2.0, "whom radar may miss"


def test_a_doubtful_standing_object_is_braked_for_gently():
    def hardest(sources, label=ObjectClass.UNKNOWN):
        acc, lowest = active(25.0), 0.0
        for i in range(40):
            t = 0.15 + i * CYCLE_S
            item = car_at(45.0, 0.0, 0.0, sources=sources, label=label)
            decision = press(acc, t, speed=25.0, objects=Objects(at(t), (item,)))
            lowest = min(lowest, decision.request.accel_mps2)
        return lowest

    assert hardest(Sensor.RADAR) == hardest(Sensor.CAMERA, ObjectClass.CAR) == -2.0
    assert hardest(BOTH) == hardest(Sensor.CAMERA, ObjectClass.PEDESTRIAN) == pytest.approx(-3.5)


# --- curves -----------------------------------------------------------------------------------------------


def test_slows_down_for_a_curve_ahead():
    acc = active(30.0)
    ahead = LaneLine((1.75, 0.0, 0.0, 1 / 150 / 6 / 60.0), 0.0, 90.0)
    for i in range(40):
        t = 0.15 + i * CYCLE_S
        decision = press(acc, t, speed=30.0, lanes=LaneLines(at(t), ahead))
    assert decision.state.reason == "CURVE"
    assert -1.5 <= decision.request.accel_mps2 < -0.5
    assert decision.state.state == "ACTIVE"


# --- missing and bad input --------------------------------------------------------------------------------


def test_off_with_a_reason_when_something_is_missing():
    now = at(0.0)
    ego, driver, objects = EgoState(now, 20.0), DriverInput(now), Objects(now)
    cases = [
        (None, driver, objects, "EGO_STALE"),
        (replace(ego, yaw_rate_radps=math.nan), driver, objects, "EGO_STALE"),
        (ego, None, objects, "DRIVER_STALE"),
        (ego, replace(driver, brake=math.nan), objects, "DRIVER_STALE"),
        (ego, driver, None, "OBJECTS_STALE"),
    ]
    for e, d, o, reason in cases:
        decision = Acc(AccParams(), LIMITS).step(now, e, d, o, None)
        assert (decision.state.state, decision.state.reason) == ("OFF", reason)
        assert decision.state.level is Level.WARN
        assert decision.request.accel_mps2 is None


def test_without_objects_it_never_accelerates_and_soon_goes_off():
    acc = active(20.0)
    for i in range(20):
        decision = press(acc, 0.15 + i * CYCLE_S, speed=12.0)
    assert decision.request.accel_mps2 > 1.0
    last = at(0.15 + 19 * CYCLE_S)
    states = []
    for i in range(1, 40):
        now = last + nanoseconds(i * CYCLE_S)
        decision = acc.step(now, EgoState(now, 12.0), DriverInput(now), Objects(last), None)
        assert decision.request.stamp_ns == last
        if seconds(now - last) > 0.9:
            assert (decision.request.accel_mps2 or 0.0) <= 0.0
        states.append((decision.state.state, decision.state.reason, decision.state.level))
    assert ("ACTIVE", "OBJECTS_STALE", Level.WARN) in states
    assert states[-1] == ("OFF", "OBJECTS_STALE", Level.WARN)
    # What comes back is standby, not control.
    assert press(acc, 10.0).state.state == "STANDBY"


def test_a_clock_that_jumps_moves_no_actuator():
    acc = active(20.0)
    before = press(acc, 0.15).request.accel_mps2
    assert press(acc, 5.15, speed=10.0).request.accel_mps2 - before <= 0.51
    back = press(acc, 1.0, speed=10.0).request.accel_mps2
    assert back == press(acc, 0.5, speed=10.0).request.accel_mps2


anything = st.floats(allow_nan=True, allow_infinity=True, width=32)
tracks = st.builds(
    Track, st.integers(0, 3), anything, anything, anything, anything, anything, anything, anything, anything,
    age=st.integers(0, 50),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(tracks, max_size=3), anything, st.lists(anything, min_size=4, max_size=4))
def test_any_numbers_give_a_request_within_the_envelope(items, speed, line):
    acc = active(20.0)
    for i in range(3):
        now = at(0.15 + i * CYCLE_S)
        lanes = LaneLines(now, LaneLine(tuple(line), 0.0, 50.0))
        decision = acc.step(now, EgoState(now, speed), DriverInput(now), Objects(now, tuple(items)), lanes)
        accel = decision.request.accel_mps2
        assert accel is None or -5.0 <= accel <= 4.0
        assert all(map(math.isfinite, decision.state.values.values()))


@settings(max_examples=60, deadline=None)
@given(st.floats(5.0, 150.0), st.floats(5.0, 150.0), st.floats(0.0, 40.0), st.floats(5.0, 40.0))
def test_a_smaller_gap_never_asks_for_more_acceleration(a, b, lead, speed):
    def request(gap):
        acc = active(speed, lead=(200.0, 40.0))
        for i in range(60):
            decision = press(acc, 0.15 + i * CYCLE_S, speed=speed, lead=(gap, lead))
        return decision.request.accel_mps2

    assert request(min(a, b)) <= request(max(a, b)) + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.floats(10.0, 80.0), st.floats(-4.0, 4.0), st.floats(-1.0, 1.0), st.floats(-0.02, 0.02))
def test_left_and_right_are_alike(x, y, vy, curvature):
    def chosen(sign):
        lanes = road(sign * curvature)
        return target([car_at(x, sign * y, vy=sign * vy)], lanes=lanes, yaw_rate=sign * 20.0 * curvature)

    assert chosen(1.0) == chosen(-1.0)


def test_vehicle_length_is_the_harness_length():
    assert pytest.approx(LENGTH) == VEHICLE.length_m
