import importlib.util
import math
from collections import Counter
from pathlib import Path

import cantools
import numpy as np
import pytest

from adas_perception.perception.radar import RadarClusterer, RadarParams
from adas_perception.perception.tracking import Fusion, FusionParams
from adas_perception.replay.comma2k19 import (
    FIRST_TRACK,
    RADAR_BUS,
    TRACKS,
    SegmentError,
    iter_events,
    parse_frame,
    read_frames,
)
from adas_perception.types import DriverInput, EgoState, RadarScan, seconds


@pytest.fixture(scope="module")
def segment(shared_data):
    folder = shared_data / "comma2k19" / "segment40"
    if not folder.is_dir():
        pytest.skip(f"no comma2k19 segment at {folder}")
    return folder


@pytest.fixture(scope="module")
def events(segment):
    return list(iter_events(segment))


@pytest.fixture(scope="module")
def objects(events):
    """Return (stamp, ego, objects) of every radar cycle."""
    clusterer, fusion, ego, rows = RadarClusterer(RadarParams()), Fusion(FusionParams()), None, []
    for stamp_ns, event in events:
        if isinstance(event, EgoState):
            ego = event
        elif isinstance(event, RadarScan) and ego is not None:
            targets = clusterer.step(event, ego)
            rows.append((stamp_ns, ego, fusion.step(stamp_ns, [targets], None, ego, None)))
    assert clusterer.rejected == 0 and fusion.rejected == 0
    return rows


def processed(segment, name):
    folder = segment / "processed_log" / name
    return np.load(folder / "t"), np.load(folder / "value")


def egos(events):
    return [e for _, e in events if isinstance(e, EgoState)]


def test_events_come_in_the_order_of_time_and_cover_the_minute(events):
    stamps = [stamp for stamp, _ in events]
    assert stamps == sorted(stamps)
    assert seconds(stamps[-1] - stamps[0]) == pytest.approx(60.0, abs=0.1)
    assert all(stamp == event.stamp_ns for stamp, event in events)
    kinds = Counter(type(event) for _, event in events)
    assert kinds[RadarScan] == 1200 and kinds[EgoState] > 4900 and kinds[DriverInput] == 3000


def test_speed_is_that_of_the_processed_log_and_of_the_camera_poses(segment, events):
    ego = egos(events)
    t = np.array([e.stamp_ns for e in ego]) / 1e9
    speed = np.array([e.speed_mps for e in ego])
    when, value = processed(segment, "CAN/speed")
    assert np.abs(np.interp(t, when, value[:, 0]) - speed).max() < 0.2
    poses = np.linalg.norm(np.load(segment / "global_pose" / "frame_velocities"), axis=1)
    frames = np.load(segment / "global_pose" / "frame_times")
    assert np.abs(np.interp(frames, t, speed) - poses).mean() < 0.2


def test_acceleration_is_the_slope_of_the_speed(events):
    ego = egos(events)
    driven = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    t, a = np.array([e.stamp_ns for e in ego]) / 1e9, np.array([e.accel_mps2 for e in ego])
    assert driven(a, t) == pytest.approx(ego[-1].speed_mps - ego[0].speed_mps, abs=0.7)
    assert np.percentile(np.abs(a), 99) < 4.0


def test_heading_agrees_with_the_camera_poses(segment, events):
    """The road is nearly straight: the poses turn by less than a degree in the minute."""
    velocity = np.load(segment / "global_pose" / "frame_velocities")
    up = np.load(segment / "global_pose" / "frame_positions")[0]
    up = up / np.linalg.norm(up)
    east = np.cross([0.0, 0.0, 1.0], up)
    east = east / np.linalg.norm(east)
    heading = np.unwrap(np.arctan2(velocity @ np.cross(up, east), velocity @ east))
    turned = egos(events)[-1].yaw_rad - egos(events)[0].yaw_rad
    assert turned == pytest.approx(heading[-1] - heading[0], abs=math.radians(3.0))


