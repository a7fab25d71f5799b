"""The bus as the nodes that open it see it: its parameters, and opening it with one sentence when that fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adas_perception.can.bus import BusError, Port, open_bus
from adas_perception.can.codec import Codec, DbcError
from adas_perception.can.link import Link
from adas_perception.can.log import FrameLog, LogError
from adas_perception.can.profile import ProfileError, VehicleProfile, load_profile
from adas_perception.params import ParameterError, Params, param
from adas_perception.resources import profile_path


@dataclass(frozen=True)
class BusParams(Params):
    """Which bus."""

    can_interface: str = param("socketcan", "python-can interface: socketcan, remote, virtual, pcan, vector, slcan")
    can_channel: str = param("can0", "channel of that interface")
    can_bitrate: int = param(500_000, "bit rate", unit="bit/s", low=10_000, high=1_000_000)
    can_data_bitrate: int = param(0, "bit rate of CAN FD data; 0: classic CAN", unit="bit/s", low=0, high=8_000_000)


def open_log(path: str) -> FrameLog | None:
    """Open the bus log, if one is wanted; raises ParameterError with the remedy."""
    try:
        return FrameLog(Path(path)) if path else None
    except LogError as error:
        raise ParameterError(str(error)) from None


def open_port(params: BusParams) -> Port:
    """Open the bus; raises ParameterError with the remedy."""
    try:
        return _port(params, None)
    except BusError as error:
        raise ParameterError(str(error)) from None


def open_link(params: BusParams, log: FrameLog | None) -> Link:
    """Open the bus so that it is opened again when it is lost; raises ParameterError when the first try fails."""
    try:
        return Link(lambda: _port(params, log))
    except BusError as error:
        raise ParameterError(str(error)) from None


def _port(params: BusParams, log: FrameLog | None) -> Port:
    bus = open_bus(params.can_interface, params.can_channel, params.can_bitrate, params.can_data_bitrate)
    return Port(bus, bool(params.can_data_bitrate), log)


def open_vehicle(name: str) -> tuple[VehicleProfile, Codec]:
    """Read a profile by name or path; raises ParameterError with the remedy, also for a car that is read only."""
    try:
        profile = load_profile(profile_path(name))
        return profile, profile.codec()
    except (DbcError, FileNotFoundError, ProfileError) as error:
        raise ParameterError(str(error)) from None
