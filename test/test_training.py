"""Tiny training runs on the CPU: they learn, resume, repeat, end; and the tasks' own parts."""

import json
import math

import pytest

torch = pytest.importorskip("torch")

from adas_perception.models.fit import FitConfig, fit, rate_at  # noqa: E402
from adas_perception.models.train_lane import LaneData, LaneTask, Pool, lane_loss  # noqa: E402


def scores(folder):
    return [json.loads(row) for row in (folder / "curve.jsonl").read_text().splitlines()]


def run(out, steps, resume=None, pool=8, every=100, **more):
    data = LaneData(steps=steps, batch=4, fresh=1, pool=pool, validation_pictures=2, workers=0)
    config = FitConfig(out, resume, steps=steps, warmup=2, validate_every=every, device="cpu", **more)
    return fit(LaneTask(data, "cpu"), config)


def test_a_run_repeats_and_resumes(tmp_path):
    for name in ("a", "b"):
        best = run(tmp_path / name, 3)
        assert best == tmp_path / name / "best.pt" and best.is_file()
    assert scores(tmp_path / "a") == scores(tmp_path / "b")
    run(tmp_path / "a", 5, resume=tmp_path / "a" / "last.pt")
    assert [row["step"] for row in scores(tmp_path / "a")] == [3, 5]


def test_a_time_limit_ends_a_run_with_a_checkpoint(tmp_path):
    run(tmp_path, 10_000, time_limit_s=0.5)
    assert (tmp_path / "last.pt").is_file() and scores(tmp_path)[-1]["step"] < 50


def test_patience_ends_a_run_that_gets_no_better(tmp_path):
    class Stuck:
        score = "none"

        def __init__(self):
            self.net = torch.nn.Linear(2, 1)

        def loss(self, net, step):
            return net(torch.ones(1, 2)).square().sum()

        def validate(self, net):
            return {"none": 0.5}

    fit(Stuck(), FitConfig(tmp_path, steps=50, warmup=0, validate_every=2, patience=3, device="cpu"))
    assert [row["step"] for row in scores(tmp_path)] == [2, 4, 6, 8]


def test_the_loss_falls_on_pictures_seen_again(tmp_path):
    run(tmp_path / "long", 14, pool=2, every=1)
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
    config = FitConfig(tmp_path, steps=1000, warmup=100, time_limit_s=60.0)
    assert rate_at(50, 0.0, config) == pytest.approx(0.5)
    assert rate_at(100, 0.0, config) == pytest.approx(1.0)
    assert rate_at(1000, 0.0, config) == pytest.approx(0.01)
    assert rate_at(200, 60.0, config) == pytest.approx(0.01)
    assert math.isclose(rate_at(550, 0.0, config), 0.505, abs_tol=1e-6)


def test_the_guides_rate_falls_to_a_tenth_every_three_epochs(tmp_path):
    config = FitConfig(tmp_path, optimiser="sgd", schedule="step", step_every=30, warmup=0)
    assert [rate_at(s, 0.0, config) for s in (1, 30, 31, 61)] == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_an_unknown_optimiser_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="choose adamw or sgd"):
        task = LaneTask(LaneData(validation_pictures=1, workers=0), "cpu")
        fit(task, FitConfig(tmp_path, optimiser="x", device="cpu"))
