"""10^5 byte strings at random and as damaged good ones: nothing raises but its own named error.

``ADAS_FUZZ=n`` runs n times as many; inputs that once broke something are kept in REGRESSIONS.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the ROS wheels are not installed")

from fuzz_targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

SHARE = {"CAN frames": 73_350, "point clouds": 8_000, "pictures": 15_000, "YAML files": 1_000, "DBC file": 600,
         "recorded segment": 800, "candump log": 250, "asc log": 250, "blf log": 200, "mcap bag": 400,
         "sqlite bag": 150}  # fmt: skip
TIMES = int(os.environ.get("ADAS_FUZZ", "1"))
_CLOUD = "03000100340000040700010000000000"
REGRESSIONS = [
    # An unknown kind of line, and a line number beyond every integer, were no ConvertError.
    ("point clouds", _CLOUD + "00" * 12 + "0001" + "00" * 10 + "4cd7dc80c0838e07" + "00" * 124),
    ("point clouds", _CLOUD + "00" * 18 + "456a" + "00" * 136),
    # Nested without end, values where a mapping belongs, dates and numbers that are none.
    ("YAML files", b"[".hex() * 5000),
    ("YAML files", b"/a: {ros__parameters: 5}".hex()),
    ("YAML files", b"/a: {ros__parameters: {a: 1}}\n/b: {ros__parameters: [1]}".hex()),
    ("YAML files", b"lateral: 5".hex()),
    ("YAML files", b"5: 6".hex()),
    ("YAML files", b"a: 2001-13-45".hex()),
    ("YAML files", b"a: !!int x".hex()),
    ("YAML files", b"a: !!python/object/apply:os.system [ls]".hex()),
]


def damaged(rng: random.Random, sound: bytes) -> bytes:
    """Return the sound bytes with some overwritten, cut or doubled."""
    data = bytearray(sound)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if data:
                data[place % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 1:
                del data[place : place + rng.randint(1, 16)]
            case 2:
                data[place:place] = rng.randbytes(rng.randint(1, 8))
            case _:
                data[place:place] = data[place : place + rng.randint(1, 32)]
    return bytes(data)


def test_the_count_is_what_is_promised() -> None:
    assert SHARE.keys() == TARGETS.keys()
    assert sum(SHARE.values()) == 100_000


# Figures of any size overflow on their way to a refusal.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_crashes(name: str) -> None:
    target, sound = TARGETS[name]
    target(sound)
    rng = random.Random(name)
    for index in range(TIMES * SHARE[name]):
        data = rng.randbytes(rng.randrange(80)) if index % 2 else damaged(rng, sound)
        try:
            target(data)
        except Exception as error:
            pytest.fail(f"{name}: {type(error).__name__}: {error}; keep it: ({name!r}, {data.hex()!r})")


@pytest.mark.parametrize("name", TARGETS)
def test_hypothesis_finds_nothing_either(name: str) -> None:
    @settings(deadline=None, max_examples=50)
    @given(st.binary(max_size=300))
    def run(data: bytes) -> None:
        TARGETS[name][0](data)

    run()


def test_a_bag_whose_length_field_asks_for_more_memory_than_there_is() -> None:
    TARGETS["mcap bag"][0]((Path(__file__).parent / "data" / "bags" / "broken_length.mcap").read_bytes())


@pytest.mark.parametrize(("name", "data"), REGRESSIONS)
def test_what_once_broke(name: str, data: str) -> None:
    TARGETS[name][0](bytes.fromhex(data))
