"""``adas faults``: kill and halt each process of the running stack, close its bus, and judge what the car did."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from adas_perception.limits import load_limits
from adas_perception.params import Vehicle
from adas_perception.resources import config_path
from adas_perception.ros.demo import Drive, drive_stack
from adas_perception.ros.mishap import BUS
from adas_perception.ros.table import LAST_METRES, PROCESSES
from adas_perception.sim.recorder import Record, load_record

DETECTION_S = 0.3
TICK_S = 0.025
# When the fault comes, by drive: the function of the drive is at work then.
MOMENTS = {"short_follow": 2.5, "short_drift": 3.0}
DRIFT_VICTIMS = ("perception", "tracking", "driving", "safety")
# Without these the car hears no request.
SILENCED = (*LAST_METRES, BUS)
# Whatever comes back after these were lost, only the driver sets the car in motion again.
RESTS_ON_ACC = ("tracking", "driving", *SILENCED)
HOG = "while True: pass"


@dataclass(frozen=True)
class Case:
    """One run: which process is killed or halted, or the bus, and in which drive; ``hogs`` busy programs run beside."""

    scenario: str
    process: str
    halt: bool = False
    hogs: int = 0

    @property
    def name(self) -> str:
        """Return the run's name."""
        verb = "close" if self.process == BUS else "halt" if self.halt else "kill"
        what = f"{verb} {self.process}" if self.process else f"{self.hogs} busy programs"
        return f"{self.scenario}: {what}"


@dataclass(frozen=True)
class Outcome:
    """What happened: the mode reached, the strongest request, and complaints.

    ``seen_s`` passed from the fault to its detection (NaN: none needed), ``back_s`` until the process was heard again
    (NaN: not within the drive), both by the clock of the drive, which waits for the stack.
    """

    seen_s: float
    back_s: float
    mode: str
    strongest_mps2: float
    complaints: tuple[str, ...]


def cases() -> tuple[Case, ...]:
    """Return the twenty runs with kills and halts, and two in which the bus closes."""
    follow = [Case("short_follow", process, halt) for halt in (False, True) for process in PROCESSES]
    drift = [Case("short_drift", process, halt) for halt in (False, True) for process in DRIFT_VICTIMS]
    return (*follow, *drift, *(Case(drive, BUS) for drive in MOMENTS))


def run_faults(out: Path, pattern: str = "", hogs: int = 0) -> int:
    """Run all cases whose name contains ``pattern``, show and judge them; returns 1 when one fails."""
    console = Console()
    busy = (Case("short_follow", "", hogs=hogs),) if hogs else ()
    chosen = [case for case in (*cases(), *busy) if pattern in case.name]
    passed = 0
    for case in chosen:
        outcome = play(case, out / case.name.replace(": ", "_").replace(" ", "_"))
        passed += not outcome.complaints
        seen, back = (_shown(moment) for moment in (outcome.seen_s, outcome.back_s))
        word = "; ".join(outcome.complaints) or "pass"
        figures = f"seen {seen}, back {back}, {outcome.mode}, strongest {outcome.strongest_mps2:.1f} m/s2"
        console.print(f"{case.name}: {figures}: {word}", soft_wrap=True)
    console.print(f"{passed} of {len(chosen)} passed")
    return 0 if passed == len(chosen) else 1


def _shown(moment_s: float) -> str:
    return "-" if math.isnan(moment_s) else f"{moment_s:.2f} s"


def play(case: Case, out: Path) -> Outcome:
    """Drive one case on real processes."""
    kill = f"{case.process}@{MOMENTS[case.scenario]}" if case.process else ""
    with _busy(case.hogs):
        status = drive_stack(Drive(case.scenario, out, kill=kill, halt=case.halt, revive=True))
    if status:
        return Outcome(math.nan, math.nan, "", 0.0, (f"the drive ended with status {status}",))
    return judge(load_record(out), case)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    programs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def judge(record: Record, case: Case) -> Outcome:
    """Judge a record by the limits and by what the monitor said."""
    s = record.signals
    complaints = list(outside_limits(record))
    if np.max(s["contact"]) > 0.0:
        complaints.append("contact")
    began = _noted(record, "killed")
    back = _noted(record, "back")
    later = s["time_s"] >= began + DETECTION_S
    gone = later & ~(s["time_s"] >= back)
    modes = [c for c in record.states if c.function == "safety" and c.time_s >= began]
    seen = modes[0].time_s - began if modes else math.nan
    if case.process in SILENCED:
        quiet = np.isnan(s["accel_request_mps2"]) & np.isnan(s["steering_request_rad"]) & (s["time_s"] > began)
        seen = float(s["time_s"][np.argmax(quiet)]) - began if quiet.any() else math.inf
        if not quiet[gone].all():
            complaints.append("requests although the last metres are dead")
        if case.process == BUS and "DISENGAGED" not in {c.state for c in modes}:
            complaints.append("the stack did not disengage")
    elif case.process and not modes:
        complaints.append("not seen")
    if case.process and not seen <= DETECTION_S + 2 * TICK_S:
        complaints.append(f"seen after {seen:.2f} s")
    # Nobody is in danger in these drives.
    if any(c.function == "aeb" and c.state in ("PARTIAL", "FULL") for c in record.states):
        complaints.append("AEB brakes without a reason")
    if case.process in RESTS_ON_ACC and np.any(s["accel_request_mps2"][later] > 0.0):
        complaints.append("restarts into active")
    asked = s["accel_request_mps2"][np.isfinite(s["accel_request_mps2"])]
    strongest = float(asked.min()) if len(asked) else 0.0
    return Outcome(seen, back - began, modes[-1].state if modes else "", strongest, tuple(complaints))


def _noted(record: Record, what: str) -> float:
    return next((note.time_s for note in record.notes if note.text.startswith(what)), math.nan)


def outside_limits(record: Record) -> Iterator[str]:
    """Yield every request on the bus that is outside the limits."""
    limits, car, s = load_limits(config_path("limits.yaml")), Vehicle(), record.signals
    columns = (s[n] for n in ("time_s", "speed_mps", "accel_request_mps2", "steering_request_rad"))
    for t, v, accel, steering in zip(*columns, strict=True):
        if accel < -limits.emergency.decel_max_mps2 or accel > limits.longitudinal.accel_max(v) + 0.05:
            yield f"{t:.2f} s: {accel:.2f} m/s2"
        lateral = abs(steering) * v * v / (car.wheelbase_m + car.understeer_rad_per_mps2 * v * v)
        if lateral > limits.lateral.accel_max_mps2 * 1.05:
            yield f"{t:.2f} s: {steering:.4f} rad at {v:.1f} m/s"
