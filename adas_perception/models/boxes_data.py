"""Labelled boxes: COCO and YOLO files in, one checked form out; split by scene, never by picture.

Whatever is wrong with an annotation file is collected as an ``Issue`` that names its place; nothing stops the reading.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.params import ParameterError
from adas_perception.types import ObjectClass

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# Names in annotation files -> the guide's classes. Lorries and buses are cars, whoever rides is a cyclist.
CLASS_OF_NAME: Mapping[str, ObjectClass] = {
    **{c.name.lower(): c for c in ObjectClass if c is not ObjectClass.UNKNOWN},
    "background": ObjectClass.UNKNOWN,
    **dict.fromkeys(("vehicle", "truck", "lorry", "bus", "van"), ObjectClass.CAR),
    **dict.fromkeys(("person", "walker"), ObjectClass.PEDESTRIAN),
    **dict.fromkeys(("bike", "bicycle", "motobike", "motorbike", "motorcycle", "rider"), ObjectClass.CYCLIST),
    **dict.fromkeys(("traffic light",), ObjectClass.TRAFFIC_LIGHT),
    **dict.fromkeys(("traffic sign", "stop sign", "sign"), ObjectClass.TRAFFIC_SIGN),
}
BORDER_PX = 1.5  # labels are rounded: a box may stick out this far
_KEYS = ("id", "image_id", "category_id")


class Issue(NamedTuple):
    """What is wrong and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class LabelledPicture:
    """One picture with its boxes (N, 4) as x1 y1 x2 y2 in pixels, classes (N,) and ignore flags (N,).

    What lies in a box with the ignore flag (COCO's ``iscrowd``) counts neither as right nor as wrong. ``offset_px`` is
    how far the labels lie off what they show, in x and y: a habit of a data set, see ``boxes_offset``.
    """

    file: Path
    width_px: int
    height_px: int
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    offset_px: tuple[float, float] = (0.0, 0.0)

    @property
    def scene(self) -> str:
        """Part of the file name before the first underscore: a town, a drive, a recording."""
        return self.file.stem.split("_")[0]


Dataset = tuple[list[LabelledPicture], list[Issue]]


class _Row(NamedTuple):
    """One box before it is checked."""

    place: str
    label: ObjectClass
    corners: tuple[float, float, float, float]
    ignore: bool


def read_coco(annotations: Path, pictures: Path | None = None) -> Dataset:
    """Read a COCO file (boxes are x, y, width, height); pictures lie beside it or in the folder ``pictures``.

    Raises ParameterError when the file is missing or no COCO JSON at all.
    """
    images, categories, rows = _coco_lists(annotations)
    issues: list[Issue] = []
    label_of = _labels(((c.get("id"), str(c.get("name"))) for c in categories), str(annotations), issues)
    folder = pictures or annotations.parent
    image_of = _unique(images, f"{annotations}: image", issues)
    rows_of: dict[Any, list[_Row]] = {key: [] for key in image_of}
    for key, row in _unique(rows, f"{annotations}: annotation", issues).items():
        place = f"{annotations}: annotation {key}"
        box = row.get("bbox")
        if row.get("image_id") not in image_of:
            issues.append(Issue(place, f"belongs to no picture (image_id {row.get('image_id')})"))
        elif row.get("category_id") not in label_of:
            issues.append(Issue(place, f"unknown class {row.get('category_id')}"))
        elif not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)):
            issues.append(Issue(place, "bbox is not [x, y, width, height]"))
        else:
            corners = (float(box[0]), float(box[1]), float(box[0] + box[2]), float(box[1] + box[3]))
            rows_of[row["image_id"]].append(
                _Row(place, label_of[row["category_id"]], corners, bool(row.get("iscrowd", 0)))
            )
    found: list[LabelledPicture] = []
    for key, image in image_of.items():
        file = folder / str(image.get("file_name"))
        size = _size(file, f"{annotations}: image {key}", issues, (image.get("width"), image.get("height")))
        if size is not None:
            picture = _picture(file, size, rows_of[key], issues)
            found.append(replace(picture, offset_px=_offset(image, f"{annotations}: image {key}", issues)))
    return found, issues


def _offset(image: Mapping[str, Any], place: str, issues: list[Issue]) -> tuple[float, float]:
    """Return the label offset of a record of a picture; other programs' files have none."""
    offset = image.get("label_offset", [0.0, 0.0])
    if not (isinstance(offset, list) and len(offset) == 2 and all(isinstance(v, (int, float)) for v in offset)):
        issues.append(Issue(place, "label_offset is not [x, y]"))
        return 0.0, 0.0
    return float(offset[0]), float(offset[1])


def _coco_lists(annotations: Path) -> list[list[dict[str, Any]]]:
    """Return the three lists of records of a COCO file."""
    try:
        content = json.loads(annotations.read_text(encoding="utf-8"))
        lists = [content["images"], content["categories"], content["annotations"]]
        if not all(isinstance(records, list) and all(isinstance(r, dict) for r in records) for records in lists):
            raise TypeError("images, categories and annotations must be lists of records")
        # A list or a record as an id would belong to nothing.
        hash(tuple(record.get(key) for records in lists for record in records for key in _KEYS))
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ParameterError(f"{annotations}: {reason}; give a COCO annotation file") from None
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{annotations}: no COCO annotation file ({error})") from None
    return lists


