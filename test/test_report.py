"""The report from a synthetic record: checks, files, nothing loaded from elsewhere; overlays are pure."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from rich.console import Console

from adas_perception.sim.draw import draw_camera, draw_top_view
from adas_perception.sim.judge import figures, verdicts
from adas_perception.sim.recorder import Record, Recorder, Row, StateChange, load_record, save_record
from adas_perception.sim.report import summary_table, write_report
from adas_perception.sim.scenarios import scenario
from adas_perception.sim.video import GIF_LIMIT_BYTES
from adas_perception.sim.world import World
from adas_perception.types import (
    Command,
    Detection,
    Detections,
    Function,
    FunctionState,
    LaneLine,
    LaneLines,
    Level,
    ObjectClass,
    Objects,
    Sensor,
    Track,
)


@pytest.fixture(scope="module")
def record() -> Record:
    world = World(scenario("short_follow"))
    recorder = Recorder(world, backend="none")
    for tick in range(200):
        command = Command(world.stamp_ns, accel_mps2=-0.5) if tick > 40 else None
        recorder.tick(Row.from_world(world, command))
        state = "ACTIVE" if tick > 40 else "STANDBY"
        recorder.function_state(world.time_s, FunctionState(Function.ACC, 0, Level.OK, state, "FOLLOWING"))
        recorder.state(world.time_s, "aeb", "WARN" if 100 < tick < 130 else "READY", level=int(100 < tick < 130))
        if 100 < tick < 130:
            recorder.note(world.time_s, "Collision warning <b>")
        if tick % 10 == 0:
            recorder.latency(world.time_s, 24.0 + tick % 3)
            recorder.network(world.time_s, 14.0)
            view = draw_camera(world.picture().rgb, world.camera)
            recorder.frame(world.time_s, view, draw_top_view(240, view.shape[0]))
        world.step(0.02, command.accel_mps2 if command else None)
    return recorder.finish(wall_s=2.0, can="virtual")


def named(record: Record) -> dict[str, bool]:
    return {verdict.name: verdict.passed for verdict in verdicts(record)}


def changed(record: Record, **signals: float) -> Record:
    """Return the record with one value of each named signal replaced."""
    values = {name: array.copy() for name, array in record.signals.items()}
    for name, value in signals.items():
        values[name][100] = value
    return replace(record, signals=values)


def test_only_changes_of_state_and_fresh_notes_are_kept(record: Record) -> None:
    assert [s.state for s in record.states if s.function == "acc"] == ["STANDBY", "ACTIVE"]
    assert [s.state for s in record.states if s.function == "aeb"] == ["READY", "WARN", "READY"]
    assert len(record.notes) == 1


def test_record_survives_the_disk(record: Record, tmp_path: Path) -> None:
    save_record(record, tmp_path)
    again = load_record(tmp_path)
    assert again.states == record.states
    assert again.notes == record.notes
    assert again.info == record.info
    assert again.frames == record.frames
    for name, values in record.signals.items():
        assert np.array_equal(values, again.signals[name], equal_nan=True)
    assert np.array_equal(again.latency_ms, record.latency_ms)


def test_missing_record_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make demo"):
        load_record(tmp_path)


def test_good_drive_passes_every_check(record: Record) -> None:
    assert all(named(record).values())
    assert len(named(record)) == 7


@pytest.mark.parametrize(("signal", "value", "check"), [
    ("contact", 1.0, "Contacts"),
    ("gap_m", 0.4, "Smallest gap"),
    ("accel_mps2", -10.5, "Deceleration"),
    ("to_left_m", -0.35, "Lane kept"),
    ("to_right_m", -0.35, "Lane kept"),
    ("yaw_rate_radps", 0.25, "Lateral acceleration"),
])  # fmt: skip
def test_each_check_can_fail(record: Record, signal: str, value: float, check: str) -> None:
    broken = named(changed(record, **{signal: value}))
    assert [name for name, passed in broken.items() if not passed] == [check]


def test_slow_chain_fails_the_latency_checks(record: Record) -> None:
    slow = named(replace(record, latency_ms=record.latency_ms + 400.0))
    assert [name for name, passed in slow.items() if not passed] == [
        "Camera to CAN, p50 / p99", "… beyond the network, p50"
    ]  # fmt: skip


def test_a_slow_computer_fails_no_drive(record: Record) -> None:
    slow = verdicts(replace(record, latency_ms=record.latency_ms + 400.0))
    assert {v.word for v in slow} == {"pass", "slow"}


def test_time_outside_the_normal_mode_counts(record: Record) -> None:
    lost = (StateChange(0.0, "safety", "NORMAL", "ok", 0), StateChange(2.0, "safety", "FALLBACK", "x", 2))
    found = named(replace(record, states=lost))
    assert not found["Time in another mode than NORMAL"]


def test_what_was_not_measured_is_said_not_passed(record: Record) -> None:
    none = np.empty(0)
    silent = replace(record, latency_ms=none, latency_time_s=none, network_ms=none, network_time_s=none)
    assert not any("CAN" in name for name in named(silent))
    assert ("Camera stamp to CAN frame", "not measured") in figures(silent)


def test_empty_drive_fails(record: Record) -> None:
    empty = replace(record, signals={name: np.empty(0) for name in record.signals}, frames=())
    assert [v.passed for v in verdicts(empty)] == [False]
    Console(quiet=True).print(summary_table(empty))


def test_report_is_complete_and_self_contained(record: Record, tmp_path: Path) -> None:
    page = write_report(record, tmp_path)
    text = page.read_text(encoding="utf-8")
    for verdict in verdicts(record):
        assert verdict.name in text
    assert "all checks passed" in text
    assert "Collision warning &lt;b&gt;" in text
    # The plotting library inside the page names addresses in its program text; only markup can load anything.
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", markup)
    assert "<link" not in markup
    assert "@import" not in markup
    assert text.count("data:image/jpeg;base64,") >= len(record.frames)
    assert (tmp_path / "demo.gif").stat().st_size <= GIF_LIMIT_BYTES
    with PillowImage.open(tmp_path / "demo.gif") as gif:
        assert gif.n_frames >= len(record.frames) // 3
    film = cv2.VideoCapture(str(tmp_path / "demo.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == len(record.frames)


def test_broken_check_is_shown(record: Record, tmp_path: Path) -> None:
    page = write_report(replace(changed(record, contact=1.0), frames=()), tmp_path)
    assert "1 check failed" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "demo.gif").exists()


def test_table_shows_checks_and_figures(record: Record) -> None:
    console = Console(width=120, record=True, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(summary_table(record))
    text = capture.get()
    assert text.count("pass") == 7
    assert "2.00 x" not in text  # 4 s in 2 s of wall time, less one tick
    assert "1.99 x" in text


def lane(y: float) -> LaneLine:
    return LaneLine((y, 0.0, 0.0, 0.0), 4.0, 60.0)


def test_overlay_draws_where_things_are_and_leaves_the_picture_alone() -> None:
    world = World(scenario("short_follow"))
    picture = world.picture().rgb
    before = picture.copy()
    lanes = LaneLines(0, lane(1.75), lane(-1.75))
    boxes = Detections(0, 640, 360, (Detection(ObjectClass.CAR, 0.8, 300.0, 170.0, 340.0, 200.0),))
    tracks = Objects(0, (Track(1, 37.0, 0.0, 16.0, 0.0, sources=Sensor.RADAR | Sensor.CAMERA),))
    drawn = draw_camera(picture, world.camera, lanes, boxes, tracks, ("BRAKE",))
    assert np.array_equal(picture, before)
    difference = np.abs(drawn.astype(int) - before).sum(axis=-1) > 40
    u, v = np.round(world.camera.project(np.array([10.0, 1.75]))).astype(int)
    assert difference[v, u - 3 : u + 4].any()
    assert difference[170, 305:335].all()
    assert not difference[:100, 300:].any()


def test_views_without_anything_to_show() -> None:
    world = World(scenario("free_road"))
    assert np.array_equal(draw_camera(world.picture().rgb, world.camera), world.picture().rgb)
    assert draw_top_view(200, 300).shape == (300, 200, 3)


def test_top_view_puts_left_on_the_left_and_warns_on_its_side() -> None:
    left_only = draw_top_view(240, 360, objects=Objects(0, (Track(1, 30.0, 5.0, 0.0, 0.0, label=ObjectClass.CAR),)))
    empty = draw_top_view(240, 360)
    columns = np.flatnonzero((left_only != empty).any(axis=(0, 2)))
    assert columns.max() < 120
    warned = draw_top_view(240, 360, blind_spots=(False, True))
    assert np.flatnonzero((warned != empty).any(axis=(0, 2))).min() > 120


def test_the_driver_was_told_each_alert_once_in_words(record: Record, tmp_path: Path) -> None:
    states = (
        StateChange(1.0, "lka", "READY", "IN_LANE", 0),
        StateChange(2.0, "lka", "WARN", "DEPARTURE", 1),
        StateChange(2.2, "lka", "ACTIVE", "DEPARTURE", 1),
    )
    page = write_report(replace(record, states=states, frames=()), tmp_path).read_text()
    assert page.count("<b>Lane departure</b>") == 1
    assert "<b>" not in write_report(replace(record, states=states[:1], frames=()), tmp_path).read_text()
