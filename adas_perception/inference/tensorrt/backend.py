"""TensorRT as a backend: finds the engine of a network in the cache and runs it. It never builds one by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import Arrays, BackendUnavailableError, EngineAbsentError, Settings
from adas_perception.inference.cuda import Cuda, CudaError, open_cuda
from adas_perception.inference.tensorrt.api import load_tensorrt
from adas_perception.inference.tensorrt.build import Progress, build_engine
from adas_perception.inference.tensorrt.cache import CacheError, EngineCache, EngineKey
from adas_perception.inference.tensorrt.options import BuildOptions
from adas_perception.inference.tensorrt.runner import EngineError, TrtRunner

WARM_UP_RUNS = 3


class TensorRtBackend:
    """An engine from the cache, warmed up."""

    name = "tensorrt"

    def __init__(self, model: Path, settings: Settings) -> None:
        self.reason = ""
        trt, cuda = load_tensorrt(), open_cuda(settings.cuda)
        options = BuildOptions(
            settings.precision, settings.batch, settings.batch, settings.batch, dla_core=settings.dla_core
        )
        key, cache = EngineKey.of(model, trt.__version__, cuda.device, options), EngineCache()
        try:
            self._runner = open_runner(trt, cuda, key, cache, settings)
            self._warm_up()
        except (CudaError, EngineError) as error:
            raise BackendUnavailableError(f"the GPU cannot run {model.name}: {error}") from None

    def _warm_up(self) -> None:
        """Run on empty pictures: the first runs are slow, and a CUDA graph is made from the second."""
        zeros = {tensor.name: np.zeros(tensor.smallest, tensor.dtype) for tensor in self._runner.inputs}
        for _ in range(WARM_UP_RUNS):
            self._runner.infer(zeros)

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once."""
        return self._runner.infer(inputs)

    def device_ms(self, inputs: Arrays, repeats: int) -> float:
        """Return the GPU's own time for one run, copies included."""
        return self._runner.timed(inputs, repeats)

    def close(self) -> None:
        """Give the GPU's memory back."""
        self._runner.close()


def open_runner(trt: Any, cuda: Cuda, key: EngineKey, cache: EngineCache, settings: Settings) -> TrtRunner:
    """Load the engine of ``key``; raises EngineAbsentError when it is not in the cache or cannot be used."""
    plan = cache.load(key)
    if plan is None:
        raise EngineAbsentError(f"no engine of {key.name} for this machine; run 'adas engine build'")
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    if settings.dla_core >= 0:
        runtime.DLA_core = settings.dla_core
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        cache.drop(key)
        raise EngineAbsentError(f"{cache.plan_path(key)}: TensorRT {trt.__version__} cannot read it; build it again")
    return TrtRunner(trt, engine, cuda, priority=settings.priority)


def ensure_engine(
    trt: Any,
    cuda: Cuda,
    model: Path,
    options: BuildOptions,
    *,
    cache: EngineCache | None = None,
    calibration_cache: Path | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> tuple[bytes, str]:
    """Return the engine of ``model`` and a note; from the cache, else built and kept.

    Another process that builds the same engine is waited for. A folder that takes nothing costs the next start
    another build, not this one. Raises BuildError, CacheError.
    """
    cache = cache or EngineCache()
    key = EngineKey.of(model, trt.__version__, cuda.device, options, calibration_cache)
    plan = None if force else cache.load(key)
    if plan is not None:
        return plan, f"in the cache: {cache.plan_path(key)}"
    try:
        with cache.lock(key):
            plan = None if force else cache.load(key)
            if plan is not None:
                return plan, f"another process has built it: {cache.plan_path(key)}"
            return _build_and_keep(trt, model, options, cache, key, calibration_cache, progress)
    except CacheError as error:
        built = build_engine(trt, model, options, calibration_cache=calibration_cache, progress=progress)
        return built.plan, f"not kept: {error}"


def _build_and_keep(
    trt: Any,
    model: Path,
    options: BuildOptions,
    cache: EngineCache,
    key: EngineKey,
    calibration_cache: Path | None,
    progress: Progress | None,
) -> tuple[bytes, str]:
    built = build_engine(
        trt,
        model,
        options,
        timing_cache=cache.timing_cache(key),
        calibration_cache=calibration_cache,
        progress=progress,
    )
    try:
        cache.keep_timing_cache(key, built.timing_cache)
        return built.plan, f"built: {cache.store(key, built.plan)}"
    except CacheError as error:
        return built.plan, f"not kept: {error}"

