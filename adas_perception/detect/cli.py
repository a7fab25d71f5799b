"""``adas detect``: networks over pictures and videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NONE = "none"


def detect(
    inputs: Annotated[list[Path], typer.Argument(help="pictures, folders of pictures, videos")],
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("out/detect"),
    lane_model: Annotated[str, typer.Option(help="lane network of models.yaml, or 'none'")] = "lane_v2",
    object_model: Annotated[str, typer.Option(help="detector of models.yaml, or 'none'")] = "object_v3",
    backend: Annotated[str, typer.Option(help="auto, tensorrt, openvino or onnxruntime")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, or fp16 or int8 where a model has such a file")] = "fp32",
    score: Annotated[float, typer.Option(help="lowest score of a box", min=0.0, max=1.0)] = 0.3,
    every: Annotated[int, typer.Option(help="use every n-th frame of a video", min=1)] = 1,
    overlays: Annotated[bool, typer.Option(help="write the pictures with what was found")] = True,
    masks: Annotated[bool, typer.Option(help="write the lane masks")] = True,
) -> None:
    """Find lane lines and objects in pictures and videos: overlays, masks, lanes.json, boxes.json."""
    from rich.progress import track

    from adas_perception.detect.networks import open_boxes, open_lines
    from adas_perception.detect.results import Results
    from adas_perception.detect.sources import find_sources

    if lane_model == object_model == NONE:
        raise typer.BadParameter("choose at least one of --lane-model and --object-model")
    sources = find_sources(inputs)
    finder = None if lane_model == NONE else open_lines(lane_model, backend, precision)
    detector = None if object_model == NONE else open_boxes(object_model, score, backend, precision)
    results = Results(out, overlays=overlays, masks=masks)
    skipped: list[str] = []
    total = sum(-(-source.frames // every) for source in sources)
    pictures = (picture for source in sources for picture in source.pictures(every, skipped.append))
    count = 0
    for count, picture in enumerate(track(pictures, "looking", total=total), 1):  # noqa: B007 - counted for the report
        lines = finder.find(picture.bgr) if finder else None
        results.add(picture, lines, detector.find(picture.bgr) if detector else None)
    written = results.close(lanes=finder is not None, boxes=detector is not None)
    typer.echo(f"{count} pictures; written: {', '.join(map(str, written))}")
    for sentence in skipped:
        typer.echo(f"skipped: {sentence}", err=True)
    raise typer.Exit(0 if count else 1)
