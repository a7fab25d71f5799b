"""The life of a track beside its motion: class, size, existence, and how a new track begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from adas_perception.params import Params, param
from adas_perception.perception import kalman
from adas_perception.perception.agreement import Directions
from adas_perception.perception.faces import TYPICAL_SIZE, Size, centred
from adas_perception.perception.measurement import Observations, Point
from adas_perception.types import NIMBLE, FloatArray, ObjectClass, Sensor, Track, nanoseconds, seconds

# Existence is kept below this, so that a lost object does not linger.
SCORE_MAX = 0.99
# Widths from the camera are smoothed with this gain and believed within these factors of the typical width.
WIDTH_GAIN = 0.2
WIDTH_RANGE = (0.7, 1.5)
# Contrary boxes that it takes at most to change a class.
VOTES_MAX = 10
# Spread of the centre of an object whose heading is unknown, in differences of length and width.
TURNED = 0.4
# So many boxes more for it than against it make a class firm: others are then something else.
FIRM_VOTES = 4
# A kind of sensor that does not know an object yet sees it again within this time.
NEWCOMER_S = 0.25
# Speeds of vehicles across the road are published from this speed on.
CREEP_MPS = {ObjectClass.UNKNOWN: 1.0, ObjectClass.CAR: 2.0}
# What stands has this part of the acceleration that moving objects have.
STILL_AGILITY = 0.2


@dataclass(frozen=True)
class LifeParams(Params):
    """When a track is believed, doubted and dropped. A confirmed track is published until it dies."""

    hit: float = param(0.7, "log odds that a confirming cycle adds", low=0.01, high=5.0)
    miss: float = param(1.1, "log odds that a missing cycle takes", low=0.01, high=5.0)
    birth_score: float = param(0.3, "existence of a new track", low=0.01, high=0.9)
    confirm_score: float = param(0.6, "existence from which a track is published", low=0.1, high=0.99)
    death_score: float = param(0.1, "existence below which a track is dropped", low=0.001, high=0.5)
    confirm_cycles: int = param(3, "confirming cycles before a track is published", low=1, high=20)
    grace_s: float = param(0.11, "a confirmed track is not doubted so soon after a hit", unit="s", low=0.0, high=1.0)
    coast_s: float = param(0.6, "longest life without a hit", unit="s", low=0.05, high=5.0)
    hidden_s: float = param(2.0, "the same behind something else", unit="s", low=0.05, high=5.0)
    emerge_s: float = param(0.4, "an object may stay hidden so long after it should have emerged", unit="s",
                            low=0.0, high=2.0)  # fmt: skip

    @cached_property
    def death_log_odds(self) -> float:
        """Return ``death_score`` as log odds."""
        return log_odds(self.death_score)


@dataclass(frozen=True)
class BirthParams(Params):
    """What is expected of a new object before its motion is known: standard deviations."""

    speed_x_mps: float = param(20.0, "speed of a moving object along x", unit="m/s", low=1.0, high=60.0)
    speed_y_mps: float = param(6.0, "its speed along y, and that of people and cycles", unit="m/s", low=1.0, high=60.0)
    accel_mps2: float = param(1.0, "its acceleration", unit="m/s2", low=0.1, high=10.0)
    still_mps: float = param(1.5, "speed of an object that seems to stand", unit="m/s", low=0.1, high=10.0)
    still_below_mps: float = param(1.0, "Doppler below which an object seems to stand", unit="m/s", low=0.1, high=5.0)


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p))."""
    return math.log(probability / (1.0 - probability))


LOG_ODDS_MAX = log_odds(SCORE_MAX)


