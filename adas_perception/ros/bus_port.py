"""The bus as the nodes that open it see it: its parameters, and opening it with one sentence when that fails."""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.can.bus import BusError, Port, open_bus
from adas_perception.params import ParameterError, Params, param


@dataclass(frozen=True)
class BusParams(Params):
    """Which bus."""

    can_interface: str = param("socketcan", "python-can interface: socketcan, remote, virtual, pcan, vector, slcan")
    can_channel: str = param("can0", "channel of that interface")
    can_bitrate: int = param(500_000, "bit rate", unit="bit/s", low=10_000, high=1_000_000)


def open_port(params: BusParams) -> Port:
    """Open the bus; raises ParameterError with the remedy."""
    try:
        return Port(open_bus(params.can_interface, params.can_channel, params.can_bitrate))
    except BusError as error:
        raise ParameterError(str(error)) from None
