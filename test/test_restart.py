"""Killed processes of the whole stack are heard again, in real time; how soon is printed: ``pytest -s``."""

import time

import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from ros_rig import Rig

from adas_perception.ros.runner import SPARE_AFTER_S
from adas_perception.ros.table import PROCESSES, nodes_of

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("restart") / "log", can_interface="virtual", can_channel="restart")
    rig.stack.start_all()
    rig.wait_for(*(node.name for process in PROCESSES for node in nodes_of(process)))
    yield rig
    rig.close()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_killed_process_is_heard_again(stack, process):
    rested = time.monotonic() + SPARE_AFTER_S + 5.0
    stack.spin_until(lambda: time.monotonic() > rested, each=stack.stack.revive)
    incarnations = {node.name: stack.health[node.name].hardware_id for node in nodes_of(process)}
    killed = time.monotonic()
    stack.stack.processes[f"{process}_process"].kill()

    def back() -> bool:
        stack.stack.revive()
        return all(stack.health[name].hardware_id != before for name, before in incarnations.items())

    assert stack.spin_until(back), stack.text()
    print(f"\n{process}: heard again after {time.monotonic() - killed:.2f} s")
