"""``adas``: everything the stack does from a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from adas_perception import __version__
from adas_perception.can.bus import BusError
from adas_perception.can.cli import app as can_app
from adas_perception.detect.cli import detect
from adas_perception.detect.models_cli import app as models_app
from adas_perception.inference.backend import ModelError
from adas_perception.inference.cli import app as engine_app
from adas_perception.models import cli as training
from adas_perception.models.evaluate_cli import app as evaluate_app
from adas_perception.params import ParameterError
from adas_perception.replay.cli import app as bag_app
from adas_perception.replay.cli import replay
from adas_perception.view.cli import top, view

app = typer.Typer(
    help="Driver assistance for ROS 2: run it, drive it in simulation, replay recordings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(engine_app, name="engine")
app.command()(detect)
app.add_typer(training.train, name="train")
app.add_typer(training.dataset, name="dataset")
app.command()(training.export)
app.command()(training.quantise)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_app, name="models")
app.add_typer(can_app, name="can")
app.command()(top)
app.command()(view)
app.command()(replay)
app.add_typer(bag_app, name="bag")

# The extra that brings a package, where it is not `tools`.
EXTRAS = {"rerun": "view", "rclpy": "ros", "torch": "train"}

Out = Annotated[Path, typer.Option(help="folder for the results")]
Preset = Annotated[str, typer.Option(help="preset laid over the parameters, for example 'guide'")]


@app.callback()
def _version() -> None:
    """Driver assistance for ROS 2."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help="name of the drive")] = "demo",
    out: Out = Path("out/demo"),
    preset: Preset = "",
    can_interface: Annotated[str, typer.Option(help="python-can interface; auto: vcan0, else a server")] = "auto",
    can_channel: Annotated[str, typer.Option(help="channel of that interface")] = "",
    kill: Annotated[str, typer.Option(help="'process@seconds': end a process during the drive")] = "",
) -> None:
    """Drive a simulated car through traffic with the whole stack as ROS 2 processes."""
    from adas_perception.ros.demo import Drive, run_demo

    drive = Drive(scenario, out, preset, can_interface, can_channel, kill)
    raise typer.Exit(run_demo(drive))


@app.command()
def up(
    config: Annotated[Path | None, typer.Option(help="parameter file of the car")] = None,
    preset: Preset = "",
    can_interface: Annotated[str, typer.Option(help="python-can interface; empty: as the files say")] = "",
    can_channel: Annotated[str, typer.Option(help="channel of that interface; empty: as the files say")] = "",
    sim_time: Annotated[bool, typer.Option(help="follow /clock")] = False,
) -> None:
    """Start every process of the stack, without ros2 launch, until Ctrl-C."""
    from adas_perception.ros.runner import run_stack

    raise typer.Exit(run_stack(config, preset, can_interface, can_channel, sim_time))


@app.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Say what this machine can do: ROS, inference backends, CAN, GPU, models."""
    from adas_perception import check as checks

    items = checks.report()
    if as_json:
        typer.echo(json.dumps([item.__dict__ for item in items], indent=2))
    else:
        checks.show(items)


@app.command()
def scorecard(
    rows: Annotated[str, typer.Option(help="rows by id or pattern, for example 'A01,C*'")] = "*",
    preset: Preset = "",
    noise: Annotated[int, typer.Option(help="number of seeds of sensor noise; 0: clean sensors", min=0)] = 0,
    mu: Annotated[float | None, typer.Option(help="friction of the road is at most this", min=0.05, max=1.2)] = None,
    jobs: Annotated[int, typer.Option(help="worker processes; more than 1 starts a local Dask cluster", min=1)] = 1,
    scheduler: Annotated[str, typer.Option(help="address of a Dask scheduler, for example tcp://10.0.0.2:8786")] = "",
    traces: Annotated[str, typer.Option(help="runs that get plots: 'failed', or a pattern such as 'A0*'")] = "failed",
    out: Out = Path("out/scorecard"),
    compare: Annotated[str, typer.Option(help="preset that plays the same runs, side by side: 'guide'")] = "",
) -> None:
    """Drive the public test protocols in simulation and score them; exit status 1 if a hard gate is broken."""
    from adas_perception.sim.scorecard.command import Options, run_scorecard

    options = Options(rows, preset, noise, mu, jobs, scheduler, traces, out, compare=compare)
    raise typer.Exit(run_scorecard(options))


@app.command()
def bench(
    models: Annotated[str, typer.Option(help="names of models.yaml with commas; empty: all that are here")] = "",
    batches: Annotated[str, typer.Option(help="batch sizes, for example '1,4,8'")] = "1",
    rounds: Annotated[int, typer.Option(help="how often every contestant runs", min=3)] = 50,
    threads: Annotated[int, typer.Option(help="processor threads", min=1)] = 2,
    out: Out = Path("out/bench"),
) -> None:
    """Race every way to run the networks here: PyTorch, ONNX Runtime, OpenVINO, TensorRT; table, JSON, plot."""
    from adas_perception.models.bench_cli import present_models, run_bench

    chosen = models.split(",") if models else present_models()
    raise typer.Exit(run_bench(chosen, tuple(map(int, batches.split(","))), rounds, threads, out))


@app.command()
def faults(
    only: Annotated[str, typer.Option(help="runs whose name contains this, for example 'halt tracking'")] = "",
    hogs: Annotated[int, typer.Option(help="also drive beside this many busy programs", min=0)] = 0,
    out: Out = Path("out/faults"),
) -> None:
    """Kill and halt each process of the running stack; exit status 1 if the car did anything unsafe."""
    from adas_perception.ros.faults import run_faults

    raise typer.Exit(run_faults(out, only, hogs))


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(help="wall time to drive", min=0.1)] = 60.0,
    out: Out = Path("out/soak"),
) -> None:
    """Run the whole stack at full rate for long; report missed cycles of the gate, memory and warnings."""
    from adas_perception.ros.soak import run_soak

    raise typer.Exit(run_soak(minutes, out))


@app.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(help="pictures of a chessboard")],
    columns: Annotated[int, typer.Option(help="inner corners in a row")] = 9,
    rows: Annotated[int, typer.Option(help="inner corners in a column")] = 6,
    out: Annotated[Path, typer.Option(help="camera_info file to write")] = Path("out/camera.yaml"),
) -> None:
    """Compute the camera matrix and distortion from chessboard pictures."""
    from adas_perception.perception import calibration

    result = calibration.calibrate(folder, columns=columns, rows=rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    calibration.write_camera_info(result, out)
    typer.echo(result.summary())
    typer.echo(f"written to {out}")


def main() -> None:
    """Run the command line; a wrong parameter or file is one sentence and exit status 2."""
    try:
        app()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0], "tools")
        print(f"adas: this needs the package {error.name}: pip install 'adas_perception[{extra}]'", file=sys.stderr)
        sys.exit(2)
    except (BusError, ModelError, ParameterError, FileNotFoundError) as error:
        print(f"adas: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
