"""What a replay comes to: the rows of its steps, the interventions in them, and the figures taken from both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from adas_perception.replay.inputs import InputFigures
from adas_perception.replay.stack import Step
from adas_perception.types import Function, LaneLines, seconds

Columns = dict[str, NDArray[np.float64]]
AEB_BRAKES = ("PARTIAL", "FULL")
# Percentiles of a distribution.
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Row:
    """One step of the replay; NaN is none. ``line_m`` is how far the nearer line is from the side of the car."""

    time_s: float
    speed_mps: float
    accel_mps2: float
    driver_brake: float
    gap_m: float
    lead_speed_mps: float
    lead_id: float
    acc_request_mps2: float
    acc_active: float
    aeb_request_mps2: float
    lka_request_rad: float
    objects: float
    lane_offset_m: float
    line_m: float
    age_ms: float


@dataclass(frozen=True)
class Event:
    """The start of an intervention. ``false`` says whether it was needless, None where nothing can tell."""

    time_s: float
    kind: str
    reason: str
    false: bool | None = None


@dataclass(frozen=True)
class Drive:
    """What was taken from one recording."""

    name: str
    columns: Columns
    events: tuple[Event, ...]
    inputs: tuple[InputFigures, ...]


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    count: int
    per_100_km: float
    per_hour: float


@dataclass(frozen=True)
class Distribution:
    """A figure over the time of the replay: its extremes, its percentiles."""

    samples: int
    low: float
    high: float
    percentiles: Mapping[str, float]


@dataclass(frozen=True)
class Summary:
    """What one or several drives come to."""

    duration_s: float
    distance_km: float
    acc_active_share: float
    lead_share: float
    lead_changes: int
    acc_decel_max_mps2: float
    interventions: Mapping[str, Rate]
    false_activations: Mapping[str, Rate]
    distributions: Mapping[str, Distribution]
    dropped_inputs: int
    stale_inputs: int
    rejected_inputs: int


def row_of(start_ns: int, step: Step, width_m: float) -> Row:
    """Return the row of a step of a car of that width."""
    output, command = step.output, step.output.safety.command
    acc, aeb, lka = (output.decisions[f] for f in (Function.ACC, Function.AEB, Function.LKA))
    offset_m, line_m = _in_lane(output.lanes, width_m)
    asked = command.stamp_ns and (command.accel_mps2 is not None or command.steering_rad is not None)
    return Row(
        time_s=seconds(output.now_ns - start_ns),
        speed_mps=step.ego.speed_mps,
        accel_mps2=step.ego.accel_mps2,
        driver_brake=step.driver.brake if step.driver else 0.0,
        gap_m=float(acc.state.values.get("gap_m", math.nan)),
        lead_speed_mps=float(acc.state.values.get("lead_speed_mps", math.nan)),
        lead_id=float(acc.state.values.get("target_id", math.nan)) if "gap_m" in acc.state.values else math.nan,
        acc_request_mps2=_or_nan(acc.request.accel_mps2),
        acc_active=float(acc.state.state in ("ACTIVE", "HOLD")),
        aeb_request_mps2=_or_nan(aeb.request.accel_mps2),
        lka_request_rad=_or_nan(lka.request.steering_rad),
        objects=float(len(output.objects.tracks)) if output.objects else 0.0,
        lane_offset_m=offset_m,
        line_m=line_m,
        age_ms=1e3 * seconds(output.now_ns - command.stamp_ns) if asked else math.nan,
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _in_lane(lanes: LaneLines | None, width_m: float) -> tuple[float, float]:
    """Return how far left of the lane's middle the car is, and how far its side is from the nearer line."""
    if lanes is None:
        return math.nan, math.nan
    left = lanes.left.y(0.0) if lanes.left else math.nan
    right = lanes.right.y(0.0) if lanes.right else math.nan
    nearer = min((abs(y) for y in (left, right) if math.isfinite(y)), default=math.nan)
    return -(left + right) / 2.0, nearer - width_m / 2.0


