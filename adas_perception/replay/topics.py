"""What a replay reads: our names of the inputs, their types, how each becomes a sample, and where a bag keeps them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from adas_perception.params import NAMESPACE, CameraMount, ParameterError, read_yaml
from adas_perception.perception.radar import RADARS
from adas_perception.perception.ultrasonic import SENSORS
from adas_perception.ros import convert

CLOUD, IMAGE, COMPRESSED = "sensor_msgs/msg/PointCloud2", "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
ODOMETRY, DRIVER = "vehicle/odometry", "vehicle/driver"
PICTURES = ("camera/image", "camera/image/compressed")
INFO = "camera/camera_info"
RADAR_TOPICS = tuple(f"radar/{name}" for name in RADARS)
TYPES: dict[str, str] = {
    ODOMETRY: "nav_msgs/msg/Odometry",
    DRIVER: "sensor_msgs/msg/Joy",
    "vehicle/friction": "geometry_msgs/msg/AccelWithCovarianceStamped",
    "camera/image": IMAGE,
    "camera/image/compressed": COMPRESSED,
    INFO: "sensor_msgs/msg/CameraInfo",
    **dict.fromkeys(RADAR_TOPICS, CLOUD),
    **{f"ultrasonic/{name}": "sensor_msgs/msg/Range" for name in SENSORS},
    # What perception made when it was recorded: used where the bag lacks that on which it rests.
    "lanes": CLOUD,
    "detections": "vision_msgs/msg/Detection2DArray",
    "radar/targets": CLOUD,
}
RESTS_ON = {"lanes": PICTURES, "detections": PICTURES, "radar/targets": RADAR_TOPICS}
Samples = Callable[[Any], Any]


class TopicError(ParameterError):
    """The topics of a bag and those of the stack do not go together; the message says which and what to do."""


@dataclass(frozen=True)
class Mounting:
    """What the conversion must know of the car: where its camera sits, which sign a closing target has."""

    camera: CameraMount = CameraMount()
    closing_sign: float = -1.0


class Converter:
    """Messages to samples, as the nodes turn them; the vehicle state takes what comes with the driver's message."""

    def __init__(self, mounting: Mounting) -> None:
        self._joy: Any = None
        self._size = (0, 0)
        self._mounting = mounting
        read: dict[str, Samples] = {
            ODOMETRY: lambda m: convert.to_ego(m, self._joy),
            DRIVER: self._to_driver,
            "vehicle/friction": convert.to_friction,
            "camera/image": convert.to_image,
            "camera/image/compressed": convert.to_image_compressed,
            INFO: self._to_camera,
            "lanes": convert.to_lanes,
            "detections": lambda m: convert.to_detections(m, *self._size),
            "radar/targets": convert.to_targets,
        }
        for name in RADARS:
            read[f"radar/{name}"] = partial(convert.to_radar, sensor=name, closing_sign=mounting.closing_sign)
        for name in SENSORS:
            read[f"ultrasonic/{name}"] = partial(convert.to_echo, sensor=name)
        self._read: Mapping[str, Samples] = read

    def sample(self, name: str, message: Any) -> Any:
        """Return the sample of a message on our topic ``name``; raises ConvertError for one that cannot be used."""
        try:
            return self._read[name](message)
        except convert.ConvertError:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise convert.ConvertError(f"{type(error).__name__}: {error}") from None

    def _to_driver(self, message: Any) -> Any:
        driver = convert.to_driver(message)
        self._joy = message
        return driver

    def _to_camera(self, message: Any) -> Any:
        camera = convert.to_camera(message, self._mounting.camera)
        self._size = (camera.width_px, camera.height_px)
        return camera


def load_map(path: Path | None) -> dict[str, str]:
    """Read a topic map, ``our name: topic of the bag``; raises TopicError for names that are none."""
    if path is None:
        return {}
    content = read_yaml(path)
    for name, topic in content.items():
        if name not in TYPES:
            raise TopicError(f"{path}: the stack has no input '{name}'{_near(str(name), TYPES)}")
        if not isinstance(topic, str) or not topic.startswith("/"):
            raise TopicError(f"{path}: {name}: '{topic}' is no topic; write its full name, for example /front/image")
    return {str(name): str(topic) for name, topic in content.items()}


def choose(types: Mapping[str, str], chosen: Mapping[str, str], place: str) -> dict[str, str]:
    """Return the topics of a bag to read, each with our name; ``types`` are the bag's topics and their types.

    ``chosen`` goes before the stack's own names below /adas. Raises TopicError with the remedy when a topic is
    missing, of another type, or when the bag has no vehicle state.
    """
    found = {name: topic for name in TYPES if (topic := chosen.get(name, f"{NAMESPACE}/{name}")) in types}
    for name, topic in chosen.items():
        if topic not in types:
            raise TopicError(f"{place}: has no topic '{topic}' for {name}{_near(topic, types)}")
    for name, topic in found.items():
        if types[topic] != TYPES[name]:
            raise TopicError(
                f"{place}: {topic} is of type {types[topic]}, but {name} is {TYPES[name]}; correct the topic map"
            )
    if ODOMETRY not in found:
        wanted = f"{NAMESPACE}/{ODOMETRY}"
        odometries = [topic for topic, kind in types.items() if kind == TYPES[ODOMETRY]]
        example = f"; name it in --topics, for example '{ODOMETRY}: {odometries[0]}'" if odometries else ""
        hint = example or _near(wanted, types)
        raise TopicError(f"{place}: has no vehicle state on {wanted}{hint}")
    raw = {name for name in found if not any(other in found for other in RESTS_ON.get(name, ()))}
    if set(PICTURES) <= raw:
        raw.remove("camera/image/compressed")
    return {topic: name for name, topic in found.items() if name in raw}


def play_arguments(chosen: Mapping[str, str]) -> list[str]:
    """Return what tells ``ros2 bag play`` to play the sensors only, under our names.

    What a recorded stack said stays in the bag: it would speak between the words of the live one.
    """
    sensors = [name for name in TYPES if name not in RESTS_ON]
    topics = [chosen.get(name, f"{NAMESPACE}/{name}") for name in sensors]
    renamed = [f"{topic}:={NAMESPACE}/{name}" for name, topic in chosen.items() if name in sensors]
    return ["--topics", *topics, *(["--remap", *renamed] if renamed else [])]


def _near(name: str, known: Iterable[str]) -> str:
    """Return the end of an error: the names most like ``name``, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(names)}" if names else "; there are none"
