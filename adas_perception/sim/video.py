"""The drive as a film: camera and top view above a strip with the main figures; MP4, GIF and single pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from adas_perception.sim.draw import ALERT_RGB, BOX_RGB, FUSED_RGB, INK_RGB, TRACK_RGB, Colour, Picture, put_text
from adas_perception.sim.recorder import Record

_STRIP_PX = 112
_TRACE_S = 15.0
_GROUND_RGB, _DIM_RGB, _REST_RGB = (18, 22, 27), (128, 138, 150), (46, 53, 62)
_AMBER_RGB: Colour = (240, 170, 40)
_BLUE_RGB: Colour = (58, 130, 246)
_SIGN_RGB = (
    ALERT_RGB, _AMBER_RGB, _BLUE_RGB, INK_RGB, TRACK_RGB, FUSED_RGB, BOX_RGB, _DIM_RGB, _REST_RGB, _GROUND_RGB,
    (150, 32, 34), (120, 26, 28), (255, 46, 38), (38, 66, 128),
)  # fmt: skip
GIF_LIMIT_BYTES = 8_000_000
LAMPS = ("acc", "aeb", "lka", "bsd", "safety")
PASSIVE_STATES = frozenset({"OFF", "STANDBY", "READY", "IDLE", "INACTIVE", "CLEAR", "NORMAL", "NONE", "SAFE"})


@dataclass(frozen=True)
class Trace:
    """A signal shown as a curve, in the unit of its title."""

    signal: str
    factor: float
    low: float
    high: float
    title: str
    rgb: Colour


_TRACES = (
    Trace("speed_mps", 3.6, 0.0, 100.0, "speed km/h", TRACK_RGB),
    Trace("accel_mps2", 1.0, -10.0, 4.0, "acceleration m/s2", FUSED_RGB),
)


def lamp_rgb(state: str, level: int) -> Colour:
    """Return the colour of a function's state: dim when it waits, blue when it acts, amber and red when it warns."""
    if level >= 2:
        return ALERT_RGB
    if level == 1:
        return _AMBER_RGB
    return _REST_RGB if state.upper() in PASSIVE_STATES else _BLUE_RGB


def film(record: Record, every: int = 1) -> Iterator[tuple[float, Picture]]:
    """Yield (time_s, picture) of every n-th recorded frame with the strip below it."""
    for frame in record.frames[::every]:
        views = frame.rgb()
        yield frame.time_s, np.vstack([views, _strip(record, frame.time_s, views.shape[1])])


def write_mp4(record: Record, path: Path) -> None:
    """Write the film in real time (MPEG-4 part 2)."""
    pictures = film(record)
    _, first = next(pictures)
    height, width = first.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), _frame_rate(record), (width, height))
    try:
        writer.write(cv2.cvtColor(first, cv2.COLOR_RGB2BGR))
        for _, picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


def write_gif(record: Record, path: Path) -> None:
    """Write the film as a GIF of at most GIF_LIMIT_BYTES: fewer and smaller pictures until it fits."""
    every = max(1, round(_frame_rate(record) / 5.0))
    for width in (640, 560, 480, 400, 320):
        _encode_gif(record, path, every, width)
        if path.stat().st_size <= GIF_LIMIT_BYTES:
            return
        every += 1


def _encode_gif(record: Record, path: Path, every: int, width_px: int) -> None:
    pictures = []
    palette: PillowImage.Image | None = None
    for _, picture in film(record, every):
        scale = width_px / picture.shape[1]
        small = cv2.resize(picture, (width_px, round(picture.shape[0] * scale)), interpolation=cv2.INTER_AREA)
        image = PillowImage.fromarray(small)
        # One palette without dithering: still parts of the picture stay equal and compress away.
        if palette is None:
            palette = _palette(record, width_px)
        pictures.append(image.quantize(palette=palette, dither=PillowImage.Dither.NONE))
    duration_ms = round(1000.0 * every / _frame_rate(record))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0, optimize=False)


