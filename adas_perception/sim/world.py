"""The world: the ego, its driver and the traffic on the road, stepped together, and what the sensors see of it.

Same scenario, same seed, same requests: same result, bit for bit. Every measurement draws from a generator of its
own, seeded by sensor and time, so that it does not matter who asks for what in which order.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from adas_perception.perception.camera import CameraModel
from adas_perception.sim.camera import DEFAULT_CAMERA, Body, CameraRenderer
from adas_perception.sim.driver import Driver
from adas_perception.sim.scenarios import Scenario
from adas_perception.sim.sensors import (
    RADARS,
    Box,
    EgoNoise,
    Surroundings,
    noisy_ego,
    range_ultrasonic,
    scan_radar,
)
from adas_perception.sim.traffic import Actor
from adas_perception.sim.vehicle import Car, CarParams, DriverAction
from adas_perception.types import DriverInput, EgoState, Image, RadarScan, UltrasonicEcho, nanoseconds

_RAIL_REACH_M = 120.0
_RAIL_POST_M = 4.0


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


class World:
    """A scenario in motion; time starts at ``start_ns``."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int = 0,
        params: CarParams | None = None,
        noise: EgoNoise | None = None,
        camera: CameraModel = DEFAULT_CAMERA,
        start_ns: int = 0,
    ) -> None:
        self.scenario = scenario
        self.road = scenario.road
        self.seed = seed
        self.start_ns = self.stamp_ns = start_ns
        self._noise = noise
        self.camera = camera
        self._renderer: CameraRenderer | None = None
        params = params or CarParams()
        x, y = self.road.to_map(scenario.start_s_m, scenario.start_d_m)
        start = self.road.point(scenario.start_s_m)
        self.car = Car(params, float(x), float(y), start.yaw_rad, scenario.start_speed_mps)
        self.car.settle(params.vehicle.steering_for(start.curvature, scenario.start_speed_mps))
        self.actors = tuple(Actor.from_spec(spec, self.road) for spec in scenario.actors)
        self.s_m, self.d_m = scenario.start_s_m, scenario.start_d_m
        self._start_lane = self.road.lane_of(self.d_m)
        self._driver = Driver(scenario.driver, params.vehicle, self.d_m)
        self.action: DriverAction = self._act()

    @property
    def time_s(self) -> float:
        """Return the time since the start."""
        return (self.stamp_ns - self.start_ns) / 1e9

    @property
    def done(self) -> bool:
        """Tell whether the scenario has played to its end."""
        return self.time_s >= self.scenario.duration_s

    def step(
        self, dt_s: float, accel_request_mps2: float | None = None, steering_request_rad: float | None = None
    ) -> None:
        """Advance by ``dt_s`` (a multiple of 5 ms) with what the bus asks of the plant; None is no request."""
        self.action = self._act()
        front = self.s_m + self.car.params.vehicle.front_x_m
        for actor in self.actors:
            actor.step(dt_s, self.time_s, self.road, front, self.actors)
        self.car.step(dt_s, accel_request_mps2, steering_request_rad, self.action)
        self.stamp_ns += nanoseconds(dt_s)
        self.s_m, self.d_m = self.road.to_road(self.car.x_m, self.car.y_m, self.s_m)

    def _act(self) -> DriverAction:
        return self._driver.act(self.time_s, self.stamp_ns, self.car, self.road, self.s_m, self.d_m)

    def _rng(self, sensor: str) -> np.random.Generator:
        return np.random.default_rng((self.seed, zlib.crc32(sensor.encode()), self.stamp_ns - self.start_ns))

    # --- what the stack may see ------------------------------------------------------------------------------

    def ego(self) -> EgoState:
        """Return the measured ego state."""
        state = self.car.measured(self.stamp_ns)
        return state if self._noise is None else noisy_ego(state, self._noise, self._rng("ego"))

    def driver_input(self) -> DriverInput:
        """Return the driver's controls as the bus reports them."""
        return self.action.controls

    def radar(self, name: str) -> RadarScan:
        """Scan with the radar ``front``, ``rear_left`` or ``rear_right``."""
        ego = self.car.measured(self.stamp_ns)
        return scan_radar(name, RADARS[name], self.stamp_ns, ego, self.surroundings(), self._rng(name))

    def ultrasonics(self) -> tuple[UltrasonicEcho, ...]:
        """Measure with all twelve ultrasonic rangers."""
        return range_ultrasonic(self.stamp_ns, self.surroundings(), self._rng("ultrasonic"))

    def picture(self, renderer: CameraRenderer | None = None) -> Image:
        """Take a picture with the front camera: ``renderer``, or an own one for ``self.camera``.

        A renderer of the same road may serve several worlds; to make one takes about 0.2 s.
        """
        if renderer is None:
            self._renderer = self._renderer or CameraRenderer(self.road, self.camera, self.seed)
            renderer = self._renderer
        bodies = [
            Body(box, actor.spec.rgb, actor.braking)
            for box, actor in zip(self.surroundings().boxes, self.actors, strict=True)
        ]
        car = self.car
        return Image(self.stamp_ns, renderer.render(car.x_m, car.y_m, car.yaw_rad, self.s_m, bodies))

    # --- what really is ----------------------------------------------------------------------------------------

    def surroundings(self) -> Surroundings:
        """Return bodies and guard rails in base_link."""
        car = self.car
        c, s = math.cos(car.yaw_rad), math.sin(car.yaw_rad)
        boxes = []
        for actor in self.actors:
            dx, dy, (vx, vy) = actor.x_m - car.x_m, actor.y_m - car.y_m, actor.velocity_mps
            boxes.append(Box(
                c * dx + s * dy, c * dy - s * dx, math.remainder(actor.yaw_rad - car.yaw_rad, math.tau),
                actor.spec.length_m, actor.spec.width_m, actor.spec.height_m, c * vx + s * vy, c * vy - s * vx,
            ))  # fmt: skip
        posts = _RAIL_POST_M * np.arange(
            math.ceil((self.s_m - _RAIL_REACH_M) / _RAIL_POST_M), math.ceil((self.s_m + _RAIL_REACH_M) / _RAIL_POST_M)
        )
        rails = [self.road.to_map(posts, d) for d in self.road.rails_m] or [np.empty((0, 2))]
        rail = np.concatenate(rails) - (car.x_m, car.y_m)
        return Surroundings(tuple(boxes), rail @ np.array([[c, -s], [s, c]]))

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
        lead, gap = self._lead()
        closing = car.speed_mps - lead.speed_mps if lead else 0.0
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
            lead_speed_mps=lead.speed_mps if lead else math.nan,
            ttc_s=gap / closing if lead and closing > 0.1 else math.inf,
            contact=any(self._touches(box) for box in self.surroundings().boxes),
        )

    def _lead(self) -> tuple[Actor | None, float]:
        vehicle = self.car.params.vehicle
        front = self.s_m + vehicle.front_x_m
        best: Actor | None = None
        best_gap = math.inf
        for actor in self.actors:
            gap = actor.s_m - actor.spec.length_m / 2.0 - front
            beside = abs(actor.d_m - self.d_m) > (actor.spec.width_m + vehicle.width_m) / 2.0
            if not beside and -vehicle.length_m < gap < best_gap:
                best, best_gap = actor, gap
        return best, best_gap

    def _touches(self, box: Box) -> bool:
        """Tell whether a body overlaps the ego (separating axes of two rectangles)."""
        vehicle = self.car.params.vehicle
        if math.hypot(box.x_m, box.y_m) > 15.0:
            return False
        half_w = vehicle.width_m / 2.0
        ego = np.array([
            [vehicle.front_x_m, half_w], [-vehicle.rear_overhang_m, half_w],
            [-vehicle.rear_overhang_m, -half_w], [vehicle.front_x_m, -half_w],
        ])  # fmt: skip
        other = box.corners()
        c, s = math.cos(box.yaw_rad), math.sin(box.yaw_rad)
        for axis in np.array([[1.0, 0.0], [0.0, 1.0], [c, s], [-s, c]]):
            a, b = ego @ axis, other @ axis
            if a.max() < b.min() or b.max() < a.min():
                return False
        return True
