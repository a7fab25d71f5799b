"""What the detector learns from: cells are given to boxes by how well they already answer, then scored.

Assignment by task alignment (Feng et al., TOOD, ICCV 2021): of the cells inside a box those win whose class score and
overlap are best together; their target score is that quality, so that the score says how good the box is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from adas_perception.models.detector_net import CLASSES, STRIDES, Raw, cell_centres

TOP_CELLS = 10
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
CENTRE_MIN_PX = 6.0  # a box counts as at least this wide and high when cells are looked for in it
BOX_WEIGHT = 2.5
FOCUS = 1.5  # exponent that plays down easy background


class Truth(NamedTuple):
    """Boxes of a batch, padded: corners (N, M, 4), class index into CLASSES (N, M), valid and ignore flags (N, M)."""

    boxes: Tensor
    classes: Tensor
    valid: Tensor
    ignore: Tensor


class Targets(NamedTuple):
    """Per cell: score of each class (N, A, C), box (N, A, 4), positive (N, A), weight of each class (N, A, C)."""

    scores: Tensor
    boxes: Tensor
    positive: Tensor
    weight: Tensor


def all_centres(height_px: int, width_px: int, device: torch.device) -> Tensor:
    """Centres (A, 2) of the cells of all levels, in the order of the network's answer."""
    levels = [cell_centres(height_px // s, width_px // s, s)[0] for s in STRIDES]
    return torch.cat(levels).to(device)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes that broadcast against each other."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0.0).prod(-1)
    return shared / (_area(a) + _area(b) - shared).clamp(min=1e-6)


def _area(box: Tensor) -> Tensor:
    return (box[..., 2:] - box[..., :2]).clamp(min=0.0).prod(-1)


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Whether the cells (A, 2) lie in the boxes (N, M, 4): (N, M, A)."""
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2.0, (boxes[..., 2:] - boxes[..., :2]) / 2.0
    half = half.clamp(min=CENTRE_MIN_PX / 2.0)
    return ((centres - middle[..., None, :]).abs() < half[..., None, :]).all(-1)


@torch.no_grad()
def assign(raw: Raw, truth: Truth, centres: Tensor) -> Targets:
    """Give cells to boxes."""
    real = truth.valid & ~truth.ignore
    score = raw.logits.sigmoid().float().transpose(1, 2)  # (N, C, A)
    score = score.gather(1, truth.classes[..., None].expand(-1, -1, score.shape[2]))
    iou = overlap(truth.boxes[:, :, None], raw.boxes.float()[:, None])
    candidate = _inside(centres, truth.boxes) & real[..., None]
    # A small constant keeps the order by closeness where nothing overlaps yet.
    distance = ((truth.boxes[..., :2] + truth.boxes[..., 2:]) / 2.0)[..., None, :] - centres
    near = 1e-9 / (1.0 + distance.square().sum(-1))
    quality = score**SCORE_POWER * iou**OVERLAP_POWER + near
    quality = torch.where(candidate, quality, torch.zeros_like(quality))
    best, cells = quality.topk(TOP_CELLS, dim=-1)
    chosen = torch.zeros_like(candidate).scatter_(-1, cells, best > 0.0)
    # A cell that two boxes want goes to the one that it overlaps more.
    owner = torch.where(chosen, iou + 1e-6, torch.full_like(iou, -1.0)).max(1)
    positive = owner.values > 0.0
    chosen &= torch.zeros_like(chosen).scatter_(1, owner.indices[:, None], True)
    peak_quality = torch.where(chosen, quality, torch.zeros_like(quality)).amax(-1, keepdim=True)
    peak_iou = torch.where(chosen, iou, torch.zeros_like(iou)).amax(-1, keepdim=True)
    aligned = quality / peak_quality.clamp(min=1e-12) * peak_iou
    value = aligned.gather(1, owner.indices[:, None])[:, 0] * positive
    classes = truth.classes.gather(1, owner.indices)
    scores = functional.one_hot(classes, len(CLASSES)) * value[..., None]
    boxes = truth.boxes.gather(1, owner.indices[..., None].expand(-1, -1, 4))
    return Targets(scores, boxes, positive, _weights(truth, centres, positive))


def _weights(truth: Truth, centres: Tensor, positive: Tensor) -> Tensor:
    """Zero for the classes of the ignore boxes that a cell lies in, one elsewhere and for positive cells."""
    hidden = _inside(centres, truth.boxes) & (truth.valid & truth.ignore)[..., None]
    classes = functional.one_hot(truth.classes, len(CLASSES)).float()
    covered = torch.einsum("nma,nmc->nac", hidden.float(), classes) > 0.0
    return (~covered | positive[..., None]).float()


def detector_loss(raw: Raw, truth: Truth, centres: Tensor) -> Tensor:
    """Cross-entropy against the quality of each cell, plus the overlap of the positive boxes."""
    targets = assign(raw, truth, centres)
    logits = raw.logits.float()
    entropy = functional.binary_cross_entropy_with_logits(logits, targets.scores, reduction="none")
    easy = torch.where(targets.scores > 0.0, torch.ones_like(logits), logits.detach().sigmoid() ** FOCUS)
    total = targets.scores.sum().clamp(min=1.0)
    classes = (entropy * easy * targets.weight).sum() / total
    found, wanted = raw.boxes.float()[targets.positive], targets.boxes[targets.positive]
    weight = targets.scores.sum(-1)[targets.positive]
    boxes = (weight * (1.0 - _distance_overlap(found, wanted))).sum() / total
    return classes + BOX_WEIGHT * boxes


def _distance_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Overlap less the squared distance of the centres over the hull's diagonal (DIoU, Zheng et al., AAAI 2020)."""
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    gap = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2.0
    return overlap(a, b) - gap.square().sum(-1) / hull.square().sum(-1).clamp(min=1e-6)
