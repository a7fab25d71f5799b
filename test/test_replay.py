"""Replay of recordings: the real Toyota minute, bags of the simulator, and what is none."""

import json
import math
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the package rosbags (extra 'tools') is not installed")

from adas_perception.limits import load_limits
from adas_perception.pipeline import Pipeline, load_config
from adas_perception.replay.bags import BagReader, BagWriter
from adas_perception.replay.events import BRAKING, CORRECTION, Event, judged
from adas_perception.replay.inputs import InputWatch
from adas_perception.replay.job import Job
from adas_perception.replay.kpi import Drive, columns_of, row_of, summarise
from adas_perception.replay.outputs import FORMS, full_name
from adas_perception.replay.perception import Perception
from adas_perception.replay.recording import Arrival, SegmentRecording, ahead
from adas_perception.replay.run import Options, run_replay
from adas_perception.replay.stack import Stack
from adas_perception.replay.topics import TYPES
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.ros.table import NODES
from adas_perception.types import DriverInput, EgoState, nanoseconds

BAGS = Path(__file__).parent / "data" / "bags"
BRAKE = BAGS / "short_brake"
STEP_NS = nanoseconds(0.05)


@pytest.fixture(scope="module")
def segment(shared_data):
    return shared_data / "comma2k19" / "segment40"


def stack(heard=lambda *_: None, preset="", shadow=True) -> Stack:
    config = load_config(preset)
    pipeline = Pipeline(config, load_limits(config_path("limits.yaml")), recorded=True)
    return Stack(pipeline, Perception(config), heard, shadow=shadow)


def drive_of(steps, width_m=1.8) -> Drive:
    rows = [row_of(steps[0].output.now_ns, step, width_m) for step in steps]
    return Drive("test", columns_of(rows), (), ())


def opening(segment, duration_s: float):
    arrivals = SegmentRecording(segment).arrivals()
    first = next(arrivals)
    return [first, *takewhile(lambda a: a.now_ns < first.now_ns + nanoseconds(duration_s), arrivals)]


# --- the real minute ---------------------------------------------------------------------------------------


def test_acc_keeps_the_lead_and_aeb_stays_quiet_for_a_minute_of_real_traffic(segment, tmp_path):
    assert run_replay(Options((segment,), out=tmp_path)) == 0
    summary = json.loads((tmp_path / "replay.json").read_text())["all"]
    assert summary["duration_s"] > 59.0
    assert "emergency braking" not in summary["interventions"]
    assert "collision warning" not in summary["interventions"]
    assert summary["lead_share"] > 0.95
    assert summary["acc_active_share"] > 0.95
    assert 5.0 < summary["distributions"]["gap_m"]["low"] < 25.0
    page = (tmp_path / "replay.html").read_text()
    assert "Gap to the lead" in page and 'src="http' not in page


def test_the_guides_rules_run_on_it_too(segment):
    steps = list(stack(preset="guide").steps(opening(segment, 8.0)))
    assert summarise([drive_of(steps)]).acc_active_share > 0.5


# --- bags --------------------------------------------------------------------------------------------------


def copy_of(bag: Path, target: Path, storage="mcap", compression="none", change=lambda m: m) -> Path:
    with BagReader(bag) as source, BagWriter(target, storage, compression) as writer:
        for message in source.messages():
            changed = change(message)
            if changed is not None:
                writer.write(changed.topic, changed.type, changed.stamp_ns, changed.fields)
    return target


def outputs(bag: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(bag.iterdir()) if file.suffix == ".mcap"]


def test_two_runs_say_the_same_to_the_bit_also_from_another_storage(tmp_path):
    other = copy_of(BRAKE, tmp_path / "short_brake", "sqlite3", "message")
    results = [Job(path, bag=tmp_path / str(i))() for i, path in enumerate((BRAKE, BRAKE, other))]
    said = [b"".join(repr(m).encode() for m in BagReader(r.bag).messages()) for r in results]
    assert len(said[0]) > 10_000 and said[0] == said[1] == said[2]
    assert repr(results[0].drive.columns) == repr(results[1].drive.columns)
    summaries = [summarise([r.drive]) for r in results]
    assert repr(summaries[0]) == repr(summaries[2])


