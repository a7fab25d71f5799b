"""OpenVINO on the CPU."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import Arrays, BackendUnavailableError, ModelError, Settings
from adas_perception.inference.tensorrt.cache import default_folder


def load() -> Any:
    """Return the package openvino, imported without its telemetry; raises BackendUnavailableError.

    That would report the import to the network from a fork of this process, which hangs for ever where ROS threads run.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError:
        raise BackendUnavailableError("the package openvino is not installed") from None


class OpenVinoBackend:
    """A compiled model with one inference request, tuned for latency."""

    name = "openvino"

    def __init__(self, model: Path, settings: Settings) -> None:
        openvino = load()
        properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": settings.threads,
            # Some CPUs would compute in bfloat16 unasked; precision belongs into the model file.
            "INFERENCE_PRECISION_HINT": "f32",
            **_cache(),
        }
        core = openvino.Core()
        try:
            network = core.read_model(str(model))
            if network.is_dynamic():  # a fixed batch runs faster than an open one
                network.reshape({i: [settings.batch, *i.get_partial_shape()[1:]] for i in network.inputs})
            compiled = core.compile_model(network, "CPU", properties)
        except RuntimeError as error:
            line = next((s.strip() for s in reversed(str(error).splitlines()) if s.strip()), "unknown error")
            raise ModelError(f"{model}: not a model that OpenVINO can load ({line[:200]})") from None
        self._request = compiled.create_infer_request()
        # A tensor may carry further names from inside the graph; the result node is called after the ONNX output.
        self._outputs = [output.node.get_friendly_name().partition("/sink_port")[0] for output in compiled.outputs]
        self.reason = ""

    def infer(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the network once."""
        self._request.infer(dict(inputs))
        return {name: np.array(self._request.get_tensor(name).data) for name in self._outputs}


def _cache() -> dict[str, str]:
    """Return where compiled networks are kept, so that a process that starts again is soon back; nowhere if not."""
    folder = default_folder() / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    return {"CACHE_DIR": str(folder)}