def test_steering_is_that_of_the_processed_log(segment, events):
    when, value = processed(segment, "CAN/steering_angle")
    ego = egos(events)[10:]
    wheel = np.array([math.degrees(e.steering_rad) for e in ego])
    angle = np.interp([e.stamp_ns / 1e9 for e in ego], when, value)
    assert np.corrcoef(wheel, angle)[0, 1] > 0.99
    assert np.abs(angle).max() / np.abs(wheel).max() == pytest.approx(16.88, rel=0.05)


def test_radar_is_that_of_the_processed_log(segment, events):
    """The processed log holds distances from 2.7 m behind the radar and counts lateral distance the same way."""
    when, value = processed(segment, "CAN/radar")
    known = np.column_stack([value[:, 0] - 2.7, value[:, 1], value[:, 2]])
    found = 0
    scans = [e for _, e in events if isinstance(e, RadarScan)][100:1100:50]
    rows = [(s.stamp_ns / 1e9, *xyz[:2], rate) for s in scans for xyz, rate in zip(s.xyz, s.range_rate, strict=True)]
    for t, *row in rows:
        near = known[np.abs(when - t) < 0.03]
        found += bool(len(near)) and bool((np.abs(near - row) < 0.05).all(axis=1).any())
    assert len(rows) > 50 and found / len(rows) > 0.9


def test_layouts_are_those_of_opendbc(segment):
    spec = importlib.util.find_spec("opendbc")
    if spec is None or spec.origin is None:
        pytest.skip("opendbc is not installed; pip install --no-deps opendbc brings toyota_adas.dbc")
    theirs = cantools.database.load_file(Path(spec.origin).parent / "dbc" / "toyota_adas.dbc")
    compared = 0
    for frame in read_frames(segment):
        if frame.bus == RADAR_BUS and 0 <= frame.id - FIRST_TRACK < TRACKS:
            want = theirs.decode_message(frame.id, frame.data, decode_choices=False)
            have = parse_frame(frame)
            assert [have[n] for n in ("AHEAD", "RIGHT", "RATE", "VALID")] == pytest.approx(
                [want[n] for n in ("LONG_DIST", "LAT_DIST", "REL_SPEED", "VALID")]
            )
            compared += 1
            if compared == 4000:
                break
    assert compared == 4000


def test_the_lead_is_one_track_for_most_of_the_minute(objects):
    """From 8 s on the car follows one car; before, its lead leaves the lane."""
    leads, missing = [], 0
    for stamp_ns, _, found in objects:
        if seconds(stamp_ns - objects[0][0]) < 9.0:
            continue
        ahead = [t for t in found.tracks if abs(t.y_m) < 1.7 and t.vx_mps > 2.0]
        if ahead:
            leads.append(min(ahead, key=lambda t: t.x_m))
        else:
            missing += 1
    assert missing == 0 and len(leads) > 1000
    assert len({t.id for t in leads}) == 1
    assert np.std(np.diff([t.rear_x_m for t in leads])) < 0.1


def test_standing_objects_stand_and_moving_ones_have_the_speeds_of_traffic(objects):
    speeds = np.array([t.vx_mps for _, _, found in objects for t in found.tracks])
    still = np.abs(speeds) < 1.0
    assert 0.05 < still.mean() < 0.9
    assert (np.abs(speeds) < 26.0).all()
    assert ((speeds < -1.0).mean()) < 0.02


def test_accelerations_are_those_of_calm_traffic(objects):
    ax = np.array([t.ax_mps2 for _, _, found in objects for t in found.tracks if t.vx_mps > 5.0 and t.age > 20])
    assert np.percentile(np.abs(ax), 99) < 4.0


def test_a_folder_that_is_no_segment_is_named(tmp_path):
    with pytest.raises(SegmentError, match=r"processed_log.*not a readable array"):
        list(iter_events(tmp_path))
