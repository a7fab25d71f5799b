"""PointCloud2 as named float columns: offsets, padding, byte order and aliases of field names handled here."""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adas_perception.ros.convert.common import BASE, ConvertError, to_stamp
from adas_perception.ros.convert.messages import PointCloud2, PointField

DTYPES = {
    PointField.INT8: "i1",
    PointField.UINT8: "u1",
    PointField.INT16: "i2",
    PointField.UINT16: "u2",
    PointField.INT32: "i4",
    PointField.UINT32: "u4",
    PointField.FLOAT32: "f4",
    PointField.FLOAT64: "f8",
}
Columns = Mapping[str, NDArray[np.float32]]


def write_cloud(message: PointCloud2, columns: Columns) -> PointCloud2:
    """Fill ``message`` with float32 columns of equal length, one row a point."""
    names = list(columns)
    table = np.ascontiguousarray(np.column_stack([columns[n] for n in names]), dtype=np.float32)
    message.height = 1
    message.width = len(table)
    message.fields = [
        PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(names)
    ]
    message.point_step = 4 * len(names)
    message.row_step = message.point_step * message.width
    message.is_dense = True
    data = array.array("B")
    data.frombytes(table.tobytes())
    message.data = data
    return message


def read_cloud(message: PointCloud2, wanted: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.float64]]:
    """Read columns by name; ``wanted`` maps each column to the field names under which it may come.

    Raises ConvertError for a missing field, an unknown type, or a buffer that does not hold the points it claims.
    """
    fields = {f.name: f for f in message.fields}
    points = message.width * message.height
    if points and message.point_step <= 0 or len(message.data) < points * message.point_step:
        raise ConvertError(
            f"point cloud holds {len(message.data)} bytes, {points} points of {message.point_step} bytes announced"
        )
    raw = np.frombuffer(message.data, np.uint8, points * message.point_step).reshape(points, message.point_step)
    order = ">" if message.is_bigendian else "<"
    columns = {}
    for name, aliases in wanted.items():
        found = next((fields[a] for a in aliases if a in fields), None)
        if found is None:
            raise ConvertError(f"point cloud has no field '{name}' (looked for {', '.join(aliases)})")
        if found.datatype not in DTYPES:
            raise ConvertError(f"field '{found.name}' has the unknown type {found.datatype}")
        dtype = np.dtype(order + DTYPES[found.datatype])
        end = found.offset + dtype.itemsize
        if end > message.point_step:
            raise ConvertError(f"field '{found.name}' ends at byte {end} of a point of {message.point_step} bytes")
        cells = np.ascontiguousarray(raw[:, found.offset : end])
        columns[name] = cells.view(dtype).reshape(points).astype(np.float64)
    return columns


def empty_cloud(stamp_ns: int, frame: str = BASE) -> PointCloud2:
    """Return a cloud without points."""
    message = PointCloud2()
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = frame
    return message
