"""The executor of the nodes: it does what rclpy's own does, for entities that come and go too."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.clock import Clock, ClockType  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter_client import AsyncParameterClient  # noqa: E402
from rclpy.task import Future  # noqa: E402
from std_msgs.msg import Int32  # noqa: E402

from adas_perception.ros.executor import SteadyExecutor  # noqa: E402
from adas_perception.ros.node import AdasNode  # noqa: E402


class Bench:
    """A node in the executor under test; a steady timer ends what takes too long."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("bench", context=self.context)
        self.executor = SteadyExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.end = Future()

    def every(self, period_s: float, call) -> object:  # type: ignore[no-untyped-def]
        return self.node.create_timer(period_s, call, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def spin(self, limit_s: float = 10.0) -> bool:
        """Return whether the end came within the limit."""
        given_up = time.monotonic() + limit_s
        watch = self.every(0.2, lambda: time.monotonic() > given_up and self.end.set_result(False))
        self.executor.spin_until_future_complete(self.end)
        self.node.destroy_timer(watch)
        return self.end.result() is not False

    def done(self) -> None:
        if not self.end.done():
            self.end.set_result(True)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = Bench()
    yield made
    made.node.destroy_node()
    rclpy.try_shutdown(context=made.context)


def test_messages_arrive_in_order_at_topics_made_while_it_spins(bench: Bench) -> None:
    heard: list[int] = []

    def hear(message: Int32) -> None:
        heard.append(message.data)
        if len(heard) == 20:
            bench.done()

    def begin() -> None:
        first.cancel()
        bench.node.create_subscription(Int32, "late", hear, 50)
        publisher = bench.node.create_publisher(Int32, "late", 50)
        numbers = iter(range(1000))
        bench.every(0.01, lambda: publisher.get_subscription_count() and publisher.publish(Int32(data=next(numbers))))

    first = bench.every(0.05, begin)
    assert bench.spin()
    assert heard == list(range(20))


def test_a_cancelled_timer_is_silent_until_it_is_reset(bench: Bench) -> None:
    calls: list[float] = []
    timer = bench.every(0.02, lambda: (calls.append(time.monotonic()), timer.cancel()))
    again = bench.every(0.3, lambda: (timer.reset(), again.cancel()))
    bench.every(0.8, bench.done)
    assert bench.spin()
    assert len(calls) == 2


def test_a_destroyed_subscription_is_silent(bench: Bench) -> None:
    heard: list[int] = []
    publisher = bench.node.create_publisher(Int32, "topic", 10)
    topic = bench.node.create_subscription(Int32, "topic", lambda m: heard.append(m.data), 10)
    bench.every(0.01, lambda: publisher.publish(Int32(data=len(heard))))
    until: list[int] = []
    once = bench.every(0.5, lambda: (bench.node.destroy_subscription(topic), once.cancel(), until.append(len(heard))))
    bench.every(1.0, bench.done)
    assert bench.spin()
    assert until[0] > 0 and len(heard) <= until[0] + 1


def test_parameters_are_served_and_asked_for(bench: Bench) -> None:
    bench.node.declare_parameter("speed", 7)
    client = AsyncParameterClient(bench.node, "bench")
    answers: list[int] = []

    def answered(future: Future) -> None:
        answers.append(future.result().values[0].integer_value)
        bench.done()

    def ask() -> None:
        if client.services_are_ready():
            asking.cancel()
            client.get_parameters(["speed"], answered)

    asking = bench.every(0.05, ask)
    assert bench.spin()
    assert answers == [7]


def test_a_callback_that_raises_ends_the_spinning(bench: Bench) -> None:
    def fail() -> None:
        raise KeyError("no such thing")

    bench.every(0.01, fail)
    with pytest.raises(KeyError, match="no such thing"):
        bench.spin()


def test_a_context_that_shuts_down_ends_the_spinning(bench: Bench) -> None:
    bench.every(0.05, lambda: bench.context.ok() and rclpy.shutdown(context=bench.context))
    began = time.monotonic()
    bench.executor.spin_until_future_complete(bench.end)
    assert time.monotonic() - began < 5.0 and not bench.end.done()


def test_what_follows_data_steps_once_for_it_and_by_itself_when_it_ends(bench: Bench) -> None:
    steps: list[int] = []
    data: list[int] = []
    bench.node.now_ns = lambda: 0  # type: ignore[attr-defined]
    step_now = AdasNode.follow(bench.node, 0.05, steps.append)  # type: ignore[arg-type]
    source = bench.every(0.05, lambda: (data.append(0), step_now()))
    counted: list[int] = []
    pause = bench.every(1.5, lambda: (source.cancel(), pause.cancel(), counted.append(len(steps))))
    bench.every(2.5, bench.done)
    assert bench.spin()
    assert counted[0] - len(data) < len(data) / 4  # a busy computer may be late once
    assert len(steps) - counted[0] >= 5
