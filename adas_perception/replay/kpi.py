"""What a replay comes to: the rows of its steps and the figures taken from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

AEB_INTERVENTIONS = ("PARTIAL", "FULL")
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Row:
    """One step of the replay; NaN is none."""

    time_s: float
    speed_mps: float
    accel_mps2: float
    gap_m: float
    lead_speed_mps: float
    lead_id: float
    acc_request_mps2: float
    acc_active: float
    aeb_request_mps2: float
    aeb_warning: float
    ttc_s: float
    objects: float


@dataclass(frozen=True)
class Summary:
    """What a replay comes to."""

    duration_s: float
    distance_m: float
    real_time_factor: float
    lead_share: float
    lead_changes: int
    gap_min_m: float
    time_gap_median_s: float
    acc_active_share: float
    acc_decel_max_mps2: float
    aeb_warnings: int
    aeb_interventions: int


def _onsets(flags: NDArray[np.float64]) -> int:
    return int(np.sum(np.diff(np.concatenate([[0.0], flags])) > 0))


def summarise(rows: list[Row], step_s: float, wall_s: float) -> Summary:
    """Return the figures of a replay; raises ValueError when nothing was replayed."""
    if not rows:
        raise ValueError("the recording holds no vehicle state; nothing to report")
    table = columns(rows)
    duration = float(table["time_s"][-1] - table["time_s"][0])
    has_lead = np.isfinite(table["gap_m"])
    ids = table["lead_id"][has_lead]
    moving = has_lead & (table["speed_mps"] > 5.0)
    time_gap = table["gap_m"][moving] / table["speed_mps"][moving]
    requests = table["acc_request_mps2"][np.isfinite(table["acc_request_mps2"])]
    return Summary(
        duration_s=duration,
        distance_m=float(np.sum(table["speed_mps"]) * step_s),
        real_time_factor=duration / wall_s,
        lead_share=float(np.mean(has_lead)),
        lead_changes=int(np.sum(np.diff(ids) != 0)) if len(ids) else 0,
        gap_min_m=float(np.min(table["gap_m"][has_lead])) if has_lead.any() else math.nan,
        time_gap_median_s=float(np.median(time_gap)) if len(time_gap) else math.nan,
        acc_active_share=float(np.mean(table["acc_active"])),
        acc_decel_max_mps2=float(max(-np.min(requests), 0.0)) if len(requests) else math.nan,
        aeb_warnings=_onsets(table["aeb_warning"]),
        aeb_interventions=_onsets(np.isfinite(table["aeb_request_mps2"]).astype(float)),
    )


def columns(rows: list[Row]) -> Columns:
    """Return one array a field."""
    return {f.name: np.array([getattr(row, f.name) for row in rows]) for f in fields(Row)}


def figures(summary: Summary) -> list[tuple[str, str]]:
    """Return the figures with their names and units, for tables."""
    s = summary
    return [
        ("recorded", f"{s.duration_s:.1f} s, {s.distance_m / 1000:.2f} km"),
        ("replayed at", f"{s.real_time_factor:.1f} x real time"),
        ("ACC engaged", f"{100 * s.acc_active_share:.0f} % of the time"),
        ("ACC has a lead", f"{100 * s.lead_share:.0f} % of the time, {s.lead_changes} changes of target"),
        ("smallest gap", f"{s.gap_min_m:.1f} m"),
        ("median time gap", f"{s.time_gap_median_s:.2f} s"),
        ("strongest ACC braking asked for", f"{s.acc_decel_max_mps2:.2f} m/s2"),
        ("collision warnings", f"{s.aeb_warnings}"),
        ("emergency brakings", f"{s.aeb_interventions}"),
    ]