def read_yolo(pictures: Path, labels: Path, names: Sequence[str]) -> Dataset:
    """Read one text file per picture: class number, centre x, centre y, width, height as shares of the picture."""
    issues: list[Issue] = []
    label_of = _labels(enumerate(names), f"{labels}: names", issues)
    found = []
    for text in sorted(labels.glob("*.txt")):
        file = next((p for s in PICTURE_SUFFIXES if (p := pictures / (text.stem + s)).is_file()), None)
        if file is None:
            issues.append(Issue(str(text), f"its picture is missing in {pictures}"))
            continue
        size = _size(file, str(text), issues)
        if size is None:
            continue
        rows = []
        lines = text.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            place = f"{text}:{number}"
            try:
                key, x, y, w, h = (float(v) for v in line.split())
            except ValueError:
                issues.append(Issue(place, "expected five numbers"))
                continue
            if key not in label_of:
                issues.append(Issue(place, f"unknown class {key:g}"))
                continue
            corners = ((x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1])
            rows.append(_Row(place, label_of[int(key)], corners, False))
        issues += [Issue(str(text), f"line twice: {line}") for line in sorted({v for v in lines if lines.count(v) > 1})]
        found.append(_picture(file, size, rows, issues))
    return found, issues


def write_coco(pictures: Iterable[LabelledPicture], file: Path) -> None:
    """Write pictures as a COCO file with the guide's class numbers and paths relative to the file's folder."""
    categories = [{"id": int(c), "name": name} for name, c in CLASS_OF_NAME.items() if c.name.lower() == name]
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for key, p in enumerate(pictures, 1):
        name = str(p.file.relative_to(file.parent))
        images.append({
            "id": key, "file_name": name, "width": p.width_px, "height": p.height_px,
            "label_offset": list(p.offset_px),
        })  # fmt: skip
        for (x1, y1, x2, y2), label, ignore in zip(p.boxes.tolist(), p.classes, p.ignore, strict=True):
            box = [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)]
            rows.append({
                "id": len(rows) + 1, "image_id": key, "category_id": int(label), "bbox": box,
                "area": round(box[2] * box[3], 2), "iscrowd": int(ignore),
            })  # fmt: skip
    file.write_text(json.dumps({"images": images, "categories": categories, "annotations": rows}), encoding="utf-8")


def split_by_scene(
    pictures: Iterable[LabelledPicture], held_out: Collection[str]
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    """Return training and validation pictures; all pictures of a scene in ``held_out`` are for validation."""
    pictures = list(pictures)
    unknown = set(held_out) - {p.scene for p in pictures}
    if unknown:
        known = ", ".join(sorted({p.scene for p in pictures}))
        raise ParameterError(f"no picture of scene {', '.join(sorted(unknown))}; there are {known}")
    return [p for p in pictures if p.scene not in held_out], [p for p in pictures if p.scene in held_out]


def _labels(names: Iterable[tuple[Any, str]], place: str, issues: list[Issue]) -> dict[Any, ObjectClass]:
    found = {}
    for key, name in names:
        label = CLASS_OF_NAME.get(name.strip().lower())
        if label is None:
            issues.append(Issue(place, f"unknown class '{name}'; known: {', '.join(CLASS_OF_NAME)}"))
        elif key in found:
            issues.append(Issue(place, f"class number {key} twice"))
        else:
            found[key] = label
    return found


def _unique(rows: Iterable[Mapping[str, Any]], place: str, issues: list[Issue]) -> dict[Any, Mapping[str, Any]]:
    found: dict[Any, Mapping[str, Any]] = {}
    for row in rows:
        if row.get("id") in found:
            issues.append(Issue(f"{place} {row.get('id')}", "duplicate id"))
        else:
            found[row.get("id")] = row
    return found


def _size(file: Path, place: str, issues: list[Issue], said: tuple[Any, Any] | None = None) -> tuple[int, int] | None:
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None
    if picture is None:
        issues.append(Issue(place, f"picture {file} is missing or unreadable"))
        return None
    size = (picture.shape[1], picture.shape[0])
    if said is not None and said != size:
        issues.append(Issue(place, f"size {said[0]}x{said[1]} said, {size[0]}x{size[1]} found"))
    return size


def _picture(file: Path, size: tuple[int, int], rows: Sequence[_Row], issues: list[Issue]) -> LabelledPicture:
    good = []
    for row in rows:
        x1, y1, x2, y2 = row.corners
        if not (x2 > x1 and y2 > y1):
            issues.append(Issue(row.place, "empty box"))
        elif min(x1, y1) < -BORDER_PX or x2 > size[0] + BORDER_PX or y2 > size[1] + BORDER_PX:
            issues.append(Issue(row.place, f"box {x1:.1f} {y1:.1f} {x2:.1f} {y2:.1f} outside {size[0]}x{size[1]}"))
        elif row.label not in (ObjectClass.UNKNOWN, ObjectClass.LANE_LINE):
            good.append(row)
    boxes = np.array([r.corners for r in good], np.float32).reshape(-1, 4)
    classes, ignore = np.array([r.label for r in good], np.int64), np.array([r.ignore for r in good], bool)
    return LabelledPicture(file, *size, np.clip(boxes, 0.0, (*size, *size)).astype(np.float32), classes, ignore)
