"""The CUDA calls that running an engine needs, behind one small protocol with three implementations.

Handles (streams, events, graphs) and addresses are plain integers, so that an implementation can be a fake.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, cast

from adas_perception.inference.backend import BackendUnavailableError

CUDA_LIBRARIES = ("auto", "cudart", "cuda_python", "pycuda")
_MODULES = {
    "cudart": "adas_perception.inference.cuda.cudart:CudaRuntime",
    "cuda_python": "adas_perception.inference.cuda.cuda_python:CudaPython",
    "pycuda": "adas_perception.inference.cuda.pycuda:PyCuda",
}
# Error codes of the CUDA runtime (driver_types.h); the driver API shares those up to 999.
OUT_OF_MEMORY = 2
# After one of these the process's context is gone: only another process can use the GPU again.
DEVICE_LOST = frozenset({46, 214, 219, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719, 999})


class CudaError(RuntimeError):
    """A CUDA call failed; the message names the call and the reason."""


class DeviceMemoryError(CudaError):
    """The GPU has no memory left."""


class DeviceLostError(CudaError):
    """The GPU or this process's context on it is gone."""


def raise_for(call: str, code: int, reason: str) -> None:
    """Raise the error that ``code`` of the CUDA call ``call`` means; 0 is success."""
    if code == 0:
        return
    kind = DeviceMemoryError if code == OUT_OF_MEMORY else DeviceLostError if code in DEVICE_LOST else CudaError
    raise kind(f"{call}: {reason} (CUDA error {code})")


@dataclass(frozen=True)
class Device:
    """What an engine depends on: the GPU's name, its compute capability such as '8.7', CUDA's driver version."""

    name: str
    sm: str
    driver: str
    integrated: bool  # CPU and GPU share their memory, as on a Jetson


class Cuda(Protocol):
    """One GPU; sizes in bytes. Every method raises CudaError when the call fails."""

    name: str
    device: Device

    def stream(self, priority: int = 0) -> int:
        """Make a stream that does not wait for the default one; lower numbers go first."""
        ...

    def free_stream(self, stream: int) -> None: ...

    def wait(self, stream: int) -> None:
        """Wait until everything put on the stream is done."""
        ...

    def device_memory(self, size: int) -> int: ...

    def free_device_memory(self, address: int) -> None: ...

    def host_memory(self, size: int) -> int:
        """Return page-locked memory that the GPU can reach too."""
        ...

    def free_host_memory(self, address: int) -> None: ...

    def device_address(self, host: int) -> int:
        """Return the address under which the GPU reaches ``host_memory``."""
        ...

    def to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """Put a copy on the stream; it may not be done on return."""
        ...

    def to_host(self, host: int, device: int, size: int, stream: int) -> None: ...

    def begin_capture(self, stream: int) -> None:
        """Record what is put on the stream from now on, instead of doing it."""
        ...

    def end_capture(self, stream: int) -> int:
        """Return the recorded graph, ready to launch."""
        ...

    def abort_capture(self, stream: int) -> None:
        """Leave a capture that broke; the stream works as before."""
        ...

    def launch_graph(self, graph: int, stream: int) -> None: ...

    def free_graph(self, graph: int) -> None: ...

    def event(self) -> int: ...

    def record(self, event: int, stream: int) -> None: ...

    def elapsed_ms(self, begin: int, end: int) -> float:
        """Return the GPU's time between two recorded events that are done."""
        ...

    def free_event(self, event: int) -> None: ...

    def memory_info(self) -> tuple[int, int]:
        """Return the free and the total memory of the GPU."""
        ...


def open_cuda(library: str = "auto") -> Cuda:
    """Open the first GPU through one of CUDA_LIBRARIES; auto: libcudart, then cuda-python, then pycuda.

    Raises BackendUnavailableError when the library or the GPU is not there.
    """
    if library not in CUDA_LIBRARIES:
        raise BackendUnavailableError(f"CUDA library '{library}' is unknown; choose {', '.join(CUDA_LIBRARIES)}")
    refusals = []
    for name in _MODULES if library == "auto" else (library,):
        module, _, kind = _MODULES[name].partition(":")
        try:
            return cast(Cuda, getattr(importlib.import_module(module), kind)())
        except BackendUnavailableError as error:
            refusals.append(str(error))
    raise BackendUnavailableError("; ".join(refusals))
