"""Looking at the stack: messages, rates and ages, what is drawn, bags and simulated drives."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from adas_perception import types as t
from adas_perception.alerts import load_alerts
from adas_perception.params import ParameterError
from adas_perception.perception.camera import CameraModel
from adas_perception.pipeline import load_config
from adas_perception.replay.bags import BagWriter
from adas_perception.replay.outputs import FORMS, full_name
from adas_perception.replay.topics import Mounting
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.convert.messages import DiagnosticArray, DiagnosticStatus, KeyValue
from adas_perception.ros.table import NODES
from adas_perception.safety.chain import SafetyOutput
from adas_perception.safety.faults import Fault, FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.view import drawing, primitives
from adas_perception.view.board import Board
from adas_perception.view.primitives import Note
from adas_perception.view.reading import (
    SCENE,
    TERMINAL,
    TOPIC_TYPES,
    Health,
    MessageReader,
    Poses,
    SafetyView,
    Seen,
    faults_in,
)
from adas_perception.view.show import Show, Timeline
from adas_perception.view.sources import from_bags, from_simulation

MS = 1_000_000
TABLE = load_alerts(config_path("alerts.yaml"))
CAMERA = CameraModel.from_fov(640, 360, 1.2)
PUBLISHED = {topic for node in NODES for topic in node.writes} | {"heartbeat"}
READ = {topic for node in NODES for topic in node.reads}


def board_of(*seen: tuple[int, str, object]) -> Board:
    board = Board(TABLE)
    for sample in seen:
        board.take(*sample)
    return board


# --- reading ---


def test_every_topic_is_in_the_node_table_and_has_a_type():
    assert set(TOPIC_TYPES) <= PUBLISHED | READ
    assert set(TERMINAL) <= set(SCENE) <= set(TOPIC_TYPES)


def test_faults_are_read_back_from_the_reason_that_the_monitor_writes():
    faults = tuple(Fault(kind, f"node {number}") for number, kind in enumerate(FaultKind))
    output = SafetyOutput(t.Command(0), Mode.DEGRADED, frozenset(), faults, ())
    assert set(faults_in(output.reason)) == set(faults)
    assert faults_in("ok") == ()


def test_messages_become_samples():
    reader = MessageReader(Mounting())
    output = SafetyOutput(t.Command(0), Mode.FALLBACK, frozenset({t.Function.AEB}), (), (), takeover=True)
    safety = reader.sample("safety/state", convert.from_safety(5, output))
    assert safety == SafetyView(5, Mode.FALLBACK, True, "none", "none", ("aeb",), "ok")
    beat = DiagnosticStatus(level=b"\1", name="radar", message="slow", values=[KeyValue(key="n", value="3")])
    assert reader.sample("heartbeat", beat) == Health("radar", t.Level.WARN, "slow", {"n": 3.0})
    path = reader.sample("parking/path", convert.from_path(7, [(1.0, 2.0, 0.5)]))
    assert path.stamp_ns == 7 and path.items[0] == pytest.approx((1.0, 2.0, 0.5))


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("heartbeat", DiagnosticStatus(values=[KeyValue(key="a", value="?")])),
        ("safety/state", DiagnosticArray(status=[DiagnosticStatus(message="SLEEPY")])),
        ("acc/state", DiagnosticArray()),
    ],
)
def test_a_message_that_makes_no_sense_is_a_named_error(topic, message):
    with pytest.raises(convert.ConvertError):
        MessageReader(Mounting()).sample(topic, message)


# --- the board ---


def test_rates_come_from_the_spacing_and_ages_from_the_exposure():
    board = board_of(*((n * 50 * MS, "lanes", t.LaneLines(n * 50 * MS - 30 * MS)) for n in range(1, 41)))
    assert board.rate_hz("lanes", 2000 * MS) == pytest.approx(20.0)
    assert board.age_s("lanes", 2000 * MS) == pytest.approx(0.030)
    assert board.rate_hz("lanes", 5000 * MS) == 0.0
    assert board.age_s("objects", 0) == math.inf == board.quiet_s("objects", 0)


def test_a_clock_that_steps_back_starts_the_rates_anew():
    board = board_of((10_000 * MS, "lanes", t.LaneLines(0)), (100 * MS, "lanes", t.LaneLines(0)))
    board.take(200 * MS, "lanes", t.LaneLines(0))
    assert board.rate_hz("lanes", 200 * MS) == pytest.approx(10.0)


def test_each_radar_counts_for_itself():
    board = board_of(*((0, "radar/targets", t.RadarTargets(0, name)) for name in ("front", "rear_left")))
    assert {"radar/targets front", "radar/targets rear_left"} <= set(board.latest)


def test_who_is_silent_raises_no_alert_by_the_last_it_said():
    full = t.FunctionState(t.Function.AEB, 0, t.Level.ERROR, "FULL", "THREAT")
    board = board_of((0, "aeb/state", full), (0, "safety/state", SafetyView(0, Mode.NORMAL)))
    assert [a.en.heading for a in board.alerts(0)] == ["Emergency braking"]
    board.take(5000 * MS, "safety/state", SafetyView(0, Mode.NORMAL))
    assert board.alerts(5000 * MS) == ()


# --- what is drawn ---


def placed(primitives) -> dict[str, object]:
    return {primitive.place: primitive for primitive in primitives}


def drawer() -> drawing.Drawer:
    made = drawing.Drawer(drawing.Car.of(load_config()))
    assert made.draw("camera/camera_info", CAMERA) == ()
    return made


def test_from_above_x_points_up_and_y_to_the_left():
    assert primitives.top(np.array([[10.0, 2.0]])).tolist() == [[-2.0, -10.0]]
    box = primitives.rectangle(10.0, 0.0, 0.0, 4.0, 2.0)
    assert np.ptp(box, axis=0) == pytest.approx([2.0, 4.0]) and (box[0] == box[-1]).all()
    turned = primitives.rectangle(0.0, 0.0, math.pi / 2, 4.0, 2.0)
    assert np.ptp(turned, axis=0) == pytest.approx([4.0, 2.0])


def test_lanes_are_drawn_where_the_camera_sees_them():
    left, right = (t.LaneLine((y, 0.0, 0.0, 0.0), 5.0, 60.0, kind=kind) for y, kind in ((1.75, 2), (-1.75, 1)))
    lanes = t.LaneLines(0, replace(left, kind=t.LineKind.DASHED), replace(right, kind=t.LineKind.SOLID))
    found = placed(drawer().draw("lanes", lanes))
    assert len(found["top/lanes"].lines) > 2  # dashes, and one line
    for uv in found["camera/lanes"].lines:
        assert (uv >= 0).all() and (uv < (640, 360)).all() and (uv[:, 1] > CAMERA.horizon_row_px()).all()
    assert placed(drawer().draw("lanes", t.LaneLines(0)))["top/lanes"].lines == ()


def test_tracks_have_a_frame_around_their_pixels_and_only_road_users_have_words():
    car = t.Track(3, 20.0, 0.0, 10.0, 0.0, label=t.ObjectClass.CAR)
    rail = t.Track(4, 15.0, 4.0, 0.0, 0.0)
    behind = replace(car, id=5, x_m=-20.0)
    found = placed(drawer().draw("objects", t.Objects(0, (car, rail, behind))))
    assert found["top/tracks"].labels == ("3 car 36 km/h", "5 car 36 km/h")
    assert len(found["top/things"].lines) == 1
    (frame,) = found["camera/tracks"].lines
    middle = CAMERA.project(np.array([20.0, 0.0, 0.75]))
    assert (frame.min(axis=0) < middle).all() and (middle < frame.max(axis=0)).all()


@pytest.mark.parametrize(("level", "colour"), [(0, drawing.FREE_RGB), (1, drawing.TAKEN_RGB), (2, drawing.WARN_RGB)])
def test_blind_spots_have_the_colour_of_their_lamp(level, colour):
    state = t.FunctionState(t.Function.BSD, 0, t.Level.OK, "WARN", "OCCUPIED", {"right_level": float(level)})
    zones = placed(drawer().draw("bsd/state", state))["top/blind_spots"]
    assert zones.colours == (drawing.FREE_RGB, colour)
    left, right = zones.lines
    assert (left[:, 0] < 0).all() and (right[:, 0] > 0).all()


def test_slots_and_path_stay_on_the_ground_while_the_car_moves():
    made, echoes = drawer(), t.Echoes(0, (t.EchoPoint("front_left", 5.0, 0.3, 1.3),))
    made.draw("parking/path", Poses(0, ((10.0, 0.0, 0.0), (12.0, 0.0, 0.0))))
    made.draw("vehicle/odometry", t.EgoState(0, x_m=10.0, y_m=0.0, yaw_rad=math.pi / 2))
    found = placed(made.draw("parking/echoes", echoes))
    assert found["top/path"].lines[0] == pytest.approx(np.array([[0.0, 0.0], [2.0, 0.0]]))  # to the right of the car
    assert found["top/echoes"].points == pytest.approx(np.array([[-0.3, -5.0]]))
    made.draw("apa/state", t.FunctionState(t.Function.APA, 0, t.Level.OK, "OFF", "SPEED", {"slots": 0.0}))
    assert placed(made.draw("parking/echoes", echoes))["top/path"].lines == ()


def test_what_never_changes_never_changes():
    # Rerun shows static data before all other: nothing may be drawn both ways.
    made, config = drawer(), load_config()
    fixed = {primitive.place for primitive in made.fixed()}
    seen = itertools.islice(from_simulation("short_brake", "", config, pictures=False), 200)
    assert fixed == {"top/car"} and not fixed & {p.place for s in seen for p in made.draw(s.topic, s.sample)}


def test_states_are_noted_once_and_figures_always():
    made, state = drawer(), t.FunctionState(t.Function.AEB, 0, t.Level.WARN, "WARN", "THREAT", {"ttc_s": 1.5})
    first, again = made.draw("aeb/state", state), made.draw("aeb/state", state)
    assert placed(first)["log/states"].text == "aeb: WARN (THREAT)"
    assert "log/states" not in placed(again) and placed(again)["time/aeb_ttc_s"].value == 1.5
    assert math.isnan(placed(again)["distance/aeb_gap_m"].value)


def test_the_time_line_goes_on_when_the_clock_leaps():
    line, s = Timeline(), t.NS_PER_S
    assert [line.since_start(n * s) for n in (1000, 1001)] == [0, s]
    assert [line.since_start(n * s) for n in (10, 11)] == [s, 2 * s]  # a simulation begins
    assert line.since_start(10 * s + 900 * MS) == 2 * s - 100 * MS  # a little out of order
    assert line.since_start(5000 * s) == 2 * s - 100 * MS


# --- sources ---


class Paper:
    """A canvas that keeps what is drawn."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.notes: list[str] = []

    def fixed(self, primitives) -> None:
        self.draw(0, primitives)

    def draw(self, now_ns, primitives) -> None:
        for primitive in primitives:
            self.places[primitive.place] = self.places.get(primitive.place, 0) + 1
            if isinstance(primitive, Note):
                self.notes.append(primitive.text)