@dataclass(slots=True)
class Life:
    """What a track is; ``votes`` is how firmly its class is known, ``seen_ns`` the stamp of its last hit,
    ``hidden_ns`` that of the last cycle in which something hid it. ``sources`` are the kinds of sensors that know it;
    ``newcomer`` is how often, and when last, another kind has lately seen it; ``headed`` in how many cycles its motion
    has shown its heading; ``box_ratio`` its distance in distances of the last camera box, NaN without one;
    ``seen_at`` where each kind of sensor has last seen it.

    It changes in place: copies of every track in every sensor cycle would cost more than the filter.
    """

    id: int
    label: ObjectClass
    votes: int
    size: Size
    yaw_rad: float
    log_odds: float
    age: int
    sources: Sensor
    seen_ns: int
    confirmed: bool = False
    hidden_ns: int = 0
    headed: int = 0
    newcomer: tuple[int, int] = (0, 0)
    box_ratio: float = math.nan
    seen_at: Directions = field(default_factory=Directions)

    @property
    def score(self) -> float:
        """Return the probability that the object exists."""
        return 1.0 / (1.0 + math.exp(-self.log_odds))

    def confirm(self, seen: Observations, point: Point, p: LifeParams, end_on: bool) -> None:
        """Take in a sensor cycle that has seen the object; only from its end does its outline show its width."""
        before = self.label
        self.label, self.votes = _vote(before, self.votes, point.label)
        size = self.size if self.label is before else TYPICAL_SIZE[self.label]
        self.size = _widen(size, self.label, point.width) if end_on else size
        self.log_odds = min(self.log_odds + p.hit, LOG_ODDS_MAX)
        self.age += 1
        if self.sources is not seen.kind and seen.kind not in self.sources:
            self._get_known(seen, p)
        elif seen.kind is Sensor.CAMERA and 0 < self.seen_at.radar_ns < seen.stamp_ns - nanoseconds(p.coast_s):
            self.sources = Sensor.CAMERA  # its speed may be that of something else by now
        self.seen_ns = max(self.seen_ns, seen.stamp_ns)
        if not self.confirmed:
            self.confirmed = self.age >= p.confirm_cycles and self.log_odds >= log_odds(p.confirm_score)

    def _get_known(self, seen: Observations, p: LifeParams) -> None:
        """Let another kind of sensor vouch for the object once it has seen it ``confirm_cycles`` times.

        One point of clutter in the wide gate of what the camera guessed is no agreement of radar and camera, nor is
        one with which a track began that only the camera has seen since.
        """
        count, last_ns = self.newcomer
        count = count + 1 if seconds(seen.stamp_ns - last_ns) < NEWCOMER_S else 1
        self.newcomer = count, seen.stamp_ns
        if count < p.confirm_cycles:
            return
        before = self.age - count
        if before < p.confirm_cycles:
            self.sources, self.newcomer = seen.kind, (before, seen.stamp_ns)
        else:
            self.sources |= seen.kind

    def may_be(self, label: ObjectClass) -> bool:
        """Return whether something that is called ``label`` can be this object."""
        return self.votes < FIRM_VOTES or label in (ObjectClass.UNKNOWN, self.label)

    def as_large_as(self, label: ObjectClass) -> bool:
        """Return whether this is, for all one knows, as large as what is called ``label``.

        Of a car beside us the far end may still be seen; a person seen there is another object.
        """
        return TYPICAL_SIZE[label] == TYPICAL_SIZE[self.label]

    def open_to_doubt(self, seen: Observations, p: LifeParams) -> bool:
        """Return whether a cycle that should have seen the object and has not speaks against it.

        Only a kind of sensor that knows the object may doubt it: radars do not see everything that cameras see.
        """
        in_grace = self.confirmed and seconds(seen.stamp_ns - self.seen_ns) < p.grace_s
        excused = in_grace or self.lately_hidden(seen.stamp_ns, p)
        return not excused and (seen.kind is self.sources or seen.kind in self.sources)

    def alive(self, stamp_ns: int, p: LifeParams) -> bool:
        """Return whether the track is still worth keeping."""
        longest_s = p.hidden_s if self.lately_hidden(stamp_ns, p) else p.coast_s
        return self.log_odds > p.death_log_odds and seconds(stamp_ns - self.seen_ns) <= longest_s

    def creeps(self, vx_mps: float, vy_mps: float) -> bool:
        """Return whether a velocity is too little to say that the object does not stand; people may walk slowly."""
        return max(abs(vx_mps), abs(vy_mps)) < CREEP_MPS.get(self.label, 0.0)

    def lately_hidden(self, stamp_ns: int, p: LifeParams) -> bool:
        """Return whether something hides the object, or did so a moment ago: who hides it is not known exactly."""
        return self.confirmed and seconds(stamp_ns - self.hidden_ns) < p.emerge_s

    def holds(self, dx_m: float, dy_m: float, margin_m: float, longer_m: float = 0.0) -> bool:
        """Return whether a point, given from the centre, lies in the box widened by a margin and lengthened."""
        if max(abs(dx_m), abs(dy_m)) > (self.size.length_m + self.size.width_m) / 2.0 + 2.0 * margin_m + longer_m:
            return False  # spares most points the turn
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        along, across = abs(c * dx_m + s * dy_m), abs(c * dy_m - s * dx_m)
        return along <= self.size.length_m / 2.0 + margin_m + longer_m and across <= self.size.width_m / 2.0 + margin_m


