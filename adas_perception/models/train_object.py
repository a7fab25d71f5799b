"""Train the detector on labelled boxes: its task for the training loop.

Run: adas train object --data out/boxes/train.json --validation out/boxes/validation.json --out out/object
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from adas_perception.models.boxes_data import LabelledPicture, read_coco, split_by_scene
from adas_perception.models.boxes_evaluate import coco_scores
from adas_perception.models.boxes_store import BoxStore, fit
from adas_perception.models.detector_loss import all_centres, detector_loss
from adas_perception.models.detector_net import CLASSES, HEIGHT_PX, WIDTH_PX, DetectorNet, Raw
from adas_perception.models.fit import Scores
from adas_perception.params import ParameterError
from adas_perception.perception.objects import nms
from adas_perception.types import Detection

SCORE_MIN = 0.02  # lower scores move a mean precision by less than it is printed with


@dataclass(frozen=True)
class BoxData:
    """COCO files with their share of the batches; the held out scenes of ``validation`` count, or all if none is."""

    files: tuple[tuple[Path, float], ...]
    validation: Path | None = None
    held_out: tuple[str, ...] = ()

    def load(self) -> tuple[list[LabelledPicture], list[float], list[LabelledPicture]]:
        """Return training pictures, their weights, and validation pictures; every issue is an error."""
        training: list[LabelledPicture] = []
        weights: list[float] = []
        for file, share in self.files:
            kept = [p for p in _read(file) if p.scene not in self.held_out]
            training += kept
            weights += [share / max(1, len(kept))] * len(kept)
        validation = _read(self.validation) if self.validation else []
        if self.held_out and validation:
            _, validation = split_by_scene(validation, self.held_out)
        return training, weights, validation


def _read(file: Path) -> list[LabelledPicture]:
    pictures, issues = read_coco(file)
    if issues:
        raise ParameterError(f"{issues[0]} ({len(issues)} in all); see 'adas dataset check {file}'")
    return pictures


class DetectorTask:
    """Boxes of road users."""

    score = "map50"

    def __init__(self, data: BoxData, batch: int, device: str, seed: int, backbone: Path | None) -> None:
        torch.manual_seed(seed)
        detector = DetectorNet()
        if backbone:
            detector.backbone.load_imagenet(backbone)
        self.net: nn.Module = detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        training, weights, self._validation = data.load()
        self._store = BoxStore(training, weights, device, seed)
        self._fitted = [fit(p) for p in self._validation]
        self._batch, self._device = batch, device
        self._centres = all_centres(HEIGHT_PX, WIDTH_PX, torch.device(device))

    def loss(self, net: nn.Module, step: int) -> Tensor:
        """Return the loss of one drawn batch."""
        with torch.autocast(self._device, enabled=False), torch.no_grad():
            pictures, truth = self._store.draw(self._batch)
        raw: Raw = net(pictures, decoded=False)
        with torch.autocast(self._device, enabled=False):
            return detector_loss(raw, truth, self._centres)

    @torch.no_grad()
    def validate(self, net: nn.Module) -> Scores:
        """COCO scores on the validation pictures; nothing but zero if there are none."""
        if not self._validation:
            return {"map50": 0.0}
        answers: list[tuple[Detection, ...]] = []
        for i in range(0, len(self._fitted), 32):
            part = torch.from_numpy(np.stack([p for p, _ in self._fitted[i : i + 32]])).to(self._device)
            boxes, scores = net(part)
            for picture, b, s in zip(self._validation[i:], boxes.cpu().numpy(), scores.cpu().numpy(), strict=False):
                answers.append(select(picture, b, s))
        return coco_scores(self._validation, answers)


def select(picture: LabelledPicture, boxes: np.ndarray, scores: np.ndarray) -> tuple[Detection, ...]:
    """Detections in pixels of the original picture from one raw answer: boxes (A, 4), scores (A, 5)."""
    ratio = min(WIDTH_PX / picture.width_px, HEIGHT_PX / picture.height_px)
    best = scores.max(axis=1)
    good = np.flatnonzero(best >= SCORE_MIN)
    labels = scores[good].argmax(axis=1)
    limits = (picture.width_px, picture.height_px) * 2
    corners = np.clip(boxes[good] / ratio, 0.0, limits)
    keep = nms(corners, best[good], labels, 0.6)
    return tuple(Detection(CLASSES[labels[k]], float(best[good][k]), *corners[k].tolist()) for k in keep)


def parse_files(given: Sequence[str]) -> tuple[tuple[Path, float], ...]:
    """Read ``FILE`` or ``FILE=SHARE`` options; the share defaults to 1."""
    found = []
    for item in given:
        name, _, share = item.partition("=")
        found.append((Path(name), float(share or 1.0)))
    return tuple(found)
