"""What the driver is told: the alert that belongs to each state, reason and fault, and which are shown now.

The table is config/alerts.yaml, in English and Korean. A situation without an entry is one the driver need not know of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from adas_perception.params import ParameterError, read_yaml
from adas_perception.safety.faults import Fault
from adas_perception.safety.monitor import Mode
from adas_perception.types import FunctionState, Level, nanoseconds

LANGUAGES = ("en", "ko")
SAFETY, FAULT = "safety", "fault"
TAKE_OVER = "TAKE_OVER"
ANY = "*"
FIELDS = {"priority", "sound", "duration_s", *LANGUAGES}


class Sound(Enum):
    """What goes with an alert to the ear."""

    NONE = "none"
    CHIME = "chime"
    REPEATED = "repeated"
    URGENT = "urgent"


class Priority(IntEnum):
    """How much an alert matters; the lowest number comes first."""

    DANGER = 1
    WARNING = 2
    UNAVAILABLE = 3
    INFORMATION = 4


class Words(NamedTuple):
    """A heading for the glance and the message that says what to do."""

    heading: str
    message: str


class Situation(NamedTuple):
    """Where something happens: a function, ``safety`` or ``fault``; the name of its state and of the reason."""

    source: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, shown for ``duration_s`` at least; information for exactly that time."""

    priority: Priority
    sound: Sound
    duration_s: float
    en: Words
    ko: Words

    def words(self, language: str) -> Words:
        """Return heading and message in 'en' or 'ko'."""
        return self.ko if language == "ko" else self.en


AlertTable = Mapping[Situation, Alert]


def situations(
    states: Iterable[FunctionState], mode: Mode, takeover: bool, faults: Iterable[Fault]
) -> tuple[Situation, ...]:
    """Return what goes on, from the states of the functions and what the safety monitor says."""
    functions = [Situation(s.function.value, s.state, s.reason) for s in states if s.level is not Level.STALE]
    found = [Situation(FAULT, fault.kind.name, fault.subject) for fault in faults]
    return (*functions, Situation(SAFETY, mode.name, TAKE_OVER if takeover else ""), *found)


def find(table: AlertTable, situation: Situation) -> Alert | None:
    """Return the alert of a situation, else that of any reason of its state, else None."""
    return table.get(situation) or table.get(situation._replace(reason=ANY))


class AlertBook:
    """Which alerts are shown; one ``step`` as often as the display is drawn."""

    def __init__(self, table: AlertTable) -> None:
        self._table = table
        self._since: dict[Alert, int] = {}

    def step(self, now_ns: int, seen: Iterable[Situation]) -> tuple[Alert, ...]:
        """Return the alerts to show, the most urgent first, of equals the newest; the first one sounds."""
        raised = {alert for situation in seen if (alert := find(self._table, situation))}
        # What began in the future began before the clock stepped back.
        since = {alert: ns for alert, ns in self._since.items() if ns <= now_ns}
        since |= {alert: now_ns for alert in raised if alert not in since}
        self._since = {a: ns for a, ns in since.items() if a in raised or _lasts(a, now_ns - ns)}
        shown = [
            a for a, ns in self._since.items()
            if a.priority is not Priority.INFORMATION or _lasts(a, now_ns - ns)
        ]  # fmt: skip
        return tuple(sorted(shown, key=lambda a: (a.priority, -self._since[a], a.en)))


def _lasts(alert: Alert, shown_ns: int) -> bool:
    return shown_ns < nanoseconds(alert.duration_s)


def load_alerts(path: Path) -> AlertTable:
    """Read the table; raises ParameterError that names file, place and remedy."""
    table = {}
    for source, states in read_yaml(path).items():
        for state, reasons in _mapping(states, f"{path}: {source}").items():
            for reason, entry in _mapping(reasons, f"{path}: {source}.{state}").items():
                place = f"{path}: {source}.{state}.{reason}"
                table[Situation(str(source), str(state), str(reason))] = _alert(_mapping(entry, place), place)
    return table


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ParameterError(f"{place}: '{value}' is no mapping; the head of config/alerts.yaml shows the form")
    return value


def _alert(entry: Mapping[str, Any], place: str) -> Alert:
    if set(entry) != FIELDS:
        raise ParameterError(f"{place}: has {', '.join(entry)}; needed are exactly {', '.join(sorted(FIELDS))}")
    try:
        priority, sound = Priority(entry["priority"]), Sound(entry["sound"])
        words = {language: _words(entry[language]) for language in LANGUAGES}
        duration_s = float(entry["duration_s"])
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{place}: {error}") from None
    if not 0.0 < duration_s <= 60.0:
        raise ParameterError(f"{place}: duration_s is {duration_s}, outside 0..60")
    return Alert(priority, sound, duration_s, **words)


def _words(pair: Any) -> Words:
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
        raise ValueError(f"{pair} is not [heading, message]; quote texts that hold a colon or a comma")
    return Words(*pair)
