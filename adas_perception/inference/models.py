"""The list of models, config/models.yaml: where a network's file lies, its checksum and what it eats."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adas_perception.inference.backend import ModelAbsentError, ModelError
from adas_perception.params import ParameterError, read_yaml
from adas_perception.resources import config_path, share_dir

KINDS = ("lane", "object")
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class ModelSpec:
    """One entry; ``spec`` holds the fields of LaneSpec or DetectorSpec."""

    name: str
    kind: str
    path: str
    sha256: str
    url: str
    spec: Mapping[str, Any]
    listing: Path

    def file(self) -> Path:
        """Return the verified model file.

        A relative path is looked for beside the list, in the shared folder, in the package and in ADAS_MODELS.
        Raises ModelError when it is missing or is another file than the list means.
        """
        folders = [self.listing.parent, share_dir(), PACKAGE]
        if "ADAS_MODELS" in os.environ:
            folders.append(Path(os.environ["ADAS_MODELS"]))
        places = [folder / Path(self.path).expanduser() for folder in folders]
        file = next((p for p in places if p.is_file()), None)
        if file is None:
            source = f"fetch it from {self.url} and" if self.url else "correct its path in models.yaml or"
            raise ModelAbsentError(f"model '{self.name}': no file {self.path}; {source} set ADAS_MODELS to its folder")
        actual = hashlib.sha256(file.read_bytes()).hexdigest()
        if actual != self.sha256.lower():
            raise ModelError(f"{file}: sha256 is {actual}, models.yaml expects {self.sha256}; fetch the file again")
        return file


def model_names(listing: Path | None = None) -> tuple[str, ...]:
    """Return the names in models.yaml (default: the package's own); raises ParameterError when it is broken."""
    return tuple(map(str, _entries(listing or config_path("models.yaml"))))


def _entries(listing: Path) -> Mapping[str, Any]:
    models = read_yaml(listing).get("models")
    if not isinstance(models, dict):
        raise ParameterError(f"{listing}: expected a mapping under 'models'")
    return models


def load_model_spec(name: str, listing: Path | None = None) -> ModelSpec:
    """Return the entry ``name`` of models.yaml (default: the package's own).

    Raises ModelError naming the entry and the remedy, ParameterError when the file is no YAML.
    """
    listing = listing or config_path("models.yaml")
    models = _entries(listing)
    if name not in models:
        raise ModelError(f"{listing}: there is no model '{name}'; known: {', '.join(map(str, models))}")
    entry = models[name]
    if not isinstance(entry, dict):
        raise ModelError(f"{listing}: model '{name}' must be a mapping with path, sha256, kind and spec")
    missing = [key for key in ("path", "sha256", "kind") if not isinstance(entry.get(key), str)]
    unknown = set(entry) - {"path", "sha256", "kind", "url", "spec", "card"}
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"does not know {', '.join(sorted(map(str, unknown)))}"
        raise ModelError(f"{listing}: model '{name}' {wrong}; an entry has path, sha256, kind, url, spec, card")
    if entry["kind"] not in KINDS:
        raise ModelError(f"{listing}: model '{name}' has kind '{entry['kind']}'; choose {' or '.join(KINDS)}")
    spec = entry.get("spec") or {}
    return ModelSpec(name, entry["kind"], entry["path"], entry["sha256"], str(entry.get("url", "")), spec, listing)
