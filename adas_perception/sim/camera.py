"""The front camera: draws the road, its lines, the scenery and the traffic as a pinhole camera sees them.

A picture row of a camera without roll and yaw lies at one distance ahead, so that every row is one affine map from
columns to road coordinates; ground, grain and lines are looked up row by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.perception.camera import CameraModel
from adas_perception.sim import scenery
from adas_perception.sim.carpaint import fill_polygon, paint_car, project_near
from adas_perception.sim.road import Line, Road
from adas_perception.sim.sensors import Box, FloatArray
from adas_perception.types import LineKind

Picture = NDArray[np.uint8]

DEFAULT_CAMERA = CameraModel.from_fov(640, 360, math.radians(60.0))

_FAR_M = 350.0
_NEAR_HAZE_M = 420.0
_LINE_RGB = np.array([232, 232, 228], np.float32)
_RAIL_RGB, _RAIL_DARK_RGB, _POST_RGB = (176, 180, 184), (112, 116, 120), (236, 236, 232)
_ACROSS = 1e-9
_TREE_EVERY_M, _TREE_REACH_M = 17.0, 190.0
_GRAIN_TEXEL_M = 0.015


@dataclass(frozen=True)
class Body:
    """A car to draw, in base_link."""

    box: Box
    rgb: tuple[int, int, int]
    braking: bool = False


class CameraRenderer:
    """Renders pictures of one road; everything that does not depend on the car's pose is prepared here."""

    def __init__(self, road: Road, model: CameraModel = DEFAULT_CAMERA, seed: int = 0) -> None:
        if model.roll_rad or model.yaw_rad:
            raise ValueError("the simulated camera looks straight ahead: roll_rad and yaw_rad must be 0")
        self.road, self.model = road, model
        rng = np.random.default_rng((seed, 77))
        width, height = model.width_px, model.height_px
        self._surface = scenery.surface_table(road, rng)
        self._grain = scenery.grain_tile(rng)
        self._trees = scenery.tree_sprites(rng)
        self._horizon = int(np.clip(math.floor(model.horizon_row_px()), 0, height - 2))
        turn = math.ceil(math.tau * model.fx_px)
        sky = scenery.panorama(turn, self._horizon + 1, rng)
        self._sky = np.concatenate([sky, sky[:, :width]], axis=1)
        self._turn = turn

        rows = np.arange(self._horizon + 1, height)
        slope = model.rays(np.stack([np.full(len(rows), model.cx_px), rows], axis=-1))
        reach = -model.height_m / np.minimum(slope[:, 2], -1e-6)
        self._ahead = model.x_m + reach * slope[:, 0]
        self._per_column = reach / model.fx_px  # metres across one pixel
        self._per_row = np.minimum(np.abs(np.gradient(self._ahead)), 400.0)  # metres along one row
        self._columns = np.arange(width, dtype=np.float32)
        fade = np.exp(-np.minimum(self._ahead, 4000.0) / _NEAR_HAZE_M)[:, None, None]
        shape = (len(rows), width, 3)
        self._clear = np.ascontiguousarray(np.broadcast_to(255.0 * fade, shape)).astype(np.uint8)
        haze = (1.0 - fade) * np.array(scenery.HAZE_RGB)
        self._haze = np.ascontiguousarray(np.broadcast_to(haze, shape)).astype(np.uint8)
        level = np.log2(np.maximum(self._per_column / scenery.SURFACE_TEXEL_M, 1.0))
        self._level = np.minimum(level, scenery.SURFACE_LEVELS - 1).astype(np.float32)
        self._grain_s = 2.0 ** -np.round(np.log2(np.maximum(self._per_row / _GRAIN_TEXEL_M, 1.0))) / _GRAIN_TEXEL_M
        self._grain_d = 2.0 ** -np.round(np.log2(np.maximum(self._per_column / _GRAIN_TEXEL_M, 1.0))) / _GRAIN_TEXEL_M

    def render(self, x_m: float, y_m: float, yaw_rad: float, s_m: float, bodies: Sequence[Body] = ()) -> Picture:
        """Return the picture (H, W, 3) uint8 RGB from base_link at a map pose; ``s_m`` is its road distance."""
        model = self.model
        picture = np.empty((model.height_px, model.width_px, 3), np.uint8)
        pan = int(round(-yaw_rad * model.fx_px)) % self._turn
        picture[: self._horizon + 1] = self._sky[:, pan : pan + model.width_px]

        ahead = s_m + np.arange(-4.0, _FAR_M, 1.0)
        track = self._to_ego(self.road.to_map(ahead, 0.0), x_m, y_m, yaw_rad)
        heading = self.road.yaw(ahead) - yaw_rad
        heading = heading - math.tau * round(heading[4] / math.tau)
        rows_s = np.interp(self._ahead, track[:, 0], ahead)
        rows_y = np.interp(self._ahead, track[:, 0], track[:, 1])
        rows_yaw = np.interp(self._ahead, track[:, 0], heading)
        ground = picture[self._horizon + 1 :]
        self._paint_ground(ground, rows_s, rows_y, rows_yaw)
        for line in self.road.lines:
            self._paint_line(ground, line, rows_s, rows_y, rows_yaw)
        cv2.multiply(ground, self._clear, dst=ground, scale=1.0 / 255.0)
        cv2.add(ground, self._haze, dst=ground)

        self._paint_rails(picture, x_m, y_m, yaw_rad, s_m)
        self._paint_trees(picture, x_m, y_m, yaw_rad, s_m)
        for body in sorted(bodies, key=lambda b: -b.box.x_m):
            paint_car(picture, model, body.box, body.rgb, body.braking)
        return picture

    @staticmethod
    def _to_ego(xy: FloatArray, x_m: float, y_m: float, yaw_rad: float) -> FloatArray:
        c, s = math.cos(yaw_rad), math.sin(yaw_rad)
        return np.asarray((xy - (x_m, y_m)) @ np.array([[c, -s], [s, c]]))

    def _offset_of_columns(self, rows_y: FloatArray, rows_yaw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (start, slope) of d as an affine function of the column, per row."""
        across = np.cos(rows_yaw)
        start = (self.model.y_m + self._per_column * self.model.cx_px - rows_y) * across
        return start, -self._per_column * across

    def _paint_ground(self, ground: Picture, rows_s: FloatArray, rows_y: FloatArray, rows_yaw: FloatArray) -> None:
        start, slope = self._offset_of_columns(rows_y, rows_yaw)
        d = start.astype(np.float32)[:, None] + slope.astype(np.float32)[:, None] * self._columns
        position = (d + np.float32(scenery.SURFACE_REACH_M)) * np.float32(1.0 / scenery.SURFACE_TEXEL_M)
        level = np.broadcast_to(self._level[:, None], d.shape)
        cv2.remap(self._surface, position, level, cv2.INTER_LINEAR, dst=ground, borderMode=cv2.BORDER_REPLICATE)

        # Grain is fixed to the road: whole texels of s and d, coarser by powers of two with distance.
        mask = scenery.GRAIN_TEXELS - 1
        along = rows_s[:, None] + np.tan(rows_yaw)[:, None] * d
        column = (along * self._grain_s[:, None]).astype(np.int32) & mask
        row = np.floor(d * self._grain_d[:, None].astype(np.float32)).astype(np.int32) & mask
        right, left = self.road.edges_m
        row += np.where((d > right) & (d < left), 0, scenery.GRAIN_TEXELS)
        grain = self._grain.reshape(-1, 3).take(row * scenery.GRAIN_TEXELS + column, axis=0)
        cv2.addWeighted(ground, 1.0, grain, 1.0, -128.0, dst=ground)

    def _paint_line(
        self, ground: Picture, line: Line, rows_s: FloatArray, rows_y: FloatArray, rows_yaw: FloatArray
    ) -> None:
        """Blend a line over the rows by the exact part of each pixel that it covers."""
        start, slope = self._offset_of_columns(rows_y, rows_yaw)
        # To a car across the road a line is as wide as the horizon: no farther than the picture.
        slope = np.where(np.abs(slope) < _ACROSS, _ACROSS, slope)
        middle = (line.d_m - start) / slope
        half = line.width_m / 2.0 / np.abs(slope)
        left, right = (np.clip(edge, -1.0, self.model.width_px) for edge in (middle - half, middle + half))
        first = np.floor(left).astype(int)
        span = np.arange(int(np.ceil((right - left).max())) + 3)
        columns = first[:, None] + span
        low, high = left[:, None], right[:, None]
        cover = np.clip(np.minimum(columns + 0.5, high) - np.maximum(columns - 0.5, low), 0.0, 1.0)
        if line.kind is LineKind.DASHED:
            s = rows_s + np.tan(rows_yaw) * line.d_m
            cover = cover * self._dashes(line, s, self._per_row)[:, None]
        rows, places = np.nonzero((cover > 0.01) & (columns >= 0) & (columns < self.model.width_px))
        at = columns[rows, places]
        under = ground[rows, at].astype(np.float32)
        wear = 0.86 + 0.06 * np.sin(rows_s[rows] * 1.7 + places)
        weight = (cover[rows, places] * wear).astype(np.float32)[:, None]
        ground[rows, at] = under + (_LINE_RGB - under) * weight

    @staticmethod
    def _dashes(line: Line, s: FloatArray, footprint_m: FloatArray) -> FloatArray:
        """Part of a footprint along s that is painted, exact for periodic dashes."""

        def painted(to: FloatArray) -> FloatArray:
            return np.asarray(np.floor(to / line.period_m) * line.dash_m + np.minimum(to % line.period_m, line.dash_m))

        return (painted(s + footprint_m / 2.0) - painted(s - footprint_m / 2.0)) / footprint_m

    def _paint_rails(self, picture: Picture, x_m: float, y_m: float, yaw_rad: float, s_m: float) -> None:
        for d_m in self.road.rails_m:
            s = np.concatenate([s_m + np.arange(2.0, 40.0, 2.0), s_m + np.arange(40.0, 240.0, 10.0)])
            xy = self._to_ego(self.road.to_map(s, d_m), x_m, y_m, yaw_rad)
            xy = xy[xy[:, 0] > self.model.x_m + 0.5]
            for low, high, rgb in ((0.43, 0.75, _RAIL_RGB), (0.55, 0.62, _RAIL_DARK_RGB)):
                bottom = project_near(self.model, np.column_stack([xy, np.full(len(xy), low)]))
                top = project_near(self.model, np.column_stack([xy, np.full(len(xy), high)]))
                outline = np.clip(np.concatenate([bottom, top[::-1]]), -4000, 4000)
                cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], rgb, cv2.LINE_AA, 4)
            self._paint_posts(picture, d_m, 4.0, 60.0, (0.0, 0.5), 0.12, _RAIL_DARK_RGB, x_m, y_m, yaw_rad, s_m)
        for d_m in (self.road.edges_m[0] - 0.5, self.road.edges_m[1] + 0.5):
            self._paint_posts(picture, d_m, 50.0, 200.0, (0.0, 1.05), 0.12, _POST_RGB, x_m, y_m, yaw_rad, s_m)
            self._paint_posts(picture, d_m, 50.0, 200.0, (0.75, 0.92), 0.12, (30, 30, 30), x_m, y_m, yaw_rad, s_m)

    def _paint_posts(
        self, picture: Picture, d_m: float, every_m: float, reach_m: float, z_m: tuple[float, float], width_m: float,
        rgb: tuple[int, int, int], x_m: float, y_m: float, yaw_rad: float, s_m: float,
    ) -> None:  # fmt: skip
        """Stand upright posts along the road, the far ones first."""
        places = every_m * np.arange(math.floor((s_m + reach_m) / every_m), math.ceil(s_m / every_m), -1.0)
        xy = self._to_ego(self.road.to_map(places, d_m), x_m, y_m, yaw_rad)
        xy = xy[xy[:, 0] > self.model.x_m + 2.0]
        half, (low, high) = width_m / 2.0, z_m
        outline = np.array([[0.0, -half, low], [0.0, half, low], [0.0, half, high], [0.0, -half, high]])
        corners = np.column_stack([xy, np.zeros(len(xy))])[:, None] + outline
        pixels = project_near(self.model, corners.reshape(-1, 3)).reshape(-1, 4, 2)
        inside = ((pixels[..., 0] > -20) & (pixels[..., 0] < self.model.width_px + 20)).all(axis=1)
        for post in pixels[inside]:
            fill_polygon(picture, post, rgb)

    def _paint_trees(self, picture: Picture, x_m: float, y_m: float, yaw_rad: float, s_m: float) -> None:
        last, first = math.floor((s_m + _TREE_REACH_M) / _TREE_EVERY_M), math.ceil((s_m + 14.0) / _TREE_EVERY_M)
        for index in range(last, first, -1):
            # A cheap hash makes every tree the same each time it is passed.
            chance = [(index * k % 97) / 97.0 for k in (37, 53, 71, 29)]
            side = self.road.edges_m[0] - 6.0 if index % 2 else self.road.edges_m[1] + 6.0
            d = side + math.copysign(16.0 * chance[0], side)
            ((x, y),) = self._to_ego(self.road.to_map(np.array([index * _TREE_EVERY_M]), d), x_m, y_m, yaw_rad)
            self._paint_sprite(picture, float(x), float(y), 5.0 + 4.0 * chance[1], int(chance[2] * len(self._trees)))

    def _paint_sprite(self, picture: Picture, x: float, y: float, height_m: float, kind: int) -> None:
        if x < self.model.x_m + 5.0:
            return
        foot, top = project_near(self.model, np.array([[x, y, 0.0], [x, y, height_m]]))
        size = round(foot[1] - top[1])
        left, upper = round(foot[0] - size / 2.0), round(foot[1]) - size
        x0, x1 = max(left, 0), min(left + size, self.model.width_px)
        y0, y1 = max(upper, 0), min(upper + size, self.model.height_px)
        if size < 4 or x1 <= x0 or y1 <= y0:
            return
        sprite = self._trees[kind]
        how = cv2.INTER_AREA if size < len(sprite) else cv2.INTER_LINEAR
        tree = cv2.resize(sprite, (size, size), interpolation=how)[y0 - upper : y1 - upper, x0 - left : x1 - left]
        alpha = tree[..., 3:].astype(np.float32) / 255.0
        haze = np.float32(1.0 - math.exp(-x / _NEAR_HAZE_M))
        rgb = tree[..., :3] * (1.0 - haze) + np.array(scenery.HAZE_RGB, np.float32) * haze
        region = picture[y0:y1, x0:x1]
        region[:] = (region + (rgb - region) * alpha).astype(np.uint8)
