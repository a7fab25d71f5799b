"""CUDA through NVIDIA's cuda-python (the package cuda-bindings)."""

from __future__ import annotations

from typing import Any

from adas_perception.inference.backend import BackendUnavailableError
from adas_perception.inference.cuda import Device, raise_for

_DEVICE = 0


class CudaPython:
    """The first GPU through cuda.bindings.runtime; every function there returns its error first."""

    name = "cuda_python"

    def __init__(self) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError:
            raise BackendUnavailableError("the package cuda-bindings is not installed") from None
        self._cuda = runtime
        error, count = runtime.cudaGetDeviceCount()
        if int(error) != 0 or count == 0:
            raise BackendUnavailableError(f"there is no CUDA device ({error.name})")
        self._call("cudaSetDevice", _DEVICE)
        properties = self._call("cudaGetDeviceProperties", _DEVICE)
        self.device = Device(
            properties.name.decode(errors="replace").rstrip("\0"),
            f"{properties.major}.{properties.minor}",
            str(self._call("cudaDriverGetVersion")),
            bool(properties.integrated),
        )

    def _call(self, function: str, *arguments: Any) -> Any:
        error, *results = getattr(self._cuda, function)(*arguments)
        raise_for(function, int(error), error.name)
        return results[0] if len(results) == 1 else tuple(results)

    def stream(self, priority: int = 0) -> int:
        return int(self._call("cudaStreamCreateWithPriority", self._cuda.cudaStreamNonBlocking, priority))

    def free_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def wait(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def device_memory(self, size: int) -> int:
        return int(self._call("cudaMalloc", size))

    def free_device_memory(self, address: int) -> None:
        self._call("cudaFree", address)

    def host_memory(self, size: int) -> int:
        return int(self._call("cudaHostAlloc", size, self._cuda.cudaHostAllocMapped))

    def free_host_memory(self, address: int) -> None:
        self._call("cudaFreeHost", address)

    def device_address(self, host: int) -> int:
        return int(self._call("cudaHostGetDevicePointer", host, 0))

    def to_device(self, device: int, host: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", device, host, size, self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice, stream)

    def to_host(self, host: int, device: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", host, device, size, self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost, stream)

    def begin_capture(self, stream: int) -> None:
        self._call("cudaStreamBeginCapture", stream, self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)

    def end_capture(self, stream: int) -> int:
        graph = self._call("cudaStreamEndCapture", stream)
        try:
            return int(self._call("cudaGraphInstantiate", graph, 0))
        finally:
            self._call("cudaGraphDestroy", graph)

    def abort_capture(self, stream: int) -> None:
        _, graph = self._cuda.cudaStreamEndCapture(stream)
        self._cuda.cudaGetLastError()
        if graph is not None and int(graph):
            self._call("cudaGraphDestroy", graph)

    def launch_graph(self, graph: int, stream: int) -> None:
        self._call("cudaGraphLaunch", graph, stream)

    def free_graph(self, graph: int) -> None:
        self._call("cudaGraphExecDestroy", graph)

    def event(self) -> int:
        return int(self._call("cudaEventCreate"))

    def record(self, event: int, stream: int) -> None:
        self._call("cudaEventRecord", event, stream)

    def elapsed_ms(self, begin: int, end: int) -> float:
        self._call("cudaEventSynchronize", end)
        return float(self._call("cudaEventElapsedTime", begin, end))

    def free_event(self, event: int) -> None:
        self._call("cudaEventDestroy", event)

    def memory_info(self) -> tuple[int, int]:
        free, total = self._call("cudaMemGetInfo")
        return int(free), int(total)
