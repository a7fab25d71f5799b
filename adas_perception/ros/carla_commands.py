"""Commands to CARLA as ROS messages, by either of its two doors; ``carla_msgs`` is imported here and nowhere else."""

from __future__ import annotations

from typing import Any, Protocol

from ackermann_msgs.msg import AckermannDrive
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from adas_perception.carla import signs
from adas_perception.carla.control import PedalParams, Pedals, Wanted, ackermann
from adas_perception.params import ParameterError
from adas_perception.ros import convert
from adas_perception.types import EgoState

ACKERMANN, VEHICLE = "ackermann", "vehicle"


class Commands(Protocol):
    """A door to the car: what it is to do goes in; ``steering_rad`` is the measured road-wheel angle, if told."""

    steering_rad: float | None

    def send(self, want: Wanted, ego: EgoState, dt_s: float) -> None:
        """Send the command of now."""


class AckermannCommands:
    """To the node carla_ackermann_control of the bridge, which works the pedals."""

    steering_rad: float | None = None

    def __init__(self, node: Node, role: str) -> None:
        self._publisher = node.create_publisher(AckermannDrive, f"/carla/{role}/ackermann_cmd", 10)

    def send(self, want: Wanted, ego: EgoState, dt_s: float) -> None:
        """Send speed, acceleration and angle; the message has no stamp."""
        command = ackermann(want, ego)
        self._publisher.publish(
            AckermannDrive(
                speed=command.speed_mps, acceleration=command.accel_mps2, steering_angle=command.steering_rad
            )
        )


class VehicleCommands:
    """Pedals and wheel straight to the vehicle; the bridge also tells its largest and its present angle."""

    def __init__(self, node: Node, role: str, params: PedalParams) -> None:
        messages = carla_messages()
        self.steering_rad: float | None = None
        self._steering_max_rad = params.steering_max_rad
        self._pedals = Pedals(params)
        self._control = messages.CarlaEgoVehicleControl
        self._publisher = node.create_publisher(self._control, f"/carla/{role}/vehicle_control_cmd", 10)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(messages.CarlaEgoVehicleInfo, f"/carla/{role}/vehicle_info", self._on_info, latched)
        status = f"/carla/{role}/vehicle_status"
        node.create_subscription(messages.CarlaEgoVehicleStatus, status, self._on_status, 10)

    def _on_info(self, message: Any) -> None:
        largest = max((float(wheel.max_steer_angle) for wheel in message.wheels), default=0.0)
        self._steering_max_rad = largest if 0.2 < largest < 1.6 else self._steering_max_rad

    def _on_status(self, message: Any) -> None:
        self.steering_rad = signs.steering_rad(float(message.control.steer), self._steering_max_rad)

    def send(self, want: Wanted, ego: EgoState, dt_s: float) -> None:
        """Send throttle, brake and steer."""
        controls = self._pedals.step(want, ego, dt_s, self._steering_max_rad)
        message = self._control()
        message.header.stamp = convert.to_stamp(ego.stamp_ns)
        message.throttle, message.brake, message.steer = controls.throttle, controls.brake, controls.steer
        message.hand_brake, message.reverse = controls.hand_brake, controls.reverse
        self._publisher.publish(message)


def carla_messages() -> Any:
    """Return the module carla_msgs.msg; raises ParameterError with the remedy when it is not installed."""
    try:
        from carla_msgs import msg
    except ImportError:
        raise ParameterError(
            "control 'vehicle' needs the package carla_msgs, which is not installed: build "
            "github.com/carla-simulator/ros-carla-msgs in your workspace, or use control:=ackermann with the bridge"
        ) from None
    return msg


def open_commands(node: Node, interface: str, control: str, role: str, pedals: PedalParams) -> Commands:
    """Open the door that was asked for; raises ParameterError when this interface has no such door."""
    if control == VEHICLE:
        return VehicleCommands(node, role, pedals)
    if interface == "native":
        raise ParameterError(
            "control 'ackermann' needs the CARLA ROS bridge and its node carla_ackermann_control; "
            "the native interface takes control:=vehicle only"
        )
    return AckermannCommands(node, role)
