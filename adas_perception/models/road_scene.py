"""Random motorway and country-road scenes: what stands where, before anything is drawn.

Road frame: ``s`` metres ahead of the camera along the road, ``d`` metres to the left of the lane's centre line.
The road's centre is y(s) = -offset + heading s + curvature s^2 / 2 + curvature_rate s^3 / 6, its height
z(s) = hill s^2 / 2, in the frame of a car that stands at s = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adas_perception.perception.camera import CameraModel

FloatArray = npt.NDArray[Any]
Colour = tuple[float, float, float]  # RGB, 0..1

PICTURE_HEIGHT, PICTURE_WIDTH = 192, 512
CROP_TOP = 0.3  # part of the original picture, from its top, that the network never sees


@dataclass(frozen=True)
class RoadShape:
    """Where the road runs, seen from the car."""

    offset_m: float
    heading: float
    curvature: float
    curvature_rate: float
    hill: float

    def y(self, s: FloatArray) -> FloatArray:
        """Lateral position of the lane's centre at s."""
        return -self.offset_m + s * (self.heading + s * (self.curvature / 2.0 + s * self.curvature_rate / 6.0))

    def slope(self, s: FloatArray) -> FloatArray:
        """First derivative of ``y``."""
        return self.heading + s * (self.curvature + s * self.curvature_rate / 2.0)

    def place(self, s: npt.ArrayLike, d: npt.ArrayLike, z: npt.ArrayLike) -> FloatArray:
        """Points (..., 3) in the car's frame of the road coordinates s, d and the height z above the road."""
        along, across, up = np.broadcast_arrays(np.asarray(s, dtype=float), d, z)
        y = self.y(along) + across * np.sqrt(1.0 + self.slope(along) ** 2)
        return np.stack([along, y, up + 0.5 * self.hill * along**2], axis=-1)


@dataclass(frozen=True)
class Marking:
    """One painted lane boundary; ``dash_m`` 0 means solid; ``twin_gap_m`` > 0 doubles it; dots are Botts' dots."""

    d_m: float
    taper: float
    width_m: float
    dash_m: float
    period_m: float
    phase_m: float
    twin_gap_m: float
    colour: Colour
    opacity: float
    wear: float
    dots: bool = False

    @property
    def dashed(self) -> bool:
        """Whether the paint is interrupted."""
        return self.dash_m > 0.0

    def lateral(self, s: FloatArray) -> FloatArray:
        """Lateral position d of the boundary at s; ramps make it leave the road."""
        return self.d_m + self.taper * np.maximum(s - 8.0, 0.0) ** 1.5


@dataclass(frozen=True)
class Vehicle:
    """A box-shaped road user; d is its centre, s its near face."""

    s_m: float
    d_m: float
    length_m: float
    width_m: float
    height_m: float
    colour: Colour
    oncoming: bool


@dataclass(frozen=True)
class Barrier:
    """A wall, guard rail or kerb along the road."""

    d_m: float
    bottom_m: float
    top_m: float
    colour: Colour
    posts: bool


