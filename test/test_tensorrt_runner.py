"""Running engines on a GPU that is none: bytes, order, shapes, graphs, zero copy, leaks and every failure."""

import numpy as np
import pytest
from fake_cuda import FakeCuda
from fake_tensorrt import VERSIONS, FakeTensorRt, network_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adas_perception.inference.cuda import CudaError, DeviceLostError, DeviceMemoryError
from adas_perception.inference.tensorrt.build import build_engine
from adas_perception.inference.tensorrt.options import BuildOptions
from adas_perception.inference.tensorrt.report import inspect_engine
from adas_perception.inference.tensorrt.runner import EngineError, TrtRunner


def engine(tmp_path, version="10.3.0", cuda=None, options=None, **about):
    """Return module, engine and GPU for a network that doubles its input."""
    cuda = cuda or FakeCuda()
    trt = FakeTensorRt(version, cuda)
    options = options or BuildOptions("fp32", 1, 4, 8)
    plan = build_engine(trt, network_file(tmp_path / "net.onnx", **about), options).plan
    return trt, trt.Runtime(None).deserialize_cuda_engine(plan), cuda


def runner(tmp_path, **arguments):
    return TrtRunner(*engine(tmp_path, **arguments))


def numbers(batch, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 4)).astype(np.float32)


@pytest.mark.parametrize("integrated", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_release_runs_and_every_batch_comes_back_whole(version, integrated, tmp_path):
    cuda = FakeCuda(integrated=integrated)
    run = runner(tmp_path, version=version, cuda=cuda)
    for i, batch in enumerate((1, 3, 8, 3, 1, 1)):
        x = numbers(batch, i)
        assert run.infer({"x": x})["y"] == pytest.approx(2 * x)
    run.close()
    run.close()
    assert cuda.leaks() == 0


def test_zero_copy_copies_nothing(tmp_path):
    cuda = FakeCuda(integrated=True)
    run = runner(tmp_path, cuda=cuda)
    run.infer({"x": numbers(2)})
    assert cuda.copied == 0 and not cuda.memory
    plain = FakeCuda()
    runner(tmp_path, cuda=plain).infer({"x": numbers(2)})
    assert plain.copied == 2 * 2 * 4 * 4


def test_a_graph_takes_over_after_the_second_run_of_a_shape(tmp_path):
    cuda = FakeCuda()
    run = runner(tmp_path, cuda=cuda)
    for i in range(4):
        assert run.infer({"x": numbers(2, i)})["y"] == pytest.approx(2 * numbers(2, i))
    assert cuda.calls.count("begin_capture") == 1 and cuda.calls.count("launch_graph") == 2
    run.infer({"x": numbers(3)})
    assert cuda.calls.count("launch_graph") == 2, "another shape needs a graph of its own"
    run.infer({"x": numbers(3)})
    assert len(cuda.recorded) == 2
    run.close()
    assert cuda.leaks() == 0


@pytest.mark.parametrize("call", ["begin_capture", "end_capture"])
def test_without_graphs_it_goes_on_and_says_why(call, tmp_path):
    cuda = FakeCuda()
    run = runner(tmp_path, cuda=cuda)
    cuda.fail(call)
    for i in range(4):
        assert run.infer({"x": numbers(2, i)})["y"] == pytest.approx(2 * numbers(2, i))
    assert "told to fail" in run.graph_refusal and cuda.calls.count("begin_capture") == 1
    run.close()
    assert cuda.leaks() == 0


def test_answers_are_the_callers_own(tmp_path):
    run = runner(tmp_path)
    first = run.infer({"x": numbers(2, 1)})["y"]
    kept = first.copy()
    run.infer({"x": numbers(2, 2)})
    assert (first == kept).all()


def test_two_networks_have_streams_of_their_own(tmp_path):
    cuda = FakeCuda()
    trt, made, _ = engine(tmp_path, cuda=cuda)
    lane, boxes = TrtRunner(trt, made, cuda, priority=-1), TrtRunner(trt, made, cuda)
    assert cuda.priorities == [-1, 0] and len(cuda.streams) == 2
    assert lane.infer({"x": numbers(1)})["y"] == pytest.approx(boxes.infer({"x": numbers(1)})["y"])


def test_the_gpus_own_time_is_measured(tmp_path):
    cuda = FakeCuda()
    run = runner(tmp_path, cuda=cuda)
    assert run.timed({"x": numbers(2)}, 5) == pytest.approx(3.0, abs=0.3)  # copy, run, copy: a fake millisecond each
    run.infer({"x": numbers(2)})
    run.infer({"x": numbers(2)})
    assert run.timed({"x": numbers(2)}, 5) > 0.0
    assert not cuda.events


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "tensor x: not among the inputs"),
        ({"x": np.zeros((1, 4))}, "tensor x: takes float32, got float64"),
        ({"x": np.zeros((9, 4), np.float32)}, r"tensor x: the shape \(9, 4\) is outside \(1, 4\) .. \(8, 4\)"),
        ({"x": np.zeros((1, 5), np.float32)}, "tensor x: the shape"),
        ({"x": np.zeros(4, np.float32)}, "tensor x: the shape"),
        ({"x": np.zeros((1, 4), np.float32), "z": np.zeros(1)}, "tensor z: the engine has no such input"),
    ],
)
def test_wrong_inputs_name_tensor_and_shape(inputs, said, tmp_path):
    run = runner(tmp_path)
    with pytest.raises(EngineError, match=said):
        run.infer(inputs)
    assert run.infer({"x": numbers(1)})["y"] == pytest.approx(2 * numbers(1))


