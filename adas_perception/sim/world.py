"""The world: the ego, its driver and the traffic on the road, stepped together, and what the sensors see of it.

Same scenario, same seed, same requests: same result, bit for bit. Every sensor draws from a generator of its own, so
that it does not matter in which order the sensors of one moment measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from adas_perception.perception.camera import CameraModel
from adas_perception.sim.camera import DEFAULT_CAMERA, Body, CameraRenderer
from adas_perception.sim.contact import Contact, Pose, box_at, first_touch, outline, touches
from adas_perception.sim.curve import RoadPoint
from adas_perception.sim.driver import Cue, Driver
from adas_perception.sim.following import Spot
from adas_perception.sim.lane_camera import see_lanes
from adas_perception.sim.scenarios import Scenario
from adas_perception.sim.sensed import SensedWorld
from adas_perception.sim.sensors import EgoNoise, Surroundings
from adas_perception.sim.setup import SensorSetup
from adas_perception.sim.traffic import Actor
from adas_perception.sim.vehicle import Car, CarParams, DriverAction
from adas_perception.types import DriverInput, EgoState, Gear, Image, LaneLines, nanoseconds

_RAIL_REACH_M = 120.0


@dataclass(frozen=True)
class Truth:
    """What really is, for reports and tests only; the stack never sees it.

    ``gap_m`` and ``ttc_s`` refer to the next body in the ego's way (infinite when there is none);
    ``offset_m`` is the rear axle from the lane centre, ``to_left_m`` and ``to_right_m`` are the distances from the
    car's sides to its lane's lines, negative beyond the line.
    """

    time_s: float
    s_m: float
    d_m: float
    lane: int
    offset_m: float
    to_left_m: float
    to_right_m: float
    lead: str
    gap_m: float
    lead_speed_mps: float
    ttc_s: float
    contact: bool


class World(SensedWorld):
    """A scenario in motion; time starts at ``start_ns``. ``contact`` is the first body that the ego has hit."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int = 0,
        params: CarParams | None = None,
        noise: EgoNoise | None = None,
        camera: CameraModel = DEFAULT_CAMERA,
        start_ns: int = 0,
        sensors: SensorSetup | None = None,
    ) -> None:
        self.scenario = scenario
        setup = sensors or SensorSetup()
        super().__init__(setup if noise is None else replace(setup, ego=noise), camera, seed, start_ns)
        self.road = scenario.road
        self._renderer: CameraRenderer | None = None
        params = params or CarParams()
        x, y, yaw = self.road.place(scenario.start_s_m, scenario.start_d_m)
        self.car = Car(params, x, y, yaw, scenario.start_speed_mps)
        curvature = self.road.point(scenario.start_s_m).curvature
        self.car.settle(params.vehicle.steering_for(curvature, scenario.start_speed_mps))
        self.actors = tuple(Actor.from_spec(spec, self.road) for spec in scenario.actors)
        self.s_m, self.d_m = scenario.start_s_m, scenario.start_d_m
        self.contact: Contact | None = None
        self._outline = outline(params.vehicle)
        self._start_lane = self.road.lane_of(self.d_m)
        self._driver = Driver(scenario.driver, params.vehicle, self.d_m, seed)
        self._scene: Surroundings | None = None
        self.action: DriverAction = self._act(None)

    @property
    def done(self) -> bool:
        """Tell whether the scenario has played to its end."""
        return self.time_s >= self.scenario.duration_s

    def step(
        self,
        dt_s: float,
        accel_request_mps2: float | None = None,
        steering_request_rad: float | None = None,
        cue: Cue | None = None,
        gear_request: Gear | None = None,
        hold: bool = False,
    ) -> None:
        """Advance by ``dt_s`` (a multiple of 5 ms) with what the bus asks of the plant; None is no request.

        ``cue`` is what the driver has noticed of the assistance.
        """
        self.action = self._act(cue)
        before = [self._poses(actor) for actor in self.actors] if self.contact is None else []
        speed_before, time_before = self.car.speed_mps, self.time_s
        front = self.s_m + self.car.params.vehicle.front_x_m
        ego = Spot(front - self.car.params.vehicle.length_m, self.d_m, speed_before)
        for actor in self.actors:
            actor.step(dt_s, time_before, self.road, front, self.actors, speed_before, ego)
        self.car.step(dt_s, accel_request_mps2, steering_request_rad, self.action, gear_request, hold)
        self.stamp_ns += nanoseconds(dt_s)
        self._scene = None
        self.s_m, self.d_m = self.road.to_road(self.car.x_m, self.car.y_m, self.s_m + speed_before * dt_s)
        if self.contact is None:
            self._look_for_contact(before, speed_before, time_before, dt_s)

    def _act(self, cue: Cue | None) -> DriverAction:
        return self._driver.act(self.time_s, self.stamp_ns, self.car, self.road, self.s_m, self.d_m, cue)

    def _poses(self, actor: Actor) -> tuple[Pose, Pose]:
        car = self.car
        return Pose(car.x_m, car.y_m, car.yaw_rad), Pose(actor.x_m, actor.y_m, actor.yaw_rad)

    def _look_for_contact(
        self, before: list[tuple[Pose, Pose]], speed_mps: float, time_s: float, dt_s: float
    ) -> None:
        """Keep the earliest touch within the step that has just ended."""
        hits = [i for i, box in enumerate(self.surroundings().boxes) if touches(box, self._outline)]
        touched = [(*first_touch(self.actors[i], before[i], self._poses(self.actors[i]), self._outline), i)
                   for i in hits]  # fmt: skip
        if not touched:
            return
        share, box, i = min(touched, key=lambda t: t[0])
        ego_mps = speed_mps + share * (self.car.speed_mps - speed_mps)
        vehicle = self.car.params.vehicle
        self.contact = Contact(
            self.actors[i].spec.name,
            time_s + share * dt_s,
            ego_mps,
            ego_mps - self.surroundings().boxes[i].vx_mps,
            100.0 * (0.5 + box.y_m / vehicle.width_m),
            box.x_m > vehicle.front_x_m - 0.3,
        )

    # --- what the stack may see ------------------------------------------------------------------------------

    def true_ego(self) -> EgoState:
        """Return the ego state without error."""
        return self.car.measured(self.stamp_ns)

    def true_friction(self) -> float:
        """Return the friction of the road."""
        return self.car.params.mu

    def driver_input(self) -> DriverInput:
        """Return the driver's controls as the bus reports them."""
        return self.action.controls

    def lanes(self) -> LaneLines:
        """Return the boundaries that lane perception would find in the picture of now."""
        pose = RoadPoint(self.car.x_m, self.car.y_m, self.car.yaw_rad, 0.0)
        rng = self.generator("lanes")
        return see_lanes(self.stamp_ns, self.road, pose, self.s_m, self.d_m, self.sensors.lanes, rng)

    def picture(self, renderer: CameraRenderer | None = None) -> Image:
        """Take a picture with the front camera: ``renderer``, or an own one for ``self.camera``.

        A renderer of the same road may serve several worlds; to make one takes about 0.2 s.
        """
        if renderer is None:
            self._renderer = self._renderer or CameraRenderer(self.road, self.camera, self.seed)
            renderer = self._renderer
        bodies = [
            Body(box, actor.spec.colour, actor.braking)
            for box, actor in zip(self.surroundings().boxes, self.actors, strict=True)
        ]
        car = self.car
        return Image(self.stamp_ns, renderer.render(car.x_m, car.y_m, car.yaw_rad, self.s_m, bodies))

    # --- what really is ----------------------------------------------------------------------------------------

    def surroundings(self) -> Surroundings:
        """Return bodies and guard rails in base_link."""
        if self._scene is None:
            car = self.car
            own = Pose(car.x_m, car.y_m, car.yaw_rad)
            boxes = tuple(
                box_at(actor, Pose(actor.x_m, actor.y_m, actor.yaw_rad), own, actor.velocity_mps)
                for actor in self.actors
            )
            posts = self.road.rail_posts(self.s_m, _RAIL_REACH_M)
            self._scene = Surroundings(boxes, self._to_ego(posts)) if posts else Surroundings(boxes)
        return self._scene

    def _to_ego(self, points: list[tuple[float, float]]) -> np.ndarray:
        c, s = math.cos(self.car.yaw_rad), math.sin(self.car.yaw_rad)
        return (np.array(points) - (self.car.x_m, self.car.y_m)) @ np.array([[c, -s], [s, c]])

    def truth(self) -> Truth:
        """Return the figures that judge the run."""
        vehicle, car = self.car.params.vehicle, self.car
        lane = self.road.lane_of(self.d_m)
        heading = car.yaw_rad - self.road.point(self.s_m).yaw_rad
        # The sides reach farthest at the front corners when turned, at the rear axle when straight.
        swing = vehicle.front_x_m * math.sin(heading)
        half = self.road.lane_width_m / 2.0
        home = self.road.lane_centres_m[self._start_lane]
        left_side = self.d_m + vehicle.width_m / 2.0 + max(swing, 0.0)
        right_side = self.d_m - vehicle.width_m / 2.0 + min(swing, 0.0)
        lead, gap, lead_mps = self._lead()
        closing = car.speed_mps - lead_mps if lead else 0.0
        return Truth(
            time_s=self.time_s,
            s_m=self.s_m,
            d_m=self.d_m,
            lane=lane,
            offset_m=self.d_m - home,
            to_left_m=home + half - left_side,
            to_right_m=right_side - (home - half),
            lead=lead.spec.name if lead else "",
            gap_m=gap,
            lead_speed_mps=lead_mps,
            ttc_s=gap / closing if lead and closing > 0.1 else math.inf,
            contact=any(touches(box, self._outline) for box in self.surroundings().boxes),
        )

    def _lead(self) -> tuple[Actor | None, float, float]:
        """Return the next body on the ego's strip of road, the gap to it and its speed along the road."""
        vehicle = self.car.params.vehicle
        front = self.s_m + vehicle.front_x_m
        best: tuple[Actor | None, float, float] = (None, math.inf, math.nan)
        for actor in self.actors:
            if not actor.spec.kind.solid:
                continue
            s, d, half_s, half_d, along = self._on_road(actor)
            gap = s - half_s - front
            beside = abs(d - self.d_m) > half_d + vehicle.width_m / 2.0
            if not beside and -vehicle.length_m < gap < best[1]:
                best = actor, gap, along
        return best

    def _on_road(self, actor: Actor) -> tuple[float, float, float, float, float]:
        """Return a body's place on the road, its half extents along and across it, and its speed along it."""
        spec = actor.spec
        if spec.way is None and spec.turned_rad == 0.0:
            return actor.s_m, actor.d_m, spec.length_m / 2.0, spec.width_m / 2.0, actor.speed_mps
        # A point ahead of the car is near the road at about the same distance along it.
        s, d = self.road.to_road(actor.x_m, actor.y_m, self.s_m + math.hypot(
            actor.x_m - self.car.x_m, actor.y_m - self.car.y_m))  # fmt: skip
        road_yaw = self.road.point(s).yaw_rad
        c, sine = math.cos(actor.yaw_rad - road_yaw), math.sin(actor.yaw_rad - road_yaw)
        half_s = (abs(c) * spec.length_m + abs(sine) * spec.width_m) / 2.0
        half_d = (abs(sine) * spec.length_m + abs(c) * spec.width_m) / 2.0
        vx, vy = actor.velocity_mps
        return s, d, half_s, half_d, vx * math.cos(road_yaw) + vy * math.sin(road_yaw)
