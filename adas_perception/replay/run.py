"""A recording through the pipeline: as in the car, but with the recorded driver, and nothing reaches an actuator.

ACC cannot be switched on by a driver who is not there, so the replay holds it engaged ("shadow"): pedals count as
released, for every function, and 'set' is pressed whenever ACC stands by.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from adas_perception.pipeline import Output, Pipeline, load_pipeline
from adas_perception.replay.comma2k19 import Event, SegmentError, iter_events
from adas_perception.replay.kpi import AEB_INTERVENTIONS, Row, Summary, columns, figures, summarise
from adas_perception.replay.report import write_report
from adas_perception.types import DriverInput, EgoState, Function, nanoseconds, seconds

STEP_S = 0.05
# A button counts when it goes down, so it is pressed and let go in turn.
PRESS_NS = 200_000_000


def steps(events: Iterable[Event], pipeline: Pipeline) -> Iterator[tuple[EgoState, Output]]:
    """Feed the events in order and step the pipeline at a fixed rate of recorded time."""
    ego: EgoState | None = None
    due_ns: int | None = None
    standby = True
    for stamp_ns, sample in events:
        due_ns = stamp_ns if due_ns is None else due_ns
        while stamp_ns >= due_ns + nanoseconds(STEP_S):
            due_ns += nanoseconds(STEP_S)
            output = pipeline.step(due_ns)
            standby = output.decisions[Function.ACC].state.state in ("OFF", "STANDBY")
            if ego is not None:
                yield ego, output
        if isinstance(sample, EgoState):
            ego = sample
        elif isinstance(sample, DriverInput):
            sample = replace(sample, brake=0.0, accelerator=0.0, acc_set=standby and stamp_ns // PRESS_NS % 2 == 0)
        pipeline.feed(sample)


def _row(start_ns: int, ego: EgoState, output: Output) -> Row:
    acc, aeb = output.decisions[Function.ACC], output.decisions[Function.AEB]

    def value(name: str) -> float:
        return float(acc.state.values.get(name, math.nan))

    return Row(
        time_s=seconds(output.now_ns - start_ns),
        speed_mps=ego.speed_mps,
        accel_mps2=ego.accel_mps2,
        gap_m=value("gap_m"),
        lead_speed_mps=value("lead_speed_mps"),
        lead_id=value("target_id") if "gap_m" in acc.state.values else math.nan,
        acc_request_mps2=math.nan if acc.request.accel_mps2 is None else acc.request.accel_mps2,
        acc_active=float(acc.state.state in ("ACTIVE", "HOLD")),
        aeb_request_mps2=math.nan if aeb.request.accel_mps2 is None else aeb.request.accel_mps2,
        aeb_warning=float(aeb.state.state in ("WARN", *AEB_INTERVENTIONS)),
        ttc_s=float(aeb.state.values.get("ttc_s", math.nan)),
        objects=float(len(output.objects.tracks)) if output.objects else 0.0,
    )


def replay(events: Iterable[Event], pipeline: Pipeline) -> tuple[Summary, list[Row]]:
    """Run a recording; returns the figures and the rows behind them."""
    began = time.perf_counter()
    rows: list[Row] = []
    start_ns = 0
    for ego, output in steps(events, pipeline):
        start_ns = start_ns or output.now_ns
        rows.append(_row(start_ns, ego, output))
    return summarise(rows, STEP_S, time.perf_counter() - began), rows


def replay_segment(recording: Path, out: Path, preset: str = "") -> int:
    """Replay a comma2k19 segment, print the figures, write the report; returns the exit status."""
    console = Console()
    try:
        events = list(track(iter_events(recording), description="reading", console=Console(stderr=True), total=None))
    except SegmentError as error:
        console.print(f"adas: {error}", style="red", highlight=False)
        return 2
    with console.status("replaying"):
        summary, rows = replay(events, load_pipeline(preset))
    console.print(_table(recording, summary))
    console.print(f"report: {write_report(recording.name, summary, columns(rows), out)}")
    return 0


def _table(recording: Path, summary: Summary) -> Table:
    table = Table("figure", "value", title=f"Replay of {recording.name}")
    for name, value in figures(summary):
        table.add_row(name, value)
    return table
