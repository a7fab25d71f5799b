"""The environment in .venv: ROS 2 wheels, two message packages, this package editable.

Needs nothing but the standard library. Every step is remembered with a fingerprint of what went into
it, so a second run does only what is missing, and nothing at all when nothing is. The output of pip
and CMake goes to .venv/setup.log.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from machine import Machine, SetupError, check

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "adas_perception"
EXTRAS = ("ros", "build", "onnx", "tools", "dev")
MESSAGE_PACKAGES = ("ackermann_msgs", "tf2_msgs", "vision_msgs")
# Only its DBC files are read, so neither its dependencies nor its Python versions matter.
DBC_COLLECTION = "opendbc==0.3.1"
# An environment that another ROS or another venv left in the shell would mix its libraries into this one.
FOREIGN_VARIABLES = (
    "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "LD_LIBRARY_PATH",
    "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)  # fmt: skip
NETWORK_SIGNS = (
    "NewConnectionError", "ConnectTimeout", "ReadTimeout", "Max retries exceeded", "NameResolutionError",
    "Temporary failure in name resolution", "Connection refused", "ProxyError", "SSLError",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One part of the set-up; it runs again only when its fingerprint changes."""

    key: str
    title: str
    fingerprint: str
    run: Callable[[], None]


class Environment:
    """The virtual environment at ``venv`` for the checkout at ``repository``."""

    def __init__(self, repository: Path, venv: Path, python: str) -> None:
        self.repository = repository
        self.venv = venv
        self.base_python = python
        self.python = venv / "bin" / "python"
        self.log = venv / "setup.log"
        self.state_file = venv / "setup.json"
        self.unsure = venv / "setup.unsure"
        self.setup_cfg = configparser.ConfigParser()
        self.setup_cfg.read(repository / "setup.cfg")

    def steps(self) -> list[Step]:
        """Return all steps in their order."""
        requirements = list(self.requirements())
        venv = digest([*map(str, sys.version_info[:2]), str(self.venv)])
        wheels = digest([venv, *requirements])
        recipe = list((self.repository / "tools" / "msgs").rglob("*"))
        files = [self.repository / name for name in ("setup.cfg", "setup.py")]
        return [
            Step("venv", "making .venv", venv, self.make_venv),
            Step("wheels", f"installing {len(requirements)} requirements", wheels, self.install_wheels),
            Step("dbc", f"installing {DBC_COLLECTION}", digest([wheels, DBC_COLLECTION]), self.install_dbc),
            *(
                Step(p, f"building {p}", digest([wheels], recipe), partial(self.build_messages, p))
                for p in MESSAGE_PACKAGES
            ),
            Step("package", f"installing {PACKAGE} editable", digest([venv], files), self.install_package),
        ]

    def requirements(self) -> Iterator[str]:
        """Yield every requirement of the package and of the extras that ``make env`` installs."""
        extras = self.setup_cfg["options.extras_require"]
        for text in (self.setup_cfg["options"]["install_requires"], *(extras[name] for name in EXTRAS)):
            yield from text.split("\n")[1:]

    def done(self) -> dict[str, str]:
        """Return the fingerprints of the steps that were finished; none where .venv is unusable."""
        if not self.python.exists() or not self.state_file.exists() or self.unsure.exists():
            return {}
        try:
            return dict(json.loads(self.state_file.read_text()))
        except (ValueError, TypeError):
            return {}

    def remember(self, done: Mapping[str, str]) -> None:
        """Write the finished steps so that an interruption leaves the old or the new state."""
        draft = self.state_file.with_suffix(".tmp")
        draft.write_text(json.dumps(done, indent=1) + "\n")
        draft.replace(self.state_file)

    def make_venv(self) -> None:
        """Make an empty virtual environment, in place of a half-finished or foreign one."""
        remove(self.venv)
        self.call([self.base_python, "-m", "venv", str(self.venv)])

    def install_wheels(self) -> None:
        """Install everything that comes from the package registry.

        A pip that was killed can leave half a package that it takes for a whole one later, so nothing
        in .venv is trusted until pip has ended well.
        """
        self.unsure.touch()
        self.pip(*self.requirements())
        self.unsure.unlink()

    def install_dbc(self) -> None:
        """Install the collection of car makers' DBC files that replay and tests read."""
        self.pip("--no-deps", "--ignore-requires-python", DBC_COLLECTION)

    def build_messages(self, package: str) -> None:
        """Build one message package with the wheels' own rosidl and install it into .venv."""
        source = self.repository / "tools" / "msgs" / package
        build = self.venv / "build" / package
        remove(build)
        include = self.repository / "tools" / "msgs" / "wheels.cmake"
        self.call(
            ["cmake", "-S", str(source), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release"]
            + [f"-DCMAKE_PROJECT_INCLUDE={include}", f"-DCMAKE_INSTALL_PREFIX={self.venv}"]
            + [f"-DPython3_EXECUTABLE={self.python}", f"-DPYTHON_EXECUTABLE={self.python}"]
        )
        self.call(["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)])
        self.call(["cmake", "--install", str(build)])
        remove(build)

    def install_package(self) -> None:
        """Install this package editable and lay it out as a ROS prefix, so that ROS tools find it.

        pip ignores `install_scripts`, so the executables are linked to where `ros2 run` looks; share/ is
        linked to the checkout, so that edited launch and configuration files count at once.
        """
        self.pip("--no-deps", "--no-build-isolation", "--editable", str(self.repository))
        share = fresh_folder(self.venv / "share" / PACKAGE)
        for name in ("package.xml", "launch", "config"):
            (share / name).symlink_to(self.repository / name)
        executables = fresh_folder(self.venv / "lib" / PACKAGE)
        for line in self.setup_cfg["options.entry_points"]["console_scripts"].split("\n")[1:]:
            name = line.split("=")[0].strip()
            (executables / name).symlink_to(Path("../../bin") / name)
        (self.venv / "share/ament_index/resource_index/packages" / PACKAGE).touch()

    def pip(self, *arguments: str) -> None:
        """Run `pip install` and turn its failure into one sentence."""
        command = [str(self.python), "-m", "pip", "install", "--progress-bar=off", "--retries=2"]
        start = self.log.stat().st_size if self.log.exists() else 0
        try:
            self.call([*command, *arguments])
        except SetupError:
            output = self.log.read_bytes()[start:].decode(errors="replace")
            if any(sign in output for sign in NETWORK_SIGNS):
                raise SetupError(
                    "The package registry cannot be reached: check the network or pip's index settings "
                    f"(`pip config list`), then run `make env` again; pip's own words are in {self.log}."
                ) from None
            errors = [line for line in output.split("\n") if "error:" in line.lower()]
            said = errors[-1].strip() if errors else "no reason given"
            raise SetupError(f"pip could not install the packages ({said}); its log is {self.log}.") from None

    def call(self, command: list[str]) -> None:
        """Run ``command`` with its output in the log; raise SetupError when it fails."""
        environment = {k: v for k, v in os.environ.items() if k not in FOREIGN_VARIABLES}
        environment["PATH"] = f"{self.venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(self.venv)
        self.venv.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment).returncode
        if code:
            raise SetupError(f"`{' '.join(command[:4])} ...` failed with exit code {code}; see {self.log}.")


def digest(texts: Iterable[str], files: Iterable[Path] = ()) -> str:
    """Return a fingerprint of texts and of the contents of files."""
    total = hashlib.sha256("\0".join(texts).encode())
    for file in sorted(files):
        if file.is_file():
            total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def remove(folder: Path) -> None:
    """Remove a folder and what is in it (links, not what they point to), if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def fresh_folder(folder: Path) -> Path:
    """Return ``folder``, empty."""
    remove(folder)
    folder.mkdir(parents=True)
    return folder


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock on ``file``, so that two set-ups of one checkout run one after the other."""
    with file.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def progress(label: str) -> Iterator[None]:
    """Print ``label`` and, when the work inside is over, its seconds; on a terminal they count along."""
    began = time.monotonic()
    over = threading.Event()

    def count() -> None:
        while not over.wait(1.0):
            print(f"\r{label} {time.monotonic() - began:.0f} s", end="", flush=True)

    counter = threading.Thread(target=count, daemon=True)
    print(label, end="", flush=True)
    if sys.stdout.isatty():
        counter.start()
    result = "failed"
    try:
        yield
        result = f"{time.monotonic() - began:.0f} s"
    finally:
        over.set()
        if counter.ident:
            counter.join()
            print(f"\r{label}", end="")
        print(f" {result}", flush=True)


def pending(environment: Environment) -> list[Step]:
    """Return the steps whose fingerprint is not among the finished ones."""
    done = environment.done()
    return [step for step in environment.steps() if done.get(step.key) != step.fingerprint]


def make(environment: Environment, machine: Machine) -> int:
    """Run the steps that are missing; return how many ran."""
    if not pending(environment):
        return 0
    check(machine)
    with locked(environment.repository / "setup.cfg"):
        steps, done = environment.steps(), environment.done()
        ran = 0
        for number, step in enumerate(steps, 1):
            if done.get(step.key) == step.fingerprint:
                continue
            with progress(f"[{number}/{len(steps)}] {step.title} ..."):
                step.run()
            done = {} if step.key == "venv" else done
            done[step.key] = step.fingerprint
            environment.remember(done)
            ran += 1
        return ran


def base_python() -> str:
    """Return the Python outside any venv: `make` runs this with .venv's own once there is one."""
    return str(getattr(sys, "_base_executable", sys.executable))


def main() -> int:
    """Make the environment; return the exit code."""
    environment = Environment(REPOSITORY, REPOSITORY / ".venv", base_python())
    began = time.monotonic()
    try:
        ran = make(environment, Machine.here())
    except SetupError as error:
        print(f"make env: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make env: interrupted; run it again and it goes on where it stopped", file=sys.stderr)
        return 130
    if ran:
        print(f"The environment {environment.venv} is ready after {time.monotonic() - began:.0f} s.")
    return 0
