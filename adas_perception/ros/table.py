"""The node table: which process runs which nodes, what each reads and writes.

Launch files, the runner ``adas up``, the entry points and the tests all read this one table.
"""

from __future__ import annotations

from dataclasses import dataclass

ULTRASONIC_TOPICS = tuple(
    f"ultrasonic/{end}_{place}"
    for end in ("front", "rear")
    for place in ("left_side", "left_outer", "left", "right", "right_outer", "right_side")
)
# The front corner radars are optional: nobody waits for them. Written out, as this module imports nothing heavy:
# threads of a numerics library that start before main.py has blocked the signals would receive them.
RADAR_TOPICS = tuple(f"radar/{name}" for name in ("front", "rear_left", "rear_right", "front_left", "front_right"))
VEHICLE = ("vehicle/odometry", "vehicle/driver")
STATES = ("acc/state", "aeb/state", "lka/state", "bsd/state", "apa/state")
FRAMES = "/tf_static"
REQUESTS = ("acc/request", "aeb/request", "lka/request", "apa/request")


@dataclass(frozen=True)
class NodeSpec:
    """A node: its class as ``module:Class`` below ``ros.nodes`` and its topics, relative to the namespace."""

    name: str
    process: str
    target: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


NODES = (
    NodeSpec(
        "lane_object",
        "perception",
        "lane_object:LaneObjectNode",
        ("camera/image", "camera/image/compressed", "camera/camera_info", "vehicle/odometry"),
        ("lanes", "detections", "perception/overlay/compressed", FRAMES),
    ),
    NodeSpec(
        "radar",
        "tracking",
        "radar:RadarNode",
        (*RADAR_TOPICS, *VEHICLE),
        ("radar/targets", FRAMES),
    ),
    NodeSpec("ultrasonic", "tracking", "ultrasonic:UltrasonicNode", ULTRASONIC_TOPICS, ("parking/echoes", FRAMES)),
    NodeSpec(
        "fusion",
        "tracking",
        "fusion:FusionNode",
        ("radar/targets", "detections", "camera/camera_info", *VEHICLE),
        ("objects", "objects/markers"),
    ),
    NodeSpec(
        "aeb",
        "driving",
        "driving:AebNode",
        ("objects", "lanes", "parking/echoes", "vehicle/friction", *VEHICLE),
        ("aeb/request", "aeb/state"),
    ),
    NodeSpec(
        "acc", "driving", "driving:AccNode", ("objects", "lanes", *VEHICLE), ("acc/request", "acc/state")
    ),
    NodeSpec(
        "lka",
        "driving",
        "driving:LkaNode",
        ("objects", "lanes", "safety/state", *VEHICLE),
        ("lka/request", "lka/state"),
    ),
    NodeSpec("bsd", "comfort", "comfort:BsdNode", ("objects", "radar/targets", "lanes", *VEHICLE), ("bsd/state",)),
    NodeSpec(
        "apa",
        "comfort",
        "comfort:ApaNode",
        ("parking/echoes", *VEHICLE),
        ("apa/request", "apa/state", "parking/slots", "parking/path"),
    ),
    NodeSpec(
        "safety_monitor",
        "safety",
        "safety_monitor:SafetyMonitorNode",
        (*REQUESTS, *STATES, "heartbeat", "lanes", "radar/targets", "parking/echoes", *VEHICLE),
        ("command", "safety/state", "/diagnostics"),
    ),
    NodeSpec(
        "can_bridge",
        "can",
        "can_bridge:CanBridgeNode",
        ("command", "safety/state", *STATES),
        VEHICLE,
    ),
)
# These run beside the stack, as the car behind the bus: the simulated one, and CARLA's. No parts of the stack.
SIM_VEHICLE = "sim_vehicle"
CARLA_ADAPTER = "carla_adapter"
PROCESSES = tuple(dict.fromkeys(node.process for node in NODES))
# Nothing reaches the actuators but through these.
LAST_METRES = ("safety", "can")


def nodes_of(process: str) -> tuple[NodeSpec, ...]:
    """Return the nodes that run in one process."""
    return tuple(node for node in NODES if node.process == process)
