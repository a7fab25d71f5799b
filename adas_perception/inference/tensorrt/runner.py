"""Running an engine: buffers, copies, the CUDA graph.

One runner owns one execution context and one stream, so several networks run side by side; a runner belongs to one
thread. Copies and kernels are put on the stream in order and waited for once. After the first run with a shape the
whole sequence is captured into a CUDA graph, which costs one launch instead of one for each kernel; where TensorRT
or the CUDA library cannot capture, the plain sequence goes on. On an integrated GPU (Jetson) the buffers are
page-locked memory that the GPU reads and writes in place: no copies at all.
"""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import Arrays
from adas_perception.inference.cuda import Cuda, CudaError

Shape = tuple[int, ...]


class EngineError(RuntimeError):
    """An engine cannot be run; the message names the tensor and the shape."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the engine and its buffers, large enough for the largest shape."""

    name: str
    is_input: bool
    dtype: np.dtype[Any]
    smallest: Shape
    largest: Shape
    host: int
    device: int

    @property
    def size(self) -> int:
        """Return the bytes of the largest shape."""
        return self.bytes_of(self.largest)

    def bytes_of(self, shape: Shape) -> int:
        """Return the bytes of an array of that shape."""
        return int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize

    def view(self, shape: Shape) -> NDArray[Any]:
        """Return the host buffer as an array of that shape."""
        memory: Any = (ctypes.c_char * self.bytes_of(shape)).from_address(self.host)
        return np.ndarray(shape, self.dtype, memory)


