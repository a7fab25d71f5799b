"""The object detector: EfficientNet-Lite0 features, a feature pyramid and anchor-free heads at strides 4 to 32.

Built for TensorRT, DLA and OpenVINO: no squeeze-and-excitation, ReLU6, transposed convolutions with kernel 2, stride 2,
padding 0, picture sizes in multiples of 32. The picture goes in as uint8; normalisation, sigmoid and the decoding of
the boxes are part of the graph.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from adas_perception.models.lane_net import TAPS, Backbone, Up
from adas_perception.types import ObjectClass

CLASSES = (
    ObjectClass.CAR, ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST, ObjectClass.TRAFFIC_LIGHT, ObjectClass.TRAFFIC_SIGN,
)  # fmt: skip
STRIDES = (4, 8, 16, 32)
WIDTH_PX, HEIGHT_PX = 640, 384
REACH_MAX = 5.5  # a box edge is at most e^5.5 strides / 4 from its cell


class Raw(NamedTuple):
    """Answer before the sigmoid: boxes (N, A, 4) as x1 y1 x2 y2 in pixels and class logits (N, A, C)."""

    boxes: Tensor
    logits: Tensor


class Head(nn.Module):
    """Class logits and box edges of one level."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True))
        self.tower = nn.Sequential(*(
            layer for _ in range(2)
            for layer in (nn.Conv2d(wide, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True))
        ))  # fmt: skip
        self.classes = nn.Conv2d(wide, len(CLASSES), 1)
        self.edges = nn.Conv2d(wide, 4, 1)
        nn.init.constant_(self.classes.bias, -math.log(99.0))  # type: ignore[arg-type]  # one cell in a hundred
        nn.init.constant_(self.edges.bias, math.log(4.0))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, channels, h, w) to logits (N, C, h, w) and log distances (N, 4, h, w) in quarters of a stride."""
        y = self.tower(self.stem(x))
        return self.classes(y), self.edges(y)


class DetectorNet(nn.Module):
    """Boxes of road users, lights and signs."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.up16 = Up(TAPS[12], TAPS[10], 80)
        self.up8 = Up(80, TAPS[4], 64)
        self.up4 = Up(64, TAPS[2], 32)
        self.heads = nn.ModuleList([Head(32, 32), Head(64, 64), Head(80, 80), Head(TAPS[12], 80)])

    def _answer(self, picture: Tensor) -> Raw:
        # TensorRT moves no uint8 axes: to float first.
        x = (picture.float().permute(0, 3, 1, 2) - 127.0) / 128.0
        s4, s8, s16, s32 = self.backbone(x)
        p16 = self.up16(s32, s16)
        p8 = self.up8(p16, s8)
        levels = (self.up4(p8, s4), p8, p16, s32)
        logits, boxes = [], []
        for stride, head, level in zip(STRIDES, self.heads, levels, strict=True):
            classes, edges = head(level)
            centre = cell_centres(level.shape[2], level.shape[3], stride).to(level.device)
            reach = _by_cell(edges).float().clamp(max=REACH_MAX).exp() * (stride / 4.0)
            boxes.append(torch.cat([centre - reach[..., :2], centre + reach[..., 2:]], dim=2))
            logits.append(_by_cell(classes))
        return Raw(torch.cat(boxes, 1), torch.cat(logits, 1))

    def forward(self, picture: Tensor, decoded: bool = True) -> tuple[Tensor, Tensor]:
        """Map uint8 RGB pictures (N, H, W, 3) to boxes (N, A, 4) in pixels and scores (N, A, 5) of CLASSES.

        Cells come in the order of STRIDES, row by row. With ``decoded`` false the answer is a ``Raw`` for the loss.
        """
        answer = self._answer(picture)
        return (answer.boxes, answer.logits.sigmoid()) if decoded else answer


def _by_cell(level: Tensor) -> Tensor:
    """Map (N, C, h, w) to (N, h w, C), the order in which CPUs keep it anyway."""
    return level.permute(0, 2, 3, 1).flatten(1, 2)


def cell_centres(rows: int, columns: int, stride: int) -> Tensor:
    """Pixels (1, rows columns, 2) of the centres of a level's cells, x before y."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return ((torch.stack([x, y], -1) + 0.5) * stride).float().flatten(0, 1)[None]
