"""Pictures, camera_info and camera boxes."""

from __future__ import annotations

import array
import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception import types as t
from adas_perception.params import CameraMount
from adas_perception.perception.camera import CameraModel
from adas_perception.ros.convert.common import CAMERA, ConvertError, finite, to_ns, to_stamp
from adas_perception.ros.convert.messages import (
    BoundingBox2D,
    CameraInfo,
    CompressedImage,
    Detection2D,
    Detection2DArray,
    Image,
    ObjectHypothesisWithPose,
)

# Encodings of the fast path: bytes a pixel, and the order that makes them RGB.
CHANNELS = {"rgb8": (3, None), "bgr8": (3, (2, 1, 0)), "rgba8": (4, (0, 1, 2)), "bgra8": (4, (2, 1, 0))}


def to_image(message: Image) -> t.Image:
    """Read a picture as RGB; cv_bridge takes the encodings outside the fast path."""
    if message.width == 0 or message.height == 0:
        raise ConvertError(f"picture of {message.width} x {message.height} pixels")
    if message.encoding == "mono8":
        gray = pixels(message, 1)
        return t.Image(to_ns(message.header.stamp), np.repeat(gray, 3, axis=2))
    if message.encoding not in CHANNELS:
        return _by_cv_bridge(message)
    channels, order = CHANNELS[message.encoding]
    picture = pixels(message, channels)
    rgb = picture if order is None else np.ascontiguousarray(picture[:, :, order])
    return t.Image(to_ns(message.header.stamp), rgb)


def pixels(message: Image, channels: int) -> NDArray[np.uint8]:
    """Return the bytes (H, W, channels) of a picture, whatever pads its rows; raises ConvertError when some lack."""
    row = message.width * channels
    step = message.step or row
    if step < row or len(message.data) < step * (message.height - 1) + row:
        raise ConvertError(
            f"picture holds {len(message.data)} bytes, {message.width} x {message.height} {message.encoding} announced"
        )
    data = np.frombuffer(message.data, np.uint8)
    if step == row:
        return data[: row * message.height].reshape(message.height, message.width, channels)
    strided = np.lib.stride_tricks.as_strided(data, (message.height, row), (step, 1))
    return strided.reshape(message.height, message.width, channels)


def _by_cv_bridge(message: Image) -> t.Image:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        raise ConvertError(
            f"encoding '{message.encoding}' needs cv_bridge, which is not installed; send rgb8, bgr8 or bgra8"
        ) from None
    try:
        return t.Image(to_ns(message.header.stamp), CvBridge().imgmsg_to_cv2(message, "rgb8"))
    except (CvBridgeError, TypeError, ValueError, cv2.error) as error:
        raise ConvertError(f"encoding '{message.encoding}': {error}") from None


def from_image(image: t.Image, frame: str = CAMERA) -> Image:
    """Write a picture as rgb8."""
    message = Image()
    message.header.stamp = to_stamp(image.stamp_ns)
    message.header.frame_id = frame
    message.height, message.width = image.rgb.shape[:2]
    message.encoding = "rgb8"
    message.step = message.width * 3
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(image.rgb).data.cast("B"))
    message.data = data
    return message


def to_image_compressed(message: CompressedImage) -> t.Image:
    """Read a JPEG or PNG picture as RGB."""
    data = np.frombuffer(message.data, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if bgr is None:
        raise ConvertError(f"compressed picture of {len(data)} bytes ('{message.format}') cannot be decoded")
    return t.Image(to_ns(message.header.stamp), np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8))


def from_picture_compressed(stamp_ns: int, bgr: NDArray[np.uint8], quality: int) -> CompressedImage:
    """Write a BGR picture as JPEG."""
    message = CompressedImage(format="jpeg")
    message.header.stamp, message.header.frame_id = to_stamp(stamp_ns), CAMERA
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    data = array.array("B")
    data.frombytes(jpeg.tobytes())
    message.data = data
    return message


def to_camera(message: CameraInfo, mount: CameraMount) -> CameraModel:
    """Return the mounted camera of the rectified picture: matrix P when it is set, else K."""
    if message.width == 0 or message.height == 0:
        raise ConvertError("camera_info without a picture size")
    p = np.asarray(message.p, dtype=float).reshape(3, 4)[:, :3]
    k = p if p[0, 0] > 0 else np.asarray(message.k, dtype=float).reshape(3, 3)
    if not np.isfinite(k).all() or k[0, 0] <= 0 or k[1, 1] <= 0:
        raise ConvertError("camera_info without a valid camera matrix; calibrate with 'adas calibrate'")
    return CameraModel.from_matrix(int(message.width), int(message.height), k, **dataclasses.asdict(mount))


def from_camera(stamp_ns: int, camera: CameraModel, frame: str = CAMERA) -> CameraInfo:
    """Write the camera of rectified pictures."""
    message = CameraInfo(width=camera.width_px, height=camera.height_px, distortion_model="plumb_bob")
    message.header.stamp, message.header.frame_id = to_stamp(stamp_ns), frame
    fx, fy, cx, cy = map(float, (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px))
    message.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def to_detections(message: Detection2DArray, width: int = 0, height: int = 0) -> t.Detections:
    """Read camera boxes; hypotheses carry the class number as text."""
    items = []
    for detection in message.detections:
        if not detection.results:
            continue
        best = max(detection.results, key=lambda r: r.hypothesis.score).hypothesis
        box = detection.bbox
        cx, cy, w, h = box.center.position.x, box.center.position.y, box.size_x / 2, box.size_y / 2
        finite("detection", cx, cy, w, h, best.score)
        try:
            label = t.ObjectClass(int(best.class_id))
        except ValueError:
            raise ConvertError(f"unknown object class '{best.class_id}'") from None
        items.append(t.Detection(label, best.score, cx - w, cy - h, cx + w, cy + h))
    return t.Detections(to_ns(message.header.stamp), width, height, tuple(items))


def from_detections(detections: t.Detections) -> Detection2DArray:
    """Write camera boxes."""
    message = Detection2DArray()
    message.header.stamp = to_stamp(detections.stamp_ns)
    message.header.frame_id = CAMERA
    for item in detections.items:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = str(int(item.label))
        hypothesis.hypothesis.score = float(item.score)
        box = BoundingBox2D(size_x=float(item.x2 - item.x1), size_y=float(item.y2 - item.y1))
        box.center.position.x = float(item.x1 + item.x2) / 2
        box.center.position.y = float(item.y1 + item.y2) / 2
        message.detections.append(Detection2D(header=message.header, results=[hypothesis], bbox=box))
    return message
