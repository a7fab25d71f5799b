"""A backend that never leaves the car without a network.

It runs on TensorRT when it can. While the engine is still being built, and after the GPU has failed, it runs on the
fallback backend; it changes over between two pictures. Building is done by another process: what kills the builder
does not kill the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from adas_perception.inference.backend import (
    Arrays,
    Backend,
    BackendUnavailableError,
    EngineAbsentError,
    ModelError,
    Settings,
    load_chosen,
)
from adas_perception.inference.models import ModelSpec


class Build(Protocol):
    """An engine in the making."""

    percent: float

    def poll(self) -> str | None:
        """Return None while it is built, '' when it is ready, else why it failed."""
        ...

    def stop(self) -> None:
        """End the build."""
        ...


class SwitchingBackend:
    """A network on TensorRT, with a fallback.

    ``open_fast`` opens TensorRT, ``open_fallback`` whatever else runs here; ``begin_build`` is called once when there
    is no engine yet. BackendUnavailableError of ``open_fast`` passes through: without TensorRT nothing is switched.
    """

    def __init__(
        self, open_fast: Callable[[], Backend], open_fallback: Callable[[], Backend], begin_build: Callable[[], Build]
    ) -> None:
        self._open_fast, self._open_fallback = open_fast, open_fallback
        self._build: Build | None = None
        self._failure = ""  # why TensorRT was given up
        try:
            self._backend = open_fast()
        except EngineAbsentError:
            self._backend = open_fallback()
            self._build = begin_build()

    @property
    def name(self) -> str:
        """Return the name of the backend that runs now."""
        return self._backend.name

    @property
    def reason(self) -> str:
        """Return why it is this one, with the progress of the build."""
        if self._build is not None:
            return f"BUILDING the TensorRT engine, {self._build.percent:.0f} %"
        return f"TensorRT was given up: {self._failure}" if self._failure else self._backend.reason

    @property
    def degraded(self) -> bool:
        """Return whether it runs on less than was asked for."""
        return self._build is not None or bool(self._failure)

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once; a failure of the GPU is answered by the fallback, for this picture too."""
        self._change_over()
        try:
            return self._backend.infer(inputs)
        except RuntimeError as error:  # EngineError and CudaError are such
            if self._backend.name != "tensorrt":
                raise
            self._failure = str(error)
            self._backend = self._open_fallback()
            return self._backend.infer(inputs)

    def close(self) -> None:
        """End a build that still runs."""
        if self._build is not None:
            self._build.stop()
            self._build = None

    def _change_over(self) -> None:
        failed = self._build.poll() if self._build is not None else None
        if failed is None:
            return
        self._build = None
        if failed:
            self._failure = failed
            return
        try:
            self._backend = self._open_fast()
        except RuntimeError as error:  # BackendUnavailableError is such
            self._failure = str(error)


# The fastest precision of each backend; measured on the CPU, INT8 is slower than FP32 with ONNX Runtime.
BEST = {"tensorrt": "fp16", "openvino": "int8", "onnxruntime": "fp32"}


def open_network(entry: ModelSpec, backend: str, settings: Settings) -> Backend:
    """Open a network of models.yaml for a node; backend auto and tensorrt switch as this module says.

    Precision auto takes what is best on each backend among the files there are. Raises ModelError when no backend can
    run it.
    """

    def choose(name: str) -> tuple[Path, Settings]:
        best = BEST[name] if BEST[name] in entry.variants else "fp32"
        precision = best if settings.precision == "auto" else settings.precision
        return entry.file(precision), replace(settings, precision=precision)

    if backend not in ("auto", "tensorrt"):
        return load_chosen(backend, choose)
    from adas_perception.inference.tensorrt.backend import TensorRtBackend
    from adas_perception.inference.tensorrt.background import BackgroundBuild

    engine = choose("tensorrt")
    try:
        return SwitchingBackend(
            lambda: TensorRtBackend(*engine), lambda: load_chosen("cpu", choose), lambda: BackgroundBuild(*engine)
        )
    except BackendUnavailableError as error:
        if backend == "tensorrt":
            raise ModelError(f"{engine[0]}: TensorRT cannot run it ({error}); run 'adas check'") from None
        return load_chosen("auto", choose)  # its reason names what TensorRT lacks
