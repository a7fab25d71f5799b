"""Drawn pedestrians, cyclists, signs and traffic lights on the roads of labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.models.road_actors import DRAWN, Cutout, Light, draw_light, paste
from adas_perception.types import ObjectClass

Picture = NDArray[np.uint8]  # (H, W, 3) BGR
Row = tuple[Sequence[float], int, bool]  # box x1 y1 x2 y2, class, ignored

HORIZON = 0.53  # row of the horizon as a share of the picture's height
CUTOUT_MIN_PX = 20  # a labelled light at least this high is good enough to be shown smaller elsewhere
REAL_SHARE = 0.4  # of the lights are such cut-outs where there are any
LIGHT_MIN_PX, LIGHT_MAX_PX = 5.0, 34.0  # height of the lights on masts in a picture of 640 pixels


def hidden_share(box: Sequence[float], by: Sequence[float]) -> float:
    """Share of a box that another covers."""
    wide, high = min(box[2], by[2]) - max(box[0], by[0]), min(box[3], by[3]) - max(box[1], by[1])
    return max(wide, 0.0) * max(high, 0.0) / max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)


def light_cutouts(pictures: Sequence[LabelledPicture]) -> dict[str, list[Cutout]]:
    """Traffic lights cut out of labelled pictures along their edges, by scene."""
    found: dict[str, list[Cutout]] = {}
    for p in pictures:
        wanted = (p.classes == int(ObjectClass.TRAFFIC_LIGHT)) & ~p.ignore
        labels = p.boxes[wanted & (p.boxes[:, 3] - p.boxes[:, 1] >= CUTOUT_MIN_PX)]
        boxes = (labels - p.offset_px * 2).round().astype(int)
        if not len(boxes):
            continue
        picture = np.asarray(cv2.imread(str(p.file), cv2.IMREAD_COLOR), dtype=np.uint8)
        for x1, y1, x2, y2 in boxes:
            rgb = picture[y1:y2, x1:x2, ::-1]
            cutout = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
            found.setdefault(p.scene, []).append(np.ascontiguousarray(cutout, dtype=np.uint8))
    return found


def with_actors(
    picture: Picture, base: LabelledPicture, cutouts: Sequence[Cutout], rng: np.random.Generator
) -> list[Row]:
    """Draw actors on the road and lights on masts over it into the picture; returns all its boxes.

    Nearer actors hide farther ones. ``cutouts`` are lights of the same scene, so that leaving a scene out of the
    training leaves its lights out too. The new boxes are as far off as the labels of ``base``.
    """
    height, width = picture.shape[:2]
    offset = np.array(base.offset_px * 2)
    rows: list[Row] = [
        (b, int(c), bool(g))
        for b, c, g in zip((base.boxes - offset).tolist(), base.classes, base.ignore, strict=True)
    ]
    for _ in range(int(rng.choice([0, 1, 2, 3]))):
        rows += _hang_lights(picture, cutouts, rng)
    horizon, camera_m = HORIZON * height, rng.uniform(1.2, 1.7)  # the camera's height sets the scale
    grounds = horizon + height * np.exp(rng.uniform(np.log(0.025), np.log(0.42), int(rng.integers(2, 9))))
    for ground in sorted(grounds.tolist()):
        label = ObjectClass(int(rng.choice([2, 2, 2, 3, 3, 4, 5, 5])))
        box = _stand(picture, label, ground, (ground - horizon) / camera_m, rng)
        if box[2] - box[0] < 3.0 or box[3] - box[1] < 5.0:
            continue
        rows = [(b, c, g or hidden_share(b, box) > 0.6) for b, c, g in rows if hidden_share(b, box) < 0.9]
        rows.append((box, int(label), False))
    return [((np.array(b) + offset).tolist(), c, g) for b, c, g in rows]


def _stand(
    picture: Picture, label: ObjectClass, ground: float, per_m: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Draw one actor whose feet or pole stand in row ``ground``, where a metre has ``per_m`` pixels."""
    left, on_pole = rng.uniform(-0.05, 1.0) * picture.shape[1], label not in (2, 3)
    high = max(per_m * rng.uniform(0.6, 1.1), 6.0) if on_pole else per_m * rng.uniform(1.5, 1.9)
    bottom = ground - per_m * rng.uniform(1.8, 4.5) if on_pole else ground
    light = _facing_light(rng) if label == ObjectClass.TRAFFIC_LIGHT else None
    cutout = light.cutout if light else DRAWN[label](rng)
    if light is None and rng.random() < 0.3:
        cutout[..., :3] = (cutout[..., :3] * rng.uniform(0.3, 0.8)).astype(np.uint8)
    if on_pole:
        middle = round(left + high * cutout.shape[1] / cutout.shape[0] / 2.0)
        grey = int(rng.uniform(40, 150))
        cv2.line(picture, (middle, round(bottom)), (middle, round(ground)), (grey,) * 3, max(1, round(per_m * 0.1)))
    box = paste(picture, _bgr(cutout), left, bottom, high)
    if light:
        _shine(picture, light, box, rng)
    return box


