"""The stack in the car: ``ros2 launch adas_perception jetson.launch.py can_interface:=socketcan can_channel:=can0``."""

from launch import LaunchDescription

from adas_perception.ros.launching import arguments, stack


def generate_launch_description():
    """Start all processes of the node table; parameters and the sensors' topics are arguments."""
    return LaunchDescription([*arguments(), *stack(use_sim_time=False)])
