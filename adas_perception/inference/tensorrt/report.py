"""What is inside an engine: layers, precision, inputs and outputs, memory."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from adas_perception.inference.tensorrt.runner import EngineError


@dataclass(frozen=True)
class TensorReport:
    """An input or output of the engine."""

    name: str
    direction: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class EngineReport:
    """An engine as its inspector sees it; ``precisions`` counts the layers by the type they compute in."""

    tensors: tuple[TensorReport, ...]
    layers: tuple[str, ...]
    precisions: dict[str, int]
    device_memory_bytes: int
    plan_bytes: int


def inspect_engine(trt: Any, plan: bytes) -> EngineReport:
    """Read an engine; needs the GPU it was built for. Raises EngineError when TensorRT cannot read it."""
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(f"TensorRT {trt.__version__} cannot read this engine; it was built elsewhere or is damaged")
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    layers = [_as_layer(layer) for layer in json.loads(text).get("Layers", [])]
    return EngineReport(
        tuple(_tensor(trt, engine, engine.get_tensor_name(i)) for i in range(engine.num_io_tensors)),
        tuple(name for name, _ in layers),
        dict(Counter(precision for _, precision in layers)),
        _memory(engine),
        len(plan),
    )


def _as_layer(layer: Any) -> tuple[str, str]:
    """Return name and type of a layer; built without details it is only a name."""
    if isinstance(layer, str):
        return layer, "unknown"
    outputs = layer.get("Outputs") or [{}]
    # Such as "Row major linear FP16 format" or "Half".
    said = str(outputs[0].get("Format/Datatype") or outputs[0].get("Format") or layer.get("Precision") or "unknown")
    names = {"FP32": "fp32", "FLOAT": "fp32", "FP16": "fp16", "HALF": "fp16", "INT8": "int8", "UINT8": "uint8"}
    found = next((short for word, short in names.items() if word in said.upper().replace("UINT8", "U8")), None)
    return str(layer.get("Name", "")), found or ("uint8" if "UINT8" in said.upper() else "other")


def _tensor(trt: Any, engine: Any, name: str) -> TensorReport:
    is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    dtype = engine.get_tensor_dtype(name)
    return TensorReport(name, "input" if is_input else "output", dtype.name, tuple(engine.get_tensor_shape(name)))


def _memory(engine: Any) -> int:
    # Up to TensorRT 8 the first, from 11 the second name is gone.
    name = "device_memory_size_v2" if hasattr(engine, "device_memory_size_v2") else "device_memory_size"
    return int(getattr(engine, name))
