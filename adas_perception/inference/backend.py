"""Which library runs a network: one Protocol, one chooser.

A backend takes and returns NumPy arrays by tensor name. ``auto`` tries TensorRT, OpenVINO and ONNX Runtime in this
order and takes the first that this machine can run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class ModelError(ValueError):
    """A model cannot be used; the message names the file and the remedy."""


class ModelAbsentError(ModelError):
    """The file of a model is not on this machine."""


class BackendUnavailableError(RuntimeError):
    """The backend cannot run on this machine; the message says why."""


class EngineAbsentError(BackendUnavailableError):
    """TensorRT and the GPU are there, the engine is not built yet."""


@dataclass(frozen=True)
class Settings:
    """How a backend runs a network; each takes what concerns it."""

    threads: int = 2  # of the processor
    precision: str = "fp32"  # of the model file; part of the key of a TensorRT engine
    dla_core: int = -1  # deep learning accelerator of a Jetson; -1: the GPU
    cuda: str = "auto"  # the library that TensorRT's memory comes from
    priority: int = 0  # of the CUDA stream, lower goes first
    batch: int = 1  # pictures in one run, where the model file leaves it open


_DEFAULT = Settings()


def threads_for(wanted: int) -> int:
    """Return how many threads a network gets: ``wanted``, or with 0 two, but one where it may use only two cores.

    A second thread takes 2 ms off ``lane_v2`` and costs 4 ms of processor time, which two cores have better use for.
    """
    return wanted or (1 if len(os.sched_getaffinity(0)) <= 2 else 2)


class Backend(Protocol):
    """A loaded network."""

    @property
    def name(self) -> str:
        """Return tensorrt, openvino or onnxruntime."""
        ...

    @property
    def reason(self) -> str:
        """Return why this backend was chosen."""
        ...

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once; keys are tensor names, shapes and types those of the model."""
        ...


def _openers() -> dict[str, Callable[[Path, Settings], Any]]:
    from adas_perception.inference.onnxruntime_backend import OnnxRuntimeBackend
    from adas_perception.inference.openvino_backend import OpenVinoBackend
    from adas_perception.inference.tensorrt.backend import TensorRtBackend

    return {"tensorrt": TensorRtBackend, "openvino": OpenVinoBackend, "onnxruntime": OnnxRuntimeBackend}


BACKENDS = ("tensorrt", "openvino", "onnxruntime")
# What a choice tries, in this order.
_CHOICES = {"auto": BACKENDS, "cpu": BACKENDS[1:], **{name: (name,) for name in BACKENDS}}


def load_backend(model: Path, backend: str = "auto", settings: Settings = _DEFAULT) -> Backend:
    """Load an ONNX file on the backend of that name; auto and cpu: on the first that works here.

    Raises ModelError when the file is missing or broken or when no backend can run it.
    """
    return load_chosen(backend, lambda name: (model, settings))


def load_chosen(backend: str, choose: Callable[[str], tuple[Path, Settings]]) -> Backend:
    """Load as load_backend does, where ``choose`` names the file and the settings for each backend."""
    if backend not in _CHOICES:
        raise ModelError(f"backend '{backend}' is unknown; choose {', '.join(_CHOICES)}")
    refusals = []
    for name in _CHOICES[backend]:
        model, settings = choose(name)
        _expect_file(model)
        try:
            loaded = _openers()[name](model, settings)
        except BackendUnavailableError as error:
            refusals.append(f"{name}: {error}")
            continue
        loaded.reason = "; ".join(refusals) or ("asked for" if backend in BACKENDS else "first choice")
        return cast(Backend, loaded)
    raise ModelError(f"{model}: no backend can run it ({'; '.join(refusals)}); run 'adas check'")


def _expect_file(model: Path) -> None:
    if not model.is_file():
        raise ModelError(f"{model}: no such model file; check the path in models.yaml")
    if model.stat().st_size == 0:
        raise ModelError(f"{model}: the model file is empty; fetch it again")
