"""The board as text for a terminal of 80 columns and 24 rows: header, alerts, functions, topics, nodes, bus."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adas_perception.alerts import Priority
from adas_perception.can.e2e import Status
from adas_perception.ros.table import NODES
from adas_perception.safety.monitor import Mode
from adas_perception.types import Command, FunctionState, Level
from adas_perception.view.board import ALIVE_S, Board
from adas_perception.view.reading import STATES, SafetyView

WIDTH = 80
ALERT_ROWS = 3
LEVEL_STYLE = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "bold red", Level.STALE: "dim"}
MODE_STYLE = {
    Mode.NORMAL: "black on green", Mode.DEGRADED: "black on yellow",
    Mode.FALLBACK: "white on red", Mode.DISENGAGED: "white on red",
}  # fmt: skip
PRIORITY_STYLE = {
    Priority.DANGER: "bold white on red", Priority.WARNING: "bold yellow",
    Priority.UNAVAILABLE: "yellow", Priority.INFORMATION: "cyan",
}  # fmt: skip
INPUTS = (
    "vehicle/odometry", "lanes", "radar/targets front", "radar/targets rear_left", "radar/targets rear_right",
    "objects", "parking/echoes", "command",
)  # fmt: skip
# The figures of a function that say most, with the unit they are shown in.
SHOWN: Mapping[str, tuple[str, ...]] = {
    "acc": ("set_speed_mps", "gap_m"), "aeb": ("ttc_s", "gap_m"), "lka": ("offset_m", "ttlc_s"),
    "bsd": ("left_level", "right_level"), "apa": ("slots", "obstacle_m"),
}  # fmt: skip
# Counters of the CAN bridge's heartbeat that should stay at zero, and how they are shown.
BUS_COUNTERS = {
    "frames dropped": "dropped", "values refused": "refused", "bus outages": "outages", "loop hangs": "hangs",
}  # fmt: skip
BAD_FRAMES = tuple(s.value for s in (Status.WRONG_CRC, Status.WRONG_SEQUENCE, Status.REPEATED))

HEADINGS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "function": "function", "state": "state", "reason": "reason", "figures": "figures", "topic": "topic",
        "node": "node", "age": "age ms", "silent": "silent", "waiting": "waiting for the stack on /adas ...",
        "speed": "speed", "steering": "steering", "bus": "CAN", "takeover": "TAKE OVER",
        "sent": "sent", "quit": "q: quit", "no_alert": "no alerts", "none": "none",
    },
    "ko": {
        "function": "기능", "state": "상태", "reason": "사유", "figures": "값", "topic": "토픽",
        "node": "노드", "age": "지연 ms", "silent": "응답 없음", "waiting": "/adas 스택을 기다리는 중 ...",
        "speed": "속도", "steering": "조향", "bus": "CAN", "takeover": "직접 운전",
        "sent": "송신", "quit": "q: 종료", "no_alert": "경고 없음", "none": "없음",
    },
}  # fmt: skip


def screen(board: Board, now_ns: int, language: str) -> RenderableType:
    """Return everything for one moment."""
    words = HEADINGS[language]
    if not board.latest:
        return Text(f"adas top   {words['waiting']}   {words['quit']}")
    return Group(
        _header(board, now_ns, words), _alerts(board, now_ns, language), _functions(board, now_ns, words),
        _below(board, now_ns, words), _bus(board, words),
    )  # fmt: skip


def _header(board: Board, now_ns: int, words: Mapping[str, str]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    safety = board.safety
    if safety is None or board.quiet_s("safety/state", now_ns) > ALIVE_S:
        text.append(f" {words['silent']} ", "white on red")
    else:
        text.append(f" {safety.mode.name} ", MODE_STYLE[safety.mode])
        if safety.takeover:
            text.append(f" {words['takeover']} ", "bold white on red")
        text.append(_command(safety, board.command, words))
    if board.ego is not None:
        text.append(f"  {3.6 * board.ego.speed_mps:.1f} km/h {board.ego.gear.name[0]}", "bold")
    return text


def _command(safety: SafetyView, command: Command | None, words: Mapping[str, str]) -> str:
    """Who owns speed and steering, and what he asks for."""
    accel = command.accel_mps2 if command else None
    steering = command.steering_rad if command else None
    brake = "" if accel is None else f" {accel:+.2f} m/s2"
    turn = "" if steering is None else f" {math.degrees(steering):+.1f} deg"
    owners = [words["none"] if name == "none" else name for name in (safety.longitudinal, safety.lateral)]
    return f"  {words['speed']} {owners[0]}{brake}  {words['steering']} {owners[1]}{turn}"


def _alerts(board: Board, now_ns: int, language: str) -> Text:
    rows = []
    for alert in board.alerts(now_ns)[:ALERT_ROWS]:
        heading, message = alert.words(language)
        rows.append(Text(f" {heading}: {message} ", PRIORITY_STYLE[alert.priority], no_wrap=True, overflow="ellipsis"))
    rows = rows or [Text(f" {HEADINGS[language]['no_alert']}", "dim")]
    return Text("\n").join(rows + [Text("")] * (ALERT_ROWS - len(rows)))


def _functions(board: Board, now_ns: int, words: Mapping[str, str]) -> Table:
    table = _table(
        (words["function"], 8), (words["state"], 11), (words["reason"], 19), (words["figures"], 24), ("Hz", 4),
        (words["age"], 7),
    )  # fmt: skip
    states = {state.function.value: state for state in board.states.values()}
    for topic in STATES:
        name = topic.split("/")[0]
        state = states.get(name)
        if state is None or board.quiet_s(topic, now_ns) > ALIVE_S:
            table.add_row(name, Text(words["silent"], "bold red"), "", "", "0", "-")
            continue
        style = LEVEL_STYLE[state.level]
        pace = _pace(board, topic, now_ns)
        table.add_row(name, Text(state.state, style), Text(state.reason, style), _figures(state), *pace)
    return table


def _figures(state: FunctionState) -> str:
    return "  ".join(
        _figure(name, state.values[name]) for name in SHOWN.get(state.function.value, ()) if name in state.values
    )


def _figure(name: str, value: float) -> str:
    if name.endswith("_mps"):
        return f"{name.removesuffix('_speed_mps')} {3.6 * value:.0f} km/h"
    for unit, short in (("_m", " m"), ("_s", " s"), ("_level", "")):
        if name.endswith(unit):
            digits = 0 if unit == "_level" or value >= 100.0 else 1
            return f"{name.removesuffix(unit)} {value:.{digits}f}{short}"
    return f"{name} {value:.0f}"


def _below(board: Board, now_ns: int, words: Mapping[str, str]) -> Table:
    """Topics on the left, nodes on the right."""
    pair = Table.grid(padding=(0, 1))
    pair.add_column(width=39)
    pair.add_column(width=40)
    topics = _table((words["topic"], 23), ("Hz", 4), (words["age"], 7))
    for key in INPUTS:
        topics.add_row(key.replace("radar/targets", "radar"), *_pace(board, key, now_ns))
    nodes = _table((words["node"], 14), (words["reason"], 24))
    for spec in NODES:
        nodes.add_row(spec.name, _health(board, spec.name, now_ns, words))
    pair.add_row(topics, nodes)
    return pair


def _health(board: Board, node: str, now_ns: int, words: Mapping[str, str]) -> Text:
    health = board.health.get(node)
    if health is None or board.quiet_s(f"heartbeat {node}", now_ns) > ALIVE_S:
        return Text(words["silent"], "bold red")
    return Text(health.message, LEVEL_STYLE[health.level], no_wrap=True, overflow="ellipsis")


def _bus(board: Board, words: Mapping[str, str]) -> Text:
    """CAN and end-to-end protection, from the bridge's heartbeat."""
    text = Text(no_wrap=True, overflow="ellipsis")
    bridge = board.health.get("can_bridge")
    if bridge is not None:
        figures = bridge.figures
        text.append(f"{words['bus']}  {words['sent']} {figures.get('frames sent', 0.0):.0f}")
        for name, short in BUS_COUNTERS.items():
            count = figures.get(name, 0.0)
            text.append(f"  {short} {count:.0f}", "bold yellow" if count else "green")
        bad = sum(count for name, count in figures.items() if name.endswith(BAD_FRAMES))
        text.append(f"  E2E bad {bad:.0f}", "bold red" if bad else "green")
    text.append(f"   {words['quit']}", "dim")
    return text


def _pace(board: Board, key: str, now_ns: int) -> tuple[str, Text | str]:
    age_ms = 1e3 * board.age_s(key, now_ns)
    shown = f"{age_ms:.0f}" if age_ms < 9999.5 else "-"
    return f"{board.rate_hz(key, now_ns):.0f}", Text(shown, "bold red") if age_ms > 500.0 else shown


def _table(*columns: tuple[str, int]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold cyan", show_edge=False)
    for name, width in columns:
        numbers = name == "Hz" or name.endswith("ms")
        table.add_column(name, width=width, no_wrap=True, overflow="ellipsis", justify="right" if numbers else "left")
    return table
