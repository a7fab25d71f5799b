"""Running networks: load_backend, load_model_spec and what they return and raise."""

from adas_perception.inference.backend import (
    BACKENDS,
    Arrays,
    Backend,
    BackendUnavailableError,
    ModelError,
    load_backend,
)
from adas_perception.inference.models import ModelSpec, load_model_spec

__all__ = [
    "BACKENDS",
    "Arrays",
    "Backend",
    "BackendUnavailableError",
    "ModelError",
    "ModelSpec",
    "load_backend",
    "load_model_spec",
]
