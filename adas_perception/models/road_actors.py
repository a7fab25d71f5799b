"""Cut-outs of pedestrians, cyclists, signs and traffic lights, drawn from nothing: RGBA pictures with exact outlines.

Every figure is random in build, pose, clothes and light; a cut-out is as high as it is told and as wide as it must be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.types import ObjectClass

Cutout = NDArray[np.uint8]  # (H, W, 4) RGBA

_CANVAS = 256  # figures are drawn this high and scaled down, which smooths their edges
_SKIN = ((236, 200, 175), (205, 160, 125), (150, 105, 75), (90, 62, 45))


class _Pen:
    """Draws shaded parts on one canvas; lengths are shares of the figure's height, y from the top."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rgba: Cutout = np.zeros((_CANVAS, _CANVAS * 2, 4), np.uint8)
        self._middle = _CANVAS

    def colour(self) -> tuple[int, int, int]:
        """A colour of clothes: often dark or grey."""
        grey = self.rng.uniform(10, 220)
        tint = self.rng.uniform(-70, 70, 3) * (self.rng.random() < 0.5)
        return tuple(int(v) for v in np.clip(grey + tint, 5, 250))  # type: ignore[return-value]

    def limb(self, a: tuple[float, float], b: tuple[float, float], thick: float, rgb: tuple[int, ...]) -> None:
        """A rounded line from a to b."""
        cv2.line(self.rgba, self._at(a), self._at(b), (*rgb, 255), max(1, round(thick * _CANVAS)), cv2.LINE_AA)

    def blob(self, centre: tuple[float, float], size: tuple[float, float], rgb: tuple[int, ...]) -> None:
        """A filled ellipse."""
        axes = (max(1, round(size[0] * _CANVAS)), max(1, round(size[1] * _CANVAS)))
        cv2.ellipse(self.rgba, self._at(centre), axes, 0, 0, 360, (*rgb, 255), -1, cv2.LINE_AA)

    def area(self, points: list[tuple[float, float]], rgb: tuple[int, ...]) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.rgba, [np.array([self._at(p) for p in points])], (*rgb, 255), cv2.LINE_AA)

    def finish(self) -> Cutout:
        """Crop to what is drawn and light it from one side."""
        rows, columns = np.nonzero(self.rgba[..., 3] > 30)
        cut = self.rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
        left, right = (float(v) for v in self.rng.uniform(0.6, 1.25, 2))
        ramp = np.linspace(left, right, cut.shape[1])[None, :, None]
        grain = cv2.resize(self.rng.normal(1.0, 0.12, (12, 12)).astype(np.float32), cut.shape[1::-1])
        light = ramp * grain[..., None] * self.rng.uniform(0.5, 1.2)
        lit = np.concatenate([cut[..., :3] * light, cut[..., 3:]], axis=-1)
        return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)

    def _at(self, p: tuple[float, float]) -> tuple[int, int]:
        return round(self._middle + p[0] * _CANVAS), round(p[1] * (_CANVAS - 1))


