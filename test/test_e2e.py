"""E2E Profile 1: vectors of the standard, an independent implementation, and the receiver's judgement."""

from __future__ import annotations

import e2e.crc
import e2e.p01
import e2e.p02
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.can.e2e import (
    CheckConfig,
    CheckState,
    Profile1,
    Profile2,
    Status,
    Trust,
    Window,
    WindowConfig,
    check_frame,
    check_silence,
    intact,
    protect,
)

DATA_ID = 0x0123
P1 = Profile1(DATA_ID)

OK, LOST, INITIAL, SYNC = Status.OK, Status.OK_SOME_LOST, Status.INITIAL, Status.SYNC
REPEATED, JUMP, BAD, SILENT = Status.REPEATED, Status.WRONG_SEQUENCE, Status.WRONG_CRC, Status.NO_NEW_DATA


def frame(counter: int, payload: bytes = bytes(6)) -> bytes:
    data = bytearray(2) + payload
    protect(data, P1, counter)
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
    protect(ours, Profile1(data_id), counter)
    theirs = bytearray(data)
    theirs[1] = theirs[1] & 0xF0 | counter
    e2e.p01.e2e_p01_protect(theirs, data_id, increment_counter=False)
    assert ours == theirs
    assert intact(bytes(ours), Profile1(data_id))


@given(st.binary(max_size=12), st.integers(0, 0xFFFF))
def test_intact_is_what_autosar_e2e_accepts_with_a_valid_counter(data: bytes, data_id: int) -> None:
    expected = len(data) >= 2 and data[1] & 0x0F != 15 and e2e.p01.e2e_p01_check(bytearray(data), data_id)
    assert intact(data, Profile1(data_id)) == expected


def test_counter_15_is_invalid_even_with_a_right_crc() -> None:
    data = bytearray(8)
    protect(data, P1, 15)
    assert e2e.p01.e2e_p01_protect(data, DATA_ID, increment_counter=False) is None
    assert not intact(bytes(data), P1)


