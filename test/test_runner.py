"""The runner starts again what crashes or hangs, keeps a spare ready, and knows when to give up."""

import os
import signal
import socket
import stat
import sys
import time

import pytest

from adas_perception.ros import child, runner

# Stands for the processes of the stack: what it does is in its name, and the spare becomes what it reads.
PROGRAM = """#!{python}
import os, sys, time
name = sys.argv[3]
if name == "spare":
    name = sys.stdin.readline().strip() + "_by_spare"
os.write(1, (name + chr(10)).encode())  # in one piece: the others write to the same file
what, _, status = name.partition("_")
if what == "ends":
    sys.exit(int(status.split("_")[0]))
while True:
    if what == "lives":
        os.write(int(os.environ["ADAS_ALIVE_FD"]), b".")
    time.sleep(0.02)
"""


@pytest.fixture
def stack(monkeypatch, tmp_path):
    program = tmp_path / "program"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(child.sys, "executable", str(program))
    with (tmp_path / "log").open("w") as log, runner.Stack([], dict(os.environ), log) as made:
        made.said = lambda: (tmp_path / "log").read_text().split()
        yield made


@pytest.fixture
def clock(monkeypatch):
    """The runner's clock, moved by the test."""
    now = [1000.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: now[0])
    return now


def wait_for(condition, patience_s: float = 20.0) -> None:
    deadline = time.perf_counter() + patience_s
    while not condition():
        assert time.perf_counter() < deadline
        time.sleep(0.01)


def revive_when_ended(stack, name):
    stack.processes[name].wait(20.0)
    return stack.revive()


def poll(stack, clock, seconds: float) -> None:
    """Ask for the state of the children every 0.1 s of the runner's clock, and a little slower on the wall."""
    for _ in range(round(seconds / 0.1)):
        clock[0] += 0.1
        time.sleep(0.03)
        stack.revive()


def test_what_runs_is_left_alone(stack, clock):
    stack.start("lives_a")
    first = stack.processes["lives_a"].pid
    wait_for(stack.said)
    poll(stack, clock, 3 * child.HANG_S)
    assert stack.processes["lives_a"].pid == first
    assert stack.ended() == {}


def test_a_crash_is_followed_by_a_start_at_once(stack, capsys):
    stack.start("ends_1")
    assert revive_when_ended(stack, "ends_1") is None
    wait_for(lambda: stack.said() == ["ends_1", "ends_1"])
    assert "ends_1 ended with status 1; started again" in capsys.readouterr().err


def test_who_crashes_again_and_again_is_given_up(stack):
    stack.start("ends_1")
    assert [revive_when_ended(stack, "ends_1") for _ in range(4)] == [None, None, None, ("ends_1", 1)]


def test_crashes_of_long_ago_do_not_count(stack, clock):
    stack.start("ends_1")
    for _ in range(3):
        revive_when_ended(stack, "ends_1")
    clock[0] += runner.RESTARTS_WINDOW_S + 1.0
    assert revive_when_ended(stack, "ends_1") is None


def test_wrong_parameters_do_not_get_better_by_starting_again(stack):
    stack.start("ends_2")
    assert revive_when_ended(stack, "ends_2") == ("ends_2", 2)


def test_what_is_halted_is_ended_and_started_again(stack, clock, capsys):
    stack.start("lives_a")
    wait_for(stack.said)
    poll(stack, clock, 0.5)
    halted = stack.processes["lives_a"]
    halted.send_signal(signal.SIGSTOP)
    poll(stack, clock, child.HANG_S - 0.3)
    assert stack.processes["lives_a"] is halted
    poll(stack, clock, 0.8)
    assert halted.returncode == -signal.SIGKILL
    assert stack.processes["lives_a"].poll() is None
    assert "lives_a hangs" in capsys.readouterr().err


def test_what_has_not_yet_begun_to_turn_does_not_hang(stack, clock):
    stack.start("loads_a")
    wait_for(stack.said)
    poll(stack, clock, 2 * child.HANG_S)
    assert stack.ended() == {}


def test_a_runner_that_was_halted_itself_accuses_nobody(stack, clock):
    stack.start("lives_a")
    wait_for(stack.said)
    poll(stack, clock, 0.5)
    first = stack.processes["lives_a"]
    first.send_signal(signal.SIGSTOP)
    clock[0] += 3600.0
    stack.revive()
    first.send_signal(signal.SIGCONT)
    poll(stack, clock, 1.0)
    assert stack.processes["lives_a"] is first


def test_a_spare_is_kept_and_becomes_what_is_started(stack, clock):
    stack.start("lives_a")
    stack.revive()
    assert stack._spare is None, "it must not load while the stack does"
    clock[0] += runner.SPARE_AFTER_S + 1.0
    stack.revive()
    stack.start("lives_b")
    wait_for(lambda: set(stack.said()) == {"lives_a", "lives_b_by_spare"})
    assert stack.processes["lives_b"].poll() is None
    assert stack._spare is None


def test_a_spare_that_is_dead_costs_one_poll(stack, clock):
    stack.start("lives_a")
    clock[0] += runner.SPARE_AFTER_S + 1.0
    stack.revive()
    stack._spare.kill()
    stack.start("lives_b")
    assert stack.revive() is None
    wait_for(lambda: "lives_b" in stack.said())


def test_all_end_with_the_stack(stack, clock):
    stack.start("lives_a")
    clock[0] += runner.SPARE_AFTER_S + 1.0
    stack.revive()
    spare, process = stack._spare, stack.processes["lives_a"]
    stack.stop()
    assert spare.process.returncode is not None
    assert process.returncode is not None


def test_telling_that_one_lives_never_fails(monkeypatch):
    monkeypatch.delenv(child.ALIVE_FD, raising=False)
    child.tell_alive()
    read, told = os.pipe()
    os.set_blocking(told, False)
    monkeypatch.setenv(child.ALIVE_FD, str(told))
    for _ in range(100_000):  # more than a pipe holds
        child.tell_alive()
    os.close(read)
    child.tell_alive()
    os.close(told)
    child.tell_alive()


def test_a_domain_that_somebody_uses_is_passed_over(monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    monkeypatch.setattr(runner, "DOMAINS", (7,))
    assert runner.free_domain() == "7"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 7410 + 250 * 7))
        with pytest.raises(RuntimeError, match="ROS_DOMAIN_ID"):
            runner.free_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    assert runner.free_domain() == "42"
