"""Messages to types and back: what is good comes through unchanged, what is bad is named and stopped."""

import array
import math
import sys
import types

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import example, given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image, Joy, PointCloud2, PointField, Range

from adas_perception import types as t
from adas_perception.functions.friction import Friction
from adas_perception.params import CameraMount
from adas_perception.ros import convert as c

STAMP = 12_345_678_901
finite = st.floats(-1e3, 1e3)


def picture(encoding: str, channels: int, padding: int = 0) -> tuple[Image, np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, channels), np.uint8)
    rows = np.zeros((6, 8 * channels + padding), np.uint8)
    rows[:, : 8 * channels] = pixels.reshape(6, -1)
    message = Image(height=6, width=8, encoding=encoding, step=8 * channels + padding)
    message.header.stamp = c.to_stamp(STAMP)
    message.data = array.array("B", rows.tobytes())
    return message, pixels


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("rgb8", (0, 1, 2)), ("bgr8", (2, 1, 0)), ("rgba8", (0, 1, 2)), ("bgra8", (2, 1, 0)), ("mono8", (0, 0, 0))],
)
def test_every_fast_encoding_becomes_rgb(encoding, order, padding):
    message, pixels = picture(encoding, {"mono8": 1, "rgb8": 3, "bgr8": 3}.get(encoding, 4), padding)
    image = c.to_image(message)
    assert image.stamp_ns == STAMP
    np.testing.assert_array_equal(image.rgb, pixels[:, :, order])


def test_a_picture_comes_back():
    rgb = np.random.default_rng(1).integers(0, 255, (4, 6, 3), np.uint8)
    np.testing.assert_array_equal(c.to_image(c.from_image(t.Image(STAMP, rgb))).rgb, rgb)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": array.array("B")}, "0 bytes"),
        ({"width": 0}, "0 x 6"),
        ({"encoding": "yuv422"}, "cv_bridge"),
        ({"step": 3}, "announced"),
    ],
)
def test_a_bad_picture_is_named(change, words):
    message, _ = picture("rgb8", 3)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(c.ConvertError, match=words):
        c.to_image(message)


@pytest.mark.parametrize("raised", [TypeError("buffer is too small"), ValueError("bad step"), KeyError])
def test_a_picture_that_cv_bridge_cannot_read_is_refused(monkeypatch, raised):
    class Bridge:
        def imgmsg_to_cv2(self, message, encoding):
            raise raised

    stub = types.ModuleType("cv_bridge")
    stub.CvBridge, stub.CvBridgeError = Bridge, KeyError
    monkeypatch.setitem(sys.modules, "cv_bridge", stub)
    with pytest.raises(c.ConvertError, match="yuv422"):
        c.to_image(Image(width=2, height=2, encoding="yuv422", step=4))


def test_camera_info_without_a_matrix_is_refused():
    with pytest.raises(c.ConvertError, match="adas calibrate"):
        c.to_camera(CameraInfo(width=640, height=360), CameraMount())
    good = CameraInfo(width=640, height=360, k=[500.0, 0.0, 320.0, 0.0, 500.0, 180.0, 0.0, 0.0, 1.0])
    assert c.to_camera(good, CameraMount()).fx_px == 500.0


def carla_radar(rows: list[tuple[float, ...]]) -> PointCloud2:
    """A cloud as the CARLA bridge sends it: 32 bytes a point, a hole before the elevation."""
    names = ["x", "y", "z", "Range", "Velocity", "AzimuthAngle", "ElevationAngle"]
    offsets = [0, 4, 8, 12, 16, 20, 28]
    dtype = np.dtype({"names": names, "formats": ["<f4"] * 7, "offsets": offsets, "itemsize": 32})
    data = np.zeros(len(rows), dtype)
    for i, row in enumerate(rows):
        data[i] = row
    message = PointCloud2(height=1, width=len(rows), point_step=32, row_step=32 * len(rows))
    message.fields = [PointField(name=n, offset=o, datatype=7, count=1) for n, o in zip(names, offsets, strict=True)]
    message.data = array.array("B", data.tobytes())
    return message


