"""Fusion: radar targets of all sensors and camera boxes to one list of tracked objects around the car.

Every sensor cycle does the same: move the tracks to the stamp of the cycle, assign its observations to them, correct
the assigned, doubt the missing, start new ones. Rules of life:

- what something hides is not doubted, and kept longer: traffic that crosses behind parked cars comes out again;
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

import numpy as np

from adas_perception.params import Params, param
from adas_perception.perception import kalman, parts, track_life
from adas_perception.perception.agreement import left_of, tolerance
from adas_perception.perception.association import (
    FIRST_GATE,
    Pair,
    assign,
    box_ratio,
    box_reaches,
    guess_reaches,
    measured,
)
from adas_perception.perception.camera import CameraModel
from adas_perception.perception.ego_motion import EgoMotion
from adas_perception.perception.faces import Face, near_face, shows_end
from adas_perception.perception.heading import take_heading, turn
from adas_perception.perception.measurement import Observations, Point, SensorNoise, from_camera, from_radar
from adas_perception.perception.radar import Radars
from adas_perception.perception.track_life import STILL_AGILITY, BirthParams, Life, LifeParams
from adas_perception.perception.twins import twins, unite
from adas_perception.perception.views import Spans, Views, behind_edge, hiders, look
from adas_perception.safety.freshness import FUTURE_TOLERANCE_S, fresh
from adas_perception.types import (
    Detections,
    EgoState,
    FloatArray,
    Objects,
    RadarTargets,
    Sensor,
    nanoseconds,
    seconds,
)

# A camera errs about a distance in the same way from picture to picture: so many of them tell no more than one, and
# as if they were independent they would make a speed of what is only the error that fades.
LASTING = 15.0
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
        p = self._params
        late_s = self._move_to(seen.stamp_ns)
        if late_s > 0.0:
            seen = seen.moved(self._motion.pose(seen.stamp_ns).seen_from(self._motion.pose(self._stamp_ns)))
        assigned, dark = self._look(seen, late_s) if self._lives else ({}, None)
        taken = set(assigned.values())
        rows = self._states.tolist()
        for number, point in enumerate(seen.points):
            if number in taken:
                continue
            owner = parts.owner(self._lives, rows, seen, point, p.merge_m, p.merge_mps)
            if owner is not None:
                self._states[owner, kalman.PLACE] += parts.stretch(self._lives[owner], rows[owner], seen, point)
            elif point.whole:
                self._begin(seen, point, late_s, dark)
        self._bury()

    def _look(self, seen: Observations, late_s: float) -> tuple[dict[int, int], Spans | None]:
        """Correct the tracks that have been seen, doubt the others.

        Returns which observation each was given, and what hides from the sensor where further observations lie.
        """
        rows = self._states.tolist()
        views = look(rows, self._lives, seen)
        assigned = self._assign(rows, seen, late_s, views) if seen.points else []
        dark = hiders(rows, self._lives, seen.origin) if len(assigned) < len(seen) else None
        if assigned:
            self._correct(assigned, seen, late_s, views.faces)
        points = {pair.track: pair.point for pair in assigned}
        for i, (life, shown, hidden) in enumerate(zip(self._lives, views.shown, views.hidden, strict=True)):
            if hidden:
                life.hidden_ns = seen.stamp_ns
            elif shown and i not in points and life.open_to_doubt(seen, self._params.life):
                life.log_odds -= self._params.life.miss
        return points, dark

    def _assign(self, rows: list[list[float]], seen: Observations, late_s: float, views: Views) -> list[Pair]:
        gate, covariances = self._params.gate, self._covariances

        def shown_by_box(track: int, point: Point) -> bool:
            life = self._lives[track]
            of_its_class = life.may_be(point.label) if views.shown[track] else life.as_large_as(point.label)
            return of_its_class and agreed(track, point) and box_reaches(
                rows[track], covariances[track], views.faces[track], life.box_ratio, seen.origin, point, gate
            )

        def agreed(track: int, point: Point) -> bool:
            life, (x, y, *_) = self._lives[track], rows[track]
            left = left_of(x, y, views.faces[track], point)
            return life.seen_at.agree(seen.kind, seen.stamp_ns, left, tolerance(life.size, life.yaw_rad, point))

        def seen_by_radar(track: int, point: Point) -> bool:
            if not agreed(track, point):
                return False
            guess = self._lives[track].sources is Sensor.CAMERA
            if guess and not guess_reaches(rows[track], covariances[track], seen.origin, point, gate):
                return False
            unseen = guess or views.hidden[track]
            return not (unseen and parts.lies_in_body(self._lives, rows, point, self._params.merge_mps, track))

        def known(track: int) -> bool:
            return seen.kind in self._lives[track].sources

        if seen.kind is Sensor.CAMERA:
            return assign(rows, covariances, views.faces, seen, late_s, gate, shown_by_box, known)
        return assign(rows, covariances, views.faces, seen, late_s, gate, seen_by_radar, known, FIRST_GATE)

    def _correct(self, pairs: Sequence[Pair], seen: Observations, late_s: float, faces: Sequence[Face]) -> None:
        """Correct and confirm the tracks that have been seen."""
        innovation, model, noise = measured(pairs, faces, seen, late_s)
        if seen.kind is Sensor.CAMERA:
            rays = model[:, 2, kalman.VELOCITY]
            along = np.einsum("ni,nij,nj->n", rays, noise[:, :2, :2], rays)
            noise[:, :2, :2] += LASTING * along[:, None, None] * rays[:, :, None] * rays[:, None, :]
        tracks = [pair.track for pair in pairs]
        before = self._states[tracks, kalman.PLACE]
        self._states[tracks], self._covariances[tracks] = kalman.update(
            self._states[tracks], self._covariances[tracks], innovation, model, noise
        )
        moves = (self._states[tracks, kalman.PLACE] - before).tolist()
        for pair, (dx, dy) in zip(pairs, moves, strict=True):
            point, (x, y) = seen.points[pair.point], self._states[pair.track, kalman.PLACE].tolist()
            life, face = self._lives[pair.track], faces[pair.track]
            moved = point.ray_x * dy - point.ray_y * dx
            life.seen_at.saw(seen.kind, seen.stamp_ns, left_of(x, y, face, point), moved)
            if seen.kind is Sensor.CAMERA:
                life.box_ratio = box_ratio(x, y, face, seen.origin, point)
            self._confirm(pair.track, point, seen)

    def _move_to(self, stamp_ns: int) -> float:
        """Move all tracks to ``stamp_ns`` if that is later than now is; else return how late the stamp comes."""
        dt = seconds(stamp_ns - self._stamp_ns)
        if dt <= 0.0:
            return -dt
        if self._lives:
            moved = self._predict(self._states, self._covariances, dt)
            car = self._motion.pose(stamp_ns).seen_from(self._motion.pose(self._stamp_ns))
            self._states, self._covariances = kalman.follow_car(*moved, *car)
            self._turn(car.yaw_rad)
            self._halt(stamp_ns)
        self._stamp_ns = stamp_ns
        self._bury()
        return 0.0

    def _turn(self, car_yaw_rad: float) -> None:
        bend = self._motion.bend()
        for life, x in zip(self._lives, self._states[:, kalman.X].tolist(), strict=True):
            turn(life, x, bend, car_yaw_rad)

    def _halt(self, stamp_ns: int) -> None:
        """Let what seems to stand not slide sideways while nobody sees it: that was the error of its places."""
        grace_ns = nanoseconds(self._params.life.grace_s)
        for i, life in enumerate(self._lives):
            if stamp_ns - life.seen_ns > grace_ns and life.creeps(*self._states[i, kalman.VELOCITY]):
                self._states[i, kalman.VY] = 0.0

    def _predict(self, states: FloatArray, covariances: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Move objects over ground; what stands hardly swerves or speeds up, so that guard rails do not slip along."""
        p = self._params
        speed = np.hypot(states[:, kalman.VX], states[:, kalman.VY])
        agility = np.minimum(np.maximum(speed / AGILE_SPEED_MPS, STILL_AGILITY), 1.0)
        return kalman.predict(states, covariances, dt_s, p.accel_time_s, p.jerk * agility, p.lateral * agility)

    # --- the list of tracks -------------------------------------------------------------------------------

    def _confirm(self, track: int, point: Point, seen: Observations) -> None:
        """Give a track its new life, size and heading, the face that the sensor sees staying in place."""
        life, p = self._lives[track], self._params
        x, y = self._states[track, kalman.PLACE].tolist()
        size, yaw = life.size, life.yaw_rad
        end_on = math.isfinite(point.width) and shows_end(x, y, yaw, size, seen.origin)
        life.confirm(seen, point, p.life, end_on)
        take_heading(life, self._states[track], self._covariances[track], self._motion.bend())
        if (size, yaw) != (life.size, life.yaw_rad):
            before = near_face(x, y, yaw, size, seen.origin, seen.kind)
            after = near_face(x, y, life.yaw_rad, life.size, seen.origin, seen.kind)
            self._states[track, kalman.PLACE] += (before.x_m - after.x_m, before.y_m - after.y_m)

    def _begin(self, seen: Observations, point: Point, late_s: float, dark: Spans | None) -> None:
        p = self._params
        life, state, covariance = track_life.begin(self._next_id, seen, point, p.life.birth_score, p.birth)
        if dark:
            shift, doubt = behind_edge(dark, (point.x, point.y), seen.origin, life.size)
            state[kalman.PLACE] += shift
            covariance[kalman.PLACE, kalman.PLACE] += doubt
        states, covariances = state[None], covariance[None]
        if late_s > 0.0:
            states, covariances = self._predict(states, covariances, late_s)
        self._lives.append(life)
        self._states = np.concatenate([self._states, states])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._next_id += 1

    def _unite(self) -> set[int]:
        """Make one track of what the camera and the radars know as two; returns the tracks that are left over."""
        pairs = twins(self._lives, self._states, self._covariances, self._params.gate)
        for camera, radar in pairs:
            place = unite(self._lives[camera], self._lives[radar], self._states[radar].tolist())
            self._states[camera], self._covariances[camera] = self._states[radar], self._covariances[radar]
            self._states[camera, kalman.PLACE] = place
        return {radar for _, radar in pairs}

    def _bury(self) -> None:
        """Drop what hardly exists, what nobody has seen for long, and the younger of two tracks of one object."""
        p = self._params
        doubles = self._unite() | parts.doubles(self._lives, self._states.tolist(), p.merge_mps)
        keep = [
            i for i, life in enumerate(self._lives) if i not in doubles and life.alive(self._stamp_ns, p.life)
        ]
        if len(keep) < len(self._lives):
            self._states, self._covariances = self._states[keep], self._covariances[keep]
            self._lives = [self._lives[i] for i in keep]

    def _objects(self) -> Objects:
        tracks = tuple(
            track_life.published(life, *state) for life, state in zip(self._lives, self._states.tolist(), strict=True)
            if life.confirmed
        )  # fmt: skip
        return Objects(self._scene_ns(), tracks)
