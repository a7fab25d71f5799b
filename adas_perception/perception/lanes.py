"""Lane perception: picture -> network -> points on the road -> both boundaries of the own lane, followed over time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adas_perception.params import Params, param
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_filter import LaneFilter, basis, pitch_error_rad
from adas_perception.perception.lane_network import Backend, LaneNetwork, LaneSpec
from adas_perception.perception.lane_points import (
    EGO_LEFT,
    EGO_RIGHT,
    LinePoints,
    ego_points,
    other_points,
    split_others,
)
from adas_perception.types import EgoState, FloatArray, Image, LaneLine, LaneLines, LineKind, seconds


@dataclass(frozen=True)
class LaneParams(Params):
    """Tuning of lane perception."""

    score_min: float = param(0.3, "cells of the network below this are no line", low=0.0, high=1.0)
    far_m: float = param(70.0, "points farther than this are not used", unit="m", low=20.0, high=200.0)
    points_min: int = param(6, "a boundary needs so many points in a frame", low=2, high=50)
    width_min_m: float = param(2.2, "narrowest lane that is believed", unit="m", low=1.0, high=4.0)
    width_max_m: float = param(5.0, "widest lane that is believed", unit="m", low=3.0, high=10.0)
    keep_s: float = param(0.4, "a boundary that is no longer seen is reported for so long", unit="s", low=0.0, high=2.0)
    jump_m: float = param(0.9, "points so far from the estimate mean another lane", unit="m", low=0.2, high=3.0)
    estimate_pitch: bool = param(True, "learn the camera's pitch from the lane's apparent width")
    pitch_range_rad: float = param(0.08, "largest correction of the mounting pitch", unit="rad", low=0.0, high=0.3)


class LaneTracker:
    """The network's answers in, the lane's boundaries out; knows nothing of pictures or backends."""

    def __init__(self, params: LaneParams | None = None) -> None:
        self.params = params or LaneParams()
        self.pitch_offset_rad = 0.0
        self._filter = LaneFilter()
        self._pitch_samples = 0
        self._jumps = 0
        self._stamp_ns: int | None = None
        self._sides = {True: _Side(), False: _Side()}

    def step(self, stamp_ns: int, answer: FloatArray, camera: CameraModel, ego: EgoState | None = None) -> LaneLines:
        """Take in the answer (6, h, w) to a picture of ``camera``, the network's view, and return the lines."""
        p = self.params
        left, right, view = self._points(answer, camera)
        if p.estimate_pitch and self._learn_pitch(left, right, view):
            left, right, view = self._points(answer, camera)
        self._predict(stamp_ns, ego)
        left, right = self._believe(left, right)
        self._filter.update(left, right)
        for is_left, points in ((True, left), (False, right)):
            self._sides[is_left].step(stamp_ns, points)
        others = self._others(answer, view)
        return LaneLines(stamp_ns, self._line(True, stamp_ns), self._line(False, stamp_ns), others)

    def _points(self, answer: FloatArray, camera: CameraModel) -> tuple[LinePoints, LinePoints, CameraModel]:
        """Points of the left and the right boundary under the pitch known so far, and the camera so pitched."""
        p = self.params
        view = replace(camera, pitch_rad=camera.pitch_rad + self.pitch_offset_rad)
        left, right = (ego_points(answer, line, view, p.score_min, p.far_m) for line in (EGO_LEFT, EGO_RIGHT))
        return (
            left if len(left) >= p.points_min else left.none(),
            right if len(right) >= p.points_min else right.none(),
            view,
        )

    def _predict(self, stamp_ns: int, ego: EgoState | None) -> None:
        dt_s = seconds(stamp_ns - self._stamp_ns) if self._stamp_ns is not None else 0.0
        self._stamp_ns = stamp_ns
        if not 0.0 <= dt_s <= 1.0:  # the clock jumped, or the camera was away for long
            self._filter.reset()
        elif ego is not None:
            self._filter.predict(dt_s, (ego.speed_mps * dt_s, ego.yaw_rate_radps * dt_s))
        else:
            self._filter.predict(dt_s, None)

    def _believe(self, left: LinePoints, right: LinePoints) -> tuple[LinePoints, LinePoints]:
        """Drop a boundary that makes the lane implausible; start afresh where the car has changed lanes."""
        p = self.params
        off = {True: self._filter.surprise_m(left, True), False: self._filter.surprise_m(right, False)}
        tracked = any(side.seen_ns is not None for side in self._sides.values())
        if tracked and max(abs(v) for v in off.values()) > p.jump_m:
            self._jumps += 1
            if self._jumps < 3:
                return (
                    left.none() if abs(off[True]) > p.jump_m else left,
                    right.none() if abs(off[False]) > p.jump_m else right,
                )
            self._filter.reset()
            self._sides = {True: _Side(), False: _Side()}
        self._jumps = 0
        width = _width_m(left, right)
        if width is not None and not p.width_min_m <= width <= p.width_max_m:
            return (left, right.none()) if left.score.sum() >= right.score.sum() else (left.none(), right)
        return left, right

    def _learn_pitch(self, left: LinePoints, right: LinePoints, view: CameraModel) -> bool:
        """Move the pitch towards what this frame says; False when it says nothing."""
        error = pitch_error_rad(left, right, view.x_m, view.height_m)
        if error is None or abs(error) > 0.1:
            return False
        self._pitch_samples += 1
        gain = max(1.0 / self._pitch_samples, 0.02)
        limit = self.params.pitch_range_rad
        self.pitch_offset_rad = float(np.clip(self.pitch_offset_rad + gain * error, -limit, limit))
        return True

    def _line(self, is_left: bool, stamp_ns: int) -> LaneLine | None:
        side = self._sides[is_left]
        if side.seen_ns is None or seconds(stamp_ns - side.seen_ns) > self.params.keep_s or side.confidence < 0.2:
            return None
        c0, c1, c2, c3 = (float(c) for c in self._filter.side(is_left))
        sigma = max(0.03, self._filter.sigma_at(is_left, max(side.x_min, 5.0)))
        part = slice(0, 4) if is_left else slice(4, 8)
        covariance = tuple(self._filter.covariance[part, part].ravel().tolist())
        return LaneLine((c0, c1, c2, c3), side.x_min, side.x_max, side.confidence, side.kind, sigma, covariance)

    def _others(self, answer: FloatArray, view: CameraModel) -> tuple[LaneLine, ...]:
        """Further boundaries of this frame alone; they run about parallel to the own lane."""
        p = self.params
        shape = (self._filter.side(True) + self._filter.side(False)) / 2.0
        points = other_points(answer, view, max(p.score_min, 0.4), min(p.far_m, 50.0))
        lines = []
        for group in split_others(points, shape):
            if len(group) < p.points_min or np.ptp(group.xy[:, 0]) < 5.0:
                continue
            x, y = group.xy[:, 0], group.xy[:, 1] - basis(group.xy[:, 0]) @ shape
            offset, turn = np.polyfit(x, y, 1, w=1.0 / group.sigma)[::-1]
            if np.median(np.abs(y - offset - turn * x)) > 0.5 or abs(turn) > 0.1:
                continue
            coefficients = (float(shape[0] + offset), float(shape[1] + turn), float(shape[2]), float(shape[3]))
            kind = LineKind.DASHED if group.dashed.mean() > 0.5 else LineKind.SOLID
            score = float(group.score.mean()) * min(1.0, len(group) / 12.0)
            sigma = max(0.05, float(np.median(group.sigma)))
            lines.append(LaneLine(coefficients, float(x.min()), float(x.max()), score, kind, sigma))
        return tuple(lines)


