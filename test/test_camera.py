"""Camera geometry: pixels to road and back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.perception.camera import CameraModel

cameras = st.builds(
    CameraModel.from_fov,
    st.integers(320, 1920), st.integers(200, 1200), st.floats(0.6, 1.8),
    height_m=st.floats(1.0, 3.0), x_m=st.floats(-1.0, 3.0), y_m=st.floats(-0.5, 0.5),
    roll_rad=st.floats(-0.05, 0.05), pitch_rad=st.floats(-0.15, 0.15), yaw_rad=st.floats(-0.1, 0.1),
)  # fmt: skip


@given(cameras, st.floats(8.0, 80.0), st.floats(-8.0, 8.0))
def test_a_road_point_comes_back_from_its_pixel(camera, ahead, y):
    point = np.array([camera.x_m + ahead, y])
    assert camera.to_ground(camera.project(point)) == pytest.approx(point, rel=1e-6, abs=1e-6)


@given(cameras, st.floats(8.0, 60.0), st.floats(-6.0, 6.0), st.floats(0.0, 0.5))
def test_crop_and_resize_keep_the_geometry(camera, ahead, y, crop):
    top = round(crop * camera.height_px)
    small = camera.cropped_resized(top, 512, 192)
    point = np.array([camera.x_m + ahead, y])
    u, v = camera.project(point)
    sx, sy = 512 / camera.width_px, 192 / (camera.height_px - top)
    # The corner of the picture is at -0.5 in both.
    assert small.project(point) == pytest.approx([(u + 0.5) * sx - 0.5, (v - top + 0.5) * sy - 0.5], rel=1e-6, abs=1e-4)


def test_axes_point_the_way_rep_103_says():
    camera = CameraModel.from_fov(640, 360, math.radians(60.0), height_m=1.4)
    left = camera.project(np.array([20.0, 2.0]))
    assert left[0] < camera.cx_px and left[1] > camera.cy_px
    down = CameraModel.from_fov(640, 360, 1.0, pitch_rad=0.05)
    assert down.horizon_row_px() < down.cy_px
    turned_left = CameraModel.from_fov(640, 360, 1.0, yaw_rad=0.05)
    assert turned_left.project(np.array([50.0, 0.0]))[0] > turned_left.cx_px


@given(cameras, st.floats(0.2, 0.7))
def test_a_given_horizon_is_the_limit_of_far_points(camera, part):
    pitched = camera.with_horizon(part * camera.height_px)
    assert pitched.horizon_row_px() == pytest.approx(part * camera.height_px, abs=1e-6)
    # Along a column the flat road ends at the horizon of that column.
    far = pitched.project(np.array([1e7, pitched.y_m]))
    assert far[1] == pytest.approx(pitched.horizon_row_px(far[0]), abs=1e-2)


def test_sky_has_no_ground_and_what_is_behind_no_pixel():
    camera = CameraModel.from_fov(640, 360, 1.0)
    assert np.isnan(camera.to_ground(np.array([[320.0, 10.0], [320.0, 180.0]]))).all()
    assert np.isnan(camera.project(np.array([-5.0, 0.0]))).all()


@pytest.mark.parametrize("wrong", [{"fx_px": 0.0}, {"height_m": -1.0}, {"width_px": 0}, {"pitch_rad": math.nan}])
def test_impossible_cameras_are_refused(wrong):
    good = dict(width_px=640, height_px=360, fx_px=500.0, fy_px=500.0, cx_px=320.0, cy_px=180.0)
    with pytest.raises(ValueError, match="camera"):
        CameraModel(**{**good, **wrong})
