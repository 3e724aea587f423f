"""`touchstone claims`: the verdicts of a study that has run, as a table in the terminal or in Markdown."""

from __future__ import annotations

import csv
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.params import load
from touchstone.settings_files import nearest
from touchstone.verdicts import BROKEN, CONFIRMED, MISSING, NOT_CONFIRMED, NOT_RUN

STYLES = {CONFIRMED: "bold blue", NOT_CONFIRMED: "bold red", BROKEN: "bold red"}


def tell(study: str, root: Path = Path(), markdown: list[str] | None = None) -> int:
    """Print every claim with its verdict; 1 where a claim that the study asks lacks its figures, else 0.

    Whether the figures agree with the claims never decides the exit code. markdown: claims to print as a Markdown table
    instead, in that order, for a README; none names all that were judged by a number.
    """
    name = load(study, root).name
    path = root / "reports" / name / "claims.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {name}")
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    if markdown is not None:
        print(_markdown(lines, markdown, path), end="")
        return 0
    judged = [line for line in lines if line["status"] != NOT_RUN]
    Console().print(_judged(judged), _not_run([line for line in lines if line not in judged]))
    missing = [line["claim"] for line in lines if line["note"].startswith(MISSING)]
    told = f"; asked but without figures: {', '.join(missing)}" if missing else ""
    print(f"{len(lines)} claims, {len(judged)} with a verdict{told}. The table: {path}")
    return 1 if missing else 0


def _markdown(lines: list[dict[str, str]], wanted: list[str], path: Path) -> str:
    by_id = {line["claim"]: line for line in lines}
    for name in wanted:
        if name not in by_id:
            raise ValueError(f"{path}: no claim {name}.{nearest(name, by_id)}")
    shown = [by_id[name] for name in wanted] or [line for line in lines if line["claim"][0] == "S" and line["measured"]]
    rows = [("paper", "claim", "published", "measured here", "verdict"), ("---",) * 5]
    for line in shown:
        published = line["published"].partition(";")[0] or "–"
        claim = f"{line['claim']}: {line['setting']}; asked: {line['criterion']}"
        rows.append((line["paper"], claim, published, _measured(line) or "–", f"**{line['status']}**"))
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in rows)


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
    times, unit = {"fraction": (100, " %"), "difference of fractions": (100, " points")}.get(line["unit"], (1, ""))
    digits = 1 if unit else 3
    value, low, high = (
        f"{times * float(line[end]):.{digits}f}" if line[end] else "?" for end in ("measured", "low", "high")
    )
    return f"{value}{unit} [{low}, {high}]"
