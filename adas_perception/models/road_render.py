"""Draw a scene as the camera sees it: every pixel is traced to the road, every edge is exact to a part of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from adas_perception.models.road_scene import Barrier, Colour, FloatArray, Marking, Scene, Vehicle

FAR_M = 260.0


@dataclass(frozen=True)
class Ground:
    """Road coordinates of the pixels (h, W) from row ``top`` down, and the size of the pixel's footprint along them."""

    top: int
    s: FloatArray
    d: FloatArray
    step_s: FloatArray
    step_d: FloatArray
    visible: FloatArray  # 1 on the ground, 0 in the sky


def trace_ground(scene: Scene) -> Ground:
    """Intersect the ray of every pixel with the road's surface z = hill s^2 / 2."""
    camera, road = scene.camera, scene.road
    # Roll and hills can lift the road a little above the flat horizon; higher rows are sky anyway.
    top = int(np.clip(camera.horizon_row_px() - 0.05 * camera.width_px, 0, camera.height_px - 8))
    v, u = np.mgrid[top : camera.height_px, 0 : camera.width_px]
    ray = camera.rays(np.stack([u, v], axis=-1)).astype(np.float32)
    slope, lean = ray[..., 2] / ray[..., 0], ray[..., 1] / ray[..., 0]
    inside = slope**2 + np.float32(2.0 * road.hill * camera.height_m)
    denominator = np.sqrt(np.maximum(inside, 0.0)) - slope
    hit = (inside > 0.0) & (denominator > 2.0 * camera.height_m / FAR_M)
    s = np.where(hit, 2.0 * camera.height_m / np.maximum(denominator, 1e-3), FAR_M).astype(np.float32)
    d = (s * lean - road.y(s)) / np.sqrt(1.0 + road.slope(s) ** 2)
    return Ground(top, s, d, _footprint(s), _footprint(d), hit.astype(np.float32))


def _footprint(x: FloatArray) -> FloatArray:
    down, right = np.gradient(x)
    return np.asarray(np.abs(down) + np.abs(right) + np.float32(1e-3))


