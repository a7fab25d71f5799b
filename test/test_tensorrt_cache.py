"""The cache of engines: never a stale one, never half a one, one builder at a time; and the backend on top of it."""

import dataclasses
import errno
import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
from fake_cuda import FakeCuda
from fake_tensorrt import FakeTensorRt, network_file

from adas_perception.inference.backend import BackendUnavailableError, EngineAbsentError, Settings
from adas_perception.inference.tensorrt import backend as trt_backend
from adas_perception.inference.tensorrt.backend import TensorRtBackend, ensure_engine
from adas_perception.inference.tensorrt.build import BuildError
from adas_perception.inference.tensorrt.cache import CacheError, EngineCache, EngineKey, default_folder
from adas_perception.inference.tensorrt.options import BuildOptions

FIXED = {"inputs": {"x": [[1, 4], "float32"]}, "outputs": {"y": [[1, 4], "float32"]}}
OPTIONS = BuildOptions("fp32")


@pytest.fixture
def model(tmp_path):
    return network_file(tmp_path / "net.onnx", **FIXED)


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


@pytest.fixture
def machine(monkeypatch, cache):
    """A machine with TensorRT 10.3 and a GPU, whose engines lie in ``cache``."""
    cuda = FakeCuda()
    trt = FakeTensorRt("10.3.0", cuda)
    monkeypatch.setattr(trt_backend, "load_tensorrt", lambda: trt)
    monkeypatch.setattr(trt_backend, "open_cuda", lambda library: cuda)
    monkeypatch.setenv("ADAS_ENGINES", str(cache.folder))
    return trt, cuda


def key(model, **changes):
    made = EngineKey.of(model, "10.3.0", FakeCuda().device, OPTIONS)
    return dataclasses.replace(made, **changes)


def test_what_is_stored_is_loaded(cache, model):
    assert cache.load(key(model)) is None
    path = cache.store(key(model), b"plan", {"seconds": 3})
    assert cache.load(key(model)) == b"plan"
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["gpu"] == "Fake GPU" and about["options"]["precision"] == "fp32" and about["seconds"] == 3
    assert {file.suffix for file in cache.folder.iterdir()} == {".plan", ".json"}, "nothing temporary stays"


@pytest.mark.parametrize(
    "changes",
    [
        {"onnx_sha256": "other"},
        {"tensorrt": "10.3.1"},
        {"gpu": "Another GPU"},
        {"sm": "8.6"},
        {"driver": "12070"},
        {"options": BuildOptions("fp16")},
        {"options": BuildOptions("fp32", 1, 4, 8)},
        {"options": BuildOptions("fp32", workspace_mb=2)},
        {"options": BuildOptions("fp32", preset="throughput")},
        {"options": BuildOptions("fp32", dla_core=0)},
        {"calibration_sha256": "other"},
        {"schema": 99},
    ],
)
def test_an_engine_for_anything_else_is_not_taken(cache, model, changes):
    cache.store(key(model), b"plan")
    assert cache.load(key(model, **changes)) is None


def test_the_key_knows_the_files(tmp_path, model):
    first = key(model)
    network_file(model, **FIXED, precision="fp16")
    assert key(model).digest() != first.digest()
    scales = tmp_path / "scales"
    scales.write_bytes(b"1")
    assert EngineKey.of(model, "10.3.0", FakeCuda().device, OPTIONS, scales).calibration_sha256


def test_a_damaged_engine_is_none(cache, model):
    path = cache.store(key(model), b"a long enough plan")
    path.write_bytes(b"a long")
    assert cache.load(key(model)) is None
    cache.store(key(model), b"plan")
    path.with_suffix(".json").write_text("{")
    assert cache.load(key(model)) is None
    path.with_suffix(".json").unlink()
    assert cache.load(key(model)) is None
    assert cache.entries() == [{"path": str(path)}]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_folder_that_takes_nothing_is_said_and_left_clean(cache, model, monkeypatch, code):
    def full(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("adas_perception.inference.tensorrt.cache.os.fsync", full)
    with pytest.raises(CacheError, match=f"{os.strerror(code)}.*ADAS_ENGINES"):
        cache.store(key(model), b"plan")
    assert not list(cache.folder.iterdir())


def test_clean_removes_all_and_says_when_it_cannot(cache, model, monkeypatch):
    cache.store(key(model), b"plan")
    cache.keep_timing_cache(key(model), b"times")
    cache.keep_timing_cache(key(model), b"")
    assert cache.timing_cache(key(model)) == b"times"
    assert cache.clean() == 3 and not list(cache.folder.iterdir())
    cache.store(key(model), b"plan")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EACCES, "denied")))
    with pytest.raises(CacheError, match="denied"):
        cache.clean()


