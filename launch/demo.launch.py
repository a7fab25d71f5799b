"""The simulated drive under ros2 launch: ``ros2 launch adas_perception demo.launch.py``."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch_ros.actions import Node

from adas_perception.can.bus import await_server, free_port, server_channel, server_command
from adas_perception.ros.launching import PACKAGE, arguments, parameters, stack
from adas_perception.ros.table import SIM_VEHICLE
from adas_perception.sim.report import show_drive


def generate_launch_description():
    """Start a loopback CAN server, then the stack and the simulated car; everything ends with the drive."""
    port = free_port()
    channel = server_channel(port)
    own = [
        DeclareLaunchArgument("scenario", default_value="demo", description="name of the drive"),
        DeclareLaunchArgument("out", default_value="out/demo", description="folder for report and video"),
    ]
    server = ExecuteProcess(cmd=server_command(port), output={"both": "log"})
    drive = [
        OpaqueFunction(function=lambda _: await_server(channel)),
        *stack(use_sim_time=True),
        OpaqueFunction(function=_car),
    ]
    return LaunchDescription(
        [
            *own,
            *arguments(can_interface="remote", can_channel=channel),
            RegisterEventHandler(OnProcessStart(target_action=server, on_start=drive)),
            server,
        ]
    )


def _car(context):
    """Return the simulated car; it makes the clock, so it must not follow it."""
    given = context.launch_configurations
    files = parameters(context, use_sim_time=False, scenario=given["scenario"], out=given["out"])
    car = Node(package=PACKAGE, executable=SIM_VEHICLE, parameters=files, output="screen")
    return [RegisterEventHandler(OnProcessExit(target_action=car, on_exit=_finish)), car]


def _finish(event, context):
    """Write the report of a drive that came to its end, and stop everything."""
    if event.returncode == 0 and not context.is_shutdown:
        show_drive(Path(context.launch_configurations["out"]))
    return [Shutdown(reason="the drive has ended")]
