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
from dataclasses import dataclass
from itertools import compress, islice

import numpy as np

from adas_perception.params import Params, param
from adas_perception.perception import kalman, track_life
from adas_perception.perception.association import assign
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import EgoMotion
from adas_perception.perception.faces import near_face, shows_end
from adas_perception.perception.measurement import Observations, SensorNoise, from_camera, from_radar
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
    Sensor,
    Track,
    nanoseconds,
    seconds,
)

# The heading of slower objects is not read from their velocity.
HEADING_SPEED_MPS = 2.0
# Speeds of vehicles across the road are published from this speed on.
CREEP_MPS = {ObjectClass.UNKNOWN: 1.0, ObjectClass.CAR: 2.0}
# The heading is read from the velocity where that is known this well across itself.
HEADING_SIGMA_RAD = 9
# A camera errs about a distance in the same way from picture to picture: so many of them tell no more than one, and
# as if they were independent they would make a speed of what is only the error that fades.
LASTING = 15.0
# Reflecting parts of a lorry follow each other this closely.
PARTS_M = 3.5
# Spread along x of the visible part of an object whose near end has left the field of view.
LEAVING_M = 2.0
# Lorries with trailers are no longer than this.
LENGTH_MAX_M = 18.0
# From this speed on objects may use the whole process noise.
AGILE_SPEED_MPS = 5.0