def _palette(record: Record, width_px: int) -> PillowImage.Image:
    """Return a palette of 128 colours fit for the whole film; the small signs keep their own colours."""
    step = max(1, len(record.frames) // 8)
    sheet = np.vstack([cv2.resize(p, (width_px // 2, width_px // 4)) for _, p in film(record, step)])
    common = PillowImage.fromarray(sheet).quantize(128 - len(_SIGN_RGB), method=PillowImage.Quantize.MEDIANCUT)
    palette = PillowImage.new("P", (1, 1))
    colours = (common.getpalette() or [])[: 3 * (128 - len(_SIGN_RGB))]
    palette.putpalette(colours + [channel for rgb in _SIGN_RGB for channel in rgb])
    return palette


def _frame_rate(record: Record) -> float:
    times = np.array([f.time_s for f in record.frames])
    return float(np.clip(1.0 / np.median(np.diff(times)), 1.0, 30.0)) if len(times) > 1 else 10.0


def _strip(record: Record, time_s: float, width_px: int) -> Picture:
    strip = np.empty((_STRIP_PX, width_px, 3), np.uint8)
    strip[:] = _GROUND_RGB
    s = record.signals
    index = min(int(np.searchsorted(s["time_s"], time_s)), len(s["time_s"]) - 1)
    speed, wanted = s["speed_mps"][index] * 3.6, s["set_speed_mps"][index] * 3.6
    gap, request = s["gap_m"][index], s["accel_request_mps2"][index]
    put_text(strip, f"{speed:.0f}", (16, 50), INK_RGB, 1.3)
    put_text(strip, "km/h", (84, 50), _DIM_RGB, 0.45)
    put_text(strip, f"set {wanted:.0f}" if np.isfinite(wanted) else "no set speed", (18, 74), _DIM_RGB, 0.45)
    put_text(strip, f"gap {gap:.0f} m" if np.isfinite(gap) else "road free", (18, 96), _DIM_RGB, 0.45)
    asked = f"{request:+.1f} m/s2" if np.isfinite(request) else "none"
    put_text(strip, f"t {time_s:5.1f} s   request {asked}", (150, 20), _DIM_RGB, 0.42)
    put_text(strip, _chapter(record, time_s), (150, 42), INK_RGB, 0.5)
    _lamps(strip, record, time_s, 150)
    left = width_px // 2 + 30
    each = (width_px - left) // len(_TRACES)
    for place, trace in enumerate(_TRACES):
        _draw_trace(strip, record, time_s, trace, left + place * each, each - 14)
    return strip


def _chapter(record: Record, time_s: float) -> str:
    chapters = record.info.get("chapters") or []
    past = [text for start, text in chapters if start <= time_s]
    return past[-1] if past else ""


def _lamps(strip: Picture, record: Record, time_s: float, left_px: int) -> None:
    for column, name in enumerate(LAMPS):
        changes = [c for c in record.states if c.function == name]
        at = bisect_right([c.time_s for c in changes], time_s) - 1
        state, level = (changes[at].state, changes[at].level) if at >= 0 else ("OFF", 0)
        x = left_px + column * 62
        cv2.rectangle(strip, (x, 58), (x + 56, 100), lamp_rgb(state, level), cv2.FILLED)
        ink = _GROUND_RGB if level == 1 else INK_RGB
        put_text(strip, name.upper() if len(name) < 4 else "SAFE", (x + 6, 76), ink, 0.45)
        put_text(strip, state.lower()[:9], (x + 5, 93), ink, 0.32)


def _draw_trace(strip: Picture, record: Record, time_s: float, trace: Trace, left_px: int, width_px: int) -> None:
    """Draw the last seconds of a signal as a curve."""
    top, bottom = 26, _STRIP_PX - 12
    time, values = record.signals["time_s"], record.signals[trace.signal] * trace.factor
    shown = (time > time_s - _TRACE_S) & (time <= time_s)
    put_text(strip, trace.title, (left_px, 18), _DIM_RGB, 0.4)

    def row(value: float | NDArray[np.float64]) -> NDArray[np.float64]:
        share = (np.clip(value, trace.low, trace.high) - trace.low) / (trace.high - trace.low)
        return np.asarray(bottom - share * (bottom - top))

    for value in (trace.low, 0.0, trace.high):
        y = int(row(value))
        cv2.line(strip, (left_px, y), (left_px + width_px, y), _REST_RGB, 1)
    if np.count_nonzero(shown) > 1:
        x = left_px + (time[shown] - time_s + _TRACE_S) / _TRACE_S * width_px
        points = np.round(np.column_stack([x, row(values[shown])])).astype(np.int32)
        cv2.polylines(strip, [points], False, trace.rgb, 2, cv2.LINE_AA)
