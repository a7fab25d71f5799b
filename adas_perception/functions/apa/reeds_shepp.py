"""The paths of Reeds and Shepp: arcs of the smallest radius and straight lines, forwards and backwards, between poses.

After Reeds, Shepp: Optimal paths for a car that goes both forwards and backwards, Pacific J. Math. 145 (1990), the
formulas 8.1 to 8.11. Every word is integrated and kept only when it ends where it should.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from adas_perception.functions.apa.geometry import Pose, Segment, end_of

# A word: kind of each piece (1 left, 0 straight, -1 right) and its length at radius 1.
Word = tuple[tuple[int, float], ...]
_ENDS_M = 1e-5


def _mod(angle: float) -> float:
    return math.remainder(angle, math.tau)


def _csc(x: float, y: float, phi: float) -> Iterator[Word]:
    """8.1 and 8.2: turn, straight, turn."""
    u, t = math.hypot(x - math.sin(phi), y - 1 + math.cos(phi)), math.atan2(y - 1 + math.cos(phi), x - math.sin(phi))
    yield (1, t), (0, u), (1, _mod(phi - t))
    u1, t1 = math.hypot(x + math.sin(phi), y - 1 - math.cos(phi)), math.atan2(y - 1 - math.cos(phi), x + math.sin(phi))
    if u1 >= 2.0:
        u = math.sqrt(u1 * u1 - 4.0)
        t = _mod(t1 + math.atan2(2.0, u))
        yield (1, t), (0, u), (-1, _mod(t - phi))


def _ccc(x: float, y: float, phi: float) -> Iterator[Word]:
    """8.3 and 8.4: three turns."""
    xi, eta = x - math.sin(phi), y - 1 + math.cos(phi)
    u1 = math.hypot(xi, eta)
    if u1 <= 4.0:
        u = -2.0 * math.asin(u1 / 4.0)
        t = _mod(math.atan2(eta, xi) + u / 2.0 + math.pi)
        yield (1, t), (-1, u), (1, _mod(phi - t + u))


def _tau_omega(u: float, v: float, xi: float, eta: float, phi: float) -> tuple[float, float]:
    delta = _mod(u - v)
    a, b = math.sin(u) - math.sin(delta), math.cos(u) - math.cos(delta) - 1.0
    t1 = math.atan2(eta * a - xi * b, xi * a + eta * b)
    tau = _mod(t1 + math.pi) if 2.0 * (math.cos(delta) - math.cos(v) - math.cos(u)) + 3.0 < 0.0 else _mod(t1)
    return tau, _mod(tau - u + v - phi)


def _cccc(x: float, y: float, phi: float) -> Iterator[Word]:
    """8.7 and 8.8: four turns."""
    xi, eta = x + math.sin(phi), y - 1 - math.cos(phi)
    rho = (2.0 + math.hypot(xi, eta)) / 4.0
    if rho <= 1.0:
        u = math.acos(rho)
        t, v = _tau_omega(u, -u, xi, eta, phi)
        yield (1, t), (-1, u), (1, -u), (-1, v)
    rho = (20.0 - xi * xi - eta * eta) / 16.0
    if 0.0 <= rho <= 1.0:
        u = -math.acos(rho)
        t, v = _tau_omega(u, u, xi, eta, phi)
        yield (1, t), (-1, u), (1, u), (-1, v)


def _ccsc(x: float, y: float, phi: float) -> Iterator[Word]:
    """8.9 and 8.10: two turns, the second a quarter, straight, turn."""
    quarter = -math.pi / 2.0
    xi, eta = x - math.sin(phi), y - 1 + math.cos(phi)
    rho, theta = math.hypot(xi, eta), math.atan2(eta, xi)
    if rho >= 2.0:
        r = math.sqrt(rho * rho - 4.0)
        t = _mod(theta + math.atan2(r, -2.0))
        yield (1, t), (-1, quarter), (0, 2.0 - r), (1, _mod(phi + quarter - t))
    xi, eta = x + math.sin(phi), y - 1 - math.cos(phi)
    rho, theta = math.hypot(xi, eta), math.atan2(xi, -eta)
    if rho >= 2.0:
        yield (1, theta), (-1, quarter), (0, 2.0 - rho), (-1, _mod(theta - quarter - phi))


def _ccscc(x: float, y: float, phi: float) -> Iterator[Word]:
    """8.11: turn, quarter, straight, quarter, turn."""
    quarter = -math.pi / 2.0
    xi, eta = x + math.sin(phi), y - 1 - math.cos(phi)
    rho = math.hypot(xi, eta)
    if rho >= 2.0:
        u = 4.0 - math.sqrt(rho * rho - 4.0)
        if u <= 0.0:
            t = _mod(math.atan2((4.0 - u) * xi - 2.0 * eta, -2.0 * xi + (u - 4.0) * eta))
            yield (1, t), (-1, quarter), (0, u), (1, quarter), (-1, _mod(t - phi))


Family = Callable[[float, float, float], Iterator[Word]]
_FORWARD: tuple[Family, ...] = (_csc, _ccc, _cccc, _ccsc, _ccscc)
_REVERSIBLE: tuple[Family, ...] = (_ccc, _ccsc)


def _words(x: float, y: float, phi: float) -> Iterator[Word]:
    """Yield all words with their mirror images: time reversed, reflected, and read from the end."""
    for time in (1, -1):
        for mirror in (1, -1):
            xs, ys, phis = time * x, mirror * y, time * mirror * phi
            for family in _FORWARD:
                for word in family(xs, ys, phis):
                    yield tuple((kind * mirror, length * time) for kind, length in word)
            c, s = math.cos(phis), math.sin(phis)
            for family in _REVERSIBLE:
                for word in family(xs * c + ys * s, xs * s - ys * c, phis):
                    yield tuple((kind * mirror, length * time) for kind, length in reversed(word))


def connections(start: Pose, goal: Pose, radius_m: float) -> list[tuple[Segment, ...]]:
    """Return all words from ``start`` to ``goal`` as paths; the order says nothing."""
    c, s = math.cos(start.yaw_rad), math.sin(start.yaw_rad)
    dx, dy = (goal.x_m - start.x_m) / radius_m, (goal.y_m - start.y_m) / radius_m
    x, y, phi = c * dx + s * dy, c * dy - s * dx, _mod(goal.yaw_rad - start.yaw_rad)
    found = []
    for word in _words(x, y, phi):
        path = tuple(Segment(length * radius_m, kind / radius_m) for kind, length in word if abs(length) > 1e-9)
        end = end_of(start, path)
        off_m = abs(end.x_m - goal.x_m) + abs(end.y_m - goal.y_m)
        if off_m < _ENDS_M and abs(_mod(end.yaw_rad - goal.yaw_rad)) < _ENDS_M:
            found.append(path)
    return found
