"""The command line: what it offers, and one sentence for everything that is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adas_perception import __version__


def adas(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adas_perception.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_help_lists_every_command():
    said = adas("--help").stdout
    for command in ("demo", "up", "check", "replay", "calibrate"):
        assert command in said


def test_version():
    assert adas("version").stdout.strip() == __version__


def test_check_as_json_is_json():
    items = json.loads(adas("check", "--json").stdout)
    assert {"rclpy", "onnxruntime", "lane_v2"} <= {item["name"] for item in items}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "nowhere"), "nowhere"),
        (("calibrate", "."), "no pictures"),
        (("demo", "--kill", "engine@3"), "there is no process 'engine'"),
        (("demo", "--preset", "moon"), "presets/moon.yaml"),
        (("up", "--config", "nowhere.yaml"), "nowhere.yaml: no such file"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments, words, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "adas_perception.cli", *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 2
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_calibrate_writes_a_camera_info(shared_data: Path, tmp_path):
    out = tmp_path / "camera.yaml"
    result = adas("calibrate", str(shared_data / "udacity" / "camera_cal"), "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert "camera_matrix" in out.read_text()
