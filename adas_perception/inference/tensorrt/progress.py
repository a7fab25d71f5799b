"""How far a build is; TensorRT 8.6 does not tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Percent:
    """Turns TensorRT's nested phases into one figure that never falls."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._shown = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Begin a phase of so many steps."""
        self._phases[name] = _Phase(parent, max(steps, 1))

    def step(self, name: str, step: int) -> None:
        """Take in that a step of a phase is done."""
        if name in self._phases:
            self._phases[name].done = step + 1
            self._show()

    def finish(self, name: str) -> None:
        """End a phase; it counts as one step of its parent once that says so."""
        self._phases.pop(name, None)

    def _show(self) -> None:
        root = next((name for name, phase in self._phases.items() if phase.parent is None), None)
        if root is not None:
            self._shown = max(self._shown, min(100.0 * self._share(root), 100.0))
            self._report(self._shown)

    def _share(self, name: str) -> float:
        phase = self._phases[name]
        inner = (self._share(child) for child, its in self._phases.items() if its.parent == name)
        return min(1.0, (phase.done + max(inner, default=0.0)) / phase.steps)


def make_monitor(trt: Any, report: Callable[[float], None]) -> Any:
    """Return a progress monitor for ``config.progress_monitor`` that calls ``report`` with 0..100."""
    percent = Percent(report)

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            percent.start(phase_name, parent_phase or None, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            percent.step(phase_name, step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            percent.finish(phase_name)

    return Monitor()
