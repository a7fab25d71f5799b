"""Cars in the rendered picture: a body and a cabin of shaded faces, with glass, lamps, wheels and a shadow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from adas_perception.perception.camera import CameraModel
from adas_perception.sim.scenery import HAZE_RGB, Picture
from adas_perception.sim.sensors import Box, FloatArray

Point = tuple[float, float, float]

_SUBPIXEL_BITS = 4
_FAR_PX = 4000.0
_HAZE_M = 420.0

_GLASS, _TRIM, _PLATE = (38, 46, 54), (34, 34, 36), (226, 226, 214)
_TAIL, _BRAKE, _HEAD = (128, 18, 22), (255, 46, 38), (236, 238, 232)


@dataclass(frozen=True)
class Face:
    """A flat face in shares of the car's size: x -0.5 rear .. 0.5 front, y -0.5 right .. 0.5 left, z 0..1.

    ``outward`` tells from where it is seen; ``role`` picks the colour, ``shade`` darkens it.
    """

    corners: tuple[Point, ...]
    outward: Point
    role: str
    shade: float = 1.0


def _quad_x(x: float, y: tuple[float, float], z: tuple[float, float], role: str, shade: float = 1.0) -> Face:
    """Return a face across the car at x, seen from the end it lies nearer to."""
    (y0, y1), (z0, z1) = y, z
    corners = ((x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1))
    return Face(corners, (1.0 if x > 0 else -1.0, 0.0, 0.0), role, shade)


def _sides(xz: tuple[tuple[float, float], ...], y: float, role: str, top_y: float | None = None) -> list[Face]:
    """Return a left and a right face with corners (x, z); upper corners may lean in to ``top_y``."""
    middle = sum(z for _, z in xz) / len(xz)
    faces = []
    for sign, shade in ((1.0, 0.92), (-1.0, 0.68)):
        corners = tuple((x, sign * (y if top_y is None or z < middle else top_y), z) for x, z in xz)
        faces.append(Face(corners, (0.0, sign, 0.0), role, shade))
    return faces


def _wheels() -> list[Face]:
    faces = []
    turn = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)
    for x in (-0.30, 0.31):
        for radius, role in ((1.0, "tyre"), (0.62, "rim")):
            ring = tuple((x + 0.07 * radius * np.cos(t), 0.215 + 0.215 * radius * np.sin(t)) for t in turn)
            faces += [Face(f.corners, f.outward, role) for f in _sides(ring, 0.5, role)]
    return faces


def _across(points: tuple[Point, ...], outward: Point, role: str, shade: float) -> Face:
    """Return a face that is symmetric about the car's middle: its left half as (x, y, z), from low to high."""
    corners = tuple((x, -y, z) for x, y, z in points) + tuple(reversed(points))
    return Face(corners, outward, role, shade)


_REAR, _REAR_UP = (-1.0, 0.0, 0.0), (-1.0, 0.0, 0.3)
_FRONT, _FRONT_UP = (1.0, 0.0, 0.0), (1.0, 0.0, 0.3)
_UP = (0.0, 0.0, 1.0)
_SIDE = ((-0.5, 0.17), (0.5, 0.17), (0.5, 0.46), (0.47, 0.54), (-0.48, 0.63), (-0.5, 0.50))
_PILLARS = ((-0.40, 0.63), (0.20, 0.61), (0.05, 0.985), (-0.26, 0.985))
_SIDE_GLASS = ((-0.345, 0.66), (0.145, 0.645), (0.035, 0.94), (-0.245, 0.94))

# Painter's order: what is drawn later lies nearer to the eye.
_BODY: tuple[Face, ...] = (
    *(_quad_x(x, y, (0.0, 0.30), "tyre") for x in (-0.46, 0.46) for y in ((-0.48, -0.30), (0.30, 0.48))),
    *_sides(_SIDE, 0.5, "paint"),
    *_wheels(),
    _across(((0.47, 0.48, 0.54), (0.18, 0.46, 0.62)), _UP, "paint", 1.08),
    _across(((-0.48, 0.48, 0.63), (-0.36, 0.46, 0.66)), _UP, "paint", 1.05),
    # rear end
    _across(((-0.5, 0.5, 0.17), (-0.5, 0.5, 0.5), (-0.48, 0.48, 0.64)), _REAR, "paint", 0.80),
    _quad_x(-0.5, (-0.47, 0.47), (0.17, 0.27), "trim"),
    _quad_x(-0.5, (-0.15, 0.15), (0.36, 0.43), "plate"),
    *(_quad_x(-0.5, y, (0.47, 0.58), "tail") for y in ((-0.485, -0.27), (0.27, 0.485))),
    # front end
    _across(((0.5, 0.5, 0.17), (0.5, 0.5, 0.46), (0.47, 0.48, 0.55)), _FRONT, "paint", 0.88),
    _quad_x(0.5, (-0.30, 0.30), (0.20, 0.38), "trim"),
    *(_quad_x(0.5, y, (0.42, 0.51), "head") for y in ((-0.48, -0.28), (0.28, 0.48))),
    # cabin
    *_sides(_PILLARS, 0.47, "paint", 0.37),
    *_sides(_SIDE_GLASS, 0.465, "glass", 0.38),
    _across(((-0.40, 0.46, 0.63), (-0.26, 0.37, 0.985)), _REAR_UP, "paint", 0.84),
    _across(((-0.375, 0.40, 0.69), (-0.275, 0.335, 0.95)), _REAR_UP, "glass", 1.15),
    _quad_x(-0.275, (-0.12, 0.12), (0.955, 0.98), "third"),
    _across(((0.20, 0.46, 0.61), (0.05, 0.37, 0.985)), _FRONT_UP, "glass", 1.3),
    _across(((-0.26, 0.37, 0.985), (0.05, 0.37, 0.985)), _UP, "paint", 1.1),
)

