"""Export a trained network to ONNX, checked against PyTorch.

Two exporters: opset 20 by torch.export; opset 17 by tracing, made small by onnxslim, for TensorRT 8.6 (JetPack 6.0).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from adas_perception.models.detector_net import HEIGHT_PX, WIDTH_PX, DetectorNet
from adas_perception.models.lane_net import LaneNet
from adas_perception.models.road_scene import PICTURE_HEIGHT, PICTURE_WIDTH
from adas_perception.params import ParameterError

INPUT = "picture"
OPSETS = (17, 20)
PARITY_MAX = 1e-3  # largest difference from PyTorch: of probabilities, and of pixels over the picture's width
BATCHES = (1, 3)


@dataclass(frozen=True)
class Exportable:
    """A network with its input size and the names of its outputs."""

    make: Callable[[], nn.Module]
    height_px: int
    width_px: int
    outputs: tuple[str, ...]


EXPORTABLE = {
    "lane": Exportable(LaneNet, PICTURE_HEIGHT, PICTURE_WIDTH, ("lanes",)),
    "object": Exportable(DetectorNet, HEIGHT_PX, WIDTH_PX, ("boxes", "scores")),
}


def load_net(kind: str, checkpoint: Path) -> nn.Module:
    """Return the network of a checkpoint, ready for inference on the CPU."""
    net = EXPORTABLE[kind].make()
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["net"])
    return net.eval()


def export(kind: str, net: nn.Module, out: Path, opset: int = 17, batch: int = 0) -> float:
    """Write the ONNX file and return its largest difference from PyTorch on random pictures.

    ``batch`` 0 leaves the batch open; a number fixes it, as DLA and CUDA graphs want it.
    Boxes are compared as shares of the picture's width, so that one limit serves all outputs.
    """
    if opset not in OPSETS:
        raise ParameterError(f"opset {opset}: choose {' or '.join(map(str, OPSETS))}")
    spec = EXPORTABLE[kind]
    out.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros((batch or 2, spec.height_px, spec.width_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if opset == 20:
            shapes = None if batch else ({0: torch.export.Dim("batch", min=1, max=64)},)
            torch.onnx.export(
                net, (example,), str(out), input_names=[INPUT], output_names=list(spec.outputs), opset_version=20,
                dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False,
            )  # fmt: skip
        else:
            axes = {} if batch else {name: {0: "batch"} for name in (INPUT, *spec.outputs)}
            torch.onnx.export(
                net, (example,), str(out), input_names=[INPUT], output_names=list(spec.outputs), opset_version=17,
                dynamo=False, dynamic_axes=axes,
            )  # fmt: skip
            _slim(out)
    onnx.checker.check_model(onnx.load(str(out)), full_check=True)
    return max(parity(kind, net, out, n) for n in ((batch,) if batch else BATCHES))


def _slim(file: Path) -> None:
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(str(file))), str(file))


def parity(kind: str, net: nn.Module, model: Path, batch: int, seed: int = 77) -> float:
    """Return the largest difference between PyTorch and the ONNX file on a batch of random pictures."""
    spec = EXPORTABLE[kind]
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    shape = (batch, spec.height_px, spec.width_px, 3)
    pictures = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    with torch.no_grad():
        answer = net(torch.from_numpy(pictures))
    expected = answer if isinstance(answer, tuple) else (answer,)
    found = session.run(list(spec.outputs), {INPUT: pictures})
    worst = 0.0
    for name, a, b in zip(spec.outputs, expected, found, strict=True):
        unit = spec.width_px if name == "boxes" else 1.0
        worst = max(worst, float(np.abs(a.numpy() - b).max()) / unit)
    return worst
