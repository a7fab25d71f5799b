"""How far the labels of a data set lie off the edges that its pictures show.

Labels cut out of rendered masks are often off by a pixel. That is nothing for a car nearby and half of the overlap for
a traffic light three pixels wide, so the training must know it: zoom and mirroring must not change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.models.boxes_data import LabelledPicture
from adas_perception.params import ParameterError

REACH_PX = 3  # labels are looked for this far off their edges
MARGIN_PX = REACH_PX + 1
CLEAR = 1.05  # colours must step so much more along the shifted borders than along those of the labels
_SHIFTS = np.arange(-REACH_PX, REACH_PX + 1)


def label_offset(pictures: Sequence[LabelledPicture]) -> tuple[float, float]:
    """Return x and y in whole pixels from the things to their labels; zeros where nothing speaks for another place.

    The labels of all pictures are shifted together until the colour steps most along their borders. Raises
    ParameterError when a picture can't be read.
    """
    step = np.zeros((2, len(_SHIFTS)))
    for p in pictures:
        boxes = p.boxes[~p.ignore].round().astype(int)
        inner = (boxes[:, :2] >= MARGIN_PX).all(1)
        inner &= (boxes[:, 2:] <= np.array([p.width_px, p.height_px]) - MARGIN_PX).all(1)
        if inner.any():
            across, down = _steps(p)
            for x1, y1, x2, y2 in boxes[inner & (boxes[:, 2:] > boxes[:, :2]).all(1)]:
                step[0] += _border(across[y1:y2], x1) + _border(across[y1:y2], x2)
                step[1] += _border(down[x1:x2], y1) + _border(down[x1:x2], y2)
    x, y = (-float(_SHIFTS[row.argmax()]) if row.max() > CLEAR * row[REACH_PX] else 0.0 for row in step)
    return x, y


def _steps(picture: LabelledPicture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the steps of colour (H, W - 1) from column to column and (W, H - 1) from row to row."""
    bgr = cv2.imread(str(picture.file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ParameterError(f"{picture.file}: picture missing or unreadable")
    lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB).astype(np.float32)
    down = np.abs(np.diff(lab, axis=0)).sum(2).T
    return np.abs(np.diff(lab, axis=1)).sum(2), down


def _border(steps: NDArray[np.float32], edge: int) -> NDArray[np.float32]:
    """Return the mean step along an edge at each shift; edge k lies between cells k - 1 and k."""
    return np.asarray(steps[:, edge - 1 + _SHIFTS].mean(axis=0))