_COUNTS = np.array([len(face.corners) for face in _BODY])
_CORNERS = np.array([corner for face in _BODY for corner in face.corners])
_OUTWARD = np.array([face.outward for face in _BODY], dtype=float)
_FIRST = np.concatenate([[0], np.cumsum(_COUNTS)[:-1]])


def paint_car(picture: Picture, camera: CameraModel, box: Box, rgb: tuple[int, int, int], braking: bool) -> None:
    """Draw one car into the picture (H, W, 3) in place."""
    depth = box.x_m - camera.x_m
    if depth < 0.5:
        return
    _shadow(picture, camera, box)
    points = _place(box, _CORNERS)
    pixels = np.clip(project_near(camera, points), -_FAR_PX, _FAR_PX)
    eye = _eye(box, camera)
    facing = np.einsum("ij,ij->i", eye - _CORNERS[_FIRST] * (box.length_m, box.width_m, box.height_m), _OUTWARD) > 0.0
    haze = 1.0 - np.exp(-depth / _HAZE_M)
    colours = {
        "paint": rgb, "glass": _GLASS, "trim": _TRIM, "plate": _PLATE, "tyre": (24, 24, 25), "rim": (120, 122, 126),
        "head": _HEAD, "tail": _BRAKE if braking else _TAIL, "third": _BRAKE if braking else _GLASS,
    }  # fmt: skip
    for index in np.flatnonzero(facing):
        face = _BODY[index]
        base = np.array(colours[face.role]) * (1.0 if braking and face.role in ("tail", "third") else face.shade)
        colour = np.clip(base, 0, 255) * (1.0 - haze) + np.array(HAZE_RGB) * haze
        fill_polygon(picture, pixels[_FIRST[index] : _FIRST[index] + _COUNTS[index]], colour)


def fill_polygon(picture: Picture, pixels: FloatArray, rgb: Iterable[float]) -> None:
    """Fill a convex polygon with smooth edges; corners in pixels with fractions."""
    corners = np.round(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    red, green, blue = (float(c) for c in rgb)
    cv2.fillConvexPoly(picture, corners, (red, green, blue), cv2.LINE_AA, _SUBPIXEL_BITS)


def project_near(camera: CameraModel, points_m: FloatArray) -> FloatArray:
    """Project points (N, 3) of base_link, those beside or behind the camera as if just before it."""
    body = (points_m - np.array([camera.x_m, camera.y_m, camera.height_m])) @ camera.rotation
    depth = np.maximum(body[:, 0], 0.3)
    return np.stack([
        camera.cx_px - camera.fx_px * body[:, 1] / depth, camera.cy_px - camera.fy_px * body[:, 2] / depth
    ], axis=-1)  # fmt: skip


def _place(box: Box, shares: FloatArray) -> FloatArray:
    c, s = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
    local = shares * (box.length_m, box.width_m, box.height_m)
    x = box.x_m + c * local[:, 0] - s * local[:, 1]
    y = box.y_m + s * local[:, 0] + c * local[:, 1]
    return np.stack([x, y, local[:, 2]], axis=-1)


def _eye(box: Box, camera: CameraModel) -> FloatArray:
    """Return the camera in the axes of the car."""
    dx, dy = camera.x_m - box.x_m, camera.y_m - box.y_m
    c, s = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
    return np.array([c * dx + s * dy, c * dy - s * dx, camera.height_m])


def _shadow(picture: Picture, camera: CameraModel, box: Box) -> None:
    """Darken the ground under the car, most in the middle."""
    for grow, keep in ((1.10, 0.80), (1.03, 0.62), (0.92, 0.55)):
        flat = np.array([[-0.5, -0.52, 0], [-0.5, 0.48, 0], [0.5, 0.48, 0], [0.5, -0.52, 0]]) * (grow, grow, 0.0)
        pixels = np.clip(project_near(camera, _place(box, flat)), -_FAR_PX, _FAR_PX)
        low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1, 0)
        high = np.ceil(pixels.max(axis=0)).astype(int) + 2
        region = picture[low[1] : high[1], low[0] : high[0]]
        if high[0] <= low[0] or high[1] <= low[1] or region.size == 0:
            return
        mask = np.zeros(region.shape[:2], np.uint8)
        corners = np.round((pixels - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        darker = cv2.convertScaleAbs(region, alpha=keep)
        weight = mask[..., None].astype(np.float32) / 255.0
        region[:] = (region + (darker.astype(np.float32) - region) * weight).astype(np.uint8)
