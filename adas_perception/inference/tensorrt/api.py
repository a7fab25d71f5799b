"""Finding TensorRT, and its log."""

from __future__ import annotations

import importlib
from typing import Any

from adas_perception.inference.backend import BackendUnavailableError

# TensorRT-RTX is the same API for desktop GPUs.
MODULES = ("tensorrt", "tensorrt_rtx")


def load_tensorrt() -> Any:
    """Return the TensorRT module of this machine; raises BackendUnavailableError when there is none."""
    said = "TensorRT is not installed"
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        except OSError as error:
            said = f"TensorRT does not load ({error})"
            continue
        # The stubs package installs an empty module of that name.
        if hasattr(module, "Builder"):
            return module
        said = "the installed tensorrt module is an empty shell"
    raise BackendUnavailableError(said)


def make_logger(trt: Any) -> Any:
    """Return a logger for TensorRT that keeps what went wrong in its list ``errors`` and prints nothing."""

    class Logger(trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message.strip())

    return Logger()


def last_errors(logger: Any) -> str:
    """Return the latest messages in one line."""
    return "; ".join(logger.errors[-3:]) or "it gave no reason"
