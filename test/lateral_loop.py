"""A kinematic single-track car on a road of constant curvature, closing the loop around lane keeping."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from adas_perception.params import Vehicle
from adas_perception.types import Decision, DriverInput, EgoState, LaneLine, LaneLines, nanoseconds

CYCLE_S = 0.05
STEP_S = 0.01
KMH = 1 / 3.6
START_NS = 1_000_000_000
VEHICLE = Vehicle()


@dataclass
class Drive:
    """Position and heading against the middle of the lane, and the worst figures of the run."""

    rows: list[tuple[float, float, float, float, Decision]] = field(default_factory=list)
    margin_min: float = math.inf

    def requests(self) -> list[float | None]:
        return [row[-1].request.steering_rad for row in self.rows]

    def states(self) -> set[str]:
        return {row[-1].state.state for row in self.rows}


def lines(y: float, psi: float, curvature: float, width: float) -> tuple[LaneLine, LaneLine]:
    """Both lines as the car sees them from ``y`` left of the middle with heading ``psi`` against the road."""
    slope = -math.tan(psi)
    sides = (width / 2 - y, -width / 2 - y)
    left, right = (LaneLine((c / math.cos(psi), slope, curvature / 2, 0.0), 0.0, 60.0) for c in sides)
    return left, right


def drive(
    lka, speed, *, y=0.0, drift=0.0, curvature=0.0, width=3.5, seconds=8.0, keep=(True, True), driver=None,
    disturb=lambda t: 0.0, dead_s=0.05, lag_s=0.08,
) -> Drive:  # fmt: skip
    """Drift at ``drift`` m/s (positive left); between corrections the driver holds the road's curvature."""
    run = Drive()
    psi = math.asin(drift / speed)
    hold = VEHICLE.steering_for(curvature, speed)
    angle, wanted = hold, hold
    queue = deque([angle] * round(dead_s / STEP_S))
    for i in range(round(seconds / STEP_S)):
        t = i * STEP_S
        rate = speed * VEHICLE.curvature_for(angle, speed)
        if i % round(CYCLE_S / STEP_S) == 0:
            now = START_NS + nanoseconds(t)
            ego = EgoState(now, speed, yaw_rate_radps=rate, steering_rad=angle)
            left, right = lines(y, psi, curvature, width)
            seen = LaneLines(now, left if keep[0] else None, right if keep[1] else None)
            decision = lka.step(now, ego, driver(now) if driver else DriverInput(now), seen)
            request = decision.request.steering_rad
            wanted = hold if request is None else request
            run.rows.append((t, y, psi, speed * rate, decision))
        queue.append(wanted + disturb(t))
        angle += (queue.popleft() - angle) * STEP_S / lag_s
        y += speed * math.sin(psi) * STEP_S
        psi += (rate - speed * curvature) * STEP_S
        front = y + VEHICLE.wheelbase_m * math.sin(psi)
        run.margin_min = min(run.margin_min, width / 2 - abs(front) - VEHICLE.width_m / 2)
    return run
