"""The record of a drive: figures per tick, states, alerts, latencies and pictures; kept as .npz and .json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from adas_perception.sim.world import World
from adas_perception.types import Command, FunctionState, Level

_JPEG_QUALITY = 88
_NPZ, _JSON = "record.npz", "record.json"
# Beside them lies a picture of the manoeuvre where one was driven.
PARKING_PICTURE = "parking.png"


@dataclass(frozen=True)
class Row:
    """One tick of the plant. NaN is 'none': no request, no lead, no set speed."""

    time_s: float
    speed_mps: float
    set_speed_mps: float
    accel_mps2: float
    steering_rad: float
    yaw_rate_radps: float
    accel_request_mps2: float
    steering_request_rad: float
    s_m: float
    offset_m: float
    to_left_m: float
    to_right_m: float
    gap_m: float
    lead_speed_mps: float
    ttc_s: float
    contact: float
    accelerator: float
    brake: float
    hands_on: float

    @classmethod
    def from_world(cls, world: World, command: Command | None, set_speed_mps: float | None = None) -> Row:
        """Take a row from the world and the command that the plant obeys now."""
        truth, car, controls = world.truth(), world.car, world.driver_input()

        def known(value: float | None) -> float:
            return math.nan if value is None or math.isinf(value) else value

        return cls(
            time_s=truth.time_s,
            speed_mps=car.speed_mps,
            set_speed_mps=world.scenario.set_speed_mps if set_speed_mps is None else set_speed_mps,
            accel_mps2=car.accel_mps2,
            steering_rad=car.steering_rad,
            yaw_rate_radps=car.yaw_rate_radps,
            accel_request_mps2=known(command.accel_mps2) if command else math.nan,
            steering_request_rad=known(command.steering_rad) if command else math.nan,
            s_m=truth.s_m,
            offset_m=truth.offset_m,
            to_left_m=truth.to_left_m,
            to_right_m=truth.to_right_m,
            gap_m=known(truth.gap_m),
            lead_speed_mps=truth.lead_speed_mps,
            ttc_s=known(truth.ttc_s),
            contact=float(truth.contact),
            accelerator=controls.accelerator,
            brake=controls.brake,
            hands_on=float(controls.hands_on),
        )


@dataclass(frozen=True)
class StateChange:
    """From ``time_s`` on a function (or the monitor, named 'safety') is in this state."""

    time_s: float
    function: str
    state: str
    reason: str
    level: int


@dataclass(frozen=True)
class Note:
    """An alert that the driver saw, or another event worth a mark in the report."""

    time_s: float
    text: str
    level: int = int(Level.WARN)


@dataclass(frozen=True)
class Frame:
    """A picture of the drive as JPEG: camera view and top view side by side."""

    time_s: float
    jpeg: bytes

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3)."""
        bgr = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@dataclass(frozen=True)
class Record:
    """A whole drive. ``signals`` holds one array per field of Row; latencies are wall times in ms.

    ``info`` says what ran: scenario, title, lane_width_m, chapters, wall_s and whatever else the shell knows.
    """

    info: Mapping[str, Any]
    signals: Mapping[str, NDArray[np.float64]]
    states: tuple[StateChange, ...] = ()
    notes: tuple[Note, ...] = ()
    latency_time_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    latency_ms: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    network_time_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    network_ms: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    frames: tuple[Frame, ...] = ()

    @property
    def duration_s(self) -> float:
        """Return the simulated time that was driven."""
        time = self.signals["time_s"]
        return float(time[-1] - time[0]) if len(time) else 0.0


