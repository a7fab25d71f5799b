"""Overlays for people: what perception believes, drawn over the camera picture and as a view from above."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Vehicle
from adas_perception.perception.camera import CameraModel
from adas_perception.types import (
    Detections,
    Echoes,
    LaneLine,
    LaneLines,
    ObjectClass,
    Objects,
    RadarTargets,
    Sensor,
    Track,
)

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

LANE_RGB: Colour = (0, 200, 140)
LANE_FILL_RGB: Colour = (0, 158, 115)
BOX_RGB: Colour = (255, 205, 60)
TRACK_RGB: Colour = (86, 180, 233)
FUSED_RGB: Colour = (0, 220, 160)
ALERT_RGB: Colour = (235, 70, 50)
INK_RGB: Colour = (236, 239, 242)
_DIM_RGB: Colour = (120, 130, 142)
_PANEL_RGB: Colour = (24, 29, 36)
_RADAR_RGB: Colour = (200, 130, 220)
_FONT = cv2.FONT_HERSHEY_DUPLEX


def put_text(picture: Picture, text: str, at: tuple[int, int], rgb: Colour = INK_RGB, scale: float = 0.45) -> None:
    """Write a line of text in place; ``at`` is its lower left corner in pixels."""
    cv2.putText(picture, text, at, _FONT, scale, rgb, 1, cv2.LINE_AA)


def put_label(picture: Picture, text: str, at: tuple[int, int], rgb: Colour, scale: float = 0.4) -> None:
    """Write text on a filled tag of the colour ``rgb`` in place."""
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, 1)
    x = min(max(at[0], 0), max(picture.shape[1] - width - 6, 0))
    y = max(at[1], height + 6)
    cv2.rectangle(picture, (x, y - height - 6), (x + width + 6, y), rgb, cv2.FILLED)
    put_text(picture, text, (x + 3, y - 3), (15, 18, 22) if sum(rgb) > 330 else INK_RGB, scale)


def draw_camera(
    picture: Picture,
    camera: CameraModel,
    lanes: LaneLines | None = None,
    detections: Detections | None = None,
    objects: Objects | None = None,
    alerts: Sequence[str] = (),
    vehicle: Vehicle | None = None,
) -> Picture:
    """Return the camera picture (H, W, 3) RGB with own lane, boxes, tracks with their gap and speed, and alerts."""
    front_x = (vehicle or Vehicle()).front_x_m
    canvas = np.array(picture, dtype=np.uint8)
    if lanes is not None:
        _draw_lanes(canvas, camera, lanes)
    for box in detections.items if detections else ():
        upper_left, lower_right = (round(box.x1), round(box.y1)), (round(box.x2), round(box.y2))
        cv2.rectangle(canvas, upper_left, lower_right, BOX_RGB, 1, cv2.LINE_AA)
        put_label(canvas, f"{box.label.name.lower()} {box.score:.2f}", upper_left, BOX_RGB, 0.35)
    taken: list[tuple[int, int]] = []
    for track in sorted(objects.tracks, key=lambda o: o.x_m) if objects else ():
        _draw_track_tag(canvas, camera, track, front_x, taken)
    for row, alert in enumerate(alerts):
        put_label(canvas, alert, (12, 34 + 28 * row), ALERT_RGB, 0.6)
    return canvas


def _line_pixels(camera: CameraModel, line: LaneLine, near_m: float, far_m: float) -> NDArray[np.int32]:
    x = np.linspace(near_m, max(far_m, near_m + 1.0), 40)
    pixels = camera.project(np.stack([x, np.array([line.y(v) for v in x])], axis=-1))
    return np.round(pixels[np.isfinite(pixels).all(axis=-1)]).astype(np.int32)


def _coloured(lanes: LaneLines) -> list[tuple[LaneLine | None, Colour]]:
    own: list[tuple[LaneLine | None, Colour]] = [(lanes.left, LANE_RGB), (lanes.right, LANE_RGB)]
    return own + [(other, _DIM_RGB) for other in lanes.others]


def _draw_lanes(canvas: Picture, camera: CameraModel, lanes: LaneLines) -> None:
    near = camera.x_m + 2.5
    if lanes.left and lanes.right:
        far = min(lanes.left.x_max, lanes.right.x_max)
        left, right = _line_pixels(camera, lanes.left, near, far), _line_pixels(camera, lanes.right, near, far)
        fill = canvas.copy()
        cv2.fillPoly(fill, [np.concatenate([left, right[::-1]])], LANE_FILL_RGB, cv2.LINE_AA)
        cv2.addWeighted(fill, 0.30, canvas, 0.70, 0.0, dst=canvas)
    for line, rgb in _coloured(lanes):
        if line is not None:
            cv2.polylines(canvas, [_line_pixels(camera, line, near, line.x_max)], False, rgb, 2, cv2.LINE_AA)


def _draw_track_tag(
    canvas: Picture, camera: CameraModel, track: Track, front_x_m: float, taken: list[tuple[int, int]]
) -> None:
    """Underline a track and write its gap and speed, unless a nearer one's tag is in the way."""
    rear = track.rear_x_m
    if rear < camera.x_m + 2.0 or _roadside(track):
        return
    feet = camera.project(np.array([[rear, track.y_m + track.width_m / 2.0], [rear, track.y_m - track.width_m / 2.0]]))
    if not np.isfinite(feet).all():
        return
    (left, bottom), (right, _) = np.round(feet).astype(int)
    if right < 0 or left >= canvas.shape[1]:
        return
    rgb = FUSED_RGB if Sensor.CAMERA in track.sources and Sensor.RADAR in track.sources else TRACK_RGB
    cv2.line(canvas, (left, bottom), (right, bottom), rgb, 2, cv2.LINE_AA)
    if any(abs(left - x) < 90 and abs(bottom - y) < 22 for x, y in taken):
        return
    taken.append((left, bottom))
    gap, speed = max(rear - front_x_m, 0.0), abs(track.vx_mps) * 3.6
    put_label(canvas, f"{gap:.0f} m  {speed:.0f} km/h", (left, bottom + 18), rgb, 0.36)


