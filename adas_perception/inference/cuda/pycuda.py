"""CUDA through pycuda, the tutorial's choice on a Jetson.

The primary context (``autoprimaryctx``) is the one that the CUDA runtime and torch use too; unlike
them pycuda wants it pushed in every thread. It offers no graphs.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from adas_perception.inference.backend import BackendUnavailableError
from adas_perception.inference.cuda import CudaError, Device, raise_for

T = TypeVar("T")
# What pycuda's text says for the codes that raise_for tells apart.
_CODES = {"out of memory": 2, "ECC": 214, "illegal memory access": 700, "launch failed": 719}
_UNKNOWN = 30


class PyCuda:
    """The first GPU through pycuda.driver; its objects are kept here, the handles are their integers."""

    name = "pycuda"

    def __init__(self) -> None:
        try:
            import pycuda.autoprimaryctx as context
            import pycuda.driver as driver
        except ImportError:
            raise BackendUnavailableError("the package pycuda is not installed") from None
        except Exception as error:  # without a GPU the import itself raises pycuda's own error
            raise BackendUnavailableError(f"pycuda finds no CUDA device ({error})") from None
        self._driver, self._context = driver, context.context
        self._entered = threading.local()
        self._entered.here = True  # the import has pushed the context in this thread
        self._kept: dict[int, Any] = {}
        device = context.device
        major, minor = device.compute_capability()
        integrated = bool(device.get_attribute(driver.device_attribute.INTEGRATED))
        self.device = Device(device.name(), f"{major}.{minor}", str(driver.get_driver_version()), integrated)

    def _call(self, what: str, action: Callable[[], T]) -> T:
        if not getattr(self._entered, "here", False):
            self._context.push()
            self._entered.here = True
        try:
            return action()
        except self._driver.Error as error:
            code = next((code for text, code in _CODES.items() if text in str(error)), _UNKNOWN)
            raise_for(what, code, str(error))
            raise

    def _keep(self, key: int, kept: Any) -> int:
        self._kept[key] = kept
        return key

    def stream(self, priority: int = 0) -> int:
        del priority  # pycuda's streams have none
        made = self._call("Stream", self._driver.Stream)
        return self._keep(int(made.handle), made)

    def free_stream(self, stream: int) -> None:
        del self._kept[stream]

    def wait(self, stream: int) -> None:
        self._call("Stream.synchronize", self._kept[stream].synchronize)

    def device_memory(self, size: int) -> int:
        made = self._call("mem_alloc", lambda: self._driver.mem_alloc(size))
        return self._keep(int(made), made)

    def free_device_memory(self, address: int) -> None:
        self._call("DeviceAllocation.free", self._kept.pop(address).free)

    def host_memory(self, size: int) -> int:
        flags = self._driver.host_alloc_flags.DEVICEMAP
        made = self._call("pagelocked_empty", lambda: self._driver.pagelocked_empty(size, np.uint8, mem_flags=flags))
        return self._keep(int(made.ctypes.data), made)

    def free_host_memory(self, address: int) -> None:
        self._call("HostAllocation.free", self._kept.pop(address).base.free)

    def device_address(self, host: int) -> int:
        return int(self._call("get_device_pointer", self._kept[host].base.get_device_pointer))

    def to_device(self, device: int, host: int, size: int, stream: int) -> None:
        source, queue = _at(host, size), self._kept[stream]
        self._call("memcpy_htod_async", lambda: self._driver.memcpy_htod_async(device, source, queue))

    def to_host(self, host: int, device: int, size: int, stream: int) -> None:
        target, queue = _at(host, size), self._kept[stream]
        self._call("memcpy_dtoh_async", lambda: self._driver.memcpy_dtoh_async(target, device, queue))

    def begin_capture(self, stream: int) -> None:
        raise CudaError("pycuda has no CUDA graphs")

    def end_capture(self, stream: int) -> int:
        raise CudaError("pycuda has no CUDA graphs")

    def abort_capture(self, stream: int) -> None:
        """Nothing was begun."""

    def launch_graph(self, graph: int, stream: int) -> None:
        raise CudaError("pycuda has no CUDA graphs")

    def free_graph(self, graph: int) -> None:
        """Nothing was made."""

    def event(self) -> int:
        made = self._call("Event", self._driver.Event)
        return self._keep(id(made), made)

    def record(self, event: int, stream: int) -> None:
        self._call("Event.record", lambda: self._kept[event].record(self._kept[stream]))

    def elapsed_ms(self, begin: int, end: int) -> float:
        self._call("Event.synchronize", self._kept[end].synchronize)
        return float(self._call("Event.time_since", lambda: self._kept[end].time_since(self._kept[begin])))

    def free_event(self, event: int) -> None:
        del self._kept[event]

    def memory_info(self) -> tuple[int, int]:
        free, total = self._call("mem_get_info", self._driver.mem_get_info)
        return int(free), int(total)


def _at(address: int, size: int) -> Any:
    """Return the memory at ``address`` as a buffer."""
    return (ctypes.c_char * size).from_address(address)
