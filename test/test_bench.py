"""``adas bench``: everybody runs in turn, and the report says what was measured on what."""

import json
import time

import pytest

from adas_perception.models import bench as module
from adas_perception.models.bench import EAGER, Contestant, _race, _results
from adas_perception.models.bench_cli import as_table, present_models, run_bench, verdict


def sleeper(seconds):
    return lambda: time.sleep(seconds)


def test_ratios_percentiles_and_the_verdict():
    contestants = [
        Contestant(EAGER, 1, sleeper(0.02), 10.0),
        Contestant("OpenVINO int8", 1, sleeper(0.002), 5.0),
        Contestant("OpenVINO int8", 4, sleeper(0.002), 5.0, device_ms=1.5),
    ]
    shares = []
    _race(contestants, 10, shares.append)
    eager, fast, batch = _results("net", contestants)
    assert shares[-1] == 1.0 and len(shares) == 10
    assert eager.ratio == 1.0 and fast.ratio == pytest.approx(10.0, rel=0.5)
    assert batch.ratio is None and batch.fps == pytest.approx(4e3 / batch.p50_ms)
    assert eager.p50_ms <= eager.p95_ms <= eager.p99_ms
    assert fast.keeps_30_fps
    assert "OpenVINO int8" in verdict("net", [eager, fast, batch]) and "5.0 x" in verdict("net", [eager, fast, batch])
    assert "no PyTorch here" in verdict("net", [batch])
    assert as_table([eager, fast, batch]).row_count == 3


def test_everybody_runs_once_in_every_round():
    order = []
    contestants = [Contestant(name, 1, lambda name=name: order.append(name), 0.0) for name in "abc"]
    _race(contestants, 2, lambda share: None)
    assert order == list("abcabc")


@pytest.mark.slow
def test_the_shipped_networks_are_measured_and_the_report_names_files_and_machine(tmp_path):
    assert run_bench(present_models()[:1], (1,), 3, 2, tmp_path) == 0
    written = json.loads((tmp_path / "bench.json").read_text())
    names = {result["name"] for result in written["results"]}
    assert {"ONNX Runtime fp32", "OpenVINO fp32"} & names
    assert all(len(digest) == 64 for file in written["files"].values() for digest in file.values())
    assert written["machine"]["CPU"] and written["settings"]["rounds"] == 3
    assert any("TensorRT" in line for line in written["absent"])
    assert (tmp_path / "bench.html").stat().st_size > 1e5


def test_a_contestant_that_does_not_load_is_listed(monkeypatch):
    def broken():
        raise RuntimeError("no such\n layer")

    monkeypatch.setattr(module, "_loaders", lambda *_: iter([("broken", broken)]))
    results, absent = module.bench(present_models()[:1], (1,), 3, 1, lambda name, share: None)
    assert results == [] and absent[0].endswith("broken, batch 1: no such layer")
