"""Replay of recordings: the real Toyota minute, and recordings that are none."""

import json
import math

import pytest

from adas_perception.pipeline import load_pipeline
from adas_perception.replay.comma2k19 import iter_events
from adas_perception.replay.kpi import summarise
from adas_perception.replay.run import replay, replay_segment
from adas_perception.types import EgoState, nanoseconds


@pytest.fixture(scope="module")
def segment(shared_data):
    return shared_data / "comma2k19" / "segment40"


def test_acc_keeps_the_lead_and_aeb_stays_quiet_for_a_minute_of_real_traffic(segment, tmp_path):
    assert replay_segment(segment, tmp_path) == 0
    summary = json.loads((tmp_path / "replay.json").read_text())
    assert summary["duration_s"] > 59.0
    assert summary["aeb_interventions"] == 0
    assert summary["aeb_warnings"] == 0
    assert summary["lead_share"] > 0.95
    assert summary["acc_active_share"] > 0.95
    assert 5.0 < summary["gap_min_m"] < 15.0
    page = (tmp_path / "replay.html").read_text()
    assert "Gap to the lead" in page and "src=\"http" not in page


def test_the_same_recording_gives_the_same_decisions(segment):
    def run():
        events = (event for event in iter_events(segment) if event[0] < first + nanoseconds(8.0))
        return replay(events, load_pipeline())[1]

    first = next(iter_events(segment))[0]
    assert repr(run()) == repr(run())


def test_the_guides_rules_run_on_it_too(segment):
    first = next(iter_events(segment))[0]
    events = (event for event in iter_events(segment) if event[0] < first + nanoseconds(8.0))
    summary, _ = replay(events, load_pipeline("guide"))
    assert summary.acc_active_share > 0.5


def test_a_recording_without_radar_reports_no_lead_and_no_request():
    events = [(nanoseconds(i * 0.02), EgoState(nanoseconds(i * 0.02), 15.0)) for i in range(1, 200)]
    summary, rows = replay(events, load_pipeline())
    assert summary.lead_share == 0.0
    assert all(math.isnan(row.acc_request_mps2) and math.isnan(row.aeb_request_mps2) for row in rows)


def test_an_empty_recording_is_an_error():
    with pytest.raises(ValueError, match="no vehicle state"):
        summarise([], 0.05, 1.0)


def test_a_folder_that_is_no_segment_is_named(tmp_path, capsys):
    assert replay_segment(tmp_path, tmp_path / "out") == 2
    assert "not a readable array" in " ".join(capsys.readouterr().out.split())
