"""Labelled pictures on the training device: loaded once, varied anew for every batch.

A batch picture is a random zoom, shift, mirror image and exposure of one picture, or a patchwork of four.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.models.detector_loss import Truth
from adas_perception.models.detector_net import CLASSES, HEIGHT_PX, WIDTH_PX
from adas_perception.params import ParameterError
from adas_perception.perception.objects import GREY

VISIBLE_MIN, FAINT_MIN = 0.45, 0.15  # shares of a box left in view: below the first it is ignored, the second dropped
SIDE_MIN_PX = 1.6  # a far traffic light is two pixels wide
PATCHWORK = 0.5  # share of batch pictures made of four
BATCH_BOXES = 48


def fit(picture: LabelledPicture) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture (H, W, 3) RGB scaled into the network's size, and rows x1 y1 x2 y2 class ignore."""
    bgr = cv2.imread(str(picture.file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise FileNotFoundError(f"{picture.file}: picture missing or unreadable")
    ratio = min(WIDTH_PX / bgr.shape[1], HEIGHT_PX / bgr.shape[0])
    size = (round(bgr.shape[1] * ratio), round(bgr.shape[0] * ratio))
    method = cv2.INTER_AREA if ratio < 1.0 else cv2.INTER_LINEAR
    canvas: np.ndarray = np.full((HEIGHT_PX, WIDTH_PX, 3), GREY, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(bgr, size, interpolation=method)[..., ::-1]
    index = {int(c): i for i, c in enumerate(CLASSES)}
    classes = np.array([index[int(c)] for c in picture.classes], np.float32).reshape(-1, 1)
    rows = np.hstack([picture.boxes * ratio, classes, picture.ignore.astype(np.float32).reshape(-1, 1)])
    return canvas, rows.astype(np.float32)


class BoxStore:
    """Pictures (K, H, W, 3) uint8 and rows (K, M, 6) on the device, drawn by weight.

    The rows lie where the picture shows them. Their labels' offsets (K, 2) are added after zoom and mirroring, which
    would turn an offset to the left into none at all.
    """

    def __init__(self, pictures: Sequence[LabelledPicture], weights: Sequence[float], device: str, seed: int) -> None:
        if not pictures:
            raise ParameterError("no labelled picture to train on")
        fitted = [fit(p) for p in pictures]
        most = max(1, max(len(rows) for _, rows in fitted))
        rows = np.zeros((len(fitted), most, 6), np.float32)
        offsets = np.array([p.offset_px for p in pictures], np.float32)
        for target, (_, given), offset in zip(rows, fitted, offsets, strict=True):
            target[: len(given)] = given
            target[: len(given), :4] -= np.tile(offset, 2)
        self.device = torch.device(device)
        self.pictures = torch.from_numpy(np.stack([p for p, _ in fitted])).to(self.device)
        self.rows = torch.from_numpy(rows).to(self.device)
        self.offsets = torch.from_numpy(offsets).to(self.device)
        self.weights = torch.tensor(weights, dtype=torch.float32, device=self.device)
        self.random = torch.Generator(self.device).manual_seed(seed)

    def draw(self, count: int, varied: bool = True) -> tuple[Tensor, Truth]:
        """Return pictures (count, H, W, 3) uint8 and their boxes."""
        cut = self._uniform(count, 2, low=0.3, high=0.7)
        single = self._uniform(count, 1)[:, 0] >= (PATCHWORK if varied else 0.0)
        cut[single] = 1.0
        canvas = torch.full((count, 3, HEIGHT_PX, WIDTH_PX), GREY / 255.0, device=self.device)
        boxes, classes, states = [], [], []
        size = torch.tensor([WIDTH_PX, HEIGHT_PX], device=self.device, dtype=torch.float32)
        x = torch.arange(WIDTH_PX, device=self.device)[None, None, None, :]
        y = torch.arange(HEIGHT_PX, device=self.device)[None, None, :, None]
        for part in range(4):
            right, lower = part % 2, part // 2
            low = torch.stack([cut[:, 0] * right, cut[:, 1] * lower], 1) * size
            high = torch.stack([cut[:, 0] + (1.0 - cut[:, 0]) * right, cut[:, 1] + (1.0 - cut[:, 1]) * lower], 1) * size
            used = (high - low).amin(1) > 8.0
            if not bool(used.any()):
                continue
            chosen = torch.multinomial(self.weights, count, replacement=True, generator=self.random)
            scale, shift, mirrored = self._place(low, high, single)
            patch = self._warp(self.pictures[chosen], scale, shift, mirrored)
            box = [v[:, None, None, None] for v in (low[:, 0], high[:, 0], low[:, 1], high[:, 1])]
            mask = (x >= box[0]) & (x < box[1]) & (y >= box[2]) & (y < box[3])
            canvas = torch.where(mask, patch, canvas)
            moved, state = _move(self.rows[chosen], scale, shift, mirrored, low, high)
            boxes.append(moved + self.offsets[chosen].repeat(1, 2)[:, None])
            classes.append(self.rows[chosen][..., 4].long())
            states.append(state * used[:, None])
        truth = _gather(torch.cat(boxes, 1), torch.cat(classes, 1), torch.cat(states, 1))
        if varied:
            canvas = self._expose(canvas)
        return (canvas.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1), truth

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self.random, device=self.device)

    def _place(self, low: Tensor, high: Tensor, single: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Random scale (N, 2), shift (N, 2) in pixels of the batch picture, and mirroring (N,) of sources."""
        count = len(low)
        zoom = torch.where(single, self._uniform(count, low=-0.35, high=0.8), self._uniform(count, low=-0.9, high=0.5))
        keep = self._uniform(count) < 0.15
        zoom = torch.where(keep & single, torch.zeros_like(zoom), zoom).exp()
        scale = zoom[:, None] * (1.0 + 0.1 * (self._uniform(count, 2) - 0.5))
        size = torch.tensor([WIDTH_PX, HEIGHT_PX], device=self.device)
        # The middle of the part shows a random point of the picture, nearer its middle than its edges.
        aim = (0.5 + (self._uniform(count, 2) - 0.5) * torch.tensor([0.7, 0.5], device=self.device)) * size
        aim = torch.where((keep & single)[:, None], size / 2.0, aim)
        return scale, (low + high) / 2.0 - aim * scale, self._uniform(count) < 0.5

    def _warp(self, pictures: Tensor, scale: Tensor, shift: Tensor, mirrored: Tensor) -> Tensor:
        """Scale, shift and mirror pictures; what they do not fill is grey."""
        count = len(pictures)
        size = torch.tensor([WIDTH_PX, HEIGHT_PX], device=self.device)
        sign = torch.where(mirrored, -1.0, 1.0)
        theta = torch.zeros((count, 2, 3), device=self.device)
        # Normalised source = (normalised target + 1 - 2 shift / size) / scale - 1
        offset = (1.0 - 2.0 * shift / size) / scale - 1.0
        theta[:, 0, 0], theta[:, 1, 1] = sign / scale[:, 0], 1.0 / scale[:, 1]
        theta[:, 0, 2], theta[:, 1, 2] = sign * offset[:, 0], offset[:, 1]
        grid = functional.affine_grid(theta, [count, 3, HEIGHT_PX, WIDTH_PX], align_corners=False)
        source = pictures.permute(0, 3, 1, 2).float() / 255.0 - GREY / 255.0
        return functional.grid_sample(source, grid, align_corners=False) + GREY / 255.0

    def _expose(self, canvas: Tensor) -> Tensor:
        """Vary brightness, contrast, colour, gamma, sharpness and noise."""
        count = len(canvas)
        grey = canvas.mean(1, keepdim=True)
        canvas = grey + (canvas - grey) * self._uniform(count, 1, 1, 1, low=0.4, high=1.6)
        canvas = canvas * self._uniform(count, 3, 1, 1, low=0.85, high=1.15)
        mean = canvas.mean((1, 2, 3), keepdim=True)
        canvas = mean + (canvas - mean) * self._uniform(count, 1, 1, 1, low=0.6, high=1.4)
        canvas = (canvas * self._uniform(count, 1, 1, 1, low=0.6, high=1.4)).clamp(0.0, 1.0)
        canvas = (canvas + 1e-4) ** self._uniform(count, 1, 1, 1, low=0.7, high=1.4)
        soft = functional.avg_pool2d(canvas, 3, 1, 1, count_include_pad=False)
        canvas = canvas + (soft - canvas) * self._uniform(count, 1, 1, 1, low=-0.6, high=0.8)
        noise = torch.randn(canvas.shape, generator=self.random, device=self.device)
        return canvas + noise * self._uniform(count, 1, 1, 1, low=0.0, high=0.03)


def _move(
    rows: Tensor, scale: Tensor, shift: Tensor, mirrored: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Boxes (N, M, 4) in the batch picture, clipped to their part, and states: 0 gone, 1 ignored, 2 there."""
    x1, x2 = rows[..., 0], rows[..., 2]
    flipped = mirrored[:, None]
    x1, x2 = torch.where(flipped, WIDTH_PX - x2, x1), torch.where(flipped, WIDTH_PX - x1, x2)
    whole = torch.stack([x1, rows[..., 1], x2, rows[..., 3]], -1) * scale.repeat(1, 2)[:, None]
    whole = whole + shift.repeat(1, 2)[:, None]
    clipped = torch.minimum(torch.maximum(whole, low.repeat(1, 2)[:, None]), high.repeat(1, 2)[:, None])
    side = (clipped[..., 2:] - clipped[..., :2]).clamp(min=0.0)
    shown = side.prod(-1) / (whole[..., 2:] - whole[..., :2]).prod(-1).clamp(min=1e-6)
    there = (rows[..., 2] > rows[..., 0]) & (shown > FAINT_MIN)
    clear = (rows[..., 5] == 0.0) & (shown > VISIBLE_MIN) & (side.amin(-1) >= SIDE_MIN_PX)
    return clipped, there.long() + (there & clear).long()


def _gather(boxes: Tensor, classes: Tensor, states: Tensor) -> Truth:
    """Keep at most BATCH_BOXES of each picture, real ones before ignored ones, and no empty columns."""
    most = max(1, min(BATCH_BOXES, int((states > 0).sum(1).max())))
    order = states.argsort(dim=1, descending=True, stable=True)[:, :most]
    states = states.gather(1, order)
    boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    return Truth(boxes, classes.gather(1, order), states > 0, states == 1)
