"""CUDA through libcudart and ctypes: nothing to install, since every JetPack and every CUDA toolkit has it."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_void_p
from typing import Any

from adas_perception.inference.backend import BackendUnavailableError
from adas_perception.inference.cuda import Device, raise_for

LIBRARIES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12")
# Values of driver_types.h.
_NON_BLOCKING = 1
_HOST_MAPPED = 2
_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2
_CAPTURE_THREAD_LOCAL = 1
_ATTRIBUTE_INTEGRATED, _ATTRIBUTE_MAJOR, _ATTRIBUTE_MINOR = 18, 75, 76
_DEVICE = 0
# cudaDeviceProp begins with the name; its size grows with every release, this is larger than all of them.
_PROPERTIES_SIZE = 4096
_NAME_SIZE = 256

_POINTER = ctypes.POINTER(c_void_p)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cudaGetDeviceCount": (ctypes.POINTER(c_int),),
    "cudaSetDevice": (c_int,),
    "cudaDriverGetVersion": (ctypes.POINTER(c_int),),
    "cudaDeviceGetAttribute": (ctypes.POINTER(c_int), c_int, c_int),
    "cudaGetDeviceProperties": (c_void_p, c_int),
    "cudaStreamCreateWithPriority": (_POINTER, c_uint, c_int),
    "cudaStreamDestroy": (c_void_p,),
    "cudaStreamSynchronize": (c_void_p,),
    "cudaMalloc": (_POINTER, c_size_t),
    "cudaFree": (c_void_p,),
    "cudaHostAlloc": (_POINTER, c_size_t, c_uint),
    "cudaFreeHost": (c_void_p,),
    "cudaHostGetDevicePointer": (_POINTER, c_void_p, c_uint),
    "cudaMemcpyAsync": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "cudaStreamBeginCapture": (c_void_p, c_int),
    "cudaStreamEndCapture": (c_void_p, _POINTER),
    "cudaGraphInstantiateWithFlags": (_POINTER, c_void_p, ctypes.c_ulonglong),
    "cudaGraphLaunch": (c_void_p, c_void_p),
    "cudaGraphDestroy": (c_void_p,),
    "cudaGraphExecDestroy": (c_void_p,),
    "cudaEventCreate": (_POINTER,),
    "cudaEventRecord": (c_void_p, c_void_p),
    "cudaEventSynchronize": (c_void_p,),
    "cudaEventElapsedTime": (ctypes.POINTER(c_float), c_void_p, c_void_p),
    "cudaEventDestroy": (c_void_p,),
    "cudaMemGetInfo": (ctypes.POINTER(c_size_t), ctypes.POINTER(c_size_t)),
}


class CudaRuntime:
    """The first GPU through libcudart."""

    name = "cudart"

    def __init__(self) -> None:
        self._library = _library()
        self._library.cudaGetErrorString.restype = c_char_p
        for function, arguments in _SIGNATURES.items():
            getattr(self._library, function).argtypes = arguments
        count = c_int()
        code = self._library.cudaGetDeviceCount(byref(count))
        if code != 0 or count.value == 0:
            raise BackendUnavailableError(f"there is no CUDA device ({self._reason(code)})")
        self._call("cudaSetDevice", _DEVICE)
        self.device = self._describe()

    def _reason(self, code: int) -> str:
        return bytes(self._library.cudaGetErrorString(c_int(code)) or b"unknown").decode()

    def _call(self, function: str, *arguments: Any) -> None:
        code = getattr(self._library, function)(*arguments)
        if code != 0:
            self._library.cudaGetLastError()  # takes the error back, or the next call would report it again
            raise_for(function, code, self._reason(code))

    def _made(self, function: str, *arguments: Any) -> int:
        """Call a function whose first argument receives what it makes."""
        made = c_void_p()
        self._call(function, byref(made), *arguments)
        return int(made.value or 0)

    def _describe(self) -> Device:
        def attribute(number: int) -> int:
            value = c_int()
            self._call("cudaDeviceGetAttribute", byref(value), number, _DEVICE)
            return value.value

        properties = ctypes.create_string_buffer(_PROPERTIES_SIZE)
        self._call("cudaGetDeviceProperties", properties, _DEVICE)
        driver = c_int()
        self._call("cudaDriverGetVersion", byref(driver))
        name = properties.raw[:_NAME_SIZE].split(b"\0")[0].decode(errors="replace")
        sm = f"{attribute(_ATTRIBUTE_MAJOR)}.{attribute(_ATTRIBUTE_MINOR)}"
        return Device(name, sm, str(driver.value), bool(attribute(_ATTRIBUTE_INTEGRATED)))

    def stream(self, priority: int = 0) -> int:
        return self._made("cudaStreamCreateWithPriority", _NON_BLOCKING, priority)

    def free_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def wait(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def device_memory(self, size: int) -> int:
        return self._made("cudaMalloc", size)

    def free_device_memory(self, address: int) -> None:
        self._call("cudaFree", address)

    def host_memory(self, size: int) -> int:
        return self._made("cudaHostAlloc", size, _HOST_MAPPED)

    def free_host_memory(self, address: int) -> None:
        self._call("cudaFreeHost", address)

    def device_address(self, host: int) -> int:
        return self._made("cudaHostGetDevicePointer", host, 0)

    def to_device(self, device: int, host: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", device, host, size, _HOST_TO_DEVICE, stream)

    def to_host(self, host: int, device: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", host, device, size, _DEVICE_TO_HOST, stream)

    def begin_capture(self, stream: int) -> None:
        self._call("cudaStreamBeginCapture", stream, _CAPTURE_THREAD_LOCAL)

    def end_capture(self, stream: int) -> int:
        graph = c_void_p()
        self._call("cudaStreamEndCapture", stream, byref(graph))
        try:
            return self._made("cudaGraphInstantiateWithFlags", graph, 0)
        finally:
            self._call("cudaGraphDestroy", graph)

    def abort_capture(self, stream: int) -> None:
        graph = c_void_p()
        self._library.cudaStreamEndCapture(stream, byref(graph))
        self._library.cudaGetLastError()
        if graph.value:
            self._call("cudaGraphDestroy", graph)

    def launch_graph(self, graph: int, stream: int) -> None:
        self._call("cudaGraphLaunch", graph, stream)

    def free_graph(self, graph: int) -> None:
        self._call("cudaGraphExecDestroy", graph)

    def event(self) -> int:
        return self._made("cudaEventCreate")

    def record(self, event: int, stream: int) -> None:
        self._call("cudaEventRecord", event, stream)

    def elapsed_ms(self, begin: int, end: int) -> float:
        self._call("cudaEventSynchronize", end)
        passed = c_float()
        self._call("cudaEventElapsedTime", byref(passed), begin, end)
        return passed.value

    def free_event(self, event: int) -> None:
        self._call("cudaEventDestroy", event)

    def memory_info(self) -> tuple[int, int]:
        free, total = c_size_t(), c_size_t()
        self._call("cudaMemGetInfo", byref(free), byref(total))
        return free.value, total.value


def _library() -> ctypes.CDLL:
    for name in (*LIBRARIES, ctypes.util.find_library("cudart")):
        if name:
            with contextlib.suppress(OSError):
                return ctypes.CDLL(name)
    raise BackendUnavailableError("the CUDA runtime library libcudart is not installed")
