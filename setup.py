"""Files that go with the package; everything declarative is in setup.cfg."""

from pathlib import Path

from setuptools import setup

NAME = "adas_perception"
SHARE = f"share/{NAME}"


def tree(folder: str) -> list[tuple[str, list[str]]]:
    """Return a ``data_files`` entry for every directory under ``folder``, installed under share/."""
    directories = [Path(folder), *(d for d in sorted(Path(folder).rglob("*")) if d.is_dir())]
    entries = []
    for directory in directories:
        files = [str(f) for f in sorted(directory.iterdir()) if f.is_file() and f.suffix != ".pyc"]
        if files:
            entries.append((f"{SHARE}/{directory.as_posix()}", files))
    return entries


def package_data() -> list[str]:
    """Return every file of the package that is not Python: weights, model lists, templates."""
    root = Path(NAME)
    return [
        f.relative_to(root).as_posix()
        for f in sorted(root.rglob("*"))
        if f.is_file() and f.suffix not in {".py", ".pyc"}
    ]


setup(
    package_data={NAME: package_data()},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        *tree("launch"),
        *tree("config"),
    ],
)
