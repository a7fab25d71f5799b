"""INT8 for TensorRT and OpenVINO: Q/DQ nodes by ONNX Runtime's static quantisation, a lint, and an accuracy gate.

TensorRT takes symmetric int8 only (zero point 0), scales per output channel, and no quantised bias; what decodes boxes
must stay in floating point. The measured table behind these settings is in docs/training.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from adas_perception.params import ParameterError

QUANTISED_OPS = ("Conv", "ConvTranspose", "Add")


@dataclass(frozen=True)
class QuantiseConfig:
    """How ranges are found and what stays in floating point."""

    method: str = "percentile"  # or minmax, entropy
    percentile: float = 99.99
    exclude: tuple[str, ...] = ()  # names of nodes, or their beginnings


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, pictures: Iterable[NDArray[np.uint8]]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: p[None]} for p in pictures])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._feeds, None)


def quantise(model: Path, out: Path, pictures: Iterable[NDArray[np.uint8]], config: QuantiseConfig) -> None:
    """Write the INT8 variant of a model with one uint8 picture input (1, H, W, 3); pictures (H, W, 3) calibrate it.

    Raises ValueError when the lint refuses the result.
    """
    methods = {
        "percentile": CalibrationMethod.Percentile, "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
    }  # fmt: skip
    if config.method not in methods:
        raise ParameterError(f"calibration '{config.method}' is unknown; choose {', '.join(methods)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared))
        graph = onnx.load(str(prepared)).graph
        kept = decoding_nodes(graph) | {n.name for n in graph.node if n.name.startswith(config.exclude or ("\0",))}
        quantize_static(
            str(prepared), str(out), _Reader(graph.input[0].name, pictures), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, per_channel=True,
            calibrate_method=methods[config.method], op_types_to_quantize=list(QUANTISED_OPS),
            nodes_to_exclude=sorted(kept),
            extra_options={
                "ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False,
                "CalibPercentile": config.percentile,
            },
        )  # fmt: skip
    quantised = onnx.load(str(out))
    join_activations(quantised.graph)
    onnx.save(quantised, str(out))
    faults = lint(quantised)
    if faults:
        raise ValueError(f"{out}: {'; '.join(faults[:5])}")


def decoding_nodes(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that decode boxes, whose rounding would move the boxes.

    They are the sums with a constant, and the layers whose answer is an exponent.
    """
    constants = {t.name for t in graph.initializer}
    constants |= {o for n in graph.node if n.op_type == "Constant" for o in n.output}
    sums = {n.name for n in graph.node if n.op_type == "Add" and constants & set(n.input)}
    makers = _makers(graph)
    exponents = [makers.get(n.input[0]) for n in graph.node if n.op_type == "Exp"]
    layers = [makers.get(n.input[0]) if n and n.op_type == "Clip" else n for n in exponents]
    return sums | {n.name for n in layers if n and n.op_type in QUANTISED_OPS}


def join_activations(graph: onnx.GraphProto) -> None:
    """Take out the Q/DQ pairs between a layer and its ReLU6, so that both run as one.

    ONNX Runtime puts a pair there too; its range reaches down to the lowest value that the ReLU6 cuts off, which leaves
    few of the 255 steps to what remains.
    """
    makers, readers = _makers(graph), _readers(graph)
    superfluous: list[onnx.NodeProto] = []
    for node in graph.node:
        dequantise = makers.get(node.input[0]) if node.op_type in ("Clip", "Relu") else None
        if dequantise is None or dequantise.op_type != "DequantizeLinear":
            continue
        quantise_node = makers[dequantise.input[0]]
        layer = makers.get(quantise_node.input[0])
        alone = len(readers[dequantise.output[0]]) == 1 and len(readers[dequantise.input[0]]) == 1
        if layer is not None and layer.op_type in QUANTISED_OPS and alone:
            node.input[0] = layer.output[0]
            superfluous += [dequantise, quantise_node]
    for node in superfluous:
        graph.node.remove(node)


def _makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the node that makes each value."""
    return {output: node for node in graph.node for output in node.output}


def _readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Return the nodes that read each value."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def lint(model: onnx.ModelProto) -> list[str]:
    """Return what TensorRT would refuse in the Q/DQ nodes of a model."""
    values = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            values.update({o: a.t for o in node.output for a in node.attribute if a.name == "value"})
    faults = []
    readers = _readers(model.graph)
    quantised = 0
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        quantised += 1
        zero = values.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None or zero.data_type != TensorProto.INT8:
            faults.append(f"{node.name}: the zero point is not int8")
        elif np.any(numpy_helper.to_array(zero)):
            faults.append(f"{node.name}: the zero point is not 0")
        source = values.get(node.input[0])
        if node.op_type == "DequantizeLinear" and source is not None and source.data_type == TensorProto.INT32:
            faults.append(f"{node.name}: dequantises int32, a bias")
    for name, tensor in values.items():
        if tensor.data_type == TensorProto.INT8 and name.endswith("_quantized"):
            wrong = [n.name for n in readers.get(name, []) if n.op_type != "DequantizeLinear"]
            faults += [f"{n}: reads the quantised constant {name} without dequantising it" for n in wrong]
    if not quantised:
        faults.append("no Q/DQ nodes at all")
    return faults


@dataclass(frozen=True)
class Verdict:
    """Whether a converted model may be used."""

    before: float
    after: float
    drop_max: float

    @property
    def accepted(self) -> bool:
        """The score fell by no more than is allowed."""
        return self.before - self.after <= self.drop_max

    def __str__(self) -> str:
        word = "accepted" if self.accepted else "refused"
        return f"{word}: {self.before:.4f} before, {self.after:.4f} after, at most {self.drop_max:.4f} less is allowed"
