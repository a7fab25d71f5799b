"""Where the time of the scorecard goes: CPU time of a few runs, and the share of each part by cProfile."""

from __future__ import annotations

import cProfile
import pstats
import statistics
import sys
import time

from adas_perception.sim.scorecard.play import Conditions, play
from adas_perception.sim.scorecard.rows import load_rows

RUNS = "A01.08,A08.02,C05.01,C08.01,B02.05,F03.05,L02.09,V01.11"
# What is summed up: name, end of the file's path, function.
PARTS = (
    ("pipeline", "adas_perception/pipeline.py", "step"),
    ("  fusion", "perception/tracking.py", "step"),
    ("    association", "perception/association.py", "assign"),
    ("    camera boxes", "perception/measurement.py", "from_camera"),
    ("    Kalman update", "perception/kalman.py", "update"),
    ("  radar clustering", "perception/radar.py", "step"),
    ("  ACC", "functions/acc.py", "step"),
    ("  AEB", "functions/aeb.py", "step"),
    ("  LKA", "functions/lka.py", "step"),
    ("  BSD", "functions/bsd.py", "step"),
    ("  APA", "functions/apa/apa.py", "step"),
    ("  safety chain, step", "safety/chain.py", "step"),
    ("  safety chain, inputs", "safety/chain.py", "take"),
    ("simulated sensors", "sim/suite.py", "samples"),
    ("  radars", "sim/radar_model.py", "scan_radar"),
    ("  ultrasonics", "sim/sensed.py", "ultrasonics"),
    ("  lanes", "sim/world.py", "lanes"),
    ("  camera", "sim/sensed.py", "detections"),
    ("world", "sim/world.py", "step"),
    ("  car", "sim/vehicle.py", "step"),
    ("recorder", "scorecard/trace.py", "add"),
)


def main(names: str) -> None:
    """Drive the runs once for the clock and once for the profile."""
    cases = [case for row in load_rows() for case in row.cases if case.id in names.split(",")]
    play(cases[0], Conditions(), "none")
    factors = []
    for case in cases:
        start = time.process_time()
        trace = play(case, Conditions(), "*").trace
        spent = time.process_time() - start
        simulated = float(trace["time_s"][-1]) if trace else 0.0
        factors.append(simulated / spent)
        print(f"{case.id}: {simulated:5.1f} s simulated, {factors[-1]:5.0f} times real time")
    print(f"median: {statistics.median(factors):.0f} times real time")
    profile = cProfile.Profile()
    profile.enable()
    for case in cases:
        play(case, Conditions(), "none")
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in stats.values())
    for name, file, function in PARTS:
        spent = sum(v[3] for (path, _, called), v in stats.items() if path.endswith(file) and called == function)
        print(f"{name:24s} {100.0 * spent / total:5.1f} %")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else RUNS)
