"""Which observation belongs to which track: compare those that are near, gate, assign the best.

Plain floats: most sensor cycles compare a few tracks with a few points, and NumPy costs more than it saves on those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from adas_perception.perception import kalman
from adas_perception.perception.faces import Face
from adas_perception.perception.measurement import Observations, Point, variance_along
from adas_perception.types import FloatArray

# Among pairs that compete one costs this more whose track the kind of sensor has not known yet: a post of a guard rail
# that radar sees is hardly ever what a box shows (-2 ln of 0.05).
SURPRISE = 6.0
# What radar sees must lie within this squared distance (chi2 of 3 degrees, 90 %) of what only the camera has seen; what
# lies farther off begins a track of its own and may turn out to be the same later.
FIRST_GATE = 6.25
# Where a guess of the camera spreads over a larger area (m2, the product of both deviations) several things may be in
# it, and none of them is taken for it: what radar sees there stays a thing of its own until the guess is better.
GUESS_M2 = 8.0
# What is seen of an object lies this much nearer than its middle at most.
FACE_M = 2.5


class Pair(NamedTuple):
    """Numbers of a track and of an observation, with the innovation in x, y (m) and speed (m/s)."""

    track: int
    point: int
    dx_m: float
    dy_m: float
    dv_mps: float


class _End(NamedTuple):
    """The end of a track that a sensor sees, as it was at the stamp: place, velocity, and their covariances."""

    x: float
    y: float
    vx: float
    vy: float
    xx: float
    xy: float
    yy: float
    x_vx: float
    x_vy: float
    y_vx: float
    y_vy: float
    vx_vx: float
    vx_vy: float
    vy_vy: float


def assign(
    states: Sequence[Sequence[float]], covariances: FloatArray, faces: Sequence[Face], seen: Observations,
    late_s: float, gate: float, possible: Callable[[int, Point], bool] | None = None,
    known: Callable[[int], bool] | None = None, first_gate: float = math.inf,
) -> list[Pair]:  # fmt: skip
    """Return the best pairs whose squared distance is below ``gate``, the tracks taken as they were ``late_s`` ago.

    ``faces`` is what is seen of every track, ``possible`` tells whether a pair may be made at all, ``known`` whether
    this kind of sensor knows a track; one that it does not know yet must be nearer than ``first_gate``. The logarithm
    of the determinant keeps a vague track from taking the observation of a sharp one. Two poor pairs are no better than
    one good one: what is left over may be nothing or something new.
    """
    pairs, costs, dearest = [], [], -math.inf
    for track, (state, covariance, face) in enumerate(zip(states, covariances.tolist(), faces, strict=True)):
        end = _end(state, covariance, face, late_s)
        for number, point in enumerate(seen.points):
            dx, dy = point.x - end.x, point.y - end.y
            # The squared distance along one axis never exceeds the whole: most pairs need not be looked at further.
            if dx * dx >= gate * (end.xx + point.xx) or dy * dy >= gate * (end.yy + point.yy):
                continue
            if possible is not None and not possible(track, point):
                continue
            dv = point.speed - (point.ray_x * end.vx + point.ray_y * end.vy)
            distance, determinant = _distance2(dx, dy, dv, end, point)
            first = known is not None and not known(track)
            if distance < (min(first_gate, gate) if first else gate):
                vague = math.log(determinant)
                dearest = max(dearest, gate + vague)
                pairs.append(Pair(track, number, dx, dy, dv))
                costs.append(distance + vague + (SURPRISE if first else 0.0))
    if len({pair.track for pair in pairs}) == len(pairs) == len({pair.point for pair in pairs}):
        return pairs  # nobody competes
    cost = np.full((len(states), len(seen.points)), dearest)
    for pair, value in zip(pairs, costs, strict=True):
        cost[pair.track, pair.point] = min(value, dearest)
    chosen = set(zip(*(side.tolist() for side in linear_sum_assignment(cost)), strict=True))
    return [pair for pair in pairs if (pair.track, pair.point) in chosen and cost[pair.track, pair.point] < dearest]


def guess_reaches(
    state: Sequence[float], covariance: FloatArray, origin: tuple[float, float], point: Point, gate: float
) -> bool:
    """Return whether what only a camera has seen may be as near as a point that is seen by radar.

    A camera errs in the inverse of the distance: a spread that reaches far out reaches in much less.
    """
    x, y = state[kalman.X] - origin[0], state[kalman.Y] - origin[1]
    guess = max(math.hypot(x, y), 1e-3)
    xx, xy, yy = covariance[kalman.X, kalman.X], covariance[kalman.X, kalman.Y], covariance[kalman.Y, kalman.Y]
    if xx * yy - xy * xy > GUESS_M2**2:
        return False
    variance = variance_along(xx, xy, yy, x / guess, y / guess)
    nearest = guess / (1.0 + math.sqrt(gate * variance) / guess)
    return math.hypot(point.x - origin[0], point.y - origin[1]) > nearest - FACE_M


def box_reaches(
    state: Sequence[float], covariance: FloatArray, face: Face, ratio: float, origin: tuple[float, float],
    point: Point, gate: float,
) -> bool:  # fmt: skip
    """Return whether a box that a camera sees may show a track which is nearer than the box seems to be.

    A camera errs in bearing and in the inverse of the distance: what is nearer it would have placed that much better.
    And it errs about one object in the same way from picture to picture: ``ratio``, the ``box_ratio`` of the track's
    last box, NaN without one, does not jump.
    """
    x, y = state[kalman.X] + face.x_m - origin[0], state[kalman.Y] + face.y_m - origin[1]
    known, guess = max(math.hypot(x, y), 1e-3), math.hypot(point.x - origin[0], point.y - origin[1])
    along2 = variance_along(point.xx, point.xy, point.yy, point.ray_x, point.ray_y)
    if not math.isnan(ratio) and (1.0 - ratio * guess / known) ** 2 * guess * guess >= gate * along2:
        return False
    if known >= guess:
        return True
    share = known / guess
    across2 = variance_along(point.xx, point.xy, point.yy, -point.ray_y, point.ray_x)
    ahead, aside = x * point.ray_x + y * point.ray_y, y * point.ray_x - x * point.ray_y
    xx, xy = covariance[kalman.X, kalman.X] + face.xx, covariance[kalman.X, kalman.Y] + face.xy
    yy = covariance[kalman.Y, kalman.Y] + face.yy
    ray_x, ray_y = point.ray_x, point.ray_y
    uu = variance_along(xx, xy, yy, ray_x, ray_y) + share**4 * along2
    vv = variance_along(xx, xy, yy, -ray_y, ray_x) + share**2 * across2
    uv = ray_x * ray_y * (yy - xx) + (ray_x * ray_x - ray_y * ray_y) * xy
    du, dv = known + (guess - known) * share - ahead, -aside
    return bool(du * du * vv - 2.0 * du * dv * uv + dv * dv * uu < gate * (uu * vv - uv * uv))


def box_ratio(x_m: float, y_m: float, face: Face, origin: tuple[float, float], point: Point) -> float:
    """Return how far away the seen part of a track is, in distances of the box that shows it."""
    return math.dist((x_m + face.x_m, y_m + face.y_m), origin) / math.dist((point.x, point.y), origin)


def measured(
    pairs: Sequence[Pair], faces: Sequence[Face], seen: Observations, late_s: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return innovation (K, 3) in x, y and speed, its model (K, 3, 5) and noise (K, 3, 3) of K pairs."""
    model, noise = [], []
    for pair in pairs:
        point, face = seen.points[pair.point], faces[pair.track]
        xy = point.xy + face.xy
        model.append((
            (1.0, 0.0, -late_s, 0.0, 0.0),
            (0.0, 1.0, 0.0, -late_s, 0.0),
            (0.0, 0.0, point.ray_x, point.ray_y, 0.0),
        ))  # fmt: skip
        noise.append((
            (point.xx + face.xx, xy, 0.0), (xy, point.yy + face.yy, 0.0), (0.0, 0.0, point.speed_sigma**2)
        ))  # fmt: skip
    return np.array([pair[2:] for pair in pairs]), np.array(model), np.array(noise)


