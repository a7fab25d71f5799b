"""``adas scorecard``: from options to table, JSON, report and exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from adas_perception.sim.scorecard.compare import as_markdown
from adas_perception.sim.scorecard.farm import Job, play_all
from adas_perception.sim.scorecard.play import Conditions, Result
from adas_perception.sim.scorecard.report import write_report
from adas_perception.sim.scorecard.rows import ROWS_DIR, Row, load_rows, select
from adas_perception.sim.scorecard.score import RowScore, Scorecard, as_json, summed_up


@dataclass(frozen=True)
class Options:
    """What the command line asks for; ``noise`` is the number of seeds, 0 for clean sensors.

    ``compare`` names a preset that plays the same runs.
    """

    rows: str = "*"
    preset: str = ""
    noise: int = 0
    mu: float | None = None
    jobs: int = 1
    scheduler: str = ""
    traces: str = "failed"
    out: Path | None = None
    scenarios: Path = ROWS_DIR
    compare: str = ""


def run_scorecard(options: Options, console: Console | None = None) -> int:
    """Run, show and write the scorecard; returns 1 if a hard gate is broken, else 0."""
    console = console or Console()
    card = _score(options, options.preset, console)
    for table in tables(card):
        console.print(table)
    console.print(summary(card))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(as_json(card), indent=1, ensure_ascii=False)
        (options.out / "scorecard.json").write_text(text + "\n", encoding="utf-8")
        write_report(card, options.out / "scorecard.html")
        console.print(f"written to {options.out / 'scorecard.html'} and {options.out / 'scorecard.json'}")
    if options.compare:
        _compare(options, card, console)
    return 1 if card.broken else 0


def _score(options: Options, preset: str, console: Console) -> Scorecard:
    rows = select(load_rows(options.scenarios), options.rows)
    seeds = range(1, options.noise + 1) or (None,)
    conditions = [Conditions(preset, seed, options.mu) for seed in seeds]
    jobs = [Job(case, c, options.traces) for row in rows for case in row.cases for c in conditions]
    return summed_up(rows, conditions, _with_progress(jobs, options, console))


def _compare(options: Options, card: Scorecard, console: Console) -> None:
    """Play the same runs with the other preset; show both side by side."""
    text = as_markdown(card, _score(replace(options, traces=""), options.compare, console))
    console.print(text, markup=False, soft_wrap=True)
    if options.out:
        (options.out / "comparison.md").write_text(text, encoding="utf-8")
        console.print(f"written to {options.out / 'comparison.md'}")


def _with_progress(jobs: Sequence[Job], options: Options, console: Console) -> list[Result]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("runs", total=len(jobs))
        failed = 0

        def done(result: Result) -> None:
            nonlocal failed
            failed += not result.passed
            bar.update(task, advance=1, description=f"{result.row}, {failed} failed")

        return play_all(jobs, done, options.jobs, options.scheduler)


def tables(card: Scorecard) -> list[Table]:
    """Return one table per group."""
    return [_table(name, scores) for name, scores in card.groups().items()]


def _table(group: str, scores: Sequence[RowScore]) -> Table:
    table = Table(title=group, title_justify="left")
    for name, justify in (("row", "left"), ("scenario", "left"), ("passed", "right"), ("points", "right"),
                          ("worst run", "left"), ("worst figure", "left"), ("gate", "left")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for score in scores:
        whole = score.passed == len(score.results)
        colour = "green" if whole else "bold red"
        worst = score.worst
        table.add_row(
            score.row.id, score.row.scenario, f"[{colour}]{score.passed}/{len(score.results)}[/{colour}]",
            f"{100.0 * score.points:.0f} %", _varied(worst), f"{worst.main.name} {worst.main.text}",
            f"[bold red]{len(score.broken)} broken[/bold red]" if score.broken else "ok" if _gated(score.row) else "",
        )  # fmt: skip
    return table


def _gated(row: Row) -> bool:
    return any(case.gates for case in row.cases)


def _varied(result: Result) -> str:
    figures = " ".join(f"{name}={value}" for name, value in result.varied.items())
    noisy = f" noise={result.seed}" if result.seed is not None else ""
    return f"{result.case_id} {figures}{noisy}"


def summary(card: Scorecard) -> str:
    """Return the headline."""
    total = sum(len(score.results) for score in card.rows)
    passed = sum(score.passed for score in card.rows)
    groups = ", ".join(
        f"{name} {100.0 * sum(r.points for s in scores for r in s.results) / sum(len(s.results) for s in scores):.1f} %"
        for name, scores in card.groups().items()
    )
    return f"{passed} of {total} runs passed; points: {groups}; hard gates broken: {len(card.broken)}"
