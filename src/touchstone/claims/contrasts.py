"""Per paper, one share against two attackers: the second knows the system, or is stronger than the first.

No verdict follows from it: it is the picture at the head of the report. A claims.yaml writes it under `contrast:`, as
numbers that use the roles of one of its criteria.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from touchstone.claims import contrast_files
from touchstone.claims.criteria import Book, Criterion
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import Part
from touchstone.records.metric_tables import MetricRow


class Contrast(NamedTuple):
    """What a system withstands; a greater number is better for the defender.

    Attributes:
        paper: its short name.
        shows: what the numbers are shares of.
        unaware: against the first attacker, who may not attack at all; its name says what the attacker does.
        aware: against the second.
        reference: without the system, or None.
        upper_bound: whether the second attacker found no gradient too often, so the truth may be lower.
    """

    paper: str
    shows: str
    unaware: Part
    aware: Part
    reference: Part | None
    upper_bound: bool


def contrasts(papers: Mapping[str, Mapping[str, Any]], study: StudyClaims, rows: Iterable[MetricRow]) -> list[Contrast]:
    """Return the contrast of each paper whose numbers the study has, in the order of the papers.

    Args:
        papers: {paper: the content of its claims.yaml}.
        study: what it says of the claims.
        rows: of the whole study.
    """
    blocks = {name: facts for name, facts in papers.items() if "contrast" in facts}
    criteria = {name: contrast_files.criterion(name, facts) for name, facts in blocks.items()}
    of = {name: facts["contrast"]["of"] for name, facts in blocks.items()}
    claims = {name: study.claims[claim] for name, claim in of.items() if claim in study.claims}
    question = study._replace(claims=claims)
    verdicts = judge(Book({}, criteria), question, rows)
    made = zip(blocks.values(), criteria.values(), verdicts, strict=True)
    return [
        Contrast(facts["name"], facts["contrast"]["shows"], unaware, aware, reference, aware.stuck is not None)
        for facts, criterion, verdict in made
        for unaware, aware, reference in _first(criterion, verdict.parts)
    ]


def _first(criterion: Criterion, parts: Iterable[Part]) -> Iterator[tuple[Part, Part, Part | None]]:
    """Yield the numbers of the first network that has them; nothing if one is missing."""
    parts = list(parts)
    first = [next((part for part in parts if part.condition is test), None) for test in criterion.tests]
    unaware, aware, reference = (*first, None)[:3]
    if unaware and aware:
        yield unaware, aware, reference
