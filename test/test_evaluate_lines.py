"""Scores of lines: arithmetic, files, the command, and what the shipped network reaches on labelled real pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.models.evaluate_lines import Lines, read_lines, score_all, score_picture
from adas_perception.params import ParameterError

LABELS = Path(__file__).resolve().parent / "data" / "udacity_lanes.json"
SIZE = (640, 360)
UPRIGHT = np.array([[300.0, 350.0], [300.0, 150.0]])


def moved(line, dx):
    return line + np.array([dx, 0.0])


def test_a_perfect_answer_scores_one():
    score = score_picture([UPRIGHT], Lines((UPRIGHT,)), SIZE, 15.0)
    assert (score.precision, score.recall, score.f1, score.iou) == (1.0, 1.0, 1.0, 1.0)


@settings(deadline=None)
@given(st.floats(-40.0, 40.0))
def test_only_what_is_near_counts(dx):
    score = score_picture([moved(UPRIGHT, dx)], Lines((UPRIGHT,)), SIZE, 15.0)
    assert score.f1 == pytest.approx(1.0 if abs(dx) <= 15.0 else 0.0, abs=1e-9)
    assert score.iou == pytest.approx(max(0.0, (30 - abs(dx)) / (30 + abs(dx))), abs=0.08)


def test_half_a_line_is_half_the_recall_and_an_extra_line_half_the_precision():
    half = np.array([[300.0, 350.0], [300.0, 250.0]])
    score = score_picture([half], Lines((UPRIGHT,)), SIZE, 5.0)
    assert score.precision == 1.0 and score.recall == pytest.approx(0.5, abs=0.04)
    score = score_picture([UPRIGHT, moved(UPRIGHT, 100)], Lines((UPRIGHT,)), SIZE, 5.0)
    assert score.precision == pytest.approx(0.5) and score.recall == 1.0


def test_doubtful_lines_are_neither_right_nor_wrong():
    truth = Lines((UPRIGHT,), (moved(UPRIGHT, 100),))
    with_doubt = score_picture([UPRIGHT, moved(UPRIGHT, 100)], truth, SIZE, 15.0)
    assert with_doubt == score_picture([UPRIGHT], Lines((UPRIGHT,)), SIZE, 15.0)


def test_what_lies_outside_the_picture_does_not_count():
    beyond = np.array([[300.0, 700.0], [300.0, 350.0], [300.0, 150.0]])
    assert score_picture([beyond], Lines((UPRIGHT,)), SIZE, 15.0).precision == 1.0


def test_the_number_of_points_of_a_line_does_not_matter():
    dense = np.stack([np.full(101, 300.0), np.linspace(350.0, 150.0, 101)], axis=-1)
    one, other = (score_picture([a], Lines((b,)), SIZE, 15.0) for a, b in ((dense, UPRIGHT), (UPRIGHT, dense)))
    assert one == other


def test_a_picture_without_an_answer_is_missed():
    total, each = score_all({}, {"a": Lines((UPRIGHT,)), "b": Lines(())}, {"a": SIZE, "b": SIZE})
    assert total.recall == 0.0 and total.f1 == 0.0 and set(each) == {"a", "b"}


@pytest.mark.parametrize(("text", "sentence"), [
    ("[", "not a JSON file"), ("[]", "expected {picture"), ('{"a": 3}', "x.json: a: expected 'lines'"),
    ('{"a": {"lines": [["x", 1]]}}', "x.json: a: expected 'lines'"),
])  # fmt: skip
def test_broken_files_are_named(tmp_path, text, sentence):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ParameterError, match="x.json") as told:
        read_lines(tmp_path / "x.json")
    assert sentence in str(told.value)


def test_the_command_scores_a_file_of_lines(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((360, 640, 3), np.uint8))
    entry = {"a.png": {"lines": [UPRIGHT.tolist()]}}
    (tmp_path / "labels.json").write_text(json.dumps(entry))
    labels, lanes = str(tmp_path / "labels.json"), str(tmp_path / "labels.json")
    result = CliRunner().invoke(
        app, ["evaluate", "lane", labels, "--pictures", str(tmp_path), "--lanes", lanes, "--each"]
    )
    scores = json.loads(result.output)
    assert scores["f1"] == 1.0 and scores["each"]["a.png"]["iou"] == 1.0 and scores["pictures"] == 1


def test_the_labels_are_whole():
    labels = read_lines(LABELS)
    assert len(labels) == 20 and all(len(entry.lines) >= 3 for entry in labels.values())


def test_the_shipped_network_on_labelled_motorway_pictures(shared_data, monkeypatch):
    """By a wide margin better than TwinLiteNet on the same pictures, and good in itself."""
    monkeypatch.setenv("ADAS_MODELS", str(shared_data / "models"))
    scores = {}
    for model in ("lane_v2", "twinlitenet_360x640"):
        arguments = ["evaluate", "lane", str(LABELS), "--pictures", str(shared_data / "udacity"), "--model", model]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        scores[model] = json.loads(result.stdout)
    assert scores["lane_v2"]["f1"] > 0.94 and scores["lane_v2"]["precision"] > 0.92
    assert scores["lane_v2"]["f1"] > scores["twinlitenet_360x640"]["f1"] + 0.1
