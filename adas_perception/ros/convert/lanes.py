"""Lane lines as point clouds."""

from __future__ import annotations

import numpy as np

from adas_perception import types as t
from adas_perception.ros.convert.clouds import empty_cloud, read_cloud, write_cloud
from adas_perception.ros.convert.common import ConvertError, to_ns
from adas_perception.ros.convert.messages import PointCloud2

LEFT, RIGHT = 0, 1
SAMPLES = 12
LINES_MAX = 32
LANE_FIELDS = {name: (name,) for name in ("x", "y", "line", "confidence", "kind", "sigma")}


def from_lanes(lanes: t.LaneLines) -> PointCloud2:
    """Write lane lines as points: line 0 is the car's left boundary, 1 its right, 2 and up are others."""
    numbered = [(LEFT, lanes.left), (RIGHT, lanes.right), *enumerate(lanes.others, start=2)]
    rows = []
    for number, line in numbered:
        if line is not None:
            for x in np.linspace(line.x_min, line.x_max, SAMPLES):
                rows.append((x, line.y(x), 0.0, number, line.confidence, int(line.kind), line.sigma_m))
    table = np.array(rows, dtype=np.float32).reshape(-1, 7)
    names = ("x", "y", "z", "line", "confidence", "kind", "sigma")
    return write_cloud(empty_cloud(lanes.stamp_ns), {n: table[:, i] for i, n in enumerate(names)})


def to_lanes(message: PointCloud2) -> t.LaneLines:
    """Read lane lines back: a cubic through the points of each line."""
    columns = read_cloud(message, LANE_FIELDS)
    table = np.column_stack([columns[n] for n in LANE_FIELDS])
    if not np.isfinite(table).all():
        raise ConvertError("lane lines hold a value that is not finite")
    lines = {}
    for number in map(float, np.unique(table[:, 2])):
        if number not in range(LINES_MAX):
            raise ConvertError(f"lane line {number:g} is none of 0 to {LINES_MAX - 1}")
        points = table[table[:, 2] == number]
        x, y = points[:, 0], points[:, 1]
        try:
            c3, c2, c1, c0 = np.polyfit(x, y, 3) if len(points) > 3 else (0.0, 0.0, 0.0, float(y.mean()))
            kind = t.LineKind(int(points[0, 4]))
        except (ValueError, np.linalg.LinAlgError) as error:
            raise ConvertError(f"lane line {number:g}: {error}") from None
        lines[int(number)] = t.LaneLine(
            (float(c0), float(c1), float(c2), float(c3)),
            float(x.min()),
            float(x.max()),
            float(points[0, 3]),
            kind,
            float(points[0, 5]),
        )
    others = tuple(lines[n] for n in sorted(lines) if n > RIGHT)
    return t.LaneLines(to_ns(message.header.stamp), lines.get(LEFT), lines.get(RIGHT), others)
