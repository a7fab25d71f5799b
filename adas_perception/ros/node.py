"""What all nodes share: parameters from a dataclass, checked inputs, a heartbeat, a cycle."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future

from adas_perception.limits import Limits, load_limits
from adas_perception.params import NAMESPACE, ParameterError, Params
from adas_perception.resources import config_path
from adas_perception.safety.freshness import Order
from adas_perception.types import Level, seconds

HEARTBEAT_PERIOD_S = 0.1
# Periods after which a step no longer waits for its data.
LATE = 1.5
P = TypeVar("P", bound=Params)
T = TypeVar("T")


def in_order(convert: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return ``convert`` so that it refuses what is not newer than the sample before, of the same sensor.

    The safety monitor refuses the same samples; no function may use what it refuses.
    """
    orders: defaultdict[str, Order] = defaultdict(Order)

    def checked(message: Any) -> T:
        sample: Any = convert(message)
        if not orders[getattr(sample, "sensor", "")].follows(sample.stamp_ns):
            raise ValueError("twice or out of order")
        return cast(T, sample)

    return checked


class Input(Generic[T]):
    """The latest good sample of a topic, and how many bad ones were turned away."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.value: T | None = None
        self.rejected = 0
        self.reason = ""


class AdasNode(Node):
    """Base of all nodes; ``kind`` is the parameter set of its core.

    A node with an end of its own sets ``finished`` to a future and completes it; ``exit_status`` is what the
    process then returns.
    """

    def __init__(self, name: str, kind: type[P]) -> None:
        super().__init__(name, namespace=NAMESPACE)
        self.params: Any = self._declare(kind)
        self.finished: Future | None = None
        self.exit_status = 0
        self.level, self.message = Level.OK, ""
        self.figures: dict[str, float] = {}
        self._inputs: list[Input[Any]] = []
        self._last_cycle_ns = 0
        self._incarnation = f"started {time.time_ns()}"
        self._heartbeat = self.create_publisher(DiagnosticStatus, "heartbeat", 10)
        self.create_timer(HEARTBEAT_PERIOD_S, self._beat)

    def now_ns(self) -> int:
        """Return the ROS time in nanoseconds: the wall's, or that of /clock."""
        return int(self.get_clock().now().nanoseconds)

    def limits(self) -> Limits:
        """Read the actuation limits named by the parameter ``limits_file``."""
        self.declare_parameter("limits_file", "", ParameterDescriptor(description="YAML of limits; empty: shipped"))
        chosen = self.get_parameter("limits_file").value
        return load_limits(Path(chosen) if chosen else config_path("limits.yaml"))

    def listen(
        self,
        topic: str,
        message: type,
        convert: Callable[[Any], T],
        then: Callable[[T], None] | None = None,
        *,
        depth: int = 5,
        reliable: bool = True,
    ) -> Input[T]:
        """Subscribe; each message is converted, kept as the latest sample and handed to ``then``.

        A message that cannot be converted is counted and reported in the heartbeat, and goes no further.
        """
        latest: Input[T] = Input(topic)
        self._inputs.append(latest)

        def receive(raw: Any) -> None:
            try:
                sample = convert(raw)
            except (ValueError, IndexError, KeyError) as error:
                latest.rejected += 1
                latest.reason = str(error)
                self.get_logger().warning(f"{topic}: rejected: {error}", throttle_duration_sec=5.0)
                return
            latest.value = sample
            if then is not None:
                then(sample)

        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.create_subscription(message, topic, receive, QoSProfile(depth=depth, reliability=policy))
        return latest

    def cycle(self, period_s: float, step: Callable[[int], None]) -> Callable[[], None]:
        """Call ``step(now_ns)`` every ``period_s``; the returned function calls it at once.

        The timer leaves out a call soon after one that did not wait for it.
        """

        def run() -> None:
            self._last_cycle_ns = self.now_ns()
            step(self._last_cycle_ns)

        def fill_in() -> None:
            # Negative after the clock stepped back.
            if not 0.0 <= seconds(self.now_ns() - self._last_cycle_ns) < 0.75 * period_s:
                run()

        self.create_timer(period_s, fill_in)
        return run

    def follow(self, period_s: float, step: Callable[[int], None]) -> Callable[[], None]:
        """Return what calls ``step(now_ns)`` when data arrives, which it does every ``period_s``.

        A timer fills in when the data is late: one of the same period would run beside the data, twice the work.
        """

        def run() -> None:
            timer.reset()
            step(self.now_ns())

        timer = self.create_timer(LATE * period_s, run)
        return run

    def say(self, text: str, *, warning: bool) -> None:
        """Log a line; rclpy wants one place in the code for each severity."""
        if warning:
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)

    def _declare(self, kind: type[P]) -> P:
        nested: dict[str, Any] = {}
        for name, default, field in kind().flat():
            value = self._declare_one(name, default, field.metadata)
            *groups, leaf = name.split(".")
            place = nested
            for group in groups:
                place = place.setdefault(group, {})
            place[leaf] = value
        return kind.from_mapping(nested, f"{self.get_name()} parameters")

    def _declare_one(self, name: str, default: Any, about: Any) -> Any:
        unit = f" [{about['unit']}]" if about["unit"] else ""
        descriptor = ParameterDescriptor(description=about["doc"] + unit, read_only=True)
        low, high = about["low"], about["high"]
        if low is not None and high is not None and isinstance(default, int) and not isinstance(default, bool):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        elif low is not None and high is not None and isinstance(default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        start = list(default) if isinstance(default, tuple) else default
        # A whole number in YAML is an integer to ROS; the parameter set turns it into a float.
        descriptor.dynamic_typing = isinstance(default, float)
        try:
            return self.declare_parameter(name, start, descriptor).value
        except ParameterException as error:
            raise ParameterError(f"{self.get_name()}.{name}: {error}") from None

    def _beat(self) -> None:
        rejected = [i for i in self._inputs if i.rejected]
        level = max(self.level, Level.WARN) if rejected else self.level
        values = {**self.figures, **{f"rejected {i.topic}": float(i.rejected) for i in rejected}}
        reasons = [self.message, *(f"{i.topic}: {i.reason}" for i in rejected)]
        self._heartbeat.publish(
            DiagnosticStatus(
                level=bytes([level]),
                name=self.get_name(),
                hardware_id=self._incarnation,
                message="; ".join(r for r in reasons if r) or "ok",
                values=[KeyValue(key=k, value=f"{v:.6g}") for k, v in values.items()],
            )
        )