def test_a_simulated_drive_is_drawn_and_as_a_bag_is_drawn_the_same(tmp_path):
    config, paper, from_bag = load_config(), Paper(), Paper()
    show, seen_all = Show(config, paper), []
    for seen in from_simulation("short_stopped", "", config, pictures=False):
        show.take(seen)
        seen_all.append(seen)
    assert any("Emergency braking" in note for note in paper.notes)
    assert {"top/tracks", "top/lanes", "speed/car_kmh", "command/accel_mps2", "time/aeb_ttc_s"} <= set(paper.places)

    topics = ("objects", "lanes", *(topic for topic in FORMS if topic.endswith("/state") and topic != "safety/state"))
    with BagWriter(tmp_path / "bag") as bag:
        for now_ns, topic, sample in seen_all:
            if topic in topics:
                bag.write(full_name(topic), FORMS[topic].type, now_ns, FORMS[topic].write(sample))
    again = Show(config, from_bag)
    for seen in from_bags([tmp_path / "bag"], Mounting()):
        assert seen.sample is not None
        again.take(seen)
    shared = {place for place in paper.places if place.startswith(("top/tracks", "time/", "distance/", "top/lanes"))}
    assert {p: paper.places[p] for p in shared} == {p: from_bag.places[p] for p in shared}


def test_a_row_of_the_scorecard_can_be_shown():
    seen = from_simulation("A01#2", "", load_config())
    assert {next(seen).topic for _ in range(3)} >= {"camera/camera_info", "camera/image"}


@pytest.mark.parametrize(("name", "says"), [("demmo", "is no drive (demo, "), ("A01#0", "A01 has the runs 1 to")])
def test_a_drive_that_is_none_is_named_with_the_remedy(name, says):
    with pytest.raises(ParameterError, match=re.escape(says)):
        next(from_simulation(name, "", load_config()))


def test_a_message_that_cannot_be_used_is_told():
    paper = Paper()
    Show(load_config(), paper).take(Seen(1, "lanes", None))
    assert paper.notes == ["lanes: a message that cannot be used"]


def test_rerun_takes_every_primitive(tmp_path):
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install 'adas_perception[view]'")
    from adas_perception.view.rerun_log import RerunLog, Target

    log = RerunLog(Target(tmp_path / "a.rrd"))
    show = Show(load_config(), log)
    for seen in itertools.islice(from_simulation("short_brake", "", load_config()), 300):
        show.take(seen)
    log.close()
    assert (tmp_path / "a.rrd").stat().st_size > 10_000
