"""One run: the staged scenario, the shipped pipeline, closed loop; then its criteria."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from adas_perception.limits import Limits, load_limits
from adas_perception.params import Config
from adas_perception.pipeline import Pipeline
from adas_perception.resources import config_path
from adas_perception.sim.loop import drive
from adas_perception.sim.scorecard.criteria import Check
from adas_perception.sim.scorecard.rows import Case
from adas_perception.sim.scorecard.stage import Stage
from adas_perception.sim.scorecard.trace import APA_STATES, Recorder, Tick, Trace
from adas_perception.sim.setup import CLEAN, NOISY
from adas_perception.sim.suite import SensorSuite
from adas_perception.sim.world import World
from adas_perception.types import Gear

_AFTER_S = 0.5
_STANDSTILL_MPS = 0.05
_ABORTED = APA_STATES.index("ABORTED")


@dataclass(frozen=True)
class Conditions:
    """What is the same for all runs of a scorecard. ``noise_seed`` None means clean sensors, ``mu`` None the row's."""

    preset: str = ""
    noise_seed: int | None = None
    mu: float | None = None


@dataclass(frozen=True)
class Result:
    """A run as judged. ``main`` is the check that says most: the first that failed, else the tightest figure."""

    case_id: str
    row: str
    seed: int | None
    varied: dict[str, Any]
    checks: tuple[Check, ...]
    broken_gates: tuple[str, ...]
    points: float
    colour: str
    trace: Trace | None

    @property
    def passed(self) -> bool:
        """Tell whether every criterion holds."""
        return all(check.passed for check in self.checks)

    @property
    def main(self) -> Check:
        """Return the check that the row's worst margin is taken from."""
        return next((c for c in self.checks if not c.passed), self.checks[0])


def play(case: Case, conditions: Conditions, traces: str = "failed") -> Result:
    """Drive and judge one run; its trace is kept if it failed and ``traces`` says so, or if that names the run."""
    return judge(case, conditions, traces, [drive_part(case, conditions, i) for i in range(case.manoeuvre.parts())])


def drive_part(case: Case, conditions: Conditions, number: int) -> Trace:
    """Drive one part of a run; most have only one."""
    stage = case.manoeuvre.part(number)
    if conditions.mu is not None:
        stage = replace(stage, car=replace(stage.car, mu=min(stage.car.mu, conditions.mu)))
    return drive_stage(stage, conditions)


def judge(case: Case, conditions: Conditions, traces: str, parts: Sequence[Trace]) -> Result:
    """Judge a run by the traces of its parts in order."""
    stage, legs = case.manoeuvre.stage(), [leg for part in parts for leg in (*part.before, part)]
    trace = replace(legs[-1], before=tuple(legs[:-1]))
    checks = tuple(check for criterion in case.criteria for check in criterion.judge(trace, stage))
    broken = tuple(
        f"{check.name}: {check.text}" for gate in case.gates for check in gate.judge(trace, stage) if not check.passed
    )
    colours = [check for check in checks if check.colour]
    passed = all(check.passed for check in checks)
    kept = fnmatch.fnmatchcase(case.id, traces) or traces == "failed" and (not passed or bool(broken))
    return Result(
        case.id, case.row, conditions.noise_seed, dict(case.varied), checks, broken,
        min((c.points for c in colours), default=float(passed)),
        colours[0].colour if colours else "", legs[-1] if kept else None,
    )  # fmt: skip


def drive_stage(stage: Stage, conditions: Conditions) -> Trace:
    """Run the pipeline against all legs of a run; returns the last leg, which knows those before it."""
    legs: list[Trace] = []
    leg: Stage | None = stage
    while leg is not None:
        trace = _drive_leg(leg, conditions)
        leg = leg.then(trace) if leg.then and trace.contact is None else None
        legs.append(trace)
    return replace(legs[-1], before=tuple(legs[:-1]))


def _drive_leg(stage: Stage, conditions: Conditions) -> Trace:
    world = new_world(stage, conditions)
    recorder = Recorder(world, stage.target)
    done_at: float | None = None
    pipeline = Pipeline(*_parameters(conditions.preset), camera=world.camera)
    suite = SensorSuite(world, camera_boxes=stage.objects)
    for output in stage.loop(world, pipeline) if stage.loop else drive(world, pipeline, sensors=suite):
        recorder.add(output)
        tick = recorder.last
        if recorder.over or done_at is not None and tick.time_s >= done_at:
            break
        if done_at is None and _ends(stage, tick):
            done_at = tick.time_s + _AFTER_S
    return replace(recorder.finish(), evidence=stage.loop.evidence() if stage.loop else None)


@lru_cache(maxsize=4)
def _parameters(preset: str) -> tuple[Config, Limits]:
    """Return the shipped parameters with a preset over them; read once, for there are many short runs."""
    presets = [config_path(f"presets/{preset}.yaml")] if preset else []
    return Config(config_path("adas.yaml"), *presets), load_limits(config_path("limits.yaml"))


def _ends(stage: Stage, tick: Tick) -> bool:
    """Tell whether the protocol's end of the run has come."""
    intervened = tick.aeb_stage > 1.0 or tick.brake > 0.0
    slower = stage.until_slower and not tick.speed_mps > max(tick.target_speed_mps, 0.0)
    if stage.until_parked:
        return tick.gear == Gear.PARK or tick.apa_state == _ABORTED and abs(tick.speed_mps) < _STANDSTILL_MPS
    return intervened and slower or stage.until_stop and tick.speed_mps < _STANDSTILL_MPS


def new_world(stage: Stage, conditions: Conditions) -> World:
    """Return the world of a run, with clean or noisy sensors."""
    setup = CLEAN if conditions.noise_seed is None else NOISY
    seed = stage.seed if conditions.noise_seed is None else 1000 * conditions.noise_seed + stage.seed
    radars = setup.radars if stage.objects else {}
    sensors = replace(setup, ghosts=stage.ghosts, rangers=stage.rangers, radars=radars)
    return World(stage.scenario, seed, stage.car, sensors=sensors)
