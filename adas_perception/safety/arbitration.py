"""Who may act on each axis: one priority table, one reason for every outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from adas_perception.params import Params, param
from adas_perception.types import DriverInput, Function, Gear, Request


class Reason(Enum):
    """Why an axis belongs to its owner: one code for each row of the tables below."""

    NO_REQUEST = "nobody asks"
    EMERGENCY = "emergency braking"
    DRIVER_PEDALS = "the driver brakes or accelerates"
    DRIVER_STEERS = "the driver steers"
    MINIMAL_RISK = "minimal-risk manoeuvre after a loss"
    PARKING = "parking manoeuvre"
    CRUISE = "cruise control"
    LANE_KEEPING = "lane keeping"


# Highest priority first. AEB stands above the driver's brake because it may only add braking to it; the AEB
# function itself withdraws its request on kick-down or evasive steering, as UN R152 6.2 allows.
LONGITUDINAL: dict[Function, Reason] = {
    Function.AEB: Reason.EMERGENCY,
    Function.DRIVER: Reason.DRIVER_PEDALS,
    Function.FALLBACK: Reason.MINIMAL_RISK,
    Function.APA: Reason.PARKING,
    Function.ACC: Reason.CRUISE,
}
# The fallback keeps the lane by steering of its own only where it has one; else lane keeping goes on beneath it.
LATERAL: dict[Function, Reason] = {
    Function.DRIVER: Reason.DRIVER_STEERS,
    Function.FALLBACK: Reason.MINIMAL_RISK,
    Function.LKA: Reason.LANE_KEEPING,
    Function.APA: Reason.PARKING,
}


@dataclass(frozen=True)
class DriverParams(Params):
    """When the driver counts as acting."""

    brake: float = param(0.02, "brake pedal position that overrides", low=0.0, high=0.5)
    accelerator: float = param(0.05, "accelerator position that overrides", low=0.0, high=0.5)
    steering_torque_nm: float = param(3.0, "hand torque that overrides", unit="Nm", low=0.5, high=10.0)

    def longitudinal(self, driver: DriverInput | None) -> bool:
        """Return whether the driver brakes or accelerates."""
        return driver is not None and (driver.brake > self.brake or driver.accelerator > self.accelerator)

    def lateral(self, driver: DriverInput | None) -> bool:
        """Return whether the driver steers against the assistance."""
        return driver is not None and abs(driver.steering_torque_nm) > self.steering_torque_nm


@dataclass(frozen=True, slots=True)
class Proposal:
    """The outcome of arbitration: a value and its owner on each axis.

    A value of None under the owner DRIVER or NONE means that the stack asks for nothing there. The stamps are
    those of the sensor samples behind the values.
    """

    accel_mps2: float | None = None
    steering_rad: float | None = None
    longitudinal: Function = Function.NONE
    lateral: Function = Function.NONE
    accel_stamp_ns: int = 0
    steering_stamp_ns: int = 0
    gear: Gear | None = None
    hold: bool = False

    @property
    def reasons(self) -> tuple[Reason, Reason]:
        """Return why the owners of speed and steering are who they are."""
        none = Reason.NO_REQUEST
        return LONGITUDINAL.get(self.longitudinal, none), LATERAL.get(self.lateral, none)


def arbitrate(
    requests: Mapping[Function, Request],
    driver: DriverInput | None,
    fallback: Request | None = None,
    thresholds: DriverParams = DriverParams(),  # noqa: B008 - frozen
) -> Proposal:
    """Choose the owner of each axis by the two tables.

    ``requests`` holds only requests that the monitor allows, ``driver`` only what is fresh. AEB's own value stands
    alone: a wild value of another function must not spoil it.
    """
    candidates = dict(requests)
    if fallback is not None:
        candidates[Function.FALLBACK] = fallback
    accelerating = {f: r for f, r in candidates.items() if r.accel_mps2 is not None}
    steering = {f: r for f, r in candidates.items() if r.steering_rad is not None}

    longitudinal = _owner(LONGITUDINAL, accelerating, thresholds.longitudinal(driver))
    lateral = _owner(LATERAL, steering, thresholds.lateral(driver))
    # Only parking changes the gear and holds the car; emergency braking and the driver's pedals come before the gear.
    parking = candidates.get(Function.APA)
    return Proposal(
        accel_mps2=accelerating[longitudinal].accel_mps2 if longitudinal in accelerating else None,
        steering_rad=steering[lateral].steering_rad if lateral in steering else None,
        longitudinal=longitudinal,
        lateral=lateral,
        accel_stamp_ns=accelerating[longitudinal].stamp_ns if longitudinal in accelerating else 0,
        steering_stamp_ns=_lateral_stamp(candidates),
        gear=parking.gear if parking and longitudinal is Function.APA else None,
        hold=parking is not None and parking.hold and longitudinal in (Function.APA, Function.DRIVER),
    )


def _owner(table: Iterable[Function], claims: Mapping[Function, Request], driver_acts: bool) -> Function:
    for function in table:
        if function in claims or function is Function.DRIVER and driver_acts:
            return function
    return Function.NONE


def _lateral_stamp(requests: Mapping[Function, Request]) -> int:
    """Return the stamp of the newest lateral decision, also of the decision not to steer."""
    return max((requests[f].stamp_ns for f in LATERAL if f in requests), default=0)