def test_the_output_bag_holds_what_the_nodes_publish(tmp_path):
    result = Job(BRAKE, bag=tmp_path / "out")()
    with BagReader(result.bag) as bag:
        types = dict(bag.types)
        read = {m.topic: m for m in bag.messages()}
    expected = {"lanes", "detections", "perception/overlay/compressed", "objects/markers", "heartbeat", "/tf_static"}
    written = {topic for node in NODES if node.process not in ("can",) for topic in node.writes} - expected
    rare = {"parking/slots", "parking/path"}
    assert {full_name(t) for t in written - rare} <= set(types)
    assert {topic: FORMS[topic.removeprefix("/adas/")].type for topic in types if topic != "/diagnostics"} == {
        topic: kind for topic, kind in types.items() if topic != "/diagnostics"
    }
    command = convert.to_command(read["/adas/command"].fields)
    assert command.longitudinal.value in ("acc", "aeb", "none", "driver")
    objects = convert.to_objects(read["/adas/objects"].fields)
    assert objects.tracks and result.drive.columns["objects"][-1] == len(objects.tracks)


def test_a_replay_without_ros_says_the_same(tmp_path):
    """Where no message package can be imported, stand-ins take their place."""
    program = f"""
import sys
class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].endswith(("_msgs", "_interfaces")) or name == "rclpy":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoRos())
from pathlib import Path
from adas_perception.replay.job import Job
result = Job(Path({str(BRAKE)!r}), bag=Path({str(tmp_path / "without")!r}))()
assert not result.error, result.error
assert not [name for name in sys.modules if name.startswith("sensor_msgs")]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
    result = Job(BRAKE, bag=tmp_path / "with")()
    without = [repr(m) for m in BagReader(tmp_path / "without").messages()]
    assert without == [repr(m) for m in BagReader(result.bag).messages()]


def test_several_recordings_are_a_row_each_and_a_total_and_a_broken_one_stops_none(tmp_path, capsys):
    paths = (BRAKE, tmp_path / "nowhere", BAGS / "short_drift")
    assert run_replay(Options(paths, out=tmp_path / "out", bags=False)) == 2
    content = json.loads((tmp_path / "out" / "replay.json").read_text())
    first, broken, last = content["recordings"]
    assert "no such bag" in broken["error"] and "no such bag" in " ".join(capsys.readouterr().out.split())
    total = first["summary"]["distance_km"] + last["summary"]["distance_km"]
    assert content["all"]["distance_km"] == pytest.approx(total, abs=1e-3)
    assert content["all"]["interventions"]["lane correction"]["count"] >= 1
    assert not (tmp_path / "out" / "nowhere.outputs").exists()


def test_dask_workers_come_to_the_same(tmp_path):
    pytest.importorskip("distributed")
    paths = (BRAKE, BAGS / "short_drift")
    for jobs in (1, 2):
        assert run_replay(Options(paths, out=tmp_path / str(jobs), jobs=jobs)) == 0
    here, spread = (json.loads((tmp_path / str(n) / "replay.json").read_text()) for n in (1, 2))
    assert here["recordings"] == spread["recordings"] and here["all"] == spread["all"]
    for name in ("short_brake", "short_drift"):
        assert outputs(tmp_path / "1" / f"{name}.outputs") == outputs(tmp_path / "2" / f"{name}.outputs")


# --- steps, clocks, figures --------------------------------------------------------------------------------


def vehicle(now_ns: int, speed_mps=15.0):
    yield Arrival(now_ns, "vehicle/driver", DriverInput(now_ns))
    yield Arrival(now_ns, "vehicle/odometry", EgoState(now_ns, speed_mps))


def test_a_recording_without_radar_reports_no_lead_and_no_request():
    arrivals = [a for i in range(1, 200) for a in vehicle(i * nanoseconds(0.02))]
    drive = drive_of(list(stack().steps(arrivals)))
    assert summarise([drive]).lead_share == 0.0
    for name in ("acc_request_mps2", "aeb_request_mps2"):
        assert np.isnan(drive.columns[name]).all()


def test_a_recording_that_begins_again_goes_on():
    once = [a for i in range(200, 300) for a in vehicle(i * STEP_NS)]
    steps = list(stack().steps([*once, *once]))
    assert len(steps) > 190
    assert steps[-1].output.now_ns <= 300 * STEP_NS
    assert steps[-1].output.safety.mode.name == steps[90].output.safety.mode.name


def test_a_bag_of_another_clock_is_replayed_by_the_stamps(tmp_path):
    """A bag of a simulation, recorded without use_sim_time: the recorder's clock is decades ahead."""
    later = copy_of(BRAKE, tmp_path / "short_brake", change=lambda m: m._replace(stamp_ns=m.stamp_ns + 10**18))
    result = Job(later)()
    stale = sum(i.stale for i in result.drive.inputs)
    assert stale == 0
    assert summarise([result.drive]).acc_active_share == pytest.approx(
        summarise([Job(BRAKE)().drive]).acc_active_share, abs=0.05
    )


