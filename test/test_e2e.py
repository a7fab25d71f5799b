"""E2E Profile 1: vectors of the standard, an independent implementation, and the receiver's judgement."""

from __future__ import annotations

import e2e.crc
import e2e.p01
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.can.e2e import (
    CheckConfig,
    CheckState,
    Status,
    check_frame,
    check_silence,
    intact,
    protect,
)

DATA_ID = 0x0123

OK, LOST, INITIAL, SYNC = Status.OK, Status.OK_SOME_LOST, Status.INITIAL, Status.SYNC
REPEATED, JUMP, BAD, SILENT = Status.REPEATED, Status.WRONG_SEQUENCE, Status.WRONG_CRC, Status.NO_NEW_DATA


def frame(counter: int, payload: bytes = bytes(6)) -> bytes:
    data = bytearray(2) + payload
    protect(data, DATA_ID, counter)
    return bytes(data)


@pytest.mark.parametrize(("counter", "head"), [(0, "cc00"), (1, "9101")])
def test_vectors_of_profile_1_mode_both(counter: int, head: str) -> None:
    assert frame(counter).hex() == head + "00" * 6


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00000000", 0x59),
        ("F20183", 0x37),
        ("0FAA0055", 0x79),
        ("00FF5511", 0xB8),
        ("332255AABBCCDDEEFF", 0xCB),
        ("926B55", 0x8C),
        ("FFFFFFFF", 0x74),
    ],
)
def test_oracle_computes_the_vectors_of_sae_j1850(data: str, value: int) -> None:
    assert e2e.crc.calculate_crc8(bytes.fromhex(data)) == value


@given(st.binary(min_size=2, max_size=64), st.integers(0, 0xFFFF), st.integers(0, 14))
def test_equals_autosar_e2e(data: bytes, data_id: int, counter: int) -> None:
    ours = bytearray(data)
    protect(ours, data_id, counter)
    theirs = bytearray(data)
    theirs[1] = theirs[1] & 0xF0 | counter
    e2e.p01.e2e_p01_protect(theirs, data_id, increment_counter=False)
    assert ours == theirs
    assert intact(bytes(ours), data_id)


@given(st.binary(max_size=12), st.integers(0, 0xFFFF))
def test_intact_is_what_autosar_e2e_accepts_with_a_valid_counter(data: bytes, data_id: int) -> None:
    expected = len(data) >= 2 and data[1] & 0x0F != 15 and e2e.p01.e2e_p01_check(bytearray(data), data_id)
    assert intact(data, data_id) == expected


def test_counter_15_is_invalid_even_with_a_right_crc() -> None:
    data = bytearray(8)
    protect(data, DATA_ID, 15)
    assert e2e.p01.e2e_p01_protect(data, DATA_ID, increment_counter=False) is None
    assert not intact(bytes(data), DATA_ID)


@given(st.binary(min_size=6, max_size=6), st.integers(0, 14), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_another_sender_is_detected_when_its_id_differs_in_one_byte(
    payload: bytes, counter: int, data_id: int, other: int
) -> None:
    data = bytearray(2) + payload
    protect(data, data_id, counter)
    masquerade = data_id & 0xFF00 | other & 0xFF
    assert intact(bytes(data), masquerade) == (masquerade == data_id)


# Each row: what arrives (a counter, "bad" for a wrong CRC, "silence") and what the receiver makes of it.
BEHAVIOUR = {
    "in sequence": [(0, INITIAL), (1, OK), (2, OK)],
    "wraps after 14": [(13, INITIAL), (14, OK), (0, OK), (1, OK)],
    "one lost": [(0, INITIAL), (2, LOST), (3, OK)],
    "two lost over the wrap": [(13, INITIAL), (1, LOST)],
    "three lost": [(0, INITIAL), (4, JUMP), (5, SYNC), (6, OK)],
    "backwards": [(5, INITIAL), (4, JUMP), (5, SYNC), (6, OK)],
    "repeated": [(5, INITIAL), (5, REPEATED), (6, OK)],
    "frozen counter": [(5, INITIAL), (5, REPEATED), (5, REPEATED), (5, REPEATED)],
    "wrong CRC": [(0, INITIAL), (1, OK), ("bad", BAD), (3, SYNC), (4, OK)],
    "wrong CRC first": [("bad", BAD), (0, INITIAL), (1, SYNC), (2, OK)],
    "silence": [(0, INITIAL), (1, OK), ("silence", SILENT), (2, SYNC), (3, OK)],
    "silence, sender restarted": [(7, INITIAL), ("silence", SILENT), (0, JUMP), (1, SYNC), (2, OK)],
    "loss while synchronising": [(0, INITIAL), ("bad", BAD), (3, SYNC), (6, LOST)],
}


@pytest.mark.parametrize("rows", BEHAVIOUR.values(), ids=BEHAVIOUR.keys())
def test_receiver(rows: list[tuple[int | str, Status]]) -> None:
    state = CheckState()
    for event, expected in rows:
        if event == "silence":
            state = check_silence(state)
        elif event == "bad":
            state = check_frame(state, bytes(8), DATA_ID)
        else:
            state = check_frame(state, frame(int(event)), DATA_ID)
        assert state.status is expected, f"at {event}"


def test_only_ok_states_are_usable() -> None:
    assert {status for status in Status if status.usable} == {OK, LOST}


def test_tolerance_and_trust_are_parameters() -> None:
    strict = CheckConfig(max_delta=1, sync_frames=2)
    state = check_frame(CheckState(), frame(0), DATA_ID, strict)
    seen = []
    for counter in (2, 3, 4, 5):
        state = check_frame(state, frame(counter), DATA_ID, strict)
        seen.append(state.status)
    assert seen == [JUMP, SYNC, SYNC, OK]


@given(st.lists(st.integers(0, 14), min_size=1, max_size=40))
def test_usable_frames_are_never_more_than_max_delta_steps_ahead(counters: list[int]) -> None:
    state = CheckState()
    for counter in counters:
        before = state.counter
        state = check_frame(state, frame(counter), DATA_ID)
        if state.status.usable:
            assert before is not None
            assert (counter - before) % 15 in (1, 2, 3)
