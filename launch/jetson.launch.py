"""The stack in the car: ``ros2 launch adas_perception jetson.launch.py can_interface:=socketcan can_channel:=can0``."""

from adas_perception.ros.launching import launch_description


def generate_launch_description():
    """All processes of the node table, with the sensors' topics as arguments."""
    return launch_description(use_sim_time=False)
