"""Engines on disk: an engine is only good for the very network, TensorRT, GPU and options it was built for.

All of these make its key. Beside ``<name>-<key>.plan`` lies ``<name>-<key>.json`` with the key in clear and the plan's
checksum. Files appear whole or not at all, and a lock keeps two processes from building the same engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adas_perception.inference.cuda import Device
from adas_perception.inference.tensorrt.options import BuildOptions
from adas_perception.resources import sha256_of

# Raise it when the way engines are built changes: older ones are then built again.
SCHEMA = 1
LOCK_POLL_S = 0.2
_KEY_SHOWN = 16


class CacheError(RuntimeError):
    """The folder of engines cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class EngineKey:
    """What an engine depends on."""

    name: str
    onnx_sha256: str
    tensorrt: str
    gpu: str
    sm: str
    driver: str
    options: BuildOptions
    calibration_sha256: str = ""
    schema: int = SCHEMA

    @classmethod
    def of(
        cls, model: Path, tensorrt: str, device: Device, options: BuildOptions, calibration: Path | None = None
    ) -> EngineKey:
        """Return the key of an ONNX file on this machine."""
        scales = sha256_of(calibration) if calibration is not None and calibration.is_file() else ""
        checksum = sha256_of(model)
        return cls(model.stem, checksum, tensorrt, device.name, device.sm, device.driver, options, scales)

    def digest(self) -> str:
        """Return the key as hexadecimal digits."""
        return sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode())


def sha256(data: bytes) -> str:
    """Return the checksum as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def default_folder() -> Path:
    """Return $ADAS_ENGINES, or the user's cache folder."""
    if "ADAS_ENGINES" in os.environ:
        return Path(os.environ["ADAS_ENGINES"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adas_perception" / "engines"


class EngineCache:
    """The engines in one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def plan_path(self, key: EngineKey) -> Path:
        """Return where the engine of ``key`` lies, or would."""
        return self.folder / f"{key.name}-{key.digest()[:_KEY_SHOWN]}.plan"

    def load(self, key: EngineKey) -> bytes | None:
        """Return the engine of ``key``; None when there is none, or when its files are not whole."""
        path = self.plan_path(key)
        try:
            about = json.loads(path.with_suffix(".json").read_text())
            plan = path.read_bytes()
        except (OSError, ValueError):
            return None
        whole = about.get("digest") == key.digest() and about.get("plan_sha256") == sha256(plan)
        return plan if whole else None

    def store(self, key: EngineKey, plan: bytes, about: dict[str, object] | None = None) -> Path:
        """Keep an engine, with facts about it in its sidecar; raises CacheError when the folder takes nothing."""
        path = self.plan_path(key)
        facts = {"digest": key.digest(), "plan_sha256": sha256(plan), **dataclasses.asdict(key), **(about or {})}
        # The sidecar last: without it the plan does not count.
        self._write(path, plan)
        self._write(path.with_suffix(".json"), json.dumps(facts, indent=2, default=str).encode())
        return path

    def drop(self, key: EngineKey) -> None:
        """Remove the engine of ``key``, so that it is built again."""
        for path in (self.plan_path(key).with_suffix(".json"), self.plan_path(key)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def timing_cache(self, key: EngineKey) -> bytes:
        """Return what earlier builds learned about the kernels of this GPU."""
        with contextlib.suppress(OSError):
            return self._timing_path(key).read_bytes()
        return b""

    def keep_timing_cache(self, key: EngineKey, learned: bytes) -> None:
        """Keep what a build learned; raises CacheError."""
        if learned:
            self._write(self._timing_path(key), learned)

    def _timing_path(self, key: EngineKey) -> Path:
        machine = sha256(f"{key.tensorrt}|{key.gpu}|{key.sm}|{key.driver}".encode())
        return self.folder / f"timing-{machine[:_KEY_SHOWN]}.cache"

    def entries(self) -> list[dict[str, object]]:
        """Return the sidecars, each with its ``path``; one that cannot be read has nothing else."""
        found: list[dict[str, object]] = []
        for path in sorted(self.folder.glob("*.plan")):
            try:
                about = json.loads(path.with_suffix(".json").read_text())
            except (OSError, ValueError):
                about = {}
            found.append({**about, "path": str(path)})
        return found

    def clean(self) -> int:
        """Remove every engine and timing cache; return how many files went."""
        files = [f for pattern in ("*.plan", "*.json", "*.cache", "*.tmp", "*.lock") for f in self.folder.glob(pattern)]
        try:
            for file in files:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise CacheError(f"{self.folder}: cannot be emptied ({error.strerror})") from None
        return len(files)

    @contextlib.contextmanager
    def lock(self, key: EngineKey, timeout_s: float = 3600.0) -> Iterator[None]:
        """Hold the right to build the engine of ``key``; waits for another builder, who may be another process.

        The system gives the lock back when its holder dies. Raises CacheError after ``timeout_s``.
        """
        path = self.plan_path(key).with_suffix(".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = path.open("w")
        except OSError as error:
            raise CacheError(self._refusal(error)) from None
        with handle:
            deadline = time.monotonic() + timeout_s
            while not _locked(handle.fileno()):
                if time.monotonic() > deadline:
                    raise CacheError(f"{path}: another process has been building this engine for {timeout_s:.0f} s")
                time.sleep(LOCK_POLL_S)
            yield

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise CacheError(self._refusal(error)) from None

    def _refusal(self, error: OSError) -> str:
        return f"{self.folder}: cannot keep an engine ({error.strerror}); free it or set ADAS_ENGINES to another folder"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
