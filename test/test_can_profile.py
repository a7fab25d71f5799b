"""Vehicle profiles: our own, a real Toyota read through opendbc, and what is wrong with a profile."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adas_perception.can.codec import Codec, Fault, Frame
from adas_perception.can.profile import (
    PlainDecoder,
    ProfileError,
    QuantityReader,
    VehicleProfile,
    load_profile,
)
from adas_perception.can.vehicle import VehicleReceiver
from adas_perception.limits import load_limits
from adas_perception.params import ParameterError
from adas_perception.replay.comma2k19 import read_frames

CONFIG = Path(__file__).resolve().parents[1] / "config"
OWN = CONFIG / "vehicles" / "adas.yaml"
TOYOTA = CONFIG / "vehicles" / "toyota_rav4_2017.yaml"


def changed(tmp_path: Path, **changes: object) -> Path:
    """Return our profile with other entries; None removes one."""
    content = {**yaml.safe_load(OWN.read_text()), **changes}
    path = tmp_path / "vehicles" / "car.yaml"
    path.parent.mkdir()
    (tmp_path / "adas.dbc").write_bytes((CONFIG / "adas.dbc").read_bytes())
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    return path


def test_our_own_profile_is_complete() -> None:
    profile = load_profile(OWN)
    assert profile.writes and load_limits(profile.limits)
    VehicleReceiver(profile.codec(), profile.signals)


def test_terms_and_offset_make_a_quantity(tmp_path: Path) -> None:
    signals = {"speed_mps": {"message": "VEH_Speed", "terms": {"Speed": 2.0, "Accel": -1.0}, "offset": 0.5}}
    reader = QuantityReader(load_profile(changed(tmp_path, signals=signals)))
    frame = Codec(CONFIG / "adas.dbc").encode("VEH_Speed", {"Speed": 10.0, "Accel": 3.0})
    assert reader.quantities("0", frame) == {"speed_mps": pytest.approx(17.5)}
    assert reader.quantities("1", frame) == {}
    assert reader.radar("0", frame) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dbc": None}, "'dbc' must be given as dict, not None"),
        ({"writes": "yes please"}, "'writes' must be given as bool"),
        ({"signals": {"speed_mps": {"message": "VEH_Speed"}}}, "'terms'.* in an entry; compare it with"),
        ({"signals": {"speed_mps": 3}}, "in an entry"),
        ({"signals": {"speed_mps": {"message": "A", "terms": {"B": "fast"}}}}, "'fast'"),
        ({"colour": "red"}, "unknown entries colour; a profile has name, dbc"),
        ({"radar": {"message": "T_{slot}"}}, "'slots'"),
    ],
)
def test_a_broken_profile_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=rf"car.yaml: .*{message}"):
        load_profile(changed(tmp_path, **changes))


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such file"):
        load_profile(tmp_path / "nowhere.yaml")


def test_without_opendbc_its_profile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProfileError, match="needs the DBC files of opendbc: pip install"):
        load_profile(TOYOTA)


def test_a_signal_that_no_dbc_has(tmp_path: Path) -> None:
    profile = load_profile(changed(tmp_path, signals={"x": {"message": "VEH_Speed", "terms": {"Colour": 1.0}}}))
    with pytest.raises(ProfileError, match=r"no DBC has VEH_Speed\.Colour"):
        PlainDecoder(profile)
    with pytest.raises(ProfileError, match="the signal map lacks speed_mps"):
        VehicleReceiver(Codec(CONFIG / "adas.dbc"), profile.signals)
    own = dict(load_profile(OWN).signals)
    with pytest.raises(ProfileError, match=r"x: the DBC has no signal VEH_Speed\.Colour"):
        VehicleReceiver(Codec(CONFIG / "adas.dbc"), {**own, **profile.signals})


@pytest.mark.parametrize(("content", "message"), [(None, "no such DBC file"), ("nonsense", "not a usable DBC")])
def test_a_dbc_that_is_missing_or_broken(tmp_path: Path, content: str | None, message: str) -> None:
    path = changed(tmp_path, dbc={0: "other.dbc"})
    if content:
        (tmp_path / "other.dbc").write_text(content)
    with pytest.raises(ProfileError, match=message):
        PlainDecoder(load_profile(path))


def test_a_read_only_profile_gives_no_codec_to_the_bridge(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="is read only"):
        load_profile(changed(tmp_path, writes=False)).codec()


# --- a real Toyota ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toyota() -> VehicleProfile:
    if importlib.util.find_spec("opendbc") is None:
        pytest.skip("opendbc is not installed; pip install --no-deps opendbc")
    return load_profile(TOYOTA)


@pytest.fixture(scope="module")
def segment(shared_data: Path) -> Path:
    folder = shared_data / "comma2k19" / "segment40"
    if not folder.is_dir():
        pytest.skip(f"no comma2k19 segment at {folder}")
    return folder


def test_the_toyota_cannot_be_sent_to(toyota: VehicleProfile) -> None:
    with pytest.raises(ProfileError, match="'toyota_rav4_2017' is read only"):
        toyota.codec()


@cache
def plain(path: Path) -> PlainDecoder:
    return PlainDecoder(load_profile(path))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["0", "1", "2"]), st.integers(0, 0x7FF), st.binary(max_size=64))
def test_any_frame_is_survived(toyota: VehicleProfile, bus: str, identifier: int, data: bytes) -> None:
    decoded = plain(toyota.path).decode(bus, Frame(identifier, data))
    assert decoded is None or decoded.fault in (None, Fault.LENGTH)


def in_order(tracks: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return tracks sorted by value, then time: several share a stamp."""
    table = np.array(tracks, dtype=float)
    return table[np.lexsort((table[:, 0], *np.round(table[:, 1:].T, 3)))]


def test_the_real_minute_decodes_to_the_processed_values(toyota: VehicleProfile, segment: Path) -> None:
    """Speed, steering, four wheels and every radar track of the raw bus against comma's own decoding."""
    reader = QuantityReader(toyota)
    seen: dict[str, list[tuple[float, float]]] = {}
    tracks = []
    for raw in read_frames(segment):
        bus, frame, stamp = str(raw.bus), Frame(raw.id, raw.data), raw.stamp_ns / 1e9
        for name, value in reader.quantities(bus, frame).items():
            seen.setdefault(name, []).append((stamp, value))
        track = reader.radar(bus, frame)
        if track:
            tracks.append((stamp, *track))

    def error(name: str, processed: str, column: int = 0, factor: float = 1.0) -> float:
        folder = segment / "processed_log" / "CAN" / processed
        when, value = np.load(folder / "t"), np.load(folder / "value").reshape(len(np.load(folder / "t")), -1)
        ours = np.array(seen[name])
        assert len(ours) == len(when) > 4900
        return float(np.abs(np.interp(when, ours[:, 0], ours[:, 1] * factor) - value[:, column]).max())

    assert error("speed_mps", "speed") < 1e-4
    assert error("steering_rad", "steering_angle", factor=math.degrees(16.88)) < 1e-4
    for column, wheel in enumerate(("front_left", "front_right", "rear_left", "rear_right")):
        assert error(f"wheel_{wheel}_mps", "wheel_speed", column) < 1e-4
    folder = segment / "processed_log" / "CAN" / "radar"
    known = np.column_stack([np.load(folder / "t"), np.load(folder / "value")[:, :3]])
    known[:, 1] -= 2.7
    assert len(tracks) == len(known) > 10_000
    assert np.abs(in_order(tracks) - in_order(known)).max() < 1e-3