def _end(state: Sequence[float], covariance: Sequence[Sequence[float]], face: Face, late_s: float) -> _End:
    x, y, vx, vy, _ = state
    of_x, of_y, of_vx, of_vy, _ = covariance
    xx, xy, x_vx, x_vy = of_x[: kalman.AX]
    _, yy, y_vx, y_vy = of_y[: kalman.AX]
    vx_vx, vx_vy, vy_vy = of_vx[kalman.VX], of_vx[kalman.VY], of_vy[kalman.VY]
    if late_s > 0.0:
        x, y = x - late_s * vx, y - late_s * vy
        xx -= late_s * (2.0 * x_vx - late_s * vx_vx)
        xy -= late_s * (x_vy + y_vx - late_s * vx_vy)
        yy -= late_s * (2.0 * y_vy - late_s * vy_vy)
        x_vx, x_vy = x_vx - late_s * vx_vx, x_vy - late_s * vx_vy
        y_vx, y_vy = y_vx - late_s * vx_vy, y_vy - late_s * vy_vy
    return _End(
        x + face.x_m, y + face.y_m, vx, vy, xx + face.xx, xy + face.xy, yy + face.yy,
        x_vx, x_vy, y_vx, y_vy, vx_vx, vx_vy, vy_vy,
    )  # fmt: skip


def _distance2(dx: float, dy: float, dv: float, end: _End, point: Point) -> tuple[float, float]:
    """Return the squared Mahalanobis distance of an innovation, and the determinant of its covariance."""
    rx, ry = point.ray_x, point.ray_y
    xx, xy, yy = end.xx + point.xx, end.xy + point.xy, end.yy + point.yy
    xv, yv = end.x_vx * rx + end.x_vy * ry, end.y_vx * rx + end.y_vy * ry
    vv = end.vx_vx * rx * rx + 2.0 * end.vx_vy * rx * ry + end.vy_vy * ry * ry + point.speed_sigma**2
    # Cofactors of the symmetric covariance.
    of_xx, of_xy, of_xv = yy * vv - yv * yv, xv * yv - xy * vv, xy * yv - xv * yy
    of_yy, of_yv, of_vv = xx * vv - xv * xv, xy * xv - xx * yv, xx * yy - xy * xy
    determinant = xx * of_xx + xy * of_xy + xv * of_xv
    if not determinant > 0.0:
        return math.inf, 0.0  # only what is not finite gets here
    squares = dx * dx * of_xx + dy * dy * of_yy + dv * dv * of_vv
    mixed = dx * dy * of_xy + dx * dv * of_xv + dy * dv * of_yv
    return (squares + 2.0 * mixed) / determinant, determinant
