"""Fused objects as boxes for RViz and Foxglove."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Duration
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from adas_perception.ros.convert import BASE, to_stamp
from adas_perception.types import ObjectClass, Objects

COLOURS = {
    ObjectClass.CAR: (0.2, 0.6, 1.0),
    ObjectClass.PEDESTRIAN: (1.0, 0.5, 0.1),
    ObjectClass.CYCLIST: (1.0, 0.8, 0.1),
}
OTHER = (0.7, 0.7, 0.7)
LIFETIME_NS = 300_000_000


def markers(objects: Objects) -> MarkerArray:
    """Return one box a track; boxes vanish when they are not renewed."""
    boxes = []
    for track in objects.tracks:
        box = Marker(ns="objects", id=track.id, type=Marker.CUBE, action=Marker.ADD)
        box.header.stamp, box.header.frame_id = to_stamp(objects.stamp_ns), BASE
        box.pose.position.x, box.pose.position.y = float(track.x_m), float(track.y_m)
        box.pose.position.z = track.height_m / 2
        box.pose.orientation.z, box.pose.orientation.w = math.sin(track.yaw_rad / 2), math.cos(track.yaw_rad / 2)
        box.scale.x, box.scale.y, box.scale.z = float(track.length_m), float(track.width_m), float(track.height_m)
        red, green, blue = COLOURS.get(track.label, OTHER)
        box.color = ColorRGBA(r=red, g=green, b=blue, a=float(min(max(track.score, 0.2), 1.0)))
        box.lifetime = Duration(sec=0, nanosec=LIFETIME_NS)
        boxes.append(box)
    return MarkerArray(markers=boxes)
