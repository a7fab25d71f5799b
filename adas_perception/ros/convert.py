"""ROS messages to core types and back: the only place that knows both.

Whatever is not finite, out of range or malformed raises ConvertError here and goes no further.
"""

from __future__ import annotations

import array
import dataclasses
import math

import numpy as np
from ackermann_msgs.msg import AckermannDriveStamped
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Pose, PoseArray, PoseStamped
from nav_msgs.msg import Odometry, Path
from sensor_msgs.msg import CameraInfo, Image, Joy, PointCloud2, Range
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray, ObjectHypothesisWithPose

from adas_perception import types as t
from adas_perception.params import CameraMount
from adas_perception.perception.camera import CameraModel
from adas_perception.ros.clouds import ConvertError, read_cloud, write_cloud

BASE = "base_link"
NO_OPINION = math.nan

# sensor_msgs/Joy on vehicle/driver
AXES = ("accelerator", "brake", "steering_torque_nm", "steering_rad", "accel_mps2")
BUTTONS = (
    "left", "right", "acc_set", "acc_resume", "acc_cancel", "acc_gap",
    "lka_toggle", "park_request", "park_confirm", "hands_on", "door_open", "gear",
)  # fmt: skip

RADAR_FIELDS = {
    "x": ("x",),
    "y": ("y",),
    "z": ("z",),
    "range_rate": ("range_rate", "Velocity", "velocity", "doppler", "radial_speed", "v_r"),
}
CHANNELS = {"rgb8": (3, None), "bgr8": (3, (2, 1, 0)), "rgba8": (4, (0, 1, 2)), "bgra8": (4, (2, 1, 0))}


def to_ns(stamp: Time) -> int:
    """Return a ROS stamp as nanoseconds."""
    return int(stamp.sec) * t.NS_PER_S + int(stamp.nanosec)


