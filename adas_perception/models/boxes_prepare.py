"""Make the detector's training set: one folder of pictures with COCO files, from labelled, recorded and drawn pictures.

- ``carla.json``: the labelled simulator pictures; what a teacher network sees beyond their labels is ignored.
- ``road.json``: recorded pictures, labelled by the teacher on the whole picture and on enlarged parts of it.
- ``pasted.json``: some of both with drawn pedestrians, cyclists, lights and signs.
- ``drawn.json``: pictures of our own simulated camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.models.boxes_data import LabelledPicture, read_yolo, write_coco
from adas_perception.models.boxes_offset import label_offset
from adas_perception.models.boxes_paste import Picture, light_cutouts, with_actors
from adas_perception.models.road_actors import Cutout
from adas_perception.params import ParameterError
from adas_perception.perception.objects import ObjectDetector, nms
from adas_perception.types import Detection, Image, ObjectClass

SURE, DOUBTFUL = 0.5, 0.2  # teacher's scores from which a box is a label, from which it is ignored
# Parts of a recorded picture that are looked at enlarged, as shares x1 y1 x2 y2: the traffic is around the horizon.
PARTS = ((0.0, 0.0, 1.0, 1.0), (0.0, 0.35, 0.5, 0.85), (0.25, 0.35, 0.75, 0.85), (0.5, 0.35, 1.0, 0.85),
         (0.35, 0.45, 0.65, 0.75))  # fmt: skip
TRAFFIC = (ObjectClass.CAR, ObjectClass.CYCLIST)
WIDE_MAX = 0.35  # a teacher's box wider than this share of the picture is a mistake on these recordings
CROP_W, CROP_H = 640, 384
QUALITY = 84


@dataclass(frozen=True)
class Recipe:
    """How much of each kind."""

    seed: int = 1
    pasted: int = 1500
    drawn: int = 160


def prepare(shared: Path, out: Path, teacher: ObjectDetector, recipe: Recipe) -> dict[str, int]:
    """Write the training set into the folder ``out``; returns the number of pictures per COCO file."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(recipe.seed)
    yolo = shared / "carla_boxes"
    names = (yolo / "labels.txt").read_text(encoding="utf-8").split()
    labelled, issues = read_yolo(yolo / "images", yolo / "labels_yolo", names)
    if issues:
        raise ParameterError(f"{issues[0]} ({len(issues)} in all)")
    offset = label_offset(labelled)
    carla = [_doubt(replace(p, offset_px=offset), _read(p.file), out, teacher) for p in labelled]
    road = [p for name, picture in _recordings(shared / "udacity") for p in _teach(name, picture, out, teacher, rng)]
    pasted = paste_actors(carla, road, out, recipe)
    drawn = [_simulated(i, out, rng) for i in range(recipe.drawn)]
    sets = {"carla": carla, "road": road, "pasted": pasted, "drawn": drawn}
    for name, pictures in sets.items():
        write_coco(pictures, out / f"{name}.json")
    return {name: len(pictures) for name, pictures in sets.items()}


def paste_actors(
    carla: Sequence[LabelledPicture], road: Sequence[LabelledPicture], out: Path, recipe: Recipe
) -> list[LabelledPicture]:
    """Two labelled pictures and one recorded picture in three with drawn actors; picture i of a seed stays the same."""
    paste = partial(_paste, carla, road, light_cutouts(carla), out, recipe.seed)
    with ProcessPoolExecutor() as pool:
        return list(pool.map(paste, range(recipe.pasted), chunksize=16))


def _paste(
    carla: Sequence[LabelledPicture], road: Sequence[LabelledPicture], cutouts: dict[str, list[Cutout]], out: Path,
    seed: int, number: int,
) -> LabelledPicture:  # fmt: skip
    rng = np.random.default_rng((seed, number))
    source = carla if number % 3 else road
    base = source[int(rng.integers(len(source)))]
    picture = _read(base.file)
    rows = with_actors(picture, base, cutouts.get(base.scene, ()), rng)
    labelled = _labels(_write(picture, out, f"{base.scene}_paste{number:04d}"), picture, rows)
    return replace(labelled, offset_px=base.offset_px)


def _read(file: Path) -> Picture:
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR), dtype=np.uint8)


