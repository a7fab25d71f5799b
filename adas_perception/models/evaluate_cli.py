"""``adas evaluate``: networks against labels, drawn roads and recordings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure a network against labels, drawn roads or a recording.", no_args_is_help=True)

Backend = Annotated[str, typer.Option(help="auto, tensorrt, openvino or onnxruntime")]
Precision = Annotated[str, typer.Option(help="fp32, or a variant of the model: fp16, int8")]
LaneModel = Annotated[str, typer.Option(help="lane network of models.yaml")]


@app.command()
def lane(
    labels: Annotated[Path, typer.Argument(help="labelled lines, in the form of lanes.json")],
    pictures: Annotated[Path, typer.Option(help="folder of the labelled pictures and videos")] = Path("."),
    model: LaneModel = "lane_v2",
    backend: Backend = "auto",
    precision: Precision = "fp32",
    lanes: Annotated[Path | None, typer.Option(help="score this lanes.json instead of a network")] = None,
    within_px: Annotated[float, typer.Option(help="so near to a label is right", min=1.0)] = 15.0,
    each: Annotated[bool, typer.Option(help="print every picture's scores too")] = False,
) -> None:
    """Precision, recall and F1 of lines within some pixels of labelled ones, and their intersection over union."""
    from adas_perception.detect.networks import open_lines
    from adas_perception.detect.sources import read_named
    from adas_perception.models.evaluate_lines import read_lines, score_all

    truth = read_lines(labels)
    frames = {name: read_named(pictures, name) for name in truth}
    if lanes is not None:
        found = {name: entry.lines for name, entry in read_lines(lanes).items()}
    else:
        finder = open_lines(model, backend, precision)
        found = {name: tuple(line.points for line in finder.find(bgr)) for name, bgr in frames.items()}
    sizes = {name: (bgr.shape[1], bgr.shape[0]) for name, bgr in frames.items()}
    total, scores = score_all(found, truth, sizes, within_px)
    report = {"pictures": len(truth), **total.summary()}
    details = {"each": {name: score.summary() for name, score in scores.items()}} if each else {}
    typer.echo(json.dumps({**report, **details}, indent=1))


@app.command()
def lane_drawn(
    pictures: Annotated[int, typer.Option(help="number of drawn roads", min=1)] = 400,
    model: LaneModel = "lane_v2",
    backend: Backend = "auto",
    precision: Precision = "fp32",
) -> None:
    """Ego boundaries in metres on drawn flat roads with a known camera: lateral error at 10, 20 and 30 m."""
    from adas_perception.models.evaluate import load_lane_model, synthetic_scores

    _show(synthetic_scores(load_lane_model(model, backend, precision), pictures))


@app.command()
def lane_video(
    file: Annotated[Path, typer.Argument(help="a recording without labels")],
    model: LaneModel = "lane_v2",
    backend: Backend = "auto",
    precision: Precision = "fp32",
    fov_deg: Annotated[float, typer.Option(help="horizontal field of view")] = 60.0,
    horizon: Annotated[float, typer.Option(help="row of the horizon as part of the height")] = 0.575,
    height_m: Annotated[float, typer.Option(help="height of the camera")] = 1.25,
    rate_hz: Annotated[float, typer.Option(help="frames per second")] = 25.0,
    out: Annotated[Path | None, typer.Option(help="folder for overlays of every tenth frame")] = None,
) -> None:
    """How often both ego boundaries are found, how plausible the width and how steady the offset is."""
    from adas_perception.models.evaluate import load_lane_model, read_frames, video_scores
    from adas_perception.params import ParameterError
    from adas_perception.perception.camera import CameraModel

    frames = list(read_frames(file))
    if not frames:
        raise ParameterError(f"{file}: no video that OpenCV can read")
    height, width = frames[0].shape[:2]
    camera = CameraModel.from_fov(width, height, math.radians(fov_deg), height_m=height_m)
    camera = camera.with_horizon(horizon * height)
    _show(video_scores(load_lane_model(model, backend, precision), frames, camera, rate_hz, out))


@app.command()
def boxes(
    labels: Annotated[Path, typer.Argument(help="COCO annotation file, or a folder of YOLO files")],
    model: Annotated[str, typer.Option(help="detector of models.yaml")],
    pictures: Annotated[Path | None, typer.Option(help="folder of the pictures; default: that of the labels")] = None,
    names: Annotated[str, typer.Option(help="classes of YOLO files in order, separated by commas")] = "",
    backend: Backend = "auto",
    precision: Precision = "fp32",
    score: Annotated[float, typer.Option(help="lowest score of a box", min=0.0, max=1.0)] = 0.01,
) -> None:
    """COCO average precision of a detector."""
    from adas_perception.detect.networks import open_boxes
    from adas_perception.models.boxes_data import read_coco, read_yolo
    from adas_perception.models.boxes_evaluate import coco_scores, read_rgb

    if labels.is_dir():
        labelled, issues = read_yolo(pictures or labels, labels, [n.strip() for n in names.split(",") if n.strip()])
    else:
        labelled, issues = read_coco(labels, pictures)
    for issue in issues:
        typer.echo(str(issue), err=True)
    finder = open_boxes(model, score, backend, precision)
    found = [finder.find(read_rgb(p.file)[..., ::-1]) for p in labelled]
    _show({"pictures": len(labelled), **coco_scores(labelled, found)})
    raise typer.Exit(1 if issues else 0)


def _show(scores: dict[str, float]) -> None:
    typer.echo(json.dumps({k: round(v, 4) for k, v in scores.items()}, indent=1))
