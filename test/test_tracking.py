import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radar_scene import PERIOD_S, START_NS, Body, Scene, nearest, run, straight

from adas_perception.perception.camera import CameraModel
from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.types import (
    Detection,
    Detections,
    EgoState,
    ObjectClass,
    RadarTarget,
    RadarTargets,
    Sensor,
    nanoseconds,
)

REAR = ("rear_left", "rear_right")
CAMERA = CameraModel.from_fov(1280, 720, math.radians(60.0), height_m=1.4, x_m=1.8)


def follow(scene, body, seconds, sensors=("front",), skip=0.5):
    """Return rows of time, errors of x, y, vx, vy, and the ids of the track nearest to a body."""
    rows, ids = [], set()
    for t, objects in run(scene, seconds, sensors):
        world = body(t)
        if t < skip or world is None:
            continue
        true = scene.truth(t, world)
        track = nearest(objects, true.x, true.y)
        assert track is not None, f"no track at {t:.2f} s"
        rows.append((t, track.x_m - true.x, track.y_m - true.y, track.vx_mps - true.vx, track.vy_mps - true.vy))
        ids.add(track.id)
    return np.array(rows), ids


def rms(rows):
    return np.sqrt((rows[:, 1:] ** 2).mean(axis=0))


# --- the lead brakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("decel", [4.0, 6.0])
def test_braking_lead_is_known_within_three_tenths_of_a_second(decel, seed):
    lead = straight(36.0, 0.0, 20.0, -decel, start=1.5)
    scene = Scene(speed=20.0, bodies=(lead,), seed=seed)
    before, after, faces, speeds = [], [], [], []
    for t, objects in run(scene, 3.5):
        if t < 0.5:
            continue
        true = scene.truth(t, lead(t))
        (track,) = objects.tracks
        faces.append(track.rear_x_m - (true.x - true.length / 2.0))
        speeds.append(track.vx_mps - true.vx)
        if t < 1.49:
            before.append(track.ax_mps2)
        elif t > 1.79:
            after.append(track.ax_mps2 + decel)
    assert max(map(abs, faces)) < 0.3
    assert max(map(abs, speeds)) < 0.9
    assert np.std(before) < 0.35 and abs(np.mean(before)) < 0.2
    assert abs(after[0]) < 0.25 * decel
    assert np.std(after) < 0.5 and abs(np.mean(after)) < 0.35


def test_lead_that_stops_stays_a_track():
    lead = straight(40.0, 0.0, 10.0, -5.0, start=0.5)
    rows, ids = follow(Scene(speed=5.0, bodies=(lead,)), lead, 5.0)
    assert len(ids) == 1
    assert abs(rows[-20:, 3]).max() < 0.3


# --- other traffic ----------------------------------------------------------------------------------------


def cut_in(t):
    s = min(max((t - 1.0) / 2.5, 0.0), 1.0)
    vy = -3.5 * 6.0 * (s - s * s) / 2.5
    return Body(25.0 + 16.0 * t, 3.5 * (1.0 - 3.0 * s**2 + 2.0 * s**3), 16.0, vy, yaw=math.atan2(vy, 16.0))


def bend(t):
    angle, radius, speed = 0.12 * t + 0.25, 100.0, 12.0
    return Body(radius * math.sin(angle), radius * (1.0 - math.cos(angle)),
                speed * math.cos(angle), speed * math.sin(angle), yaw=angle)  # fmt: skip


