"""Every command of the README is run here in a cheap form, or is shown by a test, or it is said why neither can be."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adas_perception.cli import app

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.ko.md")
GROUPS = ("bag", "can", "engine", "models", "evaluate")
PROGRAMS = ("adas", "make", "pytest", "ros2", "colcon", "rosdep", "pip")
BAG = "test/data/bags/short_brake"

# What the command may be called with so that it ends within seconds; {out} is a folder of the test.
RUN = {
    "make demo": "make -n demo",
    "make test": "make -n test",
    "make mutation": "make -n mutation",
    "pytest": "pytest --collect-only -q test/test_gate_sweep.py -k random",
    "adas check": "adas check --json",
    "adas replay": f"adas replay {BAG} --report {{out}}",
    "adas bag check": f"adas bag check {BAG}",
    "adas bag convert": "adas bag convert {out}/pictures {out}/pictures.bag --rate 10 --speed-kmh 50",
    "adas detect": "adas detect docs/detector_real.jpg --out {out}",
    "adas scorecard": "adas scorecard --rows L08 --out {out}",
    "adas models list": "adas models list",
    "adas models verify": "adas models verify",
}
# Tests that run the command itself, or what it calls.
SHOWN = {
    "adas demo": "test_drive.py::test_a_stopped_car_is_not_hit_and_the_picture_reaches_the_bus",
    "adas up": "test_runner.py::test_all_end_with_the_stack",
    "adas top": "test_view_top.py::test_adas_top_hears_the_stack_and_ends_with_q",
    "adas view": "test_view.py::test_a_simulated_drive_is_drawn_and_as_a_bag_is_drawn_the_same",
    "adas can monitor": "test_can_cli.py::test_monitor_of_a_bus",
    "adas can check": "test_can_cli.py::test_check_of_a_sound_log",
    "adas can send": "test_can_cli.py::test_a_frame_is_sent_with_valid_e2e",
    "adas engine build": "test_engine_cli.py::test_build_then_find_then_clean",
    "adas engine inspect": "test_engine_cli.py::test_inspect_shows_layers_or_what_the_sidecar_says",
    "adas models add": "test_models.py::test_a_file_becomes_a_model_of_ones_own",
    "adas calibrate": "test_cli.py::test_calibrate_writes_a_camera_info",
    "adas bench": "test_bench.py::test_the_shipped_networks_are_measured_and_the_report_names_files_and_machine",
    "adas train": "test_training.py::test_a_run_repeats_and_resumes",
    "adas dataset": "test_boxes_data.py::test_a_good_file_passes_the_command",
    "adas quantise": "test_quantise.py::test_what_is_written_passes_the_lint_and_stays_close",
    "adas evaluate": "test_evaluate_lines.py::test_the_command_scores_a_file_of_lines",
    "adas faults": "test_faults_drive.py::test_a_good_run_passes_with_its_figures",
    "adas soak": "test_soak.py::test_a_drive_is_judged_and_kept_when_a_check_fails",
    "colcon build": "test_colcon.py::test_every_executable_lies_where_ros2_run_looks",
    "ros2 launch": "test_launch.py::test_ros2_launch_starts_and_ends_the_stack",
}
NOT_HERE = {
    "rosdep install": "installs Debian packages of a ROS distribution; the containers of continuous integration do it",
    "adas export": "needs PyTorch, which `make env` does not install; the exported files are checked by test_models.py",
    "adas evaluate lane-video": "needs a video of 66 MB that is not in the repository",
    "adas evaluate lane": "needs the labelled pictures, which are not in the repository; see test_evaluate_lines.py",
    "ros2 bag": "rosbag2 has no wheels; test_launch.py runs its launch file with a stand-in",
}


def commands(readme: str) -> list[str]:
    """Every command line of a README: in its blocks, and between backticks in its text and tables."""
    text = (ROOT / readme).read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return [line for line in lines + spans if program_of(line) in PROGRAMS]


def program_of(line: str) -> str:
    """Return the first word that is no variable."""
    return next((word for word in line.split() if not re.fullmatch(r"[A-Z_]+=\S+", word)), "").rstrip(",")


def names(line: str) -> list[str]:
    """Return which commands a line stands for: ``adas can monitor|check`` are two, ``adas top, adas view`` too."""
    line = re.split(r"\s{2,}|\s#", line)[0]
    found = []
    for part in re.split(r", (?=adas )", line):
        words = part.split()
        words = words[words.index(program_of(part)) :]
        if words[0] == "pytest":
            found.append("pytest")
        elif words[0] != "adas":
            found.append(" ".join(words[:2]))
        elif re.fullmatch(r"adas \w+(, \w+)+", part):  # adas train, dataset, export
            found += [f"adas {word}" for word in re.findall(r"\w+", part)[1:]]
        elif words[1] in GROUPS and re.fullmatch(r"[a-z|.-]+", words[2]):
            found += [f"adas {words[1]} {leaf}" for leaf in words[2].split("|") if leaf.strip(".")]
        else:
            found.append(f"adas {words[1]}")
    return found


ALL = {readme: {name: line for line in commands(readme) for name in names(line)} for readme in READMES}
EVERY = sorted({name for found in ALL.values() for name in found})


def test_the_readmes_have_commands():
    assert len(ALL["README.md"]) > 25 and len(ALL["README.ko.md"]) >= 5


@pytest.mark.parametrize("name", EVERY)
def test_each_command_is_run_or_shown_or_it_is_said_why_not(name):
    assert sum(name in table for table in (RUN, SHOWN, NOT_HERE)) == 1, f"'{name}' of a README: name it in one table"


def test_the_tables_name_nothing_that_no_readme_names():
    assert {*RUN, *SHOWN} <= {*EVERY}


@pytest.mark.parametrize("test", SHOWN.values(), ids=SHOWN)
def test_who_shows_a_command_exists(test):
    file, function = test.split("::")
    assert f"def {function}(" in (ROOT / "test" / file).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("line", RUN.values(), ids=RUN)
def test_the_command_runs(line, tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.jpg").write_bytes((ROOT / "docs/detector_real.jpg").read_bytes())
    program, *arguments = shlex.split(line.format(out=tmp_path))
    modules = {"adas": "adas_perception.cli", "pytest": "pytest"}
    start = [sys.executable, "-m", modules[program]] if program in modules else [program]
    result = subprocess.run([*start, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=110)
    assert result.returncode == 0, result.stdout[-500:] + result.stderr[-1000:]


@pytest.mark.parametrize("name", [name for name in EVERY if name.startswith("adas ")])
def test_the_command_exists_and_knows_the_options_that_the_readme_gives(name):
    said = CliRunner().invoke(app, [*name.split()[1:], "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert said.exit_code == 0, said.output
    for readme in READMES:
        line = re.split(r"\s{3,}", ALL[readme].get(name, ""))[0]
        for option in re.findall(r"--[a-z-]+", line if "|" not in line else ""):
            assert option in said.output, f"{readme}: {name} has no {option}"
