"""``adas bag check``: is a recording fit for a replay? Every finding names topic, figure and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from adas_perception.replay.bags import BagError, BagReader, Unreadable
from adas_perception.replay.inputs import PAUSING, STALE_S, InputFigures, InputWatch, intervals
from adas_perception.replay.recording import OTHER_CLOCK_NS, stamp_of
from adas_perception.replay.topics import DRIVER, ODOMETRY, TYPES, Converter, Mounting, TopicError, choose, load_map
from adas_perception.ros.convert import ConvertError
from adas_perception.types import seconds

# Rates in Hz that the stack can live with, by the beginning of the topic.
RATES: tuple[tuple[str, float, float], ...] = (
    ("vehicle/friction", 0.2, 200.0),
    ("vehicle/", 15.0, 250.0),
    ("camera/", 8.0, 65.0),
    ("lanes", 8.0, 65.0),
    ("detections", 4.0, 65.0),
    ("radar/targets", 8.0, 250.0),
    ("radar/", 8.0, 50.0),
    ("ultrasonic/", 5.0, 60.0),
)
# Longer than so many usual intervals, and than this, is a gap; a bus alone makes no even rate.
GAP_FACTOR, GAP_S = 2.5, 0.1
ALWAYS = (ODOMETRY, DRIVER)


class Finding(NamedTuple):
    """What is wrong with a topic."""

    topic: str
    text: str


def check_bag(path: Path, chosen: Mapping[str, str], needed: Sequence[str]) -> list[Finding]:
    """Return what is wrong with a bag; raises BagError, TopicError when it cannot be looked at."""
    stamps: dict[str, list[int]] = {}
    watch, converter = InputWatch(), Converter(Mounting())
    with BagReader(path) as bag:
        topics = choose(bag.types, chosen, str(path))
        for message in bag.messages(topics):
            name = topics[message.topic]
            if isinstance(message, Unreadable):
                watch.reject(name, message.reason)
                continue
            try:
                converter.sample(name, message.fields)
            except ConvertError as error:
                watch.reject(name, str(error))
                continue
            stamps.setdefault(name, []).append(stamp_of(message))
            watch.take(name, message.stamp_ns, stamps[name][-1])
    findings = [
        Finding(name, "is missing; record it, or name its topic in --topics")
        for name in (needed or ALWAYS)
        if name not in stamps
    ]
    for figures in watch.figures():
        findings += [Finding(figures.topic, text) for text in _texts(figures, stamps.get(figures.topic, []))]
    return findings


def _texts(figures: InputFigures, stamps: Sequence[int]) -> Iterator[str]:
    if figures.rejected:
        yield f"{figures.rejected} messages cannot be used: {figures.reason}"
    if not stamps:
        return
    if not any(stamps):
        yield "has no stamps in its headers; let the driver stamp its samples"
        return
    low, high = next(((low, high) for start, low, high in RATES if figures.topic.startswith(start)), (0.0, 1e9))
    if len(stamps) > 1 and not low <= figures.rate_hz <= high:
        yield f"comes at {figures.rate_hz:g} Hz, {low:g} to {high:g} Hz are needed; change the rate of the driver"
    yield from _gaps(figures.topic, stamps)
    if figures.out_of_order:
        first = next(i for i, (a, b) in enumerate(zip(stamps, stamps[1:], strict=False)) if b < a)
        back_s = seconds(stamps[first] - stamps[first + 1])
        when = f"the first after message {first + 1}, by {back_s:.3f} s"
        yield f"{figures.out_of_order} stamps go back, {when}; one driver, one clock, one publisher a topic"
    if abs(figures.age_p95_ms) > OTHER_CLOCK_NS / 1e6:
        yield "is stamped by another clock than the recorder's; record with use_sim_time, or let PTP set the clocks"
    elif figures.stale:
        age = f"{figures.stale} samples were over {STALE_S:g} s old when recorded"
        yield f"{age} (95 % within {figures.age_p95_ms:.0f} ms); the stack gives such samples up"


def _gaps(topic: str, stamps: Sequence[int]) -> Iterator[str]:
    between = intervals(stamps)
    if topic.startswith(PAUSING) or len(between) < 3:
        return
    usual_ns = sorted(between)[len(between) // 2]
    limit_ns = max(GAP_FACTOR * usual_ns, GAP_S * 1e9)
    gaps = [int(gap) for gap in between if gap > limit_ns]
    if gaps:
        start_ns = min(stamps)
        at_ns = next(a for a, b in zip(stamps, stamps[1:], strict=False) if b - a == max(gaps))
        longest = f"the longest {seconds(max(gaps)):.3f} s, {seconds(at_ns - start_ns):.2f} s after the first sample"
        yield f"{len(gaps)} gaps, {longest}; the usual interval is {seconds(int(usual_ns)):.3f} s"


def run_check(bags: Sequence[Path], topics: Path | None, needed: Sequence[str], console: Console | None = None) -> int:
    """Check bags and print what is wrong; returns 1 if anything is, 2 if a bag cannot be looked at, else 0."""
    console = console or Console()
    status = 0
    chosen = load_map(topics)
    unknown = [name for name in needed if name not in TYPES]
    if unknown:
        raise TopicError(f"--need: the stack has no input '{unknown[0]}'; known: {', '.join(TYPES)}")
    for path in track(bags, "checking", console=Console(stderr=True), transient=True):
        try:
            findings = check_bag(path, chosen, needed)
        except (BagError, TopicError) as error:
            console.print(f"adas: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
            status = 2
            continue
        for finding in findings:
            console.print(f"{path}: {finding.topic}: {finding.text}", highlight=False, markup=False, soft_wrap=True)
        if not findings:
            console.print(f"{path}: fit for a replay", style="green", highlight=False, soft_wrap=True)
        status = max(status, 1 if findings else 0)
    return status
