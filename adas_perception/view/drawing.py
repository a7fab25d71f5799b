"""From samples to primitives: what each thing that the stack sees or decides looks like, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adas_perception.functions.bsd import BsdParams
from adas_perception.params import Config, Ring, Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.types import (
    Command,
    Detections,
    Echoes,
    EgoState,
    Function,
    FunctionState,
    Image,
    LaneLine,
    LaneLines,
    Level,
    LineKind,
    ObjectClass,
    Objects,
    RadarTargets,
    Side,
    Track,
)
from adas_perception.view.primitives import (
    Dots,
    Figure,
    Note,
    Picture,
    Points2,
    Primitive,
    Rgb,
    Strips,
    frame,
    rectangle,
    top,
    visible,
)
from adas_perception.view.reading import PATH, SLOTS, Pose, Poses, SafetyView

CAR_RGB, LANE_RGB, OTHER_LINE_RGB = (235, 238, 240), (0, 200, 140), (90, 150, 190)
ECHO_RGB, SLOT_RGB, PATH_RGB = (255, 150, 40), (90, 200, 255), (255, 80, 200)
RADAR_RGB, BOX_RGB = (150, 110, 170), (255, 205, 60)
FREE_RGB, TAKEN_RGB, WARN_RGB = (70, 80, 90), (255, 205, 60), (235, 70, 50)
CLASS_RGB: Mapping[ObjectClass, Rgb] = {
    ObjectClass.CAR: (86, 180, 233), ObjectClass.PEDESTRIAN: (240, 130, 40), ObjectClass.CYCLIST: (250, 210, 60),
}  # fmt: skip
UNKNOWN_RGB, THING_RGB = (175, 180, 185), (95, 100, 108)
ZONE_RGB = (FREE_RGB, TAKEN_RGB, WARN_RGB)
LANE_STEP_M = 2.0
NOSE_M = 1.2
ARROW_S = 1.0
MOVING_MPS = 1.0
# A message of slots tells where their openings are; the length of the first comes with the state.
SLOT_LENGTH_M = 5.0


@dataclass(frozen=True)
class Car:
    """What of the car is drawn."""

    vehicle: Vehicle = Vehicle()
    ring: Ring = Ring()
    bsd: BsdParams = field(default_factory=BsdParams)

    @classmethod
    def of(cls, config: Config) -> Car:
        """Return the car of a parameter file."""
        bsd = config.get("bsd", BsdParams)
        return cls(bsd.vehicle, Ring.from_mapping(config.values("ultrasonic").get("ring", {}), "ring"), bsd)


class Drawer:
    """Turns samples into primitives; keeps the camera, and the last states to note changes only."""

    def __init__(self, car: Car) -> None:
        self._car = car
        self._camera: CameraModel | None = None
        self._ego: EgoState | None = None
        self._parking: dict[str, Poses] = {}
        self._slot_length_m = SLOT_LENGTH_M
        self._said: dict[str, str] = {}
        self._by_type: tuple[tuple[type, Callable[[Any], Iterator[Primitive]]], ...] = (
            (Image, lambda image: iter([Picture("camera", image.rgb)])),
            (LaneLines, self._lanes),
            (Detections, lambda boxes: iter([_boxes(boxes)])),
            (Objects, self._objects),
            (RadarTargets, lambda targets: iter([_targets(targets)])),
            (Echoes, self._echoes),
            (FunctionState, self._state),
            (Command, lambda command: _command(command)),
            (EgoState, self._move),
            (SafetyView, self._safety),
        )

    def fixed(self) -> tuple[Primitive, ...]:
        """Return what never changes: the outline of the car."""
        v = self._car.vehicle
        middle = (v.front_x_m - v.rear_overhang_m) / 2.0
        outline = rectangle(middle, 0.0, 0.0, v.length_m, v.width_m)
        tip, side = (v.front_x_m, 0.0), v.width_m / 2
        nose = top(np.array([(tip[0] - NOSE_M, side), tip, (tip[0] - NOSE_M, -side)]))
        return (Strips("top/car", (outline, nose), (CAR_RGB, CAR_RGB), width=0.12),)

    def draw(self, topic: str, sample: Any) -> tuple[Primitive, ...]:
        """Return what a sample of a topic looks like; nothing for what is not shown."""
        if isinstance(sample, CameraModel):
            self._camera = sample
            return ()
        if isinstance(sample, Poses):
            self._parking[topic] = sample
            return ()
        draw = next((draw for kind, draw in self._by_type if isinstance(sample, kind)), None)
        return tuple(draw(sample)) if draw else ()

    # --- the scene ---

    def _lanes(self, lanes: LaneLines) -> Iterator[Primitive]:
        own = [line for line in (lanes.left, lanes.right) if line is not None]
        lines = [(line, LANE_RGB) for line in own] + [(line, OTHER_LINE_RGB) for line in lanes.others]
        seen = [(piece, rgb) for line, rgb in lines for piece in _pieces(line)]
        yield Strips("top/lanes", tuple(top(p) for p, _ in seen), tuple(rgb for _, rgb in seen), width=0.12)
        if self._camera is not None:
            pixels = [(visible(self._camera, piece), rgb) for piece, rgb in seen]
            kept = [(uv, rgb) for uv, rgb in pixels if len(uv) > 1]
            yield Strips("camera/lanes", tuple(uv for uv, _ in kept), tuple(rgb for _, rgb in kept), width=2.0)

    def _objects(self, objects: Objects) -> Iterator[Primitive]:
        users = tuple(track for track in objects.tracks if _is_road_user(track))
        things = tuple(track for track in objects.tracks if not _is_road_user(track))
        colours = tuple(CLASS_RGB.get(track.label, UNKNOWN_RGB) for track in users)
        yield Strips("top/tracks", tuple(map(_outline, users)), colours, tuple(map(_label, users)), width=0.1)
        yield Strips("top/velocities", tuple(map(_arrow, users)), colours, width=0.06)
        yield Strips("top/things", tuple(map(_outline, things)), (THING_RGB,) * len(things), width=0.05)
        if self._camera is not None:
            yield _tracks_in_picture(self._camera, users)

    def _echoes(self, echoes: Echoes) -> Iterator[Primitive]:
        rays = []
        for point in echoes.points:
            mount = self._car.ring.mount(point.sensor)
            rays.append(top(np.array([[mount.x_m, mount.y_m], [point.x_m, point.y_m]])))
        places = np.array([(p.x_m, p.y_m) for p in echoes.points]).reshape(-1, 2)
        yield Strips("top/echo_rays", tuple(rays), (ECHO_RGB,) * len(rays), width=0.02)
        yield Dots("top/echoes", top(places), ECHO_RGB, 0.12)
        yield from self._park()

    def _park(self) -> Iterator[Primitive]:
        """Slots and path stand still on the ground: they are laid anew around the car."""
        slots, path = (self._around(topic) for topic in (SLOTS, PATH))
        marks = tuple(_slot(*pose, self._slot_length_m) for pose in slots)
        labels = tuple(f"slot {number}" for number, _ in enumerate(marks, 1))
        yield Strips("top/slots", marks, (SLOT_RGB,) * len(marks), labels, width=0.1)
        way = top(np.array([pose[:2] for pose in path]).reshape(-1, 2))
        yield Strips("top/path", (way,), (PATH_RGB,), width=0.1) if len(way) > 1 else Strips("top/path")

    def _around(self, topic: str) -> list[Pose]:
        """Return poses of a parking topic in base_link."""
        poses, ego = self._parking.get(topic), self._ego
        if poses is None or ego is None:
            return []
        c, s = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
        moved = [(x - ego.x_m, y - ego.y_m, yaw - ego.yaw_rad) for x, y, yaw in poses.items]
        return [(c * x + s * y, c * y - s * x, yaw) for x, y, yaw in moved]

    def _zones(self, values: Mapping[str, float]) -> Strips:
        """The two blind spots of BSD, in the colour of their lamps."""
        v, p = self._car.vehicle, self._car.bsd
        rear, front = -v.rear_overhang_m - p.zone_behind_m, p.mirror_x_m
        near, far = v.width_m / 2 + p.zone_inner_m, v.width_m / 2 + p.zone_outer_m
        zones, colours = [], []
        for side, name in ((Side.LEFT, "left_level"), (Side.RIGHT, "right_level")):
            zones.append(rectangle((rear + front) / 2, side * (near + far) / 2, 0.0, front - rear, far - near))
            colours.append(ZONE_RGB[min(max(int(values.get(name, 0.0)), 0), 2)])
        return Strips("top/blind_spots", tuple(zones), tuple(colours), width=0.08)

    # --- what is decided ---

    def _move(self, ego: EgoState) -> Iterator[Primitive]:
        self._ego = ego
        yield Figure("speed/car_kmh", 3.6 * ego.speed_mps)

    def _state(self, state: FunctionState) -> Iterator[Primitive]:
        name, values = state.function.value, state.values
        yield from self._note(name, f"{name}: {state.state} ({state.reason})", state.level)
        for key in FIGURES.get(state.function, ()):
            # NaN breaks the line of a series: there is nothing to show now.
            yield _figure(name, key, values.get(key, math.nan))
        if state.function is Function.BSD:
            yield self._zones(values)
        if state.function is Function.APA:
            self._slot_length_m = values.get("slot_length_m", SLOT_LENGTH_M)
            over = {SLOTS: not values.get("slots"), PATH: "plans" not in values}
            self._parking = {topic: poses for topic, poses in self._parking.items() if not over[topic]}

    def _safety(self, safety: SafetyView) -> Iterator[Primitive]:
        level = Level.OK if safety.reason == "ok" else Level.WARN
        yield from self._note("safety", f"safety: {safety.mode.name} ({safety.reason})", level)
        owners = f"{safety.longitudinal} / {safety.lateral}"
        yield from self._note("owners", f"speed / steering: {owners}", Level.OK)

    def _note(self, key: str, text: str, level: Level) -> Iterator[Primitive]:
        if self._said.get(key) != text:
            self._said[key] = text
            yield Note("log/states", text, level)


FIGURES: Mapping[Function, tuple[str, ...]] = {
    Function.AEB: ("ttc_s", "gap_m"),
    Function.ACC: ("gap_m", "set_speed_mps", "lead_speed_mps"),
    Function.LKA: ("ttlc_s", "offset_m"),
    Function.BSD: ("left_ttc_s", "right_ttc_s"),
    Function.APA: ("obstacle_m",),
}


def _figure(function: str, key: str, value: float) -> Figure:
    """Return a figure in the chart of its unit; speeds in km/h, for people."""
    if key.endswith("_mps"):
        return Figure(f"speed/{function}_{key.removesuffix('_mps')}_kmh", 3.6 * value)
    return Figure(f"{'time' if key.endswith('_s') else 'distance'}/{function}_{key}", value)


def _pieces(line: LaneLine) -> list[Points2]:
    """Return a boundary as one line, or as dashes."""
    x = np.arange(line.x_min, max(line.x_max, line.x_min + LANE_STEP_M), LANE_STEP_M).tolist()
    if line.kind is not LineKind.DASHED:
        return [np.array([(v, line.y(v)) for v in x])]
    return [np.array([(v, line.y(v)), (v + LANE_STEP_M, line.y(v + LANE_STEP_M))]) for v in x[::2]]


def _arrow(track: Track) -> Points2:
    """Return where a track will be in a second, as a line from where it is."""
    start = np.array([track.x_m, track.y_m])
    return top(np.array([start, start + ARROW_S * np.array([track.vx_mps, track.vy_mps])]))


def _is_road_user(track: Track) -> bool:
    """Return whether a track is worth words: guard rails and posts are not."""
    return track.label is not ObjectClass.UNKNOWN or math.hypot(track.vx_mps, track.vy_mps) > MOVING_MPS


def _label(track: Track) -> str:
    return f"{track.id} {track.label.name.lower()} {3.6 * track.vx_mps:.0f} km/h"


def _outline(track: Track) -> Points2:
    return rectangle(track.x_m, track.y_m, track.yaw_rad, track.length_m, track.width_m)


def _tracks_in_picture(camera: CameraModel, tracks: tuple[Track, ...]) -> Strips:
    """Tracks ahead as frames around what their boxes cover of the picture."""
    frames, colours = [], []
    for track in tracks:
        low = _outline(track)[:4]
        corners = np.array([[-v, -u, z] for u, v in low for z in (0.0, track.height_m)])
        if track.x_m < camera.x_m + 2.0 or len(visible(camera, corners)) < 4:
            continue
        uv = camera.project(corners)
        frames.append(frame(*np.nanmin(uv, axis=0), *np.nanmax(uv, axis=0)))
        colours.append(CLASS_RGB.get(track.label, UNKNOWN_RGB))
    return Strips("camera/tracks", tuple(frames), tuple(colours), width=1.5)


def _boxes(boxes: Detections) -> Strips:
    labels = tuple(f"{box.label.name.lower()} {box.score:.2f}" for box in boxes.items)
    frames = tuple(frame(box.x1, box.y1, box.x2, box.y2) for box in boxes.items)
    return Strips("camera/boxes", frames, (BOX_RGB,) * len(frames), labels, width=1.0)


def _targets(targets: RadarTargets) -> Dots:
    places = np.array([(item.x_m, item.y_m) for item in targets.items]).reshape(-1, 2)
    return Dots(f"top/radar/{targets.sensor}", top(places), RADAR_RGB, 0.25)


def _slot(x_m: float, y_m: float, yaw_rad: float, length_m: float) -> Points2:
    """Return the opening of a slot, along the street."""
    half = 0.5 * length_m * np.array([math.cos(yaw_rad), math.sin(yaw_rad)])
    return top(np.array([(x_m, y_m) - half, (x_m, y_m) + half]))


def _command(command: Command) -> Iterator[Primitive]:
    yield Figure("command/accel_mps2", math.nan if command.accel_mps2 is None else command.accel_mps2)
    steering = math.nan if command.steering_rad is None else math.degrees(command.steering_rad)
    yield Figure("command/steering_deg", steering)
