"""The twelve ultrasonic rangers: echoes of the nearest surfaces in the cone of each, one firing group after another.

A surface answers where it is square to the sound, and at its corners (specular reflection and edge diffraction, as
Kleeman and Kuc describe sonar). Low things answer weakly and lie below the cone when near. The rangers of one group
fire together and hear each other. Without a random generator there is no noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from adas_perception.params import Mount, Params, Ring, param
from adas_perception.perception.ultrasonic import CYCLE_S, GROUPS, SENSORS, sound_mps
from adas_perception.sim.sensors import Box, Surroundings
from adas_perception.types import EgoState, UltrasonicEcho, nanoseconds


@dataclass(frozen=True)
class UltrasonicModel(Params):
    """What all twelve rangers share."""

    half_cone_rad: float = param(0.60, "half the opening angle", unit="rad", low=0.1, high=1.2)
    half_height_rad: float = param(0.50, "half the opening angle upright", unit="rad", low=0.1, high=1.2)
    range_min_m: float = param(0.15, "dead zone: what is nearer reads so", unit="m", low=0.0, high=1.0)
    range_max_m: float = param(5.5, "largest range", unit="m", low=1.0, high=10.0)
    low_reach: float = param(25.0, "range at which a low thing is heard, over its height", low=1.0, high=100.0)
    sigma_m: float = param(0.01, "range noise", unit="m", low=0.0, high=0.5)
    miss: float = param(0.01, "share of echoes that are missed", low=0.0, high=1.0)
    air_c: float = param(20.0, "true temperature of the air", unit="C", low=-40.0, high=60.0)
    assumed_c: float = param(20.0, "temperature by which the rangers compute", unit="C", low=-40.0, high=60.0)


@dataclass(frozen=True)
class RangerFaults:
    """Faults from ``start_s`` on: rangers that say nothing, hear noise all the time, or another car's bursts."""

    start_s: float = 0.0
    dead: tuple[str, ...] = ()
    noisy: tuple[str, ...] = ()
    crosstalk: tuple[str, ...] = ()


_MOUNTS: Mapping[str, Mount] = {name: getattr(Ring(), name) for name in SENSORS}
_LOW_M = 0.3
_FACE_M = 0.01
_CAR_MIDDLE_M, _CAR_RADIUS_M = 1.4, 3.0
# Two echoes nearer together than this are one.
_PULSE_M = 0.25
# Another car's cycle is so much longer than ours: its bursts drift by 0.9 m a cycle.
_FOREIGN_DRIFT_M, _FOREIGN_SPAN_M = 0.9, 4.0

Place = tuple[float, float]


def range_ultrasonic(
    stamp_ns: int,
    scene: Surroundings,
    rng: Random | None,
    model: UltrasonicModel | None = None,
    ego: EgoState | None = None,
    window_s: float = CYCLE_S,
    faults: RangerFaults | None = None,
) -> tuple[UltrasonicEcho, ...]:
    """Return the echoes of the groups that fired within ``window_s`` up to now; by default of all.

    ``ego`` tells how the car has moved since a group fired.
    """
    p = model or UltrasonicModel()
    near = [box for box in scene.boxes if box.top_m > 0.03 and _near_car(box, p.range_max_m)]
    rails = [(x, y) for x, y in scene.rail_xy_m.tolist() if math.hypot(x, y) < p.range_max_m + 2 * _CAR_RADIUS_M]
    echoes: dict[str, UltrasonicEcho] = {}
    for group, fired_ns in _firings(stamp_ns, window_s):
        back = _Back(ego, (stamp_ns - fired_ns) / 1e9)
        targets = _targets(near, rails, back)
        for name in group:
            ranges = _heard(name, group, targets, p)
            echo = _measured(fired_ns, name, ranges, rng, p)
            if echo.sensor in (faults.dead if faults else ()):
                continue
            echoes[name] = _disturbed(echo, faults, p) if faults else echo
    return tuple(echoes[name] for name in SENSORS if name in echoes)


def _firings(stamp_ns: int, window_s: float) -> list[tuple[tuple[str, ...], int]]:
    """Return the groups that fired in (now - window, now] with their times, oldest first."""
    slot_ns = nanoseconds(CYCLE_S / len(GROUPS))
    last, first = stamp_ns // slot_ns, (stamp_ns - nanoseconds(window_s)) // slot_ns + 1
    return [(GROUPS[k % len(GROUPS)], k * slot_ns) for k in range(first, last + 1)]


class _Back:
    """Where things stood in base_link a moment ago, at constant speed and yaw rate."""

    def __init__(self, ego: EgoState | None, ago_s: float) -> None:
        self.turn = ego.yaw_rate_radps * ago_s if ego else 0.0
        self._c, self._s = math.cos(self.turn), math.sin(self.turn)
        self._dx = ego.speed_mps * ago_s if ego else 0.0
        self.ago_s = ago_s

    def place(self, x: float, y: float) -> Place:
        return self._c * x - self._s * y + self._dx, self._s * x + self._c * y


