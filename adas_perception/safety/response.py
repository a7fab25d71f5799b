"""Does the car do what it was asked? The measured motion must lie between a fast and a slow obedient car.

The fast car obeys at once, the slow one after a dead time and at a limited rate. Common figures: brake 0.05-0.2 s
dead time and 0.15-0.6 s build-up, power steering 30-80 ms and 50-100 ms. What lies outside both is disobedience.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from adas_perception.params import Params, Vehicle, param
from adas_perception.safety.faults import VEHICLE, Fault, FaultKind
from adas_perception.types import Command, EgoState, nanoseconds, seconds

MIN_SPEED_MPS = 2.0
# Harder braking than comfort may meet the limit of the tyres, which is no fault of the brake.
GRIP_MPS2 = 3.5


@dataclass(frozen=True)
class ResponseParams(Params):
    """The slowest car that still obeys, and the tolerance."""

    brake_dead_s: float = param(0.15, "dead time of the brake", unit="s", low=0.0, high=1.0)
    brake_rate_mps3: float = param(12.0, "build-up of the deceleration", unit="m/s3", low=1.0, high=100.0)
    brake_tolerance_mps2: float = param(0.7, "deceleration may differ by", unit="m/s2", low=0.1, high=5.0)
    slippery_share: float = param(0.4, "more tolerance beyond what a wet road gives", low=0.0, high=1.0)
    steering_dead_s: float = param(0.1, "dead time of the steering", unit="s", low=0.0, high=1.0)
    steering_rate_mps3: float = param(2.5, "build-up of the lateral acceleration", unit="m/s3", low=0.1, high=20.0)
    steering_tolerance_mps2: float = param(0.4, "lateral acceleration may differ by", unit="m/s2", low=0.05, high=3.0)
    confirm: int = param(2, "cycles in a row that make a fault", low=1, high=20)


class Follower:
    """One actuator: the band that every obedient one stays in.

    The band opens at once to what is asked and closes behind it after the dead time, at the rate of the slowest.
    """

    def __init__(self, dead_s: float, rate: float, tolerance: float) -> None:
        self._dead_ns = nanoseconds(dead_s)
        self._rate = rate
        self._tolerance = tolerance
        self._asked: deque[tuple[int, float]] = deque()
        self._low = self._high = 0.0
        self._last_ns = 0

    def rest(self) -> None:
        """Forget: nothing was asked, or somebody else acts too."""
        self._asked.clear()

    def disobeys(self, now_ns: int, asked: float, measured: float, slack: float = 0.0) -> bool:
        """Return whether ``measured`` lies outside the band by more than the tolerance and ``slack``."""
        if not self._asked:
            self._asked.append((now_ns, measured))
            self._low = self._high = measured
            self._last_ns = now_ns
        step = self._rate * max(seconds(now_ns - self._last_ns), 0.0)
        self._last_ns = now_ns
        self._asked.append((now_ns, asked))
        # The request of one dead time ago is what the actuator works on now.
        while self._asked[1][0] <= now_ns - self._dead_ns:
            self._asked.popleft()
        recent = [value for _, value in self._asked]
        self._low, self._high = min(*recent, self._low + step), max(*recent, self._high - step)
        tolerance = self._tolerance + slack
        return not self._low - tolerance <= measured <= self._high + tolerance


class ResponseCheck:
    """Compares the last commands with the measured motion."""

    def __init__(self, params: ResponseParams, vehicle: Vehicle) -> None:
        p = params
        self._confirm, self._slippery_share = p.confirm, p.slippery_share
        self._vehicle = vehicle
        self._brake = Follower(p.brake_dead_s, p.brake_rate_mps3, p.brake_tolerance_mps2)
        self._steering = Follower(p.steering_dead_s, p.steering_rate_mps3, p.steering_tolerance_mps2)
        self._brake_bad = self._steering_bad = 0

    def step(
        self, now_ns: int, command: Command, ego: EgoState | None, *, by_foot: bool, by_hand: bool
    ) -> tuple[Fault, ...]:
        """Judge one cycle; ``command`` is what left last, ``by_foot`` and ``by_hand`` say that the driver acts."""
        self._brake_bad = self._brake_bad + 1 if self._brakes_wrong(now_ns, command, ego, by_foot) else 0
        self._steering_bad = self._steering_bad + 1 if self._steers_wrong(now_ns, command, ego, by_hand) else 0
        bad = (
            (self._brake_bad, FaultKind.BRAKE_DISOBEYS),
            (self._steering_bad, FaultKind.STEERING_DISOBEYS),
        )
        return tuple(Fault(kind, VEHICLE) for count, kind in bad if count >= self._confirm)

    def _brakes_wrong(self, now_ns: int, command: Command, ego: EgoState | None, by_foot: bool) -> bool:
        # Near standstill, in reverse and under the driver's foot the acceleration says nothing about the brake.
        if command.accel_mps2 is None or ego is None or ego.speed_mps < MIN_SPEED_MPS or by_foot:
            self._brake.rest()
            return False
        # What the engine does not give, uphill or at full power, is no fault of the brake.
        slack = self._slippery_share * max(-command.accel_mps2 - GRIP_MPS2, 0.0)
        return self._brake.disobeys(now_ns, min(command.accel_mps2, 0.0), min(ego.accel_mps2, 0.0), slack)

    def _steers_wrong(self, now_ns: int, command: Command, ego: EgoState | None, by_hand: bool) -> bool:
        if command.steering_rad is None or ego is None or ego.speed_mps < MIN_SPEED_MPS or by_hand:
            self._steering.rest()
            return False
        gain = self._vehicle.curvature_for(1e-3, ego.speed_mps) * 1e3 * ego.speed_mps**2
        return self._steering.disobeys(now_ns, gain * command.steering_rad, gain * ego.steering_rad)
