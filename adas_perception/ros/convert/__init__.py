"""ROS messages to core types and back: the only place that knows both.

Whatever is not finite, out of range or malformed raises ConvertError here and goes no further.
"""

from adas_perception.ros.convert.camera import (
    from_camera,
    from_detections,
    from_image,
    from_picture_compressed,
    to_camera,
    to_detections,
    to_image,
    to_image_compressed,
)
from adas_perception.ros.convert.carla import to_depth, to_gyroscope_z, to_position, to_speed
from adas_perception.ros.convert.common import BASE, CAMERA, ConvertError, to_ns, to_stamp
from adas_perception.ros.convert.decisions import (
    from_command,
    from_path,
    from_request,
    from_safety,
    from_slots,
    from_state,
    to_command,
    to_request,
    to_safety_state,
    to_state,
)
from adas_perception.ros.convert.lanes import from_lanes, to_lanes
from adas_perception.ros.convert.objects import (
    from_echo,
    from_echoes,
    from_objects,
    from_radar,
    from_targets,
    target_frame,
    to_echo,
    to_echoes,
    to_objects,
    to_radar,
    to_targets,
)
from adas_perception.ros.convert.vehicle import from_driver, from_ego, from_friction, to_driver, to_ego, to_friction

__all__ = [
    "BASE",
    "CAMERA",
    "ConvertError",
    "from_camera",
    "from_command",
    "from_detections",
    "from_driver",
    "from_echo",
    "from_echoes",
    "from_ego",
    "from_friction",
    "from_image",
    "from_lanes",
    "from_objects",
    "from_path",
    "from_picture_compressed",
    "from_radar",
    "from_request",
    "from_safety",
    "from_slots",
    "from_state",
    "from_targets",
    "target_frame",
    "to_camera",
    "to_command",
    "to_depth",
    "to_detections",
    "to_driver",
    "to_echo",
    "to_echoes",
    "to_ego",
    "to_friction",
    "to_gyroscope_z",
    "to_image",
    "to_image_compressed",
    "to_lanes",
    "to_ns",
    "to_objects",
    "to_position",
    "to_radar",
    "to_request",
    "to_safety_state",
    "to_speed",
    "to_stamp",
    "to_state",
    "to_targets",
]
