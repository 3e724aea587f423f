"""Metrics rows as the tables of a page: numbers with their intervals, one line per thing measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.evaluations.statistics.wording import RANGE, bracketed, written
from touchstone.records.metric_rows import NONE, Threat, seedless
from touchstone.records.metric_tables import MetricRow, Metrics

ENTRY, EXAMPLES, SEED, THREAT = "entry", "examples", "seed", "threat model"  # headings of the words of a line
FIRST_LINE = 2  # of metrics.csv.gz, below its header
MOST_COLUMNS = 12  # of numbers, side by side on a sheet of paper


class Number(NamedTuple):
    """One metrics row as the page shows it, and its line in metrics.csv.gz."""

    value: float
    text: str
    interval: str
    line: int
    label: str = ""  # which of several it is, if the table shows the best
    best: bool = False
    doubt: str = ""  # the checks that the attack behind it failed


class Line(NamedTuple):
    """What was measured on one thing: words about it, and one number per column."""

    words: tuple[str, ...]
    numbers: tuple[Number | None, ...]
    note: str = ""


class Table(NamedTuple):
    """A table of numbers: what it shows, headings of its words and of its numbers, lines."""

    caption: str
    words: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    of_things: bool = False  # whether its columns are the things measured, and its lines the metrics

    @property
    def dense(self) -> Table:
        """The table without columns that have no number."""
        kept = [place for place, _ in enumerate(self.columns) if any(line.numbers[place] for line in self.lines)]
        lines = (line._replace(numbers=tuple(line.numbers[place] for place in kept)) for line in self.lines)
        return self._replace(columns=tuple(self.columns[place] for place in kept), lines=tuple(lines))


def numbered(metrics: Mapping[str, Metrics]) -> list[MetricRow]:
    """Return all rows in the order of metrics.csv.gz, each with its `line` there."""
    rows = [row for table in metrics.values() for row in table.rows]
    return [replace(row, line=place) for place, row in enumerate(rows, FIRST_LINE)]


def _key(row: MetricRow) -> tuple[str, str, str, Threat]:
    return row.measured, seedless(row.entry), seedless(row.examples), row.threat.seedless


class Numbers:
    """The rows of one evaluation as numbers, each with its interval."""

    def __init__(self, rows: Iterable[MetricRow], doubts: Doubts | None = None) -> None:
        """Group the rows by what they measure.

        Args:
            rows: of one evaluation.
            doubts: the checks that attacks failed; numbers of those attacks are marked.
        """
        self.rows = list(rows)
        self.doubts = doubts or Doubts(())

    @cached_property
    def overall(self) -> list[MetricRow]:
        """One row per thing measured: its mean over seeds, or the only row there is."""
        means = {_key(row) for row in self.rows if row.is_mean}
        return [row for row in self.rows if row.is_mean or _key(row) not in means]

    def single(self) -> list[MetricRow]:
        """Return the rows that are no means."""
        return [row for row in self.rows if not row.is_mean]

    def of(self, *metrics: str) -> list[MetricRow]:
        """Return the overall rows of some metrics."""
        return [row for row in self.overall if row.measured in metrics]

    def number(self, row: MetricRow, **more: Any) -> Number:
        """Return the row as a number.

        The interval is the row's own, also that of a mean over seeds. Equal seeds of numbers that are no estimates have
        no brackets, which would repeat the number.

        Args:
            row: of any evaluation.
            more: fields of the number that the row does not say.
        """
        all_equal = row.method == RANGE and row.low == row.high
        text, interval = (
            written(row.value, row.unit),
            "" if all_equal else bracketed(row.low, row.high, row.unit, method=row.method),
        )
        return Number(row.value, text, interval, row.line, doubt=self.doubts.about(row), **more)

    def maybe(self, row: MetricRow | None, **more: Any) -> Number | None:
        """Return the row as a number; None if there is no row."""
        return None if row is None else self.number(row, **more)


def pivot(numbers: Numbers, rows: list[MetricRow], caption: str) -> Table:
    """Return the rows as a table: one line per (entry, examples, seed, threat), one column per metric.

    If that is wider than a sheet of paper and has more columns than lines, lines and columns change places.
    """
    subjects = [_subject(row) for row in rows]
    always = (ENTRY, EXAMPLES)
    words = [
        heading
        for heading in (*always, SEED, THREAT)
        if heading in always or any(subject[heading] not in ("", NONE) for subject in subjects)
    ]
    lines: dict[tuple[str, ...], dict[str, MetricRow]] = {}
    for row, subject in zip(rows, subjects, strict=True):
        lines.setdefault(tuple(subject[heading] for heading in words), {})[row.measured] = row
    # The longest line decides the order of the metrics; metrics that it lacks follow.
    columns = tuple(dict.fromkeys(name for line in sorted(lines.values(), key=len, reverse=True) for name in line))
    cells = [Line(about, tuple(numbers.maybe(line.get(name)) for name in columns)) for about, line in lines.items()]
    table = Table(caption, tuple(words), columns, tuple(cells))
    return _turned(table) if len(columns) > max(MOST_COLUMNS, len(cells)) else table


def _subject(row: MetricRow) -> dict[str, str]:
    """Return {heading: word} of what the row is about."""
    seed = "" if row.seed is None else str(row.seed)
    return {ENTRY: row.entry, EXAMPLES: row.examples, SEED: seed, THREAT: str(row.threat)}


def _turned(table: Table) -> Table:
    """Return the table with a line per metric and a column per thing, named by the words in which things differ."""
    differ = [place for place, _ in enumerate(table.words) if len({line.words[place] for line in table.lines}) > 1]
    columns = tuple(
        ", ".join(filter(None, (_named(table, line, place) for place in differ))) or line.words[0]
        for line in table.lines
    )
    numbers = zip(*(line.numbers for line in table.lines), strict=True)
    lines = tuple(Line((name,), cells) for name, cells in zip(table.columns, numbers, strict=True))
    return Table(table.caption, ("metric",), columns, lines, of_things=True)


def _named(table: Table, line: Line, place: int) -> str:
    word = line.words[place]
    return f"seed {word}" if table.words[place] == SEED and word else word
