"""The scorecard end to end: rows against the shipped pipeline, the same result however it is spread."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from adas_perception.cli import app
from adas_perception.params import ParameterError
from adas_perception.sim.scorecard.command import Options, run_scorecard
from adas_perception.sim.scorecard.criteria.braking import QuietDrive
from adas_perception.sim.scorecard.farm import Job, play_all
from adas_perception.sim.scorecard.manoeuvres.endurance import Endurance
from adas_perception.sim.scorecard.play import Conditions, play
from adas_perception.sim.scorecard.rows import Case, load_rows

QUIET = Console(quiet=True)
ROW = """\
group: Test
rows:
  T01:
    scenario: a stopped car
    source: own
    passes: {passes}
    manoeuvre: approach
    runs:
      - {{speed_kmh: [20, 40], start_ttc_s: 3}}
    criteria: [{{rule: {rule}}}]
    hard_gate: [{{rule: {rule}}}]
"""


def case(name: str) -> Case:
    return next(c for row in load_rows() for c in row.cases if c.id == name)


@pytest.mark.parametrize("name", ["A01.08", "A06.13", "A09.06", "C05.01", "L02.09", "B02.05", "V01.11", "F10.01"])
def test_a_run_of_each_kind_passes(name: str) -> None:
    result = play(case(name), Conditions())
    assert result.passed, [f"{check.name} {check.text}" for check in result.checks]
    assert not result.broken_gates
    assert result.trace is None


def test_the_guide_preset_hits_where_it_is_known_to() -> None:
    result = play(case("A02.13"), Conditions(preset="guide"))
    assert not result.passed
    assert result.main.value == pytest.approx(46.0, abs=8.0)  # STANDARDS: 46 km/h at 80
    assert result.trace is not None


def test_slippery_road_is_harder_and_braked_on_earlier() -> None:
    """The car has a friction estimate: a wet road costs no contact, on ice the warning cannot come early enough."""
    dry, wet, icy = (play(case("A02.08"), Conditions(mu=mu), "*") for mu in (None, 0.4, 0.1))
    assert dry.passed and wet.passed and not icy.passed
    begins = [float(r.trace["gap_m"][r.trace["aeb_brakes"] > 0.0][0]) for r in (dry, wet) if r.trace]
    assert begins[1] > 1.5 * begins[0]


def rows(tmp_path: Path, rule: str = "no_contact", name: str = "rows") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "rows.yaml").write_text(ROW.format(passes="no contact", rule=rule))
    return folder


def scored(options: Options) -> str:
    run_scorecard(options, QUIET)
    assert options.out is not None
    return (options.out / "scorecard.json").read_text()


def test_same_seed_same_json_and_noise_changes_it(tmp_path: Path) -> None:
    folder = rows(tmp_path)
    texts = [scored(Options(scenarios=folder, noise=n, out=tmp_path / str(i))) for i, n in enumerate((1, 1, 0))]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["rows"][0]["results"] != json.loads(texts[2])["rows"][0]["results"]


def test_dask_gives_the_same_results_in_the_same_order(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (row,) = load_rows(rows(tmp_path))
    jobs = [Job(c, Conditions(noise_seed=seed), "*") for c in row.cases for seed in (1, 2)]
    long = Endurance("motorway", 2.0, 1)
    jobs.append(Job(replace(row.cases[0], manoeuvre=long, criteria=(QuietDrive(),)), Conditions(), "*"))
    assert long.parts() == 3
    heard: list[str] = []
    alone = play_all(jobs, lambda r: None)
    spread = play_all(jobs, lambda r: heard.append(r.case_id), workers=2)
    assert len(heard) == len(jobs)
    for a, b in zip(alone, spread, strict=True):
        assert (a.case_id, a.seed, a.checks, a.points) == (b.case_id, b.seed, b.checks, b.points)
        assert a.trace is not None and b.trace is not None
        assert all((a.trace[name] == b.trace[name]).all() for name in ("time_s", "x_m", "speed_mps"))


def test_any_scheduler_address_will_do(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    (row,) = load_rows(rows(tmp_path))
    jobs = [Job(c, Conditions()) for c in row.cases]
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(host="127.0.0.1", protocol="tcp", **local) as cluster:
        spread = play_all(jobs, lambda r: None, scheduler=cluster.scheduler_address)
    assert [r.checks for r in spread] == [r.checks for r in play_all(jobs, lambda r: None)]


def test_no_scheduler_is_one_sentence() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(ParameterError, match="tcp://127.0.0.1:9"):
        play_all([Job(case("A01.01"), Conditions())], lambda r: None, scheduler="tcp://127.0.0.1:9")


def test_a_broken_gate_is_exit_status_1(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_scorecard(Options(scenarios=rows(tmp_path), out=out), QUIET) == 0
    bad = rows(tmp_path, "no_braking", "bad")
    assert run_scorecard(Options(scenarios=bad, out=out), QUIET) == 1
    card = json.loads((out / "scorecard.json").read_text())
    assert (card["runs"], card["passed"], card["broken_gates"]) == (2, 0, 2)
    page = (out / "scorecard.html").read_text()
    assert "2 hard gates broken" in page and 'data-run="T01.01"' in page and "Plotly.newPlot" in page


def test_only_failed_runs_carry_plots_unless_asked(tmp_path: Path) -> None:
    folder = rows(tmp_path)
    small, asked = (tmp_path / name for name in ("small", "asked"))
    run_scorecard(Options(scenarios=folder, out=small), QUIET)
    run_scorecard(Options(scenarios=folder, out=asked, traces="T01.02"), QUIET)
    assert "data-run" not in (small / "scorecard.html").read_text()
    assert (asked / "scorecard.html").read_text().count("data-run=") == 1


def test_the_guide_beside_the_default(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = rows(tmp_path)
    (folder / "rows.yaml").write_text(ROW.format(passes="no contact", rule="no_contact").replace("20, 40", "20, 80"))
    assert run_scorecard(Options(scenarios=folder, out=out, compare="guide"), QUIET) == 0
    lines = (out / "comparison.md").read_text().splitlines()
    assert lines[0].startswith("| group | scenario | runs | passed, default | passed, guide | points, default")
    assert "| all |  | 2 | 2 | 1 | 100 % | 50 % | 0 | 1 |" in lines
    assert "| T01 | a stopped car | 2 | 2 | 1 | 100 % | 50 % | 0 | 1 |" in lines


def test_command_line_names_unknown_rows() -> None:
    result = CliRunner().invoke(app, ["scorecard", "--rows", "Q7"])
    assert isinstance(result.exception, ParameterError)
    assert "no row matches 'Q7'" in str(result.exception)
