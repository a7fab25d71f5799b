"""``adas bench`` in the terminal."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adas_perception.inference.backend import ModelAbsentError
from adas_perception.inference.models import load_model_spec, model_names
from adas_perception.models.bench import GUIDE_SPEED_UP, Result, bench, write_json, write_plot


def run_bench(models: list[str], batches: tuple[int, ...], rounds: int, threads: int, out: Path) -> int:
    """Measure, print the table, write JSON and plot."""
    out.mkdir(parents=True, exist_ok=True)
    with Progress(transient=True) as bar:
        tasks = {name: bar.add_task(name, total=1.0) for name in models}
        results, absent = bench(models, batches, rounds, threads, lambda n, done: bar.update(tasks[n], completed=done))
    console = Console(width=110)
    console.print(as_table(results))
    for line in absent:
        console.print(f"not run: {line}", style="dim", highlight=False, markup=False)
    for model in models:
        console.print(verdict(model, results), highlight=False, markup=False)
    settings = {"batches": batches, "rounds": rounds, "threads": threads}
    console.print(f"written: {write_json(out, results, absent, settings)}, {write_plot(out, results)}")
    return 0


def present_models() -> list[str]:
    """Return the names of models.yaml whose files are on this machine."""
    present = []
    for name in model_names():
        with contextlib.suppress(ModelAbsentError):
            load_model_spec(name).file()
            present.append(name)
    return present


def as_table(results: list[Result]) -> Table:
    """Return the results, fastest first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "", "batch", "p50 ms", "p95", "p99", "FPS", "x eager", "GPU ms", "MB", "30 FPS"):
        table.add_column(heading, justify="left" if heading in ("model", "") else "right", no_wrap=True)
    for r in sorted(results, key=lambda r: (r.model, r.batch, r.p50_ms)):
        times = (f"{r.p50_ms:.2f}", f"{r.p95_ms:.2f}", f"{r.p99_ms:.2f}", f"{r.fps:.0f}")
        ratio = f"{r.ratio:.1f}" if r.ratio else ""
        device = f"{r.device_ms:.2f}" if r.device_ms else ""
        keeps = "yes" if r.keeps_30_fps else "no"
        table.add_row(r.model, r.name, str(r.batch), *times, ratio, device, f"{r.load_mb:.0f}", keeps)
    return table


def verdict(model: str, results: list[Result]) -> str:
    """Return the best speed-up at batch 1 beside the tutorial's."""
    rated = [r for r in results if r.model == model and r.batch == 1 and r.ratio]
    if not rated:
        return f"{model}: no PyTorch here to compare with: pip install 'adas_perception[train]'"
    best = max(rated, key=lambda r: r.ratio or 0.0)
    guide = f"the tutorial's headline, PyTorch to TensorRT, is {GUIDE_SPEED_UP:.1f} x"
    return f"{model}: {best.name} is {best.ratio:.1f} x PyTorch eager; {guide}"
