"""Bags on disk: storages, definitions, topic maps, and bytes that are broken."""

import json
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("rosbags", reason="the package rosbags (extra 'tools') is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.replay.bags import BagError, BagReader, BagWriter, Unreadable
from adas_perception.replay.job import Job
from adas_perception.replay.topics import DRIVER, ODOMETRY, TYPES, TopicError, choose, load_map
from adas_perception.ros import convert
from adas_perception.ros.convert.definitions import MORE, stand_in, typestore
from adas_perception.types import DriverInput, EgoState

BRAKE = Path(__file__).parent / "data" / "bags" / "short_brake"
MESSAGES = Path(__file__).parents[1] / "tools" / "msgs"
STEP_NS = 20_000_000
OURS = {f"/adas/{name}": kind for name, kind in TYPES.items()}


def small_bag(path: Path, storage="mcap", compression="none", count=30) -> Path:
    """Write a bag of a car that drives straight on."""
    with BagWriter(path, storage, compression) as writer:
        for i in range(1, count + 1):
            ego = EgoState(i * STEP_NS, 15.0)
            joy = convert.from_driver(DriverInput(i * STEP_NS), ego)
            writer.write("/adas/vehicle/driver", TYPES[DRIVER], i * STEP_NS, joy)
            writer.write("/adas/vehicle/odometry", TYPES[ODOMETRY], i * STEP_NS, convert.from_ego(ego))
    return path


KINDS = [
    ("mcap", "none"), ("mcap", "message"), ("mcap", "file"), ("mcap", "storage"),
    ("sqlite3", "none"), ("sqlite3", "file"), ("sqlite3", "message"),
]  # fmt: skip


@pytest.mark.parametrize(("storage", "compression"), KINDS)
def test_every_storage_and_compression_reads_the_same(tmp_path, storage, compression):
    copy = tmp_path / "copy"
    with BagReader(BRAKE) as source, BagWriter(copy, storage, compression) as writer:
        for message in list(source.messages())[:300]:
            writer.write(message.topic, message.type, message.stamp_ns, message.fields)
    with BagReader(BRAKE) as a, BagReader(copy) as b:
        pairs = list(zip(list(a.messages())[:300], b.messages(), strict=True))
    assert all(x[:3] == y[:3] and repr(x.fields) == repr(y.fields) for x, y in pairs)


def test_a_bare_file_is_a_bag_too(tmp_path):
    bag = small_bag(tmp_path / "bag")
    with BagReader(next(bag.glob("*.mcap"))) as reader:
        assert set(reader.types) == {"/adas/vehicle/driver", "/adas/vehicle/odometry"}
        assert len(list(reader.messages())) == 60


def test_a_bag_is_not_overwritten_unless_asked(tmp_path):
    small_bag(tmp_path / "bag")
    with pytest.raises(BagError, match="choose another folder"):
        BagWriter(tmp_path / "bag")
    BagWriter(tmp_path / "bag", replace=True).close()


# --- definitions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MORE))
def test_our_definitions_are_those_of_the_workspace(name):
    package, _, kind = name.split("/")
    text = (MESSAGES / package / "msg" / f"{kind}.msg").read_text()
    lines = (line.split("#")[0].split() for line in text.splitlines())
    fields = [" ".join(words) for words in lines if words and "=" not in " ".join(words)]

    def short(line: str) -> str:
        kind_of, field = line.split()
        return f"{kind_of.split('/')[-1]} {field}"

    assert [short(f) for f in fields] == [short(f) for f in MORE[name].splitlines()]


@pytest.mark.parametrize("name", sorted(MORE))
def test_our_definitions_hash_as_those_of_ros(name):
    package, _, kind = name.split("/")
    described = Path(sys.prefix) / "share" / package / "msg" / f"{kind}.json"
    if not described.is_file():
        pytest.skip(f"{package} is not installed in {sys.prefix}")
    hashes = {h["type_name"]: h["hash_string"] for h in json.loads(described.read_text())["type_hashes"]}
    assert typestore().hash_rihs01(name) == hashes[name]


def test_a_stand_in_has_the_fields_of_ros_and_no_others():
    message = stand_in("sensor_msgs/msg/Range")(range=2.5)
    assert (message.range, message.min_range, message.header.frame_id, message.ULTRASOUND) == (2.5, 0.0, "", 0)
    assert stand_in("nav_msgs/msg/Odometry")().pose.covariance.shape == (36,)
    with pytest.raises(AttributeError, match="colour"):
        stand_in("sensor_msgs/msg/Range")(colour=1)


# --- topic maps --------------------------------------------------------------------------------------------


def test_a_wrong_name_in_a_topic_map_gets_the_nearest(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("camera/imag: /front/image\n")
    with pytest.raises(TopicError, match=r"map\.yaml: .*did you mean camera/image"):
        load_map(path)
    path.write_text("camera/image: front\n")
    with pytest.raises(TopicError, match="'front' is no topic"):
        load_map(path)


def test_a_topic_that_is_not_in_the_bag_gets_the_nearest():
    types = {"/car/odom": TYPES[ODOMETRY], "/car/driver": TYPES[DRIVER]}
    with pytest.raises(TopicError, match="no topic '/car/odo' .*did you mean /car/odom"):
        choose(types, {ODOMETRY: "/car/odo"}, "drive.bag")
    with pytest.raises(TopicError, match=r"no vehicle state .*'vehicle/odometry: /car/odom'"):
        choose(types, {}, "drive.bag")
    assert choose(types, {ODOMETRY: "/car/odom"}, "drive.bag") == {"/car/odom": ODOMETRY}


def test_a_topic_of_another_type_is_named():
    with pytest.raises(TopicError, match="is of type sensor_msgs/msg/Imu"):
        choose(OURS | {"/adas/vehicle/driver": "sensor_msgs/msg/Imu"}, {}, "drive.bag")


def test_what_perception_made_is_read_only_where_its_sensors_are_missing():
    every = set(choose(OURS, {}, "bag").values())
    assert "camera/image" in every and not {"lanes", "detections", "radar/targets", "camera/image/compressed"} & every
    seen = {topic: kind for topic, kind in OURS.items() if not topic.startswith(("/adas/camera/im", "/adas/radar/f"))}
    names = set(choose(seen, {}, "bag").values())
    assert {"lanes", "detections"} <= names and "radar/targets" not in names


def test_foreign_names_are_replayed_by_a_map(tmp_path):
    bag, path = tmp_path / "foreign", tmp_path / "map.yaml"
    with BagReader(small_bag(tmp_path / "bag", count=100)) as source, BagWriter(bag) as writer:
        for message in source.messages():
            writer.write(message.topic.replace("/adas", "/car"), message.type, message.stamp_ns, message.fields)
    assert "no vehicle state" in Job(bag)().error
    path.write_text("vehicle/odometry: /car/vehicle/odometry\nvehicle/driver: /car/vehicle/driver\n")
    assert Job(bag, path)().drive.columns["speed_mps"][-1] == 15.0


# --- broken bytes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags")
    return [small_bag(folder / f"{s}_{c}", s, c) for s, c in KINDS], folder


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_end_in_one_named_error_or_in_counted_messages(bags, data):
    """Whatever is broken: the bag is named with a remedy, or single messages are told unreadable."""
    good, folder = bags
    source = data.draw(st.sampled_from(good))
    broken = folder / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    shutil.copytree(source, broken)
    file = data.draw(st.sampled_from(sorted(f.name for f in broken.iterdir())))
    content = bytearray((broken / file).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    (broken / file).write_bytes(bytes(content))
    try:
        with BagReader(broken) as reader:
            for message in reader.messages():
                assert message.reason if isinstance(message, Unreadable) else message.fields is not None
    except BagError as error:
        assert str(error).startswith(str(broken)) and ";" in str(error) and "\n" not in str(error)
    result = Job(broken)()
    assert result.drive is not None or str(broken) in result.error


def test_a_folder_that_is_no_bag_is_named(tmp_path):
    for path, words in ((tmp_path / "nothing", "no such bag"), (tmp_path, "metadata.yaml")):
        with pytest.raises(BagError, match=words):
            BagReader(path)