def _write(picture: NDArray[Any], out: Path, name: str) -> Path:
    file = out / "images" / f"{name}.jpg"
    cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return file


def _labels(name: Path, picture: NDArray[Any], rows: Sequence[tuple[Sequence[float], int, bool]]) -> LabelledPicture:
    height, width = picture.shape[:2]
    boxes = np.array([r[0] for r in rows], np.float32).reshape(-1, 4)
    classes, ignore = np.array([r[1] for r in rows], np.int64), np.array([r[2] for r in rows], bool)
    return LabelledPicture(name, width, height, np.clip(boxes, 0, (width, height) * 2), classes, ignore)


def overlaps(box: Sequence[float], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one box with each of boxes (N, 4)."""
    one = np.asarray(box, np.float32)
    low, high = np.maximum(one[:2], boxes[:, :2]), np.minimum(one[2:], boxes[:, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=1)
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0).prod(axis=1) + (one[2:] - one[:2]).prod() - shared
    return np.asarray(shared / np.maximum(area, 1e-6), np.float32)


def _doubt(labelled: LabelledPicture, picture: Picture, out: Path, teacher: ObjectDetector) -> LabelledPicture:
    """A copy of a labelled picture whose unlabelled objects are ignored."""
    rows = [(b, int(c), bool(g)) for b, c, g in
            zip(labelled.boxes.tolist(), labelled.classes, labelled.ignore, strict=True)]  # fmt: skip
    for d in _see(picture, teacher, PARTS):
        box = (d.x1, d.y1, d.x2, d.y2)
        if not len(labelled.boxes) or overlaps(box, labelled.boxes).max() < 0.3:
            rows.append((box, int(d.label), True))
    copy = _labels(_write(picture, out, labelled.file.stem), picture, rows)
    return replace(copy, offset_px=labelled.offset_px)


def _recordings(folder: Path) -> Iterator[tuple[str, Picture]]:
    for file in sorted((folder / "lane_lines_images").glob("*.jpg")):
        yield f"still-{file.stem}_0", _read(file)
    for name, every in (("solidWhiteRight", 4), ("vehicles", 2)):
        capture = cv2.VideoCapture(str(folder / f"{name}.mp4"))
        number = 0
        while True:
            good, frame = capture.read()
            if not good:
                break
            if number % every == 0:
                yield f"{name}_{number:04d}", np.asarray(frame, dtype=np.uint8)
            number += 1


def _see(picture: Picture, teacher: ObjectDetector, parts: Iterable[tuple[float, ...]]) -> list[Detection]:
    """What the teacher sees in parts of a picture, without repetitions and without boxes that a part cuts."""
    height, width = picture.shape[:2]
    found: list[Detection] = []
    for part in parts:
        x1, y1, x2, y2 = (round(a * b) for a, b in zip(part, (width, height, width, height), strict=True))
        view = np.ascontiguousarray(picture[y1:y2, x1:x2, ::-1])
        for d in teacher.detect(Image(0, view)).items:
            cut = (d.x1 < 3 and x1 > 0) or (d.x2 > x2 - x1 - 3 and x2 < width) or (d.y2 > y2 - y1 - 3 and y2 < height)
            if not cut:
                found.append(replace(d, x1=d.x1 + x1, x2=d.x2 + x1, y1=d.y1 + y1, y2=d.y2 + y1))
    boxes = np.array([(d.x1, d.y1, d.x2, d.y2) for d in found], np.float32).reshape(-1, 4)
    labels = np.array([int(d.label) for d in found], np.intp)
    return [found[i] for i in nms(boxes, np.array([d.score for d in found]), labels, 0.45)]


def _teach(
    name: str, picture: Picture, out: Path, teacher: ObjectDetector, rng: np.random.Generator
) -> Iterator[LabelledPicture]:
    """A recorded picture and an enlarged part of it, labelled by the teacher."""
    height, width = picture.shape[:2]
    rows = []
    for d in _see(picture, teacher, PARTS):
        wide, high = d.x2 - d.x1, d.y2 - d.y1
        plausible = d.label in TRAFFIC and 0.4 * high < wide < WIDE_MAX * width and high > 0.012 * height
        on_road = 0.5 * height < d.y2 < 0.9 * height
        sure = d.score >= SURE and plausible and on_road
        rows.append(((d.x1, d.y1, d.x2, d.y2), int(d.label), not sure))
    ratio = min(CROP_W * 1.5 / width, 1.0)
    whole = cv2.resize(picture, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    scaled = [([v * ratio for v in box], label, ignore) for box, label, ignore in rows]
    yield _labels(_write(whole, out, name), whole, scaled)
    w = int(width * rng.uniform(0.4, 0.6))
    h = w * CROP_H // CROP_W
    x, y = int(rng.uniform(0, width - w)), int(np.clip(0.58 * height - h * rng.uniform(0.3, 0.6), 0, height - h))
    part = cv2.resize(picture[y : y + h, x : x + w], (CROP_W, CROP_H), interpolation=cv2.INTER_LINEAR)
    inner = []
    for box, label, ignore in rows:
        moved = [(v - o) * CROP_W / w for v, o in zip(box, (x, y, x, y), strict=True)]
        shown = [min(max(v, 0.0), m) for v, m in zip(moved, (CROP_W, CROP_H) * 2, strict=True)]
        area = (shown[2] - shown[0]) * (shown[3] - shown[1])
        if area > 0.0:
            whole_area = (moved[2] - moved[0]) * (moved[3] - moved[1])
            inner.append((shown, label, ignore or area < 0.45 * whole_area))
    stem, _, number = name.partition("_")
    yield _labels(_write(part, out, f"{stem}_{number}z"), part, inner)


def _simulated(number: int, out: Path, rng: np.random.Generator) -> LabelledPicture:
    """A picture of the simulator's camera on a motorway with cars in the lanes."""
    from adas_perception.sim.camera import DEFAULT_CAMERA, Body, CameraRenderer
    from adas_perception.sim.object_camera import CameraErrors, see_objects
    from adas_perception.sim.road import Road
    from adas_perception.sim.sensors import Box, Surroundings

    bend = float(rng.choice([0.0, 1 / 900, -1 / 900, 1 / 400])) + float(rng.normal(0.0, 1e-4))
    road = Road(500.0, curvature_knots=((0.0, bend),))
    renderer = CameraRenderer(road, seed=int(rng.integers(1 << 30)))
    offset = float(rng.normal(0.0, 0.4))
    start = 100.0
    at = road.to_map(np.array([start]), np.array([offset]))[0]
    heading = float(road.yaw(np.array([start]))[0]) + float(rng.normal(0.0, 0.01))
    bodies: list[Body] = []
    for _ in range(int(rng.integers(0, 7))):
        ahead, lane = float(np.exp(rng.uniform(np.log(9.0), np.log(110.0)))), float(rng.choice([-3.5, 0.0, 3.5]))
        place = road.to_map(np.array([start + ahead]), np.array([lane + rng.normal(0, 0.3)]))[0]
        x, y = CameraRenderer._to_ego(place[None], at[0], at[1], heading)[0]
        if any(abs(b.box.x_m - x) < 7.0 and abs(b.box.y_m - y) < 2.5 for b in bodies):
            continue
        yaw = float(road.yaw(np.array([start + ahead]))[0]) - heading
        rgb = tuple(int(v) for v in rng.integers(15, 240, 3))
        size = (float(rng.uniform(4.0, 4.9)), float(rng.uniform(1.7, 1.95)), float(rng.uniform(1.4, 1.8)))
        bodies.append(Body(Box(float(x), float(y), yaw, *size, 0.0, 0.0), rgb, bool(rng.random() < 0.2)))  # type: ignore[arg-type]
    rgb_picture = renderer.render(at[0], at[1], heading, start, bodies)
    clean = CameraErrors(range_max_m=200.0, size_min_px=3.0, visible_min=0.05)
    seen = see_objects(0, Surroundings(tuple(b.box for b in bodies)), DEFAULT_CAMERA, clean, None)
    rows = [((d.x1, d.y1, d.x2, d.y2), int(d.label), d.x2 - d.x1 < 6.0) for d in seen.items]
    picture = np.ascontiguousarray(rgb_picture[..., ::-1])
    return _labels(_write(picture, out, f"simulated_{number:04d}"), picture, rows)
