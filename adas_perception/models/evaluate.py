"""Measure the lane net with its post-processing: on synthetic roads against the truth, on videos against geometry.

Run: adas evaluate lane-drawn, adas evaluate lane-video FILE
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from adas_perception.inference import Arrays, Backend, load_backend, load_model_spec
from adas_perception.models.lane_data import classify, render
from adas_perception.models.road_scene import sample_scene
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.lane_network import LaneSpec
from adas_perception.perception.lanes import LaneFinder, LaneParams, LaneTracker
from adas_perception.perception.overlay import draw_lanes
from adas_perception.types import Image

DISTANCES_M = (10.0, 20.0, 30.0)
TEST_SEED = 2_000_000
PLAUSIBLE_WIDTH_M = (2.5, 4.5)


@dataclass(frozen=True)
class LaneModel:
    """The network that is measured."""

    spec: LaneSpec
    backend: Backend


class _Timed:
    """A backend that remembers how long its last run took."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.last_ms = 0.0

    def infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Run the network."""
        start = time.perf_counter()
        outputs = self._backend.infer(inputs)
        self.last_ms = (time.perf_counter() - start) * 1e3
        return outputs


def load_lane_model(name: str = "lane_v2", backend: str = "auto", precision: str = "fp32") -> LaneModel:
    """Load a lane network of models.yaml."""
    entry = load_model_spec(name)
    return LaneModel(LaneSpec.from_mapping(entry.spec), load_backend(entry.file(precision), backend))


def synthetic_scores(model: LaneModel, pictures: int, seed: int = TEST_SEED) -> dict[str, float]:
    """Measure single frames of flat random roads with a known camera.

    recall and precision count ego boundaries, a found one being right within 0.5 m at 10 m; error_N_m is the lateral
    error at N metres of the right ones, median and 90 %; bias its mean, positive to the left.
    """
    truths = found = right = 0
    errors: dict[float, list[float]] = {d: [] for d in DISTANCES_M}
    for i in range(pictures):
        rng = np.random.default_rng((seed, i))
        scene = sample_scene(rng)
        scene = replace(scene, road=replace(scene.road, hill=0.0))
        picture = render(scene, rng).picture
        answer = model.backend.infer({model.spec.input_name: picture[None]})[model.spec.output_name][0]
        lanes = LaneTracker(LaneParams(estimate_pitch=False)).step(0, answer, scene.camera)
        names = classify(scene)
        for wanted, line in ((1, lanes.left), (2, lanes.right)):
            marking = next((m for m, n in zip(scene.markings, names, strict=True) if n == wanted), None)
            truths += marking is not None
            found += line is not None
            if marking is None or line is None:
                continue
            s = np.array(DISTANCES_M)
            track = scene.road.place(s, marking.lateral(s), np.zeros(3))
            off = [line.y(x) - y for x, y in track[:, :2]]
            if abs(off[0]) > 0.5:
                continue
            right += 1
            for distance, error in zip(DISTANCES_M, off, strict=True):
                if line.x_max >= distance:
                    errors[distance].append(error)
    scores = {"recall": right / truths, "precision": right / found}
    for distance, values in errors.items():
        name = f"{distance:.0f}_m"
        scores[f"error_{name}"] = float(np.median(np.abs(values)))
        scores[f"error_p90_{name}"] = float(np.quantile(np.abs(values), 0.9))
        scores[f"bias_{name}"] = float(np.mean(values))
    return scores


def read_frames(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the BGR frames of a video."""
    capture = cv2.VideoCapture(str(path))
    while True:
        good, frame = capture.read()
        if not good:
            return
        yield np.asarray(frame, dtype=np.uint8)


def video_scores(
    model: LaneModel, frames: Sequence[npt.NDArray[np.uint8]], camera: CameraModel, rate_hz: float,
    out: Path | None = None,
) -> dict[str, float]:  # fmt: skip
    """Measure a recording without labels: both ego lines found, width plausible, lateral offset steady at 8 m.

    Overlays go to the folder ``out``, every tenth frame.
    """
    network = _Timed(model.backend)
    finder = LaneFinder(model.spec, network, camera)
    widths, offsets, times_ms = [], [], []
    for i, frame in enumerate(frames):
        start = time.perf_counter()
        lanes = finder.step(Image(round(i * 1e9 / rate_hz), np.ascontiguousarray(frame[..., ::-1])))
        times_ms.append((network.last_ms, (time.perf_counter() - start) * 1e3 - network.last_ms))
        y = [math.nan if line is None else line.y(8.0) for line in (lanes.left, lanes.right)]
        widths.append(y[0] - y[1])
        offsets.append((y[0] + y[1]) / 2.0)
        if out is not None and i % 10 == 0:
            out.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out / f"{i:04d}.jpg"), draw_lanes(frame, finder.camera, lanes))
    width, jumps = np.array(widths), np.abs(np.diff(offsets))
    good = (width >= PLAUSIBLE_WIDTH_M[0]) & (width <= PLAUSIBLE_WIDTH_M[1])
    return {
        "frames": len(width), "both_found": float(np.isfinite(width).mean()), "plausible": float(good.mean()),
        "width_min_m": float(np.nanmin(width)), "width_max_m": float(np.nanmax(width)),
        "jitter_p95_m": float(np.nanquantile(jumps, 0.95)), "jitter_max_m": float(np.nanmax(jumps)),
        "network_ms": float(np.median(times_ms, axis=0)[0]), "rest_ms": float(np.median(times_ms, axis=0)[1]),
    }  # fmt: skip
