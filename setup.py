"""Files that go with the package; everything declarative is in setup.cfg."""

from pathlib import Path

from setuptools import setup

NAME = "adas_perception"
SHARE = f"share/{NAME}"


def files_under(folder: str) -> list[Path]:
    """Return every file under ``folder`` that belongs to the product, not Python's bytecode."""
    return [f for f in sorted(Path(folder).rglob("*")) if f.is_file() and f.suffix != ".pyc"]


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Return the ``data_files`` entries that install the tree of ``folder`` under share/."""
    return [(f"{SHARE}/{file.parent.as_posix()}", [str(file)]) for file in files_under(folder)]


def package_data() -> list[str]:
    """Return every file of the package that is not Python: weights, model lists, templates."""
    return [f.relative_to(NAME).as_posix() for f in files_under(NAME) if f.suffix != ".py"]


setup(
    # Here and not in setup.cfg, where setuptools makes an object of it that colcon cannot read.
    python_requires=">=3.10",
    package_data={NAME: package_data()},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        *shared("launch"),
        *shared("config"),
    ],
)