def coverage(x: FloatArray, step: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Part of a footprint of length ``step`` around x that lies in the interval low..high."""
    overlap = np.minimum(x + step / 2.0, high) - np.maximum(x - step / 2.0, low)
    return np.clip(overlap / step, 0.0, 1.0)


def blend(picture: FloatArray, colour: npt.ArrayLike, alpha: FloatArray) -> None:
    """Paint a colour (3,) or picture (H, W, 3) over the picture in place, alpha (H, W)."""
    a = np.asarray(alpha, dtype=np.float32)[..., None]
    picture += a * (np.asarray(colour, dtype=np.float32) - picture)


@cache
def noise_tiles() -> tuple[FloatArray, ...]:
    """Three periodic noise textures (512, 512), fine to coarse, mean 0, deviation 1."""
    rng = np.random.default_rng(7)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None, :])
    tiles = []
    for power in (0.5, 1.0, 1.7):
        spectrum = np.fft.fft2(rng.normal(size=(512, 512))) / np.maximum(frequency, 1.0 / 512.0) ** power
        tile = np.real(np.fft.ifft2(spectrum))
        tiles.append(((tile - tile.mean()) / tile.std()).astype(np.float32))
    return tuple(tiles)


def noise_at(ground: Ground, rng: np.random.Generator, tile: int, texel_m: float, stretch: float = 1.0) -> FloatArray:
    """Noise (h, W) on the ground that fades where a pixel covers many texels; ``stretch`` is along the road."""
    shift_s, shift_d = (float(x) for x in rng.uniform(0.0, 512.0, 2))
    across, along = ground.d * (1.0 / texel_m) + shift_d, ground.s * (1.0 / (texel_m * stretch)) + shift_s
    noise = cv2.remap(noise_tiles()[tile], across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    fine = np.minimum(1.0, 2.0 * texel_m / np.maximum(ground.step_d, ground.step_s * (0.5 / stretch)))
    return np.asarray(noise * (fine if tile == 0 else np.sqrt(fine)))


def paint_surface(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> None:
    """Pavement with its stains, joints and patches, and the verges beside it."""
    asphalt = rng.random() < 0.75
    grey = rng.uniform(0.12, 0.45) if asphalt else rng.uniform(0.4, 0.65)
    tint = 1.0 + rng.normal(0.0, 0.03, 3)
    for edge in (0, 1):
        _paint_verge(picture, ground, rng, scene.paved[edge], above=edge == 1)
    road = coverage(ground.d, ground.step_d, *scene.paved) * ground.visible
    level = np.full_like(ground.d, grey)
    half = scene.lane_width_m / 2.0
    if rng.random() < 0.5:  # each lane and the shoulders were laid or worn differently
        for lane in scene.lanes:
            level += rng.normal(0.0, 0.03) * coverage(ground.d, ground.step_d, lane - half, lane + half)
        carriageway = coverage(ground.d, ground.step_d, scene.lanes[0] - half, scene.lanes[-1] + half)
        level += rng.normal(0.0, 0.08) * (1.0 - carriageway)
    if rng.random() < 0.25:  # the pavement changes across the road
        start = rng.uniform(5.0, 60.0)
        level += rng.normal(0.0, 0.15) * coverage(ground.s, ground.step_s, start, start + rng.uniform(5.0, 200.0))
    if rng.random() < 0.6:
        tracks = sum(np.exp(-(((ground.d - lane - side) / 0.3) ** 2)) for lane in scene.lanes for side in (-0.8, 0.8))
        level += rng.normal(0.0, 0.04) * tracks
    if rng.random() < 0.3:
        oil = sum(np.exp(-(((ground.d - lane) / 0.35) ** 2)) for lane in scene.lanes)
        level -= rng.uniform(0.0, 0.08) * oil
    _paint_repairs(level, ground, scene, rng, slabs=not asphalt)
    contrast = 0.003 + 0.25 * grey * rng.beta(1.0, 4.0)
    level += contrast * noise_at(ground, rng, 0, 0.02 + 0.04 * rng.random())
    level += 0.6 * contrast * noise_at(ground, rng, 1, rng.uniform(0.03, 0.12), stretch=rng.uniform(1.0, 12.0))
    if rng.random() < 0.5:
        depth = rng.uniform(0.0, 0.15) * grey
        level += depth * noise_at(ground, rng, 2, rng.uniform(0.05, 0.3), stretch=rng.uniform(1.0, 6.0))
    blend(picture, np.clip(level, 0.02, 1.0)[..., None] * tint.astype(np.float32), road)


def _paint_verge(picture: FloatArray, ground: Ground, rng: np.random.Generator, edge: float, above: bool) -> None:
    palette = ((0.25, 0.35, 0.12), (0.62, 0.53, 0.33), (0.45, 0.4, 0.33), (0.5, 0.5, 0.48), (0.8, 0.82, 0.85))
    base = np.array(palette[int(rng.choice(5, p=[0.35, 0.3, 0.15, 0.15, 0.05]))], np.float32) * rng.uniform(0.5, 1.2)
    texture = 0.12 * noise_at(ground, rng, 0, 0.08) + 0.15 * noise_at(ground, rng, 1, 0.15)
    colour = base * np.clip(1.0 + rng.uniform(0.3, 2.0) * texture, 0.2, 2.0)[..., None]
    limits = (edge, 1e4) if above else (-1e4, edge)
    blend(picture, np.clip(colour, 0.0, 1.0), coverage(ground.d, ground.step_d, *limits) * ground.visible)
    if rng.random() < 0.4:  # a strip of gravel, gutter or second carriageway
        outwards = 1.0 if above else -1.0
        start = edge + outwards * rng.uniform(0.0, 4.0)
        end = start + outwards * (rng.uniform(0.3, 2.0) if rng.random() < 0.5 else rng.uniform(6.0, 12.0))
        grey = rng.uniform(0.2, 0.7) * np.clip(1.0 + texture, 0.3, 1.7)
        strip = coverage(ground.d, ground.step_d, min(start, end), max(start, end)) * ground.visible
        blend(picture, grey[..., None], strip)


def paint_edges(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> None:
    """Gutters, berms, kerb stones, dust and dry grass along the pavement's edges: bright or dark, but no paint."""
    for edge, outwards in zip(scene.paved, (-1.0, 1.0), strict=True):
        place = edge
        for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.35, 0.25]))):
            width = float(rng.uniform(0.05, 0.25) if rng.random() < 0.5 else rng.uniform(0.2, 0.8))
            low = place + outwards * float(rng.uniform(-0.05, 0.1))
            place = low + outwards * width
            wander = rng.uniform(0.0, 0.1) * np.sin(ground.s / rng.uniform(2.0, 10.0) + rng.uniform(0.0, 6.0))
            offset = ground.d - wander
            alpha = coverage(offset, ground.step_d, min(low, place), max(low, place)) * ground.visible
            if rng.random() < 0.3:  # dust lies in heaps
                alpha = alpha * np.clip(0.8 + noise_at(ground, rng, 1, 0.1, stretch=rng.uniform(1.0, 6.0)), 0.0, 1.0)
            grey = rng.uniform(0.03, 0.2) if rng.random() < 0.4 else rng.uniform(0.35, 0.95)
            tint = np.clip(1.0 + rng.normal(0.0, 0.05) * np.array([1.0, 0.3, -1.2]), 0.5, 1.5)
            blend(picture, np.clip(grey * tint, 0.0, 1.0), alpha * rng.uniform(0.4, 1.0))


