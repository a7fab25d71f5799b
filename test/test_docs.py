"""The documents: links that lead somewhere, pages that are reachable, commands that exist, pages made from the code."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("README*.md"), ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in HEADING.findall(page.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http", "mailto")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), f"{page.name}: {target} is outside"
        assert not anchor or file.suffix != ".md" or anchor in anchors(file), f"{page.name}: no heading {target}"


def test_every_page_is_in_the_sites_menu():
    text = (ROOT / "mkdocs.yml").read_text().replace("!!python/name:", "")
    named = []
    for entry in yaml.safe_load(text)["nav"]:
        named += next(iter(entry.values())) if isinstance(entry, dict) else [entry]
    assert sorted(named) == sorted(page.name for page in ROOT.glob("docs/*.md"))


@pytest.mark.ros
def test_pages_made_from_the_code_are_up_to_date():
    pytest.importorskip("rclpy", reason="the ROS wheels are not installed")
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for path, text in reference.pages():
        assert path.read_text() == text, f"{path.name} is old: run .venv/bin/python tools/reference.py"
    assert set(reference.KINDS) == {node.name for node in reference.NODES}
