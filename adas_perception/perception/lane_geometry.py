"""What follows from the lane lines: how wide the lane is, how well a line is known."""

from __future__ import annotations

import math
from itertools import product

from adas_perception.types import LaneLine, LaneLines


def sigma_m(line: LaneLine, x: float) -> float:
    """Return the standard deviation of a line's lateral position in metres at ``x`` metres ahead."""
    powers = (1.0, x, x * x, x * x * x)
    terms = (a * b for a, b in product(powers, powers))
    variance = sum(c * term for c, term in zip(line.covariance, terms, strict=False))
    return max(line.sigma_m, math.sqrt(max(variance, 0.0)))


def width_m(lines: LaneLines, x: float) -> float | None:
    """Return the width of the own lane at ``x`` metres ahead, across the road; None where a boundary is missing."""
    if lines.left is None or lines.right is None:
        return None
    slope = (lines.left.slope(x) + lines.right.slope(x)) / 2.0
    return (lines.left.y(x) - lines.right.y(x)) / math.hypot(1.0, slope)