class Recorder:
    """Collects a drive while it happens."""

    def __init__(self, world: World, **info: Any) -> None:
        scenario = world.scenario
        self._info: dict[str, Any] = {
            "scenario": scenario.name,
            "title": scenario.title,
            "seed": world.seed,
            "lane_width_m": scenario.road.lane_width_m,
            "car_width_m": world.car.params.vehicle.width_m,
            "chapters": [list(chapter) for chapter in scenario.chapters],
            **info,
        }
        self._rows: list[Row] = []
        self._states: list[StateChange] = []
        self._notes: list[Note] = []
        self._latencies: list[tuple[float, float]] = []
        self._network: list[tuple[float, float]] = []
        self._frames: list[Frame] = []

    def tick(self, row: Row) -> None:
        """Add one tick of the plant."""
        self._rows.append(row)

    def state(self, time_s: float, function: str, state: str, reason: str = "", level: int = 0) -> None:
        """Note the state of a function; only changes are kept."""
        last = next((s for s in reversed(self._states) if s.function == function), None)
        if last is None or (last.state, last.reason, last.level) != (state, reason, int(level)):
            self._states.append(StateChange(time_s, function, state, reason, int(level)))

    def function_state(self, time_s: float, state: FunctionState) -> None:
        """Note the state of a function as the pipeline gives it."""
        self.state(time_s, state.function.value, state.state, state.reason, int(state.level))

    def note(self, time_s: float, text: str, level: int = int(Level.WARN)) -> None:
        """Note an alert or event; the same one again within a second is passed over."""
        if not any(n.text == text and time_s - n.time_s < 1.0 for n in self._notes[-8:]):
            self._notes.append(Note(time_s, text, int(level)))

    def latency(self, time_s: float, camera_to_can_ms: float) -> None:
        """Add the wall time from a camera stamp to the CAN frame that rests on it."""
        self._latencies.append((time_s, camera_to_can_ms))

    def network(self, time_s: float, inference_ms: float) -> None:
        """Add the wall time of one run of the lane network."""
        self._network.append((time_s, inference_ms))

    def frame(self, time_s: float, *views: NDArray[np.uint8]) -> None:
        """Add views (H, W, 3) RGB of the same height, side by side; about ten a second are enough."""
        bgr = cv2.cvtColor(np.hstack(views), cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._frames.append(Frame(time_s, jpeg.tobytes()))

    def finish(self, wall_s: float, **info: Any) -> Record:
        """Return the record; ``wall_s`` is the wall time that the drive took."""
        signals = {f.name: np.array([getattr(row, f.name) for row in self._rows]) for f in fields(Row)}
        latency = np.array(self._latencies, dtype=float).reshape(-1, 2)
        network = np.array(self._network, dtype=float).reshape(-1, 2)
        return Record(
            {**self._info, "wall_s": wall_s, **info}, signals, tuple(self._states), tuple(self._notes),
            latency[:, 0], latency[:, 1], network[:, 0], network[:, 1], tuple(self._frames),
        )  # fmt: skip


_ARRAYS = ("latency_time_s", "latency_ms", "network_time_s", "network_ms")


def save_record(record: Record, folder: Path) -> None:
    """Write the record into a folder (made if missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: getattr(record, name) for name in _ARRAYS}
    arrays |= {f"row_{name}": values for name, values in record.signals.items()}
    arrays["frame_time_s"] = np.array([f.time_s for f in record.frames])
    arrays["frame_sizes"] = np.array([len(f.jpeg) for f in record.frames], dtype=np.int64)
    arrays["frame_bytes"] = np.frombuffer(b"".join(f.jpeg for f in record.frames), np.uint8)
    np.savez(folder / _NPZ, **arrays)
    text = {
        "info": dict(record.info),
        "states": [asdict(state) for state in record.states],
        "notes": [asdict(note) for note in record.notes],
    }
    (folder / _JSON).write_text(json.dumps(text, indent=1), encoding="utf-8")


def load_record(folder: Path) -> Record:
    """Read a record that save_record wrote; raises FileNotFoundError with the remedy."""
    if not (folder / _NPZ).is_file() or not (folder / _JSON).is_file():
        raise FileNotFoundError(f"{folder}: there is no record of a drive; run `make demo` first")
    text = json.loads((folder / _JSON).read_text(encoding="utf-8"))
    with np.load(folder / _NPZ) as data:
        ends = np.cumsum(data["frame_sizes"])
        blob = data["frame_bytes"].tobytes()
        frames = tuple(
            Frame(float(t), blob[end - size : end])
            for t, end, size in zip(data["frame_time_s"], ends, data["frame_sizes"], strict=True)
        )
        signals = {name[4:]: data[name] for name in data.files if name.startswith("row_")}
        arrays = {name: data[name] for name in _ARRAYS}
    return Record(
        text["info"],
        signals,
        tuple(StateChange(**state) for state in text["states"]),
        tuple(Note(**note) for note in text["notes"]),
        frames=frames,
        **arrays,
    )