def _upper_body(pen: _Pen, hip: tuple[float, float], lean: float, size: float, swing: float) -> None:
    """Torso, arms and head above a hip; ``size`` is the length of the torso."""
    rng, shirt = pen.rng, pen.colour()
    skin = _SKIN[int(rng.integers(4))]
    neck = (hip[0] + lean * size, hip[1] - size)
    wide = size * rng.uniform(0.26, 0.4)
    pen.area([(hip[0] - wide * 0.75, hip[1]), (hip[0] + wide * 0.75, hip[1]), (neck[0] + wide, neck[1] + size * 0.1),
              (neck[0] - wide, neck[1] + size * 0.1)], shirt)  # fmt: skip
    for side in (-1.0, 1.0):
        elbow = (neck[0] + side * (wide + 0.01) + side * swing * 0.3, neck[1] + size * 0.5)
        hand = (elbow[0] + swing * 0.6 * side, elbow[1] + size * rng.uniform(0.2, 0.45))
        pen.limb((neck[0] + side * wide, neck[1] + size * 0.14), elbow, size * 0.16, shirt)
        pen.limb(elbow, hand, size * 0.12, skin if rng.random() < 0.4 else shirt)
    pen.limb(neck, (neck[0], neck[1] - size * 0.12), size * 0.14, skin)
    head = (neck[0] + lean * 0.05, neck[1] - size * 0.26)
    pen.blob(head, (size * 0.15, size * 0.2), skin)
    hair = pen.colour()
    if rng.random() < 0.8:
        pen.blob((head[0], head[1] - size * 0.06), (size * 0.16, size * 0.15), hair)
    if rng.random() < 0.25:
        pen.area([(hip[0] - wide * 0.5, hip[1] - size * 0.15), (hip[0] + wide * 0.6, hip[1] - size * 0.15),
                  (hip[0] + wide * 0.6, hip[1] - size * 0.8), (hip[0] - wide * 0.5, hip[1] - size * 0.8)],
                 pen.colour())  # fmt: skip


def draw_pedestrian(rng: np.random.Generator) -> Cutout:
    """Someone who stands or walks, seen from any side."""
    pen = _Pen(rng)
    trousers, shoes = pen.colour(), pen.colour()
    step = rng.uniform(0.0, 0.16) * (rng.random() < 0.8)
    hip = (0.0, rng.uniform(0.46, 0.53))
    thick = rng.uniform(0.055, 0.085)
    for side in (-1.0, 1.0):
        bend = rng.uniform(-0.02, 0.04)
        knee = (side * (step * 0.55 + 0.025) + bend, (hip[1] + 0.97) / 2)
        foot = (side * (step + 0.03), rng.uniform(0.94, 0.975))
        pen.limb((side * 0.03, hip[1]), knee, thick * 1.15, trousers)
        pen.limb(knee, foot, thick * 0.9, trousers)
        pen.limb(foot, (foot[0] + rng.uniform(-0.05, 0.05), foot[1] + 0.01), 0.035, shoes)
    if rng.random() < 0.2:
        pen.area([(-0.07, hip[1] - 0.02), (0.07, hip[1] - 0.02), (0.11, 0.75), (-0.11, 0.75)], pen.colour())
    _upper_body(pen, hip, rng.normal(0.0, 0.06), hip[1] - 0.17, rng.uniform(0.0, 0.12))
    return pen.finish()


def draw_cyclist(rng: np.random.Generator) -> Cutout:
    """A rider on a bicycle or motorcycle, from behind, from ahead or from a side."""
    pen = _Pen(rng)
    frame, trousers, tyre = pen.colour(), pen.colour(), (25, 25, 28)
    motor = rng.random() < 0.4
    if rng.random() < 0.5:
        wide = rng.uniform(0.05, 0.08) if motor else rng.uniform(0.02, 0.035)
        pen.limb((0.0, 0.62), (0.0, 0.96), wide, tyre)
        if motor:
            pen.blob((0.0, 0.62), (0.11, 0.14), frame)
        pen.limb((-0.17, 0.5), (0.17, 0.5), 0.02, frame)
        for side in (-1.0, 1.0):
            knee = (side * rng.uniform(0.08, 0.14), rng.uniform(0.56, 0.64))
            pen.limb((side * 0.05, 0.47), knee, 0.075, trousers)
            pen.limb(knee, (side * 0.08, rng.uniform(0.78, 0.9)), 0.06, trousers)
        _upper_body(pen, (0.0, 0.48), 0.0, rng.uniform(0.3, 0.35), rng.uniform(0.0, 0.06))
        if motor:
            pen.blob((0.0, 0.07), (0.06, 0.07), pen.colour())
        return pen.finish()
    way, gap, radius = float(rng.choice([-1, 1])), rng.uniform(0.27, 0.34), rng.uniform(0.15, 0.19)
    hubs = [(-gap * way, 0.97 - radius), (gap * way, 0.97 - radius)]
    for hub in hubs:
        axes = (round(radius * _CANVAS), round(radius * _CANVAS))
        cv2.ellipse(pen.rgba, pen._at(hub), axes, 0, 0, 360, (*tyre, 255), 12 if motor else 5, cv2.LINE_AA)
    seat, crank, bar = (-0.1 * way, 0.52), (0.0, 0.8), (0.2 * way, 0.5)
    for a, b in ((hubs[0], seat), (hubs[0], crank), (seat, crank), (crank, bar), (seat, bar), (bar, hubs[1])):
        pen.limb(a, b, 0.05 if motor else 0.016, frame)
    if motor:
        pen.blob((0.05 * way, 0.66), (0.2, 0.13), frame)
    for phase in (rng.uniform(0, 6.3),):
        for turn in (phase, phase + 3.14):
            foot = (crank[0] + 0.07 * np.cos(turn), crank[1] + 0.07 * np.sin(turn))
            knee = (0.1 * way, (seat[1] + foot[1]) / 2 - 0.04)
            pen.limb(seat, knee, 0.07, trousers)
            pen.limb(knee, foot, 0.055, trousers)
    _upper_body(pen, seat, way * rng.uniform(0.1, 0.6), rng.uniform(0.29, 0.34), way * rng.uniform(0.02, 0.1))
    return pen.finish()