@dataclass(frozen=True)
class Scene:
    """Everything needed to draw one picture, but for textures and camera effects."""

    camera: CameraModel
    road: RoadShape
    lanes: tuple[float, ...]  # lane centres d, right to left
    lane_width_m: float
    paved: tuple[float, float]  # d of the right and the left edge of the pavement
    markings: tuple[Marking, ...]
    vehicles: tuple[Vehicle, ...]
    barriers: tuple[Barrier, ...]
    night: bool


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw a random scene."""
    width = float(rng.uniform(2.7, 4.0))
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.08, 0.32, 0.3, 0.2, 0.1]))
    own = int(rng.integers(count))
    two_way = bool(count >= 2 and rng.random() < 0.2)
    lanes = tuple((i - own) * width for i in range(count))
    boundaries = [lanes[0] - width / 2.0 + i * width for i in range(count + 1)]
    right_shoulder, left_shoulder = (_shoulder(rng) for _ in range(2))
    paved = (boundaries[0] - right_shoulder, boundaries[-1] + left_shoulder)
    return Scene(
        camera=_camera(rng),
        road=_road(rng, width),
        lanes=lanes,
        lane_width_m=width,
        paved=paved,
        markings=_markings(rng, boundaries, own, two_way),
        vehicles=_vehicles(rng, lanes, own, two_way),
        barriers=_barriers(rng, paved),
        night=bool(rng.random() < 0.1),
    )


def _shoulder(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.1, 0.8) if rng.random() < 0.45 else rng.uniform(0.8, 4.0))


def _camera(rng: np.random.Generator) -> CameraModel:
    """Camera of the cropped and resized picture: any field of view, horizon row and aspect ratio."""
    fov = np.radians(rng.uniform(40.0, 100.0))
    aspect = float(rng.choice([16.0 / 9.0, 4.0 / 3.0, rng.uniform(1.33, 2.0)], p=[0.55, 0.2, 0.25]))
    fx = PICTURE_WIDTH / 2.0 / np.tan(fov / 2.0)
    fy = fx * aspect * PICTURE_HEIGHT / PICTURE_WIDTH / (1.0 - CROP_TOP)
    camera = CameraModel(
        PICTURE_WIDTH, PICTURE_HEIGHT, float(fx), float(fy),
        cx_px=PICTURE_WIDTH * float(rng.uniform(0.46, 0.54)),
        cy_px=PICTURE_HEIGHT * (0.5 - CROP_TOP) / (1.0 - CROP_TOP),
        height_m=float(rng.uniform(1.0, 1.8) if rng.random() < 0.85 else rng.uniform(1.8, 2.8)),
        x_m=0.0, roll_rad=float(rng.normal(0.0, 0.015)),
    )  # fmt: skip
    return camera.with_horizon(PICTURE_HEIGHT * float(rng.triangular(0.0, 0.25, 0.58)))


def _road(rng: np.random.Generator, width: float) -> RoadShape:
    bend = 0.0 if rng.random() < 0.25 else float(rng.normal(0.0, 1.0))
    # A quarter of the roads are country roads with radii down to about 100 m.
    curvature = bend * (0.0035 if rng.random() < 0.25 else 0.0010)
    keeping = rng.random() < 0.85
    offset = rng.normal(0.0, 0.12 * width) if keeping else rng.uniform(-0.5, 0.5) * width
    return RoadShape(
        offset_m=float(np.clip(offset, -0.5 * width, 0.5 * width)),
        heading=float(rng.normal(0.0, 0.012 if keeping else 0.04)),
        curvature=float(np.clip(curvature, -0.01, 0.01)),
        curvature_rate=float(rng.normal(0.0, 1e-5)),
        hill=float(rng.normal(0.0, 4e-4)) if rng.random() < 0.6 else 0.0,
    )


def _markings(rng: np.random.Generator, boundaries: list[float], own: int, two_way: bool) -> tuple[Marking, ...]:
    pattern = [(3.0, 12.0), (3.0, 9.0), (6.0, 18.0), (4.0, 12.0), (2.0, 6.0), (3.0, 6.0), (6.0, 9.0), (1.0, 2.0)]
    dash, period = pattern[int(rng.choice(len(pattern), p=[0.3, 0.12, 0.2, 0.12, 0.08, 0.08, 0.06, 0.04]))]
    stretch = float(rng.uniform(0.85, 1.15))
    base = float(rng.uniform(0.09, 0.2))
    fading = float(1.0 - 0.6 * rng.beta(1.0, 3.0))
    dots = rng.random() < 0.08
    phase = float(rng.uniform(0.0, period))
    markings = []
    last = len(boundaries) - 1
    for i, d in enumerate(boundaries):
        outer = i in (0, last)
        centre = two_way and i == own + 1
        solid = rng.random() < (0.88 if outer else 0.55 if centre else 0.08)
        if outer and rng.random() < 0.2:
            continue
        yellow = rng.random() < (0.45 if i == last or centre else 0.06)
        twin = rng.random() < (0.5 if centre else 0.04)
        width = base * float(rng.uniform(1.0, 2.2) if outer else rng.uniform(0.9, 1.3))
        markings.append(Marking(
            d_m=d + float(rng.normal(0.0, 0.04)),
            taper=float(rng.normal(0.0, 0.008)) if outer and rng.random() < 0.1 else 0.0,
            width_m=min(width, 0.4) * (0.7 if twin else 1.0),
            dash_m=0.0 if solid else dash * stretch, period_m=period * stretch,
            phase_m=phase + float(rng.normal(0.0, 0.3)) + (rng.uniform(0, period) if rng.random() < 0.3 else 0.0),
            twin_gap_m=float(rng.uniform(0.1, 0.25)) if twin else 0.0,
            colour=_paint(rng, bool(yellow)),
            opacity=fading * float(rng.uniform(0.75, 1.0)), wear=float(rng.beta(1.0, 5.0)),
            dots=bool(dots and not solid),
        ))  # fmt: skip
    return tuple(markings)


def _paint(rng: np.random.Generator, yellow: bool) -> Colour:
    bright = float(rng.uniform(0.7, 1.0))
    if yellow:
        return bright, bright * float(rng.uniform(0.6, 0.85)), bright * float(rng.uniform(0.05, 0.5))
    return bright, bright * float(rng.uniform(0.95, 1.0)), bright * float(rng.uniform(0.88, 1.0))


def _vehicles(rng: np.random.Generator, lanes: tuple[float, ...], own: int, two_way: bool) -> tuple[Vehicle, ...]:
    vehicles = []
    extra = [lanes[-1] + rng.uniform(6.0, 16.0), lanes[0] - rng.uniform(5.0, 9.0)]
    for _ in range(int(rng.choice([0, 1, 2, 4, 7, 12], p=[0.15, 0.15, 0.2, 0.2, 0.2, 0.1]))):
        lane = int(rng.integers(len(lanes) + 1))
        outside = lane == len(lanes)
        d = extra[int(rng.integers(2))] if outside else lanes[lane]
        own_lane = not outside and lane == own
        s = float(rng.uniform(9.0 if own_lane else 2.5, 40.0) if rng.random() < 0.5 else rng.uniform(25.0, 120.0))
        lorry = rng.random() < 0.2
        grey = float(rng.uniform(0.02, 0.95))
        colour = (grey, grey, grey) if rng.random() < 0.6 else tuple(float(v) for v in rng.uniform(0.02, 0.8, 3))
        vehicles.append(Vehicle(
            s, float(d + rng.normal(0.0, 0.25)),
            length_m=float(rng.uniform(7.0, 14.0) if lorry else rng.uniform(3.8, 5.0)),
            width_m=float(rng.uniform(2.3, 2.6) if lorry else rng.uniform(1.65, 1.95)),
            height_m=float(rng.uniform(2.8, 4.0) if lorry else rng.uniform(1.35, 1.9)),
            colour=colour,  # type: ignore[arg-type]
            oncoming=bool(outside or (two_way and lane > own)),
        ))  # fmt: skip
    return tuple(sorted(vehicles, key=lambda v: -v.s_m))


def _barriers(rng: np.random.Generator, paved: tuple[float, float]) -> tuple[Barrier, ...]:
    barriers = []
    for edge, side in zip(paved, (-1.0, 1.0), strict=True):
        if rng.random() < 0.4:
            continue
        kind = int(rng.integers(4))
        grey = float(rng.uniform(0.3, 0.75))
        tint = rng.uniform(0.9, 1.1, 3)
        colour = tuple(float(v) for v in np.clip(grey * tint, 0.0, 1.0))
        bottom, top = [(0.0, rng.uniform(0.7, 1.2)), (0.45, 0.8), (0.0, rng.uniform(0.08, 0.2)),
                       (0.0, rng.uniform(1.5, 5.0))][kind]  # fmt: skip
        gap = rng.uniform(0.0, 0.4) if kind != 1 and rng.random() < 0.7 else rng.uniform(0.2, 2.0)
        barriers.append(Barrier(edge + side * float(gap), float(bottom), float(top), colour, kind == 1))  # type: ignore[arg-type]
    return tuple(barriers)
