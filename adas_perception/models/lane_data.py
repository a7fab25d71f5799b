"""Endless labelled training pictures for the lane net.

A label has one plane per class of ``LaneClass`` on a grid of STRIDE pixels. Boundaries are labelled through the
gaps between their dashes, because the net shall see the line and not the paint; where a vehicle hides a
boundary, or where it hardly differs from the road, the cell has no weight. On the car's own bonnet there is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from adas_perception.models import road_effects, road_render
from adas_perception.models.road_scene import FloatArray, Marking, Scene, sample_scene

STRIDE = 4
SPREAD_CELLS = 0.75  # deviation of the bell curve across a labelled line
REACH_M = 110.0
CONTRAST_MIN = 0.05


class LaneClass(IntEnum):
    """What a cell of the net's output holds."""

    BACKGROUND = 0
    EGO_LEFT = 1
    EGO_RIGHT = 2
    OTHER_LEFT = 3
    OTHER_RIGHT = 4


@dataclass(frozen=True)
class Sample:
    """One picture (H, W, 3) RGB with its label on the grid of h = H / STRIDE, w = W / STRIDE cells.

    ``classes`` (5, h, w) sums to 1, ``dashed`` (h, w) is 1 on interrupted lines, ``weight`` (h, w) is 0 where hidden.
    """

    picture: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.float32]
    dashed: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """A picture (H, W, 3) RGB, the masks (H, W) of what vehicles and the bonnet hide, each marking's contrast."""

    picture: npt.NDArray[np.uint8]
    hidden: FloatArray
    bonnet: FloatArray
    contrasts: Sequence[float]


def load_photos(folder: Path | None) -> list[npt.NDArray[np.uint8]]:
    """Read the real pictures that serve as background above the horizon, as RGB."""
    files = sorted(folder.glob("*.jpg")) if folder else []
    pictures = (np.asarray(cv2.imread(str(f), cv2.IMREAD_COLOR), dtype=np.uint8) for f in files)
    return [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]


def make_sample(seed: Sequence[int], photos: Sequence[npt.NDArray[np.uint8]] = ()) -> Sample:
    """Draw the sample of a seed; the same seed gives the same sample."""
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    drawn = render(scene, rng, photos)
    return Sample(drawn.picture, *encode_label(scene, drawn))


def render(
    scene: Scene, rng: np.random.Generator, photos: Sequence[npt.NDArray[np.uint8]] = ()
) -> Drawn:
    """Draw the scene."""
    shape = (scene.camera.height_px, scene.camera.width_px)
    picture = np.zeros((*shape, 3), np.float32)
    hidden, bonnet = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    ground = road_render.trace_ground(scene)
    road_effects.paint_background(picture, scene, rng, photos)
    below = picture[ground.top :]
    road_render.paint_surface(below, ground, scene, rng)
    road_render.paint_edges(below, ground, scene, rng)
    contrasts = road_render.paint_markings(below, ground, scene, rng)
    road_render.paint_shadows(below, ground, scene, rng)
    for barrier in scene.barriers:
        road_render.draw_barrier(picture, scene, barrier, rng)
    for vehicle in scene.vehicles:
        road_render.draw_vehicle(picture, hidden, scene, vehicle, rng)
    road_effects.light_and_weather(picture, ground, scene, rng)
    if rng.random() < 0.4:
        road_effects.draw_bonnet(picture, bonnet, scene.camera.horizon_row_px(), rng)
    return Drawn(road_effects.expose(picture, rng), hidden, bonnet, contrasts)


def classify(scene: Scene) -> list[LaneClass]:
    """Class of each marking of the scene by its side of the car a few metres ahead."""
    ahead = np.array(5.0)
    y = [float(scene.road.place(ahead, m.lateral(ahead), 0.0)[1]) for m in scene.markings]
    left = min((v for v in y if v > 0.0), default=None)
    right = max((v for v in y if v <= 0.0), default=None)
    names = []
    for value in y:
        if value > 0.0:
            names.append(LaneClass.EGO_LEFT if value == left else LaneClass.OTHER_LEFT)
        else:
            names.append(LaneClass.EGO_RIGHT if value == right else LaneClass.OTHER_RIGHT)
    return names


def trace_marking(scene: Scene, marking: Marking) -> FloatArray:
    """Pixels (N, 2) of the marking's centre line, near to far, as far as it is in view and not behind a crest."""
    s = np.geomspace(0.8, REACH_M, 160)
    uv = scene.camera.project(scene.road.place(s, marking.lateral(s), 0.0))
    rising = np.concatenate([[True], np.diff(uv[:, 1]) < 0.0])
    uv = uv[: int(np.argmin(rising)) or len(uv)]
    return np.asarray(uv[np.isfinite(uv).all(axis=1)])


def encode_label(
    scene: Scene, drawn: Drawn
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Planes ``classes``, ``dashed`` and ``weight`` of a Sample."""
    h, w = scene.camera.height_px // STRIDE, scene.camera.width_px // STRIDE
    classes: FloatArray = np.zeros((len(LaneClass), h, w), np.float32)
    dashed: FloatArray = np.zeros((h, w), np.float32)
    faint: FloatArray = np.zeros((h, w), np.float32)
    columns = np.arange(w) * STRIDE + (STRIDE - 1) / 2.0
    for marking, name, contrast in zip(scene.markings, classify(scene), drawn.contrasts, strict=True):
        uv = trace_marking(scene, marking)
        rows = np.arange(h) * STRIDE + (STRIDE - 1) / 2.0
        if len(uv) < 2:
            continue
        inside = (rows <= uv[0, 1]) & (rows >= uv[-1, 1])
        u = np.interp(rows, uv[::-1, 1], uv[::-1, 0])
        lean = np.gradient(u, rows)
        # A flat line needs its distance across, not along the row.
        across = (columns[None, :] - u[:, None]) / STRIDE / np.sqrt(1.0 + lean[:, None] ** 2)
        bell = np.exp(-0.5 * (across / SPREAD_CELLS) ** 2) * inside[:, None]
        if contrast < CONTRAST_MIN:
            faint = np.maximum(faint, bell)
            continue
        dashed = np.where(bell > classes.max(axis=0), float(marking.dashed), dashed)
        classes[name] = np.maximum(classes[name], bell)
    classes *= 1.0 - cv2.resize(drawn.bonnet, (w, h), interpolation=cv2.INTER_AREA)
    total = classes[1:].sum(axis=0)
    classes[1:] /= np.maximum(total, 1.0)
    classes[0] = 1.0 - classes[1:].sum(axis=0)
    covered = cv2.resize(drawn.hidden, (w, h), interpolation=cv2.INTER_AREA)
    unknown = ((covered > 0.5) & (classes[0] < 0.9)) | (faint > 0.1)
    return classes, dashed.astype(np.float32), np.where(unknown, 0.0, 1.0).astype(np.float32)