CASES = {
    "cut-in": (Scene(speed=20.0), cut_in, 4.5, ("front",), (0.2, 0.4, 0.5, 1.0)),
    "car crossing": (Scene(speed=5.0), lambda t: Body(30, -30 + 10 * t, 0, 10, yaw=math.pi / 2), 3.4, ("front",),
                     (0.3, 0.6, 0.5, 1.0)),
    "oncoming": (Scene(speed=15.0), lambda t: Body(100 - 20 * t, 3.5, -20, yaw=math.pi), 2.3, ("front",),
                 (0.3, 0.4, 0.3, 1.0)),
    "stopped car": (Scene(speed=13.0), lambda t: Body(60, 0, 0), 3.5, ("front",), (0.3, 0.4, 0.2, 0.5)),
    "R 100 m": (Scene(speed=12.0, yaw_rate=0.12), bend, 5.0, ("front",), (0.2, 0.5, 0.3, 1.3)),
    "overtaking": (Scene(speed=20.0), lambda t: Body(-40 + 28 * t, 3.5, 28), 4.5, REAR, (0.3, 0.5, 0.5, 0.7)),
    "overtaken": (Scene(speed=20.0), lambda t: Body(3.0 + 14 * t, -3.5, 14), 6.0, REAR, (0.6, 0.5, 0.6, 0.9)),
    "follower": (Scene(speed=20.0), lambda t: Body(-15 + 20 * t, 0, 20), 4.0, REAR, (0.2, 0.3, 0.2, 0.6)),
    "from behind to ahead": (Scene(speed=20.0), lambda t: Body(-40 + 30 * t, 3.5, 30), 7.0, (*REAR, "front"),
                             (0.3, 0.5, 0.5, 0.7)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_traffic_is_one_steady_track(name):
    scene, body, seconds, sensors, limits = CASES[name]
    rows, ids = follow(dataclasses.replace(scene, bodies=(body,)), body, seconds, sensors)
    assert len(ids) == 1
    assert (rms(rows) < limits).all(), rms(rows)


def test_pedestrian_crossing_is_seen_to_walk():
    walker = lambda t: Body(30, -5 + 1.4 * t, 0, 1.4, yaw=math.pi / 2, length=0.5, width=0.6)  # noqa: E731
    scene = Scene(speed=8.0, bodies=(walker,))
    for t, objects in run(scene, 3.0):
        if t > 0.5:
            true = scene.truth(t, walker(t))
            (track,) = objects.tracks
            assert track.rear_x_m == pytest.approx(true.x - 0.3, abs=0.5)
            assert track.vy_mps == pytest.approx(1.4, abs=0.6)
            assert abs(track.vx_mps) < 0.3


@pytest.mark.parametrize(("sensors", "most", "worst"), [(("front",), 0.9, 2.5), (("front", *REAR), 1.4, 5.0)])
@pytest.mark.parametrize("step_m", [0.5, 4.0])
def test_guard_rail_does_not_move(step_m, sensors, most, worst):
    angle = np.arange(-0.2, 1.5, step_m / 105.0)
    rail = np.column_stack([105.0 * np.sin(angle), 100.0 - 105.0 * np.cos(angle)])
    scene = Scene(speed=12.0, yaw_rate=0.12, posts=rail)
    speeds = [math.hypot(o.vx_mps, o.vy_mps) for _, objects in run(scene, 5.0, sensors) for o in objects.tracks]
    assert len(speeds) > 500
    assert np.percentile(speeds, 95) < most and max(speeds) < worst


def test_lead_before_a_guard_rail_keeps_its_track():
    angle = np.arange(-0.1, 1.5, 2.0 / 105.0)
    rail = np.column_stack([105.0 * np.sin(angle), 100.0 - 105.0 * np.cos(angle)])
    rows, ids = follow(Scene(speed=12.0, yaw_rate=0.12, posts=rail, bodies=(bend,)), bend, 4.0)
    assert len(ids) == 1 and (rms(rows) < (0.3, 0.6, 0.4, 1.4)).all()


def test_two_cars_side_by_side_do_not_swap():
    left, right = straight(40, 3.5, 18), straight(40, 0, 18)
    scene = Scene(speed=18.0, bodies=(left, right))
    pairs = set()
    for t, objects in run(scene, 4.0):
        if t > 0.4:
            places = [scene.truth(t, b(t)) for b in (left, right)]
            pairs.add(tuple(nearest(objects, p.x, p.y).id for p in places))
    assert len(pairs) == 1 and len(set(pairs.pop())) == 2


# --- birth, ghosts, death ---------------------------------------------------------------------------------


def target(x=30.0, y=0.0, speed=0.0):
    return RadarTarget(x, y, speed, speed, 3, "front")


def cycle(k, *items, sensor="front"):
    return RadarTargets(START_NS + nanoseconds(k * PERIOD_S), sensor, items)


def feed(fusion, k, *items, **other):
    scan = cycle(k, *items, **other)
    return fusion.step(scan.stamp_ns, [scan], None, EgoState(scan.stamp_ns), None)


def test_the_third_cycle_confirms():
    fusion = Fusion(FusionParams())
    counts = [len(feed(fusion, k, target()).tracks) for k in range(4)]
    assert counts == [0, 0, 1, 1]


def test_the_age_counts_confirming_cycles():
    fusion = Fusion(FusionParams())
    for k in range(5):
        objects = feed(fusion, k, target())
    assert objects.tracks[0].age == 5 and objects.tracks[0].sources == Sensor.RADAR


@pytest.mark.parametrize("seed", range(10))
def test_ghosts_of_two_cycles_are_never_published(seed):
    rng, fusion = np.random.default_rng(seed), Fusion(FusionParams())
    ghosts: list[tuple[int, RadarTarget]] = []
    for k in range(200):
        ghosts = [(born, g) for born, g in ghosts if k - born < 2]
        if rng.random() < 0.3:
            ghosts.append((k, target(rng.uniform(5, 120), rng.uniform(-8, 8), rng.uniform(-20, 20))))
        assert feed(fusion, k, *(g for _, g in ghosts)).tracks == ()


def test_a_short_dropout_is_bridged_and_a_long_one_ends_the_track():
    fusion = Fusion(FusionParams())
    ids = [feed(fusion, k, target()).tracks for k in range(10)][-1]
    kept = [feed(fusion, k).tracks for k in range(10, 13)][-1]
    assert [t.id for t in kept] == [t.id for t in ids] and kept[0].score < ids[0].score
    assert [feed(fusion, k).tracks for k in range(13, 23)][-1] == ()


def test_a_track_out_of_every_view_ends_with_time():
    fusion = Fusion(FusionParams())
    for k in range(10):
        feed(fusion, k, target())
    assert len(feed(fusion, 20, sensor="rear_left").tracks) == 1
    assert feed(fusion, 24, sensor="rear_left").tracks == ()


def test_a_second_echo_of_one_object_is_no_second_object():
    fusion = Fusion(FusionParams())
    for k in range(3):
        feed(fusion, k, target())
    for k in range(3, 10):
        objects = feed(fusion, k, target(), target(x=32.5, y=0.6))
    assert len(objects.tracks) == 1


# --- time -------------------------------------------------------------------------------------------------


def test_the_same_cycle_again_changes_nothing():
    fusion = Fusion(FusionParams())
    for k in range(5):
        first = feed(fusion, k, target())
    assert feed(fusion, 4, target(x=31.0)) == first and fusion.rejected == 0


def test_an_older_cycle_of_the_same_sensor_is_rejected():
    fusion = Fusion(FusionParams())
    for k in range(5):
        first = feed(fusion, k, target())
    late = cycle(3, target(x=31.0))
    assert fusion.step(first.stamp_ns, [late], None, EgoState(first.stamp_ns), None) == first
    assert fusion.rejected == 1


@pytest.mark.parametrize("shift_s", [-0.35, 0.1])
def test_stale_and_future_cycles_are_rejected(shift_s):
    fusion = Fusion(FusionParams())
    feed(fusion, 0, target())
    now = START_NS + nanoseconds(1.0)
    scan = RadarTargets(now + nanoseconds(shift_s), "front", (target(),))
    fusion.step(now, [scan], None, EgoState(now), None)
    assert fusion.rejected == 1


@pytest.mark.parametrize("ego_age_s", [None, 0.25])
def test_without_fresh_ego_motion_the_objects_grow_old(ego_age_s):
    fusion = Fusion(FusionParams())
    for k in range(5):
        first = feed(fusion, k, target())
    scan = cycle(6, target())
    ego = None if ego_age_s is None else EgoState(scan.stamp_ns - nanoseconds(ego_age_s))
    assert fusion.step(scan.stamp_ns, [scan], None, ego, None) == first


def test_time_running_backwards_starts_anew():
    fusion = Fusion(FusionParams())
    for k in range(40, 50):
        feed(fusion, k, target())
    assert feed(fusion, 0, target()).tracks == ()
    assert [len(feed(fusion, k, target()).tracks) for k in (1, 2)] == [0, 1]


def test_a_late_cycle_of_another_sensor_is_laid_where_it_was_measured():
    """A rear radar that answers 0.2 s late must not drag a passing car back by the way it has driven since."""
    body = lambda t: Body(-25 + 30 * t, 3.5, 30)  # noqa: E731
    scene, radar = Scene(speed=20.0, bodies=(body,)), RadarParams()
    clusterer, fusion = RadarClusterer(radar), Fusion(FusionParams())
    waiting, errors = [], []
    for k in range(45):
        t = k * PERIOD_S
        ego = scene.ego(t)
        waiting.append(clusterer.step(scene.scan(t, "rear_left", radar.radars.rear_left), ego))
        scans = [RadarTargets(ego.stamp_ns, "front", ())] + ([waiting[k - 4]] if k >= 4 else [])
        objects = fusion.step(ego.stamp_ns, scans, None, ego, None)
        true = scene.truth(t, body(t))
        track = nearest(objects, true.x, true.y)
        if k > 12:
            errors.append((track.x_m - true.x, track.y_m - true.y))
    assert fusion.rejected == 0
    assert abs(np.array(errors)).max() < 1.0


def test_an_unknown_radar_is_named():
    with pytest.raises(ValueError, match="no radar 'roof'"):
        feed(Fusion(FusionParams()), 0, target(), sensor="roof")


def test_a_target_without_speed_over_ground_still_counts_by_its_place():
    fusion = Fusion(FusionParams())
    for k in range(6):
        objects = feed(fusion, k, target(speed=math.nan), target(x=math.nan))
    (track,) = objects.tracks
    assert track.rear_x_m == pytest.approx(30.0, abs=0.3) and math.isfinite(track.vx_mps)


NUMBERS = st.floats(-300.0, 300.0) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0])
TARGETS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 12), TARGETS, st.floats(-5.0, 60.0)), max_size=12))
def test_whatever_comes_the_objects_are_finite_and_their_ids_differ(cycles):
    fusion, now = Fusion(FusionParams()), START_NS
    for step, rows, speed in cycles:
        now += step * nanoseconds(PERIOD_S)
        scan = RadarTargets(now, "front", tuple(target(*row) for row in rows))
        objects = fusion.step(now, [scan], None, EgoState(now, speed, yaw_rate_radps=0.2), None)
        assert len({t.id for t in objects.tracks}) == len(objects.tracks)
        for t in objects.tracks:
            assert np.isfinite([t.x_m, t.y_m, t.vx_mps, t.vy_mps, t.ax_mps2, t.yaw_rad, t.score]).all()
            assert 0.0 < t.score < 1.0 and t.age >= 3


