"""Backends and the list of models."""

import hashlib
import subprocess
import sys
import types

import numpy as np
import pytest

from adas_perception.inference import ModelError, load_backend, load_model_spec
from adas_perception.inference.backend import Settings
from adas_perception.params import ParameterError

CPU = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def model():
    return load_model_spec("lane_v2").file()


@pytest.fixture
def no_tensorrt(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)


def picture(seed=0):
    return {"picture": np.random.default_rng(seed).integers(0, 255, (1, 192, 512, 3), dtype=np.uint8)}


def test_backends_agree(model):
    for module in CPU:
        pytest.importorskip(module)
    answers = [load_backend(model, name).infer(picture())["lanes"] for name in CPU]
    assert answers[0].shape == (1, 6, 48, 128)
    assert answers[0] == pytest.approx(answers[1], abs=1e-3)


@pytest.mark.parametrize("backend", CPU)
@pytest.mark.parametrize(("name", "precision"), [("lane_v2", "fp32"), ("lane_v2", "int8"), ("object_v3", "int8")])
def test_pictures_in_one_batch_do_not_touch_each_other(name, precision, backend):
    pytest.importorskip(backend)
    spec = load_model_spec(name)
    shape = (3, int(spec.spec["height_px"]), int(spec.spec["width_px"]), 3)
    pictures = np.random.default_rng(5).integers(0, 255, shape, dtype=np.uint8)
    together = load_backend(spec.file(precision), backend, Settings(batch=3)).infer({"picture": pictures})
    one = load_backend(spec.file(precision), backend)
    for n in range(3):
        for tensor, alone in one.infer({"picture": pictures[n : n + 1]}).items():
            np.testing.assert_allclose(together[tensor][n], alone[0], atol=1e-3)


def test_answers_stay_when_the_backend_runs_again(model):
    backend = load_backend(model)
    first = backend.infer(picture(1))["lanes"]
    kept = first.copy()
    second = backend.infer(picture(2))["lanes"]
    assert (first == kept).all() and (second != kept).any()


def test_auto_takes_the_first_that_works_and_says_why(model, no_tensorrt, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "openvino", None)
    backend = load_backend(model, "auto")
    assert backend.name == "onnxruntime"
    assert "tensorrt" in backend.reason and "openvino" in backend.reason
    assert load_backend(model, "onnxruntime").reason == "asked for"


def test_no_backend_at_all_is_one_sentence(model, no_tensorrt, monkeypatch):
    for module in CPU:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelError, match="no backend can run it.*adas check"):
        load_backend(model)


def test_an_empty_shell_is_not_tensorrt(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", types.ModuleType("tensorrt"))
    with pytest.raises(ModelError, match="empty shell"):
        load_backend(model, "tensorrt")


@pytest.mark.parametrize("name", CPU)
def test_broken_files_are_named(name, tmp_path):
    pytest.importorskip(name)
    for content, said in ((b"", "empty"), (b"hello " * 20, "not a model")):
        file = tmp_path / "net.onnx"
        file.write_bytes(content)
        with pytest.raises(ModelError, match=f"net.onnx.*{said}"):
            load_backend(file, name)
    with pytest.raises(ModelError, match="no such model file"):
        load_backend(tmp_path / "gone.onnx", name)


def test_unknown_backends_are_refused(model):
    with pytest.raises(ModelError, match="choose auto"):
        load_backend(model, "caffe")


# --- models.yaml ---


def listing(tmp_path, entry):
    file = tmp_path / "models.yaml"
    file.write_text(f"models:\n  net: {entry}\n")
    return file


def test_a_users_model_is_found_beside_the_list_and_verified(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"weights")
    good = hashlib.sha256(b"weights").hexdigest().upper()
    entry = f"{{kind: object, path: net.onnx, sha256: {good}, spec: {{width_px: 640}}}}"
    spec = load_model_spec("net", listing(tmp_path, entry))
    assert spec.file() == tmp_path / "net.onnx" and spec.spec == {"width_px": 640}
    (tmp_path / "net.onnx").write_bytes(b"tampered")
    with pytest.raises(ModelError, match="sha256"):
        spec.file()


def test_a_missing_file_names_its_source(tmp_path, monkeypatch):
    entry = "{kind: object, path: net.onnx, sha256: '00', url: 'https://example.org/net'}"
    spec = load_model_spec("net", listing(tmp_path, entry))
    with pytest.raises(ModelError, match="https://example.org/net.*ADAS_MODELS"):
        spec.file()
    other = tmp_path / "zoo"
    other.mkdir()
    (other / "net.onnx").write_bytes(b"weights")
    monkeypatch.setenv("ADAS_MODELS", str(other))
    with pytest.raises(ModelError, match="zoo/net.onnx: sha256"):
        spec.file()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("7", "must be a mapping"),
        ("{path: a, sha256: b}", "lacks kind"),
        ("{kind: lane, path: a}", "lacks sha256"),
        ("{kind: sound, path: a, sha256: b}", "choose lane or object"),
        ("{kind: lane, path: a, sha256: b, colour: red}", "does not know colour"),
    ],
)
def test_wrong_entries_are_named(tmp_path, entry, said):
    with pytest.raises(ModelError, match=said):
        load_model_spec("net", listing(tmp_path, entry))


