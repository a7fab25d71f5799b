"""Tracks of the camera and of the radars that are one object: found once the camera's guess is good enough.

The camera places by the size of boxes, so vaguely far off that several things may be meant. What radar sees there is
a track of its own until only one is left that can be what the camera sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from adas_perception.perception import kalman
from adas_perception.perception.association import FIRST_GATE, GUESS_M2
from adas_perception.perception.faces import near_face
from adas_perception.perception.parts import MIDDLE, Row
from adas_perception.perception.track_life import Life
from adas_perception.types import FloatArray, ObjectClass, Sensor


def twins(lives: Sequence[Life], states: FloatArray, covariances: FloatArray, gate: float) -> list[tuple[int, int]]:
    """Return the pairs (camera, radar) of tracks that are one object: well inside the guess, and nothing else near."""
    guesses = [i for i, life in enumerate(lives) if life.confirmed and life.sources is Sensor.CAMERA]
    unnamed = [
        i
        for i, life in enumerate(lives)
        if life.confirmed and life.sources is Sensor.RADAR and life.label is ObjectClass.UNKNOWN
    ]
    if not guesses or not unnamed:
        return []
    rows = states.tolist()
    apart = {
        (guess, other): _apart2(lives[guess], rows[guess], covariances[guess], lives[other], rows[other])
        for guess in guesses
        for other in unnamed
    }
    near = [pair for pair, distance2 in apart.items() if distance2 < gate]
    return [
        (guess, other)
        for guess, other in near
        if apart[guess, other] < FIRST_GATE
        and sum(guess == one for one, _ in near) == 1
        and sum(other == one for _, one in near) == 1
    ]


def unite(camera: Life, radar: Life, row: Row) -> tuple[float, float]:
    """Let the camera's track take over what radar knows of it; returns its centre, the near end staying in place."""
    x, y = _end(radar, row)
    camera.yaw_rad, camera.headed = radar.yaw_rad, radar.headed
    camera.box_ratio = math.nan
    camera.sources |= radar.sources
    camera.age += radar.age
    camera.log_odds = max(camera.log_odds, radar.log_odds)
    camera.seen_ns = max(camera.seen_ns, radar.seen_ns)
    face = near_face(row[kalman.X], row[kalman.Y], camera.yaw_rad, camera.size, MIDDLE)
    return x - face.x_m, y - face.y_m


def _end(life: Life, row: Row) -> tuple[float, float]:
    face = near_face(row[kalman.X], row[kalman.Y], life.yaw_rad, life.size, MIDDLE)
    return row[kalman.X] + face.x_m, row[kalman.Y] + face.y_m


def _apart2(camera: Life, guess: Row, covariance: FloatArray, radar: Life, row: Row) -> float:
    """Return the squared distance of what radar sees from a guess, infinite for one that is too vague.

    A camera errs in the inverse of the distance, and that is how the two are compared.
    """
    xx, xy, yy = covariance[kalman.X, kalman.X], covariance[kalman.X, kalman.Y], covariance[kalman.Y, kalman.Y]
    determinant = xx * yy - xy * xy
    if not 0.0 < determinant < GUESS_M2**2:
        return math.inf
    (x, y), (other_x, other_y) = _end(camera, guess), _end(radar, row)
    reach, other_reach = math.hypot(x, y), max(math.hypot(other_x, other_y), 1e-3)
    scale = reach * (2.0 - reach / other_reach) / other_reach
    dx, dy = scale * other_x - x, scale * other_y - y
    return float((dx * dx * yy - 2.0 * dx * dy * xy + dy * dy * xx) / determinant)
