"""The claims as the report tells them: rows of metrics.csv.gz, claims.csv, a LaTeX table, lines of the page."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from touchstone.claims.criteria import Book, Criterion
from touchstone.claims.measurements import EQUAL
from touchstone.claims.verdicts import NOT_RUN, Part, Verdict, required, told
from touchstone.records.metric_rows import MetricRow, Threat
from touchstone.report.tables import Number, Numbers
from touchstone.statistics.rows import Row
from touchstone.statistics.sanity_checks import Doubts
from touchstone.statistics.wording import NARROW, bracketed, plain, written

PREAMBLE = r"% \input this in a document of one column, in UTF-8, whose preamble has \usepackage{array,longtable}"
EVALUATION = "claims"  # what stands in metrics.csv.gz where the other rows name their evaluation
COLUMNS = (
    "claim", "paper", "setting", "criterion", "published", "measured", "unit", "low", "high", "n", "seeds", "status",
    "note", "files",
)  # fmt: skip

MARKS = {"P": "read in published text", "C": "read in released code", "R": "read in the public review",
         "K": "from notes, not read again"}  # fmt: skip


class ClaimLine(NamedTuple):
    """One claim as the page shows it; each number with what it is of and what it had to be."""

    claim: str
    paper: str
    setting: str
    criterion: str
    published: str
    numbers: tuple[tuple[str, Number, str], ...]
    word: str
    note: str


def claim_rows(verdicts: Iterable[Verdict], first_line: int) -> list[Row]:
    """Return one metrics row per number of the criteria, each with its `line` and the lines that it is `of`."""
    parts = [(verdict.claim.id, part) for verdict in verdicts if not verdict.judged_by for part in verdict.parts]
    return [_row(name, part, line) for line, (name, part) in enumerate(parts, first_line)]


def _row(claim: str, part: Part, line: int) -> MetricRow:
    quantity = part.quantity
    threats = list(dict.fromkeys(row.threat.seedless for row in quantity.rows))
    return MetricRow(
        evaluation=EVALUATION,
        entry=claim,
        examples=quantity.about,
        metric=part.title,
        value=quantity.value,
        unit=quantity.unit,
        low=_end(quantity.low),
        high=_end(quantity.high),
        n=quantity.n,
        base_rate=None,
        seed=None,
        threat=threats[0] if len(threats) == 1 else Threat("; ".join(map(str, threats))),
        files=tuple(_files(part)),
        line=line,
        of=tuple(row.line for row in part.rows or quantity.rows),
    )


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _files(part: Part) -> list[str]:
    return list(dict.fromkeys(file for row in part.quantity.rows for file in row.files))


def claims_csv(book: Book, verdicts: Iterable[Verdict]) -> bytes:
    """Return the table of all claims, the number that decided beside each; the note tells the others."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for verdict in verdicts:
        line = _line(book, verdict)
        writer.writerow({key: repr(value) if isinstance(value, float) else value for key, value in line.items()})
    return text.getvalue().encode()


def _line(book: Book, verdict: Verdict) -> dict[str, Any]:
    claim, deciding = verdict.claim, verdict.parts[0] if verdict.parts else None
    line: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    line |= {"claim": claim.id, "paper": claim.paper, "setting": claim.setting, "status": verdict.word}
    line |= {"criterion": _criterion(verdict), "published": _published(book, verdict)}
    line["note"] = plain("; ".join([*verdict.notes, *(told(part) for part in verdict.parts[1:])]))
    if deciding is not None:
        quantity = deciding.quantity
        line |= {"measured": quantity.value, "unit": quantity.unit, "n": quantity.n}
        line |= {"low": _end(quantity.low), "high": _end(quantity.high)}
        line["seeds"] = " ".join(map(str, deciding.seeds))
        line["files"] = " ".join(dict.fromkeys(file for part in verdict.parts for file in _files(part)))
    return line


def _criterion(verdict: Verdict) -> str:
    if isinstance(verdict.claim, Criterion):
        return verdict.claim.text
    return f"that of {', '.join(verdict.judged_by)}" if verdict.judged_by else ""


def _typeset(comparisons: str) -> str:
    """Return a criterion with the signs of print; the CSV keeps those of a keyboard."""
    return comparisons.replace(">=", "≥").replace("<=", "≤")


def _published(book: Book, verdict: Verdict) -> str:
    """Return the figure of a published claim, and of a criterion the figures of the claims that it scales down."""
    claim = verdict.claim
    if isinstance(claim, Criterion):
        found = ((name, book.published[name]) for name in claim.scales)
        return "; ".join(f"{name}: {it.figure}" + f" ({MARKS['K']})" * ("K" in it.marks) for name, it in found)
    return f"{claim.figure} ({'; '.join([claim.source, *(MARKS[mark] for mark in claim.marks)])})"


