"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from adas_perception.inference.backend import Arrays, BackendUnavailableError, ModelError, Settings


class OnnxRuntimeBackend:
    """A session with a fixed number of threads."""

    name = "onnxruntime"

    def __init__(self, model: Path, settings: Settings) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise BackendUnavailableError("the package onnxruntime is not installed") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's own exceptions share no base but this
            raise ModelError(f"{model}: not a model that ONNX Runtime can load ({_first_line(error)})") from None
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.reason = ""

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
