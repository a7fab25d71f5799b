"""Row files: what the shipped ones hold, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from adas_perception.params import ParameterError
from adas_perception.sim.scorecard.play import Conditions, new_world
from adas_perception.sim.scorecard.rows import Row, load_rows, select
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.vehicle import CarParams

# Runs of each row of the protocols' matrix.
RUNS = {
    "A01": 25, "A02": 15, "A03": 3, "A04": 4, "A05": 55, "A06": 30, "A07": 5, "A08": 4, "A09": 12, "A10": 9,
    "A11": 25, "A12": 6, "A13": 16, "A14": 10,
    "V01": 18, "V02": 6, "V03": 6, "V04": 6, "V05": 4, "V06": 12, "V07": 12, "V08": 12, "V09": 5, "V10": 4,
    "V11": 15, "V12": 6, "V13": 8, "V14": 4, "V15": 6, "V16": 6,
    "F01": 6, "F02": 4, "F03": 9, "F04": 12, "F05": 4, "F06": 3, "F07": 3, "F08": 6, "F09": 6, "F10": 10, "F11": 3,
    "F12": 9,
    "C01": 5, "C02": 15, "C03": 4, "C04": 6, "C05": 12, "C06": 27, "C07": 8, "C08": 6, "C09": 7, "C10": 2, "C11": 4,
    "C12": 4,
    "L01": 36, "L02": 20, "L03": 10, "L04": 24, "L05": 12, "L06": 21, "L07": 12, "L08": 1,
    "B01": 30, "B02": 20, "B03": 10, "B04": 10, "B05": 20, "B06": 4, "B07": 2,
    "X01": 24, "X02": 12, "X03": 10, "X04": 12, "X05": 12, "X06": 12, "X07": 12, "X08": 16, "X09": 10, "X10": 6,
    "X11": 10,
    "P01": 36, "P02": 36, "P03": 4, "P04": 8, "P05": 12, "P06": 8, "P07": 16, "P08": 4, "P09": 2,
}  # fmt: skip

GOOD = """\
group: Test
rows:
  T01:
    scenario: a stopped car
    source: own
    passes: no contact
    manoeuvre: approach
    runs:
      - {speed_kmh: [20, 40], impact_percent: [25, 75]}
    criteria: [{rule: no_contact}]
"""


@pytest.fixture(scope="module")
def shipped() -> dict[str, Row]:
    return {row.id: row for row in load_rows()}


def write(folder: Path, text: str) -> Path:
    (folder / "rows.yaml").write_text(text)
    return folder


def test_shipped_rows_have_the_runs_of_the_matrix(shipped: dict[str, Row]) -> None:
    assert {name: len(row.cases) for name, row in shipped.items()} == RUNS


def test_zero_contact_and_zero_braking_are_hard_gates(shipped: dict[str, Row]) -> None:
    gated = {name for name, row in shipped.items() if any(case.gates for case in row.cases)}
    assert gated >= {"A01", "A04", "A09", "V15"} | {i for i in RUNS if i[0] in "FC"}


def test_lists_stand_for_every_combination(tmp_path: Path) -> None:
    (row,) = load_rows(write(tmp_path, GOOD))
    assert [dict(case.varied) for case in row.cases] == [
        {"speed_kmh": s, "impact_percent": p} for s in (20, 40) for p in (25, 75)
    ]
    assert [case.id for case in row.cases] == ["T01.01", "T01.02", "T01.03", "T01.04"]


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("speed_kmh: [20, 40]", "speed_kmhh: 20", ["rows.yaml:9", "speed_kmhh", "did you mean 'speed_kmh'"]),
        ("speed_kmh: [20, 40]", "speed_kmh: [20, fast]", ["rows.yaml:9", "speed_kmh", "'fast' is not a number"]),
        ("speed_kmh: [20, 40]", "speed_kmh: 2000", ["rows.yaml:9", "speed_kmh", "outside 1.0..200.0 km/h"]),
        ("manoeuvre: approach", "manoeuvre: aproach", ["rows.yaml:7", "aproach", "approach"]),
        ("rule: no_contact", "rule: nocontact", ["rows.yaml:10", "nocontact", "no_contact"]),
        ("rule: no_contact", "rule: no_contact, up_to: 3", ["rows.yaml:10", "up_to", "up_to_kmh"]),
        ("    source: own\n", "", ["rows.yaml:4", "'source' is missing"]),
        ("    source: own\n", "    sorce: own\n", ["rows.yaml:5", "sorce", "source"]),
        ("    source: own\n", "    source: own\n    source: own\n", ["rows.yaml:6", "'source' stands twice"]),
        ("      - {speed", "      - {{speed", ["rows.yaml:10"]),
        ("criteria: [{rule: no_contact}]", "criteria: no_contact", ["rows.yaml:10", "must be a list"]),
    ],
)
def test_a_wrong_file_names_line_and_field(tmp_path: Path, right: str, wrong: str, words: list[str]) -> None:
    assert right in GOOD
    with pytest.raises(ParameterError) as error:
        load_rows(write(tmp_path, GOOD.replace(right, wrong, 1)))
    for word in words:
        assert word in str(error.value)


def test_selection_by_pattern(shipped: dict[str, Row]) -> None:
    rows = shipped.values()
    assert [row.id for row in select(rows, "A01,B0[12]")] == ["A01", "B01", "B02"]
    with pytest.raises(ParameterError, match="no row matches 'Z9'"):
        select(rows, "A01,Z9")


@pytest.mark.parametrize("row_id", sorted(RUNS))
def test_runs_can_be_staged(shipped: dict[str, Row], row_id: str) -> None:
    cases = shipped[row_id].cases
    for case in (cases[0], cases[len(cases) // 2], cases[-1]):
        stage = case.manoeuvre.stage()
        assert stage.scenario.duration_s > 3.0
        assert not stage.target or stage.target in [actor.name for actor in stage.scenario.actors]


def crash(stage: Stage) -> str:
    """Return whom the car hits when nothing but the driver is in it."""
    world = new_world(Stage(stage.scenario, CarParams()), Conditions())
    while not world.done and world.contact is None:
        world.step(0.05)
    return world.contact.name if world.contact else ""


@pytest.mark.parametrize(
    "row_id", ["A02", "A06", "A09", "A10", "A11", "A12", "V01", "V02", "V03", "V07", "V08", "V13", "V14", "L05", "L06"]
)
def test_without_assistance_the_protocol_ends_in_the_target(shipped: dict[str, Row], row_id: str) -> None:
    cases = shipped[row_id].cases
    for case in (cases[0], cases[-1]):
        assert crash(case.manoeuvre.stage()) == "target", case.id
