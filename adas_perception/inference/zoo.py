"""The user's own networks: fetched or copied, checked, listed; and every network tried once."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from adas_perception.inference.backend import ModelAbsentError, ModelError
from adas_perception.inference.models import load_model_spec, model_names, models_folder
from adas_perception.params import read_yaml
from adas_perception.resources import sha256_of

SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class ModelState:
    """A line of ``adas models``: state is ok, absent or wrong; ``note`` says where the file is, or what to do."""

    name: str
    kind: str
    state: str
    note: str


def states() -> list[ModelState]:
    """Return every model of the lists with the state of its file."""
    return [_state(name, lambda _: None) for name in model_names()]


def verify(names: tuple[str, ...], run: Callable[[str], None]) -> list[ModelState]:
    """Return the states of these models, or of all; ``run`` tries a present one and raises what is wrong with it."""
    return [_state(name, run) for name in names or model_names()]


def _state(name: str, run: Callable[[str], None]) -> ModelState:
    kind = "?"
    try:
        entry = load_model_spec(name)
        kind = entry.kind
        file = entry.file()
        run(name)
    except ModelAbsentError as error:
        return ModelState(name, kind, "absent", str(error))
    except (ValueError, KeyError, RuntimeError) as error:  # ModelError, or what a wrong spec makes of the answer
        return ModelState(name, kind, "wrong", str(error))
    return ModelState(name, kind, "ok", str(file))


def add(name: str, source: str, sha256: str = "", kind: str = "", spec: Mapping[str, Any] | None = None) -> Path:
    """Bring a model's file into the models folder and return its path.

    ``source`` is a URL or a path. A name that the lists know needs no more than that; a new one needs its ``sha256``
    and ``kind`` and goes into the user's list. Raises ModelError, and then nothing has changed.
    """
    known = load_model_spec(name) if name in model_names() else None
    expected = (sha256 or (known.sha256 if known else "")).lower()
    if not SHA256.fullmatch(expected):
        raise ModelError(f"model '{name}': give its sha256, 64 hexadecimal digits, so that the file can be checked")
    if known is None and kind not in ("lane", "object"):
        raise ModelError(f"model '{name}' is in no list: say its kind, lane or object")
    folder = models_folder()
    file = folder / (Path(known.path).name if known else f"{name}.onnx")
    folder.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    try:
        _bring(source, part, expected)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    if known is None:
        url = source if "://" in source else ""
        _enlist(folder / "models.yaml", name, {
            "kind": kind, "path": file.name, "url": url, "sha256": expected, "spec": dict(spec or {}),
        })  # fmt: skip
    return file


def _bring(source: str, part: Path, sha256: str) -> None:
    """Copy or download ``source`` to ``part`` and compare its checksum."""
    if "://" in source:
        import pooch

        try:
            pooch.retrieve(source, known_hash=f"sha256:{sha256}", fname=part.name, path=part.parent)
        except ValueError as error:  # pooch's word for another checksum
            raise ModelError(f"{source}: {error}") from None
        except OSError as error:
            raise ModelError(f"{source}: could not be fetched ({error})") from None
        return
    file = Path(source).expanduser()
    if not file.is_file():
        raise ModelError(f"{file}: no such file")
    actual = sha256_of(file)
    if actual != sha256:
        raise ModelError(f"{file}: sha256 is {actual}, expected {sha256}")
    shutil.copyfile(file, part)


def _enlist(listing: Path, name: str, entry: Mapping[str, Any]) -> None:
    models = dict(read_yaml(listing).get("models") or {}) if listing.is_file() else {}
    models[name] = dict(entry)
    part = listing.with_suffix(".part")
    part.write_text(yaml.safe_dump({"models": models}, sort_keys=False))
    os.replace(part, listing)
