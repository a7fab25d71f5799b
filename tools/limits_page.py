"""Write docs/limits.md from config/limits.yaml: ``.venv/bin/python tools/limits_page.py``.

A test fails when the page and the file differ.
"""

from __future__ import annotations

from pathlib import Path

from adas_perception.limits import Limits, load_limits
from adas_perception.params import Vehicle
from adas_perception.safety.arbitration import LATERAL, LONGITUDINAL
from adas_perception.safety.gate import ARMING
from adas_perception.types import Function

ROOT = Path(__file__).resolve().parents[1]
SPEEDS_KMH = (0, 10, 20, 30, 50, 72, 100, 130)
HEAD = """# Limits of actuation

What may reach the actuators, from `config/limits.yaml`: planners, gate, tests and this page read that one file.
Written by `python tools/limits_page.py`; do not edit.
"""


def page(limits: Limits) -> str:
    """Return the page."""
    tables = ("## The file", _fields(limits), "## By speed", _by_speed(limits), "## By function", _functions(limits))
    return "\n".join((HEAD, *(f"{part}\n" for part in tables)))


def _fields(limits: Limits) -> str:
    rows = [
        f"| `{name}` | {value:g} | {field.metadata['unit']} | {field.metadata['low']:g} .. {field.metadata['high']:g} "
        f"| {field.metadata['doc']} |"
        for name, value, field in limits.flat()
    ]
    return "\n".join(["| limit | value | unit | permitted | meaning |", "|---|---|---|---|---|", *rows])


def _by_speed(limits: Limits) -> str:
    head = (
        "| km/h | acceleration, m/s² | deceleration, m/s² | jerk, m/s³ | AEB, m/s² | road-wheel angle, rad "
        "| road-wheel rate, rad/s |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|", *(_speed_row(limits, kmh) for kmh in SPEEDS_KMH)])


def _speed_row(limits: Limits, kmh: float) -> str:
    v, car, along, lateral = kmh / 3.6, Vehicle(), limits.longitudinal, limits.lateral
    square = max(v, 1.0) ** 2
    gain = square / (car.wheelbase_m + car.understeer_rad_per_mps2 * square)
    angle = min(lateral.steering_max_rad, lateral.accel_max_mps2 / gain)
    rate = min(lateral.steering_rate_max_radps, lateral.jerk_max_mps3 / gain)
    return (
        f"| {kmh} | {along.accel_max(v):.2f} | {along.decel_max(v):.2f} | {along.jerk_max(v):.2f} "
        f"| {limits.emergency.decel_max_mps2:.2f} | {angle:.4f} | {rate:.4f} |"
    )


def _functions(limits: Limits) -> str:
    rows = [_function_row(limits, function) for function in Function if function in (*LONGITUDINAL, *LATERAL)]
    head = "| function | speed | steering | armed again after a violation by |"
    return "\n".join([head, "|---|---|---|---|", *(row for row in rows if row)])


def _function_row(limits: Limits, function: Function) -> str:
    if function is Function.DRIVER:
        return ""
    speed = "no"
    if function is Function.AEB:
        speed = f"0 .. -{limits.emergency.decel_max_mps2:g} m/s², no jerk limit"
    elif function in LONGITUDINAL:
        speed = "comfort envelope"
    steering = "lateral envelope" if function in LATERAL else "no"
    buttons = ", ".join(f"`{button}`" for button in ARMING.get(function, ())) or "never locked"
    return f"| {function.name} | {speed} | {steering} | {buttons} |"


def main() -> None:
    """Write the page."""
    path = ROOT / "docs" / "limits.md"
    path.write_text(page(load_limits(ROOT / "config" / "limits.yaml")), encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