def begin(
    number: int, seen: Observations, point: Point, birth_score: float, p: BirthParams
) -> tuple[Life, FloatArray, FloatArray]:
    """Return the life, state (5,) and covariance (5, 5) of a track that begins with one observation.

    Its velocity is what the Doppler leaves of the broad expectations of ``p``.
    """
    label, size = point.label, TYPICAL_SIZE[point.label]
    centre_x, centre_y, face = centred(point.x, point.y, size, seen.origin, seen.kind)
    speed, speed_sigma = point.speed, point.speed_sigma
    covariance = np.diag(np.square([0.0, 0.0, *_expected_motion(label, speed, speed_sigma, p)]))
    xy = point.xy + face.xy
    covariance[:2, :2] = (point.xx + face.xx, xy), (xy, point.yy + face.yy)
    # Seen over a corner, what drives across and what drives along look alike, their centres do not.
    aslant = 2.0 * abs(point.ray_x * point.ray_y) * TURNED * (size.length_m - size.width_m)
    covariance[[0, 1], [0, 1]] += aslant * aslant
    state = np.array([centre_x, centre_y, 0.0, 0.0, 0.0])
    H = np.zeros((1, 1, kalman.SIZE))
    H[0, 0, kalman.VELOCITY] = point.ray_x, point.ray_y
    states, covariances = kalman.update(
        state[None], covariance[None], np.array([[speed]]), H, np.array([[[speed_sigma**2]]])
    )
    votes = int(label != ObjectClass.UNKNOWN)
    life = Life(number, label, votes, size, 0.0, log_odds(birth_score), 1, seen.kind, seen.stamp_ns)
    return life, states[0], covariances[0]


def published(life: Life, x: float, y: float, vx: float, vy: float, ax: float) -> Track:
    """Return what is published of a track: what seems to stand does not slide sideways, people and cycles excepted.

    Doppler tells next to nothing about a speed across the road. It comes from the drift of bearings, and so does
    every error of place that fades while a parked car comes nearer.
    """
    size = life.size
    vy = 0.0 if life.creeps(vx, vy) else vy
    return Track(
        life.id, x, y, vx, vy, ax, life.yaw_rad, size.length_m, size.width_m, size.height_m,
        life.label, life.score, life.sources, life.age,
    )  # fmt: skip


def _expected_motion(
    label: ObjectClass, speed_mps: float, sigma_mps: float, p: BirthParams
) -> tuple[float, float, float]:
    """Return the standard deviations of vx, vy and ax."""
    if sigma_mps < p.still_below_mps and abs(speed_mps) < p.still_below_mps:
        return p.still_mps, p.still_mps, STILL_AGILITY * p.accel_mps2
    if label in NIMBLE:
        return p.speed_y_mps, p.speed_y_mps, p.accel_mps2
    return p.speed_x_mps, p.speed_y_mps, p.accel_mps2


def _vote(label: ObjectClass, votes: int, seen: ObjectClass) -> tuple[ObjectClass, int]:
    """Keep the majority of the classes seen so far (Boyer and Moore), with a short memory; radars do not vote."""
    if seen is ObjectClass.UNKNOWN:
        return label, votes
    if seen is label:
        return label, min(votes + 1, VOTES_MAX)
    return (seen, 1) if votes <= 1 else (label, votes - 1)


def _widen(size: Size, label: ObjectClass, width_m: float) -> Size:
    if not math.isfinite(width_m):
        return size
    low, high = (factor * TYPICAL_SIZE[label].width_m for factor in WIDTH_RANGE)
    return size._replace(width_m=size.width_m + WIDTH_GAIN * (min(max(width_m, low), high) - size.width_m))
