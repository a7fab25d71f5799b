"""The Python packages of CUDA as modules that are none: cuda-python and pycuda, over plain memory."""

from __future__ import annotations

import ctypes
import sys
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any


class Error(IntEnum):
    cudaSuccess = 0  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815
    cudaErrorNoDevice = 100  # noqa: N815
    cudaErrorIllegalAddress = 700  # noqa: N815


class FakeRuntime(ModuleType):
    """``cuda.bindings.runtime``: every function returns a tuple that begins with its error."""

    cudaStreamNonBlocking, cudaHostAllocMapped = 1, 2  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, devices: int = 1) -> None:
        super().__init__("cuda.bindings.runtime")
        self.devices, self.fails = devices, 0
        self.kept: dict[int, Any] = {}

    def _make(self, size: int = 1) -> int:
        buffer = ctypes.create_string_buffer(size)
        self.kept[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> tuple[Any, ...]:
            if self.fails:
                code, self.fails = self.fails, 0
                return (Error(code), 0)
            return (Error(0), *self._results(name, arguments))

        if not name.startswith("cuda"):
            raise AttributeError(name)
        return call

    def _results(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        if name in ("cudaStreamCreateWithPriority", "cudaEventCreate", "cudaStreamEndCapture", "cudaGraphInstantiate"):
            return (self._make(),)
        if name in ("cudaMalloc", "cudaHostAlloc"):
            return (self._make(arguments[0]),)
        if name.endswith(("Destroy", "Free", "FreeHost")):
            del self.kept[int(arguments[0])]
        if name == "cudaMemcpyAsync":
            ctypes.memmove(arguments[0], arguments[1], arguments[2])
        about = SimpleNamespace(name=b"Fake Orin\0\0", major=8, minor=7, integrated=1)
        fixed = {
            "cudaGetDeviceCount": (self.devices,),
            "cudaGetDeviceProperties": (about,),
            "cudaDriverGetVersion": (12060,),
            "cudaHostGetDevicePointer": arguments[:1],
            "cudaEventElapsedTime": (1.5,),
            "cudaMemGetInfo": (1000, 2000),
        }
        return fixed.get(name, ())


class DriverError(Exception):
    """``pycuda.driver.Error``."""


class _Allocation:
    def __init__(self, size: int) -> None:
        self.buffer = ctypes.create_string_buffer(size)
        self.freed = False

    def __int__(self) -> int:
        return ctypes.addressof(self.buffer)

    def free(self) -> None:
        self.freed = True

    def get_device_pointer(self) -> int:
        return int(self)


class _Stream:
    def __init__(self) -> None:
        self.handle = id(self)

    def synchronize(self) -> None:
        """Everything is done at once."""


class _Event:
    def record(self, stream: _Stream) -> None:
        """Nothing takes time."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def time_since(self, other: _Event) -> float:
        return 1.5


class FakeDriver(ModuleType):
    """``pycuda.driver``; ``fails`` is the text of the error that the next allocation raises."""

    Error, Stream, Event = DriverError, _Stream, _Event
    host_alloc_flags = SimpleNamespace(DEVICEMAP=2)
    device_attribute = SimpleNamespace(INTEGRATED=18)

    def __init__(self) -> None:
        super().__init__("pycuda.driver")
        self.fails, self.pinned = "", []

    def get_driver_version(self) -> int:
        return 12060

    def mem_alloc(self, size: int) -> _Allocation:
        if self.fails:
            raise DriverError(self.fails)
        return _Allocation(size)

    def pagelocked_empty(self, size: int, dtype: Any, mem_flags: int) -> Any:
        base = _Allocation(size)
        self.pinned.append(base)
        pointer = SimpleNamespace(data=int(base))
        return SimpleNamespace(ctypes=pointer, base=base)

    def memcpy_htod_async(self, device: int, source: Any, stream: _Stream) -> None:
        ctypes.memmove(device, source, len(source))

    def memcpy_dtoh_async(self, target: Any, device: int, stream: _Stream) -> None:
        ctypes.memmove(target, device, len(target))

    def mem_get_info(self) -> tuple[int, int]:
        return 1000, 2000


def install_cuda_python(monkeypatch: Any, runtime: FakeRuntime) -> None:
    """Make ``from cuda.bindings import runtime`` give this one."""
    bindings = ModuleType("cuda.bindings")
    bindings.runtime = runtime
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)


def install_pycuda(monkeypatch: Any, driver: FakeDriver) -> list[str]:
    """Make pycuda importable; returns the list of context pushes."""
    pushes: list[str] = []
    package, context = ModuleType("pycuda"), ModuleType("pycuda.autoprimaryctx")
    context.device = SimpleNamespace(
        name=lambda: "Fake Orin", compute_capability=lambda: (8, 7), get_attribute=lambda attribute: 1
    )
    context.context = SimpleNamespace(push=lambda: pushes.append("push"))
    package.driver, package.autoprimaryctx = driver, context
    for name, module in (("pycuda", package), ("pycuda.driver", driver), ("pycuda.autoprimaryctx", context)):
        monkeypatch.setitem(sys.modules, name, module)
    return pushes
