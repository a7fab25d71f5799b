"""Where the package's shared files lie: in a checkout, a pip install and a colcon install alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PACKAGE = "adas_perception"


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
    return path


def profile_path(name: str) -> Path:
    """Return the path of a vehicle profile by its name in ``config/vehicles`` or by a path of its own."""
    return Path(name) if name.endswith(".yaml") else config_path(f"vehicles/{name}.yaml")
