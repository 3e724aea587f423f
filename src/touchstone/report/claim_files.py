"""The table of claims as claims.csv, as LaTeX, as metrics.json and as the last rows of metrics.csv.gz.

For the page: claim_table.py.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace

from touchstone.claims.criteria import MARKS, Book, Published
from touchstone.claims.sentences import open_because, said
from touchstone.claims.variants import counts, in_a_sentence
from touchstone.claims.verdicts import Part, Verdict, number, sentence
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.evaluations.statistics.wording import NARROW, plain
from touchstone.records.metric_tables import MetricRow
from touchstone.report import packing
from touchstone.report.answers import FAILED, FALLS, outcome

PREAMBLE = r"% \input this in a document of one column, in UTF-8, whose preamble has \usepackage{array,longtable}"


@dataclass(frozen=True)
class _Record:
    """One criterion as claims.csv stores it, with the number that decided; the fields are the columns, in order.

    The files behind its numbers are in the claims' rows of metrics.csv.gz.
    """

    claim: str
    paper: str
    kind: str
    setting: str
    criterion: str
    bound: str
    source: str
    known: str
    published: str
    number: str
    measured: float | None
    unit: str
    limits: str
    low: float | None
    high: float | None
    method: str
    n: int | None
    images: int | None
    seeds: str
    status: str
    attacker: str
    holm: str
    checks: str
    variants: str
    says: str
    note: str


COLUMNS = tuple(field.name for field in fields(_Record))


# --- rows of metrics.csv.gz ---------------------------------------------------------------------------------------


def claim_rows(verdicts: Iterable[Verdict], first_line: int) -> list[MetricRow]:
    """Return one metrics row per number of the criteria, each with its `line` and the lines that it is `of`."""
    parts = [(verdict.claim.id, part) for verdict in verdicts for part in verdict.parts]
    return [_row(name, part, line) for line, (name, part) in enumerate(parts, first_line)]


def _row(claim: str, part: Part, line: int) -> MetricRow:
    quantity = part.quantity
    return replace(
        quantity.row,
        evaluation=packing.OF_CLAIMS,
        entry=claim,
        examples=quantity.about,
        metric=part.title,
        value=quantity.value,
        low=_end(quantity.low),
        high=_end(quantity.high),
        base_rate=None,
        seed=None,
        seeds=tuple(quantity.seeds),
        threat=quantity.row.threat.seedless,
        method=part.method,
        line=line,
        of=tuple(row.line for row in dict.fromkeys((quantity.row, *quantity.each))),
    )


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None


# --- claims.csv ---------------------------------------------------------------------------------------------------


def claims_csv(book: Book, verdicts: Iterable[Verdict], doubts: Doubts | None = None) -> bytes:
    """Return the table of all claims; the note names the numbers that did not decide.

    Args:
        book: all claims.
        verdicts: one per criterion.
        doubts: the checks that attacks failed; None if none is known.
    """
    doubts = doubts or Doubts(())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for verdict in verdicts:
        writer.writerow([_cell(value) for value in astuple(_record(book, verdict, doubts))])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    return "" if value is None else repr(value) if isinstance(value, float) else value


def _record(book: Book, verdict: Verdict, doubts: Doubts) -> _Record:
    claim, deciding = verdict.claim, verdict.parts[0] if verdict.parts else None
    quantity = deciding.quantity if deciding else None
    return _Record(
        claim=claim.id,
        paper=claim.paper,
        kind=claim.kind,
        setting=claim.setting,
        criterion=claim.text,
        bound=claim.origin.kind if claim.origin else "",
        source=plain(claim.origin.source) if claim.origin else "",
        known=("yes" if claim.known else "no") if claim.origin else "",
        published="; ".join(f"{each.id}: {figure_text(each)}" for each in published_figures(book, verdict)),
        number=deciding.name if deciding else "",
        measured=quantity.value if quantity else None,
        unit=quantity.unit if quantity else "",
        limits=" ".join(map(repr, deciding.bounds)) if deciding else "",
        low=_end(quantity.low) if quantity else None,
        high=_end(quantity.high) if quantity else None,
        method=deciding.method if deciding else "",
        n=quantity.n if quantity else None,
        images=quantity.row.images if quantity else None,
        seeds=" ".join(map(str, deciding.seeds)) if deciding else "",
        status=verdict.word,
        attacker=verdict.attacker,
        holm={None: "", True: "stands", False: FALLS}[verdict.holm],
        checks=FAILED if any(doubt_of(part, doubts) for part in verdict.parts if part.bound is not None) else "",
        variants=counts(verdict.variants),
        says=plain(said(verdict)),
        note=plain("; ".join(_notes(verdict))),
    )


def _notes(verdict: Verdict) -> list[str]:
    """Return why the verdict is open, what qualifies it, the numbers that did not decide, and the variants."""
    reason = open_because(verdict)
    # The reason names the number that it is about, and may hold notes of the claim.
    first = verdict.parts[0] if reason else None
    others = [
        note for note in verdict.notes if first is None or note.removeprefix(f"{first.name}: ") not in first.notes
    ]
    variants = [f"in a variant, {in_a_sentence(one)}" for one in verdict.variants]
    return [*filter(None, [reason]), *others, *(sentence(part) for part in verdict.parts[1:]), *variants]


def doubt_of(part: Part, doubts: Doubts) -> str:
    """Return which checks the attacks behind a claim's number failed; "" if none."""
    return "; ".join(dict.fromkeys(filter(None, map(doubts.about, (part.quantity.row, *part.quantity.each)))))