# --- camera -----------------------------------------------------------------------------------------------


def box(body, label, height, rng):
    corners = np.array([(a * body.length / 2, b * body.width / 2) for a in (-1, 1) for b in (-1, 1)])
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    ground = corners @ np.array([[c, s], [-s, c]]) + (body.x, body.y)
    uv = CAMERA.project(np.array([(*g, z) for g in ground for z in (0.0, height)]))
    x1, y1, x2, y2 = np.concatenate([uv.min(axis=0), uv.max(axis=0)]) + rng.normal(0.0, 1.5, 4)
    return Detection(label, 0.8, x1, y1, x2, y2)


def watch(body, label, height, ego_speed, with_radar, delay=2, cycles=60):
    """Yield truth and objects while the camera answers ``delay`` cycles late."""
    scene, radar = Scene(speed=ego_speed, bodies=(body,)), RadarParams()
    clusterer, fusion = RadarClusterer(radar), Fusion(FusionParams())
    pictures = []
    for k in range(cycles):
        ego = scene.ego(k * PERIOD_S)
        true = scene.truth(k * PERIOD_S, body(k * PERIOD_S))
        pictures.append(Detections(ego.stamp_ns, 1280, 720, (box(true, label, height, scene.rng),)))
        scans = [clusterer.step(scene.scan(k * PERIOD_S, "front", radar.radars.front), ego)] if with_radar else []
        objects = fusion.step(ego.stamp_ns, scans, pictures[k - delay] if k >= delay else None, ego, CAMERA)
        when = (objects.stamp_ns - START_NS) / 1e9
        yield k, scene.truth(when, body(when)), objects