def _roadside(track: Track) -> bool:
    """Tell whether a track is one of the many things that stand beside the road."""
    unknown = track.label is ObjectClass.UNKNOWN
    return unknown and math.hypot(track.vx_mps, track.vy_mps) < 1.5 and abs(track.y_m) > 2.0


class TopView:
    """Scale and origin of the view from above: x ahead is up, y left is left."""

    def __init__(self, width_px: int, height_px: int, ahead_m: float, behind_m: float) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.ahead_m, self.behind_m = ahead_m, behind_m
        self.px_per_m = height_px / (ahead_m + behind_m)
        # Lanes would be hair-thin at the scale of the distances ahead, so the sides are stretched.
        self.px_per_m_across = min(2.0 * self.px_per_m, width_px / 18.0)

    def pixel(self, x_m: float, y_m: float) -> tuple[int, int]:
        """Return (column, row) of a point in base_link."""
        column = self.width_px / 2.0 - y_m * self.px_per_m_across
        row = (self.ahead_m - x_m) * self.px_per_m
        return round(float(np.clip(column, -9999, 9999))), round(float(np.clip(row, -9999, 9999)))

    def rectangle(
        self, canvas: Picture, x: tuple[float, float], y: tuple[float, float], rgb: Colour, filled: bool
    ) -> None:
        """Draw an upright rectangle given in base_link in place."""
        cv2.rectangle(canvas, self.pixel(x[1], y[1]), self.pixel(x[0], y[0]), rgb, cv2.FILLED if filled else 1)


def draw_top_view(
    width_px: int,
    height_px: int,
    lanes: LaneLines | None = None,
    objects: Objects | None = None,
    targets: Sequence[RadarTargets] = (),
    echoes: Echoes | None = None,
    vehicle: Vehicle | None = None,
    blind_spots: tuple[bool, bool] = (False, False),
    ahead_m: float = 65.0,
    behind_m: float = 20.0,
) -> Picture:
    """Return a view from above (height, width, 3) RGB of what the stack knows; ``blind_spots`` is (left, right)."""
    vehicle = vehicle or Vehicle()
    view = TopView(width_px, height_px, ahead_m, behind_m)
    canvas = np.empty((height_px, width_px, 3), np.uint8)
    canvas[:] = _PANEL_RGB
    for x in range(-int(behind_m) // 20 * 20, int(ahead_m), 20):
        row = view.pixel(x, 0.0)[1]
        cv2.line(canvas, (0, row), (width_px, row), (40, 47, 56), 1)
        put_text(canvas, f"{x} m", (4, row - 3), _DIM_RGB, 0.32)
    if lanes is not None:
        _top_lanes(canvas, view, lanes)
    for scan in targets:
        for item in scan.items:
            cv2.circle(canvas, view.pixel(item.x_m, item.y_m), 2, _RADAR_RGB, cv2.FILLED, cv2.LINE_AA)
    for point in echoes.points if echoes else ():
        cv2.circle(canvas, view.pixel(point.x_m, point.y_m), 2, BOX_RGB, cv2.FILLED, cv2.LINE_AA)
    for warned, side in zip(blind_spots, (1.0, -1.0), strict=True):
        if warned:
            inner, outer = side * (vehicle.width_m / 2.0 + 0.4), side * (vehicle.width_m / 2.0 + 3.4)
            view.rectangle(canvas, (-6.0, 2.5), (min(inner, outer), max(inner, outer)), ALERT_RGB, True)
    for track in objects.tracks if objects else ():
        _top_track(canvas, view, track)
    half = vehicle.width_m / 2.0
    view.rectangle(canvas, (-vehicle.rear_overhang_m, vehicle.front_x_m), (-half, half), INK_RGB, True)
    return canvas


def _top_lanes(canvas: Picture, view: TopView, lanes: LaneLines) -> None:
    for line, rgb in _coloured(lanes):
        if line is not None:
            x = np.linspace(max(line.x_min, 0.0), min(line.x_max, view.ahead_m), 30)
            points = np.array([view.pixel(v, line.y(v)) for v in x], dtype=np.int32)
            cv2.polylines(canvas, [points], False, rgb, 2, cv2.LINE_AA)


def _top_track(canvas: Picture, view: TopView, track: Track) -> None:
    half_x, half_y = track.half_extent_m
    fused = Sensor.CAMERA in track.sources and Sensor.RADAR in track.sources
    rgb = FUSED_RGB if fused else TRACK_RGB
    if _roadside(track):
        rgb = _DIM_RGB
    x, y = (track.x_m - half_x, track.x_m + half_x), (track.y_m - half_y, track.y_m + half_y)
    view.rectangle(canvas, x, y, rgb, False)
    tip = view.pixel(track.x_m + track.vx_mps, track.y_m + track.vy_mps)
    cv2.line(canvas, view.pixel(track.x_m, track.y_m), tip, rgb, 1, cv2.LINE_AA)
