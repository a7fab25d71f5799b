"""The stack in CARLA: ``ros2 launch adas_perception carla.launch.py interface:=bridge role_name:=ego_vehicle``.

CARLA, its bridge and the ego with the sensors of config/carla/objects.json run already; docs/carla.md tells how.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from adas_perception.can.bus import await_server, free_port, server_channel, server_command
from adas_perception.ros.launching import PACKAGE, TOPICS, arguments, parameters, stack
from adas_perception.ros.table import CARLA_ADAPTER

# What an interface can do: the native one has no Ackermann command, and its releases no odometry.
DEFAULTS = {"bridge": ("ackermann", "odometry", "false"), "native": ("vehicle", "gnss", "true")}
OWN = {
    "role_name": ("ego_vehicle", "role name (bridge) or ros_name (native) of the ego"),
    "control": ("", "ackermann (bridge only) or vehicle (needs carla_msgs); empty: by the interface"),
    "motion": ("", "speed from odometry, speedometer or gnss; the last two with the imu; empty: by the interface"),
    "imu_left_handed": ("", "whether the gyroscope has Unreal's sign: true, false; empty: by the interface"),
    "objects_file": ("", "sensors of the ego; empty: the shipped config/carla/objects.json"),
    "real_time_factor": ("1.0", "fastest answers to a CARLA that waits for commands, against wall time"),
}


def generate_launch_description():
    """Start a loopback CAN server, then the stack and the adapter that makes CARLA's ego the car on that bus."""
    port = free_port()
    channel = server_channel(port)
    ego = ["/carla/", LaunchConfiguration("role_name")]
    sensors = {name: [*ego, f"/{name}"] for name in TOPICS if name.startswith("radar_")}
    sensors |= {name: [*ego, f"/rgb_front/{name}"] for name in ("image", "camera_info")}
    own = [
        DeclareLaunchArgument(
            "interface", default_value="bridge", choices=list(DEFAULTS), description="CARLA ROS bridge or native ROS 2"
        ),
        *(DeclareLaunchArgument(n, default_value=value, description=doc) for n, (value, doc) in OWN.items()),
    ]
    server = ExecuteProcess(cmd=server_command(port), output={"both": "log"})
    drive = [
        OpaqueFunction(function=lambda _: await_server(channel)),
        *stack(use_sim_time=True),
        OpaqueFunction(function=_adapter),
    ]
    return LaunchDescription(
        [
            *own,
            *arguments(can_interface="remote", can_channel=channel, preset="carla", **sensors),
            RegisterEventHandler(OnProcessStart(target_action=server, on_start=drive)),
            server,
        ]
    )


def _adapter(context):
    given = context.launch_configurations
    interface = given["interface"]
    control, motion, left_handed = DEFAULTS[interface]
    files = parameters(
        context,
        use_sim_time=True,
        interface=interface,
        role_name=given["role_name"],
        control=given["control"] or control,
        motion=given["motion"] or motion,
        imu_left_handed=(given["imu_left_handed"] or left_handed).lower() == "true",
        objects_file=given["objects_file"],
        real_time_factor=float(given["real_time_factor"]),
    )
    adapter = Node(package=PACKAGE, executable=CARLA_ADAPTER, parameters=files, output="screen")
    ended = Shutdown(reason="the adapter to CARLA has ended")
    return [RegisterEventHandler(OnProcessExit(target_action=adapter, on_exit=ended)), adapter]
