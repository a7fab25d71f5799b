"""Parking: the driver passes a row with a slot, stops behind it, confirms and lets the car park."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from adas_perception.params import Vehicle, param
from adas_perception.sim.bodies import ADULT, BICYCLE, CAR, KERB, LOW_KERB, POLE, TROLLEY, TRUCK, WALL, Kind
from adas_perception.sim.curve import Polyline
from adas_perception.sim.driver import Button, DriverScript, Phase
from adas_perception.sim.scorecard.manoeuvres.common import KMH, RIGHT_LANE_M, SIDES, START_S_M, scene
from adas_perception.sim.scorecard.stage import Manoeuvre, Stage
from adas_perception.sim.traffic import ActorSpec, Event, When
from adas_perception.sim.ultrasonic_model import RangerFaults
from adas_perception.sim.vehicle import CarParams
from adas_perception.types import Gear

# The slot begins so far ahead of the start; the driver stops with the rear axle so far behind its end.
SLOT_AHEAD_M = 22.0
BEYOND_M = 1.5
BRAKING_MPS2 = 2.0
ROW_DEPTH_M = 2.0
_BETWEEN_M = 0.8
KINDS = ("parallel", "perpendicular", "angled")
THINGS = {
    "none": None, "kerb": KERB, "low_kerb": LOW_KERB, "pole": POLE, "trolley": TROLLEY, "wall": WALL,
    "truck": TRUCK, "bike": BICYCLE,
}  # fmt: skip


@dataclass(frozen=True)
class Parking(Manoeuvre):
    """A row of parked cars with one free slot; everything is told as if the row were on the right."""

    kind: str = param("parallel", "how the cars of the row stand", choices=KINDS)
    extra_m: float = param(1.2, "length (parallel) or width of the slot beyond the car's", unit="m", low=0.0, high=6.0)
    gap_m: float = param(1.0, "distance from the row in passing", unit="m", low=0.3, high=2.5)
    side: str = param("right", "side of the row", choices=tuple(SIDES))
    speed_kmh: float = param(12.0, "speed in passing", unit="km/h", low=3.0, high=30.0)
    angle_deg: float = param(45.0, "angle of the row to the street, when angled", unit="deg", low=30.0, high=80.0)
    thing: str = param("kerb", "what is at the back of the slot, or in it", choices=tuple(THINGS))
    lean_deg: float = param(0.0, "how the neighbours are turned", unit="deg", low=-15.0, high=15.0)
    shift_m: float = param(0.0, "how far the neighbours stand out of the row", unit="m", low=-1.0, high=1.0)
    confirm: bool = param(True, "the driver confirms the slot")

    @property
    def opening_m(self) -> float:
        """Return the length of the slot along the street."""
        vehicle = Vehicle()
        if self.kind == "parallel":
            return vehicle.length_m + self.extra_m
        across = vehicle.width_m + self.extra_m
        return across / math.sin(math.radians(self.angle_deg)) if self.kind == "angled" else across

    @property
    def stop_s(self) -> float:
        """Return when the car has come to a stand."""
        speed = self.speed_kmh * KMH
        way = SLOT_AHEAD_M + self.opening_m + BEYOND_M
        return (way - speed**2 / (2.0 * BRAKING_MPS2)) / speed + speed / BRAKING_MPS2

    @property
    def go_s(self) -> float:
        """Return when the driver lets go after confirming."""
        return self.stop_s + 1.6

    def stage(self) -> Stage:
        """Return the run."""
        speed = self.speed_kmh * KMH
        brake = CarParams().brake_pedal_for(BRAKING_MPS2, speed / 2.0)
        phases = [
            Phase(0.0, speed_mps=speed), Phase(self.stop_s - speed / BRAKING_MPS2, brake=brake),
            Phase(self.stop_s + 0.2, brake=0.3), Phase(self.go_s, hands_on=False), *self.later(),
        ]  # fmt: skip
        presses = ((self.stop_s + 1.2, Button.PARK_CONFIRM),) if self.confirm else ()
        driver = DriverScript(tuple(phases), presses)
        duration = self.go_s + (120.0 if self.confirm else 1.0)
        scenario = scene("parking", duration, speed, driver, (*self.row(), *self.others()), set_speed_mps=speed)
        # Radars and camera see nothing: what emergency braking makes of cars at arm's length is judged by other rows.
        return Stage(
            scenario, car=self.car(), rangers=self.rangers(), until_parked=self.confirm, objects=False,
            event_s=self.event_s,
        )  # fmt: skip

    # --- what a run may add ---

    @property
    def event_s(self) -> float:
        """Return when something happens to the manoeuvre."""
        return math.inf

    def later(self) -> tuple[Phase, ...]:
        """Return what the driver does during the manoeuvre."""
        return ()

    def others(self) -> tuple[ActorSpec, ...]:
        """Return who moves near the car."""
        return ()

    def car(self) -> CarParams:
        """Return the car."""
        return CarParams()

    def rangers(self) -> RangerFaults | None:
        """Return the faults of the rangers."""
        return None

    # --- the place ---

    def at(self, name: str, kind: Kind, s_m: float, out_m: float, turned_rad: float = 0.0) -> ActorSpec:
        """Return a body at ``s_m`` from the begin of the slot, its centre ``out_m`` behind the line of the row."""
        away = Vehicle().width_m / 2.0 + self.gap_m + out_m
        side = SIDES[self.side]
        d = RIGHT_LANE_M + side * away
        return ActorSpec(name, START_S_M + SLOT_AHEAD_M + s_m, d, 0.0, (), kind, None, side * turned_rad)

    def row(self) -> tuple[ActorSpec, ...]:
        """Return the parked cars and what is behind the slot."""
        cars: list[ActorSpec] = []
        lean = math.radians(self.lean_deg)
        length, width = CAR.length_m, CAR.width_m
        for i in (1, 2):
            for way, begin in ((-1, 0.0), (1, self.opening_m)):
                name = f"{'before' if way < 0 else 'after'}_{i}"
                turned, shift = (way * lean, -self.shift_m * way) if i == 1 else (0.0, 0.0)
                cars.append(self._parked(name, way, begin, i, length, width, turned, shift))
        return (*cars, *self._thing())

    def _parked(
        self, name: str, way: int, begin: float, i: int, length: float, width: float, turned: float, shift: float
    ) -> ActorSpec:
        if self.kind == "parallel":
            half = _half_extent(length, width, turned)
            s = begin + way * (half + (i - 1) * (length + _BETWEEN_M))
            return self.at(name, CAR, s, width / 2.0 + shift, turned)
        if self.kind == "perpendicular":
            half = _half_extent(width, length, turned)
            s = begin + way * (half + (i - 1) * (width + _BETWEEN_M))
            return self.at(name, CAR, s, length / 2.0 + shift, -math.pi / 2.0 + turned)
        angle = math.radians(self.angle_deg)
        # Nose out and backwards: into the slot is backwards to the row's side.
        pitch = (width + _BETWEEN_M) / math.sin(angle)
        depth = (length * math.sin(angle) + width * math.cos(angle)) / 2.0
        across = (begin + way * (width / 2.0 / math.sin(angle) + (i - 1) * pitch))
        middle = across - depth / math.tan(angle)
        return self.at(name, CAR, middle, depth, -angle)

    def _thing(self) -> tuple[ActorSpec, ...]:
        kind = THINGS[self.thing]
        middle = self.opening_m / 2.0
        if kind is None:
            return ()
        if kind in (KERB, LOW_KERB, WALL):
            long = replace(kind, length_m=60.0)
            depth = ROW_DEPTH_M if self.kind == "parallel" else Vehicle().length_m + 0.6
            return (self.at("back", long, middle, depth + kind.width_m / 2.0),)
        kerb = (self.at("back", replace(KERB, length_m=60.0), middle, ROW_DEPTH_M + 0.15),)
        if kind is TRUCK:
            return (self.at("opposite", TRUCK, middle, -Vehicle().width_m - 2.0 * self.gap_m - 2.8), *kerb)
        # Poles, trolleys and bikes stand at the kerb's end of a neighbour's place, just outside the slot.
        return (self.at("thing", kind, self.opening_m + 0.05 + kind.length_m / 2.0, 0.9), *kerb)


def _half_extent(along: float, across: float, turned: float) -> float:
    return (along * math.cos(turned) + across * abs(math.sin(turned))) / 2.0


@dataclass(frozen=True)
class ParkingFault(Parking):
    """A ranger fails during the manoeuvre."""

    ranger: str = param("front_left", "the ranger that fails")
    fault: str = param("dead", "what it does", choices=("dead", "noisy", "crosstalk"))
    after_s: float = param(6.0, "so long after the driver has let go", unit="s", low=0.0, high=60.0)

    @property
    def event_s(self) -> float:
        """Return when it fails."""
        return self.go_s + self.after_s

    def rangers(self) -> RangerFaults:
        """Return the fault."""
        return RangerFaults(self.event_s, **{self.fault: (self.ranger,)})


@dataclass(frozen=True)
class ParkingOverride(Parking):
    """The driver acts during the manoeuvre."""

    act: str = param("brake", "what he does", choices=("steer", "brake", "door", "gear", "accelerate"))
    after_s: float = param(6.0, "so long after he has let go", unit="s", low=0.0, high=60.0)

    @property
    def event_s(self) -> float:
        """Return when he acts."""
        return self.go_s + self.after_s

    def later(self) -> tuple[Phase, ...]:
        """Return his action."""
        start = Phase(self.event_s, hands_on=False)
        return ({
            "steer": replace(start, hands_on=True, torque_nm=4.0),
            "brake": replace(start, brake=0.2),
            "door": replace(start, door_open=True),
            "gear": replace(start, gear=Gear.NEUTRAL),
            "accelerate": replace(start, accelerator=0.1),
        }[self.act],)  # fmt: skip


@dataclass(frozen=True)
class ParkingSpeed(Parking):
    """Something drives the car on: a slope, or an engine that gives more than it is asked."""

    grade: float = param(0.0, "slope along the street", low=-0.2, high=0.2)
    throttle_mps2: float = param(0.0, "acceleration that nobody asked for", unit="m/s2", low=0.0, high=2.0)

    def car(self) -> CarParams:
        """Return the car."""
        return CarParams(grade=self.grade, throttle_fault_mps2=self.throttle_mps2, push_from_s=self.stop_s)


@dataclass(frozen=True)
class ParkingCrossed(Parking):
    """Somebody comes into the way of the car as it backs into the slot, and stays there.

    A walker from the side goes to the middle of the slot, one from behind to half a metre before its mouth.
    """

    other: str = param("adult", "who", choices=("adult", "car"))
    other_kmh: float = param(3.0, "how fast", unit="km/h", low=0.5, high=10.0)
    from_side: bool = param(False, "from the side, else from behind")
    short_m: float = param(0.0, "a walker stops so much earlier", unit="m", low=0.0)
    after_s: float = param(4.0, "he comes so long after the driver has let go", unit="s", low=0.0, high=60.0)

    def others(self) -> tuple[ActorSpec, ...]:
        """Return who comes: a walker through the slot or along the row, a car along the street."""
        kind, speed, side = {"adult": ADULT, "car": CAR}[self.other], self.other_kmh * KMH, SIDES[self.side]
        x = START_S_M + SLOT_AHEAD_M + self.opening_m / 2.0
        row = RIGHT_LANE_M + side * (Vehicle().width_m / 2.0 + self.gap_m)
        arrive_s = self.go_s + self.after_s
        if self.other == "car":
            lane = row - side * (0.3 + kind.width_m / 2.0 + (1.5 if self.from_side else 0.0))
            points, way = [(x - 200.0, lane), (x + 100.0, lane)], 200.0 - 2.5 - kind.length_m / 2.0
        elif self.from_side:
            line = row - side * 0.45
            points, way = [(x - 60.0, line), (x + 10.0, line)], 60.0 - self.short_m
        else:
            points, way = [(x, row + side * 60.0), (x, row - side * 1.0)], 60.0 - 0.5 - self.short_m
        begin = way - min(arrive_s * speed, 0.9 * way)
        stop = Event(When.TIME, arrive_s, speed_mps=0.0, accel_mps2=5.0)
        return (ActorSpec("crosser", begin, 0.0, speed, (stop,), kind, Polyline(points)),)


MANOEUVRES: dict[str, type[Manoeuvre]] = {
    "parking": Parking,
    "parking_fault": ParkingFault,
    "parking_override": ParkingOverride,
    "parking_speed": ParkingSpeed,
    "parking_crossed": ParkingCrossed,
}
