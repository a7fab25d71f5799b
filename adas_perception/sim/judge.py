"""What a drive is judged by: the checks of the demo and the figures beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adas_perception.sim.recorder import Record

MIN_GAP_M = 1.0
# The strongest request that any function may make (config/limits.yaml, emergency.decel_max_mps2).
MAX_DECEL_MPS2 = 10.0
# Euro NCAP lane support: at most 0.3 m of the car beyond the line.
MAX_BEYOND_LINE_M = 0.3
MAX_LATERAL_MPS2 = 3.0
MAX_OVERHEAD_MS = 15.0
# The oldest sample that may still move an actuator (config/limits.yaml, age.request_s).
MAX_LATENCY_MS = 250.0


@dataclass(frozen=True)
class Verdict:
    """One check: what was measured and what is allowed.

    Timing depends on what else the computer does, so a check of it that fails is said to be slow and fails no drive.
    """

    name: str
    value: str
    limit: str
    passed: bool
    timing: bool = False

    @property
    def word(self) -> str:
        """Return the outcome: pass, slow or FAIL."""
        return "pass" if self.passed else "slow" if self.timing else "FAIL"


def verdicts(record: Record) -> tuple[Verdict, ...]:
    """Judge a drive; an empty record fails."""
    if len(record.signals["time_s"]) == 0:
        return (Verdict("Drive recorded", "0 ticks", "> 0", False),)
    return (*_driving(record), *_parking(record), *_modes(record), *_timing(record))


def figures(record: Record) -> tuple[tuple[str, str], ...]:
    """Return (name, value) of what has no limit, or was not measured."""
    unknown = []
    if _smallest(record.signals["gap_m"]) is None:
        unknown.append(("Smallest gap", "no car ahead"))
    if len(record.latency_ms) == 0:
        unknown.append(("Camera stamp to CAN frame", "not measured"))
    return (
        *unknown,
        ("Lane network, p50 / p99", _pair(percentiles(record.network_ms))),
        ("Speed against real time", f"{real_time_factor(record):.2f} x"),
    )


def _driving(record: Record) -> tuple[Verdict, ...]:
    s = record.signals
    # Who parks leaves his lane and comes near to others.
    drives = s["time_s"] < _parks_from(record)
    contacts = int(np.count_nonzero(np.diff(s["contact"], prepend=0.0) > 0.5))
    gap = _smallest(s["gap_m"][drives])
    decel = float(np.max(-s["accel_mps2"]))
    inside = float(np.min(np.minimum(s["to_left_m"], s["to_right_m"])[drives], initial=np.inf))
    lateral = float(np.max(np.abs(s["speed_mps"] * s["yaw_rate_radps"])))
    beyond = f"{inside:.2f} m inside" if inside >= 0 else f"{-inside:.2f} m over the line"
    rows = [Verdict("Contacts", str(contacts), "0", contacts == 0)]
    if gap is not None:
        rows.append(Verdict("Smallest gap", f"{gap:.1f} m", f"≥ {MIN_GAP_M:.1f} m", gap >= MIN_GAP_M))
    return (
        *rows,
        Verdict("Deceleration", f"{decel:.1f} m/s²", f"≤ {MAX_DECEL_MPS2:.0f} m/s²", decel <= MAX_DECEL_MPS2),
        Verdict("Lane kept", beyond, f"≤ {MAX_BEYOND_LINE_M:.1f} m over the line", inside >= -MAX_BEYOND_LINE_M),
        Verdict(
            "Lateral acceleration", f"{lateral:.1f} m/s²", f"≤ {MAX_LATERAL_MPS2:.0f} m/s²",
            lateral <= MAX_LATERAL_MPS2,
        ),
    )  # fmt: skip


def _parks_from(record: Record) -> float:
    """Return when the driver has confirmed a slot, infinity when he has not."""
    return next((s.time_s for s in record.states if s.function == "apa" and s.state == "CONFIRMED"), float("inf"))


def _parking(record: Record) -> tuple[Verdict, ...]:
    """Judge how parking has ended; nothing when no slot was confirmed."""
    if _parks_from(record) == float("inf"):
        return ()
    end = [s for s in record.states if s.function == "apa"][-1]
    return (Verdict("Parking", f"{end.state} {end.time_s - _parks_from(record):.0f} s", "DONE", end.state == "DONE"),)


def _modes(record: Record) -> tuple[Verdict, ...]:
    """Judge how long the stack was whole; nothing when no monitor was heard."""
    changes = [s for s in record.states if s.function == "safety"]
    if not changes:
        return ()
    ends = [change.time_s for change in changes[1:]] + [float(record.signals["time_s"][-1])]
    # A car that stands across the street sees no lanes.
    until = _parks_from(record)
    lost = sum(max(min(end, until) - c.time_s, 0.0) for c, end in zip(changes, ends, strict=True)
               if c.state != "NORMAL")  # fmt: skip
    return (Verdict("Time in another mode than NORMAL", f"{lost:.1f} s", "0.0 s", lost <= 0.0),)


def _timing(record: Record) -> tuple[Verdict, ...]:
    latency, network = percentiles(record.latency_ms), percentiles(record.network_ms)
    rows = []
    if latency:
        limit = f"p99 ≤ {MAX_LATENCY_MS:.0f} ms"
        rows.append(Verdict("Camera to CAN, p50 / p99", _pair(latency), limit, latency[1] <= MAX_LATENCY_MS, True))
    if latency and network:
        beyond = latency[0] - network[0]
        limit = f"≤ {MAX_OVERHEAD_MS:.0f} ms"
        rows.append(Verdict("… beyond the network, p50", f"{beyond:.1f} ms", limit, beyond <= MAX_OVERHEAD_MS, True))
    return tuple(rows)


def real_time_factor(record: Record) -> float:
    """Return simulated time over wall time."""
    wall = float(record.info.get("wall_s", 0.0))
    return record.duration_s / wall if wall > 0.0 else float("nan")


def percentiles(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the median and the 99th percentile, None without values."""
    if len(values) == 0:
        return None
    p50, p99 = np.percentile(values, (50, 99))
    return float(p50), float(p99)


def _smallest(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else None


def _pair(pair: tuple[float, float] | None) -> str:
    return "not measured" if pair is None else f"{pair[0]:.1f} / {pair[1]:.1f} ms"
