"""Alerts: every warning that functions and monitor can raise has its words; who is shown, how long, in which order."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception import types as t
from adas_perception.alerts import (
    ANY,
    FAULT,
    LANGUAGES,
    SAFETY,
    TAKE_OVER,
    AlertBook,
    Priority,
    Situation,
    Sound,
    find,
    load_alerts,
    situations,
)
from adas_perception.functions import acc_states, aeb_states, bsd, lka
from adas_perception.functions.apa import states as apa_states
from adas_perception.params import ParameterError
from adas_perception.pipeline import load_pipeline
from adas_perception.resources import config_path
from adas_perception.safety import faults
from adas_perception.safety.faults import Fault, FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.safety.pace import SUBJECT
from adas_perception.sim.loop import drive
from adas_perception.sim.scenarios import scenario
from adas_perception.sim.world import World

TABLE = load_alerts(config_path("alerts.yaml"))
ENUMS = {
    "acc": (acc_states.State, acc_states.Reason),
    "aeb": (aeb_states.State, aeb_states.Reason),
    "lka": (lka.State, lka.Reason),
    "bsd": (bsd.State, bsd.Reason),
    "apa": (apa_states.State, apa_states.Reason),
}
STALE = ("EGO_STALE", "DRIVER_STALE", "OBJECTS_STALE")
HANDS = ("HANDS_OFF", "HANDS_OFF_ALARM")
ABORTS = (
    "SENSOR_SILENT", "DRIVER_STALE", "CANCELLED", "TOO_FAST", "DRIVER_SHIFTS", "DRIVER_STEERS", "DRIVER_BRAKES",
    "DRIVER_ACCELERATES", "DOOR_OPEN", "BLOCKED", "OFF_PATH", "EGO_STALE", "ECHOES_STALE",
)  # fmt: skip
# States at the levels WARN and ERROR with the reasons they can have, as the functions have them.
WARNINGS = {
    ("acc", "ACTIVE"): ("TAKE_OVER", "OBJECTS_STALE"),
    ("acc", "OFF"): STALE,
    ("aeb", "WARN"): ("THREAT",),
    ("aeb", "PARTIAL"): ("THREAT",),
    ("aeb", "FULL"): ("THREAT",),
    ("aeb", "HOLD"): ("STANDSTILL",),
    ("aeb", "OFF"): ("EGO_STALE", "OBJECTS_STALE"),
    ("lka", "WARN"): ("DEPARTURE",),
    ("lka", "ACTIVE"): ("DEPARTURE", "RETURNING", "FALLBACK", *HANDS),
    ("lka", "READY"): HANDS,
    ("lka", "DEGRADED"): ("ONE_LINE", "NO_LINES", "LANE_WIDTH", "LANES_STALE", *HANDS),
    ("lka", "OFF"): ("EGO_STALE", "DRIVER_STALE", "HANDS_OFF_END"),
    ("bsd", "WARN"): ("OCCUPIED", "INDICATED"),
    ("bsd", "OFF"): ("EGO_STALE", "OBJECTS_STALE", "REAR_RADARS_STALE"),
    ("apa", "SEARCH"): ("SENSOR_SILENT",),
    ("apa", "OFFERED"): ("SENSOR_SILENT", "STOP_FIRST", "NO_PATH"),
    ("apa", "ABORTED"): ABORTS,
    ("apa", "OFF"): ("EGO_STALE", "ECHOES_STALE"),
}
INPUTS = (faults.FRONT_RADAR, faults.REAR_RADARS, faults.LANES, faults.ECHOES, faults.VEHICLE, faults.DRIVER)
SUBJECTS = (*INPUTS, *faults.NODES, *(f.value for f in t.Function), "front_left", "front_right", SUBJECT)


def warning_situations() -> set[Situation]:
    return {Situation(*key, reason) for key, reasons in WARNINGS.items() for reason in reasons}


def loud(states) -> set[Situation]:
    return {Situation(s.function.value, s.state, s.reason) for s in states if s.level in (t.Level.WARN, t.Level.ERROR)}


@pytest.mark.parametrize("situation", sorted(warning_situations()), ids=str)
def test_every_warning_of_a_function_has_an_alert(situation):
    assert find(TABLE, situation), f"{situation} has no entry in config/alerts.yaml"


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_of_whatever_subject_has_an_alert(kind):
    assert all(find(TABLE, Situation(FAULT, kind.name, subject)) for subject in SUBJECTS)


def test_every_mode_but_normal_and_every_takeover_has_an_alert():
    assert all(find(TABLE, Situation(SAFETY, mode.name, TAKE_OVER)) for mode in Mode)
    assert [m for m in Mode if not find(TABLE, Situation(SAFETY, m.name))] == [Mode.NORMAL]


def test_every_key_is_a_state_and_a_reason_that_exist():
    for source, state, reason in TABLE:
        if source == FAULT:
            assert state in FaultKind.__members__ and reason in (*SUBJECTS, ANY)
        elif source == SAFETY:
            assert state in Mode.__members__ and reason in (TAKE_OVER, ANY)
        else:
            states, reasons = ENUMS[source]
            assert state in states.__members__ and reason in (*reasons.__members__, ANY), (source, state, reason)


@pytest.mark.parametrize("seed", range(4))
def test_what_the_functions_say_when_inputs_come_and_go_is_in_the_list_above(seed):
    """The list of warnings is honest: samples at random, missing, late and odd, raise no other."""
    rng = random.Random(seed)
    heard: set[Situation] = set()
    for _ in range(6):
        pipeline = load_pipeline()
        habit = {kind: rng.random() for kind in (t.EgoState, t.DriverInput, t.RadarScan, t.LaneLines, "hands")}
        world = World(scenario(rng.choice(("short_brake", "short_drift", "short_blind_spot"))), seed)
        for tick in range(60):
            world.step(0.05)
            samples = [world.ego(), world.driver_input(), *map(world.radar, ("front", "rear_left", "rear_right"))]
            samples += [world.lanes(), *world.ultrasonics()]
            kept = [s for s in samples if rng.random() < 0.3 + habit.get(type(s), 1.0)]
            changed = [_odd(rng, s) if rng.random() < 0.1 else s for s in kept]
            output = pipeline.step(world.stamp_ns, changed)
            heard |= loud(d.state for d in output.decisions.values())
            assert all(find(TABLE, s) for s in heard)
            assert tick or output
    assert heard <= warning_situations(), heard - warning_situations()
    assert len(heard) > 5


def _odd(rng: random.Random, sample):
    if isinstance(sample, t.EgoState):
        return dataclasses.replace(sample, gear=rng.choice(list(t.Gear)), speed_mps=rng.choice((0.0, 5.0, 30.0)))
    if isinstance(sample, t.DriverInput):
        return dataclasses.replace(sample, acc_set=True, hands_on=False, indicator=rng.choice(list(t.Indicator)))
    if isinstance(sample, t.LaneLines):
        return dataclasses.replace(sample, left=rng.choice((None, sample.left)))
    return sample


def test_a_drive_raises_alerts_and_ends_without():
    book, shown = AlertBook(TABLE), []
    world = World(scenario("short_stopped"))
    for output in drive(world, load_pipeline(camera=world.camera)):
        states = [d.state for d in output.decisions.values()]
        safety = output.safety
        alerts = book.step(output.now_ns, situations(states, safety.mode, safety.takeover, safety.faults))
        shown += [a.en.heading for a in alerts if a.en.heading not in shown]
    assert "Emergency braking" in shown


@pytest.mark.parametrize("alert", sorted(set(TABLE.values()), key=lambda a: a.en), ids=lambda a: a.en.heading)
def test_the_words_are_short_and_in_their_language(alert):
    for language in LANGUAGES:
        heading, message = alert.words(language)
        assert 2 <= len(heading) <= 34 and 2 <= len(message) <= 40
    assert all(ord(c) < 128 for text in alert.en for c in text)
    assert all(any("가" <= c <= "힣" for c in text) for text in alert.ko)
    assert (alert.sound is Sound.URGENT) <= (alert.priority <= Priority.WARNING)


# --- the book ---

S = t.NS_PER_S
BRAKING = Situation("aeb", "FULL", "THREAT")  # 2 s at least
CANCELLED = Situation("acc", "STANDBY", "DRIVER_BRAKE")  # information of 3 s
UNKNOWN = Situation("acc", "STANDBY", "READY")


def headings(alerts) -> list[str]:
    return [alert.en.heading for alert in alerts]


def test_a_warning_stays_as_long_as_its_situation_and_its_shortest_time():
    book = AlertBook(TABLE)
    assert headings(book.step(10 * S, [BRAKING])) == ["Emergency braking"]
    assert headings(book.step(11 * S, [])) == ["Emergency braking"]
    assert headings(book.step(12 * S, [])) == []
    assert book.step(13 * S, [BRAKING]) and book.step(60 * S, [BRAKING])
    assert book.step(60 * S + 1, []) == ()


def test_information_goes_after_its_time_and_comes_again_with_the_next_occasion():
    book = AlertBook(TABLE)
    assert book.step(10 * S, [CANCELLED]) and book.step(12 * S, [CANCELLED])
    assert book.step(13 * S, [CANCELLED]) == () == book.step(20 * S, [CANCELLED])
    assert book.step(21 * S, [UNKNOWN]) == ()
    assert book.step(22 * S, [CANCELLED])


def test_the_most_urgent_comes_first_and_the_same_words_only_once():
    everybody = [Situation(f, "OFF", "EGO_STALE") for f in ("acc", "aeb", "lka", "bsd", "apa")]
    alerts = AlertBook(TABLE).step(S, [CANCELLED, *everybody, BRAKING])
    assert headings(alerts) == ["Emergency braking", "Driver assistance not available", "Cruise control cancelled"]


def test_a_clock_that_steps_back_leaves_nothing_behind():
    book = AlertBook(TABLE)
    book.step(100 * S, [BRAKING])
    assert book.step(50 * S, []) == ()
    assert book.step(51 * S, [BRAKING]) and book.step(53 * S, []) == ()


@given(st.lists(st.tuples(st.integers(0, 3 * S), st.sets(st.sampled_from(sorted(TABLE)))), max_size=20))
def test_alerts_are_sorted_and_a_raised_warning_is_always_shown(steps):
    book, now_ns = AlertBook(TABLE), 0
    for wait_ns, seen in steps:
        now_ns += wait_ns
        alerts = book.step(now_ns, seen)
        assert [a.priority for a in alerts] == sorted(a.priority for a in alerts)
        assert len(set(alerts)) == len(alerts)
        assert {a for s in seen if (a := find(TABLE, s)) and a.priority < Priority.INFORMATION} <= set(alerts)


def test_situations_name_functions_mode_and_faults_and_skip_what_is_stale():
    states = [
        t.FunctionState(t.Function.AEB, 0, t.Level.ERROR, "FULL", "THREAT"),
        t.FunctionState(t.Function.ACC, 0, t.Level.STALE, "ACTIVE", "FOLLOWING"),
    ]
    found = situations(states, Mode.FALLBACK, True, [Fault(FaultKind.NODE_SILENT, "radar")])
    assert found == (BRAKING, Situation("safety", "FALLBACK", "TAKE_OVER"), Situation("fault", "NODE_SILENT", "radar"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("acc: 5", "acc: '5' is no mapping"),
        ("acc: {ACTIVE: {X: {priority: 1}}}", "acc.ACTIVE.X: has priority; needed are exactly"),
        ("acc: {A: {X: {priority: 9, sound: none, duration_s: 1, en: [a, b], ko: [a, b]}}}", "9 is not a valid"),
        ("acc: {A: {X: {priority: 1, sound: boo, duration_s: 1, en: [a, b], ko: [a, b]}}}", "'boo' is not a valid"),
        ("acc: {A: {X: {priority: 1, sound: none, duration_s: 0, en: [a, b], ko: [a, b]}}}", "outside 0..60"),
        ("acc: {A: {X: {priority: 1, sound: none, duration_s: 1, en: [a, b, c], ko: [a, b]}}}", "[heading, message]"),
        ("acc: {A: {X: {priority: 1, sound: none, duration_s: 1, en: [a, b: c], ko: [a, b]}}}", "[heading, message]"),
    ],
)
def test_a_wrong_table_is_named_with_its_place(tmp_path, text, says):
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError) as error:
        load_alerts(path)
    assert says in str(error.value) and str(path) in str(error.value)
