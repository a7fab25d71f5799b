"""``adas can``: look at a bus or a log, check a log, send a test frame."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from urllib.parse import urlparse

import typer

from adas_perception.can.bus import BusError, Port, open_bus
from adas_perception.can.codec import Codec, DbcError, Frame, SignalError
from adas_perception.can.log import LogError, read_log
from adas_perception.can.messages import LATERAL, LONGITUDINAL, PARK
from adas_perception.can.profile import ProfileError, VehicleProfile, load_profile
from adas_perception.can.traffic import Passed, Traffic
from adas_perception.params import ParameterError
from adas_perception.resources import profile_path

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Look at a CAN bus or a log of one; send a test frame.", no_args_is_help=True)

ACTUATORS = (LONGITUDINAL, LATERAL, PARK)
LOCAL = ("127.0.0.1", "localhost", "::1")
REFRESH_S = 0.25

Interface = Annotated[str, typer.Option(help="python-can interface")]
Channel = Annotated[str, typer.Option(help="channel of that interface")]
Bitrate = Annotated[int, typer.Option(help="bit rate", min=10_000)]
Vehicle = Annotated[str, typer.Option(help="name of config/vehicles, or the path of a profile")]


@app.command()
def monitor(
    log: Annotated[Path | None, typer.Argument(help="bus log to show instead of a bus")] = None,
    interface: Interface = "socketcan",
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
    vehicle: Vehicle = "adas",
    duration_s: Annotated[float, typer.Option("--seconds", help="stop after this time; 0: never", min=0.0)] = 0.0,
) -> None:
    """Show every message with its values, rate, age and E2E verdict: live from a bus, or the end of a log."""
    from rich.console import Console
    from rich.live import Live

    with _clear_errors():
        traffic = Traffic(_profile(vehicle))
        console = Console()
        if log:
            console.print(_table(traffic, _fill(traffic, log)))
            return
        port = Port(open_bus(interface, channel, bitrate))
        end = time.monotonic() + duration_s if duration_s else float("inf")
        try:
            with Live(console=console, auto_refresh=False) as live:
                while time.monotonic() < end:
                    for frame in _received(port, REFRESH_S):
                        traffic.add(time.monotonic_ns(), "0", frame)
                    live.update(_table(traffic, time.monotonic_ns()), refresh=True)
        except KeyboardInterrupt:
            pass
        finally:
            port.close()


@app.command()
def check(log: Annotated[Path, typer.Argument(help="bus log: .log .asc .blf .mf4")], vehicle: Vehicle = "adas") -> None:
    """Check a log against the DBC: cycle times, E2E, ranges, unknown ids; exit status 1 when something is wrong."""
    from rich.console import Console

    with _clear_errors():
        traffic = Traffic(_profile(vehicle))
        _fill(traffic, log)
    console = Console(soft_wrap=True)
    findings = list(traffic.findings())
    for finding in findings:
        console.print(f"{finding.kind.value:10}  {finding.message}: {finding.text}", markup=False, highlight=False)
    frames = sum(seen.count for seen in traffic.messages.values()) + sum(traffic.unknown.values())
    console.print(f"{frames} frames, {len(traffic.messages)} messages, {len(findings)} findings", highlight=False)
    raise typer.Exit(1 if findings or not frames else 0)


@app.command()
def send(
    message: Annotated[str, typer.Argument(help="name of a message of the DBC")],
    signals: Annotated[list[str] | None, typer.Argument(help="values, for example Speed=12.5")] = None,
    interface: Interface = "remote",
    channel: Channel = "",
    bitrate: Bitrate = 500_000,
    count: Annotated[int, typer.Option(help="frames to send, at the cycle of the message", min=1)] = 1,
    bench: Annotated[bool, typer.Option("--bench", help="allow real buses and actuator requests")] = False,
) -> None:
    """Send a message with valid E2E on a test bus. A receiver uses it from the second frame on."""
    with _clear_errors():
        codec = _profile("adas").codec()
        if message not in codec.messages:
            _refuse(f"the DBC has no message '{message}'; known: {', '.join(codec.messages)}")
        if message in ACTUATORS and not bench:
            _refuse(f"{message} moves the car: it is sent only with --bench, on a bench, nobody near the wheels")
        if not is_test_bus(interface, channel) and not bench:
            _refuse(f"'{interface} {channel}' may be a car; only virtual, vcan and a local server go without --bench")
        values = _values(codec, message, signals or [])
        port = Port(open_bus(interface, channel, bitrate))
        try:
            for index in range(count):
                time.sleep(codec.messages[message].cycle_ns / 1e9 if index else 0.0)
                frame = codec.encode(message, values)
                if not port.send(frame):
                    _refuse("the bus did not take the frame")
                typer.echo(f"{frame.id:03X}#{frame.data.hex().upper()}")
        finally:
            port.close()


def is_test_bus(interface: str, channel: str) -> bool:
    """Return whether nothing but this computer can be on the bus."""
    if interface == "remote":
        return urlparse(channel if "://" in channel else f"ws://{channel}").hostname in LOCAL
    return interface == "virtual" or interface == "socketcan" and channel.startswith("vcan")


def _values(codec: Codec, message: str, signals: list[str]) -> dict[str, float]:
    values = {}
    for text in signals:
        name, _, value = text.partition("=")
        try:
            values[name] = float(value)
        except ValueError:
            _refuse(f"'{text}' is not of the form Signal=number")
    codec.encode(message, values)
    return values


def _refuse(text: str) -> NoReturn:
    raise ParameterError(text)


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except (BusError, DbcError, FileNotFoundError, LogError, ParameterError, ProfileError, SignalError) as error:
        typer.echo(f"adas: {error}", err=True)
        raise typer.Exit(2) from None


def _profile(vehicle: str) -> VehicleProfile:
    return load_profile(profile_path(vehicle))


def _fill(traffic: Traffic, log: Path) -> int:
    """Put a log into the traffic; return the stamp of its end. A channel such as can1 is bus 1."""
    stamp_ns = 0
    for entry in read_log(log):
        digits = re.search(r"\d+$", entry.bus)
        stamp_ns = max(stamp_ns, entry.stamp_ns)
        traffic.add(entry.stamp_ns, str(int(digits[0])) if digits else "0", entry.frame)
    return stamp_ns


def _received(port: Port, duration_s: float) -> Iterator[Frame]:
    end = time.monotonic() + duration_s
    while (left_s := end - time.monotonic()) > 0.0:
        frame = port.receive(left_s)
        if frame is not None:
            yield frame


def _table(traffic: Traffic, now_ns: int) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("id", "message", "frames", "Hz", "age ms", "E2E", "errors", "values"):
        table.add_column(heading, justify="right" if heading in ("frames", "Hz", "age ms") else "left")
    for seen in sorted(traffic.messages.values(), key=lambda seen: (seen.bus, seen.id)):
        table.add_row(*_cells(seen, now_ns))
    if traffic.unknown:
        ids = " ".join(f"{identifier:X}" for _, identifier in sorted(traffic.unknown)[:12])
        table.add_row("", "unknown", str(sum(traffic.unknown.values())), "", "", "", "", ids)
    return table


def _cells(seen: Passed, now_ns: int) -> tuple[str, ...]:
    values = " ".join(f"{name}={value:g}" for name, value in seen.signals.items() if name not in ("Crc", "Counter"))
    bad = sum(count for verdict, count in seen.counts.items() if verdict.name not in ("OK", "INITIAL", "SYNC"))
    age_ms = (now_ns - seen.last_ns) / 1e6
    verdict = f"{seen.window.trust.value}: {seen.check.status.value}" if seen.protected else "none"
    figures = (str(seen.count), f"{seen.rate_hz:.1f}", f"{age_ms:.0f}")
    return (f"{seen.id:X}", seen.name, *figures, verdict, str(bad), values)
