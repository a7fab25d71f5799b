"""``adas top``: what the terminal shows, and the command beside a running stack."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from adas_perception import types as t
from adas_perception.alerts import load_alerts
from adas_perception.resources import config_path
from adas_perception.ros.table import NODES
from adas_perception.safety.monitor import Mode
from adas_perception.view import terminal
from adas_perception.view.board import Board
from adas_perception.view.reading import Health, SafetyView

MS = 1_000_000
TABLE = load_alerts(config_path("alerts.yaml"))


def board_of(*seen: tuple[int, str, object]) -> Board:
    board = Board(TABLE)
    for sample in seen:
        board.take(*sample)
    return board


def driven() -> Board:
    state = t.FunctionState(t.Function.AEB, 0, t.Level.ERROR, "FULL", "THREAT", {"ttc_s": 0.8, "gap_m": 12.34})
    figures = {"frames sent": 1234.0, "frames dropped": 2.0, "WheelSpeeds wrong CRC": 3.0}
    return board_of(
        (0, "aeb/state", state),
        (0, "safety/state", SafetyView(0, Mode.FALLBACK, True, "aeb", "lka", (), "radar: node is silent")),
        (0, "heartbeat", Health("can_bridge", t.Level.WARN, "end-to-end protection fails", figures)),
        (0, "vehicle/odometry", t.EgoState(0, 20.0)),
        (0, "command", t.Command(0, -6.0, 0.01, t.Function.AEB, t.Function.LKA)),
        (0, "lanes", t.LaneLines(0)),
    )  # fmt: skip


def rendered(board: Board, now_ns: int, language: str, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), color_system="truecolor")
    console.print(terminal.screen(board, now_ns, language))
    return console.export_text().splitlines()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_screen_fits_a_terminal_of_80_by_24_and_says_what_matters(language):
    from rich.cells import cell_len

    lines = rendered(driven(), 100 * MS, language)
    assert len(lines) <= 24 and max(map(cell_len, lines)) <= 80
    text = "\n".join(lines)
    for word in ("FALLBACK", "FULL", "THREAT", "ttc 0.8 s", "gap 12.3 m", "72.0 km/h", "-6.00 m/s2", "E2E", "1234"):
        assert word in text, f"{word} missing in\n{text}"
    assert ("긴급 제동" if language == "ko" else "Emergency braking: Brake") in text
    assert all(node.name in text for node in NODES)


def test_who_is_silent_is_said_to_be():
    lines = rendered(driven(), 100 * MS, "en")
    assert any(line.startswith("acc") and "silent" in line for line in lines)
    later = "\n".join(rendered(driven(), 60_000 * MS, "en"))
    assert "FALLBACK" not in later and "FULL" not in later and later.count("silent") >= 1 + 5 + len(NODES)


def test_before_the_first_word_it_waits():
    assert rendered(Board(TABLE), 0, "en") == ["adas top   waiting for the stack on /adas ...   q: quit"]


# --- the command ---


@pytest.mark.ros
def test_adas_top_hears_the_stack_and_ends_with_q(tmp_path):
    pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
    from ros_rig import Rig

    rig = Rig(tmp_path / "log.txt", can_interface="virtual", can_channel="test")
    try:
        rig.stack.start("safety_process")
        rig.wait_for("safety_monitor")
        command = [sys.executable, "-m", "adas_perception.cli", "top", "--lang", "ko"]
        env = {**os.environ, "ROS_DOMAIN_ID": str(rig.domain), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        main, side = pty.openpty()
        child = subprocess.Popen(command, stdin=side, stdout=side, stderr=subprocess.STDOUT, env=env)
        os.close(side)
        heard = _read_until(main, "DISENGAGED", rig)
        os.write(main, b"q")
        heard += _read_until(main, "\x1b[?1049l", rig)
        assert child.wait(10) == 0, heard
        assert "DISENGAGED" in heard and "주행 보조 사용 불가" in heard
        os.close(main)
    finally:
        rig.close()


def _read_until(terminal_fd: int, wanted: str, rig, patience: int = 300) -> str:
    import select

    text = b""
    for _ in range(patience):
        rig.executor.spin_once(timeout_sec=0.0)
        if select.select([terminal_fd], [], [], 0.05)[0]:
            try:
                text += os.read(terminal_fd, 65536)
            except OSError:
                break
        if wanted in text.decode(errors="replace"):
            break
    return text.decode(errors="replace")


@pytest.mark.ros
def test_without_a_stack_adas_top_says_so_and_fails(tmp_path):
    pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
    # Beyond those that the other tests use.
    env = {**os.environ, "ROS_DOMAIN_ID": str(110 + os.getpid() % 90), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    command = [sys.executable, "-m", "adas_perception.cli", "top", "--seconds", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=Path(tmp_path))
    assert done.returncode == 1 and "waiting for the stack" in done.stdout, done.stderr
