"""`adas replay --compare`, `adas bag check` and `adas bag convert`."""

import shutil
from pathlib import Path

import can
import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the package rosbags (extra 'tools') is not installed")

from typer.testing import CliRunner

from adas_perception.can.car import CarEncoder
from adas_perception.can.codec import Codec
from adas_perception.cli import app
from adas_perception.params import ParameterError
from adas_perception.replay.bags import BagReader, BagWriter
from adas_perception.replay.health import check_bag
from adas_perception.replay.reference import Rules, compare, load_rules
from adas_perception.replay.topics import TYPES
from adas_perception.resources import config_path
from adas_perception.ros import convert
from adas_perception.types import DriverInput, EgoState, RadarScan, nanoseconds

BAGS = Path(__file__).parent / "data" / "bags"
REFERENCE = BAGS / "reference"
RECORD = "adas replay test/data/bags/short_* --record-reference test/data/bags/reference"


def adas(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


# --- process replay ----------------------------------------------------------------------------------------


def test_the_stack_says_what_it_said_when_the_references_were_recorded():
    status, text = adas("replay", *sorted(BAGS.glob("short_*")), "--compare", REFERENCE)
    assert status == 0, f"{text}\nwanted? then record them anew: {RECORD}"
    assert text.count("as the reference") == 3


def planted(tmp_path: Path, change) -> Path:
    """Return a folder of references in which ``change(message)`` has altered or dropped messages."""
    folder = tmp_path / "reference"
    folder.mkdir()
    shutil.copy(REFERENCE / "compare.yaml", folder)
    bag = "short_brake.outputs"
    with BagReader(REFERENCE / bag) as source, BagWriter(folder / bag) as writer:
        for message in source.messages():
            if change(message) is not False:
                writer.write(message.topic, message.type, message.stamp_ns, message.fields)
    return folder


def test_a_planted_change_is_named_with_field_time_and_tolerance(tmp_path):
    at_ns = nanoseconds(12.0)

    def change(message) -> None:
        if message.topic == "/adas/command" and message.stamp_ns == at_ns:
            message.fields.drive.acceleration = 0.5

    folder = planted(tmp_path, change)
    status, text = adas("replay", BAGS / "short_brake", "--compare", folder)
    assert status == 1
    assert "/adas/command drive.acceleration at 1.950 s: was 0.5" in text
    assert "tolerance 0.0001" in text
    rules = load_rules(folder / "compare.yaml")
    found = compare(folder / "short_brake.outputs", REFERENCE / "short_brake.outputs", rules)
    assert [(d.field, d.count) for d in found] == [("/adas/command drive.acceleration", 1)]


def test_a_change_of_a_cloud_or_a_state_is_named_by_its_column_or_key(tmp_path):
    seen = set()

    def change(message) -> None:
        if message.topic == "/adas/lka/state" and message.topic not in seen and message.fields.status[0].values:
            seen.add(message.topic)
            message.fields.status[0].values[0].value = "7.5"
        if message.topic == "/adas/radar/targets" and message.topic not in seen and message.fields.width:
            seen.add(message.topic)
            message.fields.data = message.fields.data.copy()
            message.fields.data[:4] = np.frombuffer(np.float32(99.0).tobytes(), np.uint8)

    folder = planted(tmp_path, change)
    found = compare(folder / "short_brake.outputs", REFERENCE / "short_brake.outputs", Rules({}))
    names = {difference.field for difference in found}
    assert "/adas/radar/targets x[0]" in names
    assert any(name.startswith("/adas/lka/state status.adas/lka.") for name in names)
    assert len(found) == len(seen)


def test_tolerances_and_ignored_fields_forgive(tmp_path):
    def change(message) -> None:
        if message.topic == "/adas/acc/request" and np.isfinite(message.fields.drive.acceleration):
            message.fields.drive.acceleration += 0.01

    folder = planted(tmp_path, change)
    bags = folder / "short_brake.outputs", REFERENCE / "short_brake.outputs"
    field = "/adas/acc/request drive.acceleration"
    assert [d.field for d in compare(*bags, Rules({"*": 0.005}))] == [field]
    assert compare(*bags, Rules({"*/request drive.*": 0.011})) == []
    assert compare(*bags, Rules({}, ("/adas/acc/* drive.acceleration",))) == []
    assert compare(*bags, Rules({}, ("/adas/acc/request *",))) == []


def test_missing_messages_and_missing_references_are_told(tmp_path):
    folder = planted(tmp_path, lambda m: m.topic != "/adas/bsd/state")
    status, text = adas("replay", BAGS / "short_brake", "--compare", folder)
    assert status == 1 and "/adas/bsd/state number of messages" in text
    status, text = adas("replay", BAGS / "short_drift", "--compare", folder)
    assert status == 2 and "--record-reference" in text


def test_a_reference_is_recorded_and_then_matches(tmp_path):
    assert adas("replay", BAGS / "short_drift", "--record-reference", tmp_path / "new")[0] == 0
    assert (tmp_path / "new" / "compare.yaml").is_file()
    assert adas("replay", BAGS / "short_drift", "--compare", tmp_path / "new")[0] == 0


@pytest.mark.parametrize("text", ["tolerance: {}", "tolerances: {'*': -1}", "tolerances: [1]", "ignored: x"])
def test_wrong_rules_are_named(tmp_path, text):
    path = tmp_path / "compare.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"compare\.yaml"):
        load_rules(path)


# --- check -------------------------------------------------------------------------------------------------

TICK = nanoseconds(0.05)


def drive(path: Path, skip=lambda topic, i: False, shift=lambda topic, i: 0, late_ns=0) -> Path:
    """Write 10 s of driver, vehicle and front radar at 20 Hz."""
    with BagWriter(path) as writer:
        for i in range(1, 201):
            now_ns = i * TICK
            for topic in ("vehicle/driver", "vehicle/odometry", "radar/front"):
                if skip(topic, i):
                    continue
                stamp_ns = now_ns + shift(topic, i)
                ego = EgoState(stamp_ns, 10.0)
                scan = RadarScan(stamp_ns, "front", np.zeros((0, 3)), np.zeros(0))
                message = {
                    "vehicle/driver": lambda ego=ego: convert.from_driver(DriverInput(ego.stamp_ns), ego),
                    "vehicle/odometry": lambda ego=ego: convert.from_ego(ego),
                    "radar/front": lambda scan=scan: convert.from_radar(scan),
                }[topic]()
                writer.write(f"/adas/{topic}", TYPES[topic], now_ns + late_ns, message)
    return path


def test_a_good_bag_is_fit(tmp_path):
    assert check_bag(drive(tmp_path / "bag"), {}, ()) == []
    assert adas("bag", "check", tmp_path / "bag", *BAGS.glob("short_*"))[0] == 0


@pytest.mark.parametrize(
    ("fault", "topic", "words"),
    [
        ({"skip": lambda t, i: t == "radar/front" and 100 <= i < 110}, "radar/front", "1 gaps, the longest 0.550 s"),
        ({"skip": lambda t, i: t == "radar/front" and i % 10}, "radar/front", "2 Hz, 8 to 50 Hz are needed"),
        ({"skip": lambda t, i: t == "vehicle/driver"}, "vehicle/driver", "is missing"),
        ({"shift": lambda t, i: -6 * TICK if t == "radar/front" and i == 50 else 0}, "radar/front", "go back"),
        ({"shift": lambda t, i: -10 * TICK if t == "radar/front" else 0}, "radar/front", "over 0.25 s old"),
        ({"late_ns": 10**18}, "radar/front", "another clock"),
    ],
)
def test_check_finds_what_is_wrong_and_where(tmp_path, fault, topic, words):
    findings = check_bag(drive(tmp_path / "bag", **fault), {}, ())
    assert any(finding.topic == topic and words in finding.text for finding in findings), findings
    status, text = adas("bag", "check", tmp_path / "bag")
    assert status == 1 and topic in text


def test_check_names_unusable_messages_and_needed_topics(tmp_path):
    bag = drive(tmp_path / "bag")
    broken = tmp_path / "broken"
    with BagReader(bag) as source, BagWriter(broken) as writer:
        for message in source.messages():
            if message.topic.endswith("driver"):
                message.fields.axes = message.fields.axes[:2]
            writer.write(message.topic, message.type, message.stamp_ns, message.fields)
    status, text = adas("bag", "check", broken, "--need", "vehicle/odometry,camera/image")
    assert status == 1
    assert "200 messages cannot be used: driver message with 2 axes" in text
    assert "camera/image: is missing" in text
    assert adas("bag", "check", tmp_path / "nowhere")[0] == 2


# --- convert -----------------------------------------------------------------------------------------------


def pictures(folder: Path, count=5) -> Path:
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:03}.png"), np.full((48, 64, 3), 20 * i, np.uint8))
    return folder