class TrtRunner:
    """Runs one engine; ``close`` gives everything back."""

    def __init__(self, trt: Any, engine: Any, cuda: Cuda, *, priority: int = 0, zero_copy: bool | None = None) -> None:
        self._trt, self._engine, self._cuda = trt, engine, cuda
        self.zero_copy = cuda.device.integrated if zero_copy is None else zero_copy
        self.graph_refusal = ""  # why no CUDA graph is used
        self._graphs: dict[tuple[Shape, ...], int] = {}
        self._warm: set[tuple[Shape, ...]] = set()
        self._shapes: dict[str, Shape] = {}
        self._tensors: list[Tensor] = []
        self._undo = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            self._undo = undo
            self._stream = cuda.stream(priority)
            undo.callback(cuda.free_stream, self._stream)
            self._context = engine.create_execution_context()
            if self._context is None:
                raise EngineError("TensorRT cannot make an execution context; the GPU may have no memory left")
            self._make_tensors()
            self._undo = undo.pop_all()
        self.inputs = tuple(t for t in self._tensors if t.is_input)
        self.outputs = tuple(t for t in self._tensors if not t.is_input)

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run once; the batch may change from call to call within what the engine was built for.

        Raises EngineError or CudaError; after a DeviceLostError the runner is of no more use.
        """
        key = self._take(inputs)
        if key in self._graphs:
            self._cuda.launch_graph(self._graphs[key], self._stream)
        else:
            self._enqueue()
        self._cuda.wait(self._stream)
        answers = {t.name: t.view(self._shapes[t.name]).copy() for t in self.outputs}
        if key in self._warm and key not in self._graphs:
            self._capture(key)
        self._warm.add(key)
        return answers

    def timed(self, inputs: Arrays, repeats: int) -> float:
        """Return the GPU's milliseconds for one run, copies included, as the mean of ``repeats`` runs."""
        key = self._take(inputs)
        begin, end = self._cuda.event(), self._cuda.event()
        try:
            self._cuda.record(begin, self._stream)
            for _ in range(repeats):
                if key in self._graphs:
                    self._cuda.launch_graph(self._graphs[key], self._stream)
                else:
                    self._enqueue()
            self._cuda.record(end, self._stream)
            self._cuda.wait(self._stream)
            return self._cuda.elapsed_ms(begin, end) / repeats
        finally:
            self._cuda.free_event(begin)
            self._cuda.free_event(end)

    def close(self) -> None:
        """Give back the memory, the stream and the graphs; a second call does nothing."""
        for graph in self._graphs.values():
            self._cuda.free_graph(graph)
        self._graphs.clear()
        self._undo.close()

    # --- set up ---

    def _make_tensors(self) -> None:
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT for name in names}
        profiles: dict[str, tuple[Shape, Shape]] = {}
        for name in (n for n in names if is_input[n]):
            smallest, _, largest = self._engine.get_tensor_profile_shape(name, 0)
            profiles[name] = tuple(smallest), tuple(largest)
            self._set_shape(name, tuple(largest))
        self._complete_shapes()
        for name in names:
            fallback = tuple(self._context.get_tensor_shape(name))
            smallest, largest = profiles.get(name, (fallback, fallback))
            self._tensors.append(self._make_tensor(name, is_input[name], smallest, largest))

    def _make_tensor(self, name: str, is_input: bool, smallest: Shape, largest: Shape) -> Tensor:
        if min(largest, default=1) < 0:
            raise EngineError(f"tensor {name}: its shape {largest} depends on the data, which is not supported")
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))
        tensor = Tensor(name, is_input, dtype, smallest, largest, 0, 0)
        host = self._cuda.host_memory(tensor.size)
        self._undo.callback(self._cuda.free_host_memory, host)
        if self.zero_copy:
            device = self._cuda.device_address(host)
        else:
            device = self._cuda.device_memory(tensor.size)
            self._undo.callback(self._cuda.free_device_memory, device)
        if not self._context.set_tensor_address(name, device):
            raise EngineError(f"tensor {name}: TensorRT refuses its buffer of {tensor.size} bytes")
        return Tensor(name, is_input, dtype, smallest, largest, host, device)

    def _set_shape(self, name: str, shape: Shape) -> None:
        if not self._context.set_input_shape(name, shape):
            raise EngineError(f"tensor {name}: the engine does not take the shape {shape}")
        self._shapes[name] = shape

    def _complete_shapes(self) -> None:
        missing = self._context.infer_shapes()
        if missing:
            raise EngineError(f"tensor {', '.join(missing)}: has no shape")

    # --- one run ---

    def _take(self, inputs: Arrays) -> tuple[Shape, ...]:
        """Put the inputs into the buffers; return the shapes, which a graph holds for."""
        changed = False
        for tensor in self.inputs:
            array = self._checked(tensor, inputs)
            if self._shapes[tensor.name] != array.shape:
                self._set_shape(tensor.name, array.shape)
                changed = True
            np.copyto(tensor.view(array.shape), array, casting="no")
        unknown = inputs.keys() - {tensor.name for tensor in self.inputs}
        if unknown:
            raise EngineError(f"tensor {sorted(unknown)[0]}: the engine has no such input")
        if changed or self.outputs[0].name not in self._shapes:
            self._complete_shapes()
            for tensor in self.outputs:
                self._shapes[tensor.name] = tuple(self._context.get_tensor_shape(tensor.name))
        return tuple(self._shapes[tensor.name] for tensor in self.inputs)

    @staticmethod
    def _checked(tensor: Tensor, inputs: Arrays) -> NDArray[Any]:
        if tensor.name not in inputs:
            raise EngineError(f"tensor {tensor.name}: not among the inputs given")
        array = inputs[tensor.name]
        if array.dtype != tensor.dtype:
            raise EngineError(f"tensor {tensor.name}: takes {tensor.dtype}, got {array.dtype}")
        fits = len(array.shape) == len(tensor.largest) and all(
            low <= n <= high for low, n, high in zip(tensor.smallest, array.shape, tensor.largest, strict=True)
        )
        if not fits:
            raise EngineError(
                f"tensor {tensor.name}: the shape {array.shape} is outside {tensor.smallest} .. {tensor.largest}"
            )
        return array

    def _enqueue(self) -> None:
        if not self.zero_copy:
            for tensor in self.inputs:
                size = tensor.bytes_of(self._shapes[tensor.name])
                self._cuda.to_device(tensor.device, tensor.host, size, self._stream)
        if not self._context.execute_async_v3(self._stream):
            shapes = ", ".join(f"{t.name} {self._shapes[t.name]}" for t in self.inputs)
            raise EngineError(f"TensorRT could not run the engine with {shapes}")
        if not self.zero_copy:
            for tensor in self.outputs:
                size = tensor.bytes_of(self._shapes[tensor.name])
                self._cuda.to_host(tensor.host, tensor.device, size, self._stream)

    def _capture(self, key: tuple[Shape, ...]) -> None:
        """Record the sequence; TensorRT asks for one plain run with the same shapes before."""
        if self.graph_refusal:
            return
        try:
            self._cuda.begin_capture(self._stream)
        except CudaError as error:
            self.graph_refusal = str(error)
            return
        try:
            self._enqueue()
            self._graphs[key] = self._cuda.end_capture(self._stream)
        except (CudaError, EngineError) as error:
            self._cuda.abort_capture(self._stream)
            self.graph_refusal = str(error)
