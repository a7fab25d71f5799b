"""Many runs: one after the other in this process, or spread over workers by Dask. The results are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adas_perception.params import ParameterError
from adas_perception.sim.scorecard.play import Conditions, Result, drive_part, judge, play
from adas_perception.sim.scorecard.rows import Case
from adas_perception.sim.scorecard.trace import Trace


@dataclass(frozen=True)
class Job:
    """One run to play."""

    case: Case
    conditions: Conditions
    traces: str = "failed"

    def __call__(self) -> Result:
        """Play the run."""
        return play(self.case, self.conditions, self.traces)

    @property
    def parts(self) -> range:
        """Return the numbers of the parts that may be driven apart."""
        return range(self.case.manoeuvre.parts())

    def drive(self, part: int) -> Trace:
        """Drive one part."""
        return drive_part(self.case, self.conditions, part)

    def judge(self, parts: Sequence[Trace]) -> Result:
        """Judge the run by all its parts."""
        return judge(self.case, self.conditions, self.traces, parts)


Progress = Callable[[Result], None]


def play_all(jobs: Sequence[Job], progress: Progress, workers: int = 1, scheduler: str = "") -> list[Result]:
    """Return the results in the order of ``jobs``; ``progress`` hears of each one as it ends.

    ``scheduler`` is the address of a Dask scheduler whose workers have this package; else, with more than one
    worker, a local cluster is started for the time of the call.
    """
    if not scheduler and workers <= 1:
        results = []
        for job in jobs:
            results.append(job())
            progress(results[-1])
        return results
    return _spread(jobs, progress, workers, scheduler)


def _submitted(client: Any, job: Job) -> Any:
    """Hand a job to the workers, a long one in parts; the workers judge, so that no long trace travels back."""
    if len(job.parts) == 1:
        return client.submit(job, pure=False)
    return client.submit(job.judge, [client.submit(job.drive, part, pure=False) for part in job.parts], pure=False)


def cluster(workers: int, scheduler: str) -> Any:
    """Return a Dask client of ``scheduler``, else of so many local workers; a context manager.

    Raises ParameterError when Dask is not installed or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ParameterError("--jobs and --scheduler need Dask: pip install 'adas_perception[tools]'") from None

    # Port 0: the dashboard takes any free one, so that two scorecards run side by side.
    local = {
        "n_workers": workers, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0",
    }  # fmt: skip
    try:
        return Client(scheduler, timeout="4s") if scheduler else Client(**local)
    except (OSError, TimeoutError, ValueError) as error:
        raise ParameterError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from None


def _spread(jobs: Sequence[Job], progress: Progress, workers: int, scheduler: str) -> list[Result]:
    with cluster(workers, scheduler) as client:
        from distributed import as_completed

        futures = [_submitted(client, job) for job in jobs]
        number = {future.key: i for i, future in enumerate(futures)}
        results: dict[int, Result] = {}
        for future, result in as_completed(futures, with_results=True):
            results[number[future.key]] = result
            progress(result)
    return [results[i] for i in range(len(jobs))]
