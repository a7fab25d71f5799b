"""``adas top`` and ``adas view``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Language(str, Enum):
    """Languages of the alerts and headings."""

    en = "en"
    ko = "ko"


def top(
    lang: Annotated[Language, typer.Option(help="language of alerts and headings")] = Language.en,
    seconds: Annotated[float, typer.Option(help="end after so long; 0: with q or Ctrl-C", min=0.0)] = 0.0,
) -> None:
    """Watch the running stack in the terminal: modes, states, alerts, rates, ages, nodes, the bus."""
    from adas_perception.view.top import run_top

    raise typer.Exit(run_top(lang.value, seconds))


def view(
    bags: Annotated[list[Path] | None, typer.Argument(help="bags, shown together; none: the running stack")] = None,
    sim: Annotated[str, typer.Option(help="show a simulated drive instead: 'demo', or a scorecard row, 'P01#3'")] = "",
    out: Annotated[Path | None, typer.Option(help="write a .rrd file instead of opening a window")] = None,
    connect: Annotated[str, typer.Option(help="viewer elsewhere, 'rerun+http://192.168.1.5:9876/proxy'")] = "",
    web: Annotated[bool, typer.Option("--web", help="show it in the browser")] = False,
    lang: Annotated[Language, typer.Option(help="language of the alerts")] = Language.en,
    camera: Annotated[bool, typer.Option(help="show the camera's pictures")] = True,
    preset: Annotated[str, typer.Option(help="preset laid over the parameters, for example 'guide'")] = "",
    config: Annotated[Path | None, typer.Option(help="parameter file of the car")] = None,
) -> None:
    """Show camera, view from above, charts and alerts in Rerun: live, from bags, or of a simulated drive."""
    from adas_perception.view.show import Options, run_view

    raise typer.Exit(run_view(Options(tuple(bags or ()), sim, out, connect, web, lang.value, camera, preset, config)))
