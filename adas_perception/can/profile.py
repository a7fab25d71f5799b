"""A vehicle is a profile: DBC files by bus, what each quantity is on the bus, its limits, and who may send.

``config/vehicles/adas.yaml`` is the car of our own DBC. A profile with ``writes: false`` is read only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cantools.database
from cantools.database.can import Database

from adas_perception.can.codec import Codec, Decoded, Fault, Frame, Signals
from adas_perception.params import read_yaml
from adas_perception.resources import verified

COLLECTION = "opendbc:"


class ProfileError(ValueError):
    """A vehicle profile cannot be used; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of the stack: the sum of the signals of one message, each times its factor, plus an offset."""

    message: str
    terms: Mapping[str, float]
    offset: float = 0.0

    def of(self, signals: Signals) -> float:
        """Return the value in the unit of the quantity; raises KeyError for a signal that is not there."""
        return sum((factor * signals[name] for name, factor in self.terms.items()), self.offset)


@dataclass(frozen=True, slots=True)
class RadarSlots:
    """A radar that sends one message a slot, with the quantities of each and the flag that tells a slot in use."""

    x_m: tuple[Quantity, ...]
    y_m: tuple[Quantity, ...]
    range_rate_mps: tuple[Quantity, ...]
    valid: str


@dataclass(frozen=True, slots=True)
class VehicleProfile:
    """One car as the bus shows it."""

    path: Path
    name: str
    dbc: Mapping[str, Path]
    limits: Path
    writes: bool
    signals: Mapping[str, Quantity]
    radar: RadarSlots | None = None

    def codec(self) -> Codec:
        """Return the codec of a car that may be sent to; raises ProfileError for a read-only one, DbcError.

        A file that the manifest of config/ does not know raises ParameterError.
        """
        if not self.writes or len(self.dbc) != 1:
            raise ProfileError(f"{self.path}: '{self.name}' is read only; the bridge needs one DBC and 'writes: true'")
        return Codec(verified(next(iter(self.dbc.values()))))


def load_profile(path: Path) -> VehicleProfile:
    """Read a profile; raises ProfileError (ParameterError when the file is no YAML) with the place and the remedy."""
    content = read_yaml(path)
    base = path.resolve().parents[1]
    unknown = set(map(str, content)) - {"name", "dbc", "limits", "writes", "signals", "radar"}
    if unknown:
        raise ProfileError(f"{path}: unknown entries {', '.join(sorted(unknown))}; a profile has name, dbc, limits, "
                           "writes, signals, radar")  # fmt: skip
    try:
        radar = content.get("radar")
        return VehicleProfile(
            path=path,
            name=_typed(content, "name", str),
            dbc={str(bus): _dbc_path(str(file), base) for bus, file in _typed(content, "dbc", dict).items()},
            limits=base / _typed(content, "limits", str),
            writes=_typed(content, "writes", bool),
            signals={str(name): _quantity(entry) for name, entry in _typed(content, "signals", dict).items()},
            radar=_radar(radar) if radar else None,
        )
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProfileError(f"{path}: {error!r} in an entry; compare it with config/vehicles/adas.yaml") from None


def _typed(content: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = content.get(key)
    if not isinstance(value, kind):
        raise ProfileError(f"'{key}' must be given as {kind.__name__}, not {value!r}")
    return value


def _dbc_path(text: str, base: Path) -> Path:
    if not text.startswith(COLLECTION):
        return base / text
    spec = importlib.util.find_spec("opendbc")
    if spec is None or spec.origin is None:
        raise ProfileError(f"'{text}' needs the DBC files of opendbc: pip install --no-deps opendbc")
    return Path(spec.origin).parent / "dbc" / text.removeprefix(COLLECTION)


def _quantity(entry: Mapping[str, Any]) -> Quantity:
    terms = {str(name): float(factor) for name, factor in entry["terms"].items()}
    return Quantity(str(entry["message"]), terms, float(entry.get("offset", 0.0)))


def _radar(entry: Mapping[str, Any]) -> RadarSlots:
    def slots(key: str) -> tuple[Quantity, ...]:
        names = (str(entry["message"]).format(slot=slot) for slot in range(int(entry["slots"])))
        return tuple(_quantity({"message": name, "terms": entry[key]}) for name in names)

    return RadarSlots(slots("x_m"), slots("y_m"), slots("range_rate_mps"), str(entry["valid"]))


def check_signals(codec: Codec, signals: Mapping[str, Quantity], needed: Iterable[str]) -> None:
    """Raise ProfileError unless the map has every quantity that is needed, of signals that the DBC knows."""
    missing = [name for name in needed if name not in signals]
    if missing:
        raise ProfileError(f"the signal map lacks {', '.join(missing)}; compare it with config/vehicles/adas.yaml")
    for name, quantity in signals.items():
        spec = codec.messages.get(quantity.message)
        unknown = [term for term in quantity.terms if spec is None or term not in spec.ranges]
        if unknown:
            raise ProfileError(f"{name}: the DBC has no signal {quantity.message}.{unknown[0]}; correct the signal map")


class PlainDecoder:
    """Decodes the frames of a profile without E2E, for cars whose protection we do not know; never raises."""

    def __init__(self, profile: VehicleProfile) -> None:
        """Read the DBC files; raises ProfileError for a missing or broken one, or a signal that none of them has."""
        self._databases = {bus: _load(path) for bus, path in profile.dbc.items()}
        wanted = [*profile.signals.values()]
        if profile.radar:
            wanted += [*profile.radar.x_m, *profile.radar.y_m, *profile.radar.range_rate_mps]
        known = {m.name: {s.name for s in m.signals} for d in self._databases.values() for m in d.messages}
        for quantity in wanted:
            missing = set(quantity.terms) - known.get(quantity.message, set())
            if missing:
                raise ProfileError(f"{profile.name}: no DBC has {quantity.message}.{', '.join(sorted(missing))}")

    def cycles_ns(self) -> Mapping[str, int]:
        """Return the cycle time of every message whose DBC tells it."""
        messages = [m for database in self._databases.values() for m in database.messages]
        return {m.name: m.cycle_time * 1_000_000 for m in messages if m.cycle_time}

    def decode(self, bus: str, frame: Frame) -> Decoded | None:
        """Return the signals of a frame, or None when no DBC of its bus has it."""
        database = self._databases.get(bus)
        try:
            message = database.get_message_by_frame_id(frame.id) if database else None
        except KeyError:
            return None
        if message is None:
            return None
        try:
            signals = cast(dict[str, float], message.decode(frame.data, decode_choices=False))
        except Exception:  # cantools and bitstruct raise several kinds for a frame that is too short
            return Decoded(message.name, {}, Fault.LENGTH)
        return Decoded(message.name, signals, None)


class QuantityReader:
    """Reads the quantities of a profile out of raw frames, as they come."""

    def __init__(self, profile: VehicleProfile) -> None:
        self._decoder = PlainDecoder(profile)
        self._by_message: dict[str, dict[str, Quantity]] = {}
        for name, quantity in profile.signals.items():
            self._by_message.setdefault(quantity.message, {})[name] = quantity
        self._radar = profile.radar
        self._slots = {q.message: i for i, q in enumerate(profile.radar.x_m)} if profile.radar else {}

    def quantities(self, bus: str, frame: Frame) -> Mapping[str, float]:
        """Return the quantities that a frame carries, none when it is not known or broken."""
        decoded = self._decoder.decode(bus, frame)
        if decoded is None or decoded.fault:
            return {}
        return {name: q.of(decoded.signals) for name, q in self._by_message.get(decoded.name, {}).items()}

    def radar(self, bus: str, frame: Frame) -> tuple[float, float, float] | None:
        """Return x (m), y (m, left) and range rate (m/s) of a radar frame whose slot is in use."""
        decoded = self._decoder.decode(bus, frame)
        if self._radar is None or decoded is None or decoded.name not in self._slots:
            return None
        if not decoded.signals.get(self._radar.valid):
            return None
        slot, signals = self._slots[decoded.name], decoded.signals
        x, y, rate = self._radar.x_m[slot], self._radar.y_m[slot], self._radar.range_rate_mps[slot]
        return x.of(signals), y.of(signals), rate.of(signals)


def _load(path: Path) -> Database:
    try:
        return cast(Database, cantools.database.load_file(path, database_format="dbc", strict=False))
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such DBC file; correct the profile") from None
    except Exception as error:  # cantools lets several parsers' errors through
        raise ProfileError(f"{path}: not a usable DBC file ({str(error).splitlines()[0]})") from None
