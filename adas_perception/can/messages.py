"""Names and codes of config/adas.dbc that the code relies on."""

from __future__ import annotations

from typing import Final

from adas_perception.can.codec import NS_PER_MS
from adas_perception.types import Function

LONGITUDINAL: Final = "ADAS_Longitudinal"
LATERAL: Final = "ADAS_Lateral"
PARK: Final = "ADAS_Park"
WARNINGS: Final = "ADAS_Warnings"
ACC_DISPLAY: Final = "ADAS_AccDisplay"
TO_CAR: Final = (LONGITUDINAL, LATERAL, PARK, WARNINGS, ACC_DISPLAY)

SPEED: Final = "VEH_Speed"
WHEEL_SPEEDS: Final = "VEH_WheelSpeeds"
MOTION: Final = "VEH_Motion"
STEERING: Final = "VEH_Steering"
PEDALS: Final = "VEH_Pedals"
SWITCHES: Final = "VEH_Switches"
GEAR: Final = "VEH_Gear"
FROM_CAR: Final = (SPEED, WHEEL_SPEEDS, MOTION, STEERING, PEDALS, SWITCHES, GEAR)

SAMPLE_TIME_MODULUS_MS = 1 << 16

# Who may reach the actuators on which axis, with the codes of the DBC.
LONGITUDINAL_SOURCES = {Function.ACC: 1, Function.AEB: 2, Function.APA: 4, Function.FALLBACK: 5}
LATERAL_SOURCES = {Function.LKA: 3, Function.APA: 4, Function.FALLBACK: 5}


def sample_time_ms(stamp_ns: int) -> int:
    """Return a stamp as the signal SampleTime."""
    return stamp_ns // NS_PER_MS % SAMPLE_TIME_MODULUS_MS


def sample_age_s(sample_time: float, now_ns: int) -> float:
    """Return the age of a SampleTime in seconds, right to a millisecond for samples younger than a minute."""
    return (now_ns / NS_PER_MS - sample_time) % SAMPLE_TIME_MODULUS_MS / 1000.0
