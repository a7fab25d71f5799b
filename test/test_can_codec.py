"""The DBC and the codec: completeness, round trips, detection of every disturbed bit."""

from __future__ import annotations

import math
from pathlib import Path

import cantools.database
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.can import hmi
from adas_perception.can.codec import Codec, DbcError, Fault, Frame, Schedule, SignalError
from adas_perception.can.e2e import protect
from adas_perception.can.messages import (
    FROM_CAR,
    LATERAL_SOURCES,
    LONGITUDINAL_SOURCES,
    TO_CAR,
    sample_age_s,
    sample_time_ms,
)
from adas_perception.types import Function, Gear, Indicator

DBC = Path(__file__).resolve().parents[1] / "config" / "adas.dbc"
CODEC = Codec(DBC)
DATABASE = cantools.database.load_file(DBC)
NAMES = sorted(CODEC.messages)
MS = 1_000_000


def resolution(name: str, signal: str) -> float:
    return float(DATABASE.get_message_by_name(name).get_signal_by_name(signal).scale)


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, float]]:
    name = draw(st.sampled_from(NAMES))
    ranges = CODEC.messages[name].ranges
    signals = {signal: draw(st.floats(low, high)) for signal, (low, high) in ranges.items()}
    return name, signals


# --- the DBC ----------------------------------------------------------------------------------------------


def test_dbc_has_exactly_the_messages_the_code_uses() -> None:
    assert set(NAMES) == {*TO_CAR, *FROM_CAR}


@pytest.mark.parametrize("name", NAMES)
def test_every_message_and_signal_is_described(name: str) -> None:
    message = DATABASE.get_message_by_name(name)
    assert message.length == 8
    assert message.comment
    assert message.cycle_time in (10, 20, 50, 100)
    assert message.senders == (["ADAS"] if name in TO_CAR else ["VEHICLE"])
    for signal in message.signals:
        assert signal.comment, signal.name
        assert signal.minimum is not None and signal.maximum is not None, signal.name
        flag = signal.length == 1 or signal.name in ("Crc", "Counter")
        assert signal.unit or signal.choices or flag, signal.name
    crc, counter = message.get_signal_by_name("Crc"), message.get_signal_by_name("Counter")
    assert (crc.start, crc.length, counter.start, counter.length) == (0, 8, 8, 4)


@pytest.mark.parametrize("name", NAMES)
def test_ranges_fit_into_their_bits(name: str) -> None:
    for signal in DATABASE.get_message_by_name(name).signals:
        steps = 1 << signal.length
        low_raw = -steps // 2 if signal.is_signed else 0
        assert signal.minimum >= low_raw * signal.scale + signal.offset, signal.name
        assert signal.maximum <= (low_raw + steps - 1) * signal.scale + signal.offset + 1e-9, signal.name


def test_no_message_can_pass_for_another() -> None:
    frames = {name: Codec(DBC).encode(name, {}) for name in NAMES}
    for name, frame in frames.items():
        for other in set(NAMES) - {name}:
            decoded = CODEC.decode(Frame(CODEC.messages[other].id, frame.data))
            assert decoded is not None and decoded.fault is Fault.E2E, f"{name} as {other}"


SOURCES = {function.name: code for function, code in {**LONGITUDINAL_SOURCES, **LATERAL_SOURCES}.items()}


@pytest.mark.parametrize(
    ("message", "signal", "codes"),
    [
        ("ADAS_Warnings", "SafetyMode", hmi.SafetyMode.__members__),
        ("ADAS_Warnings", "FcwLevel", hmi.FcwLevel.__members__),
        ("ADAS_Warnings", "AebState", hmi.AebState.__members__),
        ("ADAS_Warnings", "LkaState", hmi.LkaState.__members__),
        ("ADAS_Warnings", "LdwSide", hmi.LdwSide.__members__),
        ("ADAS_Warnings", "BsdState", hmi.BsdState.__members__),
        ("ADAS_Warnings", "BsdLeft", hmi.BsdLevel.__members__),
        ("ADAS_Warnings", "BsdRight", hmi.BsdLevel.__members__),
        ("ADAS_AccDisplay", "AccState", hmi.AccState.__members__),
        ("ADAS_Park", "ParkState", hmi.ParkState.__members__),
        ("ADAS_Longitudinal", "AccelSource", SOURCES | {Function.NONE.name: 0}),
        ("ADAS_Lateral", "SteeringSource", SOURCES | {Function.NONE.name: 0}),
        ("VEH_Gear", "Gear", Gear.__members__),
        ("VEH_Switches", "Indicator", Indicator.__members__),
    ],
)
def test_value_tables_are_the_enums(message: str, signal: str, codes: dict[str, int]) -> None:
    choices = DATABASE.get_message_by_name(message).get_signal_by_name(signal).choices
    assert choices is not None
    assert {str(name): code for code, name in choices.items()} == {name: int(c) for name, c in codes.items()}