def to_stamp(ns: int) -> Time:
    """Return nanoseconds as a ROS stamp."""
    return Time(sec=ns // t.NS_PER_S, nanosec=ns % t.NS_PER_S)


def _finite(what: str, *values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ConvertError(f"{what} holds {value}")


def _within(what: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ConvertError(f"{what} is {value}, outside {low}..{high}")
    return value


# --- camera -----------------------------------------------------------------------------------------------


def to_image(message: Image) -> t.Image:
    """Read a picture as RGB; cv_bridge takes the encodings outside the fast path."""
    if message.width == 0 or message.height == 0:
        raise ConvertError(f"picture of {message.width} x {message.height} pixels")
    if message.encoding == "mono8":
        gray = _pixels(message, 1)
        return t.Image(to_ns(message.header.stamp), np.repeat(gray, 3, axis=2))
    if message.encoding not in CHANNELS:
        return _by_cv_bridge(message)
    channels, order = CHANNELS[message.encoding]
    pixels = _pixels(message, channels)
    rgb = pixels if order is None else np.ascontiguousarray(pixels[:, :, order])
    return t.Image(to_ns(message.header.stamp), rgb)


def _pixels(message: Image, channels: int) -> np.ndarray:
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
    except CvBridgeError as error:
        raise ConvertError(f"encoding '{message.encoding}': {error}") from None


def from_image(image: t.Image, frame: str = "front_camera_optical") -> Image:
    """Write a picture as rgb8."""
    message = Image()
    message.header.stamp = to_stamp(image.stamp_ns)
    message.header.frame_id = frame
    message.height, message.width = image.rgb.shape[:2]
    message.encoding = "rgb8"
    message.step = message.width * 3
    data = array.array("B")
    data.frombytes(memoryview(np.ascontiguousarray(image.rgb)).cast("B"))
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


def to_detections(message: Detection2DArray, width: int = 0, height: int = 0) -> t.Detections:
    """Read camera boxes; hypotheses carry the class number as text."""
    items = []
    for detection in message.detections:
        if not detection.results:
            continue
        best = max(detection.results, key=lambda r: r.hypothesis.score).hypothesis
        box = detection.bbox
        cx, cy, w, h = box.center.position.x, box.center.position.y, box.size_x / 2, box.size_y / 2
        _finite("detection", cx, cy, w, h, best.score)
        try:
            label = t.ObjectClass(int(best.class_id))
        except ValueError:
            raise ConvertError(f"unknown object class '{best.class_id}'") from None
        items.append(t.Detection(label, best.score, cx - w, cy - h, cx + w, cy + h))
    return t.Detections(to_ns(message.header.stamp), width, height, tuple(items))


def from_detections(detections: t.Detections, frame: str) -> Detection2DArray:
    """Write camera boxes."""
    message = Detection2DArray()
    message.header.stamp = to_stamp(detections.stamp_ns)
    message.header.frame_id = frame
    for item in detections.items:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = str(int(item.label))
        hypothesis.hypothesis.score = float(item.score)
        box = BoundingBox2D(size_x=float(item.x2 - item.x1), size_y=float(item.y2 - item.y1))
        box.center.position.x = float(item.x1 + item.x2) / 2
        box.center.position.y = float(item.y1 + item.y2) / 2
        message.detections.append(Detection2D(header=message.header, results=[hypothesis], bbox=box))
    return message


# --- lanes ------------------------------------------------------------------------------------------------

LEFT, RIGHT = 0, 1
SAMPLES = 12
LANE_FIELDS = {name: (name,) for name in ("x", "y", "line", "confidence", "kind", "sigma")}


def from_lanes(lanes: t.LaneLines) -> PointCloud2:
    """Write lane lines as points: line 0 is the car's left boundary, 1 its right, 2 and up are others."""
    numbered = [(LEFT, lanes.left), (RIGHT, lanes.right), *enumerate(lanes.others, start=2)]
    rows = []
    for number, line in numbered:
        if line is not None:
            for x in np.linspace(line.x_min, line.x_max, SAMPLES):
                rows.append((x, line.y(x), 0.0, number, line.confidence, int(line.kind), line.sigma_m))
    table = np.array(rows, dtype=np.float32).reshape(-1, 7)
    names = ("x", "y", "z", "line", "confidence", "kind", "sigma")
    return write_cloud(_cloud(lanes.stamp_ns), {n: table[:, i] for i, n in enumerate(names)})


def to_lanes(message: PointCloud2) -> t.LaneLines:
    """Read lane lines back: a cubic through the points of each line."""
    columns = read_cloud(message, LANE_FIELDS)
    table = np.column_stack([columns[n] for n in LANE_FIELDS])
    if not np.isfinite(table).all():
        raise ConvertError("lane lines hold a value that is not finite")
    lines = {}
    for number in np.unique(table[:, 2]).astype(int):
        points = table[table[:, 2] == number]
        x, y = points[:, 0], points[:, 1]
        c3, c2, c1, c0 = np.polyfit(x, y, 3) if len(points) > 3 else (0.0, 0.0, 0.0, float(y.mean()))
        lines[number] = t.LaneLine(
            (float(c0), float(c1), float(c2), float(c3)),
            float(x.min()),
            float(x.max()),
            float(points[0, 3]),
            t.LineKind(int(points[0, 4])),
            float(points[0, 5]),
        )
    others = tuple(lines[n] for n in sorted(lines) if n > RIGHT)
    return t.LaneLines(to_ns(message.header.stamp), lines.get(LEFT), lines.get(RIGHT), others)


def _cloud(stamp_ns: int, frame: str = BASE) -> PointCloud2:
    message = PointCloud2()
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = frame
    return message


# --- radar, ultrasonic, objects ---------------------------------------------------------------------------


def to_radar(message: PointCloud2, sensor: str, closing_sign: float = -1.0) -> t.RadarScan:
    """Read a radar cloud; ``closing_sign`` is the sign its velocity field has for a closing target."""
    columns = read_cloud(message, RADAR_FIELDS)
    xyz = np.column_stack([columns["x"], columns["y"], columns["z"]])
    return t.RadarScan(to_ns(message.header.stamp), sensor, xyz, -closing_sign * columns["range_rate"])


def from_radar(scan: t.RadarScan) -> PointCloud2:
    """Write a radar scan, closing negative."""
    columns = {"x": scan.xyz[:, 0], "y": scan.xyz[:, 1], "z": scan.xyz[:, 2], "range_rate": scan.range_rate}
    return write_cloud(_cloud(scan.stamp_ns, f"radar_{scan.sensor}"), columns)


TARGET_FIELDS = {name: (name,) for name in ("x", "y", "range_rate", "speed", "points")}


def from_targets(targets: t.RadarTargets) -> PointCloud2:
    """Write radar targets; the frame id carries the name of the sensor behind base_link."""
    rows = [(i.x_m, i.y_m, i.range_rate_mps, i.speed_mps, i.points) for i in targets.items]
    table = np.array(rows, dtype=np.float32).reshape(-1, len(TARGET_FIELDS))
    message = _cloud(targets.stamp_ns, f"{BASE}/{targets.sensor}")
    return write_cloud(message, {n: table[:, i] for i, n in enumerate(TARGET_FIELDS)})


def to_targets(message: PointCloud2) -> t.RadarTargets:
    """Read radar targets."""
    sensor = message.header.frame_id.removeprefix(f"{BASE}/")
    columns = read_cloud(message, TARGET_FIELDS)
    rows = np.column_stack([columns[n] for n in TARGET_FIELDS])
    if not np.isfinite(rows).all():
        raise ConvertError("radar targets hold a value that is not finite")
    items = tuple(t.RadarTarget(x, y, rate, speed, int(n), sensor) for x, y, rate, speed, n in rows.tolist())
    return t.RadarTargets(to_ns(message.header.stamp), sensor, items)


def to_echo(message: Range, sensor: str) -> t.UltrasonicEcho:
    """Read one ultrasonic range; REP 117: +inf is no echo, -inf an object too close to measure."""
    value = message.range
    if value == -math.inf:
        value = message.min_range
    if math.isnan(value) or value < 0.0:
        raise ConvertError(f"range is {value}")
    return t.UltrasonicEcho(to_ns(message.header.stamp), sensor, math.inf if value > message.max_range else value)


def from_echo(echo: t.UltrasonicEcho, min_range_m: float, max_range_m: float) -> Range:
    """Write one ultrasonic range."""
    message = Range(radiation_type=Range.ULTRASOUND, field_of_view=1.2)
    message.header.stamp = to_stamp(echo.stamp_ns)
    message.header.frame_id = f"ultrasonic_{echo.sensor}"
    message.min_range, message.max_range, message.range = float(min_range_m), float(max_range_m), float(echo.range_m)
    return message


ECHO_FIELDS = {name: (name,) for name in ("x", "y", "range", "sensor")}


def from_echoes(echoes: t.Echoes, sensors: tuple[str, ...]) -> PointCloud2:
    """Write echo points; the field ``sensor`` is the index in the list of the twelve. A silent one has NaN."""
    rows = [(p.x_m, p.y_m, p.range_m, sensors.index(p.sensor)) for p in echoes.points]
    rows += [(math.nan, math.nan, math.nan, sensors.index(name)) for name in echoes.silent]
    table = np.array(rows, dtype=np.float32).reshape(-1, len(ECHO_FIELDS))
    return write_cloud(_cloud(echoes.stamp_ns), {n: table[:, i] for i, n in enumerate(ECHO_FIELDS)})


def to_echoes(message: PointCloud2, sensors: tuple[str, ...]) -> t.Echoes:
    """Read echo points."""
    columns = read_cloud(message, ECHO_FIELDS)
    points, silent = [], []
    for x, y, reach, index in np.column_stack([columns[n] for n in ECHO_FIELDS]).tolist():
        if not 0 <= index < len(sensors):
            raise ConvertError(f"echo of sensor number {index}; there are {len(sensors)}")
        name = sensors[int(index)]
        if math.isnan(reach):
            silent.append(name)
        else:
            points.append(t.EchoPoint(name, x, y, reach))
    return t.Echoes(to_ns(message.header.stamp), tuple(points), tuple(silent))


OBJECT_FIELDS = (
    "x", "y", "z", "vx", "vy", "ax", "yaw", "length", "width", "height", "class", "id", "score", "sources", "age",
)  # fmt: skip


def from_objects(objects: t.Objects) -> PointCloud2:
    """Write fused objects, one row a track."""
    rows = [
        (o.x_m, o.y_m, o.height_m / 2, o.vx_mps, o.vy_mps, o.ax_mps2, o.yaw_rad, o.length_m, o.width_m, o.height_m,
         int(o.label), o.id, o.score, int(o.sources), o.age)
        for o in objects.tracks
    ]  # fmt: skip
    table = np.array(rows, dtype=np.float32).reshape(-1, len(OBJECT_FIELDS))
    return write_cloud(_cloud(objects.stamp_ns), {n: table[:, i] for i, n in enumerate(OBJECT_FIELDS)})


def to_objects(message: PointCloud2) -> t.Objects:
    """Read fused objects."""
    columns = read_cloud(message, {n: (n,) for n in OBJECT_FIELDS})
    rows = np.column_stack([columns[n] for n in OBJECT_FIELDS])
    if not np.isfinite(rows).all():
        raise ConvertError("objects hold a value that is not finite")
    tracks = []
    for x, y, _, vx, vy, ax, yaw, length, width, height, label, number, score, sources, age in rows.tolist():
        tracks.append(
            t.Track(int(number), x, y, vx, vy, ax, yaw, length, width, height,
                    t.ObjectClass(int(label)), score, t.Sensor(int(sources)), int(age))
        )  # fmt: skip
    return t.Objects(to_ns(message.header.stamp), tuple(tracks))


# --- vehicle ----------------------------------------------------------------------------------------------


def to_ego(message: Odometry, driver: Joy | None) -> t.EgoState:
    """Read the vehicle state; acceleration, road-wheel angle and gear come with the driver message."""
    twist, pose = message.twist.twist, message.pose.pose
    q = pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    steering, accel, gear = 0.0, 0.0, t.Gear.DRIVE
    if driver is not None:
        axes, buttons = _named(driver)
        steering, accel, gear = axes["steering_rad"], axes["accel_mps2"], t.Gear(int(buttons["gear"]) % len(t.Gear))
    numbers = (twist.linear.x, twist.angular.z, pose.position.x, pose.position.y, yaw, steering, accel)
    _finite("vehicle state", *numbers)
    _within("speed", twist.linear.x, -30.0, 100.0)
    speed, yaw_rate, x, y, yaw, steering, accel = numbers
    return t.EgoState(to_ns(message.header.stamp), speed, accel, yaw_rate, steering, gear, x, y, yaw)


def from_ego(ego: t.EgoState) -> Odometry:
    """Write the motion of the car; its pose is in ``odom``."""
    message = Odometry()
    message.header.stamp = to_stamp(ego.stamp_ns)
    message.header.frame_id, message.child_frame_id = "odom", BASE
    message.pose.pose = _pose(ego.x_m, ego.y_m, ego.yaw_rad)
    message.twist.twist.linear.x = float(ego.speed_mps)
    message.twist.twist.angular.z = float(ego.yaw_rate_radps)
    return message


def _named(message: Joy) -> tuple[dict[str, float], dict[str, int]]:
    if len(message.axes) < len(AXES) or len(message.buttons) < len(BUTTONS):
        raise ConvertError(
            f"driver message with {len(message.axes)} axes and {len(message.buttons)} buttons; "
            f"{len(AXES)} and {len(BUTTONS)} needed"
        )
    _finite("driver message", *message.axes)
    return dict(zip(AXES, message.axes, strict=False)), dict(zip(BUTTONS, message.buttons, strict=False))


def to_driver(message: Joy) -> t.DriverInput:
    """Read what the driver does."""
    axes, buttons = _named(message)
    left, right = bool(buttons["left"]), bool(buttons["right"])
    lever = {(False, False): t.Indicator.OFF, (True, False): t.Indicator.LEFT, (False, True): t.Indicator.RIGHT}
    pressed = {n: bool(buttons[n]) for n in BUTTONS[2:-1]}
    return t.DriverInput(
        to_ns(message.header.stamp),
        _within("accelerator", axes["accelerator"], 0.0, 1.0),
        _within("brake", axes["brake"], 0.0, 1.0),
        axes["steering_torque_nm"],
        indicator=lever.get((left, right), t.Indicator.HAZARD),
        **pressed,
    )


def from_driver(driver: t.DriverInput, ego: t.EgoState) -> Joy:
    """Write what the driver does, with the road-wheel angle, acceleration and gear of the car."""
    message = Joy()
    message.header.stamp = to_stamp(driver.stamp_ns)
    message.header.frame_id = BASE
    message.axes = [float(getattr(driver if hasattr(driver, n) else ego, n)) for n in AXES]
    left = driver.indicator in (t.Indicator.LEFT, t.Indicator.HAZARD)
    right = driver.indicator in (t.Indicator.RIGHT, t.Indicator.HAZARD)
    message.buttons = [int(left), int(right), *(int(getattr(driver, n)) for n in BUTTONS[2:-1]), int(ego.gear)]
    return message


# --- decisions --------------------------------------------------------------------------------------------


def from_request(request: t.Request | t.Command) -> AckermannDriveStamped:
    """Write a request or a command; NaN is no opinion."""
    message = AckermannDriveStamped()
    message.header.stamp = to_stamp(request.stamp_ns)
    message.header.frame_id = BASE
    drive = message.drive
    drive.acceleration = NO_OPINION if request.accel_mps2 is None else float(request.accel_mps2)
    drive.steering_angle = NO_OPINION if request.steering_rad is None else float(request.steering_rad)
    drive.speed = drive.jerk = drive.steering_angle_velocity = NO_OPINION
    return message


def to_request(message: AckermannDriveStamped, function: t.Function) -> t.Request:
    """Read a request. Infinite values stay: the gate answers for them, and says so."""
    accel, steering = message.drive.acceleration, message.drive.steering_angle
    return t.Request(
        function,
        to_ns(message.header.stamp),
        None if math.isnan(accel) else accel,
        None if math.isnan(steering) else steering,
    )


def from_state(state: t.FunctionState) -> DiagnosticArray:
    """Write the state of a function."""
    status = DiagnosticStatus(
        level=bytes([state.level]),
        name=f"adas/{state.function.value}",
        message=state.state,
        hardware_id=state.reason,
        values=[KeyValue(key=k, value=repr(float(v))) for k, v in state.values.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(state.stamp_ns)
    return message


def to_state(message: DiagnosticArray) -> t.FunctionState:
    """Read the state of a function."""
    if len(message.status) != 1:
        raise ConvertError(f"state message with {len(message.status)} statuses; exactly one needed")
    status = message.status[0]
    try:
        function = t.Function(status.name.removeprefix("adas/"))
        values = {v.key: float(v.value) for v in status.values}
    except ValueError as error:
        raise ConvertError(f"state message: {error}") from None
    level = t.Level(int.from_bytes(status.level, "little"))
    return t.FunctionState(function, to_ns(message.header.stamp), level, status.message, status.hardware_id, values)


def _pose(x: float, y: float, yaw: float) -> Pose:
    pose = Pose()
    pose.position.x, pose.position.y = float(x), float(y)
    pose.orientation.z, pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return pose


def from_slots(stamp_ns: int, poses: list[tuple[float, float, float]]) -> PoseArray:
    """Write parking slots as (x, y, yaw) in base_link."""
    message = PoseArray(poses=[_pose(*p) for p in poses])
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = BASE
    return message


def from_path(stamp_ns: int, poses: list[tuple[float, float, float]]) -> Path:
    """Write a parking path as (x, y, yaw) in base_link."""
    message = Path()
    message.header.stamp = to_stamp(stamp_ns)
    message.header.frame_id = BASE
    message.poses = [PoseStamped(header=message.header, pose=_pose(*p)) for p in poses]
    return message
