"""Two parameter sets against the same runs, as a Markdown table by group and by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adas_perception.sim.scorecard.score import RowScore, Scorecard


def as_markdown(one: Scorecard, other: Scorecard) -> str:
    """Return two tables, groups and rows, of two scorecards of the same rows."""
    names = [card.conditions[0].preset or "default" for card in (one, other)]
    pairs = zip(one.groups().items(), other.groups().values(), strict=True)
    groups = [(name, "", a, b) for (name, a), b in pairs]
    rows = [(a.row.id, a.row.scenario, (a,), (b,)) for a, b in zip(one.rows, other.rows, strict=True)]
    everything = ("all", "", one.rows, other.rows)
    return "\n".join([*_table("group", names, [*groups, everything]), "", *_table("row", names, rows), ""])


def _table(
    first: str, names: Sequence[str], lines: Iterable[tuple[str, str, Sequence[RowScore], Sequence[RowScore]]]
) -> list[str]:
    figures = ("passed", "points", "gates broken")
    head = [first, "scenario", "runs", *(f"{figure}, {name}" for figure in figures for name in names)]
    table = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2)]
    for name, text, a, b in lines:
        cells = [name, text, str(sum(len(score.results) for score in a))]
        cells += [str(_passed(scores)) for scores in (a, b)]
        cells += [f"{100.0 * _points(scores):.0f} %" for scores in (a, b)]
        cells += [str(sum(len(score.broken) for score in scores)) for scores in (a, b)]
        table.append(f"| {' | '.join(cells)} |")
    return table


def _passed(scores: Sequence[RowScore]) -> int:
    return sum(score.passed for score in scores)


def _points(scores: Sequence[RowScore]) -> float:
    results = [result for score in scores for result in score.results]
    return sum(result.points for result in results) / max(len(results), 1)
