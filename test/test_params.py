"""Parameters: one file for both worlds, and one clear sentence for everything that is wrong in it."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adas_perception.functions.acc import AccParams
from adas_perception.functions.aeb import AebParams
from adas_perception.functions.apa import ApaParams
from adas_perception.functions.bsd import BsdParams
from adas_perception.functions.lka import LkaParams
from adas_perception.limits import Limits, LongitudinalLimits, load_limits
from adas_perception.params import Config, ParameterError, Params, Vehicle, param, read_yaml
from adas_perception.perception.radar import RadarParams
from adas_perception.perception.tracking import FusionParams
from adas_perception.perception.ultrasonic import UltrasonicParams
from adas_perception.resources import config_path

KINDS = {
    "radar": RadarParams,
    "fusion": FusionParams,
    "ultrasonic": UltrasonicParams,
    "acc": AccParams,
    "aeb": AebParams,
    "lka": LkaParams,
    "bsd": BsdParams,
    "apa": ApaParams,
}


@dataclass(frozen=True)
class Sample(Params):
    speed_mps: float = param(10.0, "a speed", unit="m/s", low=0.0, high=50.0)
    cycles: int = param(3, "a count", low=1, high=9)
    on: bool = param(True, "a switch")
    rule: str = param("standard", "a choice", choices=("standard", "guide"))
    table_s: tuple[float, ...] = param((1.0, 2.0), "a table", unit="s", low=0.5, high=4.0)
    vehicle: Vehicle = Vehicle()


@pytest.mark.parametrize("node", sorted(KINDS))
def test_the_shipped_file_shows_the_defaults(node):
    assert Config(config_path("adas.yaml")).get(node, KINDS[node]) == KINDS[node]()


def test_the_shipped_limits_are_the_defaults():
    assert load_limits(config_path("limits.yaml")) == Limits()


@pytest.mark.parametrize("node", ["acc", "aeb", "lka", "bsd", "apa"])
def test_the_guide_preset_selects_the_guides_rule(node):
    config = Config(config_path("adas.yaml"), config_path("presets/guide.yaml"))
    assert config.get(node, KINDS[node]).rule == "guide"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"speed_mps": 51.0}, r"place\.speed_mps: 51.0 m/s is outside 0.0..50.0 m/s"),
        ({"speed_mps": "fast"}, r"place\.speed_mps: 'fast' is not a number"),
        ({"speed_mps": True}, "is not a number"),
        ({"speed_mps": float("nan")}, "not finite"),
        ({"cycles": 2.5}, "not a whole number"),
        ({"on": "yes"}, "not a true or false"),
        ({"rule": "gide"}, "'gide' is not one of standard, guide"),
        ({"table_s": [1.0, 9.0]}, "9.0 s is outside"),
        ({"table_s": "1.0"}, "not a list"),
        ({"spede_mps": 1.0}, "there is no parameter 'spede_mps'; did you mean 'speed_mps'"),
        ({"vehicle": {"width_m": 9.0}}, r"place\.vehicle\.width_m: 9.0 m is outside"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(values, words):
    with pytest.raises(ParameterError, match=words):
        Sample.from_mapping(values, "place")


@given(speed=st.integers(0, 50), cycles=st.integers(1, 9), on=st.booleans())
def test_good_values_come_through(speed, cycles, on):
    sample = Sample.from_mapping({"speed_mps": speed, "cycles": cycles, "on": on})
    assert (sample.speed_mps, sample.cycles, sample.on) == (speed, cycles, on)
    assert isinstance(sample.speed_mps, float)


def test_a_later_file_overrides_single_values(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("/**: {ros__parameters: {vehicle: {width_m: 2.0}}}\n/adas/x: {ros__parameters: {cycles: 5}}\n")
    second.write_text("/adas/x: {ros__parameters: {speed_mps: 1}}\n")
    sample = Config(first, second).get("x", Sample)
    assert (sample.vehicle.width_m, sample.cycles, sample.speed_mps) == (2.0, 5, 1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", r"line 1|line 2"),
        ("- 1\n- 2\n", "mapping"),
        ("/adas/x: {rosparameters: {}}", "ros__parameters"),
        ("", "mapping"),
    ],
)
def test_broken_yaml_is_one_sentence_with_the_file(tmp_path, text, words):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=words) as caught:
        Config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(ParameterError, match="no such file"):
        read_yaml(Path("nowhere.yaml"))


@given(st.floats(0, 60))
def test_the_comfort_envelope_is_between_its_two_ends(speed):
    limits = LongitudinalLimits()
    assert 3.5 <= limits.decel_max(speed) <= 5.0
    assert 2.0 <= limits.accel_max(speed) <= 4.0


def test_limits_with_speeds_out_of_order_are_refused():
    with pytest.raises(ParameterError, match="speed_low_mps must be below"):
        Limits.from_mapping({"longitudinal": {"speed_low_mps": 30.0}})
