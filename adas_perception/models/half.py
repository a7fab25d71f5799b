"""FP16 for TensorRT: the whole graph in half precision; inputs and outputs keep their types."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
from onnx import TensorProto
from onnxconverter_common import float16


def to_half(model: Path, out: Path) -> None:
    """Write the FP16 variant of a float32 model; the judgement of its accuracy is the caller's."""
    graph = onnx.load(str(model))
    casts = {node.name for node in graph.graph.node if node.op_type == "Cast"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one for every weight too small for half precision
        converted = float16.convert_float_to_float16(graph, keep_io_types=True)
    # The converter leaves the graph's own casts to float32, which a strongly typed TensorRT then cannot mix.
    for node in converted.graph.node:
        if node.name in casts and node.attribute[0].i == TensorProto.FLOAT:
            node.attribute[0].i = TensorProto.FLOAT16
    onnx.checker.check_model(converted, full_check=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(converted, str(out))
