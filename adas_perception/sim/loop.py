"""The closed loop without ROS and CAN: the world, what its sensors measure, the pipeline, and back.

Give the pipeline ``camera=world.camera``, or it cannot place the boxes of the camera and leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator

from adas_perception.functions.aeb_states import State
from adas_perception.pipeline import Output, Pipeline
from adas_perception.sim.driver import Cue
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import Function

TICK_S = 0.05
_WARNING = {State.WARN.name, State.PARTIAL.name, State.FULL.name}


def drive(
    world: World, pipeline: Pipeline, cycle_s: float = TICK_S, sensors: SensorSuite | None = None
) -> Iterator[Output]:
    """Step world and pipeline together until the scenario ends, yielding what the stack decided at every cycle."""
    sensors = sensors or SensorSuite(world)
    output = pipeline.step(world.stamp_ns, sensors.samples())
    while not world.done:
        command = output.safety.command
        world.step(cycle_s, command.accel_mps2, command.steering_rad, cue(output), command.gear, command.hold)
        output = pipeline.step(world.stamp_ns, sensors.samples())
        yield output


def cue(output: Output) -> Cue:
    """Return what the driver notices of a decision."""
    warned = output.decisions[Function.AEB].state.state in _WARNING
    return Cue(warned, output.safety.command.longitudinal in (Function.AEB, Function.FALLBACK))
