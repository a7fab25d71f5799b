"""Actuation limits: the one source for planners, gate and documents, read from ``config/limits.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adas_perception.params import ParameterError, Params, param, read_yaml


@dataclass(frozen=True)
class LongitudinalLimits(Params):
    """Comfort envelope of ACC and of the fallback, ISO 15622:2018 6.4; linear between the two speeds."""

    speed_low_mps: float = param(5.0, "below it the low-speed limits hold", unit="m/s", low=0.0, high=60.0)
    speed_high_mps: float = param(20.0, "above it the high-speed limits hold", unit="m/s", low=0.0, high=60.0)
    accel_low_mps2: float = param(4.0, "largest acceleration at low speed", unit="m/s2", low=0.0, high=4.0)
    accel_high_mps2: float = param(2.0, "largest acceleration at high speed", unit="m/s2", low=0.0, high=2.0)
    decel_low_mps2: float = param(5.0, "largest deceleration at low speed", unit="m/s2", low=0.0, high=5.0)
    decel_high_mps2: float = param(3.5, "largest deceleration at high speed", unit="m/s2", low=0.0, high=3.5)
    jerk_low_mps3: float = param(5.0, "largest jerk at low speed", unit="m/s3", low=0.0, high=5.0)
    jerk_high_mps3: float = param(2.5, "largest jerk at high speed", unit="m/s3", low=0.0, high=2.5)

    def accel_max(self, speed_mps: float) -> float:
        """Return the largest acceleration in m/s2 at a speed."""
        return self._at(speed_mps, self.accel_low_mps2, self.accel_high_mps2)

    def decel_max(self, speed_mps: float) -> float:
        """Return the largest deceleration in m/s2 (positive) at a speed."""
        return self._at(speed_mps, self.decel_low_mps2, self.decel_high_mps2)

    def jerk_max(self, speed_mps: float) -> float:
        """Return the largest jerk in m/s3 at a speed."""
        return self._at(speed_mps, self.jerk_low_mps3, self.jerk_high_mps3)

    def _at(self, speed_mps: float, low: float, high: float) -> float:
        share = (abs(speed_mps) - self.speed_low_mps) / (self.speed_high_mps - self.speed_low_mps)
        return low + (high - low) * min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class EmergencyLimits(Params):
    """Envelope of AEB: no comfort limit may throttle it (UN R152 demands at least 5 m/s2)."""

    decel_max_mps2: float = param(10.0, "largest deceleration request", unit="m/s2", low=5.0, high=12.0)


@dataclass(frozen=True)
class LateralLimits(Params):
    """Envelope of every steering request: ISO 11270:2014 6.3 and UN R79."""

    accel_max_mps2: float = param(3.0, "largest lateral acceleration", unit="m/s2", low=0.0, high=3.0)
    jerk_max_mps3: float = param(5.0, "largest lateral jerk", unit="m/s3", low=0.0, high=5.0)
    steering_max_rad: float = param(0.56, "largest road-wheel angle", unit="rad", low=0.0, high=1.2)
    steering_rate_max_radps: float = param(0.4, "largest road-wheel rate", unit="rad/s", low=0.0, high=1.5)
    deviation_max_mps2: float = param(
        2.0, "lateral acceleration by which a request may lead the measured angle", unit="m/s2", low=0.0, high=3.0
    )


@dataclass(frozen=True)
class AgeLimits(Params):
    """How old data may be when it decides about actuation."""

    request_s: float = param(0.25, "age of the sample behind a request", unit="s", low=0.02, high=1.0)
    ego_s: float = param(0.2, "age of the measured vehicle state", unit="s", low=0.02, high=1.0)
    heartbeat_s: float = param(0.25, "silence of a node before it counts as dead", unit="s", low=0.05, high=1.0)
    command_s: float = param(0.1, "silence of the gate before the bus says 'no request'", unit="s", low=0.02, high=0.2)


@dataclass(frozen=True)
class Limits(Params):
    """All limits of one vehicle."""

    longitudinal: LongitudinalLimits = LongitudinalLimits()
    emergency: EmergencyLimits = EmergencyLimits()
    lateral: LateralLimits = LateralLimits()
    age: AgeLimits = AgeLimits()

    def __post_init__(self) -> None:
        """Refuse an envelope whose two speeds are not in order."""
        super().__post_init__()
        if self.longitudinal.speed_low_mps >= self.longitudinal.speed_high_mps:
            raise ParameterError("longitudinal: speed_low_mps must be below speed_high_mps")


def load_limits(path: Path) -> Limits:
    """Read the limits of a vehicle; raises ParameterError with the place and the remedy."""
    return Limits.from_mapping(read_yaml(path), str(path))
