"""The report of a drive: a self-contained page, a film and a table for the terminal."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment
from rich.console import Console
from rich.table import Table

from adas_perception.alerts import Alert, Situation, find, load_alerts
from adas_perception.resources import config_path
from adas_perception.sim.judge import Verdict, figures, real_time_factor, verdicts
from adas_perception.sim.page import PAGE
from adas_perception.sim.plots import time_plots
from adas_perception.sim.recorder import PARKING_PICTURE, Record, load_record
from adas_perception.sim.style import STYLE
from adas_perception.sim.video import film, write_gif, write_mp4

__all__ = ["Verdict", "figures", "show_drive", "summary_table", "verdicts", "write_report"]

_FLIP_BOOK_PICTURES = 120
_FLIP_BOOK_WIDTH_PX = 720
_HIDDEN_INFO = frozenset({"scenario", "title", "chapters", "lane_width_m", "car_width_m", "wall_s"})
_MARKS = {"pass": "[green]pass[/green]", "slow": "[yellow]slow[/yellow]", "FAIL": "[bold red]FAIL[/bold red]"}


def summary_table(record: Record) -> Table:
    """Return the checks as a table for the terminal."""
    table = Table(title=f"{record.info.get('title', '')}: {record.duration_s:.0f} s driven", title_justify="left")
    table.add_column("check")
    table.add_column("measured", justify="right")
    table.add_column("allowed")
    table.add_column("")
    for verdict in verdicts(record):
        table.add_row(verdict.name, verdict.value, verdict.limit, _MARKS[verdict.word])
    for name, value in figures(record) if len(record.signals["time_s"]) else ():
        table.add_row(name, value, "", "")
    return table


def write_report(record: Record, out_dir: Path) -> Path:
    """Write report.html, demo.mp4 and demo.gif into ``out_dir`` (made if missing); returns the page's path."""
    out_dir.mkdir(parents=True, exist_ok=True)
    if record.frames:
        write_mp4(record, out_dir / "demo.mp4")
        write_gif(record, out_dir / "demo.gif")
    page = out_dir / "report.html"
    page.write_text(_render(record, _picture(out_dir / PARKING_PICTURE)), encoding="utf-8")
    return page


def _picture(path: Path) -> str:
    """Return a picture as the address that holds it, '' when there is none."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" if path.is_file() else ""


def _render(record: Record, parking: str) -> str:
    judged = verdicts(record)
    driven = len(record.signals["time_s"]) > 0
    plots = ""
    if driven:
        plots = time_plots(record).to_html(
            include_plotlyjs=True, full_html=False, div_id="plots",
            config={"displayModeBar": False, "responsive": True},
        )  # fmt: skip
    return Environment(autoescape=True).from_string(PAGE).render(
        title=record.info.get("title", "Drive"),
        scenario=record.info.get("scenario", ""),
        duration_s=record.duration_s,
        factor=real_time_factor(record),
        broken=sum(v.word == "FAIL" for v in judged),
        verdicts=judged,
        figures=figures(record) if driven else (),
        details=_details(record.info),
        notes=record.notes,
        told=_told(record),
        style=STYLE,
        book=_flip_book(record),
        parking=parking,
        plots=plots,
    )


def _told(record: Record) -> list[tuple[float, Alert]]:
    """Return when which alert began, from the states that the functions and the monitor went through."""
    table, now, told = load_alerts(config_path("alerts.yaml")), dict[str, Alert | None](), []
    for change in record.states:
        before, alert = now.get(change.function), find(table, Situation(change.function, change.state, change.reason))
        now[change.function] = alert
        if alert is not None and (before is None or alert.en != before.en):
            told.append((change.time_s, alert))
    return told


def _details(info: Any) -> list[tuple[str, str]]:
    return [(str(k).replace("_", " "), str(v)) for k, v in info.items() if k not in _HIDDEN_INFO and str(v) != ""]


def _flip_book(record: Record) -> list[dict[str, object]]:
    """Return pictures as {t, src} with the picture inside the address, evenly spread over the drive."""
    every = max(1, len(record.frames) // _FLIP_BOOK_PICTURES)
    book: list[dict[str, object]] = []
    for time_s, picture in film(record, every):
        height = round(picture.shape[0] * _FLIP_BOOK_WIDTH_PX / picture.shape[1])
        small = cv2.resize(picture, (_FLIP_BOOK_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 78])
        code = base64.b64encode(jpeg.tobytes()).decode("ascii")
        book.append({"t": round(time_s, 2), "src": f"data:image/jpeg;base64,{code}"})
    return book


def show_drive(folder: Path) -> bool:
    """Print the checks of the drive recorded in a folder and write its report there; return whether none failed."""
    record = load_record(folder)
    page = write_report(record, folder)
    console = Console()
    console.print(summary_table(record))
    console.print(f"report: {page}")
    return not any(v.word == "FAIL" for v in verdicts(record))
