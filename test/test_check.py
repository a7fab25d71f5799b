"""`adas check` looks at everything, never fails, and says what to do about each thing that is missing."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import types
from pathlib import Path

import pytest
from rich.console import Console

from adas_perception import check
from adas_perception.check import Item, State
from adas_perception.inference import models


def by_name(items: list[Item]) -> dict[str, Item]:
    return {item.name: item for item in items}


def test_the_report_covers_every_group_and_every_absent_thing_has_a_remedy() -> None:
    items = check.report()
    assert {item.group for item in items} == set(check.PROBES)
    assert "probe" not in by_name(items), "a probe broke on this machine"
    assert [item for item in items if item.state is not State.OK and not item.remedy] == []


def test_a_broken_probe_becomes_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Item]:
        raise OSError("driver gone")

    monkeypatch.setitem(check.PROBES, "CAN", broken)
    items = check.report()
    probe = by_name(items)["probe"]
    assert probe.group == "CAN" and "driver gone" in probe.detail
    assert any(item.group == "data" for item in items)


def test_a_machine_with_nothing_still_gets_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check, "_has", lambda module: False)
    monkeypatch.setattr(models, "config_path", lambda name: tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ADAS_DATA", str(tmp_path / "nowhere"))
    items = by_name(check.report())
    for name in ("rclpy", "messages", "any backend", "models.yaml", "python-can"):
        assert items[name].state is State.MISSING and items[name].remedy, name
    for name in ("tensorrt", "openvino", "onnxruntime", "recordings", "cv_bridge"):
        assert items[name].state is State.OPTIONAL and items[name].remedy, name


def test_missing_message_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    has = check._has
    monkeypatch.setattr(check, "_has", lambda module: module != "vision_msgs.msg" and has(module))
    item = by_name(check.report())["messages"]
    assert item.state is State.MISSING and "vision_msgs" in item.remedy


def test_a_tensorrt_without_libraries_is_not_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_has", lambda module: module == "tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", types.ModuleType("tensorrt"))
    items = by_name(check.report())
    assert items["tensorrt"].state is State.OPTIONAL and "without its libraries" in items["tensorrt"].detail
    assert items["any backend"].state is State.MISSING


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a list of models in an empty folder the package's own."""
    path = tmp_path / "models.yaml"
    monkeypatch.setattr(models, "config_path", lambda name: tmp_path / name)
    return path


def listed(listing: Path, entry: str) -> Item:
    listing.write_text(f"models:\n  net: {entry}\n")
    return by_name(check.report())["net"]


def test_a_listed_model_is_compared_with_its_checksum(listing: Path) -> None:
    (listing.parent / "net.onnx").write_bytes(b"weights")
    good = hashlib.sha256(b"weights").hexdigest()
    assert listed(listing, f"{{kind: lane, path: net.onnx, sha256: {good.upper()}}}").state is State.OK
    wrong = listed(listing, f"{{kind: lane, path: net.onnx, sha256: {'f' * 64}}}")
    assert wrong.state is State.MISSING and good in wrong.remedy and "f" * 64 in wrong.remedy


def test_a_listed_model_without_a_file_is_optional(listing: Path) -> None:
    assert listed(listing, "{kind: lane, path: gone.onnx, sha256: '00'}").state is State.OPTIONAL


@pytest.mark.parametrize("entry", ["{url: 'https://example.org/net.onnx'}", "7"])
def test_an_entry_that_is_none_is_named(listing: Path, entry: str) -> None:
    item = listed(listing, entry)
    assert item.state is State.MISSING and "models.yaml" in item.remedy


@pytest.mark.parametrize("text", ["models: [", "- 1\n- 2\n", "models: 7"])
def test_a_broken_models_yaml_is_named(listing: Path, text: str) -> None:
    listing.write_text(text)
    item = by_name(check.report())["models.yaml"]
    assert item.state is State.MISSING and str(listing) in item.detail


def test_items_fit_a_table_and_json() -> None:
    items = [Item("net", State.MISSING, "[bold]text[/] of others", "correct it", "models")]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(check.as_table(items))
    assert "[bold]text[/] of others - correct it" in console.export_text()
    assert json.loads(json.dumps([item.__dict__ for item in items]))[0]["state"] == "missing"
