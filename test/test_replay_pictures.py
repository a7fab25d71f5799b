"""A bag with pictures through the shipped networks: lanes and boxes come out, and two runs are equal to the bit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("rosbags", reason="needs the extra 'tools'")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from replay_bags import record

from adas_perception.replay.bags import BagReader
from adas_perception.replay.job import Job
from adas_perception.ros import convert

pytestmark = pytest.mark.slow
SECONDS, RATE_HZ = 2.0, 30


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> list[dict[str, list]]:
    """Return the messages of the output bags of two runs, by topic."""
    folder = tmp_path_factory.mktemp("pictures")
    record("demo", folder / "camera", SECONDS, camera=True)
    runs = []
    for run in ("first", "second"):
        result = Job(folder / "camera", bag=folder / run)()
        assert not result.error
        by_topic: dict[str, list] = {}
        with BagReader(result.bag) as bag:
            for message in bag.messages():
                by_topic.setdefault(message.topic.removeprefix("/adas/"), []).append(message)
        runs.append(by_topic)
    return runs


def test_every_picture_is_seen(outputs):
    lanes = [convert.to_lanes(m.fields) for m in outputs[0]["lanes"]]
    assert len(lanes) == pytest.approx(SECONDS * RATE_HZ, abs=2)
    seen = [scene for scene in lanes if scene.left is not None and scene.right is not None]
    assert len(seen) > 0.8 * len(lanes)
    assert any(m.fields.detections for m in outputs[0]["detections"])


def test_two_runs_are_equal_to_the_bit(outputs):
    first, second = outputs
    assert sum(map(len, first.values())) > 500
    assert {topic: repr(messages) for topic, messages in first.items()} == {t: repr(m) for t, m in second.items()}
