"""Fusion: radar targets of all sensors and camera boxes to one list of tracked objects around the car.

Every sensor cycle does the same: move the tracks to the stamp of the cycle, assign its observations to them, correct
the assigned, doubt the missing, start new ones. Rules of life:

- a track is published after ``confirm_cycles`` confirming cycles, when it exists with ``confirm_score``;
- a cycle that is not newer than the last of its sensor, too old or from the future is rejected and counted;
- a cycle that comes late behind another sensor's is compared with the tracks as they were at its stamp;
- without a fresh motion of the car nothing is processed, so that the stamp of the objects shows their age;
- when time runs backwards (a recording starts again) all tracks are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from adas_perception.params import Params, param
from adas_perception.perception import kalman
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import EgoMotion
from adas_perception.perception.measurement import (
    TYPICAL_SIZE,
    Observations,
    SensorNoise,
    Size,
    from_camera,
    from_radar,
    near_face,
)
from adas_perception.perception.radar import Radars
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, fresh
from adas_perception.types import (
    Detections,
    EgoState,
    FloatArray,
    ObjectClass,
    Objects,
    RadarTargets,
    Sensor,
    Track,
    nanoseconds,
    seconds,
)

# Existence is kept below this, so that a lost object does not linger.
SCORE_MAX = 0.99
# The heading of slower objects is not read from their velocity.
HEADING_SPEED_MPS = 2.0
# Widths from the camera are smoothed with this gain and believed within these factors of the typical width.
WIDTH_GAIN = 0.2
WIDTH_RANGE = (0.7, 1.5)
VOTES_MAX = 10
# From this speed on objects may use the whole process noise, below at least this part of it.
AGILE_SPEED_MPS = 5.0
AGILITY_MIN = 0.2
FORBIDDEN = 1e6


@dataclass(frozen=True)
class FusionParams(Params):
    """How objects move, how sensors err and when a track is believed."""

    radars: Radars = Radars()
    noise: SensorNoise = SensorNoise()
    jerk: float = param(3.0, "white jerk of traffic along the road", unit="m/s3/sqrt(Hz)", low=0.1, high=20.0)
    lateral: float = param(2.0, "white acceleration across the road", unit="m/s2/sqrt(Hz)", low=0.1, high=10.0)
    accel_time_s: float = param(6.0, "time in which an acceleration fades", unit="s", low=0.1, high=60.0)
    speed_sigma_x_mps: float = param(20.0, "speed of a new moving object along x", unit="m/s", low=1.0, high=60.0)
    speed_sigma_y_mps: float = param(6.0, "speed of a new moving object along y", unit="m/s", low=1.0, high=60.0)
    accel_sigma_mps2: float = param(1.0, "acceleration of a new object", unit="m/s2", low=0.1, high=10.0)
    still_sigma_mps: float = param(1.5, "speed of a new object that seems to stand", unit="m/s", low=0.1, high=10.0)
    still_below_mps: float = param(1.0, "an object seems to stand below this Doppler", unit="m/s", low=0.1, high=5.0)
    gate: float = param(14.2, "squared distance of an assignment, chi2 with 3 degrees", low=1.0, high=50.0)
    hit: float = param(0.7, "log odds that a confirming cycle adds", low=0.01, high=5.0)
    miss: float = param(1.1, "log odds that a missing cycle takes", low=0.01, high=5.0)
    birth_score: float = param(0.3, "existence of a new track", low=0.01, high=0.9)
    confirm_score: float = param(0.6, "existence from which a track is published", low=0.1, high=0.99)
    death_score: float = param(0.1, "existence below which a track is dropped", low=0.001, high=0.5)
    confirm_cycles: int = param(3, "confirming cycles before a track is published", low=1, high=20)
    grace_s: float = param(0.11, "a confirmed track is not doubted so soon after a hit", unit="s", low=0.0, high=1.0)
    coast_s: float = param(0.6, "longest life without a hit", unit="s", low=0.05, high=5.0)
    late_s: float = param(0.3, "oldest cycle that is used", unit="s", low=0.01, high=2.0)
    ego_s: float = param(0.2, "oldest motion of the car that is used", unit="s", low=0.01, high=2.0)
    merge_m: float = param(1.0, "points this near a box belong to it", unit="m", low=0.0, high=5.0)
    merge_mps: float = param(3.0, "and differ less in speed", unit="m/s", low=0.1, high=20.0)


@dataclass(frozen=True)
class _Life:
    """What a track has besides its state."""

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

    @property
    def score(self) -> float:
        return 1.0 / (1.0 + math.exp(-self.log_odds))


@dataclass(frozen=True)
class _Fit:
    """How N tracks and M observations differ: innovation (N, M, 3) in x, y and speed, its model and its spread."""

    innovation: FloatArray
    H: FloatArray
    noise: FloatArray
    spread: FloatArray


class Fusion:
    """Multi-sensor tracker; ``rejected`` counts the sensor cycles that came twice, out of order or too late."""

    def __init__(self, params: FusionParams) -> None:
        self._params = params
        self.rejected = 0
        self._next_id = 1
        self._reset()

    def _reset(self) -> None:
        self._motion = EgoMotion()
        self._newest: dict[str, int] = {}
        self._now_ns = 0
        self._stamp_ns = 0
        self._states: FloatArray = np.zeros((0, kalman.SIZE))
        self._covariances: FloatArray = np.zeros((0, kalman.SIZE, kalman.SIZE))
        self._lives: list[_Life] = []

    def step(
        self, now_ns: int, scans: Sequence[RadarTargets], detections: Detections | None, ego: EgoState | None,
        camera: CameraModel | None,
    ) -> Objects:  # fmt: skip
        """Take in what has come since the last step and return the objects at the newest stamp of all sensors."""
        p = self._params
        if now_ns < self._now_ns - nanoseconds(p.late_s):
            self._reset()
        self._now_ns = now_ns
        if not fresh(ego, now_ns, p.ego_s):
            return self._objects()
        self._motion.add(ego)
        cycles = [from_radar(s, p.radars.named(s.sensor), p.noise) for s in scans if self._usable(s.sensor, s)]
        if detections is not None and camera is not None and self._usable("camera", detections):
            cycles.append(from_camera(detections, camera, p.noise))
        for seen in sorted(cycles, key=lambda cycle: cycle.stamp_ns):
            self._cycle(seen)
        return self._objects()

    def _usable(self, name: str, sample: RadarTargets | Detections) -> bool:
        """Return whether a cycle is newer than the last of its sensor and young enough; counts what is not.

        The very same stamp again is no fault: callers may hand over the latest sample at every step.
        """
        newest = self._newest.get(name, 0)
        if sample.stamp_ns == newest:
            return False
        age = seconds(self._now_ns - sample.stamp_ns)
        usable = sample.stamp_ns > newest and -FUTURE_TOLERANCE_S <= age <= self._params.late_s
        if usable:
            self._newest[name] = sample.stamp_ns
        else:
            self.rejected += 1
        return usable

    # --- one sensor cycle ---------------------------------------------------------------------------------

    def _cycle(self, seen: Observations) -> None:
        late_s = self._move_to(seen.stamp_ns)
        if late_s > 0.0:
            seen = seen.moved(self._motion.pose(seen.stamp_ns).seen_from(self._motion.pose(self._stamp_ns)))
        fit = self._fit(seen, late_s)
        tracks, points = self._assign(fit)
        self._states[tracks], self._covariances[tracks] = kalman.update(
            self._states[tracks], self._covariances[tracks],
            fit.innovation[tracks, points], fit.H[points], fit.noise[tracks, points],
        )  # fmt: skip
        missed = seen.coverage.sees(*self._states[:, :2].T)
        missed[tracks] = False
        for track, point in zip(tracks, points, strict=True):
            self._confirm(track, point, seen)
        for track in np.flatnonzero(missed):
            self._doubt(track, seen)
        free = np.setdiff1d(np.arange(len(seen)), points)
        for point in free[~self._belong(seen, free)]:
            self._begin(point, seen)
        self._bury()

    def _move_to(self, stamp_ns: int) -> float:
        """Move all tracks to ``stamp_ns`` if that is later than now is; else return how late the stamp comes."""
        dt = seconds(stamp_ns - self._stamp_ns)
        if dt <= 0.0:
            return -dt
        if self._lives:
            p = self._params
            # What stands hardly swerves or speeds up; this keeps guard rails from slipping along with the car.
            agility = np.clip(np.hypot(*self._states[:, 2:4].T) / AGILE_SPEED_MPS, AGILITY_MIN, 1.0)
            moved = kalman.predict(
                self._states, self._covariances, dt, p.accel_time_s, p.jerk * agility, p.lateral * agility
            )
            car = self._motion.pose(stamp_ns).seen_from(self._motion.pose(self._stamp_ns))
            self._states, self._covariances = kalman.follow_car(*moved, *car)
            self._lives = [replace(life, yaw_rad=life.yaw_rad - car.yaw_rad) for life in self._lives]
        self._stamp_ns = stamp_ns
        return 0.0

    def _fit(self, seen: Observations, late_s: float) -> _Fit:
        """Compare every track with every observation as the track was ``late_s`` ago."""
        n, m = len(self._lives), len(seen)
        H = np.zeros((m, 3, kalman.SIZE))
        H[:, 0, kalman.X] = H[:, 1, kalman.Y] = 1.0
        H[:, 0, kalman.VX] = H[:, 1, kalman.VY] = -late_s
        H[:, 2, kalman.VX : kalman.VY + 1] = seen.rays
        faces = [near_face(*self._states[i, :2], life.yaw_rad, life.size, seen.origin) for i, life in self._numbered()]
        expected = np.einsum("mij,nj->nmi", H, self._states)
        expected[:, :, :2] += np.array([offset for offset, _ in faces]).reshape(n, 1, 2)
        measured = np.column_stack([seen.points, seen.speeds])
        noise = np.zeros((n, m, 3, 3))
        noise[:, :, :2, :2] = seen.covariances + np.array([spread for _, spread in faces]).reshape(n, 1, 2, 2)
        noise[:, :, 2, 2] = seen.speed_sigmas**2
        spread = np.einsum("mij,njk,mlk->nmil", H, self._covariances, H) + noise
        return _Fit(measured - expected, H, noise, spread)

    def _assign(self, fit: _Fit) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the best pairs (track, observation) inside the gate.

        The logarithm of the determinant keeps a vague track from taking the observation of a sharp one.
        """
        distance = kalman.distance2(fit.innovation, fit.spread)
        inside = distance < self._params.gate
        cost = np.where(inside, distance + np.log(np.linalg.det(fit.spread)), FORBIDDEN)
        tracks, points = linear_sum_assignment(cost)
        good = inside[tracks, points]
        return tracks[good], points[good]

    # --- the life of a track ------------------------------------------------------------------------------

    def _confirm(self, i: int, point: int, seen: Observations) -> None:
        p, life = self._params, self._lives[i]
        label, votes = _vote(life.label, life.votes, seen.labels[point])
        odds = min(life.log_odds + p.hit, _log_odds(SCORE_MAX))
        age = life.age + 1
        confirmed = life.confirmed or (age >= p.confirm_cycles and odds >= _log_odds(p.confirm_score))
        grown = replace(
            life, label=label, votes=votes, log_odds=odds, age=age, confirmed=confirmed,
            sources=life.sources | seen.kind, seen_ns=seen.stamp_ns,
        )  # fmt: skip
        self._reshape(i, grown, seen.widths[point], seen.origin)

    def _reshape(self, i: int, life: _Life, width_m: float, origin: tuple[float, float]) -> None:
        """Give the track the size of its class and its heading, its near face staying where it is."""
        old = self._lives[i]
        size = TYPICAL_SIZE[life.label] if life.label != old.label else old.size
        if math.isfinite(width_m):
            low, high = (factor * TYPICAL_SIZE[life.label].width_m for factor in WIDTH_RANGE)
            width = size.width_m + WIDTH_GAIN * (min(max(width_m, low), high) - size.width_m)
            size = size._replace(width_m=width)
        x, y, vx, vy, _ = self._states[i]
        yaw = math.atan2(vy, vx) if math.hypot(vx, vy) > HEADING_SPEED_MPS else life.yaw_rad
        before, _ = near_face(x, y, old.yaw_rad, old.size, origin)
        after, _ = near_face(x, y, yaw, size, origin)
        self._states[i, :2] += before - after
        self._lives[i] = replace(life, size=size, yaw_rad=yaw)

    def _doubt(self, i: int, seen: Observations) -> None:
        """Take existence from a track that a kind of sensor which knows it should have seen but has not."""
        p, life = self._params, self._lives[i]
        in_grace = life.confirmed and seconds(seen.stamp_ns - life.seen_ns) < p.grace_s
        if seen.kind in life.sources and not in_grace:
            self._lives[i] = replace(life, log_odds=life.log_odds - p.miss)

    def _belong(self, seen: Observations, free: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of the ``free`` observations are a further part of a confirmed object."""
        p = self._params
        inside = np.zeros(len(free), dtype=bool)
        for i, life in self._numbered():
            if not life.confirmed:
                continue
            c, s = math.cos(life.yaw_rad), math.sin(life.yaw_rad)
            along, across = (np.array([[c, s], [-s, c]]) @ (seen.points[free] - self._states[i, :2]).T)
            speed = np.abs(seen.speeds[free] - seen.rays[free] @ self._states[i, kalman.VX : kalman.VY + 1])
            inside |= (
                (np.abs(along) <= life.size.length_m / 2.0 + p.merge_m)
                & (np.abs(across) <= life.size.width_m / 2.0 + p.merge_m)
                & (speed <= p.merge_mps + seen.speed_sigmas[free])
            )  # fmt: skip
        return inside

    def _begin(self, point: int, seen: Observations) -> None:
        """Start a track; its velocity is what the Doppler leaves of broad expectations."""
        p, label = self._params, seen.labels[point]
        size = TYPICAL_SIZE[label]
        still = abs(seen.speeds[point]) < p.still_below_mps and seen.speed_sigmas[point] < p.still_below_mps
        slow = label in (ObjectClass.PEDESTRIAN, ObjectClass.CYCLIST)
        sigma_x = p.still_sigma_mps if still else p.speed_sigma_y_mps if slow else p.speed_sigma_x_mps
        sigma_y = p.still_sigma_mps if still else p.speed_sigma_y_mps
        sigma_a = p.accel_sigma_mps2 * (AGILITY_MIN if still else 1.0)
        guess = seen.points[point] + seen.rays[point] * size.length_m / 2.0
        offset, spread = near_face(*guess, 0.0, size, seen.origin)
        state = np.array([*(seen.points[point] - offset), 0.0, 0.0, 0.0])
        covariance = np.diag([0.0, 0.0, sigma_x**2, sigma_y**2, sigma_a**2])
        covariance[:2, :2] = seen.covariances[point] + spread
        H = np.zeros((1, 1, kalman.SIZE))
        H[0, 0, kalman.VX : kalman.VY + 1] = seen.rays[point]
        states, covariances = kalman.update(
            state[None], covariance[None], seen.speeds[point].reshape(1, 1), H,
            np.square(seen.speed_sigmas[point]).reshape(1, 1, 1),
        )  # fmt: skip
        self._states = np.concatenate([self._states, states])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._lives.append(_Life(
            self._next_id, label, int(label != ObjectClass.UNKNOWN), size, 0.0, _log_odds(p.birth_score),
            1, seen.kind, seen.stamp_ns,
        ))  # fmt: skip
        self._next_id += 1

    def _bury(self) -> None:
        """Drop what hardly exists, what nobody has seen for long, and the younger of two tracks of one object."""
        p = self._params
        alive = np.array([
            life.score > p.death_score and seconds(self._stamp_ns - life.seen_ns) <= p.coast_s for life in self._lives
        ], dtype=bool)  # fmt: skip
        alive &= ~self._doubles()
        self._states, self._covariances = self._states[alive], self._covariances[alive]
        self._lives = [life for life, keep in zip(self._lives, alive, strict=True) if keep]

    def _doubles(self) -> NDArray[np.bool_]:
        """Return which tracks sit in the box of an older one and move with it."""
        p = self._params
        age = np.array([life.age for life in self._lives])
        size = np.array([life.size for life in self._lives]).reshape(-1, 3)
        yaw = np.array([life.yaw_rad for life in self._lives])
        gap = self._states[:, None] - self._states[None]
        along = np.abs(np.cos(yaw) * gap[..., 0] + np.sin(yaw) * gap[..., 1])
        across = np.abs(np.cos(yaw) * gap[..., 1] - np.sin(yaw) * gap[..., 0])
        speed = np.hypot(gap[..., kalman.VX], gap[..., kalman.VY])
        double = (along < size[:, 0] / 2.0) & (across < size[:, 1] / 2.0) & (speed < p.merge_mps)
        order = np.arange(len(age))
        younger = (age[:, None] < age) | ((age[:, None] == age) & (order[:, None] > order))
        return np.asarray((double & younger).any(axis=1))

    def _numbered(self) -> Iterator[tuple[int, _Life]]:
        return iter(enumerate(self._lives))

    def _objects(self) -> Objects:
        tracks = tuple(
            Track(
                life.id, *map(float, self._states[i]), yaw_rad=life.yaw_rad, length_m=life.size.length_m,
                width_m=life.size.width_m, height_m=life.size.height_m, label=life.label, score=life.score,
                sources=life.sources, age=life.age,
            )
            for i, life in self._numbered() if life.confirmed
        )  # fmt: skip
        return Objects(self._stamp_ns, tracks)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _vote(label: ObjectClass, votes: int, seen: ObjectClass) -> tuple[ObjectClass, int]:
    """Keep the majority of the classes seen so far (Boyer and Moore), with a short memory."""
    if seen in (ObjectClass.UNKNOWN, label):
        return label, min(votes + (seen == label), VOTES_MAX)
    return (seen, 1) if votes <= 1 else (label, votes - 1)
