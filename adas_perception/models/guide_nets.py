"""The guide's two networks and their tasks: a reference for accuracy, not what drives.

The lane net is MobileNetV2 with five transposed convolutions; with output_padding 1 it answers in the input's size
(the guide's decoder, without it, gives 193x193 for 224x224). The detector is torchvision's Faster R-CNN with a head
for seven classes; it runs in PyTorch and ONNX Runtime only, because TensorRT takes neither its loops nor its shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.models.boxes_evaluate import coco_scores, read_rgb
from adas_perception.models.fit import Scores
from adas_perception.models.lane_data import make_sample
from adas_perception.types import Detection, ObjectClass

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
LANE_SIZE = 224
DECODER = (256, 128, 64, 32)
CLASS_COUNT = 7  # background, car, pedestrian, cyclist, traffic light, traffic sign, lane line


class GuideLaneNet(nn.Module):
    """Two-class mask, background and lane, of pictures (N, 3, 224, 224) with ImageNet's normalisation."""

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__()
        self.features = torchvision.models.mobilenet_v2(weights="DEFAULT" if pretrained else None).features
        layers: list[nn.Module] = []
        channels = 1280
        for out in DECODER:
            layers += [nn.ConvTranspose2d(channels, out, 3, 2, 1, output_padding=1), nn.BatchNorm2d(out), nn.ReLU(True)]
            channels = out
        layers.append(nn.ConvTranspose2d(channels, 2, 3, 2, 1, output_padding=1))
        self.decoder = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> Tensor:
        """Map (N, 3, H, W) to logits (N, 2, H, W); H and W are multiples of 32."""
        logits: Tensor = self.decoder(self.features(picture))
        return logits


def normalise(pictures: Tensor) -> Tensor:
    """Map uint8 RGB (N, H, W, 3) to the normalised floats (N, 3, H, W) that both networks were made for."""
    mean, deviation = (torch.tensor(v, device=pictures.device) for v in (MEAN, DEVIATION))
    return ((pictures.float() / 255.0 - mean) / deviation).permute(0, 3, 1, 2)


class GuideLaneTask:
    """Lane or not, on the drawn roads."""

    score = "iou_lane"

    def __init__(self, batch: int, device: str, seed: int, pictures: int = 512, validation: int = 64) -> None:
        torch.manual_seed(seed)
        self.net: nn.Module = GuideLaneNet()
        self._batch, self._device = batch, device
        self._random = torch.Generator().manual_seed(seed)
        self._training = [_lane_sample((seed, i)) for i in range(pictures)]
        self._validation = [_lane_sample((seed + 1_000_000, i)) for i in range(validation)]

    def loss(self, net: nn.Module, step: int) -> Tensor:
        """Cross-entropy of one batch."""
        chosen = torch.randint(len(self._training), (self._batch,), generator=self._random).tolist()
        pictures, masks = _stack([self._training[i] for i in chosen], self._device)
        return functional.cross_entropy(net(normalise(pictures)).float(), masks)

    @torch.no_grad()
    def validate(self, net: nn.Module) -> Scores:
        """Intersection over union of the lane class at p > 0.5."""
        both = either = 0
        for i in range(0, len(self._validation), 16):
            pictures, masks = _stack(self._validation[i : i + 16], self._device)
            found, truth = net(normalise(pictures)).argmax(1) == 1, masks == 1
            both += int((found & truth).sum())
            either += int((found | truth).sum())
        return {"iou_lane": both / max(either, 1)}


def _lane_sample(seed: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    sample = make_sample(seed)
    mask = (sample.classes[0] < 0.5).astype(np.uint8)
    size = (LANE_SIZE, LANE_SIZE)
    picture = cv2.resize(sample.picture, size, interpolation=cv2.INTER_AREA)
    return picture, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)


def _stack(samples: Sequence[tuple[np.ndarray, np.ndarray]], device: str) -> tuple[Tensor, Tensor]:
    pictures, masks = (np.stack(part) for part in zip(*samples, strict=True))
    return torch.from_numpy(pictures).to(device), torch.from_numpy(masks).long().to(device)


def make_faster_rcnn(pretrained: bool = False) -> nn.Module:
    """Return torchvision's ``fasterrcnn_resnet50_fpn`` with a head for the guide's seven classes."""
    net = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights="DEFAULT" if pretrained else None, weights_backbone=None
    )
    heads = net.roi_heads
    heads.box_predictor = FastRCNNPredictor(heads.box_predictor.cls_score.in_features, CLASS_COUNT)
    return net


class GuideObjectTask:
    """The guide's detector on labelled pictures; boxes go in as x1 y1 x2 y2, which the guide had wrong."""

    score = "map50"

    def __init__(
        self, training: Sequence[LabelledPicture], validation: Sequence[LabelledPicture], batch: int, device: str,
        seed: int, net: nn.Module | None = None,
    ) -> None:  # fmt: skip
        torch.manual_seed(seed)
        self.net = net or make_faster_rcnn()
        self._training, self._validation = list(training), list(validation)
        self._batch, self._device = batch, device
        self._random = torch.Generator().manual_seed(seed)

    def loss(self, net: nn.Module, step: int) -> Tensor:
        """Sum of the four losses that torchvision gives."""
        chosen = torch.randint(len(self._training), (self._batch,), generator=self._random).tolist()
        pictures = [self._training[i] for i in chosen]
        targets = []
        for p in pictures:
            kept = ~p.ignore
            targets.append({
                "boxes": torch.from_numpy(p.boxes[kept]).to(self._device),
                "labels": torch.from_numpy(p.classes[kept]).to(self._device),
            })  # fmt: skip
        losses: dict[str, Tensor] = net([self._tensor(p) for p in pictures], targets)
        return torch.stack(list(losses.values())).sum()

    @torch.no_grad()
    def validate(self, net: nn.Module) -> Scores:
        """COCO scores on the validation pictures."""
        answers = []
        for p in self._validation:
            found = net([self._tensor(p)])[0]
            rows = zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
            answers.append([Detection(ObjectClass(label), score, *box) for box, label, score in rows])
        return coco_scores(self._validation, answers)

    def _tensor(self, picture: LabelledPicture) -> Tensor:
        """RGB (3, H, W) in 0..1; torchvision's network normalises and resizes inside."""
        return torch.from_numpy(read_rgb(picture.file)).permute(2, 0, 1).float().div(255.0).to(self._device)
