"""``adas view``: samples from bags, a simulated drive or the running stack, drawn in Rerun."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adas_perception.alerts import Alert, Priority, load_alerts
from adas_perception.params import Config
from adas_perception.pipeline import load_config
from adas_perception.replay.bags import BagError
from adas_perception.resources import config_path
from adas_perception.types import Level, nanoseconds
from adas_perception.view.board import Board
from adas_perception.view.drawing import Car, Drawer
from adas_perception.view.primitives import Note, Primitive
from adas_perception.view.reading import Seen, mounting_of
from adas_perception.view.sources import from_bags, from_simulation

ALERTS_NS = nanoseconds(0.1)
# Steps of the clock that are no passing of time: a simulation has begun anew, /clock has come or gone.
BACK_NS, LEAP_NS = nanoseconds(0.5), nanoseconds(60.0)
LEVEL_OF = {Priority.DANGER: Level.ERROR, Priority.WARNING: Level.WARN, Priority.UNAVAILABLE: Level.WARN}


class Canvas(Protocol):
    """What draws primitives."""

    def fixed(self, primitives: Iterable[Primitive]) -> None:
        """Draw what holds for all times."""

    def draw(self, time_ns: int, primitives: Iterable[Primitive]) -> None:
        """Draw at a time since the beginning."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for: bags, a simulated drive, or (neither) the running stack."""

    bags: Sequence[Path] = ()
    simulated: str = ""
    file: Path | None = None
    connect: str = ""
    web: bool = False
    language: str = "en"
    camera: bool = True
    preset: str = ""
    car: Path | None = None


class Timeline:
    """The time of the stack counted from its first sample; it goes on where it was when the clock leaps."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._zero_ns = 0

    def since_start(self, now_ns: int) -> int:
        """Return the time to draw at."""
        if self._last_ns is None or not -BACK_NS <= now_ns - self._last_ns <= LEAP_NS:
            drawn_ns = 0 if self._last_ns is None else self._last_ns - self._zero_ns
            self._zero_ns = now_ns - drawn_ns
        self._last_ns = now_ns
        return now_ns - self._zero_ns


class Show:
    """Draws every sample as it comes, and every alert when it appears."""

    def __init__(self, config: Config, canvas: Canvas, language: str = "en") -> None:
        self._drawer = Drawer(Car.of(config))
        self._canvas = canvas
        self._language = language
        self._board = Board(load_alerts(config_path("alerts.yaml")))
        self._alerts: tuple[Alert, ...] = ()
        self._looked_ns = 0
        self._timeline = Timeline()
        canvas.fixed(self._drawer.fixed())

    def take(self, seen: Seen) -> None:
        """Draw a sample; one that could not be read is a line of the log."""
        now_ns, topic, sample = seen
        time_ns = self._timeline.since_start(now_ns)
        if sample is None:
            self._canvas.draw(time_ns, [Note("log/states", f"{topic}: a message that cannot be used", Level.WARN)])
            return
        self._board.take(now_ns, topic, sample)
        self._canvas.draw(time_ns, self._drawer.draw(topic, sample))
        if not 0 <= now_ns - self._looked_ns < ALERTS_NS:
            self._looked_ns = now_ns
            self._canvas.draw(time_ns, self._new_alerts(now_ns))

    def _new_alerts(self, now_ns: int) -> list[Primitive]:
        before, self._alerts = self._alerts, self._board.alerts(now_ns)
        notes: list[Primitive] = []
        for alert in self._alerts:
            if alert not in before:
                heading, message = alert.words(self._language)
                notes.append(Note("log/alerts", f"{heading}: {message}", LEVEL_OF.get(alert.priority, Level.OK)))
        return notes


def run_view(options: Options) -> int:
    """Draw until the source ends or Ctrl-C; returns the exit status."""
    from adas_perception.view.rerun_log import RerunLog, Target

    config = load_config(options.preset, options.car)
    log = RerunLog(Target(options.file, options.connect, options.web), options.camera)
    show = Show(config, log, options.language)
    try:
        if options.bags:
            _play(show, from_bags(options.bags, mounting_of(config)), options.camera)
        elif options.simulated:
            _play(show, from_simulation(options.simulated, options.preset, config, options.camera), options.camera)
        else:
            from adas_perception.view.live import watch

            watch(show.take, mounting_of(config), options.camera)
    except KeyboardInterrupt:
        pass
    except BagError as error:
        print(f"adas: {error}", file=sys.stderr)
        return 2
    finally:
        log.close()
    if options.file:
        print(f"written to {options.file}; open it with: rerun {options.file}")
    return 0


def _play(show: Show, source: Iterable[Seen], camera: bool) -> None:
    for seen in source:
        if camera or not seen.topic.startswith("camera/image"):
            show.take(seen)