@given(st.binary(min_size=6, max_size=6), st.integers(0, 14), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_another_sender_is_detected_when_its_id_differs_in_one_byte(
    payload: bytes, counter: int, data_id: int, other: int
) -> None:
    data = bytearray(2) + payload
    protect(data, Profile1(data_id), counter)
    masquerade = data_id & 0xFF00 | other & 0xFF
    assert intact(bytes(data), Profile1(masquerade)) == (masquerade == data_id)


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
            state = check_frame(state, bytes(8), P1)
        else:
            state = check_frame(state, frame(int(event)), P1)
        assert state.status is expected, f"at {event}"


def test_a_receiver_that_has_heard_nothing_says_so() -> None:
    assert CheckState().status is Status.NO_NEW_DATA


def test_only_ok_states_are_usable() -> None:
    assert {status for status in Status if status.usable} == {OK, LOST}


def test_tolerance_and_trust_are_parameters() -> None:
    strict = CheckConfig(max_delta=1, sync_frames=2)
    state = check_frame(CheckState(), frame(0), P1, strict)
    seen = []
    for counter in (2, 3, 4, 5):
        state = check_frame(state, frame(counter), P1, strict)
        seen.append(state.status)
    assert seen == [JUMP, SYNC, SYNC, OK]


@given(st.lists(st.integers(0, 14), min_size=1, max_size=40))
def test_usable_frames_are_never_more_than_max_delta_steps_ahead(counters: list[int]) -> None:
    state = CheckState()
    for counter in counters:
        before = state.counter
        state = check_frame(state, frame(counter), P1)
        if state.status.usable:
            assert before is not None
            assert (counter - before) % 15 in (1, 2, 3)


# --- Profile 2 ------------------------------------------------------------------------------------------------

P2 = Profile2(bytes(range(1, 17)))


def test_vector_of_profile_2() -> None:
    data = bytearray(8)
    protect(data, P2, 0)
    assert data.hex() == "0e00" + "00" * 6


@given(st.binary(min_size=2, max_size=64), st.binary(min_size=16, max_size=16), st.integers(0, 15))
def test_profile_2_equals_autosar_e2e(data: bytes, data_ids: bytes, counter: int) -> None:
    ours = bytearray(data)
    protect(ours, Profile2(data_ids), counter)
    theirs = bytearray(data)
    theirs[1] = theirs[1] & 0xF0 | counter
    e2e.p02.e2e_p02_protect(theirs, data_ids, increment_counter=False)
    assert ours == theirs
    assert intact(bytes(ours), Profile2(data_ids))


@given(st.binary(min_size=2, max_size=12), st.binary(min_size=16, max_size=16))
def test_profile_2_accepts_what_autosar_e2e_accepts(data: bytes, data_ids: bytes) -> None:
    assert intact(data, Profile2(data_ids)) == e2e.p02.e2e_p02_check(bytearray(data), data_ids)


@pytest.mark.parametrize("count", [0, 15, 17])
def test_profile_2_needs_an_id_for_every_counter(count: int) -> None:
    with pytest.raises(ValueError, match=f"needs 16 data IDs, not {count}"):
        Profile2(bytes(count))


def test_counter_of_profile_2_wraps_after_15() -> None:
    state, seen = CheckState(), []
    for counter in (14, 15, 0, 3):
        data = bytearray(8)
        protect(data, P2, counter)
        state = check_frame(state, bytes(data), P2)
        seen.append(state.status)
    assert seen == [INITIAL, OK, OK, LOST]


# --- the window -------------------------------------------------------------------------------------------------

NO_DATA, INIT, VALID, INVALID = Trust.NO_DATA, Trust.INIT, Trust.VALID, Trust.INVALID
SMALL = WindowConfig(size=4, min_ok_init=2, max_error_init=1, min_ok_valid=1, max_error_valid=2,
                     min_ok_invalid=3, max_error_invalid=0)  # fmt: skip
# Each row: what is added and the state after it, with the small window.
WINDOWS = {
    "nothing comes": [(SILENT, NO_DATA), (SILENT, NO_DATA)],
    "garbage is no beginning": [(BAD, NO_DATA), (BAD, NO_DATA), (INITIAL, INIT)],
    "good start": [(INITIAL, INIT), (OK, INIT), (OK, VALID)],
    "losses are good enough": [(INITIAL, INIT), (LOST, INIT), (SYNC, VALID)],
    "jumps are neither": [(INITIAL, INIT), (JUMP, INIT), (REPEATED, INIT), (OK, INIT), (OK, VALID)],
    "bad start": [(INITIAL, INIT), (BAD, INIT), (BAD, INVALID), (OK, INVALID), (OK, INVALID), (OK, VALID)],
    "one bad at the start": [(INITIAL, INIT), (OK, INIT), (BAD, INIT), (OK, VALID)],
    "two bad are borne": [(INITIAL, INIT), (OK, INIT), (OK, VALID), (BAD, VALID), (BAD, VALID), (OK, VALID)],
    "three bad are too many": [(INITIAL, INIT), (OK, INIT), (OK, VALID), (BAD, VALID), (BAD, VALID), (BAD, INVALID)],
    "old errors are forgotten": [(INITIAL, INIT), (OK, INIT), (OK, VALID), *[(BAD, VALID), (OK, VALID)] * 5],
    "a window without good ones": [(OK, INIT), (OK, VALID), *[(SILENT, VALID)] * 3, (SILENT, INVALID)],
    "an error delays the way back": [(INITIAL, INIT), (BAD, INIT), (BAD, INVALID), (OK, INVALID), (OK, INVALID),
                                     (BAD, INVALID), (OK, INVALID), (OK, INVALID), (OK, INVALID), (OK, VALID)],
}  # fmt: skip


@pytest.mark.parametrize("rows", WINDOWS.values(), ids=WINDOWS.keys())
def test_window(rows: list[tuple[Status, Trust]]) -> None:
    window = Window()
    for step, (status, expected) in enumerate(rows):
        window = window.add(status, SMALL)
        assert window.trust is expected, f"step {step}"


def test_an_invalid_link_starts_with_an_empty_window() -> None:
    window = Window(VALID, (OK, BAD, BAD)).add(BAD, SMALL)
    assert window == Window(INVALID, ())


@given(st.lists(st.sampled_from(Status), max_size=60))
def test_a_valid_link_has_good_frames_and_few_errors(seen: list[Status]) -> None:
    window = Window()
    for status in seen:
        before, window = window, window.add(status)
        assert len(window.recent) <= 10
        if window.trust is VALID:
            assert any(s.usable or s is SYNC for s in window.recent)
            assert window.recent.count(BAD) <= 2
        assert not (before.trust is not NO_DATA and window.trust is NO_DATA)


def test_two_errors_at_the_start_are_borne_and_three_are_not() -> None:
    starting = Window(INIT, (INITIAL, BAD, BAD))
    assert starting.add(OK).trust is VALID
    assert starting.add(BAD).trust is INVALID


def test_a_window_needs_at_least_one_good_check() -> None:
    assert WindowConfig(min_ok_invalid=1).min_ok_invalid == 1
    with pytest.raises(ValueError, match="cannot hold 0"):
        WindowConfig(min_ok_init=0, min_ok_valid=0, min_ok_invalid=0)


def test_a_link_that_was_invalid_bears_no_error() -> None:
    assert Window(INVALID, (OK, OK)).add(OK).trust is VALID
    assert Window(INVALID, (BAD, OK, OK)).add(OK).trust is INVALID


def test_the_shipped_window() -> None:
    """Three wrong CRCs within ten checks break the link, three good frames mend it; the first good one starts it."""
    window = Window().add(INITIAL).add(OK)
    assert window.trust is VALID
    for status in (BAD, OK, BAD, OK, OK, OK, OK, OK, OK):
        window = window.add(status)
        assert window.trust is VALID
    assert window.add(BAD).trust is INVALID
    window = window.add(BAD).add(OK).add(OK)
    assert (window.trust, window.add(OK).trust) == (INVALID, VALID)


@pytest.mark.parametrize("limits", [{"size": 2}, {"min_ok_valid": 11}, {"min_ok_init": 0, "size": 0}])
def test_a_window_that_can_never_be_valid_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        WindowConfig(**limits)


def test_the_smallest_window_that_fits_is_taken() -> None:
    assert WindowConfig(size=3).size == 3