@dataclass(frozen=True)
class _Target:
    """A body as corners in order, or a single point; ``top_m`` is its height."""

    corners: tuple[Place, ...]
    top_m: float


def _targets(boxes: Iterable[Box], rails: Iterable[Place], back: _Back) -> list[_Target]:
    found = []
    for box in boxes:
        dx, dy = box.vx_mps * back.ago_s, box.vy_mps * back.ago_s
        found.append(_Target(tuple(back.place(x - dx, y - dy) for x, y in box.outline), box.top_m))
    return found + [_Target((back.place(x, y),), 0.7) for x, y in rails]


def _near_car(box: Box, range_m: float) -> bool:
    reach = math.hypot(box.length_m, box.width_m) / 2.0 + range_m + _CAR_RADIUS_M
    return math.hypot(box.x_m - _CAR_MIDDLE_M, box.y_m) < reach


def _heard(name: str, group: tuple[str, ...], targets: list[_Target], p: UltrasonicModel) -> list[float]:
    """Return the lengths of all ways that end at a ranger, its own and those of the others in its group."""
    mount = _MOUNTS[name]
    ranges = []
    for target in targets:
        for x, y in _answers(target, mount):
            own = _reach(mount, x, y, target.top_m, p)
            if own is None:
                continue
            ranges.append(own)
            others = (_reach(_MOUNTS[other], x, y, target.top_m, p) for other in group if other != name)
            ranges += [(own + other) / 2.0 for other in others if other is not None and other < own]
    return sorted(ranges)


def _answers(target: _Target, mount: Mount) -> Iterable[Place]:
    """Yield the points that can answer: the corners, and the feet of the perpendiculars, of faces turned this way.

    The far side of a body is hidden by the body itself, also where a low one lets the sound pass over its near side.
    """
    corners = target.corners
    if len(corners) < 2:
        yield from corners
        return
    shown: dict[Place, None] = {}
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey = x1 - x0, y1 - y0
        dx, dy = mount.x_m - x0, mount.y_m - y0
        # Corners go round anticlockwise: outside is on the right of each edge.
        if ex * dy - ey * dx >= 0.0:
            continue
        shown |= {(x0, y0): None, (x1, y1): None}
        length2 = ex * ex + ey * ey
        share = (dx * ex + dy * ey) / length2 if length2 > _FACE_M**2 else -1.0
        if 0.0 < share < 1.0:
            yield x0 + share * ex, y0 + share * ey
    yield from shown


def _reach(mount: Mount, x: float, y: float, top_m: float, p: UltrasonicModel) -> float | None:
    """Return the distance to a point, None when it is outside the cone or too low to be heard."""
    dx, dy = x - mount.x_m, y - mount.y_m
    distance = math.hypot(dx, dy)
    if distance > p.range_max_m:
        return None
    if abs(math.remainder(math.atan2(dy, dx) - mount.yaw_rad, math.tau)) > p.half_cone_rad:
        return None
    below = mount.z_m - top_m
    if below > 0.0 and (below > distance * math.tan(p.half_height_rad) or top_m < _LOW_M
                        and distance > p.low_reach * top_m):  # fmt: skip
        return None
    return distance


def _measured(
    fired_ns: int, name: str, ranges: list[float], rng: Random | None, p: UltrasonicModel
) -> UltrasonicEcho:
    """Return the first and the second echo as the ranger reports them."""
    if not ranges:
        return UltrasonicEcho(fired_ns, name, math.inf)
    scale = sound_mps(p.assumed_c) / sound_mps(p.air_c)
    values = [r * scale for r in ranges]
    if rng is not None:
        values = sorted(v + rng.gauss(0.0, p.sigma_m) for v in values if rng.random() >= p.miss)
    first = values[0] if values else math.inf
    second = next((v for v in values if v > first + _PULSE_M), math.inf)
    nearest, next_m = (max(v, p.range_min_m) if v <= p.range_max_m else math.inf for v in (first, second))
    return UltrasonicEcho(fired_ns, name, nearest, next_m)


def _disturbed(echo: UltrasonicEcho, faults: RangerFaults, p: UltrasonicModel) -> UltrasonicEcho:
    if echo.sensor in faults.noisy:
        return UltrasonicEcho(echo.stamp_ns, echo.sensor, math.nan)
    if echo.sensor in faults.crosstalk:
        cycle = echo.stamp_ns // nanoseconds(CYCLE_S)
        foreign = p.range_min_m + 0.2 + cycle * _FOREIGN_DRIFT_M % _FOREIGN_SPAN_M
        return UltrasonicEcho(echo.stamp_ns, echo.sensor, min(echo.range_m, foreign), echo.range_m)
    return echo
