"""What an engine is built for."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.params import Params, param

PRECISIONS = ("fp32", "fp16", "int8")
# Optimisation level, repetitions of each timing, auxiliary streams (None: TensorRT decides). Latency: search longest
# and let branches of the net run side by side; throughput: one stream for each context, several contexts fill the GPU.
PRESETS: dict[str, tuple[int, int, int | None]] = {"latency": (5, 8, None), "throughput": (3, 4, 0)}


@dataclass(frozen=True)
class BuildOptions(Params):
    """Everything that changes the engine, beside the network and the machine."""

    precision: str = param("fp16", "precision of the network's file", choices=PRECISIONS)
    batch_min: int = param(1, "smallest batch", low=1, high=64)
    batch_opt: int = param(1, "batch that the engine is tuned for", low=1, high=64)
    batch_max: int = param(1, "largest batch", low=1, high=64)
    workspace_mb: int = param(1024, "memory that a layer may use while it runs", unit="MiB", low=1, high=65536)
    preset: str = param("latency", "what to tune for", choices=tuple(PRESETS))
    dla_core: int = param(-1, "deep learning accelerator, 0 or 1; -1: the GPU", low=-1, high=1)

    @property
    def batches(self) -> tuple[int, int, int]:
        """Return the smallest, the tuned and the largest batch."""
        return self.batch_min, self.batch_opt, self.batch_max

    @property
    def on_dla(self) -> bool:
        """Return whether a deep learning accelerator is asked for."""
        return self.dla_core >= 0
