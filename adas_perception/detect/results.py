"""The result files: lanes.json, boxes.json, a mask and an overlay for every picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.detect.sources import Picture
from adas_perception.perception.overlay import draw_boxes, draw_picture_lines
from adas_perception.perception.picture_lines import LineRole, PictureLine
from adas_perception.types import Detection


class Results:
    """Collects the answers and writes them into a folder; the JSON files are written by ``close``."""

    def __init__(self, out: Path, *, overlays: bool = True, masks: bool = True) -> None:
        self._out = out
        self._overlays, self._masks = overlays, masks
        self._lanes: dict[str, dict[str, Any]] = {}
        self._boxes: list[dict[str, Any]] = []
        self._stems: dict[str, str] = {}
        out.mkdir(parents=True, exist_ok=True)

    def add(self, picture: Picture, lines: Sequence[PictureLine] | None, boxes: Sequence[Detection] | None) -> None:
        """Take in the answers to one picture; None where no such network ran."""
        # Pictures that differ in the suffix alone keep it, so that none overwrites the other.
        stem = Path(picture.name).with_suffix("").as_posix()
        if self._stems.setdefault(stem, picture.name) != picture.name:
            stem = picture.name
        if lines is not None:
            self._lanes[picture.name] = lanes_entry(lines)
            if self._masks:
                _write(self._out / "masks" / f"{stem}.png", lane_mask(picture.bgr.shape[:2], lines))
        if boxes is not None:
            self._boxes += [box_entry(picture.name, box) for box in boxes]
        if self._overlays:
            drawn = draw_boxes(draw_picture_lines(picture.bgr, lines or ()), boxes or ())
            _write(self._out / "overlays" / f"{stem}.jpg", drawn)

    def close(self, *, lanes: bool, boxes: bool) -> list[Path]:
        """Write the JSON files and return their paths."""
        written = []
        for wanted, name, data in ((lanes, "lanes.json", self._lanes), (boxes, "boxes.json", self._boxes)):
            if wanted:
                (self._out / name).write_text(json.dumps(data, indent=None, separators=(",", ":")) + "\n")
                written.append(self._out / name)
        return written


def lanes_entry(lines: Sequence[PictureLine]) -> dict[str, Any]:
    """Return ``left``, ``right``: [x, y] of the ego boundaries, empty if not found; ``lines``: those of all lines."""
    points = [[[round(float(x), 1), round(float(y), 1)] for x, y in line.points] for line in lines]
    of = {line.role: p for line, p in zip(lines, points, strict=True)}
    return {"left": of.get(LineRole.LEFT, []), "right": of.get(LineRole.RIGHT, []), "lines": points}


def box_entry(name: str, box: Detection) -> dict[str, Any]:
    """Return one entry of boxes.json; corners in pixels."""
    corners = {key: round(getattr(box, key), 1) for key in ("x1", "y1", "x2", "y2")}
    return {"image": name, "class": box.label.name.lower(), "score": round(box.score, 4), **corners}


def lane_mask(shape: tuple[int, ...], lines: Sequence[PictureLine]) -> NDArray[np.uint8]:
    """Return 255 on the lines, 0 elsewhere, as a picture (H, W)."""
    mask: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    for line in lines:
        points = np.round(line.points * 16.0).astype(np.int32)
        cv2.polylines(mask, [points], False, 255, max(3, shape[1] // 200), cv2.LINE_8, 4)
    return mask


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path}: could not be written; is the disk full?")
