"""``adas train``, ``adas dataset``, ``adas export`` and ``adas quantise``: the way from labelled pictures to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adas_perception.models.boxes_data import Dataset, Issue
    from adas_perception.models.fit import FitConfig, Task

train = typer.Typer(help="Train the networks (extra 'train').", no_args_is_help=True)
dataset = typer.Typer(help="Labelled boxes: check them, make the training set.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="folder of checkpoints, curve.jsonl and TensorBoard files")]
Steps = Annotated[int, typer.Option(help="batches to learn from", min=1)]
Batch = Annotated[int, typer.Option(help="pictures of a batch", min=1)]
Seed = Annotated[int, typer.Option(help="seed of everything random")]
Resume = Annotated[Path | None, typer.Option(help="last.pt of the same run")]
Rate = Annotated[float, typer.Option(help="highest learning rate")]
Every = Annotated[int, typer.Option(help="steps between validations", min=1)]
Patience = Annotated[int, typer.Option(help="validations without a better score that end the run; 0: never")]
Limit = Annotated[float, typer.Option(help="seconds, the learning rate falls in time to end within them; 0: none")]
Device = Annotated[str, typer.Option(help="cuda, cpu or auto")]
Backbone = Annotated[Path | None, typer.Option(help="ImageNet weights of EfficientNet-Lite0, a .pth file")]
Files = Annotated[list[str], typer.Option(help="COCO file, or FILE=SHARE of the batches; may be given often")]
HeldOut = Annotated[list[str] | None, typer.Option(help="scene that is never trained on; may be given often")]


@train.command("object")
def train_object(
    data: Files, out: Out = Path("out/object"), validation: Annotated[Path | None, typer.Option()] = None,
    held_out: HeldOut = None, backbone: Backbone = None, steps: Steps = 4000, batch: Batch = 64, seed: Seed = 1,
    rate: Rate = 2e-3, every: Every = 500, patience: Patience = 0, limit_s: Limit = 0.0, resume: Resume = None,
    device: Device = "auto",
) -> None:  # fmt: skip
    """Train the detector on COCO files; of --validation the held out scenes count, or all pictures."""
    from adas_perception.models.fit import FitConfig
    from adas_perception.models.train_object import BoxData, DetectorTask, parse_files

    on = _device(device)
    task = DetectorTask(BoxData(parse_files(data), validation, tuple(held_out or ())), batch, on, seed, backbone)
    _run(task, FitConfig(
        out, resume, seed, steps, learning_rate=rate, weight_decay=5e-4, warmup=min(200, steps), averaging=0.998,
        validate_every=every, patience=patience, time_limit_s=limit_s or float("inf"), device=on,
    ))  # fmt: skip


@train.command("lane")
def train_lane(
    out: Out = Path("out/lane"), photos: Annotated[Path | None, typer.Option(help="real skies")] = None,
    backbone: Backbone = None, start: Annotated[Path | None, typer.Option(help="checkpoint to begin with")] = None,
    steps: Steps = 20_000, batch: Batch = 64, fresh: Annotated[int, typer.Option(help="new pictures a step")] = 16,
    pool: Annotated[int, typer.Option(help="pictures kept for reuse")] = 16_384,
    validation_pictures: Annotated[int, typer.Option(min=1)] = 512,
    workers: Annotated[int, typer.Option(help="processes that draw")] = 2, seed: Seed = 1, rate: Rate = 2e-3,
    every: Every = 1000, patience: Patience = 0, limit_s: Limit = 0.0, resume: Resume = None, device: Device = "auto",
) -> None:  # fmt: skip
    """Train the lane net on drawn roads."""
    from adas_perception.models.fit import FitConfig
    from adas_perception.models.train_lane import LaneData, LaneTask

    on = _device(device)
    source = LaneData(backbone, photos, start, seed, steps, batch, fresh, pool, validation_pictures, workers)
    _run(LaneTask(source, on), FitConfig(
        out, resume, seed, steps, learning_rate=rate, warmup=min(500, steps), validate_every=every, patience=patience,
        time_limit_s=limit_s or float("inf"), device=on,
    ))  # fmt: skip


@train.command("guide-lane")
def train_guide_lane(
    out: Out = Path("out/guide_lane"), steps: Steps = 2000, batch: Batch = 8, seed: Seed = 1, every: Every = 200,
    pictures: Annotated[int, typer.Option(min=1, help="drawn pictures")] = 512, device: Device = "auto",
) -> None:  # fmt: skip
    """Train the guide's lane net: MobileNetV2 and five transposed convolutions, 224x224."""
    from adas_perception.models.fit import FitConfig
    from adas_perception.models.guide_nets import GuideLaneTask

    on = _device(device)
    task = GuideLaneTask(batch, on, seed, pictures, validation=max(1, pictures // 8))
    _run(task, FitConfig(out, None, seed, steps, learning_rate=1e-3, warmup=min(100, steps), averaging=0.99,
                         validate_every=every, device=on))  # fmt: skip


@train.command("guide-object")
def train_guide_object(
    data: Annotated[Path, typer.Option(help="COCO file")], held_out: HeldOut = None,
    out: Out = Path("out/guide_object"),
    epochs: Annotated[int, typer.Option(min=1)] = 10, batch: Batch = 8, seed: Seed = 1, device: Device = "auto",
) -> None:  # fmt: skip
    """Train the guide's Faster R-CNN with its recipe: SGD 0.005, momentum 0.9, decay 5e-4, a tenth every 3 epochs."""
    from adas_perception.models.boxes_data import read_coco, split_by_scene
    from adas_perception.models.fit import FitConfig
    from adas_perception.models.guide_nets import GuideObjectTask

    pictures, issues = read_coco(data)
    _refuse(issues)
    if not held_out:
        raise typer.BadParameter("name at least one --held-out scene, it validates")
    training, validation = split_by_scene(pictures, held_out)
    on, epoch = _device(device), max(1, len(training) // batch)
    _run(GuideObjectTask(training, validation, batch, on, seed), FitConfig(
        out, None, seed, epochs * epoch, "sgd", 0.005, 5e-4, "step", 3 * epoch, warmup=0, averaging=0.0,
        validate_every=epoch, device=on,
    ))  # fmt: skip


@dataset.command("check")
def check(
    labels: Annotated[Path, typer.Argument(help="COCO JSON file, or folder of YOLO text files")],
    pictures: Annotated[Path | None, typer.Option(help="folder of the pictures; default beside the labels")] = None,
    names: Annotated[Path | None, typer.Option(help="YOLO: file with one class name per line")] = None,
) -> None:
    """List every fault of an annotation file and count its boxes; exit status 1 if there is a fault."""
    from collections import Counter

    from adas_perception.models.boxes_offset import label_offset
    from adas_perception.types import ObjectClass

    found, issues = _read(labels, pictures, names)
    boxes = Counter(ObjectClass(int(c)).name.lower() for p in found for c in p.classes)
    scenes = Counter(p.scene for p in found)
    typer.echo(f"{len(found)} pictures; " + ", ".join(f"{n} {name}" for name, n in boxes.most_common()))
    typer.echo("scenes: " + ", ".join(f"{name} {n}" for name, n in sorted(scenes.items())))
    x, y = label_offset(found)
    if x or y:
        typer.echo(f"the labels lie {x:+g} pixels aside and {y:+g} down from the edges that the pictures show")
    _refuse(issues)


@dataset.command("prepare")
def prepare_set(
    shared: Annotated[Path, typer.Argument(help="folder with carla_boxes and udacity")],
    out: Annotated[Path, typer.Option(help="folder for pictures and COCO files")] = Path("out/boxes"),
    teacher: Annotated[str, typer.Option(help="detector of models.yaml that labels recordings")] = "yolox_nano_416",
    seed: Seed = 1,
) -> None:
    """Make the detector's training set from labelled, recorded and drawn pictures."""
    from dataclasses import replace

    from adas_perception.inference import load_backend, load_model_spec
    from adas_perception.models.boxes_prepare import DOUBTFUL, Recipe, prepare
    from adas_perception.perception.objects import DetectorSpec, ObjectDetector

    entry = load_model_spec(teacher)
    spec = replace(DetectorSpec.from_mapping(entry.spec), score_min=DOUBTFUL)
    counts = prepare(shared, out, ObjectDetector(spec, load_backend(entry.file())), Recipe(seed))
    typer.echo(", ".join(f"{name}.json {n} pictures" for name, n in counts.items()))


def export(
    kind: Annotated[str, typer.Argument(help="lane or object")],
    checkpoint: Annotated[Path, typer.Argument(help="best.pt of a run")],
    out: Annotated[Path, typer.Option(help="ONNX file")] = Path("out/model.onnx"),
    opset: Annotated[int, typer.Option(help="20, or 17 for TensorRT 8.6")] = 17,
    batch: Annotated[int, typer.Option(help="fixed batch; 0: open", min=0)] = 0,
) -> None:
    """Export a checkpoint to ONNX; exit status 1 if it disagrees with PyTorch."""
    from adas_perception.models import export as exporter
    from adas_perception.resources import sha256_of

    if kind not in exporter.EXPORTABLE:
        raise typer.BadParameter(f"kind '{kind}': choose {' or '.join(exporter.EXPORTABLE)}")
    difference = exporter.export(kind, exporter.load_net(kind, checkpoint), out, opset, batch)
    typer.echo(f"{out}  {out.stat().st_size / 1e6:.2f} MB  sha256 {sha256_of(out)}")
    typer.echo(f"difference from PyTorch {difference:.1e}, allowed {exporter.PARITY_MAX:.0e}")
    raise typer.Exit(int(difference > exporter.PARITY_MAX))


def quantise(
    model: Annotated[str, typer.Argument(help="name of models.yaml")],
    precision: Annotated[str, typer.Option(help="int8 or fp16")] = "int8",
    labels: Annotated[Path, typer.Option(help="object: COCO file; lane: unused, roads are drawn")] = Path(),
    out: Annotated[Path, typer.Option(help="ONNX file to write")] = Path("out/quantised.onnx"),
    calibration: Annotated[int, typer.Option(help="pictures that calibrate", min=1)] = 24,
    validation: Annotated[int, typer.Option(help="pictures that judge", min=1)] = 150,
    method: Annotated[str, typer.Option(help="percentile, minmax or entropy")] = "percentile",
    keep: Annotated[str, typer.Option(help="beginnings of names of nodes that stay in float, with commas")] = "",
) -> None:
    """Write the INT8 or FP16 variant of a model; exit status 1, and no file, if it scores too low."""
    from adas_perception.models.quantise_gate import quantise_and_judge

    if precision not in ("int8", "fp16"):
        raise typer.BadParameter(f"precision '{precision}': choose int8 or fp16")
    verdict = quantise_and_judge(model, labels, out, calibration, validation, method, keep, precision)
    typer.echo(f"{out}  {verdict}")
    raise typer.Exit(int(not verdict.accepted))


def _device(name: str) -> str:
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _run(task: Task, config: FitConfig) -> None:
    from adas_perception.models.fit import fit

    typer.echo(f"best checkpoint: {fit(task, config)}")


def _read(labels: Path, pictures: Path | None, names: Path | None) -> Dataset:
    from adas_perception.models.boxes_data import read_coco, read_yolo

    if labels.is_file():
        return read_coco(labels, pictures)
    if names is None:
        raise typer.BadParameter(f"{labels} is no file; a folder of YOLO labels needs --names")
    listed = [n.strip() for n in names.read_text(encoding="utf-8").splitlines() if n.strip()]
    return read_yolo(pictures or labels, labels, listed)


def _refuse(issues: list[Issue]) -> None:
    for issue in issues:
        typer.echo(str(issue))
    if issues:
        typer.echo(f"{len(issues)} faults")
        raise typer.Exit(1)