def test_the_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("ADAS_ENGINES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "adas_perception" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder().is_relative_to(Path.home())


# --- building once ---


def _build_slowly(folder, file, counter):
    trt = FakeTensorRt("10.3.0")
    built = FakeTensorRt.Builder

    class Slow(FakeTensorRt):
        def Builder(self, logger):  # noqa: N802
            with counter.get_lock():
                counter.value += 1
            time.sleep(0.5)
            return built(self, logger)

    trt.__class__ = Slow
    ensure_engine(trt, FakeCuda(), file, OPTIONS, cache=EngineCache(folder))


def test_two_processes_build_one_engine(cache, model):
    context = multiprocessing.get_context("fork")
    counter = context.Value("i", 0)
    builders = [context.Process(target=_build_slowly, args=(cache.folder, model, counter)) for _ in range(3)]
    for process in builders:
        process.start()
    for process in builders:
        process.join(20)
    assert [process.exitcode for process in builders] == [0, 0, 0]
    assert counter.value == 1


def test_a_builder_that_takes_for_ever_is_named(cache, model):
    with cache.lock(key(model)), pytest.raises(CacheError, match="another process has been building"):
        with cache.lock(key(model), timeout_s=0.0):
            pass


def test_ensure_builds_keeps_and_finds(machine, cache, model):
    trt, cuda = machine
    plan, note = ensure_engine(trt, cuda, model, OPTIONS, cache=cache)
    assert note.startswith("built") and trt.builds == 1
    again, note = ensure_engine(trt, cuda, model, OPTIONS, cache=cache)
    assert again == plan and note.startswith("in the cache") and trt.builds == 1
    ensure_engine(trt, cuda, model, OPTIONS, cache=cache, force=True)
    assert trt.builds == 2


def test_the_other_builders_engine_is_taken(machine, cache, model, monkeypatch):
    trt, cuda = machine
    answers = [None, b"their plan"]
    monkeypatch.setattr(EngineCache, "load", lambda self, key: answers.pop(0))
    assert ensure_engine(trt, cuda, model, OPTIONS, cache=cache)[1].startswith("another process has built it")


def test_a_full_disk_costs_the_next_start_not_this_one(machine, cache, model, monkeypatch):
    trt, cuda = machine
    monkeypatch.setattr(EngineCache, "_write", lambda *_: (_ for _ in ()).throw(CacheError("full")))
    plan, note = ensure_engine(trt, cuda, model, OPTIONS, cache=cache)
    assert plan and note == "not kept: full"


def test_a_read_only_folder_still_builds(machine, tmp_path, model):
    trt, cuda = machine
    (tmp_path / "file").write_text("")
    plan, note = ensure_engine(trt, cuda, model, OPTIONS, cache=EngineCache(tmp_path / "file" / "engines"))
    assert plan and note.startswith("not kept")


def test_a_build_error_frees_the_lock(machine, cache, tmp_path):
    trt, cuda = machine
    bad = network_file(tmp_path / "bad.onnx", **FIXED, build_error="no")
    for _ in range(2):
        with pytest.raises(BuildError):
            ensure_engine(trt, cuda, bad, OPTIONS, cache=cache)


# --- the backend ---


def test_the_backend_runs_what_the_cache_holds(machine, model):
    with pytest.raises(EngineAbsentError, match="run 'adas engine build'"):
        TensorRtBackend(model, Settings())
    trt, cuda = machine
    ensure_engine(trt, cuda, model, OPTIONS)
    backend = TensorRtBackend(model, Settings(priority=-1))
    x = np.ones((1, 4), np.float32)
    assert backend.infer({"x": x})["y"] == pytest.approx(2 * x)
    assert "launch_graph" in cuda.calls, "warm-up has made the graph"
    assert cuda.priorities == [-1]
    backend.close()
    assert cuda.leaks() == 0


def test_an_engine_that_cannot_be_read_is_dropped_and_built_again(machine, cache, model):
    made = EngineKey.of(model, "10.3.0", FakeCuda().device, OPTIONS)
    cache.store(made, b"no plan of this release")
    with pytest.raises(EngineAbsentError, match="cannot read it; build it again"):
        TensorRtBackend(model, Settings())
    assert cache.load(made) is None and not cache.entries()


def test_the_dla_core_reaches_the_runtime(machine, model):
    trt, cuda = machine
    trt.dla_cores = 2
    ensure_engine(trt, cuda, model, BuildOptions("fp32", dla_core=1))
    TensorRtBackend(model, Settings(dla_core=1))
    assert trt.made["runtime"].DLA_core == 1


def test_a_gpu_without_memory_is_no_reason_to_die(machine, model):
    trt, cuda = machine
    ensure_engine(trt, cuda, model, OPTIONS)
    cuda.total = 10
    with pytest.raises(BackendUnavailableError, match="the GPU cannot run net.onnx.*out of memory"):
        TensorRtBackend(model, Settings())
