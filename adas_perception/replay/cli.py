"""``adas replay`` and ``adas bag``: recordings through the stack, made, checked and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Bags: made from other recordings, checked.", no_args_is_help=True)
Bags = Annotated[list[Path], typer.Argument(help="rosbag2 folders or files (mcap, sqlite3), comma2k19 segments")]


def replay(
    recordings: Bags,
    topics: Annotated[Path | None, typer.Option(help="YAML, 'our name: /topic/of/the/bag' a line")] = None,
    report: Annotated[Path, typer.Option("--report", "--out", help="folder for report and output bags")] = Path(
        "out/replay"
    ),
    jobs: Annotated[int, typer.Option(help="worker processes; more than 1 starts a local Dask cluster", min=1)] = 1,
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler, for example tcp://10.0.0.2:8786")] = "",
    preset: Annotated[str, typer.Option(help="preset laid over the parameters, for example 'guide'")] = "",
    config: Annotated[Path | None, typer.Option(help="parameter file of the car")] = None,
    threads: Annotated[int, typer.Option(help="threads of a network; 0: two, one of two cores", min=0)] = 0,
    bags: Annotated[bool, typer.Option(help="write what the stack says into output bags")] = True,
    shadow: Annotated[bool, typer.Option(help="hold ACC engaged, for drives without the stack")] = False,
    record_reference: Annotated[Path | None, typer.Option(help="keep the outputs in this folder as reference")] = None,
    compare: Annotated[Path | None, typer.Option(help="compare with the references of this folder")] = None,
) -> None:
    """Play recordings through the stack, faster than real time, and report what the functions did.

    Exit status: 0, or 1 when --compare finds a difference, or 2 when a recording cannot be used.
    """
    from adas_perception.replay.regression import compare_all, record_all
    from adas_perception.replay.run import Options, run_replay

    options = Options(tuple(recordings), topics, report, preset, config, jobs, scheduler, threads, bags, shadow)
    if record_reference and compare:
        raise typer.BadParameter("choose one of --record-reference and --compare")
    if record_reference:
        raise typer.Exit(record_all(options, record_reference))
    raise typer.Exit(compare_all(options, compare) if compare else run_replay(options))


@app.command()
def check(
    bags: Annotated[list[Path], typer.Argument(help="rosbag2 folders or files")],
    topics: Annotated[Path | None, typer.Option(help="YAML, 'our name: /topic/of/the/bag' a line")] = None,
    need: Annotated[str, typer.Option(help="inputs that must be there, with commas; empty: the vehicle's")] = "",
) -> None:
    """Find gaps, wrong rates, stamps out of order, missing topics and broken messages; exit status 1 if there are."""
    from adas_perception.replay.health import run_check

    raise typer.Exit(run_check(bags, topics, tuple(name for name in need.split(",") if name)))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="a video, a folder of pictures, or a comma2k19 segment")],
    bag: Annotated[Path, typer.Argument(help="folder of the bag to write")],
    can: Annotated[Path | None, typer.Option(help="CAN log of the same drive: .log .asc .blf .csv .trc")] = None,
    vehicle: Annotated[str, typer.Option(help="vehicle profile by which the CAN log is read")] = "adas",
    camera: Annotated[Path | None, typer.Option(help="camera_info file of 'adas calibrate'")] = None,
    fov_deg: Annotated[float, typer.Option(help="horizontal angle of view without --camera", min=20, max=150)] = 60.0,
    rate: Annotated[float, typer.Option(help="pictures a second of a folder", min=0.1, max=240)] = 30.0,
    speed_kmh: Annotated[float, typer.Option(help="steady speed of a recording without CAN log", min=0)] = 0.0,
    offset_s: Annotated[float, typer.Option(help="the video begins so much after the CAN log")] = 0.0,
    storage: Annotated[str, typer.Option(help="mcap or sqlite3")] = "mcap",
    compression: Annotated[str, typer.Option(help="none, file, message, storage (mcap only)")] = "none",
) -> None:
    """Make a bag with the topics of the stack from other recordings."""
    from adas_perception.replay.convert import Source, run_convert

    wanted = Source(source, can, vehicle, camera, fov_deg, rate, speed_kmh / 3.6, offset_s)
    raise typer.Exit(run_convert(wanted, bag, storage, compression))
