"""adas models: adding by path and by URL (a server on this machine), refusing, listing, trying."""

import functools
import hashlib
import http.server
import json
import shutil
import threading

import pytest
import yaml
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.inference import ModelError, load_model_spec
from adas_perception.inference.models import model_names, models_folder
from adas_perception.params import ParameterError

pytest.importorskip("pooch")
SPEC = "{input_name: picture, output_name: lanes, width_px: 512, height_px: 192, crop_top: 0.3}"


@pytest.fixture
def net(monkeypatch, tmp_path):
    """A copy of the shipped lane net and its checksum; the models folder is empty."""
    monkeypatch.setenv("ADAS_MODELS", str(tmp_path / "models"))
    file = tmp_path / "mine" / "net.onnx"
    file.parent.mkdir()
    shutil.copyfile(load_model_spec("lane_v2").file(), file)
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def server(net):
    """Serve the net's folder; returns the address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(net[0].parent))
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def adas(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def new(net, source=None):
    return ("add", "mine", source or net[0], "--sha256", net[1], "--kind", "lane", "--spec", SPEC)


def test_a_file_becomes_a_model_of_ones_own(net):
    result = adas(*new(net))
    assert result.exit_code == 0, result.output
    assert "ok" in result.output and (models_folder() / "mine.onnx").is_file()
    assert load_model_spec("mine").file() == models_folder() / "mine.onnx"
    assert "mine" in model_names() and "lane_v2" in model_names()
    assert yaml.safe_load((models_folder() / "models.yaml").read_text())["models"]["mine"]["sha256"] == net[1]


def test_a_url_is_fetched(net, server):
    result = adas(*new(net, f"{server}/net.onnx"))
    assert result.exit_code == 0, result.output
    assert load_model_spec("mine").url == f"{server}/net.onnx" and load_model_spec("mine").file().is_file()
    assert not list(models_folder().glob("*.part"))


def test_a_second_model_keeps_the_first(net):
    adas(*new(net))
    adas("add", "other", net[0], "--sha256", net[1], "--kind", "lane")
    assert {"mine", "other"} <= set(model_names())


@pytest.mark.parametrize("by_url", [False, True])
def test_another_file_than_expected_is_refused_and_nothing_stays(net, server, by_url):
    source = f"{server}/net.onnx" if by_url else net[0]
    result = adas("add", "mine", source, "--sha256", "0" * 64, "--kind", "lane")
    assert isinstance(result.exception, ModelError) and "0000" in str(result.exception)
    assert "mine" not in model_names() and list(models_folder().iterdir()) == []


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("add", "mine", "gone.onnx", "--sha256", "0" * 64, "--kind", "lane"), "gone.onnx: no such file"),
    (("add", "mine", "http://127.0.0.1:9/x", "--sha256", "0" * 64, "--kind", "lane"), "could not be fetched"),
    (("add", "mine", "gone.onnx", "--kind", "lane"), "give its sha256"),
    (("add", "mine", "gone.onnx", "--sha256", "0" * 64), "say its kind"),
    (("add", "mine", "gone.onnx", "--spec", "{"), "--spec is no YAML"),
    (("add", "mine", "gone.onnx", "--spec", "[1]"), "--spec: expected a mapping"),
])  # fmt: skip
def test_what_is_wrong_is_said(net, arguments, sentence):
    result = adas(*arguments)
    assert isinstance(result.exception, ModelError | ParameterError) and sentence in str(result.exception)


def test_verify_tells_absent_wrong_and_unfit(net):
    assert adas("verify").exit_code == 0
    assert adas("verify", "yolox_nano_416").exit_code == 1
    adas(*new(net))
    (models_folder() / "mine.onnx").write_bytes(b"x")
    adas("add", "unfit", net[0], "--sha256", net[1], "--kind", "lane", "--spec", "{output_name: other}")
    result = adas("verify", "--json")
    state = {item["name"]: item for item in json.loads(result.output)}
    assert result.exit_code == 1 and state["lane_v2"]["state"] == "ok"
    assert state["mine"]["state"] == "wrong" and "sha256 is" in state["mine"]["note"]
    assert state["unfit"]["state"] == "wrong" and "no output 'other'" in state["unfit"]["note"]
    assert state["yolox_nano_416"]["state"] == "absent"


def test_a_known_name_needs_only_its_file(net, shared_data):
    result = adas("add", "fastestdet_352", shared_data / "models" / "fastestdet_352.onnx")
    assert result.exit_code == 0, result.output
    listed = json.loads(adas("list", "--json").output)
    assert next(m for m in listed if m["name"] == "fastestdet_352")["state"] == "ok"
    assert not (models_folder() / "models.yaml").exists()


def test_without_a_folder_of_models_the_users_data_folder_counts(monkeypatch, tmp_path):
    monkeypatch.delenv("ADAS_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "adas_perception" / "models"
