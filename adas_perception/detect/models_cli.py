"""``adas models``: the list of networks."""

from __future__ import annotations

import json
from typing import Annotated

import typer
import yaml

from adas_perception.inference.zoo import ModelState, states

app = typer.Typer(help="Networks: list them, add your own, try them.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Show every network of the lists and whether its file is here."""
    _show(states(), as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="name of the network: a known one, or a new one")],
    source: Annotated[str, typer.Argument(help="URL or path of its ONNX file")],
    sha256: Annotated[str, typer.Option(help="checksum of the file; may be left out for a known name")] = "",
    kind: Annotated[str, typer.Option(help="lane or object, for a new name")] = "",
    spec: Annotated[str, typer.Option(help="what it eats and answers, YAML: '{decoder: yolox}'")] = "",
) -> None:
    """Fetch or copy a network into the models folder, check it, and try it once."""
    from adas_perception.detect.networks import try_model
    from adas_perception.inference import zoo
    from adas_perception.params import ParameterError

    try:
        fields = yaml.safe_load(spec) if spec else {}
    except yaml.YAMLError as error:
        raise ParameterError(f"--spec is no YAML: {error}") from None
    if not isinstance(fields, dict):
        raise ParameterError("--spec: expected a mapping such as '{width_px: 416, decoder: yolox}'")
    typer.echo(f"{zoo.add(name, source, sha256, kind, fields)}: added")
    _show(zoo.verify((name,), try_model), as_json=False)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="networks; default: all whose files are here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Check the files' checksums and run every network once on a grey picture; exit status 1 if one is wrong."""
    from adas_perception.detect.networks import try_model
    from adas_perception.inference import zoo

    found = zoo.verify(tuple(names or ()), try_model)
    _show(found, as_json)
    bad = ("wrong", "absent") if names else ("wrong",)
    raise typer.Exit(1 if any(item.state in bad for item in found) else 0)


def _show(found: list[ModelState], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([item.__dict__ for item in found], indent=2))
        return
    for item in found:
        typer.echo(f"{item.state:7} {item.kind:7} {item.name:22} {item.note}")
