"""What a machine must have before the environment can be made on it."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

OLDEST_GLIBC = (2, 28)
OLDEST_CMAKE = (3, 20)


class SetupError(Exception):
    """One sentence: what is wrong and what to do about it."""


@dataclass(frozen=True)
class Machine:
    """The facts that decide whether the environment can be made here."""

    system: str
    cpu: str
    glibc: tuple[int, ...]
    python: str
    has_ensurepip: bool
    python_header: Path
    path: str

    @classmethod
    def here(cls) -> Machine:
        """Return the facts of this machine and of the Python that runs now."""
        libc, version = platform.libc_ver()
        return cls(
            system=platform.system(),
            cpu=platform.machine(),
            glibc=version_tuple(version) if libc == "glibc" else (),
            python=sys.executable,
            has_ensurepip=importlib.util.find_spec("ensurepip") is not None,
            python_header=Path(sysconfig.get_paths()["include"]) / "Python.h",
            path=os.environ.get("PATH", ""),
        )


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "3.25.1-rc2" gives (3, 25, 1)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def check(machine: Machine) -> None:
    """Raise SetupError for the first thing that ``machine`` lacks."""
    check_wheels_run(machine)
    check_python(machine)
    check_compilers(machine.path)
    check_cmake(machine.path)


def check_wheels_run(machine: Machine) -> None:
    """Raise SetupError where the ROS 2 wheels (manylinux_2_28_x86_64 only) cannot be installed."""
    if machine.system == "Linux" and machine.cpu == "x86_64" and machine.glibc >= OLDEST_GLIBC:
        return
    libc = "glibc " + ".".join(map(str, machine.glibc)) if machine.glibc else "no glibc"
    raise SetupError(
        "The ROS 2 wheels exist for x86_64 Linux with glibc 2.28 or newer only, and this is "
        f"{machine.system} on {machine.cpu} with {libc}: "
        "install ROS 2 from its own packages and run `colcon build` instead."
    )


def check_python(machine: Machine) -> None:
    """Raise SetupError unless Python can make a venv and C code can be compiled against it."""
    if not machine.has_ensurepip:
        raise SetupError(
            f"{machine.python} cannot make virtual environments because it lacks ensurepip: "
            "install it, for example with `sudo apt install python3-venv`."
        )
    if not machine.python_header.is_file():
        raise SetupError(
            f"{machine.python} lacks its header {machine.python_header}, against which the ROS messages "
            "are compiled: install it, for example with `sudo apt install python3-dev`."
        )


def check_compilers(path: str) -> None:
    """Raise SetupError unless C and C++ compilers and make are on ``path``."""
    for what, names, package in (
        ("C compiler", ("cc", "gcc", "clang"), "gcc"),
        ("C++ compiler", ("c++", "g++", "clang++"), "g++"),
        ("make", ("make",), "make"),
    ):
        if not any(shutil.which(name, path=path) for name in names):
            raise SetupError(
                f"There is no {what} on PATH, and the ROS messages are compiled here: "
                f"install one, for example with `sudo apt install {package}`."
            )


def check_cmake(path: str) -> None:
    """Raise SetupError unless a new enough CMake is on ``path``."""
    remedy = "install one with `sudo apt install cmake` or `pip install cmake`."
    cmake = shutil.which("cmake", path=path)
    if cmake is None:
        raise SetupError(f"There is no CMake on PATH, and 3.20 or newer is needed: {remedy}")
    answer = subprocess.run([cmake, "--version"], capture_output=True, text=True).stdout
    found = answer.partition("\n")[0].removeprefix("cmake version ")
    if version_tuple(found) < OLDEST_CMAKE:
        raise SetupError(f"CMake 3.20 or newer is needed, and {cmake} is {found or 'broken'}: {remedy}")
