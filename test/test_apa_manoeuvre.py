"""One manoeuvre in a world of points: what happens to a plan when the map changes under it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adas_perception.functions.apa.apa import ApaParams
from adas_perception.functions.apa.geometry import Body, Pose
from adas_perception.functions.apa.local_map import Heard, LocalMap, MapParams
from adas_perception.functions.apa.manoeuvre import Manoeuvre, ManoeuvreParams, Phase
from adas_perception.functions.apa.plan import Planner
from adas_perception.functions.apa.slots import Slot, SlotKind
from adas_perception.params import Mount, Vehicle
from adas_perception.sim.vehicle import Car, CarParams, DriverAction
from adas_perception.types import DriverInput, Side, nanoseconds

V = Vehicle()
P = ApaParams()
STEP_S = 0.05
SLOT = Slot(SlotKind.PERPENDICULAR, Side.RIGHT, 0.0, 0.0, 0.0, V.width_m + 1.2, math.inf, math.pi / 2.0)
BODY = Body.outline(V)


class Street:
    """A car behind a slot of which the map knows everything; no echoes but those that a test makes."""

    def __init__(self, params: ManoeuvreParams = P.manoeuvre) -> None:
        self.car = Car(CarParams(), x_m=4.0, y_m=1.9)
        self.map = LocalMap(MapParams())
        planner = Planner(P.plan, V)
        self.manoeuvre = Manoeuvre(params, P.track, P.zones, P.size, planner, V, SLOT, self.map)
        self.now_ns = nanoseconds(100.0)
        self.phases: list[Phase] = []

    @property
    def pose(self) -> Pose:
        return Pose(self.car.x_m, self.car.y_m, self.car.yaw_rad)

    def step(self) -> None:
        self.now_ns += nanoseconds(STEP_S)
        self.map.tidy(self.now_ns, self.pose)
        drive = self.manoeuvre.step(self.now_ns, self.car.measured(self.now_ns))
        hold = drive.hold and abs(self.car.speed_mps) <= 0.1
        action = DriverAction(DriverInput(0, hands_on=False))
        self.car.step(STEP_S, drive.accel_mps2, drive.steering_rad, action, drive.gear if hold else None, hold)
        self.phases.append(self.manoeuvre.phase)

    def until(self, *phases: Phase, limit_s: float = 90.0) -> Phase:
        for _ in range(int(limit_s / STEP_S)):
            self.step()
            if self.manoeuvre.phase in phases:
                return self.manoeuvre.phase
        raise AssertionError(f"still {self.manoeuvre.phase}")

    def drive(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP_S)):
            self.step()

    def appears(self, x: float, y: float) -> None:
        """Let something be heard again and again at a place, by a sensor that looks straight at it."""
        for _ in range(14):
            self.now_ns += nanoseconds(STEP_S)
            self.map.hear(self.now_ns, "front_left", Mount(0.0, 0.0, 0.5, 0.0), Pose(x - 1.0, y, 0.0), 1.0)


@pytest.fixture
def street():
    made = Street()
    assert made.until(Phase.DRIVING) is Phase.DRIVING
    made.drive(4.0)
    return made


def test_a_slot_is_driven_into_with_one_plan(street):
    assert street.until(Phase.DONE, Phase.NO_PATH) is Phase.DONE
    assert street.manoeuvre.plans == 1
    assert math.degrees(street.car.yaw_rad) == pytest.approx(90.0, abs=3.0)
    assert street.car.x_m == pytest.approx(0.0, abs=0.15)


def test_what_appears_in_the_planned_path_has_it_planned_anew_around_it(street):
    # Where the nose swings out to the street later on.
    swing = max(street.manoeuvre.poses(), key=lambda p: p.y_m + V.front_x_m * math.sin(p.yaw_rad))
    place = (swing.x_m + V.front_x_m * math.cos(swing.yaw_rad), swing.y_m + V.front_x_m * math.sin(swing.yaw_rad))
    before = street.manoeuvre.poses()
    street.appears(*place)
    street.step()
    assert street.manoeuvre.phase is Phase.PLANNING
    assert street.until(Phase.DRIVING, Phase.WAITING, Phase.NO_PATH) is Phase.DRIVING
    after = street.manoeuvre.poses()
    assert street.manoeuvre.plans == 2 and after != before
    shapely = pytest.importorskip("shapely.geometry", reason="shapely is not installed (extra dev)")
    assert min(body_at(shapely, pose).distance(shapely.Point(place)) for pose in after) >= 0.085
    assert street.until(Phase.DONE, Phase.NO_PATH, Phase.LOST) is Phase.DONE


def body_at(shapely, pose):
    c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    half = V.width_m / 2.0
    corners = [(V.front_x_m, half), (-V.rear_overhang_m, half), (-V.rear_overhang_m, -half), (V.front_x_m, -half)]
    return shapely.Polygon([(pose.x_m + c * a - s * b, pose.y_m + s * a + c * b) for a, b in corners])


def test_the_car_waits_for_what_goes_away_again(street):
    pose = street.pose
    c, s = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    reach = 0.1 + V.rear_overhang_m
    place = np.array([[pose.x_m - c * reach, pose.y_m - s * reach]])
    behind = Heard("rear_left", 0.1, pose, place, street.now_ns, True)
    for _ in range(10):
        street.manoeuvre.hear({"rear_left": behind})
        street.step()
    assert street.manoeuvre.phase is Phase.WAITING and abs(street.car.speed_mps) < 0.1
    for _ in range(60):
        street.manoeuvre.hear({"rear_left": None})
        street.step()
        if street.manoeuvre.phase is Phase.DRIVING:
            break
    assert street.manoeuvre.phase is Phase.DRIVING and street.manoeuvre.plans == 1


def test_a_car_that_is_pushed_off_its_path_is_lost(street):
    street.car.x_m += 2.0
    assert street.until(Phase.LOST, Phase.DONE, limit_s=0.2) is Phase.LOST


def test_what_appears_beside_the_path_changes_nothing(street):
    street.appears(-5.0, 5.5)
    street.step()
    assert street.manoeuvre.phase is Phase.DRIVING and street.manoeuvre.plans == 1


def test_without_another_way_the_car_does_not_go_on_with_the_old_one(street):
    street.appears(0.0, -2.5)  # in the middle of the slot
    street.step()
    assert street.manoeuvre.phase is Phase.PLANNING
    street.until(Phase.WAITING)
    stood = street.pose
    assert street.until(Phase.NO_PATH, Phase.DRIVING, limit_s=60.0) is Phase.NO_PATH
    assert math.dist(stood[:2], street.pose[:2]) < 0.05


def test_when_all_plans_are_used_up_a_changed_map_ends_the_manoeuvre():
    street = Street(ManoeuvreParams(replans_max=1))
    street.until(Phase.DRIVING)
    street.drive(4.0)
    street.appears(0.0, -2.5)
    street.step()
    assert street.manoeuvre.phase is Phase.NO_PATH
    street.drive(2.0)
    assert street.car.speed_mps == pytest.approx(0.0, abs=0.01)


def test_the_way_is_planned_anew_when_what_went_away_leaves_it_free(street):
    street.appears(0.0, -2.5)
    street.step()
    street.until(Phase.WAITING)
    street.map.free(SLOT.frame, 1.0, (-3.0, -2.0))
    assert street.until(Phase.DRIVING, Phase.NO_PATH) is Phase.DRIVING
    assert street.until(Phase.DONE, Phase.NO_PATH) is Phase.DONE


def test_a_neighbour_that_stands_nearer_than_measured_has_the_way_planned_anew(street):
    """Corrected points are known, not new: the zones would let the car come as near as to what the plan knows."""
    edge = street.map._xy[:, 0] < -SLOT.length_m / 2.0 + 0.01
    edge &= (street.map._xy[:, 0] > -SLOT.length_m / 2.0 - 0.3) & (street.map._xy[:, 1] < -0.5)
    assert edge.any()
    street.map._xy[edge, 0] += 0.48
    street.step()
    assert street.manoeuvre.phase is Phase.PLANNING
    assert street.until(Phase.DRIVING, Phase.NO_PATH, Phase.WAITING) is Phase.DRIVING
    known = street.map.points
    assert all(BODY.clearance(pose, known) > 0.085 for pose in street.manoeuvre.poses()[5:])


def test_room_to_spare_may_shrink_without_a_plan_anew(street):
    """Planned with 0.27 m around the car; a neighbour that stands 0.1 m nearer leaves enough."""
    before = street.manoeuvre.poses()
    sides = np.abs(street.map._xy[:, 0]) < SLOT.length_m / 2.0 + 0.05
    assert sides.any()
    street.map._xy[sides, 0] -= 0.1 * np.sign(street.map._xy[sides, 0])
    gap = min(BODY.clearance(pose, street.map.points) for pose in before)
    assert 0.14 < gap < 0.24
    street.step()
    assert street.manoeuvre.phase is Phase.DRIVING and street.manoeuvre.plans == 1


def test_points_before_the_row_from_passing_are_forgotten():
    street = Street()
    ghosts = np.array([[-1.4, 0.4], [1.3, 0.3], [0.4, -1.0]])
    street.map.assume(street.now_ns, ghosts, np.zeros(3))
    beyond = np.array([[-1.4, 4.5]])
    street.map.assume(street.now_ns, beyond, np.zeros(1))
    street.until(Phase.DRIVING)
    gaps = np.hypot(*(street.map.points[:, None] - ghosts[None]).transpose(2, 0, 1)).min(axis=0)
    assert (gaps > 0.1).all()
    assert np.hypot(*(street.map.points - beyond).T).min() < 1e-6
