"""The last function before the bus: nothing leaves that is not finite, in range, in rate, fresh and allowed.

Out of range, not finite, too old or of a function that does not own the axis is a violation: the axis is
withdrawn, and the next request starts from the measured value again. In range but too fast is slewed: the output
moves towards the request as fast as the limits allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import LATERAL, LONGITUDINAL, Proposal
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, fresh
from adas_perception.types import Command, EgoState, Function, seconds

# A request may exceed its limit by this share before it counts as a violation: rounding on the wire.
TOLERANCE = 0.02
MIN_SPEED_MPS = 1.0
MAX_STEP_S = 0.1
# A gear may be asked for, and the car held, only at standstill.
STANDSTILL_MPS = 0.1


class Violation(Enum):
    """Why the gate withdrew an axis."""

    NO_VEHICLE_STATE = "the measured vehicle state is missing or too old"
    NOT_ITS_AXIS = "a function asks for an axis that is not its own"
    TOO_OLD = "the request rests on samples that are too old"
    ACCEL_NOT_FINITE = "the acceleration request is not a finite number"
    ACCEL_RANGE = "the acceleration request is outside its envelope"
    STEERING_NOT_FINITE = "the steering request is not a finite number"
    STEERING_RANGE = "the steering request is outside its envelope"


@dataclass(frozen=True, slots=True)
class GateResult:
    """The command that may leave, and what was wrong with the one that came in."""

    command: Command
    violations: tuple[Violation, ...] = ()


class Gate:
    """Keeps the last output of each axis; None means the axis starts from the measured value."""

    def __init__(self, limits: Limits, vehicle: Vehicle) -> None:
        self._limits = limits
        self._vehicle = vehicle
        self._accel: float | None = None
        self._steering: float | None = None
        self._last_ns = 0

    def step(self, now_ns: int, proposal: Proposal, ego: EgoState | None) -> GateResult:
        """Pass, slew or withdraw each axis of ``proposal``. Silent without a fresh vehicle state."""
        dt = min(max(seconds(now_ns - self._last_ns), 0.0), MAX_STEP_S)
        self._last_ns = now_ns
        if not fresh(ego, now_ns, self._limits.age.ego_s):
            self._accel = self._steering = None
            asked = proposal.accel_mps2 is not None or proposal.steering_rad is not None
            return GateResult(Command(now_ns), (Violation.NO_VEHICLE_STATE,) if asked else ())

        accel_violation = self._check_accel(now_ns, proposal, ego)
        steering_violation = self._check_steering(now_ns, proposal, ego)
        self._accel = None if accel_violation else self._limit_accel(proposal, ego, dt)
        self._steering = None if steering_violation else self._limit_steering(proposal, ego, dt)
        stands = abs(ego.speed_mps) <= STANDSTILL_MPS
        command = Command(
            stamp_ns=proposal.steering_stamp_ns or proposal.accel_stamp_ns or now_ns,
            accel_mps2=self._accel,
            steering_rad=self._steering,
            longitudinal=Function.NONE if accel_violation else proposal.longitudinal,
            lateral=Function.NONE if steering_violation else proposal.lateral,
            gear=proposal.gear if stands and not accel_violation else None,
            hold=proposal.hold and stands,
        )
        return GateResult(command, tuple(v for v in (accel_violation, steering_violation) if v))

    # --- longitudinal ---

    def _envelope(self, function: Function, speed_mps: float) -> tuple[float, float]:
        if function is Function.AEB:
            return -self._limits.emergency.decel_max_mps2, 0.0
        comfort = self._limits.longitudinal
        return -comfort.decel_max(speed_mps), comfort.accel_max(speed_mps)

    def _check_owner(
        self, now_ns: int, owner: Function, table: tuple[Function, ...], stamp_ns: int
    ) -> Violation | None:
        if owner not in table or owner is Function.DRIVER:
            return Violation.NOT_ITS_AXIS
        age = seconds(now_ns - stamp_ns)
        young = -FUTURE_TOLERANCE_S <= age <= self._limits.age.request_s
        return None if young else Violation.TOO_OLD

    def _check_accel(self, now_ns: int, proposal: Proposal, ego: EgoState) -> Violation | None:
        if proposal.accel_mps2 is None:
            return None
        wrong = self._check_owner(now_ns, proposal.longitudinal, LONGITUDINAL, proposal.accel_stamp_ns)
        if wrong:
            return wrong
        if not math.isfinite(proposal.accel_mps2):
            return Violation.ACCEL_NOT_FINITE
        low, high = self._envelope(proposal.longitudinal, ego.speed_mps)
        inside = low * (1 + TOLERANCE) <= proposal.accel_mps2 <= high * (1 + TOLERANCE)
        return None if inside else Violation.ACCEL_RANGE

    def _limit_accel(self, proposal: Proposal, ego: EgoState, dt: float) -> float | None:
        if proposal.accel_mps2 is None:
            return None
        low, high = self._envelope(proposal.longitudinal, ego.speed_mps)
        wanted = min(max(proposal.accel_mps2, low), high)
        if proposal.longitudinal is Function.AEB:
            return wanted
        # After AEB the output stands below the comfort envelope: it returns by jerk, not by a jump.
        start = min(max(ego.accel_mps2, low), high) if self._accel is None else self._accel
        step = self._limits.longitudinal.jerk_max(ego.speed_mps) * dt
        return min(max(wanted, start - step, min(low, start)), start + step, high)

    # --- lateral ---

    def _path_gain(self, speed_mps: float) -> float:
        """Return lateral acceleration per road-wheel angle in m/s2 per rad, linear single-track model."""
        v = max(abs(speed_mps), MIN_SPEED_MPS)
        return v * v / (self._vehicle.wheelbase_m + self._vehicle.understeer_rad_per_mps2 * v * v)

    def _steering_limit(self, speed_mps: float) -> float:
        lateral = self._limits.lateral
        return min(lateral.steering_max_rad, lateral.accel_max_mps2 / self._path_gain(speed_mps))

    def _check_steering(self, now_ns: int, proposal: Proposal, ego: EgoState) -> Violation | None:
        if proposal.steering_rad is None:
            return None
        wrong = self._check_owner(now_ns, proposal.lateral, LATERAL, proposal.steering_stamp_ns)
        if wrong:
            return wrong
        if not math.isfinite(proposal.steering_rad):
            return Violation.STEERING_NOT_FINITE
        inside = abs(proposal.steering_rad) <= self._steering_limit(ego.speed_mps) * (1 + TOLERANCE)
        return None if inside else Violation.STEERING_RANGE

    def _limit_steering(self, proposal: Proposal, ego: EgoState, dt: float) -> float | None:
        if proposal.steering_rad is None:
            return None
        lateral = self._limits.lateral
        gain = self._path_gain(ego.speed_mps)
        limit = self._steering_limit(ego.speed_mps)
        lead = lateral.deviation_max_mps2 / gain
        step = min(lateral.jerk_max_mps3 / gain, lateral.steering_rate_max_radps) * dt
        start = ego.steering_rad if self._steering is None else self._steering
        wanted = min(max(proposal.steering_rad, ego.steering_rad - lead), ego.steering_rad + lead)
        slewed = min(max(wanted, start - step), start + step)
        return min(max(slewed, -limit), limit)
