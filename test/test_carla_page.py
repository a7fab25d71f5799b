"""docs/carla.md against the launch file, the preset and the code it names."""

from __future__ import annotations

import re
from pathlib import Path

from adas_perception.carla import control, signs
from adas_perception.carla.sensors import load_sensors
from adas_perception.resources import config_path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "carla.md").read_text()
LAUNCH = (REPOSITORY / "launch" / "carla.launch.py").read_text()


def test_every_argument_of_the_page_is_one_of_the_launch_file():
    table = PAGE.split("## Arguments")[1].split("## Signs")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.M))
    assert len(named) > 5
    assert all(f'"{name}"' in LAUNCH or f"{name}=" in LAUNCH for name in named)


def test_every_function_of_the_table_of_signs_exists():
    table = PAGE.split("## Signs")[1].split("## Radar")[0]
    for name in ("mount_of", "unreal_transform", "yaw_rate", "steer", "steering_rad", "depth_m"):
        assert f"`{name}`" in table and callable(getattr(signs, name))
    assert "`control.ackermann`" in table and callable(control.ackermann)


def test_the_figures_of_the_sensors_are_those_of_objects_json():
    sensors = load_sensors(config_path("carla/objects.json"), -1.34)
    front = sensors.depth["front"]
    assert f"{front.width_px} x {front.height_px} pixels" in PAGE
    assert '"points_per_second": 16000' in config_path("carla/objects.json").read_text() and "16000 a second" in PAGE
