"""Kinds of road users and things: their size, what a camera calls them, and how well a radar sees them.

Sizes after the targets of the test protocols (STANDARDS.md sections 1 and 7): the Global Vehicle Target, the
motorcycle, bicycle and pedestrian targets, the steel trench plate of 49 CFR 571.127.
"""

from __future__ import annotations

from dataclasses import dataclass

from adas_perception.types import ObjectClass

Colour = tuple[int, int, int]

_CAR_BOTTOM_M, _CAR_TOP_M = 0.12, 2.0
_BUMPER_M = 0.2


@dataclass(frozen=True)
class Kind:
    """What a body is. ``bottom_m`` is the height of its underside; ``label`` is None where a camera names nothing.

    ``radar_range_m`` is how far a radar sees it (0: not at all), ``radar_points`` the mean number of further
    points from a face seen square on.
    """

    name: str
    length_m: float
    width_m: float
    height_m: float
    label: ObjectClass | None
    radar_range_m: float
    radar_points: float = 3.0
    bottom_m: float = 0.0
    rgb: Colour = (150, 30, 35)

    @property
    def wheeled(self) -> bool:
        """Tell whether it drives on wheels and has brake lights."""
        return self.label is ObjectClass.CAR

    @property
    def low(self) -> bool:
        """Tell whether the bumpers pass over it and only the tyres can touch it."""
        return self.bottom_m + self.height_m <= _BUMPER_M

    @property
    def solid(self) -> bool:
        """Tell whether a car can run into it: it passes under bridges and rolls over steel plates."""
        return self.bottom_m < _CAR_TOP_M and self.bottom_m + self.height_m > _CAR_BOTTOM_M


CAR = Kind("car", 4.6, 1.85, 1.5, ObjectClass.CAR, 200.0)
TARGET_CAR = Kind("target_car", 4.02, 1.71, 1.42, ObjectClass.CAR, 200.0)  # Global Vehicle Target
VAN = Kind("van", 5.9, 2.05, 2.6, ObjectClass.CAR, 200.0)
TRUCK = Kind("truck", 12.0, 2.55, 3.8, ObjectClass.CAR, 200.0, 5.0)
MOTORCYCLE = Kind("motorcycle", 2.1, 0.8, 1.6, ObjectClass.CYCLIST, 150.0, 1.5)
BICYCLE = Kind("bicycle", 1.9, 0.5, 1.85, ObjectClass.CYCLIST, 110.0, 1.0)
ADULT = Kind("adult", 0.6, 0.5, 1.8, ObjectClass.PEDESTRIAN, 80.0, 0.6)
CHILD = Kind("child", 0.45, 0.4, 1.15, ObjectClass.PEDESTRIAN, 70.0, 0.5)
STEEL_PLATE = Kind("steel_plate", 3.7, 2.4, 0.025, None, 120.0, 2.0)
MANHOLE = Kind("manhole", 0.8, 0.8, 0.02, None, 60.0, 0.5)
SIGN = Kind("sign", 0.1, 0.9, 2.0, ObjectClass.TRAFFIC_SIGN, 120.0, 0.5)
ROADWORKS_SIGN = Kind("roadworks_sign", 0.6, 1.2, 1.5, ObjectClass.TRAFFIC_SIGN, 120.0, 1.0)
GANTRY = Kind("gantry", 0.8, 14.0, 1.5, ObjectClass.TRAFFIC_SIGN, 200.0, 3.0, bottom_m=5.2)
BRIDGE = Kind("bridge", 10.0, 24.0, 1.5, None, 200.0, 4.0, bottom_m=4.8)
GUARD_RAIL = Kind("guard_rail", 40.0, 0.15, 0.75, None, 120.0, 0.0)
KERB = Kind("kerb", 40.0, 0.3, 0.15, None, 0.0)
LOW_KERB = Kind("low_kerb", 40.0, 0.3, 0.05, None, 0.0)
POLE = Kind("pole", 0.12, 0.12, 1.2, None, 30.0, 0.5)
TROLLEY = Kind("trolley", 0.9, 0.55, 1.0, None, 30.0, 0.5)
WALL = Kind("wall", 20.0, 0.3, 2.5, None, 200.0, 1.0)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        CAR, TARGET_CAR, VAN, TRUCK, MOTORCYCLE, BICYCLE, ADULT, CHILD, STEEL_PLATE, MANHOLE, SIGN, ROADWORKS_SIGN,
        GANTRY, BRIDGE, GUARD_RAIL, KERB, LOW_KERB, POLE, TROLLEY, WALL,
    )
}  # fmt: skip


def kind_named(name: str) -> Kind:
    """Return a kind by its name; raises ValueError that lists the known ones."""
    if name not in KINDS:
        raise ValueError(f"there is no kind of body '{name}'; known: {', '.join(KINDS)}")
    return KINDS[name]
