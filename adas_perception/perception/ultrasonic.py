"""The ring of ultrasonic sensors: the latest echo of each, checked and laid into base_link."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from adas_perception.params import Mount, Params, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import Echoes, EchoPoint, UltrasonicEcho


@dataclass(frozen=True)
class Ring(Params):
    """Where the twelve sensors sit: six in each bumper, the outermost looking sideways."""

    front_left_side: Mount = Mount(3.30, 0.90, 0.5, 1.571)
    front_left_outer: Mount = Mount(3.60, 0.72, 0.5, 0.70)
    front_left: Mount = Mount(3.72, 0.27, 0.5, 0.0)
    front_right: Mount = Mount(3.72, -0.27, 0.5, 0.0)
    front_right_outer: Mount = Mount(3.60, -0.72, 0.5, -0.70)
    front_right_side: Mount = Mount(3.30, -0.90, 0.5, -1.571)
    rear_left_side: Mount = Mount(-0.65, 0.90, 0.5, 1.571)
    rear_left_outer: Mount = Mount(-0.93, 0.72, 0.5, 2.44)
    rear_left: Mount = Mount(-1.05, 0.27, 0.5, math.pi)
    rear_right: Mount = Mount(-1.05, -0.27, 0.5, math.pi)
    rear_right_outer: Mount = Mount(-0.93, -0.72, 0.5, -2.44)
    rear_right_side: Mount = Mount(-0.65, -0.90, 0.5, -1.571)


# The names of the sensors, as in the topics ultrasonic/<name>.
SENSORS = tuple(f.name for f in fields(Ring))


@dataclass(frozen=True)
class UltrasonicParams(Params):
    """Mounting and limits of the ultrasonic sensors."""

    ring: Ring = Ring()
    range_min_m: float = param(0.15, "nearer obstacles are reported at this range", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.0, "longer ranges count as no echo", unit="m", low=0.5, high=20.0)
    timeout_s: float = param(0.3, "a sensor that says nothing for longer is silent", unit="s", low=0.02, high=5.0)


class UltrasonicRing:
    """Keeps the latest echo of every sensor; ``rejected`` counts echoes that were not usable."""

    def __init__(self, params: UltrasonicParams) -> None:
        self._params = params
        self._latest: dict[str, UltrasonicEcho] = {}
        self.rejected = 0

    def step(self, echo: UltrasonicEcho) -> None:
        """Take in one echo; negative and NaN ranges and stamps that are not newer are rejected.

        Raises ValueError for a sensor that the ring does not have.
        """
        if echo.sensor not in SENSORS:
            raise ValueError(f"there is no ultrasonic sensor '{echo.sensor}'; known: {', '.join(SENSORS)}")
        last = self._latest.get(echo.sensor)
        newer = last is None or echo.stamp_ns > last.stamp_ns
        if newer and echo.range_m >= 0.0:
            self._latest[echo.sensor] = echo
        else:
            self.rejected += 1

    def echoes(self, now_ns: int) -> Echoes:
        """Return what the living sensors see, stamped with their newest echo, and who is silent.

        An obstacle too near to be measured is reported at the smallest range, because it is an obstacle.
        """
        p = self._params
        alive = {name: echo for name, echo in self._latest.items() if fresh(echo, now_ns, p.timeout_s)}
        points = []
        for name in SENSORS:
            if name in alive and alive[name].range_m <= p.range_max_m:
                mount: Mount = getattr(p.ring, name)
                reach = max(alive[name].range_m, p.range_min_m)
                x = mount.x_m + reach * math.cos(mount.yaw_rad)
                y = mount.y_m + reach * math.sin(mount.yaw_rad)
                points.append(EchoPoint(name, x, y, reach))
        stamp_ns = max((echo.stamp_ns for echo in alive.values()), default=0)
        return Echoes(stamp_ns, tuple(points), tuple(name for name in SENSORS if name not in alive))
