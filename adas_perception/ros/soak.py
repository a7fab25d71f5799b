"""``adas soak``: the whole stack at full rate for long, one simulated drive after the other.

The processes of the stack live through all drives. Watched are their memory, the cycles that the gate missed, the
checks of each drive, and every line of warning that is no change of state. Between two drives there is no car, which
the stack says; what it says of its modes during a drive is a check of that drive.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

from adas_perception.ros.demo import Drive, opened_bus
from adas_perception.ros.runner import Stack, environment, free_domain, parameter_files, ros_arguments
from adas_perception.ros.table import SIM_VEHICLE
from adas_perception.sim.judge import verdicts
from adas_perception.sim.recorder import load_record
from adas_perception.sim.scenarios import scenario

SCENARIO = "demo"
# The clock of a drive begins after that of the drive before.
ROOM_S = 120.0
WARM_UP_S = 60.0
SAMPLE_S = 5.0
GROWTH_MAX = 0.02
# A change of state is what the functions are for: '[WARN] [adas.aeb] WARN (THREAT)' and the modes of the monitor.
STATE = re.compile(r"\[adas\.(acc|aeb|lka|bsd|apa)\] [A-Z_]+ \([A-Z_]+\)|\[adas\.safety_monitor\] [A-Z]+: ")
# Every drive starts its car anew, which the monitor says.
NEW_CAR = re.compile(rf"\[adas\.safety_monitor\] {SIM_VEHICLE} was started again")
MISSED = re.compile(r"\[adas\.safety_monitor\] cycle of ([0-9.]+) ms")


def run_soak(minutes: float, out: Path) -> int:
    """Drive for ``minutes`` of wall time and report; returns 1 when a limit is broken."""
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    log_path = out / "stack.log"
    memory: dict[str, list[tuple[float, int]]] = {}
    drives, broken_checks = 0, Counter[str]()
    env = environment(
        ROS_DOMAIN_ID=free_domain(),
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
        PYTHONUNBUFFERED="1",
    )
    files = parameter_files(None, "")
    began = time.monotonic()
    with opened_bus(Drive(SCENARIO, out)) as (interface, channel, _), log_path.open("w") as log:
        bus = {"can_interface": interface, "can_channel": channel}
        with Stack(ros_arguments(files, {"use_sim_time": True, **bus}), env, log) as stack:
            stack.start_all()
            while time.monotonic() - began < 60.0 * minutes and not stack.ended():
                start_s = 10.0 + drives * (scenario(SCENARIO).duration_s + ROOM_S)
                record = out / f"drive{drives}"
                parameters = {"scenario": SCENARIO, "out": record.resolve(), "clock_start_s": start_s, **bus}
                with Stack(ros_arguments(files, parameters), env) as car:
                    car.start(SIM_VEHICLE)
                    while not car.ended() and not stack.ended():
                        _sample(stack, memory, time.monotonic() - began)
                        time.sleep(SAMPLE_S)
                    broken_checks.update(_judge(car.ended().get(SIM_VEHICLE), record))
                drives += 1
            ended = stack.ended()
    minutes_driven = (time.monotonic() - began) / 60.0
    growths = {name: growth(samples) for name, samples in memory.items()}
    missed, warnings = read_log(log_path.read_text(errors="replace"))
    console.print(f"{minutes_driven:.1f} min, {drives} drives, ended: {ended or 'none'}")
    console.print(f"cycles of the gate beyond two periods: {len(missed)}, longest {max(missed, default=0.0):.0f} ms")
    for name, share in growths.items():
        console.print(f"memory of {name}: {memory[name][-1][1] / 1024:.0f} MiB, growth {100 * share:+.2f} %")
    for text, count in (broken_checks + warnings).most_common():
        console.print(f"{count} x {text}", markup=False)
    broken = bool(broken_checks or ended or missed or warnings) or max(growths.values(), default=0.0) >= GROWTH_MAX
    console.print("limits broken" if broken else "pass")
    return 1 if broken else 0


def _judge(status: int | None, record: Path) -> list[str]:
    """Return what is wrong with a drive; its record goes when nothing is."""
    if status != 0:
        return [f"the drive ended with status {status}"]
    wrong = [f"{v.name}: {v.value}" for v in verdicts(load_record(record)) if v.word == "FAIL"]
    if not wrong:
        shutil.rmtree(record)
    return wrong


def _sample(stack: Stack, memory: dict[str, list[tuple[float, int]]], at_s: float) -> None:
    for name, process in stack.processes.items():
        status = Path(f"/proc/{process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
        if found:
            memory.setdefault(name, []).append((at_s, int(found.group(1))))


def growth(samples: list[tuple[float, int]]) -> float:
    """Return by which share the resident memory grew from the end of the warm-up to the end; 0 for short runs."""
    settled = [kib for at_s, kib in samples if at_s >= WARM_UP_S]
    third = len(settled) // 3
    if third == 0:
        return 0.0
    first, last = sum(settled[:third]) / third, sum(settled[-third:]) / third
    return last / first - 1.0


def read_log(text: str) -> tuple[list[float], Counter[str]]:
    """Return the missed cycles in ms, and the warnings that are no change of state, nor a new car, without numbers."""
    lines = [line for line in text.splitlines() if "[WARN]" in line or "[ERROR]" in line or "Error" in line]
    missed = [float(found.group(1)) for line in lines if (found := MISSED.search(line))]
    others = (line for line in lines if not any(known.search(line) for known in (STATE, NEW_CAR, MISSED)))
    return missed, Counter(re.sub(r"\d+(\.\d+)?", "#", line) for line in others)
