"""A GPU that is none: moves bytes as a real one would, late and strictly, and can be told to fail."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from adas_perception.inference.cuda import CudaError, Device, DeviceMemoryError

DEVICE_BASE = 1 << 40
FRESH_HOST, FRESH_DEVICE = 0xAB, 0xCD


class FakeCuda:
    """Asynchronous: nothing on a stream happens before somebody waits for it.

    Every copy is checked against the ends of its buffers, fresh memory is full of rubbish, and a wait inside a
    capture is refused, as CUDA does. ``fail`` makes the next call of that name raise.
    """

    name = "fake"

    def __init__(self, *, integrated: bool = False, memory: int = 1 << 30, graphs: bool = True) -> None:
        self.device = Device("Fake GPU", "8.7", "12060", integrated)
        self.total, self.graphs = memory, graphs
        self.host: dict[int, ctypes.Array] = {}
        self.memory: dict[int, bytearray] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.priorities: list[int] = []
        self.recorded: dict[int, list[Callable[[], None]]] = {}
        self.capturing: int | None = None
        self.events: dict[int, float] = {}
        self.fails: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.copied = 0
        self.clock_ms = 0.0
        self._handle = 100

    def fail(self, call: str, error: Exception | None = None) -> None:
        self.fails[call] = error or CudaError(f"{call}: told to fail")

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        if call in self.fails:
            raise self.fails.pop(call)

    def _new(self) -> int:
        self._handle += 1
        return self._handle

    # --- streams ---

    def stream(self, priority: int = 0) -> int:
        self._enter("stream")
        self.priorities.append(priority)
        handle = self._new()
        self.streams[handle] = []
        return handle

    def free_stream(self, stream: int) -> None:
        del self.streams[stream]

    def put(self, stream: int, work: Callable[[], None]) -> None:
        self.streams[stream].append(work)

    def wait(self, stream: int) -> None:
        self._enter("wait")
        if self.capturing == stream:
            raise CudaError("cudaStreamSynchronize: operation not permitted when stream is capturing")
        queue, self.streams[stream] = self.streams[stream], []
        for work in queue:
            work()
            self.clock_ms += 1.0

    # --- memory ---

    def used(self) -> int:
        return sum(map(len, self.memory.values()))

    def device_memory(self, size: int) -> int:
        self._enter("device_memory")
        if self.used() + size > self.total:
            raise DeviceMemoryError("cudaMalloc: out of memory (CUDA error 2)")
        address = DEVICE_BASE + (self._new() << 24)
        self.memory[address] = bytearray([FRESH_DEVICE]) * size
        return address

    def free_device_memory(self, address: int) -> None:
        del self.memory[address]

    def host_memory(self, size: int) -> int:
        self._enter("host_memory")
        buffer = (ctypes.c_ubyte * size)(*([FRESH_HOST] * size))
        self.host[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def free_host_memory(self, address: int) -> None:
        del self.host[address]

    def device_address(self, host: int) -> int:
        assert host in self.host
        return host

    def to_device(self, device: int, host: int, size: int, stream: int) -> None:
        self._enter("to_device")
        self._check(device, host, size)

        def work() -> None:
            self.memory[device][:size] = bytes(self.host[host])[:size]
            self.copied += size

        self.put(stream, work)

    def to_host(self, host: int, device: int, size: int, stream: int) -> None:
        self._enter("to_host")
        self._check(device, host, size)

        def work() -> None:
            ctypes.memmove(host, bytes(self.memory[device][:size]), size)
            self.copied += size

        self.put(stream, work)

    def _check(self, device: int, host: int, size: int) -> None:
        assert size <= len(self.memory[device]), "copy past the end of device memory"
        assert size <= len(self.host[host]), "copy past the end of host memory"

    def bytes_at(self, address: int) -> bytes:
        return bytes(self.memory[address]) if address in self.memory else bytes(self.host[address])

    def write_at(self, address: int, data: bytes) -> None:
        if address in self.memory:
            self.memory[address][: len(data)] = data
        else:
            ctypes.memmove(address, data, len(data))

    # --- graphs ---

    def begin_capture(self, stream: int) -> None:
        self._enter("begin_capture")
        if not self.graphs:
            raise CudaError("no graphs here")
        assert not self.streams[stream], "capture begins on a stream that still has work"
        self.capturing = stream

    def end_capture(self, stream: int) -> int:
        self._enter("end_capture")
        self.capturing = None
        handle = self._new()
        self.recorded[handle], self.streams[stream] = self.streams[stream], []
        return handle

    def abort_capture(self, stream: int) -> None:
        self.capturing = None
        self.streams[stream] = []

    def launch_graph(self, graph: int, stream: int) -> None:
        self._enter("launch_graph")
        for work in self.recorded[graph]:
            self.put(stream, work)

    def free_graph(self, graph: int) -> None:
        del self.recorded[graph]

    # --- events ---

    def event(self) -> int:
        handle = self._new()
        self.events[handle] = -1.0
        return handle

    def record(self, event: int, stream: int) -> None:
        def work() -> None:
            self.events[event] = self.clock_ms

        self.put(stream, work)

    def elapsed_ms(self, begin: int, end: int) -> float:
        assert self.events[begin] >= 0.0 and self.events[end] >= 0.0, "an event that never happened"
        return self.events[end] - self.events[begin]

    def free_event(self, event: int) -> None:
        del self.events[event]

    def memory_info(self) -> tuple[int, int]:
        return self.total - self.used(), self.total

    def leaks(self) -> int:
        return len(self.host) + len(self.memory) + len(self.streams) + len(self.recorded) + len(self.events)
