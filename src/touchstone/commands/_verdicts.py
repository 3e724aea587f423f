"""The verdicts of a finished study, from its table of claims: a line each, and what one rests on."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

from touchstone.audit.chain import report_tables
from touchstone.claims.criteria import COUNTER, NUMBER, ORIGINS
from touchstone.claims.words import MISSING, NO_VERDICT, NOT_RUN, shown_attacker
from touchstone.messages import nearest, printable, say

Lines = list[dict[str, str]]  # of claims.csv
HEADS = ("claim", "holds?", "attacker", "measured")
OURS = "*"  # behind the id of a counter-claim
HOLM, CHECKS = "H", "!"  # in brackets behind a verdict
INDENT = "    "
WIDTH = 80  # letters of a line


def read_lines(study: str) -> tuple[Path, Lines]:
    """Return the path of a finished study's table of claims, and its lines.

    Raises:
        ValueError: The study has not run, or its table is damaged.
    """
    path = table_of(study)
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {study}")
    lines = report_tables.claims(path, path.read_bytes())
    return path, [{name: printable(text) for name, text in line.items()} for line in lines]


def table_of(study: str) -> Path:
    """Return the path of a study's table of claims."""
    return Path("reports") / study / report_tables.CLAIMS


def wanted_lines(lines: Lines, wanted: list[str], path: Path) -> Lines:
    """Return the lines of the wanted claims, in that order.

    Raises:
        ValueError: There is no such claim; the message suggests the nearest one.
    """
    by_id = {line["claim"]: line for line in lines}
    for name in wanted:
        if name not in by_id:
            raise ValueError(f"{path}: no claim {name}.{nearest(name, by_id)}")
    return [by_id[name] for name in wanted]


def print_verdicts(study: str, paper: str | None = None) -> int:
    """Print every claim of a finished study with its verdict, a line each; return 1 if a claim has no figures.

    Args:
        study: Its name.
        paper: Print only the claims of the paper of this title, and its numbers without a bound.
    """
    path, lines = read_lines(study)
    lines = [line for line in lines if paper in (None, line["paper"])]
    shown = [line for line in lines if paper or line["kind"] != NUMBER]
    rows = [HEADS, *map(_cells, shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    titles = ["", *(line["paper"] for line in shown)]
    for place, row in enumerate(rows):
        if paper is None and place and titles[place] != titles[place - 1]:
            say(titles[place])
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if any(row[0].endswith(OURS) for row in rows):
        say(f"{OURS} a counter-claim: ours, against the paper")
    marked = "".join(map(_marks, shown))
    if HOLM in marked:
        say(f"({HOLM}) does not stand if all claims are judged together (Holm)")
    if CHECKS in marked:
        say(f"({CHECKS}) an attack behind its numbers failed a check: it may be too weak")
    for line in lines:
        if line.get("variants"):
            _say_wrapped(f"{line['claim']} in variants of the experiment: {line['variants']}")
    judged = [line for line in lines if line["status"] not in (NO_VERDICT, NOT_RUN)]
    missing = [line["claim"] for line in lines if line["note"].startswith(MISSING)]
    without = f"; asked but without numbers: {', '.join(missing)}" if missing else ""
    _say_wrapped(f"With a verdict: {len(judged)} of {len(shown)}{without}. The table: {path}")
    if hidden := len(lines) - len(shown):
        _say_wrapped(f"Numbers without a verdict, {hidden}: touchstone show {study} --paper PAPER")
    if judged:
        _say_wrapped(f"What a verdict rests on: touchstone show {study} --number {judged[0]['claim']}")
    return 1 if missing else 0


def _say_wrapped(text: str) -> None:
    """Print a text in lines of at most WIDTH letters; a longer word has a line of its own."""
    say(*textwrap.wrap(text, WIDTH, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False))


def _cells(line: dict[str, str]) -> tuple[str, ...]:
    from touchstone.evaluations.statistics.wording import of_line

    name = line["claim"] + OURS * (line["kind"] == COUNTER)
    attacker = shown_attacker(line["status"], line["attacker"])
    marks = _marks(line)
    return name, line["status"] + f" ({marks})" * bool(marks), attacker, of_line(line, "measured")


def _marks(line: dict[str, str]) -> str:
    """Return what weakens a line's verdict, a letter each."""
    from touchstone.report.answers import FAILED, FALLS

    marks = HOLM * (line.get("holm") == FALLS) + CHECKS * (line.get("checks") == FAILED)
    return marks if line["status"] else ""


def print_in_full(study: str, wanted: list[str]) -> None:
    """Print what the verdicts on some claims rest on.

    Args:
        study: A finished study.
        wanted: The claims.
    """
    path, lines = read_lines(study)
    width = shutil.get_terminal_size().columns
    for line in wanted_lines(lines, wanted, path):
        for place, text in enumerate(_parts(line)):
            print(textwrap.fill(text, width, initial_indent=INDENT * (place > 0), subsequent_indent=INDENT * 2))


def _parts(line: dict[str, str]) -> Iterator[str]:
    """Yield a claim and its setting, its verdict, the criterion, the numbers, and each note."""
    from touchstone.evaluations.statistics.wording import of_line

    yield f"{line['claim']}  {line['setting']}"
    yield from filter(None, [verdict_text(line).replace("**", "")])
    number = line["number"] or "measured"
    known = "; its outcome was known when it was fixed" if line.get("known") == "yes" else ""
    about = {
        "asked": line["criterion"],
        "bound": f"{ORIGINS[line['bound']]}: {line['source']}{known}" if line.get("bound") else "",
        "published": line["published"],
        number: of_line(line, "measured"),
    }
    yield from (
        f"{name}: {text}"
        for name, text in (about | {"found": line["says"], "in variants": line.get("variants", "")}).items()
        if text
    )
    yield from filter(None, line["note"].split("; "))


def verdict_text(line: dict[str, str]) -> str:
    """Return a line's words in Markdown: "**holds** (not under Holm); attacker who knows: broken"."""
    from touchstone.report.answers import outcome

    words = outcome(line)
    return re.sub(rf"^((?:{COUNTER} )?{re.escape(line['status'])})", r"**\1**", words) if line["status"] else words