def columns_of(rows: Sequence[Row]) -> Columns:
    """Return one array a field; raises ValueError when nothing was replayed."""
    if not rows:
        raise ValueError("the recording holds no usable vehicle state; nothing to report")
    return {f.name: np.array([getattr(row, f.name) for row in rows]) for f in fields(Row)}


def summarise(drives: Sequence[Drive]) -> Summary:
    """Return the figures of all drives together."""
    spans = [np.diff(d.columns["time_s"], append=d.columns["time_s"][-1]) for d in drives]
    weights = np.maximum(np.concatenate(spans), 0.0)
    table = {name: np.concatenate([d.columns[name] for d in drives]) for name in drives[0].columns}
    duration_s = float(weights.sum())
    distance_km = float(np.sum(np.abs(table["speed_mps"]) * weights)) / 1e3
    has_lead = np.isfinite(table["gap_m"])
    requests = table["acc_request_mps2"][np.isfinite(table["acc_request_mps2"])]
    events = [event for drive in drives for event in drive.events]
    kinds = dict.fromkeys(event.kind for event in events)
    judged = dict.fromkeys(event.kind for event in events if event.false is not None)

    def rate(count: int) -> Rate:
        per_km = round(100.0 * count / distance_km, 3) if distance_km > 0.01 else math.nan
        return Rate(count, per_km, round(3600.0 * count / duration_s, 3) if duration_s else math.nan)

    return Summary(
        duration_s=round(duration_s, 3),
        distance_km=round(distance_km, 4),
        acc_active_share=_share(table["acc_active"], weights),
        lead_share=_share(has_lead.astype(float), weights),
        lead_changes=sum(_changes(d.columns["lead_id"]) for d in drives),
        acc_decel_max_mps2=round(float(max(-np.min(requests), 0.0)), 3) if len(requests) else math.nan,
        interventions={kind: rate(sum(e.kind == kind for e in events)) for kind in kinds},
        false_activations={kind: rate(sum(e.kind == kind and bool(e.false) for e in events)) for kind in judged},
        distributions=_distributions(table),
        dropped_inputs=sum(i.dropped for d in drives for i in d.inputs),
        stale_inputs=sum(i.stale for d in drives for i in d.inputs),
        rejected_inputs=sum(i.rejected for d in drives for i in d.inputs),
    )


def _share(flags: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return round(float(np.sum(flags * weights)) / total, 4) if total else 0.0


def _changes(ids: NDArray[np.float64]) -> int:
    known = ids[np.isfinite(ids)]
    return int(np.sum(np.diff(known) != 0))


def samples_of(table: Columns) -> dict[str, NDArray[np.float64]]:
    """Return the samples behind each distribution: the lead's TTC while closing in, gaps while driving, and others."""
    gap, speed, lead = table["gap_m"], table["speed_mps"], table["lead_speed_mps"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ttc = np.where(speed - lead > 0.5, gap / (speed - lead), np.nan)
        time_gap = np.where(speed > 5.0, gap / speed, np.nan)
    found = {
        "ttc_s": np.where(ttc < 60.0, ttc, np.nan),
        "gap_m": gap,
        "time_gap_s": time_gap,
        "lane_offset_m": table["lane_offset_m"],
        "line_m": table["line_m"],
        "age_ms": table["age_ms"],
    }
    return {name: values[np.isfinite(values)] for name, values in found.items()}


def _distributions(table: Columns) -> dict[str, Distribution]:
    return {name: _distribution(values) for name, values in samples_of(table).items() if len(values)}


def _distribution(values: NDArray[np.float64]) -> Distribution:
    marks = np.percentile(values, PERCENTILES)
    named = {f"p{p}": round(float(v), 4) for p, v in zip(PERCENTILES, marks, strict=True)}
    return Distribution(len(values), round(float(values.min()), 4), round(float(values.max()), 4), named)
