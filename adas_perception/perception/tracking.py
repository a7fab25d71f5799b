"""Fusion: radar targets of all sensors and camera boxes to one list of tracked objects around the car.

Every sensor cycle does the same: move the tracks to the stamp of the cycle, assign its observations to them, correct
the assigned, doubt the missing, start new ones. Rules of life:

- a track is published after ``confirm_cycles`` confirming cycles, when it exists with ``confirm_score``;
- a cycle that is older than the last of its sensor, too old or from the future is rejected and counted, the same
  cycle again is passed over;
- a cycle that comes late behind another sensor's is compared with the tracks as they were at its stamp;
- without a fresh motion of the car nothing is processed, so that the stamp of the objects shows their age;
- when time runs backwards (a recording starts again) all tracks are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from adas_perception.params import Params, param
from adas_perception.perception import kalman, track_life
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import EgoMotion
from adas_perception.perception.measurement import Observations, SensorNoise, from_camera, from_radar, near_faces
from adas_perception.perception.radar import Radars
from adas_perception.perception.track_life import STILL_AGILITY, BirthParams, Life, LifeParams
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, fresh
from adas_perception.types import (
    Detections,
    EgoState,
    FloatArray,
    ObjectClass,
    Objects,
    RadarTargets,
    Track,
    nanoseconds,
    seconds,
)

# The heading of slower objects is not read from their velocity.
HEADING_SPEED_MPS = 2.0
# From this speed on objects may use the whole process noise.
AGILE_SPEED_MPS = 5.0
FORBIDDEN = 1e6


@dataclass(frozen=True)
class FusionParams(Params):
    """How objects move, how sensors err, how tracks live and which samples are used."""

    radars: Radars = Radars()
    noise: SensorNoise = SensorNoise()
    birth: BirthParams = BirthParams()
    life: LifeParams = LifeParams()
    jerk: float = param(3.0, "white jerk of traffic along the road", unit="m/s3/sqrt(Hz)", low=0.1, high=20.0)
    lateral: float = param(1.5, "white acceleration across the road", unit="m/s2/sqrt(Hz)", low=0.1, high=10.0)
    accel_time_s: float = param(6.0, "time in which an acceleration fades", unit="s", low=0.1, high=60.0)
    gate: float = param(14.2, "squared distance of an assignment (chi2 of 3 degrees, 99.7 %)", low=1.0, high=50.0)
    merge_m: float = param(1.0, "observations this near a box belong to it", unit="m", low=0.0, high=5.0)
    merge_mps: float = param(3.0, "and differ less in speed", unit="m/s", low=0.1, high=20.0)
    late_s: float = param(0.3, "oldest sensor cycle that is used", unit="s", low=0.01, high=2.0)
    ego_s: float = param(0.2, "oldest motion of the car that is used", unit="s", low=0.01, high=2.0)


@dataclass(frozen=True)
class _Fit:
    """How N tracks and M observations differ: innovation (N, M, 3) in x, y and speed, its model and its spread."""

    innovation: FloatArray
    H: FloatArray
    noise: FloatArray
    spread: FloatArray


class Fusion:
    """Multi-sensor tracker; ``rejected`` counts the sensor cycles that came out of order, too late or too early."""

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
        self._lives: list[Life] = []

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
        p = self._params
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
        self._confirm(tracks, points, seen)
        for track in np.flatnonzero(missed).tolist():
            self._lives[track] = track_life.doubt(self._lives[track], seen, p.life)
        free = np.setdiff1d(np.arange(len(seen)), points)
        for point in free[~self._belong(seen, free)].tolist():
            self._begin(seen, point, late_s)
        self._bury()

    def _move_to(self, stamp_ns: int) -> float:
        """Move all tracks to ``stamp_ns`` if that is later than now is; else return how late the stamp comes."""
        dt = seconds(stamp_ns - self._stamp_ns)
        if dt <= 0.0:
            return -dt
        if self._lives:
            moved = self._predict(self._states, self._covariances, dt)
            car = self._motion.pose(stamp_ns).seen_from(self._motion.pose(self._stamp_ns))
            self._states, self._covariances = kalman.follow_car(*moved, *car)
            self._lives = [replace(life, yaw_rad=life.yaw_rad - car.yaw_rad) for life in self._lives]
        self._stamp_ns = stamp_ns
        self._bury()
        return 0.0

    def _predict(self, states: FloatArray, covariances: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Move objects over ground; what stands hardly swerves or speeds up, so that guard rails do not slip along."""
        p = self._params
        agility = np.clip(np.hypot(*states[:, kalman.VELOCITY].T) / AGILE_SPEED_MPS, STILL_AGILITY, 1.0)
        return kalman.predict(states, covariances, dt_s, p.accel_time_s, p.jerk * agility, p.lateral * agility)

    def _fit(self, seen: Observations, late_s: float) -> _Fit:
        """Compare every track with every observation as the track was ``late_s`` ago."""
        n, m = len(self._lives), len(seen)
        H = np.zeros((m, 3, kalman.SIZE))
        H[:, 0, kalman.X] = H[:, 1, kalman.Y] = 1.0
        H[:, 0, kalman.VX] = H[:, 1, kalman.VY] = -late_s
        H[:, 2, kalman.VELOCITY] = seen.rays
        offsets, faces = near_faces(self._states[:, kalman.PLACE], *self._shapes(), seen.origin)
        expected = np.einsum("mij,nj->nmi", H, self._states)
        expected[:, :, :2] += offsets[:, None]
        measured = np.column_stack([seen.points, seen.speeds])
        noise = np.zeros((n, m, 3, 3))
        noise[:, :, :2, :2] = seen.covariances + faces[:, None]
        noise[:, :, 2, 2] = seen.speed_sigmas**2
        HP = (H.reshape(-1, kalman.SIZE) @ self._covariances).reshape(n, m, 3, kalman.SIZE)
        spread = HP @ np.swapaxes(H, 1, 2) + noise
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

    # --- the list of tracks -------------------------------------------------------------------------------

    def _confirm(self, tracks: NDArray[np.intp], points: NDArray[np.intp], seen: Observations) -> None:
        """Give assigned tracks their new life, size and heading, the faces that the sensor sees staying in place."""
        before, _ = near_faces(self._states[:, kalman.PLACE], *self._shapes(), seen.origin)
        for i, point in zip(tracks.tolist(), points.tolist(), strict=True):
            vx, vy = self._states[i, kalman.VELOCITY].tolist()
            fast = math.hypot(vx, vy) > HEADING_SPEED_MPS
            life = track_life.confirm(self._lives[i], seen, point, self._params.life)
            self._lives[i] = replace(life, yaw_rad=math.atan2(vy, vx)) if fast else life
        after, _ = near_faces(self._states[:, kalman.PLACE], *self._shapes(), seen.origin)
        self._states[:, kalman.PLACE] += before - after

    def _shapes(self) -> tuple[FloatArray, FloatArray]:
        """Return the yaws (N,) and sizes (N, 3) of all tracks."""
        sizes = np.array([life.size for life in self._lives], dtype=float).reshape(-1, 3)
        return np.array([life.yaw_rad for life in self._lives], dtype=float), sizes

    def _belong(self, seen: Observations, free: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of the ``free`` observations are a further part of a confirmed object.

        What the camera calls something else is something else: a person beside a parked car.
        """
        p = self._params
        known = np.array([life.confirmed for life in self._lives], dtype=bool)
        label = np.array([life.label for life in self._lives], dtype=int)[:, None]
        other = np.array(seen.labels, dtype=int)[free]
        alike = (label == other) | (label == ObjectClass.UNKNOWN) | (other == ObjectClass.UNKNOWN)
        velocity = self._states[:, kalman.VELOCITY]
        speed = np.abs(seen.speeds[free] - velocity @ seen.rays[free].T)
        part = self._inside(seen.points[free], p.merge_m) & (speed <= p.merge_mps + seen.speed_sigmas[free]) & alike
        return np.asarray(part[known].any(axis=0))

    def _inside(self, points: FloatArray, margin_m: float) -> NDArray[np.bool_]:
        """Return as (N, M) which of the points (M, 2) lie in which box, widened by a margin."""
        yaw, size = self._shapes()
        c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
        dx, dy = np.moveaxis(points - self._states[:, None, kalman.PLACE], -1, 0)
        along, across = np.abs(c * dx + s * dy), np.abs(c * dy - s * dx)
        reach = size[:, :2] / 2.0 + margin_m
        return np.asarray((along <= reach[:, :1]) & (across <= reach[:, 1:]))

    def _begin(self, seen: Observations, point: int, late_s: float) -> None:
        p = self._params
        life, state, covariance = track_life.begin(self._next_id, seen, point, p.life.birth_score, p.birth)
        states, covariances = self._predict(state[None], covariance[None], late_s)
        self._lives.append(life)
        self._states = np.concatenate([self._states, states])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._next_id += 1

    def _bury(self) -> None:
        """Drop what hardly exists, what nobody has seen for long, and the younger of two tracks of one object."""
        p = self._params
        keep = np.array([track_life.alive(life, self._stamp_ns, p.life) for life in self._lives], dtype=bool)
        keep &= ~self._doubles()
        self._states, self._covariances = self._states[keep], self._covariances[keep]
        self._lives = [life for life, good in zip(self._lives, keep, strict=True) if good]

    def _doubles(self) -> NDArray[np.bool_]:
        """Return which tracks sit in the box of an older one and move with it."""
        velocity = self._states[:, kalman.VELOCITY]
        speed = np.linalg.norm(velocity[:, None] - velocity, axis=-1)
        double = self._inside(self._states[:, kalman.PLACE], 0.0) & (speed < self._params.merge_mps)
        age, order = np.array([life.age for life in self._lives]), np.arange(len(self._lives))
        older = (age[:, None] > age) | ((age[:, None] == age) & (order[:, None] < order))
        return np.asarray((double & older).any(axis=0))

    def _objects(self) -> Objects:
        tracks = tuple(
            _track(life, *state) for life, state in zip(self._lives, self._states.tolist(), strict=True)
            if life.confirmed
        )  # fmt: skip
        return Objects(self._stamp_ns, tracks)


def _track(life: Life, x: float, y: float, vx: float, vy: float, ax: float) -> Track:
    size = life.size
    return Track(
        life.id, x, y, vx, vy, ax, life.yaw_rad, size.length_m, size.width_m, size.height_m,
        life.label, life.score, life.sources, life.age,
    )  # fmt: skip
