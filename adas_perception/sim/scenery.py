"""Materials of the rendered picture, made once: road surface, grain, panorama of sky and hills, trees."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.sim.road import Road

Picture = NDArray[np.uint8]
FloatPicture = NDArray[np.float32]

HAZE_RGB = (196, 208, 218)
_SKY_TOP_RGB = (92, 142, 200)
_CLOUD_RGB = (246, 247, 248)
_ASPHALT_RGB = (98, 98, 101)
_GRAVEL_RGB = (142, 134, 118)
_GRASS_RGB = (98, 118, 62)
_MEADOW_RGB = (124, 136, 74)
# Hills from far to near: height in pixels, colour, widths of their waves in pixels.
_RIDGES = (
    (26.0, (160, 178, 192), (220, 90)),
    (15.0, (122, 142, 138), (120, 40)),
    (7.0, (84, 102, 74), (14, 4)),
)

# Surface table: lateral resolution, reach to each side and levels of blur, each twice as wide as the one before.
SURFACE_TEXEL_M = 0.02
SURFACE_REACH_M = 40.0
SURFACE_LEVELS = 8
GRAIN_TEXELS = 512


def _noise(rng: np.random.Generator, shape: tuple[int, int], scales: tuple[int, ...]) -> FloatPicture:
    """Periodic noise of mean 0 and deviation 1, a sum of layers blurred by ``scales`` in pixels."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    total = np.zeros(shape)
    for scale in scales:
        spectrum = np.fft.rfft2(rng.standard_normal(shape))
        blur = np.exp(-2.0 * (np.pi * scale * frequency) ** 2) if scale > 1 else 1.0
        layer = np.fft.irfft2(spectrum * blur, shape)
        total += layer / layer.std()
    total -= total.mean()
    return np.asarray(total / total.std(), dtype=np.float32)


def surface_table(road: Road, rng: np.random.Generator) -> Picture:
    """Colours (levels, texels, 3) of the ground across the road, right to left, ever more blurred."""
    d = np.arange(-SURFACE_REACH_M, SURFACE_REACH_M, SURFACE_TEXEL_M)
    right, left = road.edges_m
    colour = np.empty((len(d), 3), np.float32)
    colour[:] = _MEADOW_RGB
    colour[(d > right - 9.0) & (d < left + 9.0)] = _GRASS_RGB
    colour[(d > right - 0.8) & (d < left + 0.8)] = _GRAVEL_RGB
    paved = (d > right) & (d < left)
    colour[paved] = _ASPHALT_RGB
    for centre in road.lane_centres_m:
        for track in (centre - 0.8, centre + 0.8):
            colour -= (paved * 10.0 * np.exp(-(((d - track) / 0.28) ** 2)))[:, None]
    grain = _noise(rng, (1, len(d)), (3, 12, 40))[0]
    colour += np.where(paved, 1.5, 7.0)[:, None] * grain[:, None]
    levels = [cv2.GaussianBlur(colour[None], (0, 0), 0.5 * 2.0**k)[0] for k in range(SURFACE_LEVELS)]
    return np.clip(np.stack(levels), 0, 255).astype(np.uint8)


def grain_tile(rng: np.random.Generator) -> Picture:
    """Periodic grain (2 N, N, 3) about 128: the upper half for asphalt, the lower, rougher one for grass."""
    shape = (GRAIN_TEXELS, GRAIN_TEXELS)
    asphalt = 3.5 * _noise(rng, shape, (1, 2)) + 2.0 * _noise(rng, shape, (24,))
    grass = 9.0 * _noise(rng, shape, (1, 2, 5)) + 5.0 * _noise(rng, shape, (20,))
    tint = np.array([1.0, 1.0, 0.75], np.float32)
    tile = np.concatenate([np.repeat(asphalt[..., None], 3, axis=2), grass[..., None] * tint])
    return np.clip(128.0 + tile, 0, 255).astype(np.uint8)


def panorama(width_px: int, height_px: int, rng: np.random.Generator) -> Picture:
    """Sky, clouds and hills all around (height, width, 3), closed in itself; the lowest row is the horizon."""
    up = np.linspace(1.0, 0.0, height_px)[:, None, None]
    sky = np.array(HAZE_RGB) + np.subtract(_SKY_TOP_RGB, HAZE_RGB) * up**0.8
    cloud = _noise(rng, (height_px, width_px // 3), (3, 6, 14, 30))
    cloud = np.asarray(cv2.resize(np.concatenate([cloud, cloud[:, :8]], axis=1), (width_px + 24, height_px)))
    amount = np.clip(0.8 * cloud[:, :width_px] - 0.3, 0.0, 1.0)[..., None] * 0.8 * np.clip(up * 2.0, 0.0, 1.0)
    picture = sky + (np.array(_CLOUD_RGB) - sky) * amount
    rows = np.arange(height_px)[:, None]
    for reach, rgb, scales in _RIDGES:
        ridge = _noise(rng, (1, width_px), scales)[0]
        top = height_px - np.clip(reach * (0.75 + 0.3 * ridge), 1.0, None)
        cover = np.clip(rows - top[None] + 0.5, 0.0, 1.0)[..., None]
        picture = picture + (np.array(rgb) - picture) * cover
    return np.clip(picture, 0, 255).astype(np.uint8)


def tree_sprites(rng: np.random.Generator, count: int = 4, size: int = 128) -> list[Picture]:
    """Trees (size, size, 4) as colour and opacity, lit from the upper left, standing on the lowest row."""
    sprites = []
    v, u = np.mgrid[0:size, 0:size].astype(np.float32) / size
    for _ in range(count):
        opacity = ((np.abs(u - 0.5) < 0.025) & (v > 0.55)).astype(np.float32)
        light: FloatPicture = np.full((size, size), -0.9, np.float32)
        for _ in range(26):
            angle, reach = rng.uniform(0, 2 * np.pi), 0.26 * np.sqrt(rng.uniform())
            cu, cv_ = 0.5 + reach * np.cos(angle), 0.40 + 1.25 * reach * np.sin(angle)
            radius = rng.uniform(0.07, 0.13)
            blob = np.clip((radius - np.hypot(u - cu, v - cv_)) * size / 3.0, 0.0, 1.0)
            shade = np.clip((cu - u) * 2.5 + (cv_ - v) * 4.0 + (0.4 - cv_) * 1.5, -1.0, 1.0)
            light += np.asarray((shade - light) * blob, np.float32)
            opacity = np.maximum(opacity, blob)
        light += 0.25 * _noise(rng, (size, size), (1, 3))
        base = np.array([66 + rng.uniform(-8, 12), 92 + rng.uniform(-8, 8), 46.0], np.float32)
        colour = np.clip(base + 26.0 * light[..., None], 8, 235)
        sprites.append(np.concatenate([colour, 255.0 * opacity[..., None]], axis=-1).astype(np.uint8))
    return sprites
