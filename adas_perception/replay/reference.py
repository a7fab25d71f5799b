"""Process replay: what the stack said about a recording before against what it says now, field by field."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from adas_perception.params import ParameterError, read_yaml
from adas_perception.replay.bags import BagReader, Message, Unreadable
from adas_perception.ros.convert.clouds import DTYPES

RULES_FILE = "compare.yaml"
# Differences shown of one field; all are counted.
EXAMPLES = 3


@dataclass(frozen=True)
class Rules:
    """How alike is alike. Patterns are of 'topic field', with * and ?; the first that fits a field counts."""

    tolerances: Mapping[str, float]
    ignored: tuple[str, ...] = ()

    def tolerance(self, field: str) -> float:
        """Return how much numbers of a field may differ."""
        return next((value for pattern, value in self.tolerances.items() if fnmatchcase(field, pattern)), 0.0)

    def ignores(self, field: str) -> bool:
        """Return whether a field is not compared."""
        return any(fnmatchcase(field, pattern) for pattern in self.ignored)


@dataclass(frozen=True)
class Difference:
    """A field that differs; the first times, and how often in all."""

    field: str
    tolerance: float
    count: int
    examples: tuple[tuple[float, Any, Any], ...]

    def lines(self) -> Iterator[str]:
        """Yield the difference for people."""
        allowed = f"tolerance {self.tolerance:g}"
        for time_s, was, now in self.examples:
            both = _number(was) and _number(now) and math.isfinite(was) and math.isfinite(now)
            by = f", {abs(now - was):.6g} apart" if both else ""
            yield f"{self.field} at {time_s:.3f} s: was {_shown(was)}, is {_shown(now)}{by} ({allowed})"
        if self.count > len(self.examples):
            yield f"{self.field}: {self.count - len(self.examples)} more differences"


def load_rules(path: Path) -> Rules:
    """Read the rules; raises ParameterError for what is none. A missing file means exact equality."""
    if not path.is_file():
        return Rules({})
    content = read_yaml(path)
    unknown = set(content) - {"tolerances", "ignored"}
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise ParameterError(f"{path}: unknown entry {names}; known: tolerances, ignored")
    tolerances, ignored = content.get("tolerances") or {}, content.get("ignored") or []
    if not isinstance(tolerances, dict) or not all(_number(v) and v >= 0 for v in tolerances.values()):
        raise ParameterError(f"{path}: tolerances: each pattern needs a number that is not negative")
    if not isinstance(ignored, list) or not all(isinstance(v, str) for v in ignored):
        raise ParameterError(f"{path}: ignored: a list of patterns is needed, for example ['/diagnostics *']")
    return Rules({str(k): float(v) for k, v in tolerances.items()}, tuple(ignored))


def compare(reference: Path, present: Path, rules: Rules) -> list[Difference]:
    """Return what differs between two bags of outputs; raises BagError."""
    was, now = _by_topic(reference), _by_topic(present)
    found: dict[str, list[tuple[float, Any, Any]]] = defaultdict(list)
    start_ns = min((messages[0].stamp_ns for messages in was.values()), default=0)
    for topic in sorted({*was, *now}):
        if rules.ignores(topic) or rules.ignores(f"{topic} *"):
            continue
        old, new = was.get(topic, []), now.get(topic, [])
        if len(old) != len(new):
            found[f"{topic} number of messages"].append((0.0, len(old), len(new)))
        for a, b in zip(old, new, strict=False):
            time_s = (a.stamp_ns - start_ns) / 1e9
            if a.stamp_ns != b.stamp_ns:
                found[f"{topic} time"].append((time_s, a.stamp_ns / 1e9, b.stamp_ns / 1e9))
                break  # from here on the messages are shifted against each other
            for field, x, y in _pairs(flat(a.type, a.fields), flat(b.type, b.fields)):
                name = f"{topic} {field}"
                if not rules.ignores(name) and not _alike(x, y, rules.tolerance(name)):
                    found[name].append((time_s, x, y))
    return [Difference(n, rules.tolerance(n), len(v), tuple(v[:EXAMPLES])) for n, v in found.items()]


def _by_topic(path: Path) -> dict[str, list[Message]]:
    topics: dict[str, list[Message]] = defaultdict(list)
    with BagReader(path) as bag:
        for message in bag.messages():
            if isinstance(message, Unreadable):
                topics[message.topic].append(Message(message.stamp_ns, message.topic, "", message.reason))
            else:
                topics[message.topic].append(message)
    return topics


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in {**a, **b}:
        yield name, a.get(name), b.get(name)


def flat(type_name: str, message: Any) -> dict[str, Any]:
    """Return the fields of a message by dotted name: points of clouds by column, values of diagnostics by key."""
    if type_name == "sensor_msgs/msg/PointCloud2":
        return {"header.stamp": _stamp(message), "header.frame_id": message.header.frame_id, **_columns(message)}
    return dict(_walk("", message))


def _walk(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    kind = getattr(value, "__msgtype__", "")
    if kind == "builtin_interfaces/msg/Time":
        yield name, value.sec + value.nanosec / 1e9
    elif kind == "diagnostic_msgs/msg/DiagnosticStatus":
        inner = f"{name}.{value.name}"
        yield f"{inner}.level", value.level
        yield f"{inner}.message", value.message
        yield f"{inner}.hardware_id", value.hardware_id
        for pair in value.values:
            yield f"{inner}.{pair.key}", _parsed(pair.value)
    elif kind:
        for field in value.__dataclass_fields__:
            if field != "__msgtype__":
                yield from _walk(f"{name}.{field}" if name else field, getattr(value, field))
    elif isinstance(value, list | np.ndarray):
        yield f"{name}.size", len(value)
        # The number stays out of a diagnostic's name: it has one of its own.
        for i, item in enumerate(value):
            yield from _walk(name if hasattr(item, "hardware_id") else f"{name}[{i}]", item)
    else:
        yield name, value.item() if isinstance(value, np.generic) else value


def _columns(cloud: Any) -> dict[str, Any]:
    dtype = np.dtype({
        "names": [f.name for f in cloud.fields],
        "formats": [("<" if not cloud.is_bigendian else ">") + DTYPES[f.datatype] for f in cloud.fields],
        "offsets": [f.offset for f in cloud.fields],
        "itemsize": cloud.point_step,
    })  # fmt: skip
    points = np.frombuffer(cloud.data, dtype, cloud.width * cloud.height)
    columns = {f"{name}[{i}]": float(v) for name in points.dtype.names or () for i, v in enumerate(points[name])}
    return {"points": len(points), **columns}


def _stamp(message: Any) -> float:
    return float(message.header.stamp.sec + message.header.stamp.nanosec / 1e9)


def _parsed(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alike(a: Any, b: Any, tolerance: float) -> bool:
    if _number(a) and _number(b):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return bool(a == b or abs(a - b) <= tolerance)
    return bool(a == b)


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
