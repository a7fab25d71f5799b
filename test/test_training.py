"""A tiny training run on the CPU: it learns, resumes, repeats."""

import json
import math

import pytest

torch = pytest.importorskip("torch")

from adas_perception.models.train import LaneTrainConfig, Pool, _learning_rate, lane_loss, main, train_lane  # noqa: E402

TINY = dict(batch=4, fresh=1, pool=8, warmup=2, validation_pictures=2, validate_every=100, workers=0, device="cpu")


def scores(folder):
    return [json.loads(row) for row in (folder / "curve.jsonl").read_text().splitlines()]


def test_a_run_repeats_and_resumes(tmp_path):
    for name in ("a", "b"):
        best = train_lane(LaneTrainConfig(tmp_path / name, steps=3, **TINY))
        assert best == tmp_path / name / "best.pt" and best.is_file()
    assert scores(tmp_path / "a") == scores(tmp_path / "b")
    train_lane(LaneTrainConfig(tmp_path / "a", steps=5, resume=tmp_path / "a" / "last.pt", **TINY))
    assert [row["step"] for row in scores(tmp_path / "a")] == [3, 5]


def test_a_time_limit_ends_a_run_with_a_checkpoint(tmp_path):
    train_lane(LaneTrainConfig(tmp_path, steps=10_000, time_limit_s=0.5, **TINY))
    assert (tmp_path / "last.pt").is_file() and scores(tmp_path)[-1]["step"] < 50


def test_the_loss_falls_on_pictures_seen_again(tmp_path):
    few = {**TINY, "pool": 2, "validate_every": 1}
    train_lane(LaneTrainConfig(tmp_path / "long", steps=14, **few))
    losses = [row["loss"] for row in scores(tmp_path / "long")]
    assert sum(losses[-3:]) < 0.85 * sum(losses[:3])


def test_the_right_answer_costs_less_than_any_other():
    label = torch.zeros(1, 7, 2, 2)
    label[:, 1], label[:, 5], label[:, 6] = 1.0, 1.0, 1.0
    right, wrong = torch.full((1, 6, 2, 2), -5.0), torch.full((1, 6, 2, 2), -5.0)
    right[:, 1], right[:, 5], wrong[:, 2] = 5.0, 5.0, 5.0
    assert lane_loss(right, label) < 0.01 < lane_loss(wrong, label)
    label[:, 6] = 0.0
    assert lane_loss(wrong, label) == 0.0


def test_the_pool_keeps_the_latest_and_gives_from_all():
    pool = Pool(4, 1)
    for i in range(6):
        pool.add(torch.full((1, 8, 8, 3), i * 40, dtype=torch.uint8), torch.full((1, 7, 2, 2), float(i)))
    assert pool.count == 4
    _, labels = pool.draw(200)
    assert set(labels[:, 0, 0, 0].tolist()) == {2.0, 3.0, 4.0, 5.0}


def test_the_learning_rate_rises_then_falls_by_steps_or_time(tmp_path):
    config = LaneTrainConfig(tmp_path, steps=1000, warmup=100, time_limit_s=60.0)
    assert _learning_rate(50, 0.0, config) == pytest.approx(0.5)
    assert _learning_rate(100, 0.0, config) == pytest.approx(1.0)
    assert _learning_rate(1000, 0.0, config) == pytest.approx(0.01)
    assert _learning_rate(200, 60.0, config) == pytest.approx(0.01)
    assert math.isclose(_learning_rate(550, 0.0, config), 0.505, abs_tol=1e-6)


def test_the_command_line_knows_every_field(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--steps", "3"])
    assert "--out" in capsys.readouterr().err
    arguments = {**TINY, "steps": 1, "out": tmp_path}
    assert main([part for name, v in arguments.items() for part in (f"--{name.replace('_', '-')}", str(v))]) == 0
    assert (tmp_path / "best.pt").is_file()
