"""Chapters of the page: one evaluation each, with its question, short tables, pictures and all its numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, NotRequired, TypedDict

from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.metric_tables import MetricRow
from touchstone.report.headlines import headlines
from touchstone.report.matrices import matrices
from touchstone.report.pictures import Picture
from touchstone.report.tables import Number, Numbers, Table, pivot

LONGEST = 120  # lines of a table on the page; longer ones are only in the table of metrics


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
    whole: Table  # all that was measured, means over seeds if there are several
    fits: bool  # whether that is short enough for the page
    pictures: list[Picture]

    @property
    def anchors(self) -> list[str]:
        """The ids of what the page shows in this chapter once it is open."""
        return [f"figure-{picture.name}" for picture in self.pictures]

    def numbers(self) -> Iterator[Number]:
        """Yield every number that the page shows in this chapter."""
        for table in (*self.headlines, *self.matrices, *([self.whole] if self.fits else [])):
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
    whole = pivot(numbers, numbers.overall, "All that was measured")
    return Chapter(
        name=name,
        question=question["question"],
        system=question["system"],
        headlines=headlines(numbers),
        matrices=matrices(numbers, supervised),
        meaning=question.get("meaning", ""),
        whole=whole,
        fits=len(whole.lines) <= LONGEST,
        pictures=pictures,
    )
