"""Draw docs/training_curves.png from the curves in docs/curves, as training wrote them (needs matplotlib)."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"
# The third call went on from the second one's weights with pictures of its own and counted from zero again.
LANE_CALLS = {"lane_call1": 0, "lane_call2": 0, "lane_call3": 13_723}
LANE_SCORES = {"iou_ego": "ego lines", "iou_lines": "all lines"}
OBJECT_SCORES = {"map": "mAP", "ap_car": "car", "ap_cyclist": "cyclist", "ap_traffic_light": "light"}
OBJECT_SCORES |= {"ap_traffic_sign": "sign"}


def rows(name: str) -> list[dict[str, float]]:
    """Return the validations of a training run in their order."""
    return [json.loads(line) for line in (DOCS / "curves" / f"{name}.jsonl").read_text().splitlines()]


def draw_lane(scores: plt.Axes, loss: plt.Axes) -> None:
    """Draw the three calls that made the lane net, one after the other."""
    for call, start in LANE_CALLS.items():
        found = rows(call)
        for (key, label), colour in zip(LANE_SCORES.items(), ("C0", "C1"), strict=True):
            kept = [(start + row["step"], row[key]) for row in found if key in row]
            if kept:
                scores.plot(*zip(*kept, strict=True), f"{colour}.-", label=label if call == "lane_call3" else None)
        loss.plot([start + row["step"] for row in found], [row["loss"] for row in found], "k.-")
    for axes in (scores, loss):
        axes.axvline(3_708, color="grey", lw=0.5)
        axes.axvline(13_723, color="grey", lw=0.5)
    scores.set(title="lane_v2: overlap on 512 drawn pictures; grey: a new call, harder pictures", ylabel="IoU")
    loss.set(ylabel="loss", xlabel="steps of 64 pictures")
    scores.legend()


def draw_object(scores: plt.Axes, loss: plt.Axes) -> None:
    """Draw the run that made the detector."""
    found = rows("object")
    steps = [row["step"] for row in found]
    for key, label in OBJECT_SCORES.items():
        scores.plot(steps, [row[key] for row in found], ".-", label=label)
    loss.plot(steps, [row["loss"] for row in found], "k.-")
    scores.set(title="object_v1: average precision on the pictures it learns from", ylabel="AP 50-95", ylim=(0, 1))
    loss.set(ylabel="loss", xlabel="steps of 64 pictures")
    scores.legend()


if __name__ == "__main__":
    figure, axes = plt.subplots(2, 2, figsize=(13, 6), sharex="col", height_ratios=(2, 1))
    draw_lane(axes[0][0], axes[1][0])
    draw_object(axes[0][1], axes[1][1])
    figure.tight_layout()
    figure.savefig(DOCS / "training_curves.png", dpi=70)
