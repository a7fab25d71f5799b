"""The runner starts again what crashes, and knows when to give up."""

import sys
import time

import pytest

from adas_perception.ros import runner


@pytest.fixture
def stack(monkeypatch):
    """A stack whose executables are little programs that end with the status in their name."""
    monkeypatch.setattr(runner.sys, "executable", sys.executable)
    started = []

    class Program:
        def __init__(self, command, **_):
            self.status = int(command[3].split("_")[1])
            self.returncode = self.status
            started.append(time.monotonic())

        def poll(self):
            return None if self.status == 99 else self.status

    monkeypatch.setattr(runner.subprocess, "Popen", Program)
    made = runner.Stack([], {})
    made.started = started
    return made


def test_what_runs_is_left_alone(stack):
    stack.start("a_99")
    assert stack.revive() is None
    assert len(stack.started) == 1


def test_a_crash_is_followed_by_a_start_within_a_poll(stack, capsys):
    stack.start("a_1", ["--extra"])
    assert stack.revive() is None
    assert len(stack.started) == 2
    assert stack.started[1] - stack.started[0] < 1.0
    assert "a_1 ended with status 1; started again" in capsys.readouterr().err


def test_who_crashes_again_and_again_is_given_up(stack):
    stack.start("a_1")
    assert [stack.revive() for _ in range(4)] == [None, None, None, ("a_1", 1)]


def test_crashes_of_long_ago_do_not_count(stack, monkeypatch):
    stack.start("a_1")
    for _ in range(3):
        stack.revive()
    later = time.monotonic() + runner.RESTARTS_WINDOW_S + 1.0
    monkeypatch.setattr(runner.time, "monotonic", lambda: later)
    assert stack.revive() is None


def test_wrong_parameters_do_not_get_better_by_starting_again(stack):
    stack.start("a_2")
    assert stack.revive() == ("a_2", 2)