def _paint_repairs(level: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator, slabs: bool) -> None:
    """Joints, tar seams and patches: the lines that are no lane lines."""
    low, high = scene.paved
    if slabs or rng.random() < 0.1:
        period = rng.uniform(4.0, 12.0)
        phase = np.mod(ground.s + rng.uniform(0.0, period), period)
        level -= rng.uniform(0.03, 0.15) * coverage(phase, ground.step_s, 0.0, 0.04 + 0.05 * rng.random())
    for _ in range(int(rng.integers(0, 4))):  # seams along the road, wandering or straight
        start, wander = rng.uniform(low, high), rng.uniform(0.0, 0.25)
        path = start + wander * np.sin(ground.s / rng.uniform(3.0, 15.0) + rng.uniform(0.0, 6.0))
        width = rng.uniform(0.02, 0.12)
        alpha = coverage(ground.d - path, ground.step_d, -width / 2.0, width / 2.0)
        if rng.random() < 0.5:
            begin = rng.uniform(0.0, 40.0)
            alpha = alpha * coverage(ground.s, ground.step_s, begin, begin + rng.uniform(3.0, 50.0))
        level += (rng.uniform(0.05, 0.1) if rng.random() < 0.15 else -rng.uniform(0.05, 0.25)) * alpha
    for _ in range(int(rng.integers(0, 5))):  # patches and cracks across
        s, d = rng.uniform(3.0, 60.0), rng.uniform(low, high)
        length = rng.uniform(0.03, 0.15) if rng.random() < 0.4 else rng.uniform(0.5, 15.0)
        width = rng.uniform(0.3, 5.0)
        box = coverage(ground.s, ground.step_s, s, s + length) * coverage(ground.d, ground.step_d, d, d + width)
        level += rng.normal(0.0, 0.1) * box


