"""The node table as launch actions; imported by the files in ``launch/`` only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node

from adas_perception.resources import config_path
from adas_perception.ros.runner import PROFILE_VARIABLE, overrides_file, parameter_files
from adas_perception.ros.table import PROCESSES

PACKAGE = "adas_perception"
# Arguments that set a parameter; left empty, the parameter files decide.
SETTINGS = {
    "backend": "inference backend: auto, tensorrt, openvino, onnxruntime; empty: as the parameter files say",
    "precision": "precision of the networks: auto, fp32, fp16, int8; empty: as the parameter files say",
    "dla_core": "deep learning accelerator for the lane network, 0 or 1; -1: the GPU; empty: as the files say",
    "models": "list of models in place of the shipped models.yaml; empty: as the parameter files say",
    "can_interface": "python-can interface; empty: as the parameter files say",
    "can_channel": "channel of that interface; empty: as the parameter files say",
}
PARAMETERS = {"models": "models_file"}  # of another name than the argument
WHOLE_NUMBERS = {"dla_core"}
FILES = {
    "config": "parameter file of the car; empty: the shipped adas.yaml",
    "preset": "preset laid over it, for example guide; empty: none",
}
# Arguments that name a sensor's topic, and the topic of the stack that it replaces.
TOPICS = {
    "image": "camera/image",
    "camera_info": "camera/camera_info",
    "radar_front": "radar/front",
    "radar_rear_left": "radar/rear_left",
    "radar_rear_right": "radar/rear_right",
    "radar_front_left": "radar/front_left",
    "radar_front_right": "radar/front_right",
}
COMPRESSED = "/compressed"
# A process that crashes is started again, within the second that the safety concept allows.
RESPAWN_DELAY_S = 0.5


def arguments(**defaults: str) -> list[DeclareLaunchArgument]:
    """Declare what every launch file can be told; ``defaults`` are those of one launch file."""
    named = [
        *((name, "", doc) for name, doc in (FILES | SETTINGS).items()),
        *((name, topic, f"topic that feeds {topic}") for name, topic in TOPICS.items()),
    ]
    return [DeclareLaunchArgument(n, default_value=defaults.get(n, value), description=doc) for n, value, doc in named]


def parameters(context: LaunchContext, **values: object) -> list[Path]:
    """Return the parameter files of a process: the car's, the preset, then ``values`` and the given arguments.

    Raises ParameterError for a file that is missing or wrong.
    """
    given = context.launch_configurations
    chosen = {name: given[name] for name in SETTINGS if given[name]}
    settings = {PARAMETERS.get(n, n): int(value) if n in WHOLE_NUMBERS else value for n, value in chosen.items()}
    files = parameter_files(Path(given["config"]) if given["config"] else None, given["preset"])
    return [*files, overrides_file({**settings, **values})]


def stack(*, use_sim_time: bool, without: tuple[str, ...] = ()) -> list[Any]:
    """Return the actions that start the processes of the node table, except those named ``without``."""
    wanted = [process for process in PROCESSES if process not in without]
    values = {"use_sim_time": use_sim_time, "monitor": {"bus": "can" not in without}}
    return [
        SetEnvironmentVariable(PROFILE_VARIABLE, str(config_path("fastdds_shm.xml"))),
        OpaqueFunction(function=_processes, args=[wanted, values]),
    ]


def _processes(context: LaunchContext, wanted: list[str], values: dict[str, object]) -> list[Node]:
    files = parameters(context, **values)
    chosen = [(topic, context.launch_configurations[name]) for name, topic in TOPICS.items()]
    compressed = (TOPICS["image"] + COMPRESSED, context.launch_configurations["image"] + COMPRESSED)
    # A node name here would rename every node of the process.
    return [
        Node(
            package=PACKAGE,
            executable=f"{process}_process",
            parameters=files,
            remappings=[*chosen, compressed],
            output="screen",
            respawn=True,
            respawn_delay=RESPAWN_DELAY_S,
        )
        for process in wanted
    ]
