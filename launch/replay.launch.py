"""The stack on a recording: ``ros2 launch adas_perception replay.launch.py bag:=FOLDER``; no bus is opened."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

from adas_perception.ros.launching import launch_description


def generate_launch_description():
    """The stack under simulated time without the CAN bridge, and ``ros2 bag play --clock`` feeding it."""
    play = ExecuteProcess(
        cmd=["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "50", "--rate", LaunchConfiguration("rate")],
        output="screen",
    )
    arguments = [
        DeclareLaunchArgument("bag", description="folder of the rosbag2 recording"),
        DeclareLaunchArgument("rate", default_value="1.0", description="playback speed"),
    ]
    stack = launch_description(use_sim_time=True, without=("can",))
    return LaunchDescription([*arguments, *stack.entities, play])
