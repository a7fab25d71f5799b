"""An engine built by another process, ``adas engine build --machine``, which prints its percent line by line."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from adas_perception.inference.backend import Settings

STOP_S = 2.0


class BackgroundBuild:
    """A builder process and how far it is."""

    def __init__(self, model: Path, settings: Settings, command: list[str] | None = None) -> None:
        self.percent = 0.0
        self._said = ""
        self._process = subprocess.Popen(
            command or build_command(model, settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="engine build", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self.percent = float(line)
            except ValueError:
                self._said = line.strip() or self._said

    def poll(self) -> str | None:
        """Return None while it is built, '' when it is ready, else why it failed."""
        status = self._process.poll()
        if status is None:
            return None
        self._reader.join(STOP_S)
        if status == 0:
            return ""
        ended = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
        return f"the engine was not built ({ended}): {self._said or 'no reason given'}"

    def stop(self) -> None:
        """End the builder."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def build_command(model: Path, settings: Settings) -> list[str]:
    """Return the command that builds the engine which TensorRtBackend would look for."""
    arguments = ["--precision", settings.precision, "--dla-core", str(settings.dla_core), "--cuda", settings.cuda]
    return [sys.executable, "-m", "adas_perception.cli", "engine", "build", str(model), "--machine", *arguments]
