"""TensorRT: runs an engine that was built before; it never builds one.

The engine lies beside the model with the suffix ``.engine``. Only the names API is used, which is the same from
TensorRT 8.6 to 11; CUDA memory comes from libcudart through ctypes, so that nothing else need be installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import Arrays, BackendUnavailableError, ModelError

_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2


class TensorRtBackend:
    """An engine with static shapes, its context and one device buffer per tensor."""

    name = "tensorrt"

    def __init__(self, model: Path, threads: int) -> None:
        del threads  # the GPU does the work
        trt = _tensorrt()
        engine_file = model.with_suffix(".engine")
        if not engine_file.is_file():
            raise BackendUnavailableError(f"no engine {engine_file.name} beside the model; build it with trtexec")
        self._cuda = _Cuda()
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._engine = trt.Runtime(self._logger).deserialize_cuda_engine(engine_file.read_bytes())
        if self._engine is None:
            raise ModelError(f"{engine_file}: not an engine of this TensorRT {trt.__version__}; build it again")
        self._context = self._engine.create_execution_context()
        self._inputs: set[str] = set()
        self._host: dict[str, NDArray[Any]] = {}
        self._device: dict[str, int] = {}
        for i in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(i)
            shape = tuple(self._engine.get_tensor_shape(name))
            if min(shape) < 0:
                raise ModelError(f"{engine_file}: tensor {name} has the shape {shape}; build it with fixed sizes")
            self._host[name] = np.empty(shape, trt.nptype(self._engine.get_tensor_dtype(name)))
            self._device[name] = self._cuda.malloc(self._host[name].nbytes)
            if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                self._inputs.add(name)
            self._context.set_tensor_address(name, self._device[name])
        self.reason = ""

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once."""
        for name in self._inputs:
            np.copyto(self._host[name], inputs[name], casting="no")
            self._cuda.copy(self._device[name], self._host[name].ctypes.data, self._host[name].nbytes, _HOST_TO_DEVICE)
        if not self._context.execute_async_v3(0):
            raise RuntimeError("TensorRT could not run the engine; see its log")
        outputs = {}
        for name in self._host.keys() - self._inputs:
            outputs[name] = np.empty_like(self._host[name])
            # The copy waits for the default stream, on which the engine runs.
            self._cuda.copy(outputs[name].ctypes.data, self._device[name], outputs[name].nbytes, _DEVICE_TO_HOST)
        return outputs


def _tensorrt() -> Any:
    try:
        import tensorrt
    except ImportError:
        raise BackendUnavailableError("TensorRT is not installed") from None
    # The stubs package installs an empty module of that name.
    if not hasattr(tensorrt, "Runtime"):
        raise BackendUnavailableError("the installed tensorrt module is an empty shell")
    return tensorrt


def _libcudart() -> ctypes.CDLL:
    for name in ("libcudart.so", "libcudart.so.13", "libcudart.so.12", ctypes.util.find_library("cudart")):
        if name:
            with contextlib.suppress(OSError):
                return ctypes.CDLL(name)
    raise BackendUnavailableError("the CUDA runtime library libcudart is not installed")


class _Cuda:
    """The three calls of libcudart that are needed."""

    def __init__(self) -> None:
        self._library = _libcudart()
        count = ctypes.c_int()
        if self._library.cudaGetDeviceCount(ctypes.byref(count)) != 0 or count.value == 0:
            raise BackendUnavailableError("there is no CUDA device")

    def malloc(self, size: int) -> int:
        """Return the address of fresh device memory."""
        address = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(address), ctypes.c_size_t(size)))
        return int(address.value or 0)

    def copy(self, to: int, source: int, size: int, direction: int) -> None:
        """Copy and wait."""
        self._check(self._library.cudaMemcpy(
            ctypes.c_void_p(to), ctypes.c_void_p(source), ctypes.c_size_t(size), ctypes.c_int(direction)
        ))  # fmt: skip

    @staticmethod
    def _check(status: int) -> None:
        if status != 0:
            raise RuntimeError(f"CUDA runtime error {status}")
