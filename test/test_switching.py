"""The node's network: the fallback runs while the engine is built and after the GPU has failed."""

import sys
import time

import numpy as np
import pytest

from adas_perception.inference import backend as backends
from adas_perception.inference.backend import BackendUnavailableError, EngineAbsentError, ModelError, Settings
from adas_perception.inference.cuda import DeviceLostError, DeviceMemoryError
from adas_perception.inference.models import load_model_spec
from adas_perception.inference.switching import SwitchingBackend, open_network
from adas_perception.inference.tensorrt.background import BackgroundBuild, build_command


class Net:
    def __init__(self, name, error=None):
        self.name, self.reason, self.error = name, "first choice", error

    def infer(self, inputs):
        if self.error is not None:
            raise self.error
        return {"y": self.name}


class Builder:
    def __init__(self):
        self.percent, self.said, self.stopped = 0.0, None, False

    def poll(self):
        return self.said

    def stop(self):
        self.stopped = True


class Car:
    """A machine whose engine comes and goes."""

    def __init__(self, fast=None):
        self.fast, self.builder, self.fallbacks = fast, Builder(), 0

    def open_fast(self):
        if isinstance(self.fast, Exception):
            raise self.fast
        return self.fast

    def open_fallback(self):
        self.fallbacks += 1
        return Net("openvino")

    def net(self):
        return SwitchingBackend(self.open_fast, self.open_fallback, lambda: self.builder)


def test_with_an_engine_nothing_is_switched():
    car = Car(Net("tensorrt"))
    net = car.net()
    assert net.infer({}) == {"y": "tensorrt"} and not net.degraded and car.fallbacks == 0
    assert (net.name, net.reason) == ("tensorrt", "first choice")
    net.close()


def test_the_fallback_runs_while_the_engine_is_built_then_the_engine_does():
    car = Car(EngineAbsentError("none"))
    net = car.net()
    car.builder.percent = 42.4
    assert net.infer({}) == {"y": "openvino"} and net.degraded
    assert net.reason == "BUILDING the TensorRT engine, 42 %"
    car.builder.said, car.fast = "", Net("tensorrt")
    assert net.infer({}) == {"y": "tensorrt"} and not net.degraded
    assert net.name == "tensorrt"


@pytest.mark.parametrize("loading", [False, True])
def test_a_build_that_fails_leaves_the_fallback_and_says_why(loading):
    car = Car(EngineAbsentError("none"))
    net = car.net()
    car.builder.said = "" if loading else "ended by signal 9"
    car.fast = BackendUnavailableError("out of memory") if loading else Net("tensorrt")
    for _ in range(2):
        assert net.infer({}) == {"y": "openvino"}
    assert net.degraded and ("out of memory" if loading else "signal 9") in net.reason


@pytest.mark.parametrize("error", [DeviceLostError("gone"), DeviceMemoryError("full"), RuntimeError("refused")])
def test_a_gpu_that_fails_costs_no_picture(error):
    car = Car(Net("tensorrt", error))
    net = car.net()
    assert net.infer({}) == {"y": "openvino"} == net.infer({})
    assert car.fallbacks == 1 and net.degraded and str(error) in net.reason


def test_a_failing_fallback_is_not_hidden():
    car = Car(EngineAbsentError("none"))
    car.open_fallback = lambda: Net("openvino", RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        car.net().infer({})


def test_closing_ends_the_build():
    car = Car(EngineAbsentError("none"))
    net = car.net()
    net.close()
    net.close()
    assert car.builder.stopped


# --- opening a network of models.yaml ---


def test_without_tensorrt_auto_says_what_is_missing_and_tensorrt_refuses(monkeypatch):
    for module in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    entry = load_model_spec("lane_v2")
    net = open_network(entry, "auto", Settings())
    assert net.name in ("openvino", "onnxruntime") and "tensorrt: TensorRT is not installed" in net.reason
    with pytest.raises(ModelError, match="TensorRT cannot run it .TensorRT is not installed"):
        open_network(entry, "tensorrt", Settings())
    assert open_network(entry, "onnxruntime", Settings()).name == "onnxruntime"


@pytest.mark.parametrize(("backend", "file"), [("openvino", "lane_v2_int8"), ("onnxruntime", "lane_v2")])
def test_auto_precision_is_the_best_of_each_backend(backend, file, monkeypatch):
    pytest.importorskip(backend)
    taken = []
    opener = backends._openers()[backend]
    monkeypatch.setattr(backends, "_openers", lambda: {backend: lambda *a: taken.append(a) or opener(*a)})
    open_network(load_model_spec("lane_v2"), backend, Settings(precision="auto"))
    assert taken[0][0].stem == file and taken[0][1].precision == ("int8" if "int8" in file else "fp32")


def test_a_model_without_variants_stays_fp32(shared_data, monkeypatch):
    monkeypatch.setenv("ADAS_MODELS", str(shared_data / "models"))
    assert open_network(load_model_spec("yolox_nano_416"), "cpu", Settings(precision="auto")).name


def test_a_missing_engine_begins_a_build(monkeypatch):
    def absent(model, settings):
        raise EngineAbsentError("none")

    begun = []
    monkeypatch.setattr("adas_perception.inference.tensorrt.backend.TensorRtBackend", absent)
    monkeypatch.setattr(
        "adas_perception.inference.tensorrt.background.BackgroundBuild", lambda *a: begun.append(a) or Builder()
    )
    net = open_network(load_model_spec("lane_v2"), "auto", Settings())
    assert "BUILDING" in net.reason and begun[0][0].name == "lane_v2.onnx"
    assert net.infer({"picture": np.zeros((1, 192, 512, 3), np.uint8)})["lanes"].shape == (1, 6, 48, 128)


# --- the builder process ---


def building(script):
    return BackgroundBuild(None, Settings(), [sys.executable, "-c", script])


def finished(build):
    for _ in range(200):
        said = build.poll()
        if said is not None:
            return said
        time.sleep(0.05)
    raise AssertionError("the builder does not end")


def test_percents_and_success():
    build = building("print('12.5\\nnoise\\n80.0', flush=True); import time; time.sleep(1)")
    for _ in range(100):
        if build.percent == 80.0:
            break
        time.sleep(0.05)
    assert build.percent == 80.0 and build.poll() is None
    assert finished(build) == ""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; print('adas: no such layer'); sys.exit(2)", "exit status 2.*no such layer"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9.*no reason given"),
    ],
)
def test_a_builder_that_dies_is_a_reason(script, said):
    import re

    assert re.search(said, finished(building(script)))


@pytest.mark.parametrize("stubborn", ["", "import signal; signal.signal(15, signal.SIG_IGN); "])
def test_stop_ends_even_a_stubborn_builder(stubborn, monkeypatch):
    monkeypatch.setattr("adas_perception.inference.tensorrt.background.STOP_S", 0.5)
    build = building(f"{stubborn}print('1', flush=True); import time; time.sleep(60)")
    for _ in range(100):
        if build.percent:
            break
        time.sleep(0.05)
    build.stop()
    assert build.poll() is not None


def test_the_command_builds_what_the_backend_looks_for(tmp_path):
    command = build_command(tmp_path / "net.onnx", Settings(precision="int8", dla_core=1, cuda="pycuda"))
    assert command[1:5] == ["-m", "adas_perception.cli", "engine", "build"]
    assert " ".join(command[5:]).endswith("--machine --precision int8 --dla-core 1 --cuda pycuda")
