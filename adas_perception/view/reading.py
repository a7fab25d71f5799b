"""What is looked at: the topics, their types, and how a message becomes a sample; of ROS or of a bag alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from adas_perception.params import NAMESPACE, CameraMount, Config
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.replay.outputs import FORMS
from adas_perception.replay.topics import TYPES, Converter, Mounting
from adas_perception.ros import convert
from adas_perception.safety.chain import SafetyOutput
from adas_perception.safety.faults import Fault, FaultKind
from adas_perception.safety.monitor import Mode
from adas_perception.types import Level

STATES = tuple(topic for topic in FORMS if topic.endswith("/state") and topic != "safety/state")
SAFETY, HEARTBEAT, COMMAND = "safety/state", "heartbeat", "command"
SLOTS, PATH = "parking/slots", "parking/path"
PICTURES = ("camera/image", "camera/image/compressed")
# What a terminal shows, and what a picture of the scene needs beside it.
TERMINAL = (
    "vehicle/odometry", "vehicle/driver", "lanes", "radar/targets", "objects", "parking/echoes",
    *STATES, SAFETY, COMMAND, HEARTBEAT,
)  # fmt: skip
SCENE = (*TERMINAL, "camera/camera_info", "detections", SLOTS, PATH)
TOPIC_TYPES: Mapping[str, str] = {
    **{topic: TYPES[topic] for topic in (*SCENE, *PICTURES) if topic in TYPES},
    **{topic: form.type for topic, form in FORMS.items() if topic in SCENE},
    HEARTBEAT: "diagnostic_msgs/msg/DiagnosticStatus",
}
Pose = tuple[float, float, float]


class Seen(NamedTuple):
    """A sample of a topic and when it arrived; None when the message could not be used."""

    now_ns: int
    topic: str
    sample: Any


@dataclass(frozen=True, slots=True)
class SafetyView:
    """What the safety monitor says: its mode, who owns speed and steering, which functions may act, what is wrong."""

    stamp_ns: int
    mode: Mode
    takeover: bool = False
    longitudinal: str = "none"
    lateral: str = "none"
    allowed: tuple[str, ...] = ()
    reason: str = "ok"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults that the reason names."""
        return faults_in(self.reason)


@dataclass(frozen=True, slots=True)
class Health:
    """The heartbeat of a node."""

    node: str
    level: Level
    message: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Poses:
    """Parking slots, or the path into one: x, y in m and yaw in rad, in odometry."""

    stamp_ns: int
    items: tuple[Pose, ...] = ()


def faults_in(reason: str) -> tuple[Fault, ...]:
    """Return the faults that a line of reasons of the monitor names, 'radar: node is silent; ...'."""
    found = []
    for kind in FaultKind:
        pieces = reason.split(f": {kind.value}")
        found += [Fault(kind, piece.rsplit("; ", 1)[-1]) for piece in pieces[:-1]]
    return tuple(found)


def safety_view(now_ns: int, output: SafetyOutput) -> SafetyView:
    """Return what a step of the safety chain says."""
    command = output.command
    return SafetyView(
        now_ns, output.mode, output.takeover, command.longitudinal.value, command.lateral.value,
        tuple(sorted(f.value for f in output.allowed)), output.reason,
    )  # fmt: skip


def mounting_of(config: Config) -> Mounting:
    """Return what the conversion of messages must know of the car."""
    camera = CameraMount.from_mapping(config.values("lane_object").get("camera", {}), "camera")
    return Mounting(camera, float(config.values("radar").get("closing_sign", -1.0)))


def short_name(topic: str) -> str:
    """Return a topic without the namespace of the stack."""
    return topic.removeprefix(f"{NAMESPACE}/")


class MessageReader:
    """Messages to samples, topic by topic; names are those without the namespace."""

    def __init__(self, mounting: Mounting) -> None:
        self._inputs = Converter(mounting)
        self._read: Mapping[str, Callable[[Any], Any]] = {
            **dict.fromkeys(STATES, convert.to_state),
            "objects": convert.to_objects,
            "parking/echoes": partial(convert.to_echoes, sensors=SENSORS),
            COMMAND: convert.to_command,
            SAFETY: _to_safety,
            HEARTBEAT: _to_health,
            SLOTS: lambda m: Poses(convert.to_ns(m.header.stamp), tuple(map(_pose, m.poses))),
            PATH: lambda m: Poses(convert.to_ns(m.header.stamp), tuple(_pose(p.pose) for p in m.poses)),
        }

    def sample(self, topic: str, message: Any) -> Any:
        """Return the sample of a message; raises ConvertError for one that cannot be used."""
        if topic not in self._read:
            return self._inputs.sample(topic, message)
        try:
            return self._read[topic](message)
        except convert.ConvertError:
            raise
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise convert.ConvertError(f"{type(error).__name__}: {error}") from None


def _pose(pose: Any) -> Pose:
    return pose.position.x, pose.position.y, 2.0 * math.atan2(pose.orientation.z, pose.orientation.w)


def _level(status: Any) -> Level:
    # A single byte is bytes to ROS and a number in what a bag is decoded to.
    return Level(ord(status.level) if isinstance(status.level, bytes) else status.level)


def _to_health(status: Any) -> Health:
    figures = {value.key: float(value.value) for value in status.values}
    return Health(status.name, _level(status), status.message, figures)


def _to_safety(message: Any) -> SafetyView:
    mode, takeover = convert.to_safety_state(message)
    status = message.status[0]
    values = {value.key: value.value for value in status.values}
    return SafetyView(
        convert.to_ns(message.header.stamp), Mode[mode], takeover, values.get("longitudinal", "none"),
        values.get("lateral", "none"), tuple(values.get("allowed", "").split()), status.hardware_id,
    )  # fmt: skip