def page_lines(
    book: Book, verdicts: Iterable[Verdict], rows: Iterable[Row], doubts: Doubts | None = None
) -> tuple[list[ClaimLine], list[ClaimLine]]:
    """Return the criteria that were judged by numbers, and every other claim, as the page shows them.

    rows: those of claim_rows, in their order. doubts: which attacks failed a check; a number that is computed from theirs
    is marked. Published claims show no numbers of their own.
    """
    doubts = doubts or Doubts(())
    numbers, waiting = Numbers(()), iter(rows)
    found = []
    for verdict in verdicts:
        own = () if verdict.judged_by else verdict.parts
        shown = tuple((part.name, _number(part, numbers.number(next(waiting)), doubts), required(part)) for part in own)
        words = (
            _typeset(_criterion(verdict)),
            _published(book, verdict),
            shown,
            verdict.word,
            "; ".join(verdict.notes),
        )
        found.append((verdict, ClaimLine(verdict.claim.id, verdict.claim.paper, verdict.claim.setting, *words)))
    measured = [line for verdict, line in found if isinstance(verdict.claim, Criterion) and line.numbers]
    judged = [line for line in measured if line.word != NOT_RUN]
    return judged, [line for _, line in found if line not in judged]


def _number(part: Part, number: Number, doubts: Doubts) -> Number:
    """Return the number with how it came about, and with the checks that the attacks behind it failed."""
    failed = dict.fromkeys(found for row in part.quantity.rows if (found := doubts.about(row)))
    doubt = "; ".join(failed)
    title = f"{_how(part)}; n = {part.quantity.n}" + (
        f"; a check of an attack behind it failed: {doubt}" if doubt else ""
    )
    return number._replace(title=title, doubt=doubt)


def _how(part: Part) -> str:
    """Return in words over what the number is a mean, and what its brackets hold."""
    seeds, own = len(part.quantity.seeds), "its 95 % interval in brackets"
    sets = (
        "; a mean over sets, whose ends are the means of their ends"
        if part.quantity.about.startswith("mean of")
        else ""
    )
    if part.condition.comparison == EQUAL:
        return "in brackets the least and the greatest seed"
    if part.decider:
        return f"{part.decider}, as each had to pass; {own}{sets}"
    if seeds > 1:
        return f"mean of {seeds} seeds; in brackets from the lowest to the highest end of their 95 % intervals{sets}"
    return f"{f'seed {part.quantity.seeds[0]}; ' if seeds else ''}{own}{sets}"


def claims_tex(book: Book, verdicts: Iterable[Verdict]) -> bytes:
    r"""Return a LaTeX longtable of all claims, as wide as a text of one column; its first line says what it needs."""
    heads = ("Claim", "Setting", "Published", "Measured", "Status")
    # In columns so narrow words are set ragged: stretched to full lines they leave gaps, and fill the log with warnings.
    widths = (".26", ".23", ".19", ".14")
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width}\textwidth}}" for width in widths)
    columns = f"@{{}}l{columns}@{{}}"
    lines = [rf"\begin{{longtable}}{{{columns}}}", _tex(heads) + r"\hline\noalign{\smallskip}\endhead"]
    for verdict in verdicts:
        line = _line(book, verdict)
        measured = ""
        if verdict.parts:
            ends = bracketed(line["low"], line["high"], line["unit"])
            measured = f"{verdict.parts[0].name}: {written(line['measured'], line['unit'])} {ends}".rstrip()
        lines.append(_tex((line["claim"], line["setting"], line["published"], measured, line["status"])))
    opened = r"{\footnotesize\setlength{\tabcolsep}{4pt}"
    return ("\n".join([PREAMBLE, opened, *lines, r"\end{longtable}}"]) + "\n").encode()


def _tex(cells: Iterable[str]) -> str:
    """Return a line of a LaTeX table; only letters are left that a plain pdflatex sets, quotes are opened and closed."""
    named = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
    named |= {NARROW: r"\,", "≥": r"$\ge$", "≤": r"$\le$", "–": "--", "×": r"$\times$"}
    escaped = (
        re.sub(rf"[\\~^<>&%$#_{{}}{NARROW}≥≤–×]", lambda found: named.get(found[0], "\\" + found[0]), cell)
        for cell in cells
    )
    quoted = (re.sub('"([^"]*)"', r"``\1''", cell) for cell in escaped)
    # A hyphen before a number that stands alone is a minus.
    return " & ".join(re.sub(r"(?<![^\s\[(])-(?=[.\d])", "$-$", cell) for cell in quoted) + r" \\"