def test_highest_codes_are_within_the_ranges() -> None:
    for message in DATABASE.messages:
        for signal in message.signals:
            if signal.choices:
                assert max(signal.choices) == signal.maximum, signal.name


# --- encoding and decoding --------------------------------------------------------------------------------


@settings(deadline=None)
@given(messages())
def test_round_trip_keeps_values_to_half_a_step(message: tuple[str, dict[str, float]]) -> None:
    name, signals = message
    decoded = CODEC.decode(CODEC.encode(name, signals))
    assert decoded is not None and decoded.name == name and decoded.fault is None
    for signal, value in signals.items():
        assert abs(decoded.signals[signal] - value) <= resolution(name, signal) * 0.500001, signal


@settings(deadline=None)
@given(messages(), st.integers(0, 63))
def test_every_flipped_bit_is_detected(message: tuple[str, dict[str, float]], bit: int) -> None:
    frame = CODEC.encode(*message)
    data = bytearray(frame.data)
    data[bit // 8] ^= 1 << bit % 8
    decoded = CODEC.decode(Frame(frame.id, bytes(data)))
    assert decoded is not None and decoded.fault is Fault.E2E and not decoded.signals


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_bit_of_an_empty_frame_is_detected(name: str) -> None:
    frame = CODEC.encode(name, {})
    for bit in range(64):
        data = bytearray(frame.data)
        data[bit // 8] ^= 1 << bit % 8
        decoded = CODEC.decode(Frame(frame.id, bytes(data)))
        assert decoded is not None and decoded.fault is Fault.E2E, bit


def test_each_message_counts_0_to_14_on_its_own() -> None:
    codec = Codec(DBC)
    counters = [codec.encode("VEH_Speed", {}).data[1] & 0x0F for _ in range(31)]
    assert counters == [*range(15), *range(15), 0]
    assert codec.encode("VEH_Motion", {}).data[1] & 0x0F == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 5.001, -12.001, 1e300])
def test_value_that_does_not_fit_is_refused_and_costs_no_counter(value: float) -> None:
    codec = Codec(DBC)
    with pytest.raises(SignalError, match=r"ADAS_Longitudinal.AccelRequest: .* is outside -12..5"):
        codec.encode("ADAS_Longitudinal", {"AccelRequest": value})
    assert codec.encode("ADAS_Longitudinal", {}).data[1] & 0x0F == 0


@pytest.mark.parametrize("signal", ["Acceleration", "Crc", "Counter"])
def test_unknown_signal_is_refused(signal: str) -> None:
    with pytest.raises(SignalError, match=f"there is no signal '{signal}'; known: "):
        CODEC.encode("ADAS_Longitudinal", {signal: 0.0})


def test_unknown_identifier_is_none() -> None:
    assert CODEC.decode(Frame(0x7FF, bytes(8))) is None


@pytest.mark.parametrize("length", [0, 1, 7, 9, 64])
def test_wrong_length_is_a_fault(length: int) -> None:
    decoded = CODEC.decode(Frame(CODEC.messages["VEH_Speed"].id, bytes(length)))
    assert decoded is not None and decoded.fault is Fault.LENGTH


def test_value_outside_its_range_is_a_fault_though_e2e_passes() -> None:
    message = DATABASE.get_message_by_name("VEH_Speed")
    data = bytearray(message.encode({"Crc": 0, "Counter": 0, "Speed": 80.5, "Accel": 0}, strict=False))
    protect(data, CODEC.messages["VEH_Speed"].profile, 0)
    decoded = CODEC.decode(Frame(message.frame_id, bytes(data)))
    assert decoded is not None and decoded.fault is Fault.RANGE and not decoded.signals


# --- a DBC that cannot be used ------------------------------------------------------------------------------


def test_missing_dbc() -> None:
    with pytest.raises(DbcError, match="nowhere.dbc: no such file; check the path"):
        Codec(Path("nowhere.dbc"))


