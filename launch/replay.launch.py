"""The stack on a recording: ``ros2 launch adas_perception replay.launch.py bag:=FOLDER``; no bus is opened."""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration

from adas_perception.ros.launching import arguments, stack


def generate_launch_description():
    """Start the stack under simulated time without the CAN bridge, and ``ros2 bag play --clock`` feeding it."""
    play = ExecuteProcess(
        cmd=["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "50", "--rate", LaunchConfiguration("rate")],
        output="screen",
        on_exit=Shutdown(reason="the recording has ended"),
    )
    own = [
        DeclareLaunchArgument("bag", description="folder of the rosbag2 recording"),
        DeclareLaunchArgument("rate", default_value="1.0", description="playback speed"),
    ]
    ready = OpaqueFunction(function=_require_ros2_bag)
    return LaunchDescription([*own, *arguments(), ready, *stack(use_sim_time=True, without=("can",)), play])


def _require_ros2_bag(context):
    try:
        get_package_prefix("ros2bag")
    except PackageNotFoundError:
        raise RuntimeError(
            "'ros2 bag' is not installed: install the ROS packages ros2bag and rosbag2-storage-mcap, "
            "or play a comma2k19 segment without ROS by 'adas replay'"
        ) from None
