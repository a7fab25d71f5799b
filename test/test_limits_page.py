"""The page of limits says what the file says."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from adas_perception.limits import Limits, load_limits

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("limits_page", ROOT / "tools" / "limits_page.py")
limits_page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(limits_page)


def test_the_page_is_what_the_file_gives():
    written = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    text = limits_page.page(load_limits(ROOT / "config" / "limits.yaml"))
    assert written == text, "run `.venv/bin/python tools/limits_page.py`"


def test_another_limit_makes_another_page():
    shipped = load_limits(ROOT / "config" / "limits.yaml")
    changed = replace(shipped, emergency=replace(shipped.emergency, decel_max_mps2=9.0))
    assert limits_page.page(changed) != limits_page.page(shipped)


def test_the_shipped_file_is_the_default():
    assert load_limits(ROOT / "config" / "limits.yaml") == Limits()
