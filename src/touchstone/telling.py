"""`touchstone claims`: the verdicts of a study that has run, as a table in the terminal."""

from __future__ import annotations

import csv
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.params import load
from touchstone.verdicts import BROKEN, CONFIRMED, MISSING, NOT_CONFIRMED, NOT_RUN

STYLES = {CONFIRMED: "bold blue", NOT_CONFIRMED: "bold red", BROKEN: "bold red", NOT_RUN: "dim"}


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
    Console().print(_table(lines))
    missing = [line["claim"] for line in lines if line["note"].startswith(MISSING)]
    judged = sum(line["status"] != NOT_RUN for line in lines)
    told = f"; asked but without figures: {', '.join(missing)}" if missing else ""
    print(f"{len(lines)} claims, {judged} with a verdict{told}. The table: {path}")
    return 1 if missing else 0


def _table(lines: list[dict[str, str]]) -> Table:
    table = Table("claim", "setting", "criterion or figure", "measured", "status", "note", show_lines=False)
    for line in lines:
        style = STYLES.get(line["status"], "")
        published = line["published"] if line["claim"].startswith("P") else line["criterion"]
        cells = (line["claim"], line["setting"], published, _measured(line), Text(line["status"], style), line["note"])
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return table


def _measured(line: dict[str, str]) -> str:
    if not line["measured"]:
        return ""
    value, low, high = (f"{float(line[end]):.3f}" if line[end] else "?" for end in ("measured", "low", "high"))
    return f"{value} [{low}, {high}]"