def test_a_radar_cloud_is_read_by_field_name_and_offset():
    scan = c.to_radar(carla_radar([(10.0, 1.0, 0.5, 10.1, -3.0, 0.1, 0.0)]), "front")
    np.testing.assert_allclose(scan.xyz, [[10.0, 1.0, 0.5]])
    np.testing.assert_allclose(scan.range_rate, [-3.0])
    turned = c.to_radar(carla_radar([(10.0, 1.0, 0.5, 10.1, 3.0, 0.1, 0.0)]), "front", closing_sign=1.0)
    np.testing.assert_allclose(turned.range_rate, [-3.0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda m: m.fields.pop(4), "range_rate"),
        (lambda m: setattr(m, "data", array.array("B", bytes(31))), "31 bytes"),
        (lambda m: setattr(m.fields[4], "offset", 40), "ends at byte 44"),
        (lambda m: setattr(m.fields[4], "datatype", 99), "unknown type"),
    ],
)
def test_a_damaged_cloud_is_named(damage, words):
    message = carla_radar([(10.0, 1.0, 0.5, 10.1, -3.0, 0.1, 0.0)])
    damage(message)
    with pytest.raises(c.ConvertError, match=words):
        c.to_radar(message, "front")


@example(b"", 0, 1, 0, PointField.INT16)
@given(st.binary(max_size=200), st.integers(0, 9), st.integers(0, 40), st.integers(0, 50), st.integers(0, 12))
def test_no_cloud_of_random_bytes_does_more_than_be_refused(data, width, step, offset, datatype):
    message = PointCloud2(height=1, width=width, point_step=step)
    message.fields = [PointField(name=n, offset=offset, datatype=datatype, count=1) for n in "xyz"]
    message.fields.append(PointField(name="velocity", offset=offset, datatype=datatype, count=1))
    message.data = array.array("B", data)
    try:
        scan = c.to_radar(message, "front")
    except c.ConvertError:
        return
    assert scan.xyz.shape == (width, 3)


def echo(value: float) -> Range:
    return Range(min_range=0.15, max_range=5.5, range=value)


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_an_impossible_range_is_refused(value):
    with pytest.raises(c.ConvertError, match="range is"):
        c.to_echo(echo(value), "front_left")


@pytest.mark.parametrize(
    ("value", "expected"), [(1.5, 1.5), (5.6, math.inf), (math.inf, math.inf), (-math.inf, 0.15)]
)
def test_ranges_follow_rep_117(value, expected):
    assert c.to_echo(echo(value), "front_left").range_m == pytest.approx(expected)


def test_objects_come_back():
    track = t.Track(7, 20.0, -1.5, 8.0, 0.25, -2.0, 0.125, 4.5, 1.75, 1.5, t.ObjectClass.CYCLIST, 0.75,
                    t.Sensor.RADAR | t.Sensor.CAMERA, 9)  # fmt: skip
    assert c.to_objects(c.from_objects(t.Objects(STAMP, (track,)))) == t.Objects(STAMP, (track,))
    assert c.to_objects(c.from_objects(t.Objects(STAMP))) == t.Objects(STAMP)


@given(x=finite, bad=st.sampled_from([math.nan, math.inf]))
def test_objects_that_are_not_finite_are_refused(x, bad):
    with pytest.raises(c.ConvertError):
        c.to_objects(c.from_objects(t.Objects(STAMP, (t.Track(1, x, 0.0, bad, 0.0),))))


def test_lane_lines_come_back():
    left = t.LaneLine((1.8, 0.01, 1e-3, -1e-5), 3.0, 50.0, 0.9, t.LineKind.SOLID, 0.07)
    other = t.LaneLine((5.3, 0.01, 1e-3, 0.0), 5.0, 30.0, 0.5, t.LineKind.DASHED, 0.1)
    back = c.to_lanes(c.from_lanes(t.LaneLines(STAMP, left, None, (other,))))
    assert back.right is None
    assert back.left.kind is t.LineKind.SOLID
    for x in (3.0, 20.0, 50.0):
        assert back.left.y(x) == pytest.approx(left.y(x), abs=1e-3)
        assert back.others[0].y(x) == pytest.approx(other.y(x), abs=1e-3)


