"""Where the package's shared files lie: in a checkout, a pip install and a colcon install alike."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from adas_perception.params import ParameterError

PACKAGE = "adas_perception"
# Where this file lies in config/, every file read from there must be in it: lines of sha256sum.
MANIFEST = "MANIFEST.sha256"


@cache
def share_dir() -> Path:
    """Return the folder that holds ``config/`` and ``launch/``.

    A checkout (also an editable or symlinked install of it) is its own share folder, so that edited
    files count at once; an installed package has ``<prefix>/share/adas_perception``.

    Raises FileNotFoundError when the package was installed without its shared files.
    """
    module = Path(__file__).resolve()
    checkout = module.parents[1]
    if (checkout / "package.xml").is_file():
        return checkout
    for prefix in module.parents[2:]:
        share = prefix / "share" / PACKAGE
        if share.is_dir():
            return share
    raise FileNotFoundError(
        f"{PACKAGE} at {module.parent} was installed without share/{PACKAGE}: "
        "install it with `pip install` or `colcon build` instead of copying the folder"
    )


def config_path(name: str) -> Path:
    """Return the path of ``config/<name>``, for example ``config_path("presets/guide.yaml")``.

    Raises FileNotFoundError with the names that exist when there is no such file.
    """
    folder = share_dir() / "config"
    path = folder / name
    if not path.is_file():
        known = ", ".join(sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*.*")))
        raise FileNotFoundError(f"there is no configuration file {path}; {folder} has: {known or 'nothing'}")
    return verified(path)


def verified(path: Path) -> Path:
    """Return the path of a file, checked by the manifest when it lies in a ``config/`` that has one.

    Raises ParameterError when the file is not listed there or is another file than the one listed.
    """
    folder = share_dir() / "config"
    manifest = folder / MANIFEST
    if not manifest.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return path
    name = path.resolve().relative_to(folder.resolve()).as_posix()
    lines = (line.split(maxsplit=1) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip())
    listed = {parts[-1].strip().lstrip("*"): parts[0] for parts in lines}
    if name not in listed:
        raise ParameterError(f"{path}: not listed in {manifest}; add it with sha256sum, or remove the file")
    actual = sha256_of(path)
    if actual != listed[name].lower():
        raise ParameterError(f"{path}: sha256 is {actual}, {manifest} says {listed[name]}; restore the file")
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def profile_path(name: str) -> Path:
    """Return the path of a vehicle profile by its name in ``config/vehicles`` or by a path of its own."""
    return Path(name) if name.endswith(".yaml") else config_path(f"vehicles/{name}.yaml")
