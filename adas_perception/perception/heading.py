"""Which way an object points: as its motion shows, else along the road."""

from __future__ import annotations

import math

from adas_perception.perception import kalman
from adas_perception.perception.track_life import Life
from adas_perception.types import NIMBLE, FloatArray, Sensor

# The heading of slower objects is not read from their velocity.
HEADING_SPEED_MPS = 2.0
SURE_SIGMAS = 3.0
# Of the velocity of a vehicle this part at least is along the line of sight where it tells the heading.
DOPPLER_SHARE = 0.25
# Who has shown his heading in fewer cycles before he stood may just have been mistaken for somebody walking beside him.
HEADED_CYCLES = 10
# The bend says so much at most about the heading of what stands in it.
BEND_MAX_RAD = 0.6


def turn(life: Life, x_m: float, bend: float | None, car_yaw_rad: float) -> None:
    """Turn a heading with the car; what has never been seen moving is taken to stand along the road, bends too."""
    turned = life.yaw_rad - car_yaw_rad
    life.yaw_rad = turned if life.headed or bend is None else _along_road(bend, x_m)


def take_heading(life: Life, state: FloatArray, covariance: FloatArray, bend: float | None) -> None:
    """Take the heading of an object just seen from its velocity, if that says anything.

    What stands must not turn: the velocity must be more than what is not known of it. And without Doppler it is
    mostly the error of places, which fades as a drift across the line of sight.
    """
    x, y, vx, vy, _ = state.tolist()
    speed = math.hypot(vx, vy)
    along = abs(x * vx + y * vy) / max(math.hypot(x, y), 1.0)
    measured = Sensor.RADAR in life.sources and (life.label in NIMBLE or along > DOPPLER_SHARE * speed)
    if speed > HEADING_SPEED_MPS and measured and _surely_moves(state, covariance):
        life.yaw_rad, life.headed = math.atan2(vy, vx), life.headed + 1
    elif 0 < life.headed < HEADED_CYCLES:
        life.yaw_rad, life.headed = life.yaw_rad if bend is None else _along_road(bend, x), 0


def _surely_moves(state: FloatArray, covariance: FloatArray) -> bool:
    velocity = state[kalman.VELOCITY]
    spread = velocity @ covariance[kalman.VELOCITY, kalman.VELOCITY] @ velocity
    return bool((velocity @ velocity) ** 2 > SURE_SIGMAS**2 * spread)


def _along_road(bend: float, x_m: float) -> float:
    """Return the heading of what stands along the road so far ahead."""
    return min(max(bend * x_m, -BEND_MAX_RAD), BEND_MAX_RAD)
