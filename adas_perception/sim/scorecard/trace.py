"""What a run left behind: one row per control cycle of what really was and of what the functions decided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adas_perception.functions.apa import State
from adas_perception.pipeline import Output
from adas_perception.sim.contact import Contact, gap_m, outline
from adas_perception.sim.fault_loop import Evidence
from adas_perception.sim.sensors import Box
from adas_perception.sim.world import World
from adas_perception.types import Function

FloatArray = NDArray[np.float64]


class Tick(NamedTuple):
    """One control cycle. Gap and TTC refer to the target, or to the next body ahead when no target is named.

    ``target_x_m`` and ``target_y_m`` are the target's centre in base_link, NaN without target. ``aeb_stage`` is the
    number of AEB's state, ``apa_state`` that of parking; ``body_gap_m`` is the distance to the nearest body while it
    parks; the warnings are 0 or 1; ``bsd_left`` and ``bsd_right`` are the levels of the lamps.
    """

    time_s: float
    x_m: float
    y_m: float
    speed_mps: float
    accel_mps2: float
    yaw_rate_radps: float
    offset_m: float
    to_left_m: float
    to_right_m: float
    gap_m: float
    target_speed_mps: float
    ttc_s: float
    target_x_m: float
    target_y_m: float
    contact: float
    accel_request_mps2: float
    steering_request_rad: float
    brake: float
    hands_on: float
    aeb_stage: float
    aeb_warns: float
    aeb_brakes: float
    acc_active: float
    acc_hold: float
    acc_takeover: float
    acc_set_mps: float
    lka_warns: float
    lka_steers: float
    bsd_left: float
    bsd_right: float
    yaw_rad: float
    gear: float
    apa_state: float
    apa_moves: float
    body_gap_m: float


@dataclass(frozen=True)
class Trace:
    """All ticks of a run as columns; ``states`` are the changes of state as (time in s, function, state, reason).

    ``before`` are the legs driven before this one, in order; ``evidence`` is that of a drive with a fault.
    """

    columns: dict[str, FloatArray]
    contact: Contact | None
    states: tuple[tuple[float, str, str, str], ...]
    before: tuple[Trace, ...] = ()
    evidence: Evidence | None = None

    def __getitem__(self, name: str) -> FloatArray:
        """Return a column by its name in Tick."""
        return self.columns[name]

    def first(self, happens: NDArray[np.bool_]) -> float:
        """Return the time of the first tick at which something happens, infinity if never."""
        return float(self["time_s"][np.argmax(happens)]) if happens.any() else math.inf

    def at(self, time_s: float) -> int:
        """Return the index of the first tick at or after a time."""
        return min(int(np.searchsorted(self["time_s"], time_s - 1e-9)), len(self["time_s"]) - 1)


class Recorder:
    """Collects the ticks of one run."""

    def __init__(self, world: World, target: str) -> None:
        self._world = world
        names = [actor.spec.name for actor in world.actors]
        self._target = names.index(target) if target else None
        self._ticks: list[Tick] = []
        self._states: list[tuple[float, str, str, str]] = []
        self._last: dict[Function, tuple[str, str]] = {}

    @property
    def over(self) -> bool:
        """Tell whether there was a contact, which ends a run."""
        return self._world.contact is not None

    @property
    def last(self) -> Tick:
        """Return the newest tick."""
        return self._ticks[-1]

    def add(self, output: Output) -> None:
        """Record what the stack decided for the world as it is now."""
        world, command = self._world, output.safety.command
        truth, car, controls = world.truth(), world.car, world.driver_input()
        boxes = world.surroundings().boxes
        box = boxes[self._target] if self._target is not None else None
        gap, target_speed, ttc = truth.gap_m, truth.lead_speed_mps, truth.ttc_s
        states = {f: d.state for f, d in output.decisions.items()}
        for function, state in states.items():
            if self._last.get(function) != (state.state, state.reason):
                self._last[function] = state.state, state.reason
                self._states.append((round(truth.time_s, 3), function.value, state.state, state.reason))
        aeb, acc, lka, bsd, apa = (
            states[f] for f in (Function.AEB, Function.ACC, Function.LKA, Function.BSD, Function.APA)
        )
        self._ticks.append(Tick(
            time_s=truth.time_s,
            x_m=car.x_m,
            y_m=car.y_m,
            speed_mps=car.speed_mps,
            accel_mps2=car.accel_mps2,
            yaw_rate_radps=car.yaw_rate_radps,
            offset_m=truth.offset_m,
            to_left_m=truth.to_left_m,
            to_right_m=truth.to_right_m,
            gap_m=gap,
            target_speed_mps=target_speed,
            ttc_s=ttc,
            target_x_m=box.x_m if box else math.nan,
            target_y_m=box.y_m if box else math.nan,
            contact=float(truth.contact),
            accel_request_mps2=_number(command.accel_mps2),
            steering_request_rad=_number(command.steering_rad),
            brake=controls.brake,
            hands_on=float(controls.hands_on),
            aeb_stage=float(_AEB_STAGES.index(aeb.state)),
            aeb_warns=float(aeb.state in _AEB_STAGES[2:5]),
            aeb_brakes=float(aeb.state in _AEB_STAGES[3:5]),
            acc_active=float(acc.state == "ACTIVE"),
            acc_hold=float(acc.state == "HOLD"),
            acc_takeover=float(acc.reason == "TAKE_OVER"),
            acc_set_mps=acc.values.get("set_speed_mps", math.nan),
            lka_warns=float(lka.reason == "DEPARTURE"),
            lka_steers=float(command.lateral is Function.LKA),
            bsd_left=bsd.values["left_level"],
            bsd_right=bsd.values["right_level"],
            yaw_rad=car.yaw_rad,
            gear=float(car.gear),
            apa_state=float(APA_STATES.index(apa.state)),
            apa_moves=apa.values.get("moves", math.nan),
            body_gap_m=self._body_gap(boxes) if apa.state in _PARKING else math.nan,
        ))  # fmt: skip

    def _body_gap(self, boxes: tuple[Box, ...]) -> float:
        """Return the distance to the nearest body that the car can touch."""
        ego = outline(self._world.car.params.vehicle)
        return min((gap_m(box, ego) for box in boxes if box.kind.solid), default=math.inf)

    def finish(self) -> Trace:
        """Return the run."""
        values = np.array(self._ticks, dtype=np.float64)
        columns = {name: values[:, i] for i, name in enumerate(Tick._fields)}
        return Trace(columns, self._world.contact, tuple(self._states))


APA_STATES = tuple(state.name for state in State)
_PARKING = ("CONFIRMED", "MANOEUVRING", "PAUSED", "DONE", "ABORTED")
_AEB_STAGES = ("OFF", "READY", "WARN", "PARTIAL", "FULL", "HOLD")


def _number(value: float | None) -> float:
    return math.nan if value is None else value
