"""Colours and points of Euro NCAP's frontal protocol (EN26 5.2 and 5.3) and the impact speeds of UN R152."""

from __future__ import annotations

import math
from bisect import bisect_right

POINTS = {"green": 1.0, "yellow": 0.75, "orange": 0.5, "brown": 0.25, "red": 0.0}
COLOURS = tuple(POINTS)

# By test speed in km/h: the largest relative impact speed in km/h of each colour; beyond the last one red.
_BANDS: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = (
    (0.0, (("green", 0.0),)),
    (25.0, (("green", 0.0), ("brown", 10.0))),
    (35.0, (("green", 0.0), ("orange", 10.0), ("brown", 20.0))),
    (45.0, (("green", 0.0), ("yellow", 10.0), ("orange", 20.0), ("brown", 30.0))),
)

# UN R152 02 series, 5.2.1.4 and 5.2.2.4: largest relative impact speed in km/h for M1 by test speed and target;
# between two speeds of the table linear.
_R152 = {
    ("car", "laden"): ((40, 0), (42, 10), (45, 15), (50, 25), (55, 30), (60, 35)),
    ("car", "running"): ((40, 0), (42, 0), (45, 15), (50, 25), (55, 30), (60, 35)),
    ("pedestrian", "running"): ((40, 0), (42, 0), (45, 15), (50, 25), (55, 30), (60, 35)),
    ("bicycle", "running"): ((40, 0), (45, 25), (50, 30), (55, 35), (60, 40)),
}


def colour(speed_kmh: float, impact_kmh: float) -> str:
    """Return the colour of an impact at ``impact_kmh`` (0 is avoided) in a test at ``speed_kmh``."""
    row = bisect_right([start for start, _ in _BANDS], speed_kmh) - 1
    return next((name for name, limit in _BANDS[row][1] if impact_kmh <= limit), "red")


def limit_of(speed_kmh: float, worst: str) -> float:
    """Return the largest impact speed in km/h whose colour is not worse than ``worst``."""
    row = bisect_right([start for start, _ in _BANDS], speed_kmh) - 1
    allowed = COLOURS.index(worst)
    return max(limit for name, limit in _BANDS[row][1] if COLOURS.index(name) <= allowed)


def head_on_colour(reduction_kmh: float) -> str:
    """Return the colour of a speed reduction before a head-on impact."""
    return "green" if reduction_kmh > 20.0 else "orange" if reduction_kmh > 10.0 else "red"


def r152_limit_kmh(speed_kmh: float, target: str, load: str) -> float:
    """Return the largest impact speed that UN R152 allows."""
    table = _R152[target, load]
    if speed_kmh <= table[0][0]:
        return 0.0
    for (low, a), (high, b) in zip(table, table[1:], strict=False):
        if speed_kmh <= high:
            return a + (b - a) * (speed_kmh - low) / (high - low)
    return math.nan
