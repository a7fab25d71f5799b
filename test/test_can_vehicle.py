"""Both ends of the wire: what reaches the functions, what reaches the actuators, and what never does."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adas_perception.can.car import CarEncoder, CarReceiver
from adas_perception.can.codec import Codec, Fault, Frame
from adas_perception.can.e2e import Status, protect
from adas_perception.can.hmi import Hmi, SafetyMode
from adas_perception.can.messages import (
    FROM_CAR,
    GEAR,
    LATERAL,
    LONGITUDINAL,
    MOTION,
    PEDALS,
    SPEED,
    STEERING,
    SWITCHES,
    TO_CAR,
    WARNINGS,
    WHEEL_SPEEDS,
    sample_age_s,
)
from adas_perception.can.profile import load_profile
from adas_perception.can.vehicle import Transmitter, VehicleReceiver
from adas_perception.limits import Limits
from adas_perception.types import Command, DriverInput, EgoState, Function, Gear, Indicator

CONFIG = Path(__file__).resolve().parents[1] / "config"
CODEC = Codec(CONFIG / "adas.dbc")
PROFILE = load_profile(CONFIG / "vehicles" / "adas.yaml")
MS = 1_000_000
START = 1_700_000_000_000 * MS

EGO = EgoState(START, 20.0, -1.5, 0.1, 0.02, Gear.DRIVE)
DRIVER = DriverInput(START, 0.25, 0.5, -1.25, False, Indicator.LEFT, acc_set=True, park_confirm=True)
DARK = Hmi()
WHEELS = (20.0, 20.4, 20.0, 20.4)
BRAKE = Command(START, accel_mps2=-3.0, longitudinal=Function.ACC)
STEER = Command(START, steering_rad=0.05, lateral=Function.LKA)


class Link:
    """A car and a stack joined by a wire on which the test may lay hands."""

    def __init__(self) -> None:
        self.codec = CODEC
        self.encoder = CarEncoder(CODEC)
        self.vehicle = VehicleReceiver(CODEC, PROFILE.signals)
        self.transmitter = Transmitter(CODEC, Limits())
        self.car = CarReceiver(CODEC)
        self.now_ns = START

    def measure(self, ego: EgoState = EGO, driver: DriverInput = DRIVER, drop: str = "") -> None:
        for frame in self.encoder.frames(replace(ego, stamp_ns=self.now_ns), driver, WHEELS):
            if self.codec.messages.get(drop) is None or frame.id != self.codec.messages[drop].id:
                self.vehicle.feed(frame, self.now_ns)

    def request(self, command: Command | None, age_ms: int = 0, hmi: Hmi = DARK) -> list[Frame]:
        frames = self.transmitter.frames(self.now_ns, command, self.now_ns - age_ms * MS, hmi)
        for frame in frames:
            self.car.feed(frame, self.now_ns)
        return frames

    def wait(self, ms: int = 20) -> None:
        self.now_ns += ms * MS

    def signals(self, frames: list[Frame], name: str) -> dict[str, float]:
        decoded = [self.codec.decode(frame) for frame in frames]
        return dict(next(d.signals for d in decoded if d and d.name == name))


@pytest.fixture
def link() -> Link:
    return Link()


# --- from the car -------------------------------------------------------------------------------------------


def test_measurements_arrive(link: Link) -> None:
    for _ in range(12):
        link.measure()
        ego, driver = link.vehicle.ego(link.now_ns), link.vehicle.driver(link.now_ns)
        link.wait()
    assert ego is not None and driver is not None
    assert ego.speed_mps == pytest.approx(20.0, abs=0.00125)
    assert ego.accel_mps2 == pytest.approx(-1.5, abs=0.0005)
    assert ego.yaw_rate_radps == pytest.approx(0.1, abs=0.00005)
    assert ego.steering_rad == pytest.approx(0.02, abs=0.00005)
    assert ego.gear is Gear.DRIVE
    assert ego.stamp_ns == link.now_ns - 20 * MS
    expected = replace(DRIVER, stamp_ns=driver.stamp_ns, steering_torque_nm=driver.steering_torque_nm)
    assert driver == expected
    assert driver.steering_torque_nm == pytest.approx(-1.25, abs=0.005)


@pytest.mark.parametrize("switch", ["acc_set", "acc_resume", "acc_cancel", "acc_gap", "lka_toggle",
                                    "park_request", "park_confirm", "door_open", "hands_on"])  # fmt: skip
def test_each_switch_arrives_alone(link: Link, switch: str) -> None:
    pressed = DriverInput(START, hands_on=False)
    pressed = replace(pressed, **{switch: True})
    for _ in range(5):
        link.measure(driver=pressed)
        link.wait()
    driver = link.vehicle.driver(link.now_ns)
    assert driver is not None
    assert replace(driver, stamp_ns=START) == pressed


@pytest.mark.parametrize("name", FROM_CAR)
def test_a_missing_message_makes_exactly_its_users_none(link: Link, name: str) -> None:
    for _ in range(20):
        link.measure(drop=name)
        link.wait()
    assert (link.vehicle.ego(link.now_ns) is None) == (name in (SPEED, MOTION, STEERING, GEAR))
    assert (link.vehicle.driver(link.now_ns) is None) == (name in (PEDALS, STEERING, SWITCHES))
    assert link.vehicle.health(link.now_ns)[name].status is Status.NO_NEW_DATA


@pytest.mark.parametrize("name", [SPEED, MOTION, STEERING])
def test_a_message_times_out_after_three_missing_cycles(link: Link, name: str) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    for missing in range(1, 6):
        link.measure(drop=name)
        assert (link.vehicle.ego(link.now_ns) is None) == (missing > 3), f"{missing} frames missing"
        link.wait()


def test_state_is_stamped_with_its_oldest_measurement(link: Link) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    link.measure(drop=MOTION)
    ego = link.vehicle.ego(link.now_ns)
    assert ego is not None and ego.stamp_ns == link.now_ns - 20 * MS


def test_after_silence_the_sender_must_prove_itself(link: Link) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    link.wait(1000)
    alive = []
    for _ in range(12):
        link.measure()
        alive.append(link.vehicle.ego(link.now_ns) is not None)
        link.wait()
    assert not alive[0]
    assert alive[-1]


def test_driver_input_is_stamped_with_its_oldest_measurement(link: Link) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    link.measure(drop=STEERING)
    driver = link.vehicle.driver(link.now_ns)
    assert driver is not None and driver.stamp_ns < link.now_ns


def test_stamps_of_driver_and_car_rise_with_every_tick(link: Link) -> None:
    """The switches come every 50 ms; a stamp that stood still between them would look like a repeated sample."""
    stamps = []
    for _ in range(30):
        link.measure()
        ego, driver = link.vehicle.ego(link.now_ns), link.vehicle.driver(link.now_ns)
        if ego is not None and driver is not None:
            stamps.append((ego.stamp_ns, driver.stamp_ns))
        link.wait()
    assert len(stamps) > 15
    for (ego_was, driver_was), (ego_is, driver_is) in zip(stamps, stamps[1:], strict=False):
        assert ego_is > ego_was and driver_is > driver_was


def trusted(link: Link, frame: Frame) -> bool:
    return link.vehicle.feed(frame, link.now_ns) is not None


def test_after_repetitions_the_sender_must_prove_itself(link: Link) -> None:
    for _ in range(3):
        frame = CODEC.encode(SPEED, {})
        link.vehicle.feed(frame, link.now_ns)
        link.wait()
    for _ in range(10):
        assert not trusted(link, frame)
        link.wait()
    assert [trusted(link, CODEC.encode(SPEED, {})) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("jump_ms", "accepted"),
    [(20, [True, True, True]), (-20, [False, True, True]), (500, [False, False, True])],
)
def test_after_a_jump_of_the_clock_the_sender_must_prove_itself(link: Link, jump_ms: int, accepted: list[bool]) -> None:
    for _ in range(3):
        link.vehicle.feed(CODEC.encode(SPEED, {}), link.now_ns)
        link.wait()
    link.wait(jump_ms - 20)
    assert [trusted(link, CODEC.encode(SPEED, {})) for _ in range(3)] == accepted


def test_a_value_out_of_range_is_not_used_though_e2e_passes(link: Link) -> None:
    spec = CODEC.messages[SPEED]
    for _ in range(3):
        assert trusted(link, CODEC.encode(SPEED, {})) == (link.now_ns >= START + 20 * MS)
        link.wait()
    data = bytearray(CODEC.encode(SPEED, {}).data)
    data[2:4] = (0x7FFF).to_bytes(2, "little")
    protect(data, spec.profile, data[1] & 0x0F)
    assert not trusted(link, Frame(spec.id, bytes(data)))
    counts = link.vehicle.health(link.now_ns)[SPEED].counts
    assert (counts[Fault.RANGE], counts[Status.OK]) == (1, 3)


def test_a_clock_that_jumps_back_makes_data_unusable(link: Link) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    assert link.vehicle.ego(link.now_ns) is not None
    assert link.vehicle.ego(link.now_ns - 1000 * MS) is None


def test_one_disturbed_frame_is_counted_and_does_no_harm(link: Link) -> None:
    for tick in range(20):
        for frame in link.encoder.frames(replace(EGO, stamp_ns=link.now_ns), DRIVER, WHEELS):
            disturbed = tick == 15 and frame.id == link.codec.messages[SPEED].id
            link.vehicle.feed(replace(frame, data=bytes(8)) if disturbed else frame, link.now_ns)
        if tick >= 12:
            assert link.vehicle.ego(link.now_ns) is not None, tick
        link.wait()
    counts = link.vehicle.health(link.now_ns)[SPEED].counts
    assert counts[Status.WRONG_CRC] == 1
    assert counts[Status.SYNC] == 1


def test_wrong_lengths_and_unknown_identifiers_are_survived(link: Link) -> None:
    speed_id = link.codec.messages[SPEED].id
    for length in range(9):
        link.vehicle.feed(Frame(speed_id, bytes(length)), link.now_ns)
    link.vehicle.feed(Frame(0x7FF, b""), link.now_ns)
    assert link.vehicle.health(link.now_ns)[SPEED].counts[Fault.LENGTH] == 8


def test_values_beyond_the_sensor_saturate(link: Link) -> None:
    for _ in range(12):
        link.measure(ego=replace(EGO, speed_mps=100.0))
        link.wait()
    ego = link.vehicle.ego(link.now_ns)
    assert ego is not None and ego.speed_mps == 80.0


@pytest.mark.parametrize(("speed", "yaw_rate"), [(10.0, 0.0), (10.0, 0.2), (-2.0, -0.3)])
def test_odometry_follows_the_circle(link: Link, speed: float, yaw_rate: float) -> None:
    moving = replace(EGO, speed_mps=speed, yaw_rate_radps=yaw_rate)
    first = None
    for _ in range(501):
        link.measure(ego=moving)
        ego = link.vehicle.ego(link.now_ns)
        first = first or ego
        link.wait()
    assert first is not None and ego is not None
    seconds_driven = (ego.stamp_ns - first.stamp_ns) / 1e9
    turned = yaw_rate * seconds_driven
    chord = speed * seconds_driven * (math.sin(turned / 2) / (turned / 2) if turned else 1.0)
    assert math.hypot(ego.x_m - first.x_m, ego.y_m - first.y_m) == pytest.approx(abs(chord), abs=0.05)
    assert math.remainder(ego.yaw_rad - first.yaw_rad - turned, math.tau) == pytest.approx(0.0, abs=0.005)
    along = math.copysign(1.0, chord)
    bearing = math.atan2(along * (ego.y_m - first.y_m), along * (ego.x_m - first.x_m))
    expected = first.yaw_rad + turned / 2.0
    assert math.remainder(bearing - expected, math.tau) == pytest.approx(0.0, abs=0.001)


def test_odometry_does_not_jump_over_a_gap(link: Link) -> None:
    for _ in range(12):
        link.measure()
        link.wait()
    before = link.vehicle.ego(link.now_ns)
    link.wait(10_000)
    for _ in range(12):
        link.measure()
        link.wait()
    after = link.vehicle.ego(link.now_ns)
    assert before is not None and after is not None
    assert math.hypot(after.x_m - before.x_m, after.y_m - before.y_m) < 12 * 0.02 * 20.0 + 0.5


# --- to the car ---------------------------------------------------------------------------------------------


def test_the_car_obeys_a_fresh_command(link: Link) -> None:
    both = replace(BRAKE, steering_rad=0.05, lateral=Function.LKA)
    assert link.car.request(link.now_ns) == (None, None)
    for _ in range(2):
        link.request(both)
        link.wait()
    accel, steering = link.car.request(link.now_ns)
    assert accel == pytest.approx(-3.0, abs=0.0005)
    assert steering == pytest.approx(0.05, abs=0.00005)


@pytest.mark.parametrize(("command", "obeyed"), [(BRAKE, (True, False)), (STEER, (False, True))])
def test_no_opinion_on_an_axis_is_no_request(link: Link, command: Command, obeyed: tuple[bool, bool]) -> None:
    for _ in range(2):
        link.request(command)
        link.wait()
    assert tuple(value is not None for value in link.car.request(link.now_ns)) == obeyed


@pytest.mark.parametrize(("age_ms", "obeyed"), [(0, True), (100, True), (101, False), (5000, False), (-1, False)])
def test_a_command_older_than_the_limit_becomes_no_request(link: Link, age_ms: int, obeyed: bool) -> None:
    for _ in range(3):
        link.request(replace(BRAKE, steering_rad=0.05, lateral=Function.LKA), age_ms)
        link.wait()
    accel, steering = link.car.request(link.now_ns)
    assert (accel is not None, steering is not None) == (obeyed, obeyed)


@pytest.mark.parametrize(("sample_ms", "obeyed"), [(0, True), (350, True), (351, False), (60_000, False)])
def test_a_command_that_waited_in_a_queue_is_not_obeyed(link: Link, sample_ms: int, obeyed: bool) -> None:
    """It is received just now, but the sample behind it is old."""
    for _ in range(3):
        link.request(replace(BRAKE, stamp_ns=link.now_ns - sample_ms * MS))
        link.wait()
    assert (link.car.request(link.now_ns)[0] is not None) is obeyed


def test_no_request_has_valid_e2e(link: Link) -> None:
    for _ in range(30):
        link.request(None)
        link.wait()
    for health in link.car.health(link.now_ns).values():
        assert set(health.counts) == {Status.INITIAL, Status.OK}
        assert health.status is Status.OK
    assert link.car.request(link.now_ns) == (None, None)
    assert not link.transmitter.refused


def test_no_request_carries_no_value(link: Link) -> None:
    frames = link.request(BRAKE, age_ms=101)
    for name in (LONGITUDINAL, LATERAL):
        signals = link.signals(frames, name)
        assert not any(value for key, value in signals.items() if key not in ("Crc", "Counter"))


NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("accel", [*NOT_FINITE, 5.01, -12.01, 1e38])
def test_an_acceleration_that_does_not_fit_is_refused_and_steering_goes_on(link: Link, accel: float) -> None:
    for _ in range(3):
        link.request(replace(BRAKE, accel_mps2=accel, steering_rad=0.05, lateral=Function.LKA))
        link.wait()
    refused, steering = link.car.request(link.now_ns)
    assert refused is None
    assert steering == pytest.approx(0.05, abs=0.00005)
    assert link.transmitter.refused == {LONGITUDINAL: 3}


@pytest.mark.parametrize("steering", [*NOT_FINITE, 1.21, -1.21])
def test_an_angle_that_does_not_fit_is_refused_and_braking_goes_on(link: Link, steering: float) -> None:
    for _ in range(3):
        link.request(replace(BRAKE, steering_rad=steering, lateral=Function.LKA))
        link.wait()
    accel, refused = link.car.request(link.now_ns)
    assert accel == pytest.approx(-3.0, abs=0.0005)
    assert refused is None
    assert link.transmitter.refused == {LATERAL: 3}


@pytest.mark.parametrize("function", Function)
def test_only_listed_functions_reach_an_axis(link: Link, function: Function) -> None:
    for _ in range(2):
        link.request(Command(START, -1.0, 0.01, longitudinal=function, lateral=function))
        link.wait()
    accel, steering = link.car.request(link.now_ns)
    assert (accel is not None) == (function.name in ("ACC", "AEB", "APA", "FALLBACK"))
    assert (steering is not None) == (function.name in ("LKA", "APA", "FALLBACK"))


def test_aeb_is_marked(link: Link) -> None:
    aeb = Command(START, accel_mps2=-9.0, longitudinal=Function.AEB)
    assert link.signals(link.request(aeb), LONGITUDINAL)["AebActive"] == 1
    link.wait()
    assert link.signals(link.request(BRAKE), LONGITUDINAL)["AebActive"] == 0


def test_the_stamp_of_the_picture_travels_to_the_bus(link: Link) -> None:
    link.wait(37)
    sample = link.signals(link.request(replace(STEER, stamp_ns=START)), LATERAL)["SampleTime"]
    assert sample_age_s(sample, link.now_ns) == pytest.approx(0.037, abs=0.001)


def test_a_display_value_that_does_not_fit_leaves_the_mode_readable(link: Link) -> None:
    broken = Hmi(mode=SafetyMode.FALLBACK, set_speed_mps=math.nan, gap_m=1e6)
    frames = link.request(None, hmi=broken)
    assert link.signals(frames, WARNINGS)["SafetyMode"] == SafetyMode.FALLBACK
    assert link.signals(frames, "ADAS_AccDisplay")["GapValid"] == 0
    assert link.transmitter.refused == {"ADAS_AccDisplay": 1}


def test_the_first_tick_sends_every_message(link: Link) -> None:
    assert [frame.id for frame in link.request(None)] == [link.codec.messages[name].id for name in TO_CAR]


def test_a_new_command_goes_out_at_once_and_its_cycle_starts_anew(link: Link) -> None:
    def sent(new: bool) -> list[str]:
        frames = link.transmitter.frames(link.now_ns, BRAKE, link.now_ns, DARK, new)
        return [decoded.name for frame in frames if (decoded := link.codec.decode(frame))]

    assert sent(new=False) == list(TO_CAR)
    link.wait(5)
    assert sent(new=False) == []
    assert sent(new=True) == [LONGITUDINAL, LATERAL]
    link.wait(9)
    assert sent(new=False) == []
    link.wait(11)
    assert {LONGITUDINAL, LATERAL} <= set(sent(new=False))


# --- the car's own defence ------------------------------------------------------------------------------------


def test_the_car_gives_up_100_ms_after_the_last_frame(link: Link) -> None:
    for _ in range(2):
        link.request(BRAKE)
        link.wait()
    last_ns = link.now_ns - 20 * MS
    assert link.car.request(last_ns + 100 * MS)[0] is not None
    assert link.car.request(last_ns + 100 * MS + 1) == (None, None)
    assert link.car.request(last_ns - 1) == (None, None)


@pytest.mark.parametrize("fault", ["bit", "frozen"])
def test_the_car_does_not_obey_disturbed_or_frozen_frames(link: Link, fault: str) -> None:
    frames = link.transmitter.frames(link.now_ns, BRAKE, link.now_ns, Hmi())
    frame = next(f for f in frames if f.id == link.codec.messages[LONGITUDINAL].id)
    if fault == "bit":
        frame = replace(frame, data=frame.data[:3] + bytes([frame.data[3] ^ 0x40]) + frame.data[4:])
    for _ in range(50):
        link.car.feed(frame, link.now_ns)
        assert link.car.request(link.now_ns) == (None, None)
        link.wait()


# A frame 12 to 14 counts old looks like one that is 3 to 1 ahead: four bits of counter tell no more.
@pytest.mark.parametrize("back", [1, 5, 11])
def test_the_car_does_not_obey_an_old_frame_sent_again(link: Link, back: int) -> None:
    for _ in range(15):
        link.request(None)
        link.wait()
    braking = link.transmitter.frames(link.now_ns, BRAKE, link.now_ns, Hmi())
    old = next(f for f in braking if f.id == link.codec.messages[LONGITUDINAL].id)
    for _ in range(back):
        link.wait()
        link.request(None)
    link.car.feed(old, link.now_ns)
    assert link.car.request(link.now_ns) == (None, None)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_bytes_crash_nothing_and_move_nothing(link: Link, seed: int) -> None:
    rng = random.Random(seed)
    known = [spec.id for spec in link.codec.messages.values()]
    for _ in range(10_000):
        length = 8 if rng.random() < 0.9 else rng.randrange(65)
        frame = Frame(rng.choice(known), rng.randbytes(length))
        link.car.feed(frame, link.now_ns)
        link.vehicle.feed(frame, link.now_ns)
        assert link.car.request(link.now_ns) == (None, None)
        assert link.vehicle.ego(link.now_ns) is None
        assert link.vehicle.driver(link.now_ns) is None
        link.wait(1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.binary(max_size=64)), max_size=30))
def test_any_bytes_are_survived(frames: list[tuple[int, bytes]]) -> None:
    link = Link()
    for identifier, data in frames:
        link.vehicle.feed(Frame(identifier, data), link.now_ns)
        link.car.feed(Frame(identifier, data), link.now_ns)
    assert set(link.vehicle.health(link.now_ns)) == set(FROM_CAR)
    assert WHEEL_SPEEDS in link.vehicle.health(link.now_ns)