class _Side:
    """What is remembered of one boundary beside its shape."""

    def __init__(self) -> None:
        self.seen_ns: int | None = None
        self.confidence = 0.0
        self.dashed = 0.5
        self.x_min, self.x_max = 0.0, 0.0

    def step(self, stamp_ns: int, points: LinePoints) -> None:
        if len(points) == 0:
            self.confidence *= 0.85
            return
        # Sixteen points of full score are a line beyond doubt.
        now = float(points.score.mean()) * min(1.0, len(points) / 16.0)
        fresh = self.seen_ns is None
        self.confidence = now if fresh else self.confidence + 0.3 * (now - self.confidence)
        dashed = float(np.average(points.dashed, weights=points.score))
        self.dashed = dashed if fresh else self.dashed + 0.1 * (dashed - self.dashed)
        self.x_min, self.x_max = float(points.xy[:, 0].min()), float(points.xy[:, 0].max())
        self.seen_ns = stamp_ns

    @property
    def kind(self) -> LineKind:
        return LineKind.DASHED if self.dashed > 0.5 else LineKind.SOLID


def _width_m(left: LinePoints, right: LinePoints) -> float | None:
    """Distance of the boundaries where both are seen nearest; None where one is missing."""
    if len(left) == 0 or len(right) == 0:
        return None
    start = max(left.xy[:, 0].min(), right.xy[:, 0].min())
    near = [p.xy[(p.xy[:, 0] >= start - 0.5) & (p.xy[:, 0] < start + 10.0), 1] for p in (left, right)]
    return float(np.median(near[0]) - np.median(near[1])) if all(len(n) for n in near) else None


class LaneFinder:
    """Pictures in, lane lines out."""

    def __init__(self, spec: LaneSpec, backend: Backend, camera: CameraModel, params: LaneParams | None = None) -> None:
        self._network = LaneNetwork(spec, backend)
        self._mounted = camera
        top_px = self._network.top_px(camera.height_px)
        self._view = camera.cropped_resized(top_px, spec.width_px, spec.height_px)
        self._tracker = LaneTracker(params)

    @property
    def camera(self) -> CameraModel:
        """The camera of the original picture with the pitch learned so far."""
        return replace(self._mounted, pitch_rad=self._mounted.pitch_rad + self._tracker.pitch_offset_rad)

    def step(self, image: Image, ego: EgoState | None = None) -> LaneLines:
        """Return the lines of a picture of the camera's size; ``ego`` lets the estimate follow the car's motion."""
        return self.follow(image, self.infer(image.rgb), ego)

    def follow(self, image: Image, answer: FloatArray, ego: EgoState | None = None) -> LaneLines:
        """Return the lines of a picture from the network's answer (6, h, w) to it; raises as ``infer`` does."""
        self._check(image.rgb)
        return self._tracker.step(image.stamp_ns, answer, self._view, ego)

    def infer(self, rgb: NDArray[np.uint8]) -> FloatArray:
        """Return the network's answer (6, h, w) to a picture.

        Raises ValueError when the picture has another size than the camera.
        """
        self._check(rgb)
        return self._network.answer(rgb)

    def _check(self, rgb: NDArray[np.uint8]) -> None:
        height, width = rgb.shape[:2]
        if (width, height) != (self._mounted.width_px, self._mounted.height_px):
            size = f"{self._mounted.width_px} x {self._mounted.height_px}"
            raise ValueError(f"picture of {width} x {height} pixels, camera_info says {size}; correct one of them")
