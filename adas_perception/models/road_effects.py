"""What lies between the scene and the picture file: sky, weather, light, lens, sensor and compression."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from adas_perception.models.road_render import FAR_M, Ground, blend, noise_tiles
from adas_perception.models.road_scene import FloatArray, Scene


def paint_background(
    picture: FloatArray, scene: Scene, rng: np.random.Generator, photos: Sequence[npt.NDArray[np.uint8]] = ()
) -> None:
    """Sky, hills and trees; or the upper part of a real photo (H, W, 3) whose last row is the horizon."""
    height, width = picture.shape[:2]
    horizon = int(np.clip(scene.camera.horizon_row_px() - scene.road.hill * 8000.0, 2, height - 2))
    if photos and rng.random() < 0.4:
        photo = photos[int(rng.integers(len(photos)))]
        part = photo[int(photo.shape[0] * rng.uniform(0.0, 0.5)) :]
        view = cv2.resize(part[:, :: rng.choice([-1, 1])], (width, max(horizon + 6, 8)), interpolation=cv2.INTER_AREA)
        picture[: view.shape[0]] = view[: len(picture)] / np.float32(255.0)
        picture[view.shape[0] :] = picture[min(view.shape[0], height) - 1].mean(axis=0)
        return
    top = np.array([0.25, 0.45, 0.75]) if rng.random() < 0.6 else np.full(3, rng.uniform(0.5, 0.95))
    low = np.clip(top + rng.uniform(0.1, 0.5), 0.0, 1.0) * rng.uniform(0.8, 1.0)
    ramp = np.linspace(0.0, 1.0, horizon)[:, None, None]
    picture[:horizon] = top * (1.0 - ramp) + low * ramp
    picture[horizon:] = low
    if rng.random() < 0.5:
        clouds = cv2.resize(noise_tiles()[2][: 128 + int(rng.integers(128)), :256], (width, height))
        blend(picture, (0.95, 0.95, 0.97), np.clip(clouds * 0.4, 0.0, rng.uniform(0.1, 0.9)))
    for _ in range(int(rng.integers(1, 4))):
        _paint_skyline(picture, horizon, rng)


def _paint_skyline(picture: FloatArray, horizon: int, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    scale = rng.uniform(0.03, 0.5)
    row = noise_tiles()[2 if rng.random() < 0.5 else 1][int(rng.integers(512)), :256]
    outline = np.interp(np.linspace(0.0, 255.0 * rng.uniform(0.3, 1.0), width), np.arange(256), row)
    top = horizon - height * scale * np.clip(0.3 + 0.4 * outline, 0.0, 1.5)
    colours = ((0.15, 0.25, 0.1), (0.35, 0.42, 0.5), (0.6, 0.5, 0.3), (0.45, 0.43, 0.42), (0.1, 0.13, 0.08))
    base = np.array(colours[int(rng.integers(5))]) * rng.uniform(0.5, 1.4)
    patch = noise_tiles()[int(rng.integers(2))][:height, :width]
    patch = patch if patch.shape == (height, width) else cv2.resize(patch, (width, height))
    colour = np.clip(base * (1.0 + rng.uniform(0.05, 0.4) * patch[..., None]), 0.0, 1.0)
    alpha = np.clip(np.arange(height)[:, None] - top[None, :], 0.0, 1.0)
    blend(picture, colour, alpha.astype(np.float32))


def light_and_weather(picture: FloatArray, ground: Ground, scene: Scene, rng: np.random.Generator) -> None:
    """Night with headlamps, fog, a wet mirror-like road."""
    sky, road = picture[: ground.top], picture[ground.top :]
    if scene.night:
        y = ground.d - ground.d[-1, ground.d.shape[1] // 2]
        beam = np.exp(-((ground.s / rng.uniform(15.0, 50.0)) ** 2) - (y / (3.0 + 0.3 * ground.s)) ** 2)
        ambient = float(rng.uniform(0.06, 0.4))
        dark = ambient * float(rng.uniform(0.1, 1.0))
        road *= np.where(ground.visible > 0.0, ambient + rng.uniform(0.6, 1.4) * beam, dark)[..., None]
        sky *= dark
    if rng.random() < 0.25:
        density = 1.0 / rng.uniform(25.0, 400.0)
        haze = np.float32(rng.uniform(0.1 if scene.night else 0.55, 0.95))
        blend(road, haze, 1.0 - np.exp(-density * ground.s))
        blend(sky, haze, np.full(sky.shape[:2], 1.0 - np.exp(-density * FAR_M)))
    if rng.random() < 0.08:
        mirror = cv2.GaussianBlur(picture[::-1], (0, 0), 6.0)[ground.top :]
        blend(road, mirror, ground.visible * rng.uniform(0.05, 0.5))


def draw_bonnet(picture: FloatArray, mask: FloatArray, horizon: float, rng: np.random.Generator) -> None:
    """Draw the car's own bonnet, and at times the dashboard, along the lower edge; ``mask`` (H, W) is 1 where it is.

    At least a quarter of the view between the row ``horizon`` and the lower edge stays free.
    """
    height, width = picture.shape[:2]
    rise = height * (rng.uniform(0.03, 0.2) if rng.random() < 0.5 else rng.uniform(0.15, 0.5))
    rise = min(rise, 0.75 * (height - max(horizon, 0.0)))
    u = np.linspace(-1.0, 1.0, width) * rng.uniform(0.4, 1.05) + rng.normal(0.0, 0.1)
    top = height - rise * np.clip(1.0 - np.abs(u) ** rng.uniform(2.0, 6.0), 0.0, 1.0)
    down = np.arange(height)[:, None] - top[None, :]
    alpha = np.clip(down, 0.0, 1.0).astype(np.float32)
    base = rng.uniform(0.02, 0.7) * (1.0 + rng.normal(0.0, 0.1, 3))
    shine = np.clip(down / rise, 0.0, 1.0)[..., None] * rng.uniform(-0.3, 0.3)
    glossy = cv2.GaussianBlur(picture[::-1], (0, 0), rng.uniform(2.0, 8.0)) * rng.uniform(0.0, 0.6)
    body = base + shine + glossy
    if rise > 0.15 * height:  # wipers, the gap to the windscreen, the dashboard
        for start in np.sort(rng.uniform(0.25, 1.0, int(rng.integers(0, 4)))):
            tone = rng.uniform(0.0, 0.25) if rng.random() < 0.7 else rng.uniform(0.2, 0.6)
            blend(body, tone * (1.0 + rng.normal(0.0, 0.05, 3)), np.clip(down - start * rise, 0.0, 1.0))
    blend(picture, np.clip(body, 0.0, 1.0), alpha)
    np.maximum(mask, alpha, out=mask)


def expose(picture: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Turn the scene's light (H, W, 3) into the uint8 picture of some camera."""
    height, width = picture.shape[:2]
    if rng.random() < 0.12:  # low sun or a lamp into the lens
        v, u = np.mgrid[0:height, 0:width].astype(np.float32)
        distance = np.hypot(u - rng.uniform(0, width), v - rng.uniform(-0.3, 0.6) * height)
        glare = rng.uniform(0.3, 1.5) * np.exp(-distance / rng.uniform(30.0, 200.0))
        tint = np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.6, 1.0)], np.float32)
        picture = picture + glare[..., None] * tint
    if rng.random() < 0.06:
        _draw_rain(picture, rng)
    gain = (rng.uniform(0.75, 1.35) * (1.0 + rng.normal(0.0, 0.06, 3))).astype(np.float32)
    picture = np.asarray(cv2.pow(np.clip(picture * gain, 0.0, 1.0), rng.uniform(0.7, 1.3)))
    grey = picture.mean(axis=-1, keepdims=True)
    picture = grey + (picture - grey) * (rng.uniform(0.0, 1.6) if rng.random() < 0.5 else 1.0)
    level = rng.uniform(0.3, 0.6)
    picture = level + (picture - level) * rng.uniform(0.7, 1.25) + rng.normal(0.0, 0.03)
    chance = rng.random()
    if chance < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3))
    elif chance < 0.5:  # sharpened in the camera, with its halos
        picture = picture + rng.uniform(0.3, 1.5) * (picture - cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.5)))
    elif chance < 0.56:
        length = int(rng.integers(3, 9))
        picture = cv2.blur(picture, (length, 1) if rng.random() < 0.5 else (1, length))
    if rng.random() < 0.6:
        picture = picture + np.float32(rng.exponential(0.012)) * rng.standard_normal(picture.shape, np.float32)
    result = np.clip(picture * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 95))
        coded = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return result


def _draw_rain(picture: FloatArray, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(20, 150))):
        u, v = rng.uniform(0, width), rng.uniform(0, height)
        end = (int(u + rng.normal(0.0, 3.0)), int(v + rng.uniform(3.0, 20.0)))
        cv2.line(picture, (int(u), int(v)), end, [float(rng.uniform(0.5, 0.9))] * 3, 1, cv2.LINE_AA)
