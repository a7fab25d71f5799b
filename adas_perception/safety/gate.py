"""The last function before the bus: nothing leaves that is not finite, in range, in rate, fresh and allowed.

Out of range, not finite, too old, of a function that does not own the axis or is not enabled is a violation: the
axis is withdrawn, and the next request starts from the measured value again. Wrong values also lock their function
until the driver arms it again by its button; emergency braking and the minimal-risk manoeuvre are never locked. In
range but too fast is slewed: the output moves towards the request as fast as the limits allow, per cycle and per
250 ms.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from adas_perception.limits import Limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import LATERAL, LONGITUDINAL, Proposal
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, fresh
from adas_perception.types import Command, DriverInput, EgoState, Function, Gear, nanoseconds, seconds

# A request may exceed its limit by this share before it counts as a violation: rounding on the wire.
TOLERANCE = 0.02
MIN_SPEED_MPS = 1.0
# A longer cycle, or one that went back, is a fault of the clock and moves no actuator.
MAX_STEP_S = 0.1
# A gear may be asked for, and the car held, only at standstill.
STANDSTILL_MPS = 0.1
WINDOW_S = 0.25
ROUNDING = 1e-9
# The buttons by which the driver arms a function again.
ARMING: dict[Function, tuple[str, ...]] = {
    Function.ACC: ("acc_set", "acc_resume"),
    Function.LKA: ("lka_toggle",),
    Function.APA: ("park_request", "park_confirm"),
}


class Violation(Enum):
    """Why the gate withdrew an axis."""

    NO_VEHICLE_STATE = "the measured vehicle state is missing or too old"
    NOT_ENABLED = "the function is not enabled"
    LOCKED = "the function is locked until the driver arms it again"
    TOO_OLD = "the request rests on samples that are too old"
    NOT_ITS_AXIS = "a function asks for an axis that is not its own"
    ACCEL_NOT_FINITE = "the acceleration request is not a finite number"
    ACCEL_RANGE = "the acceleration request is outside its envelope"
    STEERING_NOT_FINITE = "the steering request is not a finite number"
    STEERING_RANGE = "the steering request is outside its envelope"

    @property
    def locks(self) -> bool:
        """Return whether the value itself was wrong: the function that sent it is not to be trusted."""
        return self not in (
            Violation.NO_VEHICLE_STATE, Violation.NOT_ENABLED, Violation.LOCKED, Violation.TOO_OLD,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GateResult:
    """The command that may leave, what was wrong with the one that came in, and which functions are locked."""

    command: Command
    violations: tuple[Violation, ...]
    locked: frozenset[Function]


class _Axis:
    """What left on one axis within the last 250 ms; nothing means that it starts from the measured value."""

    def __init__(self) -> None:
        self._left: deque[tuple[int, float]] = deque()

    def reset(self) -> None:
        """Start over from the measured value."""
        self._left.clear()

    def last(self, measured: float) -> float:
        """Return what left last, or the measured value."""
        return self._left[-1][1] if self._left else measured

    def note(self, now_ns: int, value: float) -> float:
        """Keep what leaves, and return it."""
        self._left.append((now_ns, value))
        return value

    def room(self, now_ns: int, start: float, rate: float, dt: float) -> tuple[float, float]:
        """Return the smallest and largest value within ``rate`` per second in this cycle and in the last 250 ms."""
        oldest_ns = now_ns - nanoseconds(WINDOW_S)
        # What a clock that went back has left in the future goes too.
        self._left = deque(pair for pair in self._left if oldest_ns <= pair[0] <= now_ns)
        values = [value for _, value in self._left] or [start]
        window = rate * WINDOW_S + ROUNDING
        return max(start - rate * dt, max(values) - window), min(start + rate * dt, min(values) + window)


class Gate:
    """One step a cycle. Default silent: without a proposal, a vehicle state and an enabled owner nothing leaves."""

    def __init__(self, limits: Limits, vehicle: Vehicle) -> None:
        self._limits = limits
        self._vehicle = vehicle
        self._accel, self._steering = _Axis(), _Axis()
        self._locked: set[Function] = set()
        self._pressed = set(ARMING)  # a button that is down at the first look has not been pressed
        self._last_ns = 0

    def step(
        self,
        now_ns: int,
        proposal: Proposal,
        ego: EgoState | None,
        driver: DriverInput | None,
        enabled: Collection[Function],
    ) -> GateResult:
        """Pass, slew or withdraw each axis of ``proposal``; ``driver`` and ``ego`` are the latest known."""
        dt = seconds(now_ns - self._last_ns)
        dt = dt if 0.0 <= dt <= MAX_STEP_S else 0.0
        self._last_ns = now_ns
        self._arm(driver)
        if not (fresh(ego, now_ns, self._limits.age.ego_s) and _finite(ego)):
            self._accel.reset()
            self._steering.reset()
            asked = proposal.accel_mps2 is not None or proposal.steering_rad is not None
            return self._result(Command(now_ns), Violation.NO_VEHICLE_STATE if asked else None)

        accel, wrong_accel = proposal.accel_mps2, None
        if accel is not None:
            wrong_accel = self._check(
                now_ns, proposal.longitudinal, LONGITUDINAL, proposal.accel_stamp_ns, enabled
            ) or self._check_accel(accel, proposal.longitudinal, ego)
        steering, wrong_steering = proposal.steering_rad, None
        if steering is not None:
            wrong_steering = self._check(
                now_ns, proposal.lateral, LATERAL, proposal.steering_stamp_ns, enabled
            ) or self._check_steering(steering, ego)
        self._lock(wrong_accel, proposal.longitudinal)
        self._lock(wrong_steering, proposal.lateral)
        parking = Function.APA in enabled and Function.APA not in self._locked
        still = parking and abs(ego.speed_mps) <= STANDSTILL_MPS
        command = Command(
            stamp_ns=proposal.steering_stamp_ns or proposal.accel_stamp_ns or now_ns,
            accel_mps2=self._limit_accel(now_ns, None if wrong_accel else accel, proposal.longitudinal, ego, dt),
            steering_rad=self._limit_steering(now_ns, None if wrong_steering else steering, ego, dt),
            longitudinal=Function.NONE if wrong_accel else proposal.longitudinal,
            lateral=Function.NONE if wrong_steering else proposal.lateral,
            gear=proposal.gear if still and proposal.longitudinal is Function.APA and not wrong_accel else None,
            hold=still and proposal.hold,
        )
        return self._result(command, wrong_accel, wrong_steering)

    def _result(self, command: Command, *wrong: Violation | None) -> GateResult:
        return GateResult(command, tuple(v for v in wrong if v), frozenset(self._locked))

    # --- who may ask ---

    def _arm(self, driver: DriverInput | None) -> None:
        """Unlock the functions whose button the driver has just pressed."""
        if driver is None:
            return
        down = {f for f, buttons in ARMING.items() if any(getattr(driver, button) for button in buttons)}
        self._locked -= down - self._pressed
        self._pressed = down

    def _lock(self, violation: Violation | None, owner: Function) -> None:
        if violation and violation.locks and owner in ARMING:
            self._locked.add(owner)

    def _check(
        self,
        now_ns: int,
        owner: Function,
        table: Collection[Function],
        stamp_ns: int,
        enabled: Collection[Function],
    ) -> Violation | None:
        if owner not in table or owner is Function.DRIVER:
            return Violation.NOT_ITS_AXIS
        if owner not in enabled:
            return Violation.NOT_ENABLED
        if owner in self._locked:
            return Violation.LOCKED
        young = -FUTURE_TOLERANCE_S <= seconds(now_ns - stamp_ns) <= self._limits.age.request_s
        return None if young else Violation.TOO_OLD

    # --- longitudinal ---

    def _envelope(self, owner: Function, speed_mps: float) -> tuple[float, float]:
        if owner is Function.AEB:
            return -self._limits.emergency.decel_max_mps2, 0.0
        comfort = self._limits.longitudinal
        return -comfort.decel_max(speed_mps), comfort.accel_max(speed_mps)

    def _check_accel(self, accel: float, owner: Function, ego: EgoState) -> Violation | None:
        if not math.isfinite(accel):
            return Violation.ACCEL_NOT_FINITE
        low, high = self._envelope(owner, ego.speed_mps)
        inside = low * (1 + TOLERANCE) <= accel <= high * (1 + TOLERANCE)
        return None if inside else Violation.ACCEL_RANGE

    def _limit_accel(
        self, now_ns: int, accel: float | None, owner: Function, ego: EgoState, dt: float
    ) -> float | None:
        if accel is None:
            self._accel.reset()
            return None
        low, high = self._envelope(owner, ego.speed_mps)
        wanted = min(max(accel, low), high)
        if owner is Function.AEB:
            self._accel.reset()
            return self._accel.note(now_ns, wanted)
        # After AEB the output stands below the comfort envelope: it returns by jerk, not by a jump.
        along = -ego.accel_mps2 if ego.gear is Gear.REVERSE else ego.accel_mps2
        start = self._accel.last(min(max(along, low), high))
        floor, ceiling = self._accel.room(now_ns, start, self._limits.longitudinal.jerk_max(ego.speed_mps), dt)
        return self._accel.note(now_ns, min(max(wanted, floor, min(low, start)), ceiling, high))

    # --- lateral ---

    def _path_gain(self, speed_mps: float) -> float:
        """Return lateral acceleration per road-wheel angle in m/s2 per rad, linear single-track model."""
        v = max(abs(speed_mps), MIN_SPEED_MPS)
        return v * v / (self._vehicle.wheelbase_m + self._vehicle.understeer_rad_per_mps2 * v * v)

    def _steering_limit(self, speed_mps: float) -> float:
        lateral = self._limits.lateral
        return min(lateral.steering_max_rad, lateral.accel_max_mps2 / self._path_gain(speed_mps))

    def _check_steering(self, steering: float, ego: EgoState) -> Violation | None:
        if not math.isfinite(steering):
            return Violation.STEERING_NOT_FINITE
        inside = abs(steering) <= self._steering_limit(ego.speed_mps) * (1 + TOLERANCE)
        return None if inside else Violation.STEERING_RANGE

    def _limit_steering(self, now_ns: int, steering: float | None, ego: EgoState, dt: float) -> float | None:
        if steering is None:
            self._steering.reset()
            return None
        lateral = self._limits.lateral
        gain = self._path_gain(ego.speed_mps)
        limit = self._steering_limit(ego.speed_mps)
        lead = lateral.deviation_max_mps2 / gain
        rate = min(lateral.jerk_max_mps3 / gain, lateral.steering_rate_max_radps)
        wanted = min(max(steering, ego.steering_rad - lead), ego.steering_rad + lead)
        floor, ceiling = self._steering.room(now_ns, self._steering.last(ego.steering_rad), rate, dt)
        slewed = min(max(wanted, floor), ceiling)
        return self._steering.note(now_ns, min(max(slewed, -limit), limit))


def _finite(ego: EgoState) -> bool:
    return all(map(math.isfinite, (ego.speed_mps, ego.accel_mps2, ego.steering_rad)))
