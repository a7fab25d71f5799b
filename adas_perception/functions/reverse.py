"""What is behind the reversing car: the last point to brake before the nearest thing in its path.

The ultrasonic sensors of the rear bumper decide. They know the distance to a few centimetres, whether it moves or
not; of the corner radars a person behind the car is one point without size, which would stop the car for every post
beside its path. So traffic that crosses fast from afar is out of reach: in reverse AEB is for walking pace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from adas_perception.functions.common import GRAVITY_MPS2
from adas_perception.functions.path import ego_arc
from adas_perception.functions.threat import Assessment, ThreatParams, Urgency
from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import Echoes, EchoPoint, EgoState, seconds

# Stands for the thing behind the car, which has no track.
BEHIND = -2


@dataclass(frozen=True)
class ReverseParams(Params):
    """Parameters of AEB in reverse (Euro NCAP CPRA)."""

    speed_min_mps: float = param(0.5, "slower than this the driver feels his way", unit="m/s", low=0.1, high=2.0)
    speed_max_mps: float = param(4.0, "at more speed the rangers see too short", unit="m/s", low=1.0, high=10.0)
    margin_m: float = param(0.2, "gap that full braking must keep", unit="m", low=0.0, high=2.0)
    beside_m: float = param(0.05, "things so far beside the body are in the path", unit="m", low=-0.3, high=0.5)
    echoes_age_s: float = param(0.2, "oldest usable echoes", unit="s", low=0.02, high=1.0)
    cycles_min: int = param(3, "echoes of one sensor from inside the path before it counts", low=1, high=20)


class Behind:
    """Assesses what the rear sensors hear, one cycle after another."""

    def __init__(self, params: ReverseParams, threat: ThreatParams, vehicle: Vehicle) -> None:
        self._p = params
        self._threat = threat
        self._vehicle = vehicle
        self._heard: dict[str, tuple[int, int]] = {}

    def assess(self, now_ns: int, ego: EgoState, echoes: Echoes | None, friction: float) -> Assessment | None:
        """Return how urgent braking is for the nearest thing in the reversing car's path, None for a free path."""
        p, speed = self._p, -ego.speed_mps
        gaps = self._gaps(now_ns, ego, echoes) if fresh(echoes, now_ns, p.echoes_age_s) else {}
        self._heard = {sensor: heard for sensor, heard in self._heard.items() if sensor in gaps}
        certain = [gap for sensor, gap in gaps.items() if self._heard[sensor][1] >= p.cycles_min]
        if not certain:
            return None
        gap = min(certain)
        late = p.speed_min_mps <= speed <= p.speed_max_mps and gap <= self._stopping_m(speed, friction)
        return Assessment(
            target_id=BEHIND,
            urgency=Urgency.FULL if late else Urgency.NONE,
            gap_m=gap,
            closing_mps=speed,
            ttc_s=max(gap, 0.0) / speed if speed > 0.0 else math.inf,
            decel_required_mps2=max(speed, 0.0) ** 2 / (2.0 * gap) if gap > 0.0 else math.inf,
            in_path=True,
            clear=False,
        )

    def _stopping_m(self, speed_mps: float, friction: float) -> float:
        """Return the way to standstill under full braking, and the gap to keep."""
        t = self._threat
        braking = speed_mps**2 / (2.0 * friction * GRAVITY_MPS2)
        return speed_mps * (t.brake_delay_s + t.brake_ramp_s / 2.0) + braking + self._p.margin_m

    def _gaps(self, now_ns: int, ego: EgoState, echoes: Echoes) -> dict[str, float]:
        """Return the distance from the rear bumper to what each rear sensor hears in the path, as it is now."""
        gaps: dict[str, float] = {}
        for point in echoes.points:
            gap = self._gap(ego, point)
            if gap is None:
                continue
            stamp = point.stamp_ns or echoes.stamp_ns
            before, count = self._heard.get(point.sensor, (0, 0))
            self._heard[point.sensor] = (stamp, count + (stamp != before))
            driven = -ego.speed_mps * seconds(now_ns - stamp)
            gaps[point.sensor] = min(gap - driven, gaps.get(point.sensor, math.inf))
        return gaps

    def _gap(self, ego: EgoState, point: EchoPoint) -> float | None:
        """Return the way along the path to an echo of the rear bumper, None for one beside it."""
        if not point.sensor.startswith("rear_") or point.sensor.endswith("_side"):
            return None
        s, d, _ = ego_arc(ego, self._vehicle).project(point.x_m, point.y_m)
        return -s - self._vehicle.rear_overhang_m if abs(d) <= self._vehicle.width_m / 2.0 + self._p.beside_m else None
