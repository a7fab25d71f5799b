"""The repository in a colcon workspace: a plain `colcon build` makes a package that ROS tools can use."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "adas_perception"


def console_scripts() -> list[str]:
    setup_cfg = configparser.ConfigParser()
    setup_cfg.read(REPOSITORY / "setup.cfg")
    lines = setup_cfg["options.entry_points"]["console_scripts"].split("\n")[1:]
    return [line.split("=")[0].strip() for line in lines]


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run outside the repository and outside pytest's own environment variables."""
    environment = {k: v for k, v in os.environ.items() if k in {"HOME", "PATH", "LANG", "TMPDIR"}}
    cwd = variables.pop("cwd", "/")
    return subprocess.run(command, cwd=cwd, env=environment | variables, capture_output=True, text=True)


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the install folder of a workspace that holds what a clone of the repository would hold."""
    colcon = Path(sys.executable).parent / "colcon"
    if not colcon.exists():
        pytest.skip("colcon is not installed in this environment")
    workspace = tmp_path_factory.mktemp("workspace")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is not a git checkout, so nobody knows which files belong to the repository")
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            target = workspace / "src" / PACKAGE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target)
    path = f"{colcon.parent}{os.pathsep}{os.environ['PATH']}"
    built = run([str(colcon), "build"], cwd=str(workspace), PATH=path)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "1 package finished" in built.stdout, built.stdout
    return workspace / "install" / PACKAGE


def site_packages(install: Path) -> Path:
    return next(install.glob("lib/python3*/site-packages"))


@pytest.mark.slow
def test_every_executable_lies_where_ros2_run_looks(install: Path) -> None:
    assert sorted(f.name for f in (install / "lib" / PACKAGE).iterdir()) == sorted(console_scripts())


@pytest.mark.slow
def test_shared_files_are_installed(install: Path) -> None:
    share = install / "share" / PACKAGE
    assert (install / "share/ament_index/resource_index/packages" / PACKAGE).is_file()
    assert (share / "package.xml").is_file()
    assert (share / "config" / "fastdds_shm.xml").is_file()
    listed = run(["git", "ls-files", "-z", "launch", "config"], cwd=str(REPOSITORY)).stdout
    for name in filter(None, listed.split("\0")):
        assert (share / name).is_file() or not (REPOSITORY / name).exists(), name


@pytest.mark.slow
def test_data_inside_the_package_is_installed(install: Path) -> None:
    listed = run(["git", "ls-files", "-z", PACKAGE], cwd=str(REPOSITORY)).stdout
    for name in filter(None, listed.split("\0")):
        assert (site_packages(install) / name).is_file() or not (REPOSITORY / name).exists(), name


@pytest.mark.slow
def test_the_installed_package_finds_its_own_configuration(install: Path) -> None:
    code = "from adas_perception.resources import config_path; print(config_path('fastdds_shm.xml'))"
    done = run([sys.executable, "-c", code], PYTHONPATH=str(site_packages(install)))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == install / "share" / PACKAGE / "config" / "fastdds_shm.xml"


@pytest.mark.slow
def test_an_installed_executable_starts(install: Path) -> None:
    done = run([str(install / "lib" / PACKAGE / "adas"), "--help"], PYTHONPATH=str(site_packages(install)))
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_package_xml_and_setup_cfg_agree() -> None:
    manifest = ElementTree.parse(REPOSITORY / "package.xml").getroot()
    setup_cfg = configparser.ConfigParser()
    setup_cfg.read(REPOSITORY / "setup.cfg")
    from adas_perception import __version__

    assert manifest.get("format") == "3"
    assert manifest.findtext("name") == setup_cfg["metadata"]["name"] == PACKAGE
    assert manifest.findtext("version") == __version__
    assert manifest.findtext("license") == setup_cfg["metadata"]["license"]
    assert manifest.findtext("description") == f"{setup_cfg['metadata']['description']}."
    assert manifest.findtext("export/build_type") == "ament_python"


def test_every_folder_with_code_is_a_package() -> None:
    """A folder without __init__.py would be missing from every installation."""
    folders = {f.parent for f in (REPOSITORY / PACKAGE).rglob("*.py")}
    assert [f for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_every_executable_exists_in_the_code() -> None:
    """An entry point whose function is missing fails only when somebody starts it."""
    from importlib.metadata import entry_points

    mine = [e for e in entry_points(group="console_scripts") if e.value.startswith(f"{PACKAGE}.")]
    assert sorted(e.name for e in mine) == sorted(console_scripts())
    for entry in mine:
        assert callable(entry.load()), entry