def paint_markings(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> list[float]:
    """Paint lane boundaries, and arrows, letters and bars that are none; returns each boundary's contrast to the road.

    The contrast is the mean change of brightness where there is most paint, less half the deviation of the road
    there; 1 where none is in view.
    """
    worn = noise_at(ground, rng, 1, 0.05) * 0.7 + noise_at(ground, rng, 0, 0.03) * 0.5
    contrasts = []
    for marking in scene.markings:
        alpha = marking_coverage(ground, marking) * ground.visible
        holes = np.clip(1.5 - 2.2 * marking.wear + worn, 0.0, 1.0) if marking.wear > 0.15 else 1.0
        painted = alpha > 0.6 * alpha.max()
        before = picture[painted].mean(axis=-1)
        blend(picture, marking.colour, alpha * marking.opacity * holes)
        change = np.abs(picture[painted].mean(axis=-1) - before)
        contrasts.append(float(change.mean() - 0.5 * before.std()) if alpha.max() > 0.05 else 1.0)
    if rng.random() < 0.3:
        _paint_symbols(picture, ground, scene, rng)
    return contrasts


def marking_coverage(ground: Ground, marking: Marking) -> FloatArray:
    """Part of every pixel (H, W) that the marking's paint covers."""
    offset = ground.d - marking.lateral(ground.s)
    if marking.dots:
        along = np.mod(ground.s + marking.phase_m, marking.period_m / 2.0)
        dots = coverage(along, ground.step_s, 0.0, 0.12)
        if marking.period_m > 8.0:  # groups of four raised dots, 0.8 m apart
            along = np.mod(ground.s + marking.phase_m, marking.period_m)
            dots = np.sum([coverage(along, ground.step_s, i * 0.8, i * 0.8 + 0.12) for i in range(4)], axis=0)
        return np.asarray(dots * coverage(offset, ground.step_d, -0.06, 0.06))
    half, gap = marking.width_m / 2.0, marking.twin_gap_m
    if gap > 0.0:
        shift = (gap + marking.width_m) / 2.0
        across = coverage(np.abs(offset), ground.step_d, shift - half, shift + half)
    else:
        across = coverage(offset, ground.step_d, -half, half)
    if not marking.dashed:
        return across
    along = np.mod(ground.s + marking.phase_m, marking.period_m)
    return across * coverage(along, ground.step_s, 0.0, marking.dash_m)


def _paint_symbols(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> None:
    lane = scene.lanes[int(rng.integers(len(scene.lanes)))]
    colour = np.full(3, rng.uniform(0.6, 0.95))
    s, alpha = rng.uniform(5.0, 40.0), np.zeros_like(ground.s)
    for _ in range(int(rng.integers(1, 7))):
        d, length = lane + rng.uniform(-0.9, 0.7), rng.uniform(0.3, 4.0)
        width = rng.uniform(0.1, 0.5)
        slant = rng.normal(0.0, 0.15) * (ground.s - s)
        box = coverage(ground.s, ground.step_s, s, s + length)
        alpha = np.maximum(alpha, box * coverage(ground.d - slant, ground.step_d, d, d + width))
        s += rng.uniform(0.0, 2.0)
    if rng.random() < 0.2:
        alpha = coverage(ground.s, ground.step_s, s, s + 0.4) * coverage(ground.d, ground.step_d, *scene.paved)
    blend(picture, colour, alpha * rng.uniform(0.5, 1.0) * ground.visible)


def paint_shadows(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> None:
    """Shadows of trees, bridges, barriers and vehicles."""
    shade = np.ones_like(ground.s)
    depth = rng.uniform(0.25, 0.75)
    if rng.random() < 0.3:
        leaves = noise_at(ground, rng, 1, rng.uniform(0.03, 0.15))
        leaves = leaves + 0.7 * noise_at(ground, rng, 2, rng.uniform(0.03, 0.2))
        shade *= 1.0 - depth * np.clip((leaves - rng.uniform(-0.5, 1.0)) * rng.uniform(1.0, 4.0), 0.0, 1.0)
    if rng.random() < 0.15:
        start = rng.uniform(3.0, 60.0) + rng.normal(0.0, 0.5) * ground.d
        shade *= 1.0 - depth * coverage(ground.s, ground.step_s + 0.3, start, start + rng.uniform(0.3, 25.0))
    if rng.random() < 0.2:
        edge, reach = scene.paved[int(rng.integers(2))], rng.uniform(0.5, 6.0)
        shade *= 1.0 - depth * coverage(ground.d, ground.step_d + 0.05, edge - reach, edge + reach)
    if rng.random() < 0.2:  # a rail with its posts, or wires
        place = scene.paved[int(rng.integers(2))] + rng.normal(0.0, 1.0)
        for _ in range(int(rng.integers(1, 4))):
            place, width = place + rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.4)
            shade *= 1.0 - depth * coverage(ground.d, ground.step_d + 0.03, place, place + width)
    for vehicle in scene.vehicles:
        lean = rng.uniform(-1.0, 1.0)
        half = vehicle.width_m / 2.0
        along = coverage(ground.s, ground.step_s, vehicle.s_m - 0.3, vehicle.s_m + vehicle.length_m)
        low, high = vehicle.d_m - half - max(lean, 0.0), vehicle.d_m + half - min(lean, 0.0)
        shade *= 1.0 - 0.7 * along * coverage(ground.d, ground.step_d + 0.2, low, high)
    picture *= (1.0 - (1.0 - shade) * ground.visible).astype(np.float32)[..., None]


def draw_barrier(picture: FloatArray, scene: Scene, barrier: Barrier, rng: np.random.Generator) -> None:
    """Draw a wall or rail as strips from far to near."""
    s = np.geomspace(1.0, 150.0, 40)
    low = scene.camera.project(scene.road.place(s, barrier.d_m, barrier.bottom_m))
    high = scene.camera.project(scene.road.place(s, barrier.d_m, barrier.top_m))
    posts = scene.camera.project(scene.road.place(s, barrier.d_m, 0.0))
    side = float(rng.uniform(0.25, 1.2))  # in the sun or in the shade
    bands = [(0.0, 0.2, rng.uniform(0.2, 2.0)), (0.8, 1.0, rng.uniform(0.5, 2.0)), (0.4, 0.6, rng.uniform(0.5, 1.6))]
    bands = [band for band in bands if rng.random() < 0.4]
    for i in range(len(s) - 1, 0, -1):
        shade = side * float(rng.normal(1.0, 0.05))
        _fill(picture, [low[i - 1], low[i], high[i], high[i - 1]], [c * shade for c in barrier.colour])
        for start, end, gain in bands:  # dirt at the foot, a cap, the wave of a rail
            a, b = low + start * (high - low), low + end * (high - low)
            colour = [min(c * shade * float(gain), 1.0) for c in barrier.colour]
            _fill(picture, [a[i - 1], a[i], b[i], b[i - 1]], colour)
        if barrier.posts and i % 2:
            _fill(picture, [posts[i], posts[i] + [1, 0], high[i] + [1, 0], high[i]], [c * 0.6 for c in barrier.colour])


def draw_vehicle(picture: FloatArray, hidden: FloatArray, scene: Scene, car: Vehicle, rng: np.random.Generator) -> None:
    """Draw a vehicle as body, cabin, windows, lights and wheels; ``hidden`` (H, W) is set to 1 where it covers."""
    w, length, h = car.width_m / 2.0, car.length_m, car.height_m
    tall = h > 2.5
    deck = h if tall else h * rng.uniform(0.55, 0.7)

    def at(s: float, d: float, z: float) -> FloatArray:
        return np.asarray(scene.camera.project(scene.road.place(np.array(car.s_m + s), car.d_m + d, z)))

    def face(corners: list[tuple[float, float, float]], shade: float, colour: Colour | None = None) -> None:
        points = [at(*c) for c in corners]
        _fill(picture, points, [min(c * shade, 1.0) for c in colour or car.colour])
        _fill(hidden, points, [1.0])

    near = w if scene.road.y(np.array(car.s_m)) + car.d_m < 0.0 else -w
    light, side = rng.uniform(0.6, 1.2), rng.uniform(0.5, 1.1)
    glass: Colour = (0.08, 0.09, 0.1)
    face([(0, near, 0.25), (length, near, 0.25), (length, near, deck), (0, near, deck)], side)
    face([(0, -w, 0.25), (0, w, 0.25), (0, w, deck), (0, -w, deck)], light)
    if not tall:
        t, back, front = w * 0.75, length * 0.08, length * 0.7
        face([(0, -w, deck), (0, w, deck), (length, w, deck), (length, -w, deck)], 1.2 * light)
        roof = near * 0.8
        face([(back, near, deck), (front, near, deck), (front * 0.8, roof, h), (back * 3, roof, h)], 1.0, glass)
        face([(back, -w * 0.9, deck), (back, w * 0.9, deck), (back * 2, t, h), (back * 2, -t, h)], light)
        face([(back, -w * 0.8, deck * 1.03), (back, w * 0.8, deck * 1.03), (back * 2, t * 0.9, h * 0.96),
              (back * 2, -t * 0.9, h * 0.96)], rng.uniform(0.5, 3.0), glass)  # fmt: skip
    lamp: Colour = (1.0, 0.95, 0.8) if car.oncoming else (0.75, 0.05, 0.04)
    for edge in (-1.0, 1.0):
        inner, outer = edge * w * 0.62, edge * w * 0.97
        z = min(deck, 1.1)
        face([(0, inner, z * 0.75), (0, outer, z * 0.75), (0, outer, z * 0.92), (0, inner, z * 0.92)], 1.0, lamp)
        inner, outer = edge * w * 0.65, edge * w
        face([(0, inner, 0.0), (0, outer, 0.0), (0, outer, 0.35), (0, inner, 0.35)], 0.05, (1, 1, 1))
    face([(0, -w, 0.18), (0, w, 0.18), (0, w, 0.34), (0, -w, 0.34)], 0.1, (1, 1, 1))


def _fill(picture: FloatArray, points: list[FloatArray], colour: list[float]) -> None:
    corners = np.array(points)
    if np.isfinite(corners).all() and np.abs(corners).max() < 20000.0:
        cv2.fillPoly(picture, [np.round(corners * 16.0).astype(np.int32)], colour, lineType=cv2.LINE_AA, shift=4)