def draw_sign(rng: np.random.Generator) -> Cutout:
    """The face of a traffic sign, without its pole."""
    pen = _Pen(rng)
    red, white, blue, yellow = (190, 25, 30), (235, 235, 235), (25, 70, 165), (245, 200, 30)
    shape = int(rng.integers(6))
    corners = {1: 3, 2: 4, 3: 8}.get(shape, 0)
    if shape == 5:
        half = rng.uniform(0.35, 0.5)
        pen.area([(-half, 0.0), (half, 0.0), (half, 1.0), (-half, 1.0)], white)
        inner = [(-half * 0.9, 0.06), (half * 0.9, 0.06), (half * 0.9, 0.94), (-half * 0.9, 0.94)]
        pen.area(inner, [white, blue, (20, 110, 60)][int(rng.integers(3))])
    elif corners:
        start = {3: float(rng.choice([-np.pi / 2, np.pi / 2])), 4: 0.0, 8: np.pi / 8}[corners]
        turn = start + np.arange(corners) * 2 * np.pi / corners
        rim, inner_rgb = [(red, white), (yellow, (30, 30, 30)), (red, white)][{3: 0, 4: 1, 8: 2}[corners]]
        for part, rgb in ((0.5, rim), (0.36 if corners != 4 else 0.0, inner_rgb if corners == 3 else rim)):
            pen.area([(part * np.cos(t), 0.5 + part * np.sin(t)) for t in turn], rgb)
    else:
        rim, face = (red, white) if rng.random() < 0.6 else (blue, blue)
        pen.blob((0.0, 0.5), (0.49, 0.49), rim)
        pen.blob((0.0, 0.5), (0.38, 0.38), face)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-0.2, 0.2), rng.uniform(0.35, 0.65)
        ink = white if rng.random() < 0.4 else (20, 20, 20)
        pen.limb((x, y), (x + rng.normal(0, 0.08), y + rng.normal(0, 0.12)), rng.uniform(0.04, 0.1), ink)
    cut = pen.finish()
    squeeze = rng.uniform(0.55, 1.0)
    size = (max(8, round(cut.shape[1] * squeeze)), cut.shape[0])
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Light(NamedTuple):
    """A traffic light without its pole."""

    cutout: Cutout
    lamp: float | None  # centre of the lamp that is lit, as a share of the height from the top; None: seen from behind
    rgb: tuple[int, int, int]  # colour of that lamp


_HOUSINGS = ((24, 25, 28), (24, 25, 28), (38, 42, 40), (72, 74, 76), (196, 158, 24))