def walk(t):
    return Body(30, -5 + 1.4 * t, 0, 1.4, yaw=math.pi / 2, length=0.5, width=0.6)


def test_radar_and_camera_agree_on_one_object_and_the_camera_names_it():
    for k, true, objects in watch(walk, ObjectClass.PEDESTRIAN, 1.75, 8.0, with_radar=True):
        if k > 12:
            (track,) = objects.tracks
            assert track.label is ObjectClass.PEDESTRIAN
            assert track.sources == Sensor.RADAR | Sensor.CAMERA
            assert (track.x_m, track.y_m) == pytest.approx((true.x, true.y), abs=0.4)
            assert track.width_m < 1.0


def test_the_camera_alone_tracks_a_pedestrian():
    errors = []
    for k, true, objects in watch(walk, ObjectClass.PEDESTRIAN, 1.75, 8.0, with_radar=False):
        if k > 15:
            (track,) = objects.tracks
            assert track.sources == Sensor.CAMERA
            errors.append((track.x_m - true.x, track.y_m - true.y, track.vy_mps - true.vy))
    assert (np.abs(errors).max(axis=0) < (2.5, 0.4, 0.5)).all()


def test_the_width_of_a_car_comes_from_the_camera():
    lorry = lambda t: dataclasses.replace(straight(40, 0, 20)(t), width=2.5)  # noqa: E731
    *_, (_, _, objects) = watch(lorry, ObjectClass.CAR, 1.5, 20.0, with_radar=True)
    assert objects.tracks[0].width_m == pytest.approx(2.5, abs=0.2)