def test_inputs_are_counted_dropped_stale_and_rejected():
    watch = InputWatch()
    for i in range(100):
        if i not in (40, 41, 70):
            watch.take("radar/front", i * STEP_NS + (nanoseconds(0.4) if i == 90 else 0), i * STEP_NS)
    watch.reject("radar/front", "no field 'x'")
    figures = watch.figures()[0]
    assert (figures.messages, figures.dropped, figures.stale, figures.rejected) == (97, 3, 1, 1)
    assert figures.gap_max_s == pytest.approx(0.15)
    assert figures.rate_hz == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("kind", "change", "false"),
    [
        (BRAKING, {}, True),
        (BRAKING, {"driver_brake": 0.5}, False),
        (BRAKING, {"accel_mps2": -4.0}, False),
        (BRAKING, {"gap_m": 1.0}, False),
        (CORRECTION, {"line_m": 0.6}, True),
        (CORRECTION, {"line_m": 0.1}, False),
        (CORRECTION, {}, None),
    ],
)
def test_the_recorded_drive_tells_a_false_activation(kind, change, false):
    time_s = np.arange(0.0, 10.0, 0.05)
    calm = {"time_s": time_s, "driver_brake": 0.0 * time_s, "accel_mps2": 0.0 * time_s,
            "gap_m": 0.0 * time_s + 40.0, "line_m": np.full(len(time_s), math.nan)}  # fmt: skip
    soon = (time_s > 4.0) & (time_s < 5.0)
    table = calm | {name: np.where(soon, value, calm[name]) for name, value in change.items()}
    assert judged([Event(3.0, kind, "THREAT")], table)[0].false is false


def test_an_empty_recording_is_an_error():
    with pytest.raises(ValueError, match="no usable vehicle state"):
        columns_of([])


def test_a_folder_that_is_no_recording_is_named(tmp_path, capsys):
    assert run_replay(Options((tmp_path,), out=tmp_path / "out")) == 2
    assert "metadata.yaml" in " ".join(capsys.readouterr().out.split())


def test_reading_ahead_keeps_order_and_hands_errors_on():
    def source():
        yield from range(500)
        raise OSError("gone")

    got = []
    with pytest.raises(OSError, match="gone"):
        for item in ahead(source()):
            got.append(item)
    assert got == list(range(500))
    stream = ahead(iter(range(10**6)))
    assert next(stream) == 0
    stream.close()


def test_every_output_and_input_has_a_type_that_bags_know():
    from adas_perception.ros.convert.definitions import typestore

    assert {form.type for form in FORMS.values()} | set(TYPES.values()) <= set(typestore().fielddefs)