# Two cycles of a front radar at 20 Hz.
FRONT_BEHIND_S = 0.1


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

    def _scene_ns(self) -> int:
        """Return the stamp of the objects: the newest of all sensors, unless the front radar has fallen behind.

        Once heard, the front radar is what ACC and AEB rest on: others must not make a scene without it look fresh.
        """
        front_ns = self._newest.get("front", 0)
        behind = front_ns and seconds(self._stamp_ns - front_ns) > FRONT_BEHIND_S
        return front_ns if behind else self._stamp_ns

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
        assigned = self._correct(seen, late_s) if self._lives and len(seen) else {}
        self._doubt(seen, [i for i in range(len(self._lives)) if i not in assigned])
        taken = set(assigned.values())
        rows = self._states.tolist()
        for point in range(len(seen)):
            if point in taken:
                continue
            owner = self._owner(seen, point, rows)
            if owner is not None:
                self._stretch(owner, seen, point)
            elif seen.whole[point]:
                self._begin(seen, point, late_s)
        self._bury()

    def _correct(self, seen: Observations, late_s: float) -> dict[int, int]:
        """Correct and confirm the tracks that have been seen; return which observation each was given."""
        faces = [
            near_face(row[kalman.X], row[kalman.Y], life.yaw_rad, life.size, seen.origin, seen.kind)
            for life, row in zip(self._lives, self._states.tolist(), strict=True)
        ]
        table = np.array(faces)
        # Of what leaves the field of view some part is still seen, and another one in every cycle.
        shown = seen.coverage.sees(self._states[:, kalman.X] + table[:, 0], self._states[:, kalman.Y] + table[:, 1])
        table[~shown, 2] += LEAVING_M**2
        possible = None
        if seen.kind is Sensor.CAMERA:
            possible = np.array([[life.may_be(label) for label in seen.labels] for life in self._lives])
        pairs = assign(self._states, self._covariances, table, seen, late_s, self._params.gate, possible)
        if not len(pairs.tracks):
            return {}
        if seen.kind is Sensor.CAMERA:
            rays = seen.rays[pairs.points]
            along = np.einsum("ni,nij,nj->n", rays, pairs.noise[:, :2, :2], rays)
            pairs.noise[:, :2, :2] += LASTING * along[:, None, None] * rays[:, :, None] * rays[:, None, :]
        self._states[pairs.tracks], self._covariances[pairs.tracks] = kalman.update(
            self._states[pairs.tracks], self._covariances[pairs.tracks], pairs.innovation, pairs.H, pairs.noise
        )
        assigned = dict(zip(pairs.tracks.tolist(), pairs.points.tolist(), strict=True))
        for track, point in assigned.items():
            self._confirm(track, point, seen)
        return assigned

    def _move_to(self, stamp_ns: int) -> float:
        """Move all tracks to ``stamp_ns`` if that is later than now is; else return how late the stamp comes."""
        dt = seconds(stamp_ns - self._stamp_ns)
        if dt <= 0.0:
            return -dt
        if self._lives:
            moved = self._predict(self._states, self._covariances, dt)
            car = self._motion.pose(stamp_ns).seen_from(self._motion.pose(self._stamp_ns))
            self._states, self._covariances = kalman.follow_car(*moved, *car)
            for life in self._lives:
                life.yaw_rad -= car.yaw_rad
        self._stamp_ns = stamp_ns
        self._bury()
        return 0.0

    def _predict(self, states: FloatArray, covariances: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Move objects over ground; what stands hardly swerves or speeds up, so that guard rails do not slip along."""
        p = self._params
        speed = np.hypot(states[:, kalman.VX], states[:, kalman.VY])
        agility = np.minimum(np.maximum(speed / AGILE_SPEED_MPS, STILL_AGILITY), 1.0)
        return kalman.predict(states, covariances, dt_s, p.accel_time_s, p.jerk * agility, p.lateral * agility)

    # --- the list of tracks -------------------------------------------------------------------------------

    def _confirm(self, track: int, point: int, seen: Observations) -> None:
        """Give a track its new life, size and heading, the face that the sensor sees staying in place."""
        life, p = self._lives[track], self._params
        x, y, vx, vy, _ = self._states[track].tolist()
        shape = life.size, life.yaw_rad
        before = near_face(x, y, life.yaw_rad, life.size, seen.origin, seen.kind)
        life.confirm(seen, point, p.life, shows_end(x, y, life.yaw_rad, life.size, seen.origin))
        if self._heads(track, vx, vy):
            life.yaw_rad = math.atan2(vy, vx)
        if shape != (life.size, life.yaw_rad):
            after = near_face(x, y, life.yaw_rad, life.size, seen.origin, seen.kind)
            self._states[track, kalman.PLACE] += (before.x_m - after.x_m, before.y_m - after.y_m)

    def _heads(self, track: int, vx: float, vy: float) -> bool:
        """Return whether the velocity of a track tells where it heads; without Doppler it is mostly error of places."""
        speed = math.hypot(vx, vy)
        if speed <= HEADING_SPEED_MPS or Sensor.RADAR not in self._lives[track].sources:
            return False
        (xx, xy), (_, yy) = self._covariances[track, kalman.VELOCITY, kalman.VELOCITY].tolist()
        across = xx * vy * vy - 2.0 * xy * vx * vy + yy * vx * vx
        return bool(across < (HEADING_SIGMA_RAD * speed * speed) ** 2)

    def _doubt(self, seen: Observations, missed: list[int]) -> None:
        """Doubt those of the missed tracks that the sensor should have seen."""
        p = self._params.life
        doubtful = [i for i in missed if self._lives[i].open_to_doubt(seen, p)]
        if doubtful:
            covered = seen.coverage.sees(*self._states[doubtful, kalman.PLACE].T)
            for i in compress(doubtful, covered.tolist()):
                self._lives[i].log_odds -= p.miss

    def _owner(self, seen: Observations, point: int, rows: list[list[float]]) -> int | None:
        """Return the confirmed object of which an observation is a further part.

        What the camera calls something else is something else: a person beside a parked car.
        """
        p, label = self._params, seen.labels[point]
        (x, y), (ray_x, ray_y) = seen.points[point].tolist(), seen.rays[point].tolist()
        speed, slack = float(seen.speeds[point]), p.merge_mps + float(seen.speed_sigmas[point])
        # Tracks that begin in this cycle have no row.
        for i, (life, row) in enumerate(zip(self._lives, rows, strict=False)):
            if (
                life.confirmed
                and life.holds(x - row[kalman.X], y - row[kalman.Y], p.merge_m, _room_behind(row, x, y, seen.origin))
                and abs(speed - row[kalman.VX] * ray_x - row[kalman.VY] * ray_y) <= slack
                and (label is life.label or ObjectClass.UNKNOWN in (label, life.label))
            ):
                return i
        return None

    def _stretch(self, track: int, seen: Observations, point: int) -> None:
        """Lengthen a vehicle, its near end staying in place, to a further part that lies behind its far end."""
        life = self._lives[track]
        if life.label is not ObjectClass.CAR or seen.kind is not Sensor.RADAR:
            return
        axis = np.array([math.cos(life.yaw_rad), math.sin(life.yaw_rad)])
        centre = self._states[track, kalman.PLACE]
        if float(axis @ (centre - seen.origin)) < 0.0:
            axis = -axis
        growth = float(axis @ (seen.points[point] - centre)) - life.size.length_m / 2.0
        if 0.0 < growth < LENGTH_MAX_M - life.size.length_m:
            life.size = life.size._replace(length_m=life.size.length_m + growth)
            self._states[track, kalman.PLACE] += growth / 2.0 * axis

    def _begin(self, seen: Observations, point: int, late_s: float) -> None:
        p = self._params
        life, state, covariance = track_life.begin(self._next_id, seen, point, p.life.birth_score, p.birth)
        states, covariances = state[None], covariance[None]
        if late_s > 0.0:
            states, covariances = self._predict(states, covariances, late_s)
        self._lives.append(life)
        self._states = np.concatenate([self._states, states])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._next_id += 1

    def _bury(self) -> None:
        """Drop what hardly exists, what nobody has seen for long, and the younger of two tracks of one object."""
        p, rows = self._params, self._states.tolist()
        doubles = self._doubles(rows)
        keep = [
            i for i, life in enumerate(self._lives) if i not in doubles and life.alive(self._stamp_ns, p.life)
        ]
        if len(keep) < len(rows):
            self._states, self._covariances = self._states[keep], self._covariances[keep]
            self._lives = [self._lives[i] for i in keep]

    def _doubles(self, rows: list[list[float]]) -> set[int]:
        """Return which tracks sit in the box of an older one and move with it."""
        doubles: set[int] = set()
        # In the order of x only few follow each other so closely that one may sit in the other's box.
        order = sorted(range(len(rows)), key=rows.__getitem__)
        reach = max((life.size.length_m + life.size.width_m for life in self._lives), default=0.0) / 2.0
        for place, one in enumerate(order):
            for other in islice(order, place + 1, None):
                if rows[other][kalman.X] - rows[one][kalman.X] > reach:
                    break
                older, younger = sorted((one, other), key=lambda i: (-self._lives[i].age, i))
                if self._double(self._lives[older], self._lives[younger], rows[older], rows[younger]):
                    doubles.add(younger)
        return doubles

    def _double(self, older: Life, younger: Life, row: list[float], other: list[float]) -> bool:
        (x, y, vx, vy, _), (other_x, other_y, other_vx, other_vy, _) = row, other
        alike = math.hypot(vx - other_vx, vy - other_vy) < self._params.merge_mps and older.may_be(younger.label)
        return alike and older.holds(other_x - x, other_y - y, 0.0)

    def _objects(self) -> Objects:
        tracks = tuple(
            _track(life, *state) for life, state in zip(self._lives, self._states.tolist(), strict=True)
            if life.confirmed
        )  # fmt: skip
        return Objects(self._scene_ns(), tracks)


def _room_behind(row: list[float], x: float, y: float, origin: tuple[float, float]) -> float:
    """Return how far behind the far end of an object a point may lie and still be a part of it: of a lorry on its way.

    Nobody drives so close before another car as the parts of a lorry follow each other, but parked cars stand so.
    """
    moving = math.hypot(row[kalman.VX], row[kalman.VY]) > AGILE_SPEED_MPS
    farther = math.dist((x, y), origin) > math.dist((row[kalman.X], row[kalman.Y]), origin)
    return PARTS_M if moving and farther else 0.0


def _track(life: Life, x: float, y: float, vx: float, vy: float, ax: float) -> Track:
    """Return what is published of a track: what seems to stand does not slide sideways, people and cycles excepted.

    Doppler tells next to nothing about a speed across the road. It comes from the drift of bearings, and so does
    every error of place that fades while a parked car comes nearer.
    """
    size = life.size
    if max(abs(vx), abs(vy)) < CREEP_MPS.get(life.label, 0.0):
        vy = 0.0
    return Track(
        life.id, x, y, vx, vy, ax, life.yaw_rad, size.length_m, size.width_m, size.height_m,
        life.label, life.score, life.sources, life.age,
    )  # fmt: skip
