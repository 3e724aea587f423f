"""Metrics rows as the tables of a page: numbers with their intervals, one line per thing measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from touchstone.records.nouns import Metrics
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.sanity_checks import Doubts
from touchstone.statistics.threats import seedless
from touchstone.statistics.wording import bracketed, written

WORDS = {"entry": "entry", "examples": "examples", "seed": "seed", "threat": "threat model"}
FIRST_LINE = 2  # of metrics.csv.gz, below its header
MOST_COLUMNS = 12  # of numbers, that a sheet of paper holds side by side


class Number(NamedTuple):
    """One metrics row as it is shown, with the line of metrics.csv.gz where it stands."""

    value: float
    text: str
    interval: str
    line: int
    title: str
    label: str = ""  # which of several it is, where a table shows the best
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


def numbered(metrics: Mapping[str, Metrics]) -> list[Row]:
    """Return all rows in the order of metrics.csv.gz, each with its `line` there."""
    rows = [row for table in metrics.values() for row in table.rows]
    return [replace(row, line=place) for place, row in enumerate(rows, FIRST_LINE)]


def _key(row: Row) -> tuple[str, ...]:
    return (measured(row["metric"]), *(seedless(row[name]) for name in ("entry", "examples", "threat")))


class Numbers:
    """Turns rows of one evaluation into numbers; a mean over seeds borrows the intervals of its seeds."""

    def __init__(self, rows: Iterable[Row], doubts: Doubts | None = None) -> None:
        self.rows = list(rows)
        self.doubts = doubts or Doubts(())
        self._seeds: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows:
            if not _is_mean(row):
                self._seeds.setdefault(_key(row), []).append(row)

    def overall(self) -> list[Row]:
        """Return one row per thing measured: its mean over seeds, or the only row there is."""
        means = {_key(row) for row in self.rows if _is_mean(row)}
        return [row for row in self.rows if _is_mean(row) or _key(row) not in means]

    def single(self) -> list[Row]:
        """Return the rows that are no means."""
        return [row for row in self.rows if not _is_mean(row)]

    def number(self, row: Row, **more: Any) -> Number:
        """Return the row as a number.

        The interval of a mean over seeds goes from the lowest to the highest end of its seeds' 95 % intervals: it
        holds both what another seed and what another test set would change.
        """
        unit = row["unit"]
        text = written(row["value"], unit)
        about = f"n = {row['n']}" + (f", base rate {row['base_rate']:.2f}" if row["base_rate"] is not None else "")
        low, high = row["low"], row["high"]
        if _is_mean(row):
            seeds = self._seeds[_key(row)]
            spread = f"least {written(low, unit)}, greatest {written(high, unit)}"
            about = f"mean of {len(seeds)} seeds, {spread}; in brackets their 95 % intervals taken together; {about}"
            ends = [(seed["low"], seed["high"]) for seed in seeds]
            low, high = (
                min((low for low, _ in ends if low is not None), default=None),
                max((high for _, high in ends if high is not None), default=None),
            )
        elif low is not None or high is not None:
            about = f"95 % interval in brackets; {about}"
        interval = bracketed(low, high, unit)
        doubt = self.doubts.about(row)
        about += f"; a check of this attack failed: {doubt}" if doubt else ""
        return Number(row["value"], text, interval, row["line"], about, **{"doubt": doubt, **more})

    def maybe(self, row: Row | None, **more: Any) -> Number | None:
        """Return the row as a number; None where there is no row."""
        return None if row is None else self.number(row, **more)


def _is_mean(row: Row) -> bool:
    return row["seed"] is None and measured(row["metric"]) != row["metric"]


def pivot(numbers: Numbers, rows: list[Row], caption: str) -> Table:
    """Return the rows as a table: one line per (entry, examples, seed, threat), one column per metric.

    Where that is wider than a sheet of paper and has more columns than lines, lines and columns change places.
    """
    words = [name for name in WORDS if name in ("entry", "examples") or {row[name] for row in rows} - {None, "none"}]
    lines: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        about = tuple("" if row[name] is None else str(row[name]) for name in words)
        lines.setdefault(about, {})[measured(row["metric"])] = row
    # The longest lines say in which order metrics come; those of shorter ones that they lack follow.
    columns = tuple(dict.fromkeys(name for line in sorted(lines.values(), key=len, reverse=True) for name in line))
    table = [Line(about, tuple(numbers.maybe(line.get(name)) for name in columns)) for about, line in lines.items()]
    found = Table(caption, tuple(WORDS[name] for name in words), columns, tuple(table))
    return _turned(found) if len(columns) > max(MOST_COLUMNS, len(table)) else found


def nested(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return {evaluation: {entry: {examples: {metric: value}}}}: means over seeds, or the only value there is.

    Values have six digits; metrics.csv.gz has all of them.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["evaluation"], []).append(row)
    tree: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for name, group in groups.items():
        for row in Numbers(group).overall():
            entry, examples = seedless(row["entry"]), seedless(row["examples"])
            values = tree.setdefault(name, {}).setdefault(entry, {}).setdefault(examples, {})
            values[measured(row["metric"])] = float(f"{row['value']:.6g}")
    return tree


def _turned(table: Table) -> Table:
    """Return the table with a line per metric and a column per thing, named by the words in which things differ."""
    differ = [place for place, _ in enumerate(table.words) if len({line.words[place] for line in table.lines}) > 1]
    columns = tuple(", ".join(_said(table, line, place) for place in differ or [0]) for line in table.lines)
    numbers = zip(*(line.numbers for line in table.lines), strict=True)
    lines = tuple(Line((name,), found) for name, found in zip(table.columns, numbers, strict=True))
    return Table(table.caption, ("metric",), columns, lines, of_things=True)


def _said(table: Table, line: Line, place: int) -> str:
    return f"seed {line.words[place]}" if table.words[place] == WORDS["seed"] else line.words[place]
