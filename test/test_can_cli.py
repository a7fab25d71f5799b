"""``adas can``: what passes a bus is shown, a log is checked, and a frame is sent only where it may be."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import can
import pytest
from typer.testing import CliRunner, Result

from adas_perception.can.bus import Port, loopback_server, open_bus
from adas_perception.can.car import CarEncoder
from adas_perception.can.cli import app, is_test_bus
from adas_perception.can.codec import Codec, Frame
from adas_perception.can.e2e import Trust
from adas_perception.can.hmi import Hmi
from adas_perception.can.log import FrameLog
from adas_perception.can.messages import FROM_CAR, SPEED, STEERING, TO_CAR
from adas_perception.can.profile import load_profile
from adas_perception.can.traffic import Finding, Kind, Traffic
from adas_perception.can.vehicle import Transmitter
from adas_perception.limits import Limits
from adas_perception.types import DriverInput, EgoState

CONFIG = Path(__file__).resolve().parents[1] / "config"
PROFILE = load_profile(CONFIG / "vehicles" / "adas.yaml")
CODEC = PROFILE.codec()
MS = 1_000_000
Change = Callable[[int, Frame], Frame | None]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def traffic(change: Change = lambda tick, frame: frame, ticks: int = 100) -> list[tuple[int, Frame]]:
    """Return two seconds of a sound bus, each frame through the hands of the test."""
    codec = Codec(CONFIG / "adas.dbc")
    car, stack = CarEncoder(codec), Transmitter(codec, Limits())
    passed = []
    for tick in range(ticks):
        now_ns = 1_000_000 * MS + tick * 20 * MS
        frames = car.frames(EgoState(now_ns, 20.0), DriverInput(now_ns), (20.0,) * 4)
        for frame in [*frames, *stack.frames(now_ns, None, now_ns, Hmi())]:
            changed = change(tick, frame)
            if changed is not None:
                passed.append((now_ns, changed))
    return passed


def findings(change: Change) -> list[Finding]:
    seen = Traffic(PROFILE)
    for stamp_ns, frame in traffic(change):
        seen.add(stamp_ns, "0", frame)
    return list(seen.findings())


def written(path: Path, change: Change = lambda tick, frame: frame) -> Path:
    log = FrameLog(path)
    for stamp_ns, frame in traffic(change):
        message = can.Message(stamp_ns / 1e9, frame.id, is_extended_id=False, data=frame.data, channel="can0")
        log.write(message, received=True)
    log.close()
    return path


def only(name: str, tick: int, do: Callable[[Frame], Frame | None]) -> Change:
    """Return a change of one message in one tick."""
    return lambda now, frame: do(frame) if now == tick and frame.id == CODEC.messages[name].id else frame


def flipped(frame: Frame) -> Frame:
    return Frame(frame.id, frame.data[:-1] + bytes([frame.data[-1] ^ 1]))


# --- findings -----------------------------------------------------------------------------------------------------


def test_a_sound_bus_has_no_findings() -> None:
    assert findings(lambda tick, frame: frame) == []


def test_a_disturbed_frame_is_found() -> None:
    found = findings(only(SPEED, 50, flipped))
    assert found == [Finding(Kind.E2E, SPEED, "wrong CRC: 1 of 100 frames")]


def test_a_lost_frame_is_found() -> None:
    assert findings(only(SPEED, 50, lambda frame: None)) == [
        Finding(Kind.E2E, SPEED, "ok, some frames lost: 1 of 99 frames")
    ]


def test_a_gap_is_found() -> None:
    def silent(tick: int, frame: Frame) -> Frame | None:
        return None if frame.id == CODEC.messages[SPEED].id and 20 <= tick < 60 else frame

    kinds = {(f.kind, f.message): f.text for f in findings(silent)}
    assert kinds[Kind.GAP, SPEED] == "1 gaps of more than 3.5 cycles of 20 ms, the longest 820 ms"


def test_a_missing_message_and_an_unknown_id_are_found() -> None:
    def other(tick: int, frame: Frame) -> Frame:
        return Frame(0x7EE, frame.data) if frame.id == CODEC.messages[STEERING].id else frame

    assert {(f.kind, f.message) for f in findings(other)} == {(Kind.MISSING, STEERING), (Kind.UNKNOWN, "0x7EE")}


def test_a_frame_of_wrong_length_is_found() -> None:
    kinds = {f.kind for f in findings(only(SPEED, 9, lambda frame: Frame(frame.id, frame.data[:4])))}
    assert kinds == {Kind.E2E, Kind.RANGE}


def test_rates_ages_and_trust() -> None:
    seen = Traffic(PROFILE)
    for stamp_ns, frame in traffic():
        seen.add(stamp_ns, "0", frame)
    assert {name for _, name in seen.messages} == {*TO_CAR, *FROM_CAR}
    speed = seen.messages["0", SPEED]
    assert (speed.count, speed.rate_hz, speed.window.trust) == (100, pytest.approx(50.0), Trust.VALID)
    assert speed.signals["Speed"] == 20.0


# --- check --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["log", "asc", "blf"])
def test_check_of_a_sound_log(tmp_path: Path, suffix: str) -> None:
    result = run("check", str(written(tmp_path / f"bus.{suffix}")))
    assert result.exit_code == 0, result.output
    assert "12 messages, 0 findings" in result.output


def test_check_of_a_disturbed_log(tmp_path: Path) -> None:
    result = run("check", str(written(tmp_path / "bus.log", only(SPEED, 50, flipped))))
    assert result.exit_code == 1
    assert "E2E         VEH_Speed: wrong CRC: 1 of 100 frames" in result.output


def test_check_of_an_empty_log_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "bus.log").write_text("")
    assert run("check", str(tmp_path / "bus.log")).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nowhere.log"),
        ("check", "x.log", "--vehicle", "nowhere"),
        ("monitor", "nowhere.log"),
        ("monitor", "--interface", "telepathy"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith("adas: ") and "Traceback" not in result.output


# --- monitor ------------------------------------------------------------------------------------------------------


def test_monitor_of_a_log_shows_every_message(tmp_path: Path) -> None:
    result = run("monitor", str(written(tmp_path / "bus.log")))
    assert result.exit_code == 0
    for name in (*TO_CAR, *FROM_CAR):
        assert name in result.output
    assert "valid: ok" in result.output and "Speed=20" in result.output


def test_monitor_of_a_bus() -> None:
    pytest.importorskip("can_remote", reason="needs the package python-can-remote")
    with loopback_server() as channel:
        command = [sys.executable, "-m", "adas_perception.cli", "can", "monitor", "--interface", "remote",
                   "--channel", channel, "--seconds", "3"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
            port, frames = Port(open_bus("remote", channel)), [frame for _, frame in traffic()]
            while shown.poll() is None:
                for frame in frames:
                    port.send(frame)
                time.sleep(0.1)
            port.close()
            output = shown.communicate()[0]
    assert shown.returncode == 0
    assert SPEED in output and "20" in output


# --- send ---------------------------------------------------------------------------------------------------------


def test_a_frame_is_sent_with_valid_e2e() -> None:
    pytest.importorskip("can_remote", reason="needs the package python-can-remote")
    with loopback_server() as channel:
        port = Port(open_bus("remote", channel))
        result = run("send", SPEED, "Speed=12.5", "--channel", channel, "--count", "3")
        assert result.exit_code == 0, result.output
        frames = [port.receive(5.0) for _ in range(3)]
        port.close()
    decoded = [CODEC.decode(frame) for frame in frames if frame]
    assert [d.signals["Speed"] for d in decoded if d and not d.fault] == [12.5] * 3
    assert result.output.splitlines() == [f"0A0#{frame.data.hex().upper()}" for frame in frames if frame]


@pytest.mark.parametrize("name", ["ADAS_Longitudinal", "ADAS_Lateral", "ADAS_Park"])
def test_the_actuators_are_refused_without_bench(name: str) -> None:
    refused = run("send", name, "--interface", "virtual", "--channel", "x")
    assert refused.exit_code == 2 and "only with --bench" in refused.output
    assert run("send", name, "--interface", "virtual", "--channel", "x", "--bench").exit_code == 0


@pytest.mark.parametrize(
    ("interface", "channel", "test_bus"),
    [
        ("virtual", "x", True),
        ("socketcan", "vcan0", True),
        ("socketcan", "can0", False),
        ("pcan", "PCAN_USBBUS1", False),
        ("remote", "ws://127.0.0.1:5000/", True),
        ("remote", "localhost:5000", True),
        ("remote", "ws://10.0.0.7:5000/", False),
        ("udp_multicast", "239.74.163.2", False),
    ],
)
def test_what_may_be_a_car_is_refused_without_bench(interface: str, channel: str, test_bus: bool) -> None:
    assert is_test_bus(interface, channel) is test_bus
    if not test_bus:
        refused = run("send", SPEED, "--interface", interface, "--channel", channel)
        assert refused.exit_code == 2 and "may be a car" in refused.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Nothing",), "the DBC has no message 'Nothing'; known: ADAS_"),
        ((SPEED, "Speed"), "'Speed' is not of the form Signal=number"),
        ((SPEED, "Speed=fast"), "not of the form"),
        ((SPEED, "Speed=500"), "500.0 is outside -30..80"),
        ((SPEED, f"Speed={math.nan}"), "nan is outside"),
        ((SPEED, "Colour=1"), "there is no signal 'Colour'"),
    ],
)
def test_a_frame_that_cannot_be_made_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = run("send", *arguments, "--interface", "virtual", "--channel", "x")
    assert result.exit_code == 2 and message in result.output


def test_a_car_without_e2e_is_shown_by_its_profile(tmp_path: Path) -> None:
    pytest.importorskip("opendbc", reason="needs the DBC files of opendbc")
    log = tmp_path / "toyota.log"
    log.write_text("(1.000000) can0 0AA#1F8F1FA31F751F81\n(1.012000) can1 7EE#00\n(1.020000) can0 0AA#1F\n")
    shown = run("monitor", str(log), "--vehicle", "toyota_rav4_2017")
    assert "WHEEL_SPEED_FR=13.12" in shown.output and "7EE" in shown.output
    checked = run("check", str(log), "--vehicle", "toyota_rav4_2017")
    assert checked.exit_code == 1
    assert "range       WHEEL_SPEEDS: wrong length: 1 of 2 frames" in checked.output
    assert "unknown id  0x7EE: is in no DBC of bus 1: 1 frames" in checked.output
