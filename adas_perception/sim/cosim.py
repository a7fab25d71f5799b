"""Co-simulation: somebody else's world drives our stack, in plain Python at a fixed step.

An external scenario player (esmini, CARLA scenario_runner, a test bench) owns the road, the traffic and the ego's
dynamics. Each step it hands over where everybody is; our sensor models look at that, the pipeline decides, and the
gated command comes back. Objects may come and go at any time, lanes may be missing. See docs/cosim.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from adas_perception.can.hmi import Hmi, hmi_from_states
from adas_perception.params import Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.pipeline import Output, Pipeline, load_pipeline
from adas_perception.sim.bodies import KINDS, Kind
from adas_perception.sim.camera import DEFAULT_CAMERA
from adas_perception.sim.external_lanes import LaneGeometry, LanePolylines, lanes_from
from adas_perception.sim.sensed import SensedWorld
from adas_perception.sim.sensors import Box, Surroundings
from adas_perception.sim.setup import CLEAN, SensorSetup
from adas_perception.sim.suite import SensorSuite
from adas_perception.types import (
    DriverInput,
    EgoState,
    Function,
    FunctionState,
    LaneLines,
    Objects,
    nanoseconds,
)

__all__ = ["CoSimulation", "Decided", "Frame", "LaneGeometry", "LanePolylines", "SimObject"]

START_NS = 1_000_000_000
_STEP_RANGE_S = (0.001, 0.1)
# Nothing on the car sees farther.
_FARTHEST_M = 300.0
_EGO = Vehicle()
_OBSTACLE = Kind("obstacle", 1.0, 1.0, 1.0, None, 150.0, 1.0)

# Names of OpenSCENARIO and CARLA beside our own.
_ALIASES = {
    "bus": "truck", "trailer": "truck", "semitrailer": "truck", "train": "truck", "tram": "truck",
    "motorbike": "motorcycle", "cyclist": "bicycle", "bike": "bicycle",
    "pedestrian": "adult", "walker": "adult", "wheelchair": "adult", "vehicle": "car",
    "barrier": "wall", "building": "wall", "guardrail": "guard_rail",
}  # fmt: skip


class Frame(Enum):
    """Frame of positions and headings of objects and lane polylines."""

    MAP = "fixed to the ground; the ego's pose is given in it too"
    EGO = "base_link of the ego: middle of the rear axle, x forward, y left"


@dataclass(frozen=True)
class SimObject:
    """A road user or thing: position of its reference point on the ground (m), heading (rad), speed over ground (m/s).

    ``kind`` is a name of ``bodies.KINDS``, or of an OpenSCENARIO or CARLA category; an unknown one is an obstacle
    that radars see and cameras have no name for. ``centre_ahead_m`` is how far the middle of the body lies ahead of
    the reference point (the rear axle in OpenSCENARIO). Sizes left out are those of the kind.
    """

    id: int | str
    kind: str
    x_m: float
    y_m: float
    yaw_rad: float = 0.0
    speed_mps: float = 0.0
    lateral_mps: float = 0.0
    length_m: float | None = None
    width_m: float | None = None
    height_m: float | None = None
    centre_ahead_m: float = 0.0


@dataclass(frozen=True)
class Decided:
    """What the stack decided in one step.

    ``accel_mps2`` and ``steering_rad`` (road wheels, left > 0) are None where nobody asks for actuation: then the
    driver rules. ``longitudinal`` and ``lateral`` tell who asks, ``hmi`` what the driver is shown and warned of,
    ``objects`` and ``lanes`` what the stack believes to see. ``reason`` is 'ok' or says what is wrong.
    """

    time_s: float
    accel_mps2: float | None
    steering_rad: float | None
    longitudinal: Function
    lateral: Function
    hmi: Hmi
    states: Mapping[Function, FunctionState]
    reason: str
    objects: Objects | None
    lanes: LaneLines | None
    output: Output = field(repr=False)


class CoSimulation:
    """The stack behind sensors, stepped by another simulator; ``rejected`` counts objects with impossible numbers."""

    def __init__(
        self,
        dt_s: float = 0.05,
        *,
        preset: str = "",
        sensors: SensorSetup = CLEAN,
        frame: Frame = Frame.MAP,
        seed: int = 0,
        camera: CameraModel = DEFAULT_CAMERA,
        pipeline: Pipeline | None = None,
    ) -> None:
        low, high = _STEP_RANGE_S
        if not low <= dt_s <= high:
            raise ValueError(f"dt_s = {dt_s} is outside {low}..{high} s; 0.05 is what the functions are made for")
        self._dt_ns = nanoseconds(dt_s)
        self._frame = frame
        self._pipeline = pipeline or load_pipeline(preset, camera=camera)
        self._world = _ForeignWorld(sensors, camera, seed, START_NS)
        self._suite = SensorSuite(self._world)
        self._started = False
        self.rejected = 0

    def step(
        self,
        ego: EgoState,
        objects: Iterable[SimObject] = (),
        lanes: LanePolylines | LaneGeometry | None = None,
        driver: DriverInput | None = None,
    ) -> Decided:
        """Take the world of now and return the command to apply until the next step, ``dt_s`` later.

        The stamps of ``ego`` and ``driver`` are not looked at; time is counted in steps. Without ``driver`` he has
        his hands on the wheel and does nothing. Raises ValueError when a figure of the ego is not finite.
        """
        _demand_finite(ego)
        world = self._world
        if self._started:
            world.stamp_ns += self._dt_ns
        self._started = True
        now = world.stamp_ns
        world.own = replace(ego, stamp_ns=now)
        world.driver = replace(driver, stamp_ns=now) if driver else DriverInput(now)
        world.scene = Surroundings(tuple(self._boxes(ego, objects)))
        world.lane_input = lanes_from(lanes, ego if self._frame is Frame.MAP else None)
        output = self._pipeline.step(now, self._suite.samples())
        return _decided(world.time_s, output)

    def _boxes(self, ego: EgoState, objects: Iterable[SimObject]) -> Iterable[Box]:
        for body in objects:
            numbers = (body.x_m, body.y_m, body.yaw_rad, body.speed_mps, body.lateral_mps, body.centre_ahead_m)
            sizes = [size for size in (body.length_m, body.width_m, body.height_m) if size is not None]
            if not all(map(math.isfinite, (*numbers, *sizes))) or any(size <= 0.0 for size in sizes):
                self.rejected += 1
                continue
            box = _box(body, ego if self._frame is Frame.MAP else None)
            if math.hypot(box.x_m, box.y_m) < _FARTHEST_M and not _is_ego(box):
                yield box


class _ForeignWorld(SensedWorld):
    """The latest that the other simulator has told."""

    own = EgoState(0)
    driver = DriverInput(0)
    scene = Surroundings(())
    lane_input = LaneLines(0)

    def true_ego(self) -> EgoState:
        return self.own

    def driver_input(self) -> DriverInput:
        return self.driver

    def surroundings(self) -> Surroundings:
        return self.scene

    def lanes(self) -> LaneLines:
        return self.sensors.lanes.blur(replace(self.lane_input, stamp_ns=self.stamp_ns), self.generator("lanes"))


def kind_of(name: str) -> Kind:
    """Return the kind of body for a name, in any case, of ours, OpenSCENARIO or CARLA; an obstacle if unknown."""
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    return KINDS.get(_ALIASES.get(key, key), _OBSTACLE)


def _box(body: SimObject, ego: EgoState | None) -> Box:
    """Return a body in base_link; ``ego`` gives the pose when the body is in the map frame."""
    kind = kind_of(body.kind)
    x, y, yaw = body.x_m, body.y_m, body.yaw_rad
    if ego is not None:
        c, s = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
        dx, dy = x - ego.x_m, y - ego.y_m
        x, y, yaw = c * dx + s * dy, c * dy - s * dx, math.remainder(yaw - ego.yaw_rad, math.tau)
    c, s = math.cos(yaw), math.sin(yaw)
    return Box(
        x + c * body.centre_ahead_m,
        y + s * body.centre_ahead_m,
        yaw,
        body.length_m or kind.length_m,
        body.width_m or kind.width_m,
        body.height_m or kind.height_m,
        c * body.speed_mps - s * body.lateral_mps,
        s * body.speed_mps + c * body.lateral_mps,
        kind,
    )


def _is_ego(box: Box) -> bool:
    """Tell whether a body's middle lies inside the ego: players list the ego among their objects."""
    return -_EGO.rear_overhang_m < box.x_m < _EGO.front_x_m and abs(box.y_m) < _EGO.width_m / 2.0


def _demand_finite(ego: EgoState) -> None:
    for name in ("speed_mps", "accel_mps2", "yaw_rate_radps", "steering_rad", "x_m", "y_m", "yaw_rad"):
        value = getattr(ego, name)
        if not math.isfinite(value):
            raise ValueError(f"ego.{name} = {value} is not finite; the other simulator must give a number")


def _decided(time_s: float, output: Output) -> Decided:
    command = output.safety.command
    states = {function: decision.state for function, decision in output.decisions.items()}
    return Decided(
        time_s,
        command.accel_mps2,
        command.steering_rad,
        command.longitudinal,
        command.lateral,
        hmi_from_states(states, output.safety.mode.value),
        states,
        output.safety.reason,
        output.objects,
        output.lanes,
        output,
    )