def video(path: Path, count=10) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for i in range(count):
        writer.write(np.full((48, 64, 3), 20 * i, np.uint8))
    writer.release()
    return path


def can_log(path: Path) -> Path:
    encoder = CarEncoder(Codec(config_path("adas.dbc")))
    with can.Logger(str(path)) as log:
        for i in range(1, 101):
            ego = EgoState(nanoseconds(i * 0.02), 20.0, 0.5, 0.01, 0.02)
            for frame in encoder.frames(ego, DriverInput(ego.stamp_ns, brake=0.25), (20.0,) * 4):
                message = can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False, channel="can0")
                message.timestamp = 1000.0 + i * 0.02
                log.on_message_received(message)
    return path


def content(bag: Path) -> dict[str, list]:
    found: dict[str, list] = {}
    with BagReader(bag) as reader:
        for message in reader.messages():
            found.setdefault(message.topic.removeprefix("/adas/"), []).append(message)
    return found


def test_a_folder_of_pictures_becomes_a_bag(tmp_path):
    made = tmp_path / "bag"
    status, text = adas("bag", "convert", pictures(tmp_path / "in"), made, "--rate", 10, "--speed-kmh", 36)
    assert status == 0, text
    found = content(made)
    images = found["camera/image/compressed"]
    assert len(images) == len(found["camera/camera_info"]) == 5
    assert images[1].stamp_ns - images[0].stamp_ns == nanoseconds(0.1)
    rgb = convert.to_image_compressed(images[3].fields).rgb
    assert rgb.shape == (48, 64, 3) and abs(int(rgb.mean()) - 60) < 3
    assert convert.to_ego(found["vehicle/odometry"][-1].fields, None).speed_mps == 10.0


