"""`touchstone claims`: the verdicts of a study that has run, as a table in the terminal."""

from __future__ import annotations

import csv
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.params import load
from touchstone.verdicts import BROKEN, CONFIRMED, MISSING, NOT_CONFIRMED, NOT_RUN

STYLES = {CONFIRMED: "bold blue", NOT_CONFIRMED: "bold red", BROKEN: "bold red"}


def tell(study: str, root: Path = Path()) -> int:
    """Print every claim with its verdict; 1 where a claim that the study asks lacks its figures, else 0.

    Whether the figures agree with the claims never decides the exit code.
    """
    name = load(study, root).name
    path = root / "reports" / name / "claims.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {name}")
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    judged = [line for line in lines if line["status"] != NOT_RUN]
    Console().print(_judged(judged), _not_run([line for line in lines if line not in judged]))
    missing = [line["claim"] for line in lines if line["note"].startswith(MISSING)]
    told = f"; asked but without figures: {', '.join(missing)}" if missing else ""
    print(f"{len(lines)} claims, {len(judged)} with a verdict{told}. The table: {path}")
    return 1 if missing else 0


def _judged(lines: list[dict[str, str]]) -> Table:
    table = Table("claim", "setting", "measured", "status", "note", box=box.SIMPLE)
    for line in lines:
        status = Text(line["status"], STYLES.get(line["status"], ""))
        table.add_row(line["claim"], Text(line["setting"]), Text(_measured(line)), status, Text(line["note"]))
    return table


def _not_run(lines: list[dict[str, str]]) -> Table:
    table = Table(NOT_RUN, "because", box=box.SIMPLE)
    for line in lines:
        table.add_row(line["claim"], Text(line["note"]), style="dim")
    return table


def _measured(line: dict[str, str]) -> str:
    if not line["measured"]:
        return ""
    value, low, high = (f"{float(line[end]):.3f}" if line[end] else "?" for end in ("measured", "low", "high"))
    return f"{value} [{low}, {high}]"
