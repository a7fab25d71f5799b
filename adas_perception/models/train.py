"""Train the lane net on endless synthetic pictures: seeded, resumable, mixed precision on CUDA.

Run: python -m adas_perception.models.train --out out/lane --backbone efficientnet-lite0.pth --steps 20000
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

from adas_perception.models.lane_data import LaneClass, load_photos, make_sample
from adas_perception.models.lane_net import LaneNet

VALIDATION_SEED = 1_000_000
MIRRORED = [LaneClass.BACKGROUND, LaneClass.EGO_RIGHT, LaneClass.EGO_LEFT, LaneClass.OTHER_RIGHT, LaneClass.OTHER_LEFT]
CLASS_WEIGHTS = (1.0, 3.0, 3.0, 2.0, 2.0)  # lines fill a few per cent of the cells


@dataclass(frozen=True)
class LaneTrainConfig:
    """Settings of one training run; the same settings and seed repeat it up to the rounding of the GPU."""

    out: Path
    backbone: Path | None = None  # ImageNet weights, None starts from random ones
    photos: Path | None = None  # real pictures for the view above the horizon
    start: Path | None = None  # a checkpoint whose network is the beginning of a new run
    resume: Path | None = None  # a last.pt of the same run
    seed: int = 1
    steps: int = 20_000
    batch: int = 64
    fresh: int = 16  # new pictures per step; the rest of the batch comes from the pool
    pool: int = 16_384  # pictures kept for reuse
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 500
    averaging: float = 0.999  # decay of the moving average of the weights, which is what is kept
    validate_every: int = 1_000
    validation_pictures: int = 512
    workers: int = 2
    time_limit_s: float = float("inf")  # the learning rate falls in time to end within it, whatever the speed
    device: str = field(default_factory=lambda: "cuda" if torch.cuda.is_available() else "cpu")


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
def validate(net: LaneNet, batches: list[tuple[Tensor, Tensor]], device: str) -> dict[str, float]:
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


def train_lane(config: LaneTrainConfig) -> Path:
    """Train and return the path of the best checkpoint, ``out``/best.pt; ``out``/curve.jsonl holds the scores."""
    config.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    net = LaneNet()
    if config.backbone:
        net.backbone.load_imagenet(config.backbone)
    if config.start:
        net.load_state_dict(torch.load(config.start, map_location="cpu", weights_only=True)["net"])
    net = net.to(config.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(net)
    fused = config.device == "cuda"
    optimiser = torch.optim.AdamW(_parameter_groups(net, config), lr=config.learning_rate, fused=fused)
    first, best = 0, -1.0
    if config.resume:
        state = torch.load(config.resume, map_location=config.device, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first, best = state["step"], state["best"]
    validation = list(DataLoader(
        SyntheticRoads(config.seed + VALIDATION_SEED, config.validation_pictures, config.photos), 64,
        num_workers=config.workers, worker_init_fn=_one_thread,
    ))  # fmt: skip
    pool = Pool(config.pool, config.seed + first)
    start = time.monotonic()
    for step, (pictures, labels) in enumerate(_fresh_batches(config, first), first + 1):
        pool.add(pictures.to(config.device, non_blocking=True), labels.to(config.device, non_blocking=True))
        elapsed_s = time.monotonic() - start
        late = elapsed_s > config.time_limit_s
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _learning_rate(step, elapsed_s, config)
        loss = _learn(net, optimiser, *pool.draw(config.batch), config.device)
        _follow(average, net, min(config.averaging, step / (step + 10.0)))
        if step % 50 == 0:
            rate = (step - first) / elapsed_s
            print(f"\rstep {step}/{config.steps}  loss {loss.item():.4f}  {rate:.1f} steps/s", end="", flush=True)
        if step % config.validate_every == 0 or step == config.steps or late:
            scores = validate(average, validation, config.device)
            with (config.out / "curve.jsonl").open("a") as curve:
                curve.write(json.dumps({"step": step, "loss": loss.item(), **scores}) + "\n")
            print(f"\nstep {step}  " + "  ".join(f"{k} {v:.3f}" for k, v in scores.items()), flush=True)
            if scores["iou_lines"] > best:
                best = scores["iou_lines"]
                torch.save({"net": average.state_dict(), "step": step, "scores": scores}, config.out / "best.pt")
            torch.save({
                "net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                "step": step, "best": best,
            }, config.out / "last.pt")  # fmt: skip
        if late:
            break
    return config.out / "best.pt"


def _parameter_groups(net: nn.Module, config: LaneTrainConfig) -> list[dict[str, Any]]:
    """Weight decay on filters only, not on biases and normalisation."""
    filters = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": filters, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]


def _learning_rate(step: int, elapsed_s: float, config: LaneTrainConfig) -> float:
    """Linear warm-up, then half a cosine down to 1 %, over the steps or the time limit, whichever ends first."""
    if step < config.warmup:
        return step / config.warmup
    done = max((step - config.warmup) / max(1, config.steps - config.warmup), elapsed_s / config.time_limit_s)
    return 0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, done))))


def _fresh_batches(config: LaneTrainConfig, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    roads = SyntheticRoads(config.seed, config.steps * config.fresh, config.photos)
    rest = Subset(roads, range(first * config.fresh, len(roads)))
    pinned = config.device == "cuda"
    return iter(DataLoader(
        rest, config.fresh, num_workers=config.workers, pin_memory=pinned, worker_init_fn=_one_thread,
    ))  # fmt: skip


def _one_thread(_: int) -> None:
    """Keep OpenCV to one thread per worker: the workers fill the cores already."""
    cv2.setNumThreads(0)


def _learn(net: LaneNet, optimiser: torch.optim.Optimizer, pictures: Tensor, labels: Tensor, device: str) -> Tensor:
    net.train()
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        logits = net.logits(pictures)
    loss = lane_loss(logits, labels)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()
    return loss.detach()


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1.0 - decay)
        else:
            kept.copy_(new)


def main(argv: Sequence[str] | None = None) -> int:
    """Train from the command line; every field of LaneTrainConfig is an option."""
    parser = argparse.ArgumentParser(description="Train the lane net on synthetic pictures.")
    for f in dataclasses.fields(LaneTrainConfig):
        kind = Path if "Path" in str(f.type) else {"int": int, "float": float}.get(str(f.type), str)
        option = f"--{f.name.replace('_', '-')}"
        parser.add_argument(option, type=kind, required=f.name == "out", default=argparse.SUPPRESS)
    config = LaneTrainConfig(**vars(parser.parse_args(argv)))
    print(json.dumps({k: str(v) for k, v in dataclasses.asdict(config).items()}))
    print(train_lane(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
