"""Train the lane net on endless synthetic pictures: its task for the training loop.

Run: adas train lane --out out/lane --backbone efficientnet-lite0.pth --steps 20000
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

from adas_perception.models.fit import Scores
from adas_perception.models.lane_data import LaneClass, load_photos, make_sample
from adas_perception.models.lane_net import LaneNet

VALIDATION_SEED = 1_000_000
MIRRORED = [LaneClass.BACKGROUND, LaneClass.EGO_RIGHT, LaneClass.EGO_LEFT, LaneClass.OTHER_RIGHT, LaneClass.OTHER_LEFT]
CLASS_WEIGHTS = (1.0, 3.0, 3.0, 2.0, 2.0)  # lines fill a few per cent of the cells


@dataclass(frozen=True)
class LaneData:
    """Where the pictures come from and how many are drawn."""

    backbone: Path | None = None  # ImageNet weights, None starts from random ones
    photos: Path | None = None  # real pictures for the view above the horizon
    start: Path | None = None  # a checkpoint whose network is the beginning of a new run
    seed: int = 1
    steps: int = 20_000
    batch: int = 64
    fresh: int = 16  # new pictures per step; the rest of the batch comes from the pool
    pool: int = 16_384  # pictures kept for reuse
    validation_pictures: int = 512
    workers: int = 2


class SyntheticRoads(Dataset[tuple[Tensor, Tensor]]):
    """Sample i is the picture of (seed, i): uint8 (H, W, 3), and float16 (7, h, w) of classes, dashed, weight."""

    def __init__(self, seed: int, count: int, photos: Path | None) -> None:
        self.seed, self.count, self.photos = seed, count, load_photos(photos)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = make_sample((self.seed, index), self.photos)
        label = np.concatenate([sample.classes, sample.dashed[None], sample.weight[None]])
        return torch.from_numpy(sample.picture), torch.from_numpy(label.astype(np.float16))


class Pool:
    """The latest pictures on the training device, drawn from again because rendering is dearer than learning."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.count, self.cursor = size, 0, 0
        self.pictures = self.labels = torch.empty(0)
        self.rng = torch.Generator().manual_seed(seed)

    def add(self, pictures: Tensor, labels: Tensor) -> None:
        """Store a fresh batch over the oldest."""
        if self.count == 0:
            self.pictures = pictures.new_empty((self.size, *pictures.shape[1:]))
            self.labels = labels.new_empty((self.size, *labels.shape[1:]))
        places = (self.cursor + torch.arange(len(pictures))) % self.size
        self.pictures[places.to(pictures.device)] = pictures
        self.labels[places.to(labels.device)] = labels
        self.cursor = (self.cursor + len(pictures)) % self.size
        self.count = min(self.count + len(pictures), self.size)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return a random batch, each picture mirrored and relit at random."""
        places = torch.randint(self.count, (count,), generator=self.rng).to(self.pictures.device)
        pictures, labels = self.pictures[places], self.labels[places].float()
        if torch.rand((), generator=self.rng) < 0.5:
            pictures = pictures.flip(2)
            labels = labels[:, [*MIRRORED, 5, 6]].flip(3)
        gain = (0.8 + 0.4 * torch.rand((count, 1, 1, 3), generator=self.rng)).to(pictures.device)
        return (pictures.float() * gain).clamp(0.0, 255.0).to(torch.uint8), labels


def lane_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy with soft classes, plus the dashed flag on the lines."""
    classes, dashed, weight = label[:, :5], label[:, 5], label[:, 6]
    importance = classes.new_tensor(CLASS_WEIGHTS)[None, :, None, None]
    entropy = -(classes * importance * functional.log_softmax(logits[:, :5].float(), dim=1)).sum(1)
    flag = functional.binary_cross_entropy_with_logits(logits[:, 5].float(), dashed, reduction="none")
    on_line = (1.0 - classes[:, 0]) * weight
    return (entropy * weight).mean() + 0.1 * (flag * on_line).sum() / on_line.sum().clamp(min=1.0)


@torch.no_grad()
def validate(net: nn.Module, batches: list[tuple[Tensor, Tensor]], device: str) -> Scores:
    """Intersection over union of each class at one half, and the share of right dashed flags on lines."""
    net.eval()
    both, either = torch.zeros(5), torch.zeros(5)
    right = total = 0.0
    for pictures, labels in batches:
        output = net(pictures.to(device)).float().cpu()
        seen = labels[:, 6:7].float() > 0.5
        truth, found = (labels[:, :5].float() > 0.5) & seen, (output[:, :5] > 0.5) & seen
        both += (truth & found).sum((0, 2, 3))
        either += (truth | found).sum((0, 2, 3))
        on_line = truth[:, 1:].any(1)
        right += float(((output[:, 5] > 0.5) == (labels[:, 5] > 0.5))[on_line].sum())
        total += float(on_line.sum())
    iou = both / either.clamp(min=1.0)
    scores = {f"iou_{name.name.lower()}": float(iou[name]) for name in LaneClass}
    means = {"iou_ego": float(iou[1:3].mean()), "iou_lines": float(iou[1:].mean())}
    return {**scores, **means, "dashed_accuracy": right / max(total, 1.0)}


class LaneTask:
    """Lane boundaries on drawn roads."""

    score = "iou_ego"

    def __init__(self, data: LaneData, device: str) -> None:
        torch.manual_seed(data.seed)
        lanes = LaneNet()
        if data.backbone:
            lanes.backbone.load_imagenet(data.backbone)
        if data.start:
            lanes.load_state_dict(torch.load(data.start, map_location="cpu", weights_only=True)["net"])
        self.net: nn.Module = lanes.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._data, self._device = data, device
        self._validation = list(DataLoader(
            SyntheticRoads(data.seed + VALIDATION_SEED, data.validation_pictures, data.photos), 64,
            num_workers=data.workers, worker_init_fn=_one_thread,
        ))  # fmt: skip
        self._fresh: Iterator[tuple[Tensor, Tensor]] | None = None
        self._pool = Pool(data.pool, data.seed)

    def loss(self, net: nn.Module, step: int) -> Tensor:
        """Draw fresh pictures into the pool and return the loss of a batch from it."""
        if self._fresh is None:  # a resumed run goes on with the pictures of its step
            self._fresh = self._drawn_from(step - 1)
            self._pool.rng.manual_seed(self._data.seed + step - 1)
        pictures, labels = next(self._fresh)
        self._pool.add(pictures.to(self._device, non_blocking=True), labels.to(self._device, non_blocking=True))
        pictures, labels = self._pool.draw(self._data.batch)
        return lane_loss(net.logits(pictures), labels)  # type: ignore[operator]

    def validate(self, net: nn.Module) -> Scores:
        """Overlaps on drawn pictures that the training never sees."""
        return validate(net, self._validation, self._device)

    def _drawn_from(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        data = self._data
        roads = SyntheticRoads(data.seed, data.steps * data.fresh, data.photos)
        rest = Subset(roads, range(first * data.fresh, len(roads)))
        return iter(DataLoader(
            rest, data.fresh, num_workers=data.workers, pin_memory=self._device == "cuda",
            worker_init_fn=_one_thread,
        ))  # fmt: skip


def _one_thread(_: int) -> None:
    """Keep OpenCV to one thread per worker: the workers fill the cores already."""
    cv2.setNumThreads(0)
