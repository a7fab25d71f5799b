"""The stack on a recording: ``ros2 launch adas_perception replay.launch.py bag:=FOLDER``; no bus is opened."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown

from adas_perception.replay.topics import load_map, play_arguments
from adas_perception.ros.launching import arguments, stack


def generate_launch_description():
    """Start the stack under simulated time without the CAN bridge, and ``ros2 bag play --clock`` feeding it."""
    own = [
        DeclareLaunchArgument("bag", description="folder of the rosbag2 recording"),
        DeclareLaunchArgument("rate", default_value="1.0", description="playback speed"),
        DeclareLaunchArgument("loop", default_value="false", description="true: play it again and again"),
        DeclareLaunchArgument("topics", default_value="", description="topic map, as of 'adas replay --topics'"),
    ]
    ready = OpaqueFunction(function=_require_ros2_bag)
    play = OpaqueFunction(function=_play)
    return LaunchDescription([*own, *arguments(), ready, *stack(use_sim_time=True, without=("can",)), play])


def _play(context):
    given = context.launch_configurations
    chosen = load_map(Path(given["topics"]) if given["topics"] else None)
    command = ["ros2", "bag", "play", given["bag"], "--clock", "50", "--rate", given["rate"]]
    loop = ["--loop"] if given["loop"] == "true" else []
    ended = Shutdown(reason="the recording has ended")
    return [ExecuteProcess(cmd=[*command, *loop, *play_arguments(chosen)], output="screen", on_exit=ended)]


def _require_ros2_bag(context):
    try:
        get_package_prefix("ros2bag")
    except PackageNotFoundError:
        raise RuntimeError(
            "'ros2 bag' is not installed: install the ROS packages ros2bag and rosbag2-storage-mcap, "
            "or play the recording without ROS by 'adas replay'"
        ) from None
