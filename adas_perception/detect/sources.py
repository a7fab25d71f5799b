"""Pictures from files, folders and videos, each with the name that result files use for it.

A picture in a folder is named by its path inside the folder, a frame by the video's name and its number of six digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")


@dataclass(frozen=True)
class Picture:
    """A picture (H, W, 3) BGR and its name."""

    name: str
    bgr: NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """A picture file or a video."""

    name: str
    path: Path
    frames: int  # as the file says; 1 for a picture

    def pictures(self, every: int = 1, unreadable: Callable[[str], None] = lambda _: None) -> Iterator[Picture]:
        """Yield the picture, or every n-th frame; what cannot be read is told to ``unreadable`` in one sentence."""
        if self.path.suffix.lower() in VIDEOS:
            yield from self._frames(every, unreadable)
            return
        bgr = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if bgr is None:
            unreadable(f"{self.path}: no picture that OpenCV can read")
            return
        yield Picture(self.name, np.asarray(bgr, np.uint8))

    def _frames(self, every: int, unreadable: Callable[[str], None]) -> Iterator[Picture]:
        capture = cv2.VideoCapture(str(self.path))
        count = 0
        try:
            while capture.grab():
                if count % every == 0:
                    good, bgr = capture.retrieve()
                    if good:
                        yield Picture(frame_name(self.name, count), np.asarray(bgr, np.uint8))
                    else:
                        unreadable(f"{self.path}: frame {count} is broken")
                count += 1
        finally:
            capture.release()
        if count == 0:
            unreadable(f"{self.path}: no video that OpenCV can read")


def frame_name(video: str, number: int) -> str:
    """Name of a frame of a video."""
    return f"{video}/{number:06d}"


def find_sources(paths: Sequence[Path]) -> list[Source]:
    """Return the pictures and videos that the paths name or hold, folders with all their subfolders, in order of name.

    Raises FileNotFoundError when a path does not exist or nothing is found.
    """
    sources = []
    for path in paths:
        if path.is_dir():
            files = sorted(f for f in path.rglob("*") if f.suffix.lower() in PICTURES + VIDEOS and f.is_file())
            sources += [Source(f.relative_to(path).as_posix(), f, _frame_count(f)) for f in files]
        elif path.is_file():
            sources.append(Source(path.name, path, _frame_count(path)))
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    if not sources:
        raise FileNotFoundError(f"{', '.join(map(str, paths))}: no pictures ({', '.join(PICTURES)}) or videos in it")
    return sources


def _frame_count(path: Path) -> int:
    if path.suffix.lower() not in VIDEOS:
        return 1
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return max(count, 1)


def read_named(folder: Path, name: str) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) BGR of a name in a folder: a file, or a frame of a video.

    Raises FileNotFoundError when there is none.
    """
    path = folder / name
    video = path.parent
    if video.suffix.lower() in VIDEOS and video.is_file():
        capture = cv2.VideoCapture(str(video))
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(path.name))
        bgr = capture.read()[1]
        capture.release()
    else:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)  # type: ignore[assignment]
    if bgr is None:
        raise FileNotFoundError(f"{path}: no such picture or frame")
    return np.asarray(bgr, np.uint8)
