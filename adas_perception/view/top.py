"""``adas top``: the terminal, the keys, the pace of drawing."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from adas_perception.alerts import load_alerts
from adas_perception.params import Config
from adas_perception.resources import config_path
from adas_perception.view.board import Board
from adas_perception.view.live import Listener
from adas_perception.view.reading import TERMINAL, Seen, mounting_of
from adas_perception.view.terminal import WIDTH, screen

PERIOD_S = 0.25
QUIT = set("qQ")


def run_top(language: str, seconds: float = 0.0) -> int:
    """Draw until q, Ctrl-C or the end of ``seconds``; returns the exit status: 1 when nothing was heard."""
    board = Board(load_alerts(config_path("alerts.yaml")))

    def take(seen: Seen) -> None:
        # The nodes tell in their heartbeats of messages that cannot be used.
        if seen.sample is not None:
            board.take(*seen)

    mounting = mounting_of(Config(config_path("adas.yaml")))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    end = time.monotonic() + seconds
    with Listener(TERMINAL, mounting, take) as listener, _keys() as pressed:
        live = Live(console=console, screen=console.is_terminal, auto_refresh=False)
        with live:
            try:
                while not pressed() & QUIT and not (seconds and time.monotonic() > end):
                    listener.spin(PERIOD_S)
                    live.update(screen(board, listener.now_ns(), language), refresh=console.is_terminal)
            except KeyboardInterrupt:
                pass
    return 0 if board.latest else 1


class Keys:
    """Keys pressed since the last call, as a set of characters."""

    def __call__(self) -> set[str]:
        """Return them without waiting."""
        ready = select.select([sys.stdin], [], [], 0.0)[0]
        return set(os.read(sys.stdin.fileno(), 64).decode(errors="replace")) if ready else set()


@contextmanager
def _keys() -> Iterator[Keys]:
    """Give keys one by one, unechoed, while the block runs; without a terminal there are none."""
    if not sys.stdin.isatty():
        yield _NoKeys()
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield Keys()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


class _NoKeys(Keys):
    def __call__(self) -> set[str]:
        return set()
