"""``adas replay``: from options to results, table, report, output bags and exit status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adas_perception.replay.job import Job, Result
from adas_perception.replay.kpi import Summary, summarise
from adas_perception.replay.report import figures, write_report


@dataclass(frozen=True)
class Options:
    """What the command line asks for; ``bags`` off writes no output bags."""

    recordings: Sequence[Path]
    topics: Path | None = None
    out: Path | None = Path("out/replay")
    preset: str = ""
    car: Path | None = None
    jobs: int = 1
    scheduler: str = ""
    threads: int = 0
    bags: bool = True
    shadow: bool = False


def run_replay(options: Options, console: Console | None = None) -> int:
    """Replay, show and report; returns 2 if a recording could not be used, else 0."""
    console = console or Console()
    results = replay_all(options, console)
    failed = [r for r in results if r.drive is None]
    for result in failed:
        console.print(f"adas: {result.error}", style="red", highlight=False, markup=False, soft_wrap=True)
    drives = [r.drive for r in results if r.drive]
    if drives:
        console.print(_by_recording(results))
        console.print(_table(f"Replay of {len(drives)}" if len(drives) > 1 else drives[0].name, summarise(drives)))
    for result in results:
        if result.pictures_unseen:
            console.print(
                f"{result.name}: {result.pictures_unseen} pictures came before any camera_info and were not looked at; "
                "record camera/camera_info, or name it in --topics", soft_wrap=True,
            )  # fmt: skip
    if options.out and drives:
        console.print(f"report: {write_report(results, options.out)}")
        for result in results:
            if result.bag and result.drive:
                console.print(f"outputs: {result.bag}")
    return 2 if failed else 0


def jobs_of(options: Options) -> list[Job]:
    """Return a job for every recording; two of one name get output bags of different names."""
    jobs: list[Job] = []
    taken: set[Path] = set()
    for path in options.recordings:
        bag = None
        if options.out and options.bags:
            bag = options.out / f"{path.stem if path.is_file() else path.name}.outputs"
            while bag in taken:
                bag = bag.with_name(f"{bag.name}_")
            taken.add(bag)
        jobs.append(Job(path, options.topics, options.preset, options.car, bag, options.threads, options.shadow))
    return jobs


def replay_all(options: Options, console: Console) -> list[Result]:
    """Return the results in the order of the recordings, with a bar of progress."""
    jobs = jobs_of(options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replaying", total=len(jobs))
        if not options.scheduler and options.jobs <= 1:
            results = []
            for job in jobs:
                name = job.path.name

                def show(time_s: float, name: str = name) -> None:
                    bar.update(task, description=f"{name} {time_s:5.0f} s")

                results.append(job(show))
                bar.advance(task)
            return results
        return _spread(jobs, options, lambda: bar.advance(task))


def _spread(jobs: Sequence[Job], options: Options, done: Callable[[], object]) -> list[Result]:
    from distributed import as_completed

    from adas_perception.sim.scorecard.farm import cluster

    with cluster(options.jobs, options.scheduler) as client:
        futures = [client.submit(job, pure=False) for job in jobs]
        for _ in as_completed(futures):
            done()
        return list(client.gather(futures))


def _by_recording(results: Sequence[Result]) -> Table:
    table = Table("recording", "time", "distance", "acted", "false", "dropped", "stale", "rejected", "speed")
    for result in results:
        if result.drive:
            _row(table, result.name, summarise([result.drive]), f"{result.real_time_factor:.1f} x")
        else:
            table.add_row(result.name, "[red]not usable[/red]")
    drives = [r.drive for r in results if r.drive]
    if len(drives) > 1:
        table.add_section()
        _row(table, "all", summarise(drives), "")
    return table


def _row(table: Table, name: str, s: Summary, speed: str) -> None:
    table.add_row(
        name, f"{s.duration_s:.1f} s", f"{s.distance_km:.2f} km", str(sum(r.count for r in s.interventions.values())),
        str(sum(r.count for r in s.false_activations.values())), str(s.dropped_inputs), str(s.stale_inputs),
        str(s.rejected_inputs), speed,
    )  # fmt: skip


def _table(title: str, summary: Summary) -> Table:
    table = Table("figure", "value", title=title)
    for name, value in figures(summary):
        table.add_row(name, value)
    return table
