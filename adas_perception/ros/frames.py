"""Static transforms of the sensors, so that RViz, Foxglove and tf2 know where their frames are on the car."""

from __future__ import annotations

from collections.abc import Mapping

from geometry_msgs.msg import Quaternion, TransformStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from adas_perception.params import CameraMount, Mount
from adas_perception.ros.convert import BASE
from adas_perception.ros.table import FRAMES

# REP 103: of an optical frame x points to the right of the picture, y down, z along the axis.
_OPTICAL = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def publish_frames(node: Node, mounts: Mapping[str, Mount | CameraMount]) -> None:
    """Publish once, for all who come later too, where each named frame sits in base_link; a camera's is optical.

    The parameter ``sensor_frames`` turns it off where the car's robot_state_publisher says the same.
    """
    about = ParameterDescriptor(description="publish the static transforms of the sensors", read_only=True)
    if not node.declare_parameter("sensor_frames", True, about).value:
        return
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_publisher(TFMessage, FRAMES, latched).publish(
        TFMessage(transforms=[_transform(name, mount) for name, mount in mounts.items()])
    )


def _transform(frame: str, mount: Mount | CameraMount) -> TransformStamped:
    message = TransformStamped(child_frame_id=frame)
    message.header.frame_id = BASE
    place = message.transform.translation
    place.x, place.y = mount.x_m, mount.y_m
    if isinstance(mount, CameraMount):
        place.z = mount.height_m
        angles = [mount.yaw_rad, mount.pitch_rad, mount.roll_rad]
        turned = Rotation.from_euler("ZYX", angles) * _OPTICAL
    else:
        place.z = mount.z_m
        turned = Rotation.from_euler("Z", mount.yaw_rad)
    x, y, z, w = turned.as_quat()
    message.transform.rotation = Quaternion(x=float(x), y=float(y), z=float(z), w=float(w))
    return message