def test_the_vehicle_comes_back():
    ego = t.EgoState(STAMP, 12.5, -0.5, 0.125, 0.03125, t.Gear.REVERSE, 3.0, -4.0, 0.5)
    driver = t.DriverInput(
        STAMP, 0.25, 0.5, -1.5, hands_on=False, indicator=t.Indicator.RIGHT, acc_set=True, park_confirm=True
    )
    joy = c.from_driver(driver, ego)
    assert c.to_driver(joy) == driver
    back = c.to_ego(c.from_ego(ego), joy)
    assert back.yaw_rad == pytest.approx(0.5)
    assert (back.speed_mps, back.steering_rad, back.gear) == (12.5, 0.03125, t.Gear.REVERSE)


@pytest.mark.parametrize("axes", [[math.nan] * 5, [2.0, 0, 0, 0, 0], [0.0]])
def test_a_bad_driver_message_is_refused(axes):
    with pytest.raises(c.ConvertError):
        c.to_driver(Joy(axes=[float(a) for a in axes], buttons=[0] * 12))


@given(accel=st.none() | finite, steering=st.none() | finite)
def test_requests_come_back_and_nan_is_no_opinion(accel, steering):
    back = c.to_request(c.from_request(t.Request(t.Function.ACC, STAMP, accel, steering)), t.Function.ACC)
    assert back.stamp_ns == STAMP
    assert back.accel_mps2 == (None if accel is None else pytest.approx(accel, rel=1e-6, abs=1e-6))
    assert back.steering_rad == (None if steering is None else pytest.approx(steering, rel=1e-6, abs=1e-6))


def test_a_command_comes_back_with_its_owners():
    command = t.Command(STAMP, -8.0, 0.03125, t.Function.AEB, t.Function.LKA)
    assert c.to_command(c.from_command(command)) == command


@pytest.mark.parametrize("frame", ["", "base_link", "base_link/acc", "base_link/acc/moon"])
def test_a_command_without_owners_is_refused(frame):
    message = c.from_command(t.Command(STAMP, 1.0))
    message.header.frame_id = frame
    with pytest.raises(c.ConvertError, match="owners"):
        c.to_command(message)


def test_targets_of_an_unknown_radar_are_refused():
    with pytest.raises(c.ConvertError, match="'roof'"):
        c.to_targets(c.from_targets(t.RadarTargets(STAMP, "roof")))


def test_a_safety_state_without_status_is_refused():
    with pytest.raises(c.ConvertError, match="0 statuses"):
        c.to_safety_state(DiagnosticArray())


def test_states_come_back():
    state = t.FunctionState(t.Function.AEB, STAMP, t.Level.WARN, "WARN", "THREAT", {"ttc_s": 1.25})
    assert c.to_state(c.from_state(state)) == state


def test_echoes_come_back_with_the_silent_sensors():
    sensors = ("front_left", "front_right")
    echoes = t.Echoes(STAMP, (t.EchoPoint("front_right", 4.0, -0.5, 1.5, STAMP - 62_500_000),), ("front_left",))
    assert c.to_echoes(c.from_echoes(echoes, sensors), sensors) == echoes


# --- friction ---


@given(value=st.floats(0.05, 1.5), sigma=st.floats(0.0, 0.4))
def test_friction_comes_back(value, sigma):
    back = c.to_friction(c.from_friction(Friction(STAMP, value, sigma)))
    assert (back.stamp_ns, back.value, back.sigma) == (STAMP, pytest.approx(value), pytest.approx(sigma, abs=1e-9))


@pytest.mark.parametrize(("value", "sigma"), [(math.nan, 0.1), (0.5, math.inf), (-0.1, 0.1), (2.5, 0.1)])
def test_impossible_friction_is_stopped(value, sigma):
    with pytest.raises(c.ConvertError):
        c.to_friction(c.from_friction(Friction(STAMP, value, sigma)))
