"""Shared fixtures: where the real data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real recordings, or skip the test where this machine has none.

    The recordings are not part of the repository; ``ADAS_DATA`` names another folder.
    """
    folder = Path(os.environ.get("ADAS_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ADAS_DATA to the folder that holds it")
    return folder
