"""One training loop for every network: seeded, resumable, mixed precision on CUDA, moving average, early stopping.

A ``Task`` brings the network, its batches, its loss and its validation; the loop knows nothing of lanes or boxes.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

Scores = dict[str, float]


class Task(Protocol):
    """What is learned."""

    net: nn.Module
    score: str  # the name of the validation score that decides which checkpoint is best

    def loss(self, net: nn.Module, step: int) -> Tensor:
        """Return the loss of the next batch."""
        ...

    def validate(self, net: nn.Module) -> Scores:
        """Return scores on the validation data, higher is better."""
        ...


@dataclass(frozen=True)
class FitConfig:
    """Settings of one run; the same settings and seed repeat it up to the rounding of the GPU."""

    out: Path
    resume: Path | None = None  # a last.pt of the same run
    seed: int = 1
    steps: int = 20_000
    optimiser: str = "adamw"  # or sgd, the guide's
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    schedule: str = "cosine"  # or step: the rate falls to a tenth every step_every steps
    step_every: int = 0
    warmup: int = 500
    averaging: float = 0.999  # decay of the moving average of the weights, which is what is kept; 0: no average
    validate_every: int = 1_000
    patience: int = 0  # validations without a better score until the run ends; 0: never
    time_limit_s: float = float("inf")  # the learning rate falls in time to end within it, whatever the speed
    device: str = field(default_factory=lambda: "cuda" if torch.cuda.is_available() else "cpu")


class _State:
    """Network, its moving average, optimiser and how far they are."""

    def __init__(self, net: nn.Module, config: FitConfig) -> None:
        self.net = net.to(config.device)
        self.average = copy.deepcopy(self.net).eval()
        self.optimiser = _optimiser(self.net, config)
        self.step, self.best, self.since_best = 0, -1.0, 0
        if config.resume:
            state = torch.load(config.resume, map_location=config.device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.best, self.since_best = state["step"], state["best"], state["since_best"]

    def save(self, file: Path) -> None:
        """Write all that a later run needs to go on."""
        torch.save({
            "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "best": self.best,
            "since_best": self.since_best,
        }, file)  # fmt: skip


def fit(task: Task, config: FitConfig) -> Path:
    """Train and return the best checkpoint, ``out``/best.pt; ``out``/curve.jsonl and TensorBoard hold the scores."""
    config.out.mkdir(parents=True, exist_ok=True)
    state = _State(task.net, config)
    log = _Log(config)
    start, first = time.monotonic(), state.step
    while state.step < config.steps:
        state.step += 1
        elapsed_s = time.monotonic() - start
        for group in state.optimiser.param_groups:
            group["lr"] = config.learning_rate * rate_at(state.step, elapsed_s, config)
        loss = _learn(task, state, config)
        _follow(state.average, state.net, min(config.averaging, state.step / (state.step + 10.0)))
        if state.step % 20 == 0:
            log.progress(state.step, loss, (state.step - first) / max(time.monotonic() - start, 1e-9))
        late = elapsed_s > config.time_limit_s
        if state.step % config.validate_every == 0 or state.step == config.steps or late:
            scores = task.validate(state.average)
            log.scores(state.step, {"loss": float(loss), **scores})
            _keep(task, state, scores, config.out)
            if late or (config.patience and state.since_best >= config.patience):
                break
    log.close()
    return config.out / "best.pt"


def _keep(task: Task, state: _State, scores: Scores, out: Path) -> None:
    state.since_best += 1
    if scores[task.score] > state.best:
        state.best, state.since_best = scores[task.score], 0
        torch.save({"net": state.average.state_dict(), "step": state.step, "scores": scores}, out / "best.pt")
    state.save(out / "last.pt")


def _optimiser(net: nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    """Weight decay on filters only, not on biases and normalisation."""
    learned = [p for p in net.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9)
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, fused=config.device == "cuda")
    raise ValueError(f"optimiser '{config.optimiser}' is unknown; choose adamw or sgd")


def rate_at(step: int, elapsed_s: float, config: FitConfig) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to 1 %, or steps down by ten.

    The cosine ends with the steps or with the time limit, whichever is first.
    """
    if step < config.warmup:
        return step / config.warmup
    if config.schedule == "step":
        return float(0.1 ** ((step - 1) // config.step_every))
    done = max((step - config.warmup) / max(1, config.steps - config.warmup), elapsed_s / config.time_limit_s)
    return 0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, done))))


def _learn(task: Task, state: _State, config: FitConfig) -> Tensor:
    state.net.train()
    with torch.autocast(config.device, dtype=torch.bfloat16, enabled=config.device == "cuda"):
        loss = task.loss(state.net, state.step)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.net.parameters(), 5.0)
    state.optimiser.step()
    return loss.detach()


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    kept, new = list(average.state_dict().values()), list(net.state_dict().values())
    floats = [(k, n) for k, n in zip(kept, new, strict=True) if k.dtype.is_floating_point]
    torch._foreach_lerp_([k for k, _ in floats], [n for _, n in floats], 1.0 - decay)
    for k, n in zip(kept, new, strict=True):
        if not k.dtype.is_floating_point:
            k.copy_(n)


class _Log:
    """Progress bar, curve.jsonl and, where it is installed, TensorBoard."""

    def __init__(self, config: FitConfig) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._file = config.out / "curve.jsonl"
        self._bar = Progress(
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._bar.start()
        self._row = self._bar.add_task("", total=config.steps)
        self._board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(config.out / "tensorboard"))
        except ImportError:
            self._bar.console.print("tensorboard is not installed: scores go to curve.jsonl only")

    def progress(self, step: int, loss: Tensor, rate: float) -> None:
        """Show where the run is."""
        self._bar.update(self._row, completed=step, description=f"loss {loss.item():.3f}  {rate:.1f} steps/s")

    def scores(self, step: int, scores: Scores) -> None:
        """Append one validation."""
        self._bar.update(self._row, completed=step)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **{k: round(v, 5) for k, v in scores.items()}}) + "\n")
        self._bar.console.print(f"step {step}  " + "  ".join(f"{k} {v:.3f}" for k, v in scores.items()))
        for name, value in scores.items() if self._board else ():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """End the bar."""
        self._bar.stop()
        if self._board:
            self._board.close()
