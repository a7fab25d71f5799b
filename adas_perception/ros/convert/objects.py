"""Radar scans and targets, ultrasonic ranges and echoes, fused objects."""

from __future__ import annotations

import math

import numpy as np

from adas_perception import types as t
from adas_perception.perception.radar import RADARS
from adas_perception.ros.convert.clouds import empty_cloud, read_cloud, write_cloud
from adas_perception.ros.convert.common import BASE, ConvertError, to_ns, to_stamp
from adas_perception.ros.convert.messages import PointCloud2, Range

RADAR_FIELDS = {
    "x": ("x",),
    "y": ("y",),
    "z": ("z",),
    "range_rate": ("range_rate", "Velocity", "velocity", "doppler", "radial_speed", "v_r"),
}


def to_radar(message: PointCloud2, sensor: str, closing_sign: float = -1.0) -> t.RadarScan:
    """Read a radar cloud; ``closing_sign`` is the sign its velocity field has for a closing target."""
    columns = read_cloud(message, RADAR_FIELDS)
    xyz = np.column_stack([columns["x"], columns["y"], columns["z"]])
    return t.RadarScan(to_ns(message.header.stamp), sensor, xyz, -closing_sign * columns["range_rate"])


def from_radar(scan: t.RadarScan) -> PointCloud2:
    """Write a radar scan, closing negative."""
    columns = {"x": scan.xyz[:, 0], "y": scan.xyz[:, 1], "z": scan.xyz[:, 2], "range_rate": scan.range_rate}
    return write_cloud(empty_cloud(scan.stamp_ns, f"radar_{scan.sensor}"), columns)


# Viewers draw no point without a z; here it is 0, and nobody reads it.
TARGET_COLUMNS = ("x", "y", "z", "range_rate", "speed", "points")
TARGET_FIELDS = {name: (name,) for name in TARGET_COLUMNS if name != "z"}


def target_frame(sensor: str) -> str:
    """Return the frame of a radar's targets: it coincides with base_link and tells which radar has seen them."""
    return f"{BASE}/{sensor}"


def from_targets(targets: t.RadarTargets) -> PointCloud2:
    """Write radar targets."""
    rows = [(i.x_m, i.y_m, 0.0, i.range_rate_mps, i.speed_mps, i.points) for i in targets.items]
    table = np.array(rows, dtype=np.float32).reshape(-1, len(TARGET_COLUMNS))
    message = empty_cloud(targets.stamp_ns, target_frame(targets.sensor))
    return write_cloud(message, {n: table[:, i] for i, n in enumerate(TARGET_COLUMNS)})


def to_targets(message: PointCloud2) -> t.RadarTargets:
    """Read radar targets."""
    sensor = message.header.frame_id.removeprefix(f"{BASE}/")
    if sensor not in RADARS:
        raise ConvertError(f"radar targets of '{sensor}'; known: {', '.join(RADARS)}")
    columns = read_cloud(message, TARGET_FIELDS)
    rows = np.column_stack([columns[n] for n in TARGET_FIELDS])
    # The speed over ground is NaN while the motion of the car is unknown.
    if not np.isfinite(np.delete(rows, 3, axis=1)).all():
        raise ConvertError("radar targets hold a value that is not finite")
    items = tuple(t.RadarTarget(x, y, rate, speed, int(n), sensor) for x, y, rate, speed, n in rows.tolist())
    return t.RadarTargets(to_ns(message.header.stamp), sensor, items)


def to_echo(message: Range, sensor: str) -> t.UltrasonicEcho:
    """Read one ultrasonic range; REP 117: +inf is no echo, -inf an object too close to measure."""
    value = message.range
    if value == -math.inf:
        value = message.min_range
    if math.isnan(value) or value < 0.0:
        raise ConvertError(f"range is {value}")
    return t.UltrasonicEcho(to_ns(message.header.stamp), sensor, math.inf if value > message.max_range else value)


