"""The node table as launch actions; imported by the files in ``launch/`` only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from adas_perception.resources import config_path
from adas_perception.ros.runner import PROFILE_VARIABLE
from adas_perception.ros.table import PROCESSES

ARGUMENTS = {
    "config": (str(config_path("adas.yaml")), "parameter file of the car"),
    "preset": (str(config_path("adas.yaml")), "parameter file laid over it, e.g. presets/guide.yaml"),
    "backend": ("auto", "inference backend: auto, tensorrt, openvino, onnxruntime"),
    "can_interface": ("socketcan", "python-can interface"),
    "can_channel": ("can0", "channel of that interface"),
    "image": ("camera/image", "topic of the front camera"),
    "camera_info": ("camera/camera_info", "topic of its camera_info"),
    "radar_front": ("radar/front", "topic of the front radar"),
}
REMAPS = {
    "image": "camera/image",
    "camera_info": "camera/camera_info",
    "radar_front": "radar/front",
}


def parameters(*, use_sim_time: bool) -> list[Any]:
    """Return the parameter files and the overrides every process gets."""
    overrides = {
        "use_sim_time": use_sim_time,
        "backend": LaunchConfiguration("backend"),
        "can_interface": LaunchConfiguration("can_interface"),
        "can_channel": LaunchConfiguration("can_channel"),
    }
    return [LaunchConfiguration("config"), LaunchConfiguration("preset"), overrides]


def launch_description(
    *, use_sim_time: bool, without: tuple[str, ...] = (), defaults: Mapping[str, str] | None = None
) -> LaunchDescription:
    """Return one action a process of the node table, with the arguments they share."""
    chosen = {name: (defaults or {}).get(name, value) for name, (value, _) in ARGUMENTS.items()}
    actions: list[Any] = [
        DeclareLaunchArgument(name, default_value=chosen[name], description=doc)
        for name, (_, doc) in ARGUMENTS.items()
    ]
    actions.append(SetEnvironmentVariable(PROFILE_VARIABLE, str(config_path("fastdds_shm.xml"))))
    for process in PROCESSES:
        if process not in without:
            actions.append(
                Node(
                    package="adas_perception",
                    executable=f"{process}_process",
                    namespace="adas",
                    parameters=parameters(use_sim_time=use_sim_time),
                    remappings=[(topic, LaunchConfiguration(name)) for name, topic in REMAPS.items()],
                    output="screen",
                )
            )
    return LaunchDescription(actions)
