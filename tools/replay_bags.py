"""Writes the bags of the replay tests from simulated drives: `python tools/replay_bags.py test/data/bags`.

Also makes a bag with pictures for measuring: `python tools/replay_bags.py /tmp/camera --camera --seconds 60`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from adas_perception.functions.friction import Friction
from adas_perception.pipeline import load_pipeline
from adas_perception.replay.bags import BagWriter
from adas_perception.replay.outputs import full_name
from adas_perception.replay.topics import DRIVER, INFO, ODOMETRY, PICTURES, TYPES
from adas_perception.ros import convert
from adas_perception.sim.camera import DEFAULT_CAMERA, CameraRenderer
from adas_perception.sim.loop import cue
from adas_perception.sim.scenarios import scenario
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import (
    Detections,
    DriverInput,
    EgoState,
    LaneLines,
    RadarScan,
    UltrasonicEcho,
    nanoseconds,
)

# The simulated car steps in 5 ms: three pictures in 0.1 s are 30 Hz.
CYCLES_S, CAMERA_CYCLES_S = (0.05,), (0.035, 0.035, 0.03)
DRIVES = ("short_brake", "short_cut_in", "short_drift")
START_NS = nanoseconds(10.0)
JPEG_QUALITY = 90


def form(sample: object, ego: EgoState) -> tuple[str, object]:
    """Return the topic and the message of a sample."""
    if isinstance(sample, EgoState):
        return ODOMETRY, convert.from_ego(sample)
    if isinstance(sample, DriverInput):
        return DRIVER, convert.from_driver(sample, ego)
    if isinstance(sample, RadarScan):
        return f"radar/{sample.sensor}", convert.from_radar(sample)
    if isinstance(sample, UltrasonicEcho):
        return f"ultrasonic/{sample.sensor}", convert.from_echo(sample, 0.15, 5.5)
    if isinstance(sample, LaneLines):
        return "lanes", convert.from_lanes(sample)
    if isinstance(sample, Detections):
        return "detections", convert.from_detections(sample)
    assert isinstance(sample, Friction)
    return "vehicle/friction", convert.from_friction(sample)


def record(name: str, bag: Path, seconds: float, camera: bool) -> None:
    """Drive a scenario with the stack in the loop and write what its sensors measured."""
    drive = replace(scenario(name), duration_s=seconds)
    world = World(drive, seed=1, start_ns=START_NS)
    pipeline, sensors = load_pipeline(camera=world.camera), SensorSuite(world)
    renderer = CameraRenderer(world.road) if camera else None
    cycles = cycle(CAMERA_CYCLES_S if camera else CYCLES_S)
    with BagWriter(bag, compression="none" if camera else "storage", replace=True) as writer:
        if not camera:  # boxes cannot be placed without it
            info = convert.from_camera(world.stamp_ns, world.camera)
            writer.write(full_name(INFO), TYPES[INFO], world.stamp_ns, info)
        output = pipeline.step(world.stamp_ns, sensors.samples())
        while not world.done:
            command = output.safety.command
            world.step(next(cycles), command.accel_mps2, command.steering_rad, cue(output), command.gear, command.hold)
            samples = sensors.samples()
            ego = world.ego()
            # The driver first: the vehicle state takes acceleration and steering angle from there.
            for sample in sorted(samples, key=lambda s: not isinstance(s, DriverInput)):
                topic, message = form(sample, ego)
                if not (camera and topic in ("lanes", "detections")):
                    writer.write(full_name(topic), TYPES[topic], world.stamp_ns, message)
            if renderer is not None:
                bgr = world.picture(renderer).rgb[:, :, ::-1]
                info = convert.from_camera(world.stamp_ns, DEFAULT_CAMERA)
                writer.write(full_name(INFO), TYPES[INFO], world.stamp_ns, info)
                jpeg = convert.from_picture_compressed(world.stamp_ns, bgr, JPEG_QUALITY)
                writer.write(full_name(PICTURES[1]), TYPES[PICTURES[1]], world.stamp_ns, jpeg)
            output = pipeline.step(world.stamp_ns, samples)


def main() -> None:
    """Write the bags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--camera", action="store_true", help="one bag with pictures at 30 Hz")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the bag with pictures")
    options = parser.parse_args()
    if options.camera:
        record("demo", options.folder / "camera", options.seconds, True)
        return
    for name in DRIVES:
        record(name, options.folder / name, scenario(name).duration_s, False)


if __name__ == "__main__":
    main()