def test_a_video_and_a_can_log_become_a_bag(tmp_path):
    made = tmp_path / "bag"
    status, text = adas(
        "bag", "convert", video(tmp_path / "in.avi"), made, "--can", can_log(tmp_path / "in.asc"), "--offset-s", 0.5,
        "--storage", "sqlite3", "--compression", "message",
    )  # fmt: skip
    assert status == 0, text
    found = content(made)
    joy = found["vehicle/driver"][-1].fields
    ego = convert.to_ego(found["vehicle/odometry"][-1].fields, joy)
    assert ego.speed_mps == pytest.approx(20.0, abs=0.05)
    assert ego.accel_mps2 == pytest.approx(0.5, abs=0.1)
    assert ego.steering_rad == pytest.approx(0.02, abs=1e-3)
    assert convert.to_driver(joy).brake == pytest.approx(0.25, abs=0.01)
    assert ego.x_m == pytest.approx(20.0 * 2.0, rel=0.05)
    first = found["camera/image/compressed"][0].stamp_ns - found["vehicle/odometry"][0].stamp_ns
    assert first == pytest.approx(nanoseconds(0.5), abs=nanoseconds(0.02))


def test_a_calibration_rectifies_and_must_fit(tmp_path):
    folder = pictures(tmp_path / "in", 1)
    camera = tmp_path / "camera.yaml"
    matrix = "{rows: 3, cols: 3, data: [50, 0, 32, 0, 50, 24, 0, 0, 1]}"
    text = (
        f"image_width: 64\nimage_height: 48\ncamera_matrix: {matrix}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0, 0, 0, 0]}\n"
        "projection_matrix: {rows: 3, cols: 4, data: [45, 0, 32, 0, 0, 45, 24, 0, 0, 0, 1, 0]}\n"
    )
    camera.write_text(text)
    assert adas("bag", "convert", folder, tmp_path / "bag", "--camera", camera)[0] == 0
    assert content(tmp_path / "bag")["camera/camera_info"][0].fields.p[0] == 45.0
    camera.write_text(text.replace("image_width: 64", "image_width: 65"))
    status, words = adas("bag", "convert", folder, tmp_path / "other", "--camera", camera)
    assert status == 2 and "65 x 48" in words


def test_the_real_minute_becomes_a_bag_that_is_fit(shared_data, tmp_path):
    segment = shared_data / "comma2k19" / "segment40"
    assert adas("bag", "convert", segment, tmp_path / "bag")[0] == 0
    assert check_bag(tmp_path / "bag", {}, ()) == []
    assert len(content(tmp_path / "bag")["radar/front"]) == 1200


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "nothing", "no such file or folder"),
        (lambda p: pictures(p / "in", 0), "no picture in it"),
        (lambda p: (p / "x.mp4").write_text("no video") and p / "x.mp4", "no picture in it"),
    ],
)
def test_a_source_that_is_none_is_named(tmp_path, make, words):
    status, text = adas("bag", "convert", make(tmp_path), tmp_path / "bag")
    assert status == 2 and words in text


def test_a_can_log_without_our_frames_is_named(tmp_path):
    log = tmp_path / "other.log"
    log.write_text("(1000.0) can0 7FF#00\n")
    status, text = adas("bag", "convert", pictures(tmp_path / "in"), tmp_path / "bag", "--can", log)
    assert status == 2 and "choose --vehicle" in text