def _facing_light(rng: np.random.Generator) -> Light:
    while True:
        light = draw_light(rng)
        if light.lamp is not None:
            return light


def _hang_lights(picture: Picture, cutouts: Sequence[Cutout], rng: np.random.Generator) -> list[Row]:
    """Draw a mast with one to four like lights above the horizon; those seen from behind are ignored."""
    height, width = picture.shape[:2]
    horizon = HORIZON * height
    high = float(np.exp(rng.uniform(np.log(LIGHT_MIN_PX), np.log(LIGHT_MAX_PX)))) * width / 640.0
    y, x = horizon - high * rng.uniform(1.0, 6.0), rng.uniform(-0.1, 0.9) * width
    slope, gap, count = rng.normal(0.0, 0.25), high * rng.uniform(1.0, 5.0), int(rng.integers(1, 5))
    grey, end = (int(rng.uniform(40, 150)),) * 3, (round(x + gap * count), round(y + slope * gap * count))
    cv2.line(picture, (round(x), round(y)), end, grey, max(1, round(high * rng.uniform(0.06, 0.16))), cv2.LINE_AA)
    pole = end if rng.random() < 0.5 else (round(x), round(y))
    cv2.line(picture, pole, (pole[0], round(horizon + high)), grey, max(1, round(high * 0.18)), cv2.LINE_AA)
    real = len(cutouts) > 0 and rng.random() < REAL_SHARE
    light = Light(cutouts[int(rng.integers(len(cutouts)))], 0.5, (0, 0, 0)) if real else draw_light(rng)
    below = rng.uniform(0.55, 1.0)  # the arm passes behind the upper half of the lights
    rows: list[Row] = []
    for k in range(count):
        left, bottom = x + gap * (k + 0.3), y + slope * gap * (k + 0.3) + high * below
        box = paste(picture, _bgr(light.cutout), left, bottom, high)
        if not real:
            _shine(picture, light, box, rng)
        if box[2] - box[0] >= 2.0 and box[3] - box[1] >= 5.0:
            rows.append((box, int(ObjectClass.TRAFFIC_LIGHT), light.lamp is None))
    return rows


def _shine(picture: Picture, light: Light, box: Sequence[float], rng: np.random.Generator) -> None:
    """Add the glow around a lamp, as a camera sees it."""
    high = box[3] - box[1]
    if light.lamp is None or high <= 0.0:
        return
    x, y, sigma = (box[0] + box[2]) / 2.0, box[1] + light.lamp * high, max(0.7, high * rng.uniform(0.06, 0.2))
    reach = int(3.0 * sigma) + 1
    x1, y1 = max(round(x) - reach, 0), max(round(y) - reach, 0)
    under = picture[y1 : round(y) + reach, x1 : round(x) + reach]
    rows, columns = np.mgrid[: under.shape[0], : under.shape[1]]
    glow = np.exp(-((columns + x1 + 0.5 - x) ** 2 + (rows + y1 + 0.5 - y) ** 2) / (2.0 * sigma**2))
    colour = np.array(light.rgb[::-1], np.float32) * rng.uniform(0.0, 0.9)
    under[:] = np.clip(under + glow[..., None] * colour, 0, 255).astype(np.uint8)


def _bgr(cutout: Cutout) -> Cutout:
    return np.ascontiguousarray(cutout[..., [2, 1, 0, 3]])
