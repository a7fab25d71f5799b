"""Automatic parking assist: searches slots, offers them, and drives into the one that the driver confirms.

The driver stays responsible (UN R79, ACSF of category A, at most 10 km/h): whatever he does ends the manoeuvre at
once, and so does the loss of any of the twelve sensors. The car is then braked and held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from adas_perception.functions import guide
from adas_perception.functions.apa.geometry import Array, Body, pose_at
from adas_perception.functions.apa.local_map import Heard, LocalMap, MapParams
from adas_perception.functions.apa.manoeuvre import Manoeuvre, ManoeuvreParams, Phase
from adas_perception.functions.apa.plan import Planner, PlanParams
from adas_perception.functions.apa.search import Search, SizeParams
from adas_perception.functions.apa.slots import Slot, SlotParams
from adas_perception.functions.apa.states import DRIVING, OverrideParams, Reason, State, override
from adas_perception.functions.apa.track import STANDING_MPS, Drive, TrackParams
from adas_perception.functions.apa.zones import ZoneParams
from adas_perception.functions.common import Press, driver_usable, ego_usable, finite
from adas_perception.limits import Limits
from adas_perception.params import Mount, Params, Ring, Vehicle, param
from adas_perception.safety.freshness import fresh
from adas_perception.types import (
    Decision,
    DriverInput,
    Echoes,
    EgoState,
    Function,
    FunctionState,
    Gear,
    Indicator,
    Level,
    Request,
    Side,
    nanoseconds,
)


@dataclass(frozen=True)
class ApaParams(Params):
    """Parameters of APA."""

    rule: str = param("standard", "own rule or the guide's", choices=("standard", "guide"))
    vehicle: Vehicle = Vehicle()
    ring: Ring = Ring()
    size: SizeParams = SizeParams()
    slots: SlotParams = SlotParams()
    map: MapParams = MapParams()
    plan: PlanParams = PlanParams()
    track: TrackParams = TrackParams()
    zones: ZoneParams = ZoneParams()
    manoeuvre: ManoeuvreParams = ManoeuvreParams()
    override: OverrideParams = OverrideParams()
    guide: guide.ApaRule = guide.ApaRule()
    ego_age_s: float = param(0.2, "oldest usable vehicle state", unit="s", low=0.02, high=1.0)
    driver_age_s: float = param(0.2, "oldest usable driver input", unit="s", low=0.02, high=1.0)
    echoes_age_s: float = param(0.2, "oldest usable echoes", unit="s", low=0.02, high=1.0)
    search_speed_max_mps: float = param(8.34, "fastest drive past, 30 km/h", unit="m/s", low=1.0, high=15.0)
    speed_max_mps: float = param(2.5, "faster than this the manoeuvre is given up", unit="m/s", low=0.5, high=2.8)
    confirm_s: float = param(10.0, "the driver has so long to let go of brake and wheel", unit="s", low=1.0, high=60.0)


@dataclass(frozen=True, slots=True)
class ApaDecision(Decision):
    """A decision with the slots on offer, nearest first, the planned path as (x, y, yaw), both in odometry.

    ``text`` is what the driver is told; ``map`` holds the known points (N, 2) in odometry, for pictures.
    """

    slots: tuple[Slot, ...] = ()
    path: tuple[tuple[float, float, float], ...] = ()
    text: str = ""
    map: Array | None = None


class Apa:
    """Automatic parking assist."""

    def __init__(self, params: ApaParams, limits: Limits) -> None:
        self._p = params
        rule = params.guide if params.rule == "guide" else None
        self._search = Search(params.size, params.slots, params.vehicle, rule)
        self._map = LocalMap(params.map)
        self._body = Body.outline(params.vehicle)
        self._planner = Planner(params.plan, params.vehicle)
        self._mounts: dict[str, Mount] = {name: params.ring.mount(name) for name in params.ring.names()}
        self._side_mounts = {name: mount for name, mount in self._mounts.items() if name.endswith("_side")}
        self._confirm, self._request = Press(), Press()
        self._state, self._reason = State.OFF, Reason.SEARCHING
        self._slots: tuple[Slot, ...] = ()
        self._manoeuvre: Manoeuvre | None = None
        self._since_ns = 0
        self._gear: Gear | None = None
        self._heard_ns: dict[str, int] = {}
        self._now_ns = 0
        self._silent: tuple[str, ...] = ()
        self._steering_limit = limits.lateral.steering_max_rad

    def step(self, now_ns: int, ego: EgoState | None, driver: DriverInput | None, echoes: Echoes | None) -> ApaDecision:
        """Decide one cycle."""
        p = self._p
        sample_ns = echoes.stamp_ns if echoes else 0
        usable_driver = driver if driver_usable(driver, now_ns, p.driver_age_s) else None
        confirm = usable_driver is not None and self._confirm.edge(usable_driver.park_confirm)
        cancel = usable_driver is not None and self._request.edge(usable_driver.park_request)
        wrong = self._unusable(now_ns, ego, echoes)
        self._now_ns = now_ns
        if wrong or ego is None or echoes is None:
            return self._lost(now_ns, sample_ns, wrong or Reason.EGO_STALE, ego)
        self._silent = echoes.silent
        if self._state in DRIVING:
            return self._drive(now_ns, ego, usable_driver, echoes, cancel)
        if self._state in (State.DONE, State.ABORTED):
            return self._stand(now_ns, ego, usable_driver, sample_ns)
        return self._look(now_ns, ego, usable_driver, echoes, confirm)

    # --- before the manoeuvre ---

    def _unusable(self, now_ns: int, ego: EgoState | None, echoes: Echoes | None) -> Reason | None:
        if not ego_usable(ego, now_ns, self._p.ego_age_s):
            return Reason.EGO_STALE
        if self._state in (State.DONE, State.ABORTED):
            return None
        # What was heard before the clock went back is of another time.
        heard = now_ns >= self._now_ns and fresh(echoes, now_ns, self._p.echoes_age_s)
        if self._state in DRIVING:
            return None if heard else Reason.ECHOES_STALE
        # Rangers rest at speed: that is no fault.
        if not 0.0 <= ego.speed_mps <= self._p.search_speed_max_mps:
            return Reason.SPEED
        if not heard:
            return Reason.ECHOES_STALE
        return None if ego.gear is Gear.DRIVE else Reason.GEAR

    def _look(
        self, now_ns: int, ego: EgoState, driver: DriverInput | None, echoes: Echoes, confirm: bool
    ) -> ApaDecision:
        """Search, offer, and take the driver's confirmation."""
        self._hear(now_ns, ego, echoes)
        self._map.passed(self._body, pose_at(ego, now_ns))
        self._map.tidy(now_ns, pose_at(ego, now_ns))
        self._slots = self._search.step(ego, echoes, self._side_mounts)
        state, reason = (State.OFFERED, Reason.SLOT_FOUND) if self._slots else (State.SEARCH, Reason.SEARCHING)
        if self._reason is Reason.NO_PATH and self._slots and abs(ego.speed_mps) < STANDING_MPS:
            reason = Reason.NO_PATH
        level = Level.OK if reason is not Reason.NO_PATH else Level.WARN
        if any(sensor in echoes.silent for sensor in self._side_mounts):
            reason, level = Reason.SENSOR_SILENT, Level.WARN
        if confirm and driver is not None and self._slots:
            reason, level = self._confirmed(now_ns, ego, driver, echoes)
            if self._manoeuvre is not None:
                state = State.CONFIRMED
        return self._decision(now_ns, echoes.stamp_ns, state, reason, level)

    def _confirmed(
        self, now_ns: int, ego: EgoState, driver: DriverInput, echoes: Echoes
    ) -> tuple[Reason, Level]:
        if echoes.silent:
            return Reason.SENSOR_SILENT, Level.WARN
        if abs(ego.speed_mps) > STANDING_MPS:
            return Reason.STOP_FIRST, Level.WARN
        p = self._p
        self._manoeuvre = Manoeuvre(
            p.manoeuvre, p.track, p.zones, p.size, self._planner, p.vehicle, self._chosen(driver), self._map
        )
        self._since_ns, self._gear = now_ns, ego.gear
        return Reason.REPLANNING, Level.OK

    def _chosen(self, driver: DriverInput) -> Slot:
        """Return the nearest slot on the side that the driver indicates, else the nearest."""
        side = {Indicator.LEFT: Side.LEFT, Indicator.RIGHT: Side.RIGHT}.get(driver.indicator)
        return next((slot for slot in self._slots if slot.side is side), self._slots[0])

    def _hear(self, now_ns: int, ego: EgoState, echoes: Echoes) -> dict[str, Heard | None]:
        """Take new echoes into the map; return how they were understood."""
        first = {point.sensor: point for point in reversed(echoes.points)}
        heard: dict[str, Heard | None] = {}
        for sensor, mount in self._mounts.items():
            echo = first.get(sensor)
            stamp_ns = (echo.stamp_ns or echoes.stamp_ns) if echo else echoes.stamp_ns
            if sensor in echoes.silent or stamp_ns <= self._heard_ns.get(sensor, 0):
                continue
            if echo is not None and not finite(echo.range_m):
                continue
            self._heard_ns[sensor] = stamp_ns
            range_m = echo.range_m if echo else math.inf
            heard[sensor] = self._map.hear(now_ns, sensor, mount, pose_at(ego, stamp_ns), range_m)
        return heard

    # --- the manoeuvre ---

    def _drive(
        self, now_ns: int, ego: EgoState, driver: DriverInput | None, echoes: Echoes, cancel: bool
    ) -> ApaDecision:
        manoeuvre = self._manoeuvre
        assert manoeuvre is not None
        end = self._ends(now_ns, ego, driver, echoes, cancel)
        if end is not None:
            return self._abort(now_ns, echoes.stamp_ns, ego, end)
        manoeuvre.hear(self._hear(now_ns, ego, echoes))
        self._map.tidy(now_ns, pose_at(ego, now_ns))
        if self._state is State.CONFIRMED and manoeuvre.phase is not Phase.PLANNING and self._driver_acts(driver):
            return self._decision(now_ns, echoes.stamp_ns, State.CONFIRMED, Reason.LET_GO, Level.OK, self._held(ego))
        drive = manoeuvre.step(now_ns, ego)
        if drive.gear is not None:
            self._gear = drive.gear
        if manoeuvre.phase is Phase.NO_PATH:
            if not manoeuvre.moves:
                self._manoeuvre = None
                return self._decision(now_ns, echoes.stamp_ns, State.OFFERED, Reason.NO_PATH, Level.WARN)
            return self._abort(now_ns, echoes.stamp_ns, ego, Reason.BLOCKED)
        if manoeuvre.phase is Phase.LOST:
            return self._abort(now_ns, echoes.stamp_ns, ego, Reason.OFF_PATH)
        state, reason = _SHOWN[manoeuvre.phase]
        if self._state is State.CONFIRMED and (manoeuvre.phase is Phase.PLANNING or self._driver_acts(driver)):
            state = State.CONFIRMED
        return self._decision(now_ns, echoes.stamp_ns, state, reason, Level.OK, drive)

    def _driver_acts(self, driver: DriverInput | None) -> bool:
        return driver is None or override(driver, self._p.override) is not None

    def _ends(
        self, now_ns: int, ego: EgoState, driver: DriverInput | None, echoes: Echoes, cancel: bool
    ) -> Reason | None:
        """Return why the manoeuvre ends now, None when it goes on."""
        if echoes.silent:
            return Reason.SENSOR_SILENT
        if driver is None:
            return Reason.DRIVER_STALE
        if cancel:
            return Reason.CANCELLED
        if abs(ego.speed_mps) > self._p.speed_max_mps:
            return Reason.TOO_FAST
        if ego.gear not in (self._gear, Gear.DRIVE if self._gear is Gear.REVERSE else Gear.REVERSE):
            return None if self._gear is Gear.PARK else Reason.DRIVER_SHIFTS
        acts = override(driver, self._p.override)
        # After confirming he may keep his foot on the brake for a while.
        waits = self._state is State.CONFIRMED and now_ns - self._since_ns < nanoseconds(self._p.confirm_s)
        if waits and acts in (Reason.DRIVER_BRAKES, Reason.DRIVER_STEERS):
            return None
        return acts

    def _abort(self, now_ns: int, sample_ns: int, ego: EgoState, reason: Reason) -> ApaDecision:
        """End the manoeuvre: brake, hold, leave the wheel to the driver."""
        self._manoeuvre = None
        self._since_ns = now_ns
        return self._decision(now_ns, sample_ns, State.ABORTED, reason, Level.ERROR, self._held(ego))

    def _held(self, ego: EgoState) -> Drive:
        stands = abs(ego.speed_mps) < STANDING_MPS
        brake = self._p.track.hold_mps2 if stands else self._p.track.brake_mps2
        return Drive(-brake, math.nan, None, hold=True)

    def _stand(self, now_ns: int, ego: EgoState, driver: DriverInput | None, sample_ns: int) -> ApaDecision:
        """Hold the car until the driver drives off or the gear is in park."""
        stands = abs(ego.speed_mps) < STANDING_MPS
        leaves = driver is not None and driver.accelerator > self._p.override.accelerator
        if self._state is State.ABORTED and stands and leaves and now_ns - self._since_ns > nanoseconds(_SETTLED_S):
            return self._lost(now_ns, sample_ns, Reason.SEARCHING, ego)
        if self._state is State.DONE and ego.gear is not Gear.PARK and self._gear is None:
            return self._lost(now_ns, sample_ns, Reason.GEAR, ego)
        if ego.gear is Gear.PARK:
            self._gear = None
            return self._decision(now_ns, sample_ns, self._state, self._reason, Level.OK)
        drive = self._held(ego)
        if self._state is State.DONE:
            drive = Drive(drive.accel_mps2, drive.steering_rad, Gear.PARK, hold=True)
        level = Level.OK if self._state is State.DONE else Level.ERROR
        return self._decision(now_ns, now_ns, self._state, self._reason, level, drive)

    def _lost(self, now_ns: int, sample_ns: int, reason: Reason, ego: EgoState | None) -> ApaDecision:
        """Without vehicle state or echoes: abort a manoeuvre, else forget the slots and be off."""
        if self._state in DRIVING and ego is not None:
            return self._abort(now_ns, now_ns, ego, reason)
        self._slots, self._manoeuvre, self._gear = (), None, None
        self._search.reset()
        self._map.clear()
        self._heard_ns.clear()
        level = Level.WARN if reason in (Reason.EGO_STALE, Reason.ECHOES_STALE) else Level.OK
        return self._decision(now_ns, sample_ns, State.OFF, reason, level)

    # --- what is told ---

    def _decision(
        self, now_ns: int, sample_ns: int, state: State, reason: Reason, level: Level, drive: Drive | None = None
    ) -> ApaDecision:
        self._state, self._reason = state, reason
        manoeuvre = self._manoeuvre
        values = {"slots": float(len(self._slots))}
        if self._slots:
            values["slot_length_m"] = self._slots[0].length_m
        values |= {f"silent_{sensor}": 1.0 for sensor in self._silent}
        if manoeuvre is not None:
            values |= {"moves": float(manoeuvre.moves), "plans": float(manoeuvre.plans)}
            if math.isfinite(manoeuvre.zone.way_m):
                values["obstacle_m"] = manoeuvre.zone.way_m
        request = Request(Function.APA, sample_ns)
        if drive is not None:
            limit = self._steering_limit
            steering = None if math.isnan(drive.steering_rad) else min(max(drive.steering_rad, -limit), limit)
            # A request to stand rests on the decision itself, not on echoes.
            stamp_ns = now_ns if drive.accel_mps2 < 0.0 else sample_ns
            request = Request(Function.APA, stamp_ns, drive.accel_mps2, steering, drive.gear, drive.hold)
        shown = FunctionState(Function.APA, now_ns, level, state.name, reason.name, values)
        path = tuple(tuple(pose) for pose in manoeuvre.poses()) if manoeuvre else ()
        return ApaDecision(request, shown, self._slots, cast(tuple[tuple[float, float, float], ...], path),
                           self._text(reason), self._map.points)  # fmt: skip

    def _text(self, reason: Reason) -> str:
        if reason is Reason.SENSOR_SILENT and self._silent:
            return f"{reason.value}: {', '.join(self._silent)}"
        return reason.value


_SETTLED_S = 1.0
_SHOWN = {
    Phase.PLANNING: (State.PAUSED, Reason.REPLANNING),
    Phase.DRIVING: (State.MANOEUVRING, Reason.DRIVING),
    Phase.WAITING: (State.PAUSED, Reason.OBSTACLE),
    Phase.DONE: (State.DONE, Reason.PARKED),
}
