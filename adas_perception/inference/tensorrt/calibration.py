"""INT8 scales from a calibration cache: legacy, for a DLA before TensorRT 11 (JetPack 6) only.

There a DLA takes no Q/DQ graph. NVIDIA's qdq_translator (Deep-Learning-Accelerator-SW) makes such a cache from one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adas_perception.inference.backend import ModelError


def make_calibrator(trt: Any, cache: Path | None) -> Any:
    """Return a calibrator that only hands out the scales in the file ``cache``; raises ModelError without one."""
    if cache is None or not cache.is_file():
        raise ModelError(
            f"INT8 on a DLA with TensorRT {trt.__version__} needs --calibration-cache, made from the Q/DQ file by "
            "NVIDIA's qdq_translator; or choose fp16"
        )
    scales = cache.read_bytes()

    class Calibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str]) -> None:
            """No pictures: everything is in the cache."""

        def read_calibration_cache(self) -> bytes:
            return scales

        def write_calibration_cache(self, cache: bytes) -> None:
            """Nothing new was measured."""

    return Calibrator()
