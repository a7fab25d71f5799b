"""The lists of models: where a network's file lies, its checksum and what it eats.

The package's list is config/models.yaml; the user's own, models.yaml in his models folder, comes before it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adas_perception.inference.backend import ModelAbsentError, ModelError
from adas_perception.params import ParameterError, read_yaml
from adas_perception.resources import config_path, sha256_of, share_dir

KINDS = ("lane", "object")
FIELDS = ("path", "sha256", "kind", "url", "spec", "card", "variants")
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class ModelSpec:
    """One entry; ``spec`` holds the fields of LaneSpec or DetectorSpec.

    ``variants`` are files of other precisions by fp16 or int8; the entry's own file is fp32.
    """

    name: str
    kind: str
    path: str
    sha256: str
    url: str
    spec: Mapping[str, Any]
    listing: Path
    variants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def file(self, precision: str = "fp32") -> Path:
        """Return the verified model file of that precision.

        A relative path is looked for beside the list, in the shared folder, in the package and in the models folder.
        Raises ModelError when it is missing or is another file than the list means.
        """
        if precision == "fp32":
            return self._find(self.path, self.sha256)
        if precision not in self.variants:
            known = ", ".join(("fp32", *self.variants))
            raise ModelError(f"model '{self.name}': there is no {precision} file; known: {known}; see 'adas quantise'")
        return self._find(self.variants[precision]["path"], self.variants[precision]["sha256"])

    def _find(self, path: str, sha256: str) -> Path:
        folders = [self.listing.parent, share_dir(), PACKAGE, models_folder()]
        places = [folder / Path(path).expanduser() for folder in folders]
        file = next((p for p in places if p.is_file()), None)
        if file is None:
            source = f"fetch it from {self.url} and" if self.url else "correct its path in models.yaml or"
            raise ModelAbsentError(f"model '{self.name}': no file {path}; {source} set ADAS_MODELS to its folder")
        actual = sha256_of(file)
        if actual != sha256.lower():
            raise ModelError(f"{file}: sha256 is {actual}, models.yaml expects {sha256}; fetch the file again")
        return file


def models_folder() -> Path:
    """Return where the user's models and his list lie: ADAS_MODELS, else the user's data folder."""
    if os.environ.get("ADAS_MODELS"):
        return Path(os.environ["ADAS_MODELS"]).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "adas_perception" / "models"


def _listings(listing: Path | None) -> list[Path]:
    """Return the one list that is given, else the user's, where he has one, and the package's."""
    if listing is not None:
        return [listing]
    own = models_folder() / "models.yaml"
    return ([own] if own.is_file() else []) + [config_path("models.yaml")]


def model_names(listing: Path | None = None) -> tuple[str, ...]:
    """Return the names in a list (default: the user's and the package's); raises ParameterError when one is broken."""
    return tuple(dict.fromkeys(str(name) for file in _listings(listing) for name in _entries(file)))


def _entries(listing: Path) -> Mapping[str, Any]:
    models = read_yaml(listing).get("models")
    if not isinstance(models, dict):
        raise ParameterError(f"{listing}: expected a mapping under 'models'")
    return models


def load_model_spec(name: str, listing: Path | None = None) -> ModelSpec:
    """Return the entry ``name`` of a list (default: the user's, then the package's).

    Raises ModelError naming the entry and the remedy, ParameterError when the file is no YAML.
    """
    files = _listings(listing)
    listing = next((file for file in files if name in _entries(file)), None)
    if listing is None:
        raise ModelError(f"{files[-1]}: there is no model '{name}'; known: {', '.join(model_names(files[-1]))}")
    entry = _entries(listing)[name]
    if not isinstance(entry, dict):
        raise ModelError(f"{listing}: model '{name}' must be a mapping with path, sha256, kind and spec")
    missing = [key for key in ("path", "sha256", "kind") if not isinstance(entry.get(key), str)]
    unknown = set(entry) - set(FIELDS)
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"does not know {', '.join(sorted(map(str, unknown)))}"
        raise ModelError(f"{listing}: model '{name}' {wrong}; an entry has {', '.join(FIELDS)}")
    if entry["kind"] not in KINDS:
        raise ModelError(f"{listing}: model '{name}' has kind '{entry['kind']}'; choose {' or '.join(KINDS)}")
    spec, variants = entry.get("spec") or {}, entry.get("variants") or {}
    for precision, variant in variants.items():
        if precision not in ("fp16", "int8") or not isinstance(variant, dict) or set(variant) != {"path", "sha256"}:
            raise ModelError(f"{listing}: model '{name}': variants are fp16 and int8, each with path and sha256")
    url = str(entry.get("url", ""))
    return ModelSpec(name, entry["kind"], entry["path"], entry["sha256"], url, spec, listing, variants)
