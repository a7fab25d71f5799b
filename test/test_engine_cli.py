"""``adas engine`` in the terminal."""

import hashlib
import json

import pytest
from fake_cuda import FakeCuda
from fake_tensorrt import FakeTensorRt, network_file
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.inference.backend import BackendUnavailableError, ModelError
from adas_perception.inference.tensorrt import api

FIXED = {"inputs": {"x": [[1, 4], "float32"]}, "outputs": {"y": [[1, 4], "float32"]}}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    cuda = FakeCuda()
    trt = FakeTensorRt("10.3.0", cuda, dla_cores=2)
    monkeypatch.setattr(api, "load_tensorrt", lambda: trt)
    monkeypatch.setattr("adas_perception.inference.cuda.open_cuda", lambda library: cuda)
    monkeypatch.setenv("ADAS_ENGINES", str(tmp_path / "engines"))
    return trt


@pytest.fixture
def model(tmp_path):
    return network_file(tmp_path / "net.onnx", **FIXED, precision="fp16")


def adas(*arguments):
    return CliRunner().invoke(app, ["engine", *map(str, arguments)])


def test_build_then_find_then_clean(machine, model, tmp_path):
    copy = tmp_path / "copy.plan"
    first = adas("build", model, "--output", copy)
    assert first.exit_code == 0 and "built" in first.output and copy.stat().st_size > 0
    assert "in the cache" in adas("build", model).output
    assert "built" in adas("build", model, "--force").output
    assert "files removed" in adas("clean").output
    assert "built" in adas("build", model).output


def test_batches_and_dla_are_arguments(machine, tmp_path):
    free = network_file(tmp_path / "free.onnx", precision="fp16")
    assert adas("build", free, "--batch", "1,4,8", "--dla-core", 1, "--preset", "throughput").exit_code == 0
    config = machine.made["config"]
    assert config._profiles[0]._shapes["x"][2] == (8, 4) and config.DLA_core == 1
    for wrong in ("2,3", "a", "1,,8"):
        assert "neither one batch" in adas("build", free, "--batch", wrong).output


def test_a_waiting_program_gets_bare_percents(machine, model):
    *percents, last = adas("build", model, "--machine").output.splitlines()
    assert [float(p) for p in percents][-1] == 100.0 and "built" in last


def test_inspect_shows_layers_or_what_the_sidecar_says(machine, model, tmp_path, monkeypatch):
    adas("build", model)
    (plan,) = (tmp_path / "engines").glob("*.plan")
    facts = json.loads(adas("inspect", plan, "--json").output)
    assert facts["precisions"] == {"fp16": 1, "unknown": 1} and facts["gpu"] == "Fake GPU"
    text = adas("inspect", plan).output
    assert "input x FLOAT32 (1, 4)" in text and "fp16 1" in text and "layers  2" in text
    monkeypatch.setattr(api, "load_tensorrt", lambda: (_ for _ in ()).throw(BackendUnavailableError("no TensorRT")))
    assert "no TensorRT" in adas("inspect", plan).output
    with pytest.raises(ModelError, match="no such engine"):
        CliRunner().invoke(app, ["engine", "inspect", str(tmp_path / "gone.plan")], catch_exceptions=False)


def test_prebuild_builds_all_that_is_here_and_names_what_fails(machine, tmp_path, monkeypatch):
    entries = {
        "good": ("lane", network_file(tmp_path / "good.onnx", **FIXED)),
        "bad": ("object", network_file(tmp_path / "bad.onnx", **FIXED, build_error="no runner")),
        "gone": ("lane", tmp_path / "gone.onnx"),
    }
    text = "models:\n"
    for name, (kind, file) in entries.items():
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "00"
        text += f"  {name}: {{kind: {kind}, path: {file}, sha256: '{digest}'}}\n"
    (tmp_path / "models.yaml").write_text(text)
    monkeypatch.setattr("adas_perception.inference.models.config_path", lambda name: tmp_path / name)
    result = adas("prebuild", "--precision", "fp32", "--dla-core", 0)
    assert result.exit_code == 1
    assert "good: built" in result.output and "no runner" in result.output and "gone: not on this" in result.output
    assert machine.made["config"].__dict__.get("DLA_core") is None, "boxes are never put on the DLA"
    (tmp_path / "models.yaml").write_text("".join(line for line in text.splitlines(True) if "bad" not in line))
    assert adas("prebuild", "--precision", "fp32", "--dla-core", 0).exit_code == 0


def test_without_tensorrt_or_file_it_is_one_sentence(model, tmp_path, monkeypatch):
    monkeypatch.setattr(api, "load_tensorrt", lambda: (_ for _ in ()).throw(BackendUnavailableError("no TensorRT")))
    for arguments, said in ((("build", model), "only be built on the machine that runs it: no TensorRT"),
                            (("build", tmp_path / "gone.onnx"), "no such model file")):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            CliRunner().invoke(app, ["engine", *map(str, arguments)], catch_exceptions=False)