def test_files_of_other_precisions(tmp_path):
    for name in ("net", "half"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    plain, half = (hashlib.sha256(name).hexdigest() for name in (b"net", b"half"))
    entry = f"{{kind: lane, path: net.onnx, sha256: {plain}, variants: {{fp16: {{path: half.onnx, sha256: {half}}}}}}}"
    spec = load_model_spec("net", listing(tmp_path, entry))
    assert spec.file().name == "net.onnx" and spec.file("fp16").name == "half.onnx"
    with pytest.raises(ModelError, match="no int8 file; known: fp32, fp16"):
        spec.file("int8")
    for wrong in ("fp8: {path: a, sha256: b}", "fp16: {path: a}", "fp16: 7"):
        broken = f"{{kind: lane, path: net.onnx, sha256: {plain}, variants: {{{wrong}}}}}"
        with pytest.raises(ModelError, match="variants are fp16 and int8"):
            load_model_spec("net", listing(tmp_path, broken))


def test_unknown_names_and_broken_lists(tmp_path):
    with pytest.raises(ModelError, match="known: net"):
        load_model_spec("other", listing(tmp_path, "{}"))
    (tmp_path / "models.yaml").write_text("models: [")
    with pytest.raises(ParameterError, match="models.yaml"):
        load_model_spec("net", tmp_path / "models.yaml")
    (tmp_path / "models.yaml").write_text("models: 7")
    with pytest.raises(ParameterError, match="mapping under 'models'"):
        load_model_spec("net", tmp_path / "models.yaml")


def test_every_shipped_entry_is_well_formed():
    from adas_perception.perception.lane_network import LaneSpec
    from adas_perception.perception.objects import DetectorSpec

    LaneSpec.from_mapping(load_model_spec("lane_v2").spec)
    DetectorSpec.from_mapping(load_model_spec("yolox_nano_416").spec)


def test_the_users_yolox_runs(shared_data, monkeypatch):
    monkeypatch.setenv("ADAS_MODELS", str(shared_data / "models"))
    backend = load_backend(load_model_spec("yolox_nano_416").file())
    (rows,) = backend.infer({"images": np.zeros((1, 3, 416, 416), np.float32)}).values()
    assert rows.shape == (1, 3549, 85)


# Ends with 3 if the import has forked, which its telemetry does in a thread.
IMPORT_AND_TELL = """
import atexit, os, sys
os.environ.pop("CI", None)
forks = []
sys.addaudithook(lambda event, _: forks.append(event) if event == "os.fork" else None)
atexit.register(lambda: os._exit(3) if forks else None)
{how}
"""


def test_openvino_reports_nothing_to_anybody():
    """The child of its fork hangs beside ROS threads, and a car has nothing to tell."""
    pytest.importorskip("openvino")
    how = "from adas_perception.inference.openvino_backend import load; load()"
    assert subprocess.run([sys.executable, "-c", IMPORT_AND_TELL.format(how=how)], timeout=60).returncode == 0
