"""`touchstone claims STUDY`: print the verdicts of a finished study, in the terminal or as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from touchstone.commands._command_line import add_study
from touchstone.messages import nearest, printable, say, unguarded
from touchstone.pipeline.auditing import report_tables
from touchstone.pipeline.settings.study import load
from touchstone.statistics.wording import of_line

Lines = list[dict[str, str]]  # of claims.csv


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `claims`."""
    add_study(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--say", nargs="+", metavar="CLAIM", help="what these claims found, as Markdown sentences")
    form.add_argument("--markdown", nargs="*", metavar="CLAIM", help="these claims as a Markdown table")
    form.add_argument(
        "--notes", nargs="*", metavar="CLAIM", help="what the verdicts on these claims rest on (default: all)"
    )


def main(options: argparse.Namespace) -> int:
    """Print every claim with its verdict.

    Returns 1 if a claim that the study asks for has no figures, else 0. Whether the figures agree with the claims never
    changes the exit code.
    """
    name = Path(options.study).stem
    if not _table_of(name).is_file():  # a finished report may be of settings that are gone
        name = load(options.study).name
    if options.say:
        path, lines = read_lines(name)
        say(*_sentences(lines, options.say, path))
        return 0
    if options.markdown is not None:
        path, lines = read_lines(name)
        say(*_markdown(lines, options.markdown, path))
        return 0
    if options.notes is not None:
        path, lines = read_lines(name)
        _print_notes(_wanted(lines, options.notes, path) or lines)
        return 0
    return print_verdicts(name)


def print_verdicts(study: str) -> int:
    """Print every claim of a finished study with its verdict; return 1 if a claim has no figures."""
    # It imports scipy, which --help does not need.
    from touchstone.claims.verdicts import MISSING, NOT_RUN

    path, lines = read_lines(study)
    judged = [line for line in lines if line["status"] != NOT_RUN]
    others = [line for line in lines if line not in judged]
    Console(file=unguarded(sys.stdout)).print(
        *([_judged(judged)] if judged else []), *([_others(NOT_RUN, others)] if others else [])
    )
    missing = [line["claim"] for line in lines if line["note"].startswith(MISSING)]
    without = f"; asked but without numbers: {', '.join(missing)}" if missing else ""
    say(f"{len(lines)} claims, {len(judged)} with a verdict{without}. The table: {path}")
    if judged:
        say(f"What a verdict rests on: touchstone claims {study} --notes {judged[0]['claim']}")
    return 1 if missing else 0


def read_lines(study: str) -> tuple[Path, Lines]:
    """Return the path of a finished study's table of claims, and its lines."""
    path = _table_of(study)
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {study}")
    lines = report_tables.claims(path, path.read_bytes())
    return path, [{name: printable(text) for name, text in line.items()} for line in lines]


def _table_of(study: str) -> Path:
    return Path("reports") / study / report_tables.CLAIMS


def _markdown(lines: Lines, wanted: list[str], path: Path) -> list[str]:
    """Return the lines of a Markdown table of the wanted claims; without any, of all that were judged by a number."""
    shown = _wanted(lines, wanted, path) or [line for line in lines if line["claim"][0] == "S" and line["measured"]]
    rows = [("paper", "claim", "published", "measured here", "verdict"), ("---",) * 5]
    for line in shown:
        claim = f"{line['claim']}: {line['setting']}; asked: {line['criterion']}"
        rows.append(
            (line["paper"], claim, line["published"] or "–", of_line(line, "measured") or "–", verdict_text(line))
        )
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def _wanted(lines: Lines, wanted: list[str], path: Path) -> Lines:
    by_id = {line["claim"]: line for line in lines}
    for name in wanted:
        if name not in by_id:
            raise ValueError(f"{path}: no claim {name}.{nearest(name, by_id)}")
    return [by_id[name] for name in wanted]


def _sentences(lines: Lines, wanted: list[str], path: Path) -> list[str]:
    """Return what the wanted claims found, one Markdown item each, with their verdicts."""
    shown = _wanted(lines, wanted, path)
    return [f"- {line['claim']}: {line['says'] or line['note']}. {verdict_text(line)}" for line in shown]


def _judged(lines: Lines) -> Table:
    table = Table("claim", "setting", "measured", "holds?", "attacker who knows", box=box.SIMPLE)
    for line in lines:
        words = coloured(line["status"]), coloured(line["attacker"])
        measured = Text.assemble(of_line(line, "measured"), ("\n" + line["number"] if line["number"] else "", "dim"))
        table.add_row(Text(line["claim"]), Text(line["setting"]), measured, *words)
    return table


def _print_notes(lines: Lines) -> None:
    """Print what each verdict rests on: the criterion, the number, and every note on a line of its own."""
    console = Console(file=unguarded(sys.stdout))
    for line in lines:
        console.print(Text.assemble((line["claim"], "bold"), f"  {line['setting']}"))
        number = line["number"] or "measured"
        about = {"asked": line["criterion"], "published": line["published"], number: of_line(line, "measured")}
        parts = [f"{name}: {text}" for name, text in about.items() if text]
        parts += filter(None, line["note"].split("; "))
        console.print(Padding(Group(coloured(line["status"]), *map(Text, parts)), (0, 0, 1, 4)))


def coloured(status: str) -> Text:
    """Return a status in the colour that it has in every table."""
    from touchstone.claims.verdicts import BROKEN, CONFIRMED, NOT_CONFIRMED, OPPOSITE, SAME

    styles = {CONFIRMED: "bold blue", SAME: "bold blue"} | dict.fromkeys((NOT_CONFIRMED, OPPOSITE, BROKEN), "bold red")
    return Text(status, styles.get(status, ""))


def _others(status: str, lines: Lines) -> Table:
    table = Table(status, "because", box=box.SIMPLE)
    for line in lines:
        table.add_row(Text(line["claim"]), Text(line["note"]), style="dim")
    return table


def verdict_text(line: dict[str, str]) -> str:
    """Return a line's words in Markdown: "**confirmed**; attacker who knows: broken"."""
    from touchstone.claims.verdicts import DOES_NOT_APPLY

    attacker = "" if line["attacker"] == DOES_NOT_APPLY else f"; attacker who knows: {line['attacker']}"
    return f"**{line['status']}**{attacker}"
