"""The simulated drive under ros2 launch: ``ros2 launch adas_perception demo.launch.py``."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from adas_perception.can.bus import free_port, server_command
from adas_perception.ros.launching import launch_description, parameters


def generate_launch_description():
    """A loopback CAN server, the stack, and the simulated car; everything ends with the drive."""
    port = free_port()
    bus = {"can_interface": "remote", "can_channel": f"ws://127.0.0.1:{port}/"}
    server = ExecuteProcess(cmd=server_command(port), output="log")
    car = Node(
        package="adas_perception",
        executable="sim_vehicle",
        parameters=[
            *parameters(use_sim_time=False),
            {"scenario": LaunchConfiguration("scenario"), "out": LaunchConfiguration("out")},
        ],
        output="screen",
    )
    arguments = [
        DeclareLaunchArgument("scenario", default_value="demo", description="name of the drive"),
        DeclareLaunchArgument("out", default_value="out/demo", description="folder for report and video"),
    ]
    stack = launch_description(use_sim_time=True, defaults=bus)
    end = RegisterEventHandler(OnProcessExit(target_action=car, on_exit=[EmitEvent(event=Shutdown())]))
    return LaunchDescription([*arguments, server, *stack.entities, car, end])
