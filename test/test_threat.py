"""How far ahead AEB believes in the way of others: traffic against us, and traffic across."""

from __future__ import annotations

import math

import pytest

from adas_perception.functions.path import Arc, neighbour
from adas_perception.functions.threat import ThreatModel, ThreatParams, Urgency
from adas_perception.params import Vehicle
from adas_perception.types import ObjectClass, Sensor, Track

P, CAR = ThreatParams(), Vehicle()


def urgency(x: float, y: float, vx: float, vy: float, speed: float) -> Urgency:
    track = Track(
        1, x, y, vx, vy, 0.0, math.atan2(vy, vx), 4.5, 1.8, 1.5, ObjectClass.CAR, 0.9, Sensor.RADAR | Sensor.CAMERA, 30
    )
    return ThreatModel(P, CAR).assess(neighbour(track, Arc(0.0)), Arc(0.0), speed, 0.0).urgency


@pytest.mark.parametrize(("time_s", "threat"), [(P.head_on_s - 0.2, True), (P.head_on_s + 0.2, False)])
def test_traffic_against_us_is_a_threat_only_just_before_contact(time_s, threat):
    gap = (15.0 + 15.0) * time_s
    assert (urgency(CAR.front_x_m + gap + 2.25, 0.5, -15.0, 0.0, 15.0) > Urgency.NONE) is threat


@pytest.mark.parametrize(("time_s", "threat"), [(P.head_on_drift_s - 0.1, True), (P.head_on_drift_s + 0.3, False)])
def test_the_drift_of_traffic_against_us_is_believed_only_just_before_contact(time_s, threat):
    """Of a lorry in the next lane another end is seen from near, and for a moment it seems to come over the line."""
    gap, drift = (14.0 + 11.3) * time_s, -1.2
    y = (CAR.width_m + 1.8) / 2.0 - 0.3 - drift * time_s  # it overlaps the path when it arrives
    assert (urgency(CAR.front_x_m + gap + 2.25, y, -11.3, drift, 14.0) > Urgency.NONE) is threat


@pytest.mark.parametrize(("time_s", "threat"), [(P.crossing_s - 0.4, True), (P.crossing_s + 0.4, False)])
def test_where_crossing_traffic_will_be_later_nobody_knows(time_s, threat):
    # It meets our front after ``time_s`` and may stop there; at this speed the driver must have begun to brake.
    speed, across = 40.0, 4.0
    x = CAR.front_x_m + speed * time_s + 0.9
    assert (urgency(x, -across * time_s, 0.0, across, speed) > Urgency.NONE) is threat


@pytest.mark.parametrize(("gap_m", "threat"), [(P.oncoming_m - 5.0, True), (P.oncoming_m + 5.0, False)])
def test_far_traffic_against_us_may_follow_a_bend(gap_m, threat):
    # 22 degrees off head-on, on its way to meet our front.
    along, across, speed = -22.0, -9.0, 25.0
    x = CAR.front_x_m + gap_m + 2.25
    assert (urgency(x, -across * gap_m / (speed - along), along, across, speed) > Urgency.NONE) is threat


def test_left_and_right_are_alike():
    assert urgency(30.0, -12.0, 0.0, 8.0, 14.0) == urgency(30.0, 12.0, 0.0, -8.0, 14.0)
