"""The ring of ultrasonic sensors: the latest echo of each, checked and laid into base_link."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from adas_perception.params import Params, Ring, param
from adas_perception.safety.freshness import Order, fresh
from adas_perception.types import Echoes, EchoPoint, UltrasonicEcho

# The names of the sensors, as in the topics ultrasonic/<name>.
SENSORS = Ring.names()
SIDE_SENSORS = tuple(name for name in SENSORS if name.endswith("_side"))
# The sensors fire in groups, one after another; those of a group hardly hear each other. The side sensors fire twice
# in a cycle, because they measure slots while the car drives past.
CYCLE_S = 0.08
GROUPS = (
    SIDE_SENSORS,
    ("front_left_outer", "front_right", "rear_left_outer", "rear_right"),
    SIDE_SENSORS,
    ("front_left", "front_right_outer", "rear_left", "rear_right_outer"),
)


def sound_mps(air_c: float) -> float:
    """Return the speed of sound in air of a temperature in degrees Celsius (linear, within 0.2 % from -30 to 40)."""
    return 331.3 + 0.606 * air_c


@dataclass(frozen=True)
class UltrasonicParams(Params):
    """Mounting and limits of the ultrasonic sensors."""

    ring: Ring = Ring()
    range_min_m: float = param(0.15, "nearer obstacles are reported at this range", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.0, "longer ranges count as no echo", unit="m", low=0.5, high=20.0)
    timeout_s: float = param(0.14, "a sensor without a good echo for longer is silent", unit="s", low=0.02, high=5.0)
    air_c: float = param(20.0, "temperature of the air", unit="C", low=-40.0, high=60.0)
    assumed_c: float = param(20.0, "temperature by which the sensors compute ranges", unit="C", low=-40.0, high=60.0)
    jump_m: float = param(0.5, "ranges farther apart than this do not belong together", unit="m", low=0.1, high=5.0)
    distrust_s: float = param(1.0, "a sensor that talks nonsense is silenced so long", unit="s", low=0.1, high=60.0)


class UltrasonicRing:
    """Keeps the latest echo of every sensor; ``rejected`` counts echoes that were not usable.

    A sensor whose ranges jump on by the same step hears another car, and counts as silent for a while.
    """

    def __init__(self, params: UltrasonicParams) -> None:
        self._params = params
        self._scale = sound_mps(params.air_c) / sound_mps(params.assumed_c)
        self._latest: dict[str, UltrasonicEcho] = {}
        self._recent: dict[str, deque[UltrasonicEcho]] = {name: deque(maxlen=3) for name in SENSORS}
        self._order = {name: Order() for name in SENSORS}
        self._nonsense_ns: dict[str, int] = {}
        self.rejected = 0

    def step(self, echo: UltrasonicEcho) -> None:
        """Take in one echo; negative and NaN ranges and stamps that are not newer are rejected.

        A clock that has gone back is believed after some echoes in order, and nothing of before counts then.
        Raises ValueError for a sensor that the ring does not have.
        """
        if echo.sensor not in SENSORS:
            raise ValueError(f"there is no ultrasonic sensor '{echo.sensor}'; known: {', '.join(SENSORS)}")
        if not (echo.range_m >= 0.0 and self._order[echo.sensor].follows(echo.stamp_ns)):
            self.rejected += 1
            return
        last = self._latest.get(echo.sensor)
        if last is not None and echo.stamp_ns < last.stamp_ns:
            self._recent[echo.sensor].clear()
            self._nonsense_ns.pop(echo.sensor, None)
        self._latest[echo.sensor] = echo
        self._recent[echo.sensor].append(echo)
        if self._contradictory(echo.sensor):
            self._nonsense_ns[echo.sensor] = echo.stamp_ns

    def echoes(self, now_ns: int) -> Echoes:
        """Return what the living sensors see, stamped with their newest echo, and who is silent.

        An obstacle too near to be measured is reported at the smallest range, because it is an obstacle. A second
        echo follows the first one of its sensor.
        """
        p = self._params
        alive = {name: echo for name, echo in self._latest.items() if self._usable(echo, now_ns)}
        points = []
        for name in SENSORS:
            if name not in alive:
                continue
            mount = p.ring.mount(name)
            for heard_m in (alive[name].range_m, alive[name].second_m):
                if not heard_m * self._scale <= p.range_max_m:
                    continue
                reach = max(heard_m * self._scale, p.range_min_m)
                x = mount.x_m + reach * math.cos(mount.yaw_rad)
                y = mount.y_m + reach * math.sin(mount.yaw_rad)
                points.append(EchoPoint(name, x, y, reach, alive[name].stamp_ns))
        stamp_ns = max((echo.stamp_ns for echo in alive.values()), default=0)
        return Echoes(stamp_ns, tuple(points), tuple(name for name in SENSORS if name not in alive))

    def _usable(self, echo: UltrasonicEcho, now_ns: int) -> bool:
        nonsense = self._nonsense_ns.get(echo.sensor)
        trusted = nonsense is None or (now_ns - nonsense) / 1e9 > self._params.distrust_s
        return trusted and fresh(echo, now_ns, self._params.timeout_s)

    def _contradictory(self, sensor: str) -> bool:
        """Tell whether three ranges in a row can only come from another car's bursts.

        Those jump on by the same step. The sensors that look along the slow car never see three different things.
        """
        if len(self._recent[sensor]) < 3:
            return False
        first, second, third = self._recent[sensor]
        a, b, c = first.range_m, second.range_m, third.range_m
        if not max(b, c) <= self._params.range_max_m:
            return False
        if sensor in SIDE_SENSORS:
            return abs(b - a) > self._params.jump_m and abs((c - b) - (b - a)) < self._params.jump_m / 4.0
        # Also after silence: a slow car never meets two different things within two bursts, and a thing that is no
        # longer the first to answer is still heard behind the one that is.
        others = ((b, (a, first.second_m, c, third.second_m)), (c, (a, first.second_m, b, second.second_m)))
        return abs(c - a) > self._params.jump_m and all(self._alone(mine, heard) for mine, heard in others)

    def _alone(self, range_m: float, heard: Iterable[float]) -> bool:
        """Tell whether nothing was heard near a range in other bursts."""
        return all(abs(range_m - other) > self._params.jump_m for other in heard)
