"""A process of the stack as a child of the runner: does it live, and does it hang?

A child tells through a pipe, ten times a second, that its executor turns; systemd's watchdog works alike. It needs no
ROS on the runner's side, and notices a halted process, a deadlock and a callback that never ends.

Most of a start is importing: a second or two. So one spare child has imported everything already and waits for the
name of what it is to become.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import IO

# The pipe's number in the environment of the child.
ALIVE_FD = "ADAS_ALIVE_FD"
ALIVE_PERIOD_S = 0.1
# Longer than any callback on a busy computer: whoever depends on the process has been told long before.
HANG_S = 2.0
# A runner that was halted itself, with its computer for example, knows nothing of its children meanwhile.
GAP_MAX_S = 0.2
SPARE = "spare"


class Child:
    """A started executable of the package, or the spare; it is armed against hanging by its first sign of life."""

    def __init__(
        self, executable: str, arguments: list[str], env: Mapping[str, str], log: IO[str] | None = None
    ) -> None:
        self._pipe, told = os.pipe()
        os.set_blocking(self._pipe, False)
        os.set_blocking(told, False)
        self._armed = False
        self._silent_s = 0.0
        self._polled_s: float | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "adas_perception.ros.main", executable, *arguments],
            env={**env, ALIVE_FD: str(told)},
            pass_fds=(told,),
            stdin=subprocess.PIPE if executable == SPARE else None,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
        )
        os.close(told)

    def become(self, executable: str) -> None:
        """Turn the spare into an executable; one that is not ready yet reads it when it is."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self.process.stdin as line:
                line.write(f"{executable}\n".encode())

    def hangs(self, now_s: float) -> bool:
        """Return whether the child has been silent for too long; to be asked several times a second."""
        gap_s = min(now_s - (self._polled_s if self._polled_s is not None else now_s), GAP_MAX_S)
        self._polled_s = now_s
        heard = self._heard()
        self._armed |= heard
        self._silent_s = 0.0 if heard or not self._armed else self._silent_s + gap_s
        return self._silent_s >= HANG_S

    def kill(self) -> int:
        """End the child whatever it does; returns its exit status."""
        self.process.kill()
        return self.process.wait()

    def close(self) -> None:
        """Let go of the pipes."""
        os.close(self._pipe)
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _heard(self) -> bool:
        try:
            return bool(os.read(self._pipe, 4096))
        except BlockingIOError:
            return False


def tell_alive() -> None:
    """Tell the runner, if there is one, that this process turns."""
    told = os.environ.get(ALIVE_FD)
    if told is not None:
        # A runner that does not read or has gone is no reason to stop.
        with contextlib.suppress(OSError):
            os.write(int(told), b".")