@pytest.mark.parametrize("content", ["", "this is no DBC", 'VERSION "1"\nBO_ 1 A: x'])
def test_broken_dbc(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.dbc"
    path.write_text(content)
    with pytest.raises(DbcError, match="broken.dbc: "):
        Codec(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('BA_ "E2EDataID" BO_ 160 6;', "", r"VEH_Speed needs E2EDataID \(Profile 1\) or E2EDataIDList"),
        ("[-30|80]", "[0|0]", "VEH_Speed.Speed has no range"),
        ("SG_ Crc : 0|8", "SG_ Check : 0|8", "the signals Crc and Counter"),
    ],
)
def test_incomplete_dbc(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "incomplete.dbc"
    text = DBC.read_text()
    if old.startswith("BA_"):
        old = next(line for line in text.splitlines() if line.startswith('BA_ "E2EDataID" BO_ 160 '))
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DbcError, match=message):
        Codec(path)


# --- Profile 2 by parameter -----------------------------------------------------------------------------------


def with_profile_2(tmp_path: Path, data_ids: str) -> Path:
    """Return our DBC with VEH_Speed under Profile 2."""
    path = tmp_path / "profile2.dbc"
    line = 'BA_ "E2EDataID" BO_ 160 2566;'
    text = DBC.read_text()
    assert line in text
    text = text.replace('BA_DEF_DEF_ "E2EDataID" 0;', 'BA_DEF_DEF_ "E2EDataID" 0;\nBA_DEF_DEF_ "E2EDataIDList" "";')
    text = text.replace('BA_DEF_ BO_ "E2EDataID"', 'BA_DEF_ BO_ "E2EDataIDList" STRING ;\nBA_DEF_ BO_ "E2EDataID"')
    path.write_text(text.replace(line, f'BA_ "E2EDataIDList" BO_ 160 "{data_ids}";'))
    return path


def test_a_message_may_have_profile_2(tmp_path: Path) -> None:
    codec = Codec(with_profile_2(tmp_path, bytes(range(1, 17)).hex()))
    frames = [codec.encode("VEH_Speed", {"Speed": 12.5}) for _ in range(17)]
    assert [frame.data[1] & 0x0F for frame in frames] == [*range(16), 0]
    for frame in frames:
        decoded = codec.decode(frame)
        assert decoded is not None and decoded.signals["Speed"] == 12.5
        as_profile_1 = CODEC.decode(frame)
        assert as_profile_1 is not None and as_profile_1.fault is Fault.E2E


@pytest.mark.parametrize("data_ids", ["0102", "no hex digits"])
def test_wrong_ids_of_profile_2(tmp_path: Path, data_ids: str) -> None:
    with pytest.raises(DbcError, match="VEH_Speed: E2EDataIDList .* is wrong .*; give 32 hex digits"):
        Codec(with_profile_2(tmp_path, data_ids))


# --- schedule and sample time -------------------------------------------------------------------------------


@pytest.mark.parametrize("tick_ms", [1, 5, 10, 20])
def test_schedule_keeps_every_cycle(tick_ms: int) -> None:
    schedule = Schedule(CODEC.messages, TO_CAR)
    sent = dict.fromkeys(TO_CAR, 0)
    for now_ms in range(0, 10_000, tick_ms):
        for name in schedule.due(now_ms * MS):
            sent[name] += 1
    for name, count in sent.items():
        assert count == pytest.approx(10_000 * MS / CODEC.messages[name].cycle_ns, abs=1), name


@settings(deadline=None)
@given(st.lists(st.floats(-4.0, 4.0), min_size=100, max_size=100))
def test_schedule_skips_no_cycle_when_ticks_jitter(jitter_ms: list[float]) -> None:
    schedule = Schedule(CODEC.messages, TO_CAR)
    for tick, jitter in enumerate(jitter_ms):
        assert "ADAS_Longitudinal" in schedule.due(round((tick * 20 + jitter) * MS))


@pytest.mark.parametrize("jump_ms", [-100_000, 100_000])
def test_schedule_goes_on_after_a_clock_jump(jump_ms: int) -> None:
    schedule = Schedule(CODEC.messages, TO_CAR)
    schedule.due(1_000_000 * MS)
    jumped = (1_000_000 + jump_ms) * MS
    assert schedule.due(jumped) == list(TO_CAR)
    assert schedule.due(jumped + MS) == []


@given(st.integers(0, 10**18), st.floats(0.0, 60.0))
def test_sample_age_is_right_to_a_millisecond(stamp_ns: int, age_s: float) -> None:
    measured = sample_age_s(sample_time_ms(stamp_ns), stamp_ns + round(age_s * 1e9))
    assert age_s - 1e-4 <= measured <= age_s + 1.1e-3
