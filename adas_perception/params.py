"""Parameters: frozen dataclasses with units and ranges, read from the YAML that ROS 2 reads too.

A parameter set derives from ``Params`` and declares each field with ``param``. Its values come from the same
files in both worlds: ``ros2 launch`` passes them to the nodes, ``Config`` reads them without ROS.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

NAMESPACE = "/adas"

P = TypeVar("P", bound="Params")


class ParameterError(ValueError):
    """A parameter has a wrong name, type or value; the message says where and what would be right."""


def param(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field of a parameter set: its default, meaning, unit and inclusive range."""
    metadata = {"doc": doc, "unit": unit, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Params:
    """Base of all parameter sets: checks every field against its declaration.

    Fields are float, int, bool, str, tuples of float or str, or another parameter set.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.metadata:
                _check(f.name, getattr(self, f.name), f)

    @classmethod
    def from_mapping(cls: type[P], values: Mapping[str, Any], where: str = "") -> P:
        """Build the set from nested ``values``; missing fields keep their defaults.

        Raises ParameterError naming ``where``, the field and the remedy.
        """
        place = where or cls.__name__
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ParameterError(f"{place}: expected a mapping of names to values, not {values!r}")
        types = get_type_hints(cls)
        known = {f.name: f for f in fields(cls)}
        arguments: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
                raise ParameterError(f"{place}: there is no parameter '{name}'{hint}")
            kind = types[name]
            try:
                arguments[name] = _convert(kind, value, f"{place}.{name}")
            except (TypeError, ValueError) as error:
                if isinstance(error, ParameterError):
                    raise
                raise ParameterError(f"{place}.{name}: {value!r} is not a {_kind_name(kind)}") from error
        try:
            return cls(**arguments)
        except ParameterError as error:
            raise ParameterError(f"{place}.{error}") from None

    def flat(self, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
        """Yield (dotted name, value, field) of every leaf, as ROS names parameters."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Params):
                yield from value.flat(f"{prefix}{f.name}.")
            else:
                yield f"{prefix}{f.name}", value, f


def _kind_name(kind: Any) -> str:
    return {float: "number", int: "whole number", bool: "true or false", str: "text"}.get(kind, "list")


def _convert(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, Params):
        return kind.from_mapping(value, where)
    if kind is float:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    if kind in (int, bool, str):
        if type(value) is not kind:
            raise TypeError
        return value
    if isinstance(value, str):
        raise TypeError
    element = str if "str" in str(kind) else float
    return tuple(_convert(element, v, where) for v in value)


def _check(name: str, value: Any, f: dataclasses.Field[Any]) -> None:
    low, high, choices = f.metadata["low"], f.metadata["high"], f.metadata["choices"]
    unit = f" {f.metadata['unit']}" if f.metadata["unit"] else ""
    if choices and value not in choices:
        raise ParameterError(f"{name}: '{value}' is not one of {', '.join(choices)}")
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            continue
        if not math.isfinite(number):
            raise ParameterError(f"{name}: {number} is not finite")
        if low is not None and number < low or high is not None and number > high:
            raise ParameterError(f"{name}: {number}{unit} is outside {low}..{high}{unit}")


@dataclass(frozen=True)
class Vehicle(Params):
    """Dimensions of the car; the defaults are a mid-size saloon."""

    wheelbase_m: float = param(2.79, "distance between the axles", unit="m", low=1.5, high=6.0)
    front_overhang_m: float = param(0.93, "front axle to front bumper", unit="m", low=0.2, high=2.0)
    rear_overhang_m: float = param(1.05, "rear axle to rear bumper", unit="m", low=0.2, high=3.0)
    width_m: float = param(1.83, "body width without mirrors", unit="m", low=1.0, high=3.0)
    steering_max_rad: float = param(0.56, "largest road-wheel angle", unit="rad", low=0.2, high=1.2)
    understeer_rad_per_mps2: float = param(
        0.0025, "extra road-wheel angle per lateral acceleration", unit="rad/(m/s2)", low=0.0, high=0.02
    )

    @property
    def length_m(self) -> float:
        """Return the overall length."""
        return self.rear_overhang_m + self.wheelbase_m + self.front_overhang_m

    @property
    def front_x_m(self) -> float:
        """Return x of the front bumper in base_link."""
        return self.wheelbase_m + self.front_overhang_m

    def steering_for(self, curvature: float, speed_mps: float) -> float:
        """Return the road-wheel angle that drives ``curvature`` (1/m) at ``speed_mps`` in the steady state."""
        return math.atan(self.wheelbase_m * curvature) + self.understeer_rad_per_mps2 * curvature * speed_mps**2

    def curvature_for(self, steering_rad: float, speed_mps: float) -> float:
        """Return the steady-state path curvature (1/m) of a road-wheel angle, linear single-track model."""
        return math.tan(steering_rad) / (self.wheelbase_m + self.understeer_rad_per_mps2 * speed_mps**2)


@dataclass(frozen=True)
class Mount(Params):
    """Pose of a sensor on the car, in base_link."""

    x_m: float = param(0.0, "forward of the rear axle", unit="m", low=-10.0, high=10.0)
    y_m: float = param(0.0, "left of the centre line", unit="m", low=-3.0, high=3.0)
    z_m: float = param(0.5, "above the ground", unit="m", low=0.0, high=5.0)
    yaw_rad: float = param(0.0, "heading, positive to the left", unit="rad", low=-math.pi, high=math.pi)


@dataclass(frozen=True)
class Ring(Params):
    """Where the twelve ultrasonic sensors sit: six in each bumper, the outermost looking sideways."""

    front_left_side: Mount = Mount(3.30, 0.90, 0.5, 1.571)
    front_left_outer: Mount = Mount(3.60, 0.72, 0.5, 0.70)
    front_left: Mount = Mount(3.72, 0.27, 0.5, 0.0)
    front_right: Mount = Mount(3.72, -0.27, 0.5, 0.0)
    front_right_outer: Mount = Mount(3.60, -0.72, 0.5, -0.70)
    front_right_side: Mount = Mount(3.30, -0.90, 0.5, -1.571)
    rear_left_side: Mount = Mount(-0.65, 0.90, 0.5, 1.571)
    rear_left_outer: Mount = Mount(-0.93, 0.72, 0.5, 2.44)
    rear_left: Mount = Mount(-1.05, 0.27, 0.5, 3.14159)
    rear_right: Mount = Mount(-1.05, -0.27, 0.5, 3.14159)
    rear_right_outer: Mount = Mount(-0.93, -0.72, 0.5, -2.44)
    rear_right_side: Mount = Mount(-0.65, -0.90, 0.5, -1.571)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the sensors, as in the topics ultrasonic/<name>."""
        return tuple(f.name for f in fields(cls))

    def mount(self, name: str) -> Mount:
        """Return the pose of a sensor."""
        found: Mount = getattr(self, name)
        return found


@dataclass(frozen=True)
class CameraMount(Params):
    """Pose of a camera on the car; the angles are right-handed: pitch down, roll right side down, yaw left."""

    x_m: float = param(1.8, "forward of the rear axle", unit="m", low=-5.0, high=10.0)
    y_m: float = param(0.0, "left of the centre line", unit="m", low=-3.0, high=3.0)
    height_m: float = param(1.4, "above the road", unit="m", low=0.2, high=5.0)
    roll_rad: float = param(0.0, "roll", unit="rad", low=-0.3, high=0.3)
    pitch_rad: float = param(0.0, "pitch", unit="rad", low=-0.5, high=0.5)
    yaw_rad: float = param(0.0, "yaw", unit="rad", low=-0.5, high=0.5)


class Config:
    """The contents of ROS parameter files, later files overriding earlier ones."""

    def __init__(self, *paths: Path) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}
        for path in paths:
            for node, content in read_yaml(path).items():
                if not isinstance(content, dict) or set(content) != {"ros__parameters"}:
                    raise ParameterError(f"{path}: '{node}' must hold exactly one key, 'ros__parameters'")
                if not isinstance(content["ros__parameters"], dict):
                    raise ParameterError(f"{path}: '{node}': ros__parameters must be a mapping of names to values")
                _merge(self._nodes.setdefault(node, {}), content["ros__parameters"])

    def values(self, node: str) -> dict[str, Any]:
        """Return the nested parameter values of a node, those for all nodes ('/**') included."""
        merged: dict[str, Any] = {}
        _merge(merged, self._nodes.get("/**", {}))
        _merge(merged, self._nodes.get(f"{NAMESPACE}/{node}", {}))
        return merged

    def get(self, node: str, kind: type[P]) -> P:
        """Return the parameter set of a node; values for all nodes that ``kind`` does not know are passed over."""
        own = self._nodes.get(f"{NAMESPACE}/{node}", {})
        known = {f.name for f in fields(kind)}
        chosen = {name: value for name, value in self.values(node).items() if name in known or name in own}
        return kind.from_mapping(chosen, node)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises ParameterError with file, line and remedy."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such file; check the path of the parameter file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ParameterError(f"{path}:{line} {problem}; correct the YAML") from None
    except (RecursionError, ValueError) as error:  # nested without end; a date or number that is none
        raise ParameterError(f"{path}: {error}; correct the YAML") from None
    if not isinstance(content, dict):
        raise ParameterError(f"{path}: expected a mapping of names to values")
    return content


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            inner = into.get(name)
            into[name] = dict(inner) if isinstance(inner, Mapping) else {}
            _merge(into[name], value)
        else:
            into[name] = value
