"""``adas bench``: how fast each way to run a network is on this machine.

All contestants run in turn, round by round, so that a busy machine slows all of them alike and the ratios hold.
Measured is one call with the picture in host memory before and the answer in host memory after it: copies are in,
pre- and post-processing outside the network are out.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adas_perception.inference.backend import BackendUnavailableError, ModelError, Settings, load_backend
from adas_perception.inference.models import ModelSpec, load_model_spec
from adas_perception.inference.tensorrt.backend import TensorRtBackend
from adas_perception.resources import sha256_of

WARM_UP = 5
CAMERA_FPS = 30.0
EAGER = "PyTorch eager fp32"
# Headline of the tutorial this product grew out of: a ResNet-class net at 224x224, on its author's machine.
GUIDE_SPEED_UP = 5.0
BACKEND_NAMES = {"tensorrt": "TensorRT", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}

DEVICE_REPEATS = 20


@dataclass(frozen=True)
class Loaded:
    """A network ready to run from host to host; ``device_ms`` measures the GPU's own time where there is one."""

    run: Callable[[], Any]
    device_ms: Callable[[], float] | None = None


Load = Callable[[], Loaded]


@dataclass
class Contestant:
    """One way to run a network, with its times."""

    name: str
    batch: int
    run: Callable[[], Any]
    load_mb: float  # what loading it added to the memory of this process
    device_ms: float | None = None
    times_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """Times of one contestant, for a whole batch; ``ratio`` is how many times faster than PyTorch eager."""

    model: str
    name: str
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    fps: float
    ratio: float | None
    device_ms: float | None
    load_mb: float
    keeps_30_fps: bool


def bench(
    models: list[str], batches: tuple[int, ...], rounds: int, threads: int, progress: Callable[[str, float], None]
) -> tuple[list[Result], list[str]]:
    """Run every contestant of every model; return the results, and what could not run and why."""
    results: list[Result] = []
    absent: list[str] = []
    for name in models:
        entry = load_model_spec(name)
        contestants: list[Contestant] = []
        for batch in batches:
            for label, load in _loaders(entry, batch, threads):
                try:
                    contestants.append(_load(label, batch, load))
                except (BackendUnavailableError, ModelError, ImportError, RuntimeError) as error:
                    absent.append(f"{name}, {label}, batch {batch}: {' '.join(str(error).split())[:160]}")
        _race(contestants, rounds, lambda share, name=name: progress(name, share))  # type: ignore[misc]
        results += _results(name, contestants)
    return results, absent


def _load(label: str, batch: int, load: Load) -> Contestant:
    gc.collect()
    before = resident_mb()
    loaded = load()
    for _ in range(WARM_UP):
        loaded.run()
    device_ms = loaded.device_ms() if loaded.device_ms is not None else None
    return Contestant(label, batch, loaded.run, max(0.0, resident_mb() - before), device_ms)


def _race(contestants: list[Contestant], rounds: int, progress: Callable[[float], None]) -> None:
    for i in range(rounds):
        for contestant in contestants:
            began = time.perf_counter()
            contestant.run()
            contestant.times_ms.append(1e3 * (time.perf_counter() - began))
        progress((i + 1) / rounds)


def _results(model: str, contestants: list[Contestant]) -> Iterator[Result]:
    eager = {c.batch: float(np.median(c.times_ms)) for c in contestants if c.name == EAGER}
    for c in contestants:
        p50, p95, p99 = (float(p) for p in np.percentile(c.times_ms, (50, 95, 99)))
        ratio = eager[c.batch] / p50 if c.batch in eager else None
        fps = 1e3 * c.batch / p50
        yield Result(model, c.name, c.batch, p50, p95, p99, fps, ratio, c.device_ms, c.load_mb, p99 <= 1e3 / CAMERA_FPS)


# --- the contestants ---


def _loaders(entry: ModelSpec, batch: int, threads: int) -> Iterator[tuple[str, Load]]:
    shape = (batch, int(entry.spec["height_px"]), int(entry.spec["width_px"]), 3)
    picture = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    if entry.spec.get("layout", "nhwc_uint8") == "nhwc_uint8":
        yield from _torch_loaders(entry.kind, picture, threads)
    else:
        picture = np.ascontiguousarray(picture.transpose(0, 3, 1, 2), dtype=np.float32)
    inputs = {str(entry.spec["input_name"]): picture}
    for backend, shown in BACKEND_NAMES.items():
        for precision in ("fp32", *entry.variants):
            yield f"{shown} {precision}", _onnx_loader(entry, backend, precision, threads, batch, inputs)


