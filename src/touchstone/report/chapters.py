"""Chapters of the page: one evaluation each, with its question, short tables, pictures and all its numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, NotRequired, TypedDict

from touchstone.records.metric_tables import MetricRow
from touchstone.report.headlines import headlines
from touchstone.report.matrices import matrices
from touchstone.report.pictures import Picture
from touchstone.report.tables import Number, Numbers, Table, pivot
from touchstone.statistics.sanity_checks import Doubts

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

    @property
    def anchors(self) -> list[str]:
        """The ids of what the page shows in this chapter once it is open."""
        return [f"figure-{picture.name}" for picture in self.pictures]

    def numbers(self) -> Iterator[Number]:
        """Yield every number that the page shows in this chapter."""
        for table in (*self.headlines, *self.matrices, *(table for table, fits in self.whole if fits)):
            for line in table.lines:
                yield from (number for number in line.numbers if number)


def chapters(
    questions: Mapping[str, Question],
    rows: list[MetricRow],
    doubts: Doubts,
    pictures: list[Picture],
    supervised: Collection[str],
) -> list[Chapter]:
    """Return one chapter per evaluation.

    Args:
        questions: {evaluation: what it asks}, in the order of the chapters.
        rows: of all evaluations.
        doubts: the checks that attacks failed; numbers of those attacks are marked.
        pictures: of all evaluations.
        supervised: the detectors trained on anomalies, which are never ranked with the others.
    """
    own = {name: Numbers((row for row in rows if row.evaluation == name), doubts) for name in questions}
    return [
        _chapter(name, question, own[name], [each for each in pictures if each.evaluation == name], supervised)
        for name, question in questions.items()
    ]


def _chapter(
    name: str, question: Question, numbers: Numbers, pictures: list[Picture], supervised: Collection[str]
) -> Chapter:
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
