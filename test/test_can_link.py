"""A bus that is lost, full, off, or whose sender hangs: what is done, and that it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import can
import pytest

from adas_perception.can.bus import BusError, Port, free_port, loopback_server, open_bus
from adas_perception.can.codec import Frame
from adas_perception.can.link import Link, LinkConfig, Spacing
from adas_perception.can.log import FrameLog, LogError, read_log
from adas_perception.can.watchdog import REGULAR_KICKS, Watchdog

MS = 1_000_000
FRAME = Frame(0xC0, bytes(8))


class FakePort(Port):
    """A port on which the test may lay hands."""

    def __init__(self) -> None:
        self.sent = self.dropped = 0
        self.full = self.gone = self.closed = self.flushed = False

    def send(self, frame: Frame) -> bool:
        return not self.full

    def receive(self, timeout_s: float) -> Frame | None:
        if self.gone:
            raise BusError("CAN bus x is gone")
        return FRAME

    def flush(self) -> None:
        self.flushed = True

    def close(self) -> None:
        self.closed = True


class World:
    """A clock that only sleeping moves, and ports that can be had or not."""

    def __init__(self) -> None:
        self.now = 10_000 * MS
        self.there = True
        self.ports: list[FakePort] = []
        self.tries: list[int] = []

    def open(self) -> Port:
        self.tries.append(self.now // MS)
        if not self.there:
            raise BusError("no CAN server answers")
        self.ports.append(FakePort())
        return self.ports[-1]

    def sleep(self, duration_s: float) -> None:
        self.now += round(duration_s * 1e9)

    def link(self) -> Link:
        return Link(self.open, LinkConfig(), lambda: self.now, self.sleep)


@pytest.fixture
def world() -> World:
    return World()


def spin(link: Link, world: World, until_ms: float) -> list[Frame]:
    end, frames = world.now + until_ms * MS, []
    while world.now < end:
        frame = link.receive(0.1)
        if frame is not None:
            frames.append(frame)
            world.sleep(0.02)
    return frames


def test_a_bus_that_is_not_there_at_the_start_is_an_error(world: World) -> None:
    world.there = False
    with pytest.raises(BusError, match="no CAN server"):
        world.link()


def test_a_lost_bus_is_silent_and_opened_again(world: World) -> None:
    link = world.link()
    assert link.send(FRAME, world.now) and link.receive(0.1) == FRAME and not link.fault
    world.ports[0].gone = True
    assert link.receive(0.1) is None
    assert link.fault == "CAN bus x is gone"
    assert not link.send(FRAME, world.now)
    assert (link.sent, link.dropped, link.outages) == (1, 1, 0)
    spin(link, world, 200)
    assert world.ports[0].closed and not world.ports[1].closed
    assert link.send(FRAME, world.now) and not link.fault
    assert (link.outages, link.last_outage_s) == (1, pytest.approx(0.1))


def test_the_wait_doubles_up_to_its_limit(world: World) -> None:
    link = world.link()
    world.there, world.ports[0].gone = False, True
    spin(link, world, 9000)
    waits = [later - earlier for earlier, later in zip(world.tries[1:], world.tries[2:], strict=False)]
    assert waits[:6] == [200, 400, 800, 1600, 2000, 2000]
    assert link.fault == "no CAN server answers"
    world.there = True
    assert spin(link, world, 2100)
    assert link.last_outage_s == pytest.approx(world.ports and (world.tries[-1] - 10_000) / 1e3)


def test_a_bus_that_fails_as_soon_as_it_is_open_is_not_opened_in_a_rush(world: World) -> None:
    link = world.link()
    tries = len(world.tries)
    for _ in range(100):
        world.ports[-1].gone = True
        link.receive(0.1)
    assert len(world.tries) - tries < 10


def test_after_a_stable_time_the_wait_starts_over(world: World) -> None:
    link = world.link()
    for _ in range(3):
        spin(link, world, 1500)
        world.ports[-1].gone = True
        lost = world.now
        link.receive(0.1)
        spin(link, world, 500)
        assert world.tries[-1] - lost // MS == 100


def test_one_full_queue_costs_a_frame_and_a_lasting_one_opens_the_bus_anew(world: World) -> None:
    link = world.link()
    world.ports[0].full = True
    assert not any(link.send(FRAME, world.now) for _ in range(24))
    assert not link.fault
    world.ports[0].full = False
    assert link.send(FRAME, world.now)
    world.ports[0].full = True
    assert not any(link.send(FRAME, world.now) for _ in range(25))
    assert link.fault == "the bus took none of the last 25 frames"
    spin(link, world, 300)
    assert link.send(FRAME, world.now) and link.outages == 1


@pytest.mark.parametrize(("age_ms", "sent"), [(0, True), (50, True), (50.001, False), (-1, False)])
def test_a_frame_that_waited_in_the_process_is_not_sent(world: World, age_ms: float, sent: bool) -> None:
    assert world.link().send(FRAME, world.now - round(age_ms * MS)) is sent


def test_muted_it_sends_nothing_and_goes_on_receiving(world: World) -> None:
    link = world.link()
    link.mute("hung")
    assert world.ports[0].flushed and link.fault == "hung"
    assert not link.send(FRAME, world.now)
    assert link.receive(0.1) == FRAME
    link.unmute()
    assert link.send(FRAME, world.now) and not link.fault


def test_closing_closes_the_lost_bus_too(world: World) -> None:
    link = world.link()
    world.ports[0].gone = True
    link.receive(0.1)
    link.close()
    assert world.ports[0].closed


# --- a real bus --------------------------------------------------------------------------------------------------


class ErrorBus(can.BusABC):
    """A controller that tells of its errors."""

    channel_info = "can0"

    def __init__(self, message: can.Message | None, state: can.BusState = can.BusState.ACTIVE) -> None:
        super().__init__(channel="can0")
        self._message, self._state = message, state

    @property
    def state(self) -> can.BusState:
        return self._state

    def recv(self, timeout: float | None = None) -> can.Message | None:
        return self._message

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        pass


BUS_OFF = can.Message(arbitration_id=0x40, is_error_frame=True, is_extended_id=False)
WARNING = can.Message(arbitration_id=0x04, is_error_frame=True, is_extended_id=False)


@pytest.mark.parametrize(
    ("message", "state", "off"),
    [
        (BUS_OFF, can.BusState.ACTIVE, True),
        (WARNING, can.BusState.ACTIVE, False),
        (None, can.BusState.ERROR, True),
        (None, can.BusState.PASSIVE, False),
        (None, can.BusState.ACTIVE, False),
    ],
)
def test_bus_off_is_a_lost_bus(message: can.Message | None, state: can.BusState, off: bool) -> None:
    port = Port(ErrorBus(message, state))
    if off:
        with pytest.raises(BusError, match="is off after too many errors; check wiring and bit rate"):
            port.receive(0.0)
    else:
        assert port.receive(0.0) is None
    assert port.send(FRAME) is not off
    port.close()


def test_a_server_that_dies_and_returns_is_found_again() -> None:
    pytest.importorskip("can_remote", reason="needs the package python-can-remote")
    number = free_port()
    with loopback_server(number) as channel:
        link = Link(lambda: Port(open_bus("remote", channel)))
        assert link.send(FRAME, time.monotonic_ns())
    deadline = time.monotonic() + 10.0
    while not link.fault and time.monotonic() < deadline:
        link.receive(0.05)
    assert "gone" in link.fault
    assert not link.send(FRAME, time.monotonic_ns())
    with loopback_server(number) as channel:
        while link.fault and time.monotonic() < deadline:
            link.receive(0.05)
        assert not link.fault, link.fault
        other = Port(open_bus("remote", channel))
        assert link.send(FRAME, time.monotonic_ns())
        assert other.receive(5.0) == FRAME
        other.close()
        link.close()


@pytest.mark.parametrize("fd", [False, True])
def test_can_fd_is_optional(fd: bool) -> None:
    bus = open_bus("virtual", "fd", data_bitrate=2_000_000 if fd else 0)
    left, raw = Port(bus, fd), can.Bus(interface="virtual", channel="fd")
    right = Port(raw, fd=True)
    assert left.send(Frame(1, bytes(12))) is fd
    left.send(FRAME)
    frames = [right.receive(0.1) for _ in range(2)]
    assert [len(f.data) for f in frames if f] == ([12, 8] if fd else [8])
    left.close()
    right.close()


# --- the watchdog ------------------------------------------------------------------------------------------------


@pytest.fixture
def watched() -> Iterator[tuple[Watchdog, list[str]]]:
    said: list[str] = []
    yield Watchdog(0.1, lambda age: said.append(f"hung {age:.3f}"), lambda: said.append("back")), said


def test_the_watchdog_is_armed_by_the_first_kick(watched: tuple[Watchdog, list[str]]) -> None:
    dog, said = watched
    dog.check(10_000 * MS)
    assert said == []


def test_a_hang_is_told_once_and_the_return_after_regular_kicks(watched: tuple[Watchdog, list[str]]) -> None:
    dog, said = watched
    dog.kick(0)
    dog.check(100 * MS)
    assert said == []
    dog.check(101 * MS)
    dog.check(150 * MS)
    assert said == ["hung 0.101"]
    for kick in range(REGULAR_KICKS):
        dog.kick((200 + 20 * kick) * MS)
        dog.check((200 + 20 * kick) * MS)
    assert said == ["hung 0.101"] and dog.hung
    dog.kick(300 * MS)
    dog.check(300 * MS)
    assert said == ["hung 0.101", "back"] and not dog.hung and dog.hangs == 1


def test_a_gap_between_kicks_starts_the_count_anew(watched: tuple[Watchdog, list[str]]) -> None:
    dog, said = watched
    dog.kick(0)
    dog.check(200 * MS)
    for kick in range(20):
        dog.kick((300 + 101 * kick) * MS)
        dog.check((300 + 101 * kick) * MS)
    assert said == ["hung 0.200"]


def test_the_thread_finds_a_loop_that_hangs() -> None:
    hung, back = threading.Event(), threading.Event()
    dog = Watchdog(0.05, lambda age: hung.set(), back.set)
    dog.start()
    dog.kick(time.monotonic_ns())
    assert hung.wait(5.0)
    deadline = time.monotonic() + 5.0
    while not back.wait(0.01) and time.monotonic() < deadline:
        dog.kick(time.monotonic_ns())
    assert back.is_set()
    dog.stop()


def test_spacing() -> None:
    spacing = Spacing(5 * MS)
    assert spacing.free(0)
    spacing.sent(10 * MS)
    assert [spacing.free(t * MS) for t in (10, 14, 15, 16)] == [False, False, True, True]


# --- logs --------------------------------------------------------------------------------------------------------

FRAMES = [Frame(0x100 + i, bytes([i] * (i % 9))) for i in range(50)]


@pytest.mark.parametrize("suffix", ["log", "asc", "blf", "mf4", "csv", "trc", "db"])
def test_what_passes_a_bus_is_read_back_from_its_log(tmp_path: Path, suffix: str) -> None:
    if suffix == "mf4":
        pytest.importorskip("asammdf", reason="needs the package asammdf: pip install python-can[mf4]")
    path = tmp_path / f"bus.{suffix}"
    log = FrameLog(path)
    left = Port(can.Bus(interface="virtual", channel=suffix), log=log)
    right = Port(can.Bus(interface="virtual", channel=suffix))
    for index, frame in enumerate(FRAMES):
        (left if index % 2 else right).send(frame)
        (right if index % 2 else left).receive(1.0)
    left.close()
    right.close()
    log.close()
    read = list(read_log(path))
    assert log.lost == 0
    assert [entry.frame for entry in read] == FRAMES
    assert all(later.stamp_ns >= earlier.stamp_ns for earlier, later in zip(read, read[1:], strict=False))


def test_a_log_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"bus.xyz: cannot be written .*known kinds: .*\.asc .*\.blf"):
        FrameLog(tmp_path / "bus.xyz")
    with pytest.raises(LogError, match="cannot be written"):
        FrameLog(tmp_path / "nowhere" / "bus.log")


def test_a_log_that_is_closed_stops_nothing(tmp_path: Path) -> None:
    log = FrameLog(tmp_path / "bus.log")
    log.close()
    log.write(can.Message(arbitration_id=1), received=True)
    assert log.lost == 1


def test_a_log_that_is_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere.log: no such file"):
        list(read_log(tmp_path / "nowhere.log"))
    broken = tmp_path / "broken.blf"
    broken.write_bytes(b"nonsense" * 40)
    with pytest.raises(LogError, match="broken.blf: not a readable bus log"):
        list(read_log(broken))