def published_figures(book: Book, verdict: Verdict) -> list[Published]:
    """Return the published figures that a criterion is about."""
    return [book.published[name] for name in verdict.claim.scales]


def figure_text(published: Published) -> str:
    """Return a published figure with its place and what was read: "tau .82 (notebook cell 66; read in released code)"."""
    return f"{published.figure} ({'; '.join([published.source, *(MARKS[mark] for mark in published.marks)])})"


# --- metrics.json ---------------------------------------------------------------------------------------------------


def claims_json(verdicts: Iterable[Verdict]) -> bytes:
    """Return the number that decided each criterion, by the criterion's id, as `dvc metrics` reads it."""
    numbers = {verdict.claim.id: _end(verdict.parts[0].quantity.value) for verdict in verdicts if verdict.parts}
    return (json.dumps(numbers, indent=1) + "\n").encode()


# --- LaTeX --------------------------------------------------------------------------------------------------------


def claims_tex(book: Book, verdicts: Iterable[Verdict], doubts: Doubts | None = None) -> bytes:
    r"""Return a LaTeX longtable of all claims, as wide as a text of one column; its first line says what it needs."""
    heads = ("Claim", "Setting", "Published", "Measured", "Status")
    # Ragged, because narrow columns of justified words leave gaps and fill LaTeX's log with warnings.
    widths = (".26", ".23", ".19", ".14")
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width}\textwidth}}" for width in widths)
    columns = f"@{{}}l{columns}@{{}}"
    lines = [rf"\begin{{longtable}}{{{columns}}}", _tex(heads) + r"\hline\noalign{\smallskip}\endhead"]
    for verdict in verdicts:
        record = _record(book, verdict, doubts or Doubts(()))
        measured = ""
        if verdict.parts:
            measured = f"{verdict.parts[0].name}: {number(verdict.parts[0])}"
        words = outcome({name: getattr(record, name) for name in ("kind", "status", "attacker", "holm", "checks")})
        lines.append(_tex((record.claim, record.setting, record.published, measured, words)))
    opened = r"{\footnotesize\setlength{\tabcolsep}{4pt}"
    return ("\n".join([PREAMBLE, opened, *lines, r"\end{longtable}}"]) + "\n").encode()


def _tex(cells: Iterable[str]) -> str:
    """Return a line of a LaTeX table, in characters that plain pdflatex can set, with paired quotes."""
    named = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
    named |= {NARROW: r"\,", "≥": r"$\ge$", "≤": r"$\le$", "–": "--", "×": r"$\times$", "⚠": "!"}
    special = re.compile(rf"[\\~^<>&%$#_{{}}{NARROW}≥≤–×⚠]")
    escaped = (special.sub(lambda match: named.get(match[0], "\\" + match[0]), cell) for cell in cells)
    quoted = (re.sub('"([^"]*)"', r"``\1''", cell) for cell in escaped)
    # A hyphen right before a number, at the start of a word, is a minus.
    return " & ".join(re.sub(r"(?<![^\s\[(])-(?=[.\d])", "$-$", cell) for cell in quoted) + r" \\"