def from_echo(echo: t.UltrasonicEcho, min_range_m: float, max_range_m: float) -> Range:
    """Write one ultrasonic range."""
    message = Range(radiation_type=Range.ULTRASOUND, field_of_view=1.2)
    message.header.stamp = to_stamp(echo.stamp_ns)
    message.header.frame_id = f"ultrasonic_{echo.sensor}"
    message.min_range, message.max_range, message.range = float(min_range_m), float(max_range_m), float(echo.range_m)
    return message


ECHO_COLUMNS = ("x", "y", "z", "range", "sensor", "age")
ECHO_FIELDS = {name: (name,) for name in ECHO_COLUMNS if name != "z"}


def from_echoes(echoes: t.Echoes, sensors: tuple[str, ...]) -> PointCloud2:
    """Write echo points; the field ``sensor`` is the index in the list of the twelve. A silent one has NaN."""
    rows = [(p.x_m, p.y_m, 0.0, p.range_m, sensors.index(p.sensor), _age_s(echoes, p)) for p in echoes.points]
    rows += [(math.nan, math.nan, 0.0, math.nan, sensors.index(name), 0.0) for name in echoes.silent]
    table = np.array(rows, dtype=np.float32).reshape(-1, len(ECHO_COLUMNS))
    return write_cloud(empty_cloud(echoes.stamp_ns), {n: table[:, i] for i, n in enumerate(ECHO_COLUMNS)})


def _age_s(echoes: t.Echoes, point: t.EchoPoint) -> float:
    return t.seconds(echoes.stamp_ns - (point.stamp_ns or echoes.stamp_ns))


def to_echoes(message: PointCloud2, sensors: tuple[str, ...]) -> t.Echoes:
    """Read echo points."""
    columns = read_cloud(message, ECHO_FIELDS)
    points, silent = [], []
    stamp_ns = to_ns(message.header.stamp)
    for x, y, reach, index, age in np.column_stack([columns[n] for n in ECHO_FIELDS]).tolist():
        if not 0 <= index < len(sensors):
            raise ConvertError(f"echo of sensor number {index}; there are {len(sensors)}")
        name = sensors[int(index)]
        if math.isnan(reach):
            silent.append(name)
        else:
            points.append(t.EchoPoint(name, x, y, reach, stamp_ns - t.nanoseconds(age)))
    return t.Echoes(stamp_ns, tuple(points), tuple(silent))


OBJECT_FIELDS = (
    "x", "y", "z", "vx", "vy", "ax", "yaw", "length", "width", "height", "class", "id", "score", "sources", "age",
)  # fmt: skip


def from_objects(objects: t.Objects) -> PointCloud2:
    """Write fused objects, one row a track."""
    rows = [
        (o.x_m, o.y_m, o.height_m / 2, o.vx_mps, o.vy_mps, o.ax_mps2, o.yaw_rad, o.length_m, o.width_m, o.height_m,
         int(o.label), o.id, o.score, int(o.sources), o.age)
        for o in objects.tracks
    ]  # fmt: skip
    table = np.array(rows, dtype=np.float32).reshape(-1, len(OBJECT_FIELDS))
    return write_cloud(empty_cloud(objects.stamp_ns), {n: table[:, i] for i, n in enumerate(OBJECT_FIELDS)})


def to_objects(message: PointCloud2) -> t.Objects:
    """Read fused objects."""
    columns = read_cloud(message, {n: (n,) for n in OBJECT_FIELDS})
    rows = np.column_stack([columns[n] for n in OBJECT_FIELDS])
    if not np.isfinite(rows).all():
        raise ConvertError("objects hold a value that is not finite")
    tracks = []
    for x, y, _, vx, vy, ax, yaw, length, width, height, label, number, score, sources, age in rows.tolist():
        tracks.append(
            t.Track(int(number), x, y, vx, vy, ax, yaw, length, width, height,
                    t.ObjectClass(int(label)), score, t.Sensor(int(sources)), int(age))
        )  # fmt: skip
    return t.Objects(to_ns(message.header.stamp), tuple(tracks))
