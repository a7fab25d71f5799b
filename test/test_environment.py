"""`make env`: what it says on a machine that lacks something, and that it never does a thing twice."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tools"))

import environment as env  # noqa: E402
import machine as mach  # noqa: E402

PROGRAMS = {"cc": "", "c++": "", "make": "", "cmake": "echo cmake version 3.22.1"}


@pytest.fixture
def machine(tmp_path: Path) -> mach.Machine:
    """Return a machine that has everything, with fake programs on its PATH."""
    header = tmp_path / "Python.h"
    header.touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    return mach.Machine("Linux", "x86_64", (2, 28), "/usr/bin/python3", True, header, str(programs))


def refusal(machine: mach.Machine) -> str:
    with pytest.raises(mach.SetupError) as error:
        mach.check(machine)
    return str(error.value)


def test_a_complete_machine_passes(machine: mach.Machine) -> None:
    mach.check(machine)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "Darwin", "glibc": ()}, ["Darwin", "x86_64 Linux", "colcon build"]),
        ({"cpu": "aarch64"}, ["aarch64", "x86_64 Linux", "colcon build"]),
        ({"glibc": (2, 27)}, ["glibc 2.27", "2.28"]),
        ({"glibc": ()}, ["no glibc"]),
        ({"has_ensurepip": False}, ["/usr/bin/python3", "python3-venv"]),
        ({"python_header": Path("/nowhere/Python.h")}, ["/nowhere/Python.h", "python3-dev"]),
        ({"path": "/nowhere"}, ["C compiler", "apt install gcc"]),
    ],
)
def test_a_fact_that_rules_the_machine_out_is_said_in_one_sentence(
    machine: mach.Machine, change: dict[str, object], words: list[str]
) -> None:
    said = refusal(dataclasses.replace(machine, **change))
    assert all(word in said for word in words), said
    assert said.count("\n") == 0 and said.endswith((".", "`."))


@pytest.mark.parametrize(
    ("program", "words"),
    [("cc", "no C compiler"), ("c++", "no C++ compiler"), ("make", "no make"), ("cmake", "no CMake")],
)
def test_a_missing_program_is_named(machine: mach.Machine, program: str, words: str) -> None:
    (Path(machine.path) / program).unlink()
    assert words in refusal(machine)


@pytest.mark.parametrize(("answer", "word"), [("cmake version 3.16.3", "3.16.3"), ("", "broken")])
def test_an_unusable_cmake_is_refused(machine: mach.Machine, answer: str, word: str) -> None:
    (Path(machine.path) / "cmake").write_text(f"#!/bin/sh\necho {answer}\n")
    said = refusal(machine)
    assert "3.20" in said and word in said


@pytest.mark.parametrize("other", ["python2.7", "python3.6", "python3.8", "python3.9", "python3.13"])
def test_an_unsupported_python_says_so_itself(other: str) -> None:
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{other.removeprefix('python')}.*/bin/python"))
    if not found:
        pytest.skip(f"no {other} on this machine")
    done = subprocess.run([found[0], REPOSITORY / "tools" / "setup_env.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert other.removeprefix("python") in done.stderr and "PYTHON=python3.11" in done.stderr
    assert "Traceback" not in done.stderr


class Recorded(env.Environment):
    """An environment whose steps only write down that they ran."""

    def __init__(self, repository: Path) -> None:
        super().__init__(repository, repository / ".venv", sys.executable)
        self.ran: list[str] = []
        self.fail_at = ""

    def steps(self) -> list[env.Step]:
        return [dataclasses.replace(s, run=self.recorder(s.key)) for s in super().steps()]

    def recorder(self, key: str) -> Callable[[], None]:
        def run() -> None:
            if key == self.fail_at:
                raise mach.SetupError(f"{key} broke.")
            self.ran.append(key)
            self.python.parent.mkdir(parents=True, exist_ok=True)
            self.python.touch()

        return run

    def again(self, machine: mach.Machine) -> list[str]:
        """Run the set-up once more and return the steps it took."""
        self.ran.clear()
        env.make(self, machine)
        return list(self.ran)


ALL = ["venv", "wheels", "dbc", "ackermann_msgs", "tf2_msgs", "vision_msgs", "package"]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    repository = tmp_path / "repository"
    message = repository / "tools" / "msgs" / "vision_msgs" / "Point2D.msg"
    message.parent.mkdir(parents=True)
    message.write_text("float64 x\n")
    for name in ("setup.cfg", "setup.py"):
        (repository / name).write_bytes((REPOSITORY / name).read_bytes())
    return Recorded(repository)


def test_every_step_runs_once_and_the_second_time_none(recorded: Recorded, machine: mach.Machine) -> None:
    assert recorded.again(machine) == ALL
    assert recorded.again(machine) == []


def test_a_warm_run_asks_nothing_of_the_machine(recorded: Recorded, machine: mach.Machine) -> None:
    recorded.again(machine)
    assert recorded.again(dataclasses.replace(machine, path="/nowhere")) == []


def test_an_interrupted_set_up_goes_on_where_it_stopped(recorded: Recorded, machine: mach.Machine) -> None:
    recorded.fail_at = "vision_msgs"
    with pytest.raises(mach.SetupError, match="vision_msgs broke"):
        recorded.again(machine)
    recorded.fail_at = ""
    assert recorded.again(machine) == ["vision_msgs", "package"]


@pytest.mark.parametrize("state", [None, "{ half", "[]", "7"])
def test_an_unusable_venv_is_made_anew(recorded: Recorded, machine: mach.Machine, state: str | None) -> None:
    recorded.again(machine)
    if state is None:
        recorded.python.unlink()
    else:
        recorded.state_file.write_text(state)
    assert recorded.again(machine) == ALL


def test_only_what_changed_runs_again(recorded: Recorded, machine: mach.Machine) -> None:
    recorded.again(machine)
    setup_py = recorded.repository / "setup.py"
    setup_py.write_text(setup_py.read_text() + "# changed\n")
    assert recorded.again(machine) == ["package"]
    message = recorded.repository / "tools" / "msgs" / "vision_msgs" / "Point2D.msg"
    message.write_text("float64 x\nfloat64 y\n")
    assert recorded.again(machine) == ["ackermann_msgs", "tf2_msgs", "vision_msgs"]


def fake_pip(tmp_path: Path, output: str) -> env.Environment:
    """Return an environment whose Python, asked to run pip, prints ``output`` and fails."""
    environment = env.Environment(REPOSITORY, tmp_path / ".venv", sys.executable)
    environment.python.parent.mkdir(parents=True)
    environment.python.write_text(f"#!/bin/sh\necho '{output}'\nexit 1\n")
    environment.python.chmod(0o755)
    return environment


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("Max retries exceeded with url: /simple/numpy/", "registry cannot be reached"),
        ("ERROR: No matching distribution found for numpy", "No matching distribution found for numpy"),
        ("no usual words", "no reason given"),
    ],
)
def test_a_failing_pip_becomes_one_sentence_with_its_log(tmp_path: Path, output: str, words: str) -> None:
    environment = fake_pip(tmp_path, output)
    with pytest.raises(mach.SetupError) as error:
        environment.pip("numpy")
    assert words in str(error.value) and str(environment.log) in str(error.value)
    assert output in environment.log.read_text()


def test_nothing_is_trusted_after_a_pip_that_did_not_end_well(tmp_path: Path) -> None:
    environment = fake_pip(tmp_path, "killed")
    environment.remember({"venv": "made"})
    assert environment.done() == {"venv": "made"}
    with pytest.raises(mach.SetupError):
        environment.install_wheels()
    assert environment.done() == {}
    environment.python.write_text("#!/bin/sh\n")
    environment.install_wheels()
    assert environment.done() == {"venv": "made"}


def test_each_step_is_announced_with_its_seconds(
    recorded: Recorded, machine: mach.Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.fail_at = "vision_msgs"
    with pytest.raises(mach.SetupError):
        recorded.again(machine)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[1/7] making .venv ... 0 s"
    assert lines[-1] == "[6/7] building vision_msgs ... failed"


@pytest.mark.slow
def test_a_dead_registry_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    environment = env.Environment(REPOSITORY, tmp_path / ".venv", sys.executable)
    environment.python = Path(sys.executable)
    with pytest.raises(mach.SetupError, match="registry cannot be reached"):
        environment.pip("--target", str(tmp_path / "target"), "a-package-that-no-disk-holds")


def test_another_ros_in_the_shell_is_shut_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in env.FOREIGN_VARIABLES:
        monkeypatch.setenv(name, "/opt/ros/other")
    environment = env.Environment(REPOSITORY, tmp_path / ".venv", sys.executable)
    environment.call(["env"])
    assert "/opt/ros/other" not in environment.log.read_text()
