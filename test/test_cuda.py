"""The CUDA libraries behind the protocol: libcudart over a compiled stand-in, cuda-python and pycuda over fakes.

The tests marked gpu run the same walk, and more, on a real GPU.
"""

import ctypes
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cuda_modules import FakeDriver, FakeRuntime, install_cuda_python, install_pycuda

from adas_perception.inference.backend import BackendUnavailableError
from adas_perception.inference.cuda import (
    CUDA_LIBRARIES,
    CudaError,
    DeviceLostError,
    DeviceMemoryError,
    cudart,
    open_cuda,
    raise_for,
)
from adas_perception.inference.tensorrt.runner import TrtRunner

SOURCE = Path(__file__).parent / "data" / "fake_cudart.c"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """The compiled stand-in for libcudart."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("cudart") / "libcudart.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    return library


@pytest.fixture
def fakes(stand_in, monkeypatch):
    """The three libraries as this machine's; returns what makes the next call fail."""
    monkeypatch.setattr(cudart, "LIBRARIES", (str(stand_in),))
    library = ctypes.CDLL(str(stand_in))
    library.fake_devices(1)
    runtime, driver = FakeRuntime(), FakeDriver()
    install_cuda_python(monkeypatch, runtime)
    install_pycuda(monkeypatch, driver)

    def fail(name, code):
        if name == "cudart":
            library.fake_fail(code)
        elif name == "cuda_python":
            runtime.fails = code
        else:
            driver.fails = {2: "cuMemAlloc failed: out of memory", 700: "illegal memory access"}.get(code, "odd")

    return fail


def walk(cuda):
    """Use everything that running an engine uses; return what came back of 16 bytes."""
    stream = cuda.stream(-1)
    host, back, device = cuda.host_memory(16), cuda.host_memory(16), cuda.device_memory(16)
    ctypes.memmove(host, bytes(range(16)), 16)
    cuda.to_device(device, host, 16, stream)
    cuda.to_host(back, device, 16, stream)
    cuda.wait(stream)
    result = ctypes.string_at(back, 16)
    begin, end = cuda.event(), cuda.event()
    cuda.record(begin, stream)
    cuda.record(end, stream)
    assert cuda.elapsed_ms(begin, end) >= 0.0
    free, total = cuda.memory_info()
    assert 0 < free <= total
    assert cuda.device_address(host)
    for event in (begin, end):
        cuda.free_event(event)
    cuda.free_device_memory(device)
    for memory in (host, back):
        cuda.free_host_memory(memory)
    cuda.free_stream(stream)
    return result


@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:])
def test_each_library_moves_bytes_and_describes_the_gpu(fakes, library):
    cuda = open_cuda(library)
    assert walk(cuda) == bytes(range(16))
    assert cuda.name == library
    assert (cuda.device.name, cuda.device.sm, cuda.device.driver, cuda.device.integrated) == (
        "Fake Orin", "8.7", "12060", True,
    )  # fmt: skip


@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:3])
def test_graphs_are_recorded_and_launched(fakes, library):
    cuda = open_cuda(library)
    stream = cuda.stream()
    cuda.begin_capture(stream)
    graph = cuda.end_capture(stream)
    cuda.launch_graph(graph, stream)
    cuda.wait(stream)
    cuda.free_graph(graph)
    cuda.begin_capture(stream)
    cuda.abort_capture(stream)
    cuda.free_stream(stream)


def test_pycuda_says_that_it_has_no_graphs(fakes):
    cuda = open_cuda("pycuda")
    stream = cuda.stream()
    for call in (cuda.begin_capture, cuda.end_capture):
        with pytest.raises(CudaError, match="no CUDA graphs"):
            call(stream)
    with pytest.raises(CudaError, match="no CUDA graphs"):
        cuda.launch_graph(1, stream)
    cuda.abort_capture(stream)
    cuda.free_graph(1)


def test_pycuda_enters_its_context_once_in_every_thread(fakes, monkeypatch):
    pushes = install_pycuda(monkeypatch, FakeDriver())
    cuda = open_cuda("pycuda")
    cuda.device_memory(8)
    assert pushes == []
    thread = threading.Thread(target=lambda: [cuda.device_memory(8) for _ in range(3)])
    thread.start()
    thread.join()
    assert pushes == ["push"]


@pytest.mark.parametrize(("code", "kind"), [(2, DeviceMemoryError), (700, DeviceLostError), (1, CudaError)])
@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:])
def test_errors_have_kinds_and_pass(fakes, library, code, kind):
    if (library, code) == ("cuda_python", 1):
        code = 100
    cuda = open_cuda(library)
    fakes(library, code)
    with pytest.raises(kind):
        cuda.device_memory(8)
    fakes("none", 0)
    if library != "pycuda":
        assert cuda.device_memory(8)


def test_the_message_names_call_reason_and_code():
    with pytest.raises(DeviceMemoryError, match=r"cudaMalloc: out of memory \(CUDA error 2\)"):
        raise_for("cudaMalloc", 2, "out of memory")
    raise_for("cudaMalloc", 0, "no error")


