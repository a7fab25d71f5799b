"""``adas engine``: TensorRT engines from the terminal."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from adas_perception.inference.tensorrt.options import BuildOptions

app = typer.Typer(help="TensorRT engines: build, look into, prepare, remove.", no_args_is_help=True)

Precision = Annotated[str, typer.Option(help="fp32, fp16 or int8; the model's file must hold it")]
DlaCore = Annotated[int, typer.Option(help="deep learning accelerator, 0 or 1; -1: the GPU")]
Cuda = Annotated[str, typer.Option(help="library for CUDA: auto, cudart, cuda_python, pycuda")]
Folder = Annotated[Path | None, typer.Option(help="folder of engines; default $ADAS_ENGINES or the user's cache")]


@app.command()
def build(
    model: Annotated[str, typer.Argument(help="a name of models.yaml or an ONNX file")],
    precision: Precision = "fp16",
    batch: Annotated[str, typer.Option(help="smallest, tuned and largest batch: '1' or '1,4,8'")] = "1",
    preset: Annotated[str, typer.Option(help="latency or throughput")] = "latency",
    workspace_mb: Annotated[int, typer.Option(help="memory that a layer may use, MiB")] = 1024,
    dla_core: DlaCore = -1,
    calibration_cache: Annotated[Path | None, typer.Option(help="INT8 scales, only for a DLA on JetPack 6")] = None,
    cuda: Cuda = "auto",
    cache: Folder = None,
    output: Annotated[Path | None, typer.Option(help="copy the engine to this file too")] = None,
    force: Annotated[bool, typer.Option(help="build even if the cache has it")] = False,
    machine: Annotated[bool, typer.Option(help="print bare percents, for a program that waits")] = False,
) -> None:
    """Build an engine for this machine's GPU, or find it in the cache."""
    from adas_perception.inference.tensorrt.options import BuildOptions

    smallest, tuned, largest = _batches(batch)
    options = BuildOptions(precision, smallest, tuned, largest, workspace_mb, preset, dla_core)
    plan, note = _ensure(model, options, calibration_cache, cuda, cache, force, machine)
    if output is not None:
        output.write_bytes(plan)
    typer.echo(f"{len(plan) / 1e6:.1f} MB {note}")


@app.command()
def prebuild(
    precision: Precision = "fp16",
    dla_core: DlaCore = -1,
    cuda: Cuda = "auto",
    cache: Folder = None,
) -> None:
    """Build the engines of every model whose file is here, for an image or a first boot; returns at once when done.

    A model without a file of that precision is built in fp32, as the node would load it.
    """
    from adas_perception.inference.backend import ModelAbsentError, ModelError
    from adas_perception.inference.models import load_model_spec, model_names
    from adas_perception.inference.tensorrt.options import BuildOptions

    failed = 0
    for name in model_names():
        try:
            entry = load_model_spec(name)
            held = precision if precision in entry.variants else "fp32"
            core = dla_core if entry.kind == "lane" else -1
            _, note = _ensure(name, BuildOptions(held, dla_core=core), None, cuda, cache, False, False)
            typer.echo(f"{name}: {note}")
        except ModelAbsentError:
            typer.echo(f"{name}: not on this machine, left out")
        except ModelError as error:
            typer.echo(f"{name}: {error}", err=True)
            failed += 1
    raise typer.Exit(1 if failed else 0)


@app.command()
def inspect(
    engine: Annotated[Path, typer.Argument(help="a .plan file")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show layers, precision, inputs and outputs and memory of an engine; without a GPU what its sidecar says."""
    from adas_perception.inference.backend import BackendUnavailableError, ModelError
    from adas_perception.inference.tensorrt.api import load_tensorrt
    from adas_perception.inference.tensorrt.report import inspect_engine
    from adas_perception.inference.tensorrt.runner import EngineError

    if not engine.is_file():
        raise ModelError(f"{engine}: no such engine; 'adas engine build' makes one")
    sidecar = engine.with_suffix(".json")
    facts: dict[str, Any] = json.loads(sidecar.read_text()) if sidecar.is_file() else {}
    try:
        facts |= dataclasses.asdict(inspect_engine(load_tensorrt(), engine.read_bytes()))
    except (BackendUnavailableError, EngineError) as error:
        facts["inspection"] = str(error)
    typer.echo(json.dumps(facts, indent=2) if as_json else _as_text(facts))


@app.command()
def clean(cache: Folder = None) -> None:
    """Remove every engine and timing cache."""
    from adas_perception.inference.tensorrt.cache import EngineCache

    engines = EngineCache(cache)
    typer.echo(f"{engines.clean()} files removed from {engines.folder}")


def _batches(text: str) -> tuple[int, int, int]:
    numbers = [int(part) for part in text.split(",") if part.strip().isdigit()]
    if len(numbers) not in (1, 3) or len(numbers) != text.count(",") + 1:
        raise typer.BadParameter(f"'{text}' is neither one batch ('1') nor three ('1,4,8')")
    return (numbers[0], numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _ensure(
    model: str,
    options: BuildOptions,
    calibration_cache: Path | None,
    cuda: str,
    folder: Path | None,
    force: bool,
    machine: bool,
) -> tuple[bytes, str]:
    from rich.progress import Progress

    from adas_perception.inference.backend import BackendUnavailableError, ModelError
    from adas_perception.inference.cuda import open_cuda
    from adas_perception.inference.models import load_model_spec
    from adas_perception.inference.tensorrt.api import load_tensorrt
    from adas_perception.inference.tensorrt.backend import ensure_engine
    from adas_perception.inference.tensorrt.cache import EngineCache

    file = Path(model) if model.endswith(".onnx") else load_model_spec(model).file(options.precision)
    if not file.is_file():
        raise ModelError(f"{file}: no such model file")
    try:
        trt, gpu = load_tensorrt(), open_cuda(cuda)
    except BackendUnavailableError as error:
        raise ModelError(f"an engine can only be built on the machine that runs it: {error}") from None
    with Progress(disable=machine, transient=True) as bar:
        task = bar.add_task(f"{file.stem} {options.precision}", total=100.0)

        def show(percent: float) -> None:
            if machine:
                print(f"{percent:.1f}", flush=True)
            bar.update(task, completed=percent)

        return ensure_engine(
            trt,
            gpu,
            file,
            options,
            cache=EngineCache(folder),
            calibration_cache=calibration_cache,
            progress=show,
            force=force,
        )


def _as_text(facts: dict[str, Any]) -> str:
    lines = []
    for name, value in facts.items():
        if name == "layers":
            value = f"{len(value)}"
        elif name == "tensors":
            value = "; ".join(f"{t['direction']} {t['name']} {t['dtype']} {tuple(t['shape'])}" for t in value)
        elif isinstance(value, dict):
            value = ", ".join(f"{key} {inner}" for key, inner in value.items())
        lines.append(f"{name:>20}  {value}")
    return "\n".join(lines)