def test_what_tensorrt_refuses_by_return_value_is_an_error_here(tmp_path):
    trt, made, cuda = engine(tmp_path)
    trt.execution_fails = True
    run = TrtRunner(trt, made, cuda)
    with pytest.raises(EngineError, match=r"could not run the engine with x \(2, 4\)"):
        run.infer({"x": numbers(2)})
    trt.no_context = True
    with pytest.raises(EngineError, match="cannot make an execution context"):
        TrtRunner(trt, made, cuda)
    trt.no_context, trt.refused_tensors = False, {"y"}
    with pytest.raises(EngineError, match="tensor y: TensorRT refuses its buffer"):
        TrtRunner(trt, made, cuda)


def test_refused_and_missing_shapes(tmp_path, monkeypatch):
    trt, made, cuda = engine(tmp_path)
    run = TrtRunner(trt, made, cuda)
    monkeypatch.setattr("fake_tensorrt.Context.set_input_shape", lambda *_: False)
    with pytest.raises(EngineError, match=r"tensor x: the engine does not take the shape \(3, 4\)"):
        run.infer({"x": numbers(3)})
    monkeypatch.setattr("fake_tensorrt.Context.set_input_shape", lambda *_: True)
    with pytest.raises(EngineError, match="tensor x: has no shape"):
        TrtRunner(trt, made, cuda)


def test_shapes_that_depend_on_data_are_refused(tmp_path):
    with pytest.raises(EngineError, match="tensor y: its shape .* depends on the data"):
        runner(tmp_path, outputs={"y": [[1, -1], "float32"]})


@pytest.mark.parametrize("call", ["stream", "host_memory", "device_memory"])
def test_a_failure_while_it_is_made_leaves_nothing_behind(call, tmp_path):
    trt, made, cuda = engine(tmp_path)
    cuda.fail(call)
    with pytest.raises(CudaError, match="told to fail"):
        TrtRunner(trt, made, cuda)
    assert cuda.leaks() == 0


def test_out_of_memory_is_its_own_error(tmp_path):
    cuda = FakeCuda(memory=100)
    with pytest.raises(DeviceMemoryError):
        runner(tmp_path, cuda=cuda)
    assert cuda.leaks() == 0


def test_a_lost_device_is_not_hidden_by_the_graph(tmp_path):
    cuda = FakeCuda()
    run = runner(tmp_path, cuda=cuda)
    for i in range(3):
        run.infer({"x": numbers(1, i)})
    cuda.fail("launch_graph", DeviceLostError("cudaGraphLaunch: an illegal memory access (CUDA error 700)"))
    with pytest.raises(DeviceLostError):
        run.infer({"x": numbers(1)})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_any_sequence_of_batches_is_right(tmp_path, batches, integrated, graphs):
    cuda = FakeCuda(integrated=integrated, graphs=graphs)
    run = runner(tmp_path, cuda=cuda)
    for i, batch in enumerate(batches):
        x = numbers(batch, i)
        assert np.array_equal(run.infer({"x": x})["y"], 2 * x)
    run.close()
    assert cuda.leaks() == 0


# --- the report ---


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_report_names_layers_precision_and_memory(version, precision, tmp_path):
    trt = FakeTensorRt(version)
    options = BuildOptions(precision, 1, 4, 8)
    plan = build_engine(trt, network_file(tmp_path / "net.onnx", precision=precision), options).plan
    report = inspect_engine(trt, plan)
    assert report.precisions == {precision: 1, "unknown": 1}
    assert report.layers == ("conv", "a layer without details")
    assert [(t.name, t.direction) for t in report.tensors] == [("x", "input"), ("y", "output")]
    assert report.tensors[0].shape == (-1, 4) and report.tensors[0].dtype == "FLOAT32"
    assert report.device_memory_bytes == 12345 and report.plan_bytes == len(plan)


def test_an_engine_of_another_release_cannot_be_inspected(tmp_path):
    plan = build_engine(FakeTensorRt("10.3.0"), network_file(tmp_path / "net.onnx"), BuildOptions("fp32", 1, 4, 8)).plan
    with pytest.raises(EngineError, match="cannot read this engine"):
        inspect_engine(FakeTensorRt("11.4.0"), plan)
