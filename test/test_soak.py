"""The soak reads its evidence rightly: memory, missed cycles, warnings, drives."""

import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from adas_perception.ros import soak
from adas_perception.sim.judge import Verdict

LOG = """\
[INFO] [adas.aeb] READY (CLEAR)
[WARN] [adas.aeb] FULL (THREAT)
[WARN] [adas.safety_monitor] DISENGAGED: vehicle: vehicle state missing or too old
[WARN] [adas.safety_monitor] cycle of 75 ms
[WARN] [adas.safety_monitor] cycle of 150 ms
[WARN] [adas.safety_monitor] sim_vehicle was started again
[WARN] [adas.safety_monitor] acc was started again
[WARN] [adas.safety_monitor] vehicle/driver: rejected: out of range, late or out of order
[WARN] [adas.fusion] objects: rejected: 3 fields
[WARN] [adas.fusion] objects: rejected: 4 fields
[ERROR] [adas.can_bridge] the bus is gone
ValueError: wrong
"""


def test_missed_cycles_and_warnings_are_told_from_changes_of_state():
    missed, warnings = soak.read_log(LOG)
    assert missed == [75.0, 150.0]
    assert warnings == {
        "[WARN] [adas.safety_monitor] acc was started again": 1,
        "[WARN] [adas.safety_monitor] vehicle/driver: rejected: out of range, late or out of order": 1,
        "[WARN] [adas.fusion] objects: rejected: # fields": 2,
        "[ERROR] [adas.can_bridge] the bus is gone": 1,
        "ValueError: wrong": 1,
    }


def test_memory_counts_from_the_end_of_the_warm_up():
    starting = [(5.0 * i, 10) for i in range(12)]
    steady = [(60.0 + 5.0 * i, 1000) for i in range(30)]
    assert soak.growth(starting + steady) == pytest.approx(0.0)
    growing = [(60.0 + 5.0 * i, 1000 + i) for i in range(30)]
    assert soak.growth(growing) == pytest.approx(1024.5 / 1004.5 - 1.0)


def test_a_short_run_says_nothing_of_memory():
    assert soak.growth([(1.0, 10), (61.0, 20)]) == 0.0


@pytest.mark.parametrize("status", [None, 1])
def test_a_drive_that_did_not_end_well_is_named(status, tmp_path):
    assert soak._judge(status, tmp_path) == [f"the drive ended with status {status}"]


def test_a_drive_is_judged_and_kept_when_a_check_fails(tmp_path, monkeypatch):
    checks = [Verdict("Contacts", "1", "0", False), Verdict("Camera to CAN", "1 s", "250 ms", False, timing=True)]
    monkeypatch.setattr(soak, "load_record", lambda record: None)
    monkeypatch.setattr(soak, "verdicts", lambda record: checks)
    record = tmp_path / "drive0"
    record.mkdir()
    assert soak._judge(0, record) == ["Contacts: 1"]
    assert record.exists()
    checks.pop(0)
    assert soak._judge(0, record) == []
    assert not record.exists()