def test_a_blind_camera_does_not_cost_the_radar_its_track():
    lead = straight(40, 0, 20)
    scene, radar = Scene(speed=20.0, bodies=(lead,)), RadarParams()
    clusterer, fusion = RadarClusterer(radar), Fusion(FusionParams())
    for k in range(80):
        ego = scene.ego(k * PERIOD_S)
        true = scene.truth(k * PERIOD_S, lead(k * PERIOD_S))
        items = (box(true, ObjectClass.CAR, 1.5, scene.rng),) if k < 20 else ()
        scans = [clusterer.step(scene.scan(k * PERIOD_S, "front", radar.radars.front), ego)]
        objects = fusion.step(ego.stamp_ns, scans, Detections(ego.stamp_ns, 1280, 720, items), ego, CAMERA)
    assert len(objects.tracks) == 1 and objects.tracks[0].age > 80


@pytest.mark.parametrize("size", [(0, 0), (640, 360)])
def test_boxes_may_be_in_pixels_of_another_size_or_of_an_unknown_one(size):
    scale = size[0] / 1280 if size[0] else 1.0
    fusion, lead = Fusion(FusionParams()), Body(30.0, 2.0, 0.0)
    seen = box(lead, ObjectClass.CAR, 1.6, np.random.default_rng(0))
    seen = dataclasses.replace(seen, **{k: getattr(seen, k) * scale for k in ("x1", "y1", "x2", "y2")})
    for k in range(5):
        stamp = START_NS + nanoseconds(k * PERIOD_S)
        objects = fusion.step(stamp, [], Detections(stamp, *size, (seen,)), EgoState(stamp), CAMERA)
    assert (objects.tracks[0].x_m, objects.tracks[0].y_m) == pytest.approx((30.0, 2.0), abs=1.5)


@pytest.mark.parametrize("label", [ObjectClass.TRAFFIC_LIGHT, ObjectClass.TRAFFIC_SIGN, ObjectClass.UNKNOWN])
def test_lights_and_signs_are_no_traffic(label):
    for _, _, objects in watch(walk, label, 1.75, 8.0, with_radar=False, cycles=20):
        assert objects.tracks == ()


def test_a_person_beside_a_parked_car_is_a_person_of_its_own():
    parked = Body(25.0, -3.0, 0.0)
    rng, fusion, radar = np.random.default_rng(0), Fusion(FusionParams()), RadarParams()
    scene, clusterer = Scene(bodies=(lambda t: parked,)), RadarClusterer(radar)
    for k in range(30):
        t = k * PERIOD_S
        ego = scene.ego(t)
        walker = Body(21.5, -2.5 + 1.4 * max(t - 0.5, 0.0), 0.0, 1.4, yaw=math.pi / 2, length=0.5, width=0.6)
        boxes = [box(parked, ObjectClass.CAR, 1.5, rng)]
        if t >= 0.5:
            boxes.append(box(walker, ObjectClass.PEDESTRIAN, 1.75, rng))
        scans = [clusterer.step(scene.scan(t, "front", radar.radars.front), ego)]
        objects = fusion.step(ego.stamp_ns, scans, Detections(ego.stamp_ns, 1280, 720, tuple(boxes)), ego, CAMERA)
        people = [o for o in objects.tracks if o.label is ObjectClass.PEDESTRIAN]
        if t >= 0.7:
            assert people and abs(people[0].y_m - walker.y) < 0.5
    assert sorted(o.label for o in objects.tracks) == [ObjectClass.CAR, ObjectClass.PEDESTRIAN]


def test_after_a_long_silence_nothing_old_is_left():
    fusion = Fusion(FusionParams())
    for k in range(10):
        feed(fusion, k, target())
    assert feed(fusion, 200, target()).tracks == ()