def draw_light(rng: np.random.Generator) -> Light:
    """A traffic light with one lamp lit, turned a little to one side, or seen from behind."""
    pen = _Pen(rng)
    half, turn = rng.uniform(0.14, 0.25), rng.uniform(-0.7, 0.7)
    grey = rng.uniform(0.6, 1.3)
    housing = tuple(int(v * grey) for v in _HOUSINGS[int(rng.integers(len(_HOUSINGS)))])
    if rng.random() < 0.15:  # a plate behind it
        edge = half + rng.uniform(0.04, 0.1)
        pen.area([(-edge, 0.0), (edge, 0.0), (edge, 1.0), (-edge, 1.0)], (18, 18, 18))
    pen.area([(-half, 0.02), (half, 0.02), (half, 0.98), (-half, 0.98)], housing)
    red = (255, int(rng.uniform(20, 140)), int(rng.uniform(20, 70)))
    green = (int(rng.uniform(10, 90)), 240, int(rng.uniform(60, 180)))
    colours = (red, (255, 200, int(rng.uniform(30, 110))), green)
    lit = int(rng.choice([0, 0, 1, 2, 2]))
    if rng.random() < 0.15:
        return Light(pen.finish(), None, colours[lit])
    wide, dim = half * (0.72 - 0.3 * abs(turn)), rng.uniform(0.08, 0.25)
    for k, rgb in enumerate(colours):
        y, x = 0.18 + 0.32 * k, turn * half * 0.3
        shade = tuple(int(v * 0.6) for v in housing)
        pen.blob((x + turn * half * 0.9, y - 0.02), (wide, 0.14), shade)  # the visor
        pen.blob((x, y), (wide, 0.125), rgb if k == lit else tuple(int(v * dim) for v in rgb))
    cutout = pen.finish()
    # The lamp shines by itself, whatever light falls on the housing.
    height, width = cutout.shape[:2]
    y, radius = 0.18 + 0.32 * lit, (max(1, round(wide * height * 0.8)), max(1, round(0.1 * height)))
    middle = (round(width * (0.5 + turn * 0.1)), round(y * height))
    cv2.ellipse(cutout, middle, radius, 0, 0, 360, (*colours[lit], 255), -1, cv2.LINE_AA)
    core = tuple(int(v + (255 - v) * rng.uniform(0.0, 0.8)) for v in colours[lit])
    cv2.ellipse(cutout, middle, (radius[0] // 2, radius[1] // 2), 0, 0, 360, (*core, 255), -1, cv2.LINE_AA)
    return Light(cutout, y, colours[lit])


DRAWN: dict[ObjectClass, Callable[[np.random.Generator], Cutout]] = {
    ObjectClass.PEDESTRIAN: draw_pedestrian, ObjectClass.CYCLIST: draw_cyclist,
    ObjectClass.TRAFFIC_SIGN: draw_sign,
}  # fmt: skip


def paste(picture: NDArray[np.uint8], cutout: Cutout, left: float, bottom: float, height: float) -> tuple[float, ...]:
    """Blend a cut-out into the picture (H, W, 3) in place; returns its box x1 y1 x2 y2, clipped to the picture."""
    rows = max(3, round(height))
    columns = max(2, round(cutout.shape[1] * rows / cutout.shape[0]))
    small = cv2.resize(cutout, (columns, rows), interpolation=cv2.INTER_AREA)
    x, y = round(left), round(bottom) - rows
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + columns, picture.shape[1]), min(y + rows, picture.shape[0])
    if x2 <= x1 or y2 <= y1:
        return (0.0, 0.0, 0.0, 0.0)
    part = small[y1 - y : y2 - y, x1 - x : x2 - x].astype(np.float32)
    alpha = part[..., 3:] / 255.0
    under = picture[y1:y2, x1:x2]
    under[:] = (under + alpha * (part[..., :3] - under)).astype(np.uint8)
    return (float(x1), float(y1), float(x2), float(y2))
