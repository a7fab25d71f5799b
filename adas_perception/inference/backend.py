"""Which library runs a network: one Protocol, one chooser.

A backend takes and returns NumPy arrays by tensor name. ``auto`` tries TensorRT, OpenVINO and ONNX Runtime in this
order and takes the first that this machine can run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class ModelError(ValueError):
    """A model cannot be used; the message names the file and the remedy."""


class ModelAbsentError(ModelError):
    """The file of a model is not on this machine."""


class BackendUnavailableError(RuntimeError):
    """The backend cannot run on this machine; the message says why."""


class Backend(Protocol):
    """A loaded network."""

    name: str  # tensorrt, openvino or onnxruntime
    reason: str  # why this backend was chosen

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once; keys are tensor names, shapes and types those of the model."""
        ...


def _openers() -> dict[str, Callable[[Path, int], Backend]]:
    from adas_perception.inference.onnxruntime_backend import OnnxRuntimeBackend
    from adas_perception.inference.openvino_backend import OpenVinoBackend
    from adas_perception.inference.tensorrt_backend import TensorRtBackend

    return {"tensorrt": TensorRtBackend, "openvino": OpenVinoBackend, "onnxruntime": OnnxRuntimeBackend}


BACKENDS = ("tensorrt", "openvino", "onnxruntime")


def load_backend(model: Path, backend: str = "auto", threads: int = 2) -> Backend:
    """Load an ONNX file on the backend of that name, or on the first of BACKENDS that works here for ``auto``.

    Raises ModelError when the file is missing or broken or when no backend can run it.
    """
    if backend != "auto" and backend not in BACKENDS:
        raise ModelError(f"backend '{backend}' is unknown; choose auto, {', '.join(BACKENDS)}")
    if not model.is_file():
        raise ModelError(f"{model}: no such model file; check the path in models.yaml")
    if model.stat().st_size == 0:
        raise ModelError(f"{model}: the model file is empty; fetch it again")
    refusals = []
    for name in BACKENDS if backend == "auto" else (backend,):
        try:
            loaded = _openers()[name](model, threads)
        except BackendUnavailableError as error:
            refusals.append(f"{name}: {error}")
            continue
        loaded.reason = "; ".join(refusals) or ("asked for" if backend != "auto" else "first choice")
        return loaded
    raise ModelError(f"{model}: no backend can run it ({'; '.join(refusals)}); run 'adas check'")