def test_auto_takes_the_first_and_names_all_that_lack(fakes, monkeypatch):
    assert open_cuda().name == "cudart"
    monkeypatch.setattr(cudart, "_library", lambda: (_ for _ in ()).throw(BackendUnavailableError("no libcudart")))
    assert open_cuda().name == "cuda_python"
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert open_cuda().name == "pycuda"
    monkeypatch.setitem(sys.modules, "pycuda.autoprimaryctx", None)
    with pytest.raises(BackendUnavailableError, match="no libcudart; .*cuda-bindings .*; .*pycuda is not installed"):
        open_cuda()
    with pytest.raises(BackendUnavailableError, match="'opencl' is unknown; choose auto"):
        open_cuda("opencl")


def test_no_gpu_is_said(fakes, stand_in, monkeypatch):
    ctypes.CDLL(str(stand_in)).fake_devices(0)
    with pytest.raises(BackendUnavailableError, match="no CUDA device"):
        open_cuda("cudart")
    install_cuda_python(monkeypatch, FakeRuntime(devices=0))
    with pytest.raises(BackendUnavailableError, match="no CUDA device"):
        open_cuda("cuda_python")

    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("cuInit failed: no CUDA-capable device is detected")

    package = type(sys)("pycuda")
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.autoprimaryctx", None)
    package.driver = Broken()
    with pytest.raises(BackendUnavailableError, match="pycuda"):
        open_cuda("pycuda")


def test_no_libcudart_is_said(monkeypatch):
    monkeypatch.setattr(cudart, "LIBRARIES", ("libcudart_that_is_not.so",))
    monkeypatch.setattr(cudart.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(BackendUnavailableError, match="libcudart is not installed"):
        open_cuda("cudart")


# --- on a real GPU: pytest -m gpu ---


def real(library):
    try:
        return open_cuda(library)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.gpu
@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:])
def test_gpu_walk(library):
    assert walk(real(library)) == bytes(range(16))


@pytest.mark.gpu
@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:])
def test_gpu_mapped_memory_is_written_in_place(library):
    cuda = real(library)
    stream, host = cuda.stream(), cuda.host_memory(64)
    source = cuda.host_memory(64)
    ctypes.memmove(source, b"x" * 64, 64)
    cuda.to_device(cuda.device_address(host), source, 64, stream)
    cuda.wait(stream)
    assert ctypes.string_at(host, 64) == b"x" * 64


@pytest.mark.gpu
@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:3])
def test_gpu_a_graph_replays_both_copies(library):
    cuda = real(library)
    size = 1 << 20
    stream, host, back, device = cuda.stream(), cuda.host_memory(size), cuda.host_memory(size), cuda.device_memory(size)
    cuda.begin_capture(stream)
    cuda.to_device(device, host, size, stream)
    cuda.to_host(back, device, size, stream)
    graph = cuda.end_capture(stream)
    for value in (7, 9):
        ctypes.memset(host, value, size)
        cuda.launch_graph(graph, stream)
        cuda.wait(stream)
        assert np.frombuffer(ctypes.string_at(back, size), np.uint8).tolist()[:: size // 8] == [value] * 8
    cuda.free_graph(graph)
    with pytest.raises(CudaError):  # a wait inside a capture is not allowed, and the stream works afterwards
        cuda.begin_capture(stream)
        cuda.wait(stream)
    cuda.abort_capture(stream)
    cuda.to_device(device, host, size, stream)
    cuda.wait(stream)


@pytest.mark.gpu
@pytest.mark.parametrize("library", CUDA_LIBRARIES[1:])
def test_gpu_out_of_memory_is_named_and_passes(library):
    cuda = real(library)
    with pytest.raises(DeviceMemoryError):
        cuda.device_memory(cuda.memory_info()[1] * 2)
    free, _ = cuda.memory_info()
    held = [cuda.device_memory(1 << 20) for _ in range(64)]
    for address in held:
        cuda.free_device_memory(address)
    assert abs(cuda.memory_info()[0] - free) <= 64 << 20


class CopyEngine:
    """An engine and its context in one, whose only layer is a copy on the device: x (uint8) to y."""

    num_io_tensors = 2

    def __init__(self, cuda, size):
        self.cuda, self.size, self.addresses = cuda, size, {}

    def create_execution_context(self):
        return self

    def get_tensor_name(self, i):
        return "xy"[i]

    def get_tensor_mode(self, name):
        return name

    def get_tensor_dtype(self, name):
        return np.uint8

    def get_tensor_profile_shape(self, name, profile):
        return ((1, self.size),) * 3

    def get_tensor_shape(self, name):
        return (1, self.size)

    def set_input_shape(self, name, shape):
        return True

    def infer_shapes(self):
        return []

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        x, y, device_to_device = self.addresses["x"], self.addresses["y"], 3
        self.cuda._call("cudaMemcpyAsync", y, x, self.size, device_to_device, stream)
        return True


@pytest.mark.gpu
@pytest.mark.parametrize("zero_copy", [False, True])
def test_gpu_runner_copies_captures_and_replays(zero_copy):
    cuda = real("cudart")
    names = SimpleNamespace(TensorIOMode=SimpleNamespace(INPUT="x"), nptype=lambda dtype: dtype)
    free = cuda.memory_info()[0]
    runner = TrtRunner(names, CopyEngine(cuda, 1 << 20), cuda, zero_copy=zero_copy)
    for i in range(6):
        x = np.random.default_rng(i).integers(0, 255, (1, 1 << 20), dtype=np.uint8)
        assert np.array_equal(runner.infer({"x": x})["y"], x)
    assert not runner.graph_refusal
    assert runner.timed({"x": x}, 20) > 0.0
    runner.close()
    assert abs(cuda.memory_info()[0] - free) <= 16 << 20