def _onnx_loader(
    entry: ModelSpec, backend: str, precision: str, threads: int, batch: int, inputs: dict[str, NDArray[Any]]
) -> Load:
    def load() -> Loaded:
        network = load_backend(entry.file(precision), backend, Settings(threads, precision, batch=batch))
        timed = (lambda: network.device_ms(inputs, DEVICE_REPEATS)) if isinstance(network, TensorRtBackend) else None
        return Loaded(lambda: network.infer(inputs), timed)

    return load


def _torch_loaders(kind: str, picture: NDArray[Any], threads: int) -> Iterator[tuple[str, Load]]:
    """PyTorch with random weights: they don't change the time."""
    if importlib.util.find_spec("torch") is None:
        return
    for name in ("eager fp32", "channels_last fp32", "TorchScript fp32", "compile fp32"):
        yield f"PyTorch {name}", lambda name=name: _torch_run(name, kind, picture, threads, "cpu")  # type: ignore[misc]
    for name in ("eager fp32", "eager fp16"):
        label = f"PyTorch CUDA {name}"
        yield label, lambda name=name: _torch_run(name, kind, picture, threads, "cuda")  # type: ignore[misc]


def _torch_run(name: str, kind: str, picture: NDArray[Any], threads: int, device: str) -> Loaded:
    import torch

    from adas_perception.models.export import EXPORTABLE

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendUnavailableError("PyTorch sees no GPU")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = EXPORTABLE[kind].make().eval().to(device)
    host = torch.from_numpy(picture)
    if name.startswith("channels_last"):
        net = net.to(memory_format=torch.channels_last)
    elif name.startswith("TorchScript"):
        net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, host)))
    elif name.startswith("compile"):
        net = torch.compile(net)
    half = torch.autocast(device, torch.float16, enabled=name.endswith("fp16"))

    def run() -> None:
        with torch.inference_mode(), half:
            answer = net(host.to(device))
            for part in answer if isinstance(answer, tuple) else (answer,):
                part.cpu()

    def device_ms() -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(DEVICE_REPEATS):
            run()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / DEVICE_REPEATS

    return Loaded(run, device_ms if device == "cuda" else None)


# --- the report ---


def resident_mb() -> float:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def machine() -> dict[str, str]:
    """Return what the figures depend on beside the software."""
    from adas_perception.check import report

    facts = {item.name: item.detail for item in report() if item.group in ("machine", "inference") and item.detail}
    mode = Path("/var/lib/nvpmodel/status")  # the power mode of a Jetson
    return {**facts, "kernel": platform.release(), "power mode": mode.read_text().strip() if mode.is_file() else "none"}


def write_json(out: Path, results: list[Result], absent: list[str], settings: dict[str, Any]) -> Path:
    """Write every figure with the files' checksums and the machine."""
    files = {}
    for name in dict.fromkeys(result.model for result in results):
        entry = load_model_spec(name)
        files[name] = {p: sha256_of(entry.file(p)) for p in ("fp32", *entry.variants)}
    about = {"settings": settings, "machine": machine(), "files": files, "absent": absent}
    path = out / "bench.json"
    path.write_text(json.dumps({**about, "results": [asdict(result) for result in results]}, indent=2))
    return path


def write_plot(out: Path, results: list[Result]) -> Path:
    """Write the medians at batch 1 as bars, the 30 FPS limit as a line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for model in dict.fromkeys(result.model for result in results):
        rows = sorted((r for r in results if r.model == model and r.batch == 1), key=lambda r: -r.p50_ms)
        figure.add_bar(
            x=[r.p50_ms for r in rows],
            y=[r.name for r in rows],
            error_x={"type": "data", "array": [r.p95_ms - r.p50_ms for r in rows]},
            name=model,
            orientation="h",
        )
    figure.add_vline(x=1e3 / CAMERA_FPS, line_dash="dash", annotation_text="30 FPS")
    figure.update_layout(template="plotly_white", height=600, barmode="group", xaxis_title="ms, median and p95")
    path = out / "bench.html"
    figure.write_html(path, include_plotlyjs=True)
    return path
