"""The rendered picture against the pinhole model: lines, dashes, cars, brake lights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from adas_perception.sim.camera import DEFAULT_CAMERA, Body, CameraRenderer
from adas_perception.sim.road import Line, Road
from adas_perception.sim.sensors import Box
from adas_perception.types import LineKind

SOLID = Road(800.0, lines=(Line(1.75, LineKind.SOLID, 0.15), Line(-1.75, LineKind.SOLID, 0.15)))


@pytest.fixture(scope="module")
def renderer() -> CameraRenderer:
    return CameraRenderer(SOLID)


def white_centre(picture: np.ndarray, row: int, near_px: float, reach_px: int = 40) -> float:
    """Column of the middle of the paint near a column, weighted by brightness above the asphalt."""
    columns = np.arange(max(round(near_px) - reach_px, 0), min(round(near_px) + reach_px, picture.shape[1] - 1))
    brightness = picture[row, columns].astype(float).min(axis=-1)
    weight = np.clip(brightness - 150.0, 0.0, None)
    assert weight.sum() > 0.0, f"no paint in row {row}"
    return float((columns * weight).sum() / weight.sum())


@pytest.mark.parametrize("y", [1.75, -1.75])
@pytest.mark.parametrize("ahead", [8.0, 12.0, 18.0, 25.0])
def test_line_projects_where_the_pinhole_says(renderer: CameraRenderer, y: float, ahead: float) -> None:
    picture = renderer.render(100.0, 0.0, 0.0, 100.0)
    u, v = DEFAULT_CAMERA.project(np.array([ahead, y]))
    row = round(v)
    on_row = DEFAULT_CAMERA.to_ground(np.array([u, float(row)]))[0]
    expected = DEFAULT_CAMERA.project(np.array([on_row, y]))[0]
    assert white_centre(picture, row, expected, 12) == pytest.approx(expected, abs=0.7)


@pytest.mark.parametrize("yaw", [-0.03, 0.02])
def test_turned_and_shifted_car_sees_the_lines_shifted(renderer: CameraRenderer, yaw: float) -> None:
    picture = renderer.render(100.0, 0.4, yaw, 100.0)
    for row in (230, 260):
        ahead = float(DEFAULT_CAMERA.to_ground(np.array([320.0, float(row)]))[0])
        y = (1.75 - 0.4) / math.cos(yaw) - ahead * math.tan(yaw)
        expected = DEFAULT_CAMERA.project(np.array([ahead, y]))[0]
        assert white_centre(picture, row, expected, 12) == pytest.approx(expected, abs=1.0)


def test_bend_to_the_left_moves_the_far_line_left() -> None:
    bend = CameraRenderer(replace(SOLID, curvature_knots=((0.0, 1 / 300),)))
    road = bend.road
    start = road.point(100.0)
    picture = bend.render(start.x_m, start.y_m, start.yaw_rad, 100.0)
    s = np.linspace(105.0, 140.0, 400)
    xy = bend._to_ego(road.to_map(s, 1.75), start.x_m, start.y_m, start.yaw_rad)
    u, v = DEFAULT_CAMERA.project(xy).T
    for row in (225, 245):
        expected = float(np.interp(-row, -v, u))
        assert white_centre(picture, row, expected, 12) == pytest.approx(expected, abs=1.0)


def test_pitched_camera_moves_the_horizon() -> None:
    model = replace(DEFAULT_CAMERA, pitch_rad=0.05)
    picture = CameraRenderer(SOLID, model).render(100.0, 0.0, 0.0, 100.0)
    u, v = model.project(np.array([15.0, 1.75]))
    assert white_centre(picture, round(v), u, 12) == pytest.approx(u, abs=3.0)


def test_rolled_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="roll"):
        CameraRenderer(SOLID, replace(DEFAULT_CAMERA, roll_rad=0.1))


def test_dashes_are_fixed_to_the_road() -> None:
    road = replace(SOLID, lines=(Line(0.0, LineKind.DASHED, 0.15, 6.0, 18.0),))
    renderer = CameraRenderer(road)
    row = 290
    ahead = float(DEFAULT_CAMERA.to_ground(np.array([320.0, float(row)]))[0])

    def painted(at_s: float) -> bool:
        x = at_s - ahead
        return int(renderer.render(x, 0.0, 0.0, x)[row, 318:323].min(axis=-1).max()) > 170

    period_start = 18.0 * 10
    assert painted(period_start + 1.0)
    assert painted(period_start + 5.0)
    assert not painted(period_start + 7.0)
    assert not painted(period_start + 17.0)


def test_car_covers_its_box_and_brake_lights_light_up(renderer: CameraRenderer) -> None:
    box = Box(20.0, 0.5, 0.0, 4.6, 1.85, 1.5, 0.0, 0.0)
    empty = renderer.render(100.0, 0.0, 0.0, 100.0).astype(int)
    dark = renderer.render(100.0, 0.0, 0.0, 100.0, [Body(box, (40, 70, 130))]).astype(int)
    bright = renderer.render(100.0, 0.0, 0.0, 100.0, [Body(box, (40, 70, 130), True)]).astype(int)
    rear = 20.0 - 2.3
    left, right = (DEFAULT_CAMERA.project(np.array([rear, 0.5 + side * 0.925, 0.7]))[0] for side in (1, -1))
    row = round(DEFAULT_CAMERA.project(np.array([rear, 0.5, 0.7]))[1])
    changed = np.flatnonzero(np.abs(dark - empty)[row].sum(axis=-1) > 30)
    assert changed.min() == pytest.approx(left, abs=1.5)
    assert changed.max() == pytest.approx(right, abs=1.5)
    lamps = np.argwhere((bright - dark)[..., 0] > 60)
    assert len(lamps) > 10
    assert lamps[:, 1].min() >= left - 1.5
    assert lamps[:, 1].max() <= right + 1.5


def test_cars_behind_are_not_drawn(renderer: CameraRenderer) -> None:
    behind = Body(Box(-12.0, 0.0, 0.0, 4.6, 1.85, 1.5, 0.0, 0.0), (200, 0, 0))
    assert np.array_equal(renderer.render(50.0, 0.0, 0.0, 50.0, [behind]), renderer.render(50.0, 0.0, 0.0, 50.0))
