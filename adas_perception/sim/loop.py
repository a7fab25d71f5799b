"""The closed loop without ROS and CAN: the world, what its sensors measure, the pipeline, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from adas_perception.pipeline import Output, Pipeline, Sample
from adas_perception.sim.world import World
from adas_perception.types import LaneLine, LaneLines, LineKind

TICK_S = 0.025
LANE_VIEW_M = (4.0, 60.0)


def lane_lines(world: World) -> LaneLines:
    """Return the lines of the car's lane as a faultless lane camera would see them."""
    road, car = world.road, world.car
    s = world.s_m + np.linspace(*LANE_VIEW_M, 8)

    def seen(d_m: float) -> LaneLine:
        x, y = (road.to_map(s, d_m) - (car.x_m, car.y_m)).T
        ahead = x * np.cos(car.yaw_rad) + y * np.sin(car.yaw_rad)
        left = y * np.cos(car.yaw_rad) - x * np.sin(car.yaw_rad)
        c3, c2, c1, c0 = np.polyfit(ahead, left, 3)
        kind = next((line.kind for line in road.lines if abs(line.d_m - d_m) < 0.1), LineKind.UNKNOWN)
        return LaneLine((float(c0), float(c1), float(c2), float(c3)), *LANE_VIEW_M, 1.0, kind, 0.02)

    middle = road.lane_centres_m[road.lane_of(world.d_m)]
    half = road.lane_width_m / 2.0
    return LaneLines(world.stamp_ns, seen(middle + half), seen(middle - half))


def drive(world: World, pipeline: Pipeline) -> Iterator[Output]:
    """Step world and pipeline together until the scenario ends, yielding what the stack decided at every tick."""
    tick = 0
    output = pipeline.step(world.stamp_ns, _samples(world, tick))
    while not world.done:
        command = output.safety.command
        world.step(TICK_S, command.accel_mps2, command.steering_rad)
        tick += 1
        output = pipeline.step(world.stamp_ns, _samples(world, tick))
        yield output


def _samples(world: World, tick: int) -> list[Sample]:
    samples: list[Sample] = [world.ego(), world.driver_input()]
    if tick % 2 == 0:
        samples += [world.radar("front"), lane_lines(world)]
    if tick % 4 == 1:
        samples += [world.radar("rear_left"), world.radar("rear_right")]
    return samples
