"""Chapters of the page: one evaluation each, with its question, short tables, pictures and all its numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, NotRequired, TypedDict

from touchstone.report.headlines import headlines
from touchstone.report.matrices import matrices
from touchstone.report.pictures import Picture
from touchstone.report.tables import Number, Numbers, Table, pivot

SHORT = 12  # lines of a table that is open from the start
# Lines of a table on the page, of means over seeds and of every seed; longer ones are only in the table of metrics.
LONGEST, LONGEST_OF_SEEDS = 200, 60


class Question(TypedDict):
    """What an evaluation asks, and the system that it is about."""

    question: str
    system: str
    meaning: NotRequired[str]  # of its metrics, in words


class Chapter(NamedTuple):
    """One evaluation as the page shows it."""

    name: str
    question: str
    system: str
    headlines: list[Table]
    matrices: list[Table]
    meaning: str
    whole: list[tuple[Table, bool]]  # all that was measured, and whether it is short enough for the page
    pictures: list[Picture]

    def numbers(self) -> Iterator[Number]:
        """Yield every number that the page shows in this chapter."""
        for table in (*self.headlines, *self.matrices, *(table for table, fits in self.whole if fits)):
            for line in table.lines:
                yield from (number for number in line.numbers if number)


def chapter(
    name: str, question: Question, numbers: Numbers, pictures: list[Picture], supervised: Collection[str]
) -> Chapter:
    """Return the chapter of one evaluation.

    Args:
        name: the evaluation's name in the study.
        question: what it asks.
        numbers: its rows.
        pictures: the figures that belong to it.
        supervised: the detectors trained on anomalies, which are never ranked with the others.
    """
    overall, single = numbers.overall(), numbers.single()
    several = len(overall) < len(numbers.rows)
    whole = [(pivot(numbers, overall, "Means over seeds" if several else "All that was measured"), LONGEST)]
    whole += [(pivot(numbers, single, "Every seed by itself"), LONGEST_OF_SEEDS)] if several else []
    return Chapter(
        name=name,
        question=question["question"],
        system=question["system"],
        headlines=headlines(numbers, supervised),
        matrices=matrices(numbers, supervised),
        meaning=question.get("meaning", ""),
        whole=[(table, len(table.lines) <= most) for table, most in whole],
        pictures=pictures,
    )
