"""`touchstone claims` and `touchstone table`: what a study that has run says, in the terminal or in Markdown."""

from __future__ import annotations

import csv
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.claims.verdicts import BROKEN, CONFIRMED, MISSING, NOT_CONFIRMED, NOT_RUN
from touchstone.messages import nearest
from touchstone.pipeline.settings.study import load
from touchstone.report import packing
from touchstone.statistics.rows import measured
from touchstone.statistics.threats import seedless
from touchstone.statistics.wording import bracketed, plain, written

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


def table(
    study: str, evaluation: str, metric: str, entries: list[str], examples: list[str], root: Path = Path()
) -> int:
    """Print one metric of a committed or finished report as a Markdown table: a line per entry, a column per set.

    Means over seeds where there are several, with the hull of the seeds' 95 % intervals as on the page. ValueError names
    what the report does not have, and the nearest that it has.
    """
    path = root / "reports" / study / packing.METRICS
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {study}")
    rows = packing.rows_of(path.read_bytes())
    _known(path, "no evaluation called", [evaluation], [row["evaluation"] for row in rows])
    own = [row for row in rows if row["evaluation"] == evaluation]
    _known(path, f"no metric of {evaluation} called", [metric], [measured(row["metric"]) for row in own])
    cells: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in own:
        if measured(row["metric"]) == metric:
            cells.setdefault((row["entry"], seedless(row["examples"])), []).append(row)
    lines = _known(path, f"{evaluation} has no entry", entries, [entry for entry, _ in cells])
    columns = _known(path, f"{evaluation} has no examples", examples, [place for _, place in cells])
    print(f"| {metric.replace('_', ' ')} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for entry in lines:
        print(f"| {entry} | {' | '.join(_cell(cells.get((entry, column), [])) for column in columns)} |")
    return 0


def _known(path: Path, lacks: str, asked: list[str], known: list[str]) -> list[str]:
    """Return the names asked for, or all that are known where none is; ValueError says what the report lacks."""
    names = list(dict.fromkeys(known))
    for name in asked:
        if name not in names:
            raise ValueError(f"{path}: {lacks} {name}.{nearest(name, names)} There are {', '.join(sorted(names))}.")
    return asked or names


def _cell(rows: list[dict[str, str]]) -> str:
    """Return the mean over seeds, or the only value, with the lowest and the highest end of the seeds' intervals."""
    if not rows:
        return "–"
    single = [row for row in rows if row["seed"]] or rows
    shown = next((row for row in rows if not row["seed"]), rows[0])
    lows, highs = [[float(row[end]) for row in single if row[end]] for end in ("low", "high")]
    ends = {"low": repr(min(lows)) if lows else "", "high": repr(max(highs)) if highs else ""}
    return _measured({**shown, **ends, "measured": shown["value"]})


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
    low, high = (float(line[end]) if line[end] else None for end in ("low", "high"))
    value = written(float(line["measured"]), line["unit"])
    return plain(f"{value} {bracketed(low, high, line['unit'])}".strip())
