"""Per system, one share or AUROC as the paper tests it, and under the strongest attacker.

No verdict follows from it: it is the picture at the head of the report. A claims.yaml writes it under `contrast:`, as
numbers that use the roles of its criteria.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from touchstone.claims import contrast_files
from touchstone.claims.contrast_files import Written
from touchstone.claims.criteria import Book, Chosen
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import Part
from touchstone.records.metric_tables import MetricRow


class Contrast(NamedTuple):
    """What a system withstands; a greater number is better for the defender.

    Attributes:
        system: what is attacked, such as the training of one kind of network; the paper's name if it has only one.
        shows: what the numbers are.
        unaware: as the paper tests it; its name says what the attacker does, if there is one.
        aware: against the strongest attacker.
        reference: without the system, or None.
        upper_bound: whether the strongest attacker found no gradient too often, so the truth may be lower.
        also: a number that the marks need beside them, such as false alarms; None if nothing is named.
    """

    system: str
    shows: str
    unaware: Part
    aware: Part
    reference: Part | None
    upper_bound: bool
    also: Part | None = None


def contrasts(papers: Mapping[str, Mapping[str, Any]], study: StudyClaims, rows: Iterable[MetricRow]) -> list[Contrast]:
    """Return the contrasts of the papers whose numbers the study has, in the order of the papers.

    Args:
        papers: {paper: the content of its claims.yaml}.
        study: what it says of the claims.
        rows: of the whole study.
    """
    written = [one for facts in papers.values() for one in contrast_files.read(facts)]
    named = {str(place): one for place, one in enumerate(written)}
    book = Book({}, {name: replace(one.criterion, id=name) for name, one in named.items()})
    claims = {name: chosen for name, one in named.items() if (chosen := _chosen(one, study)) is not None}
    verdicts = judge(book, study._replace(claims=claims), rows)
    return [
        Contrast(
            one.name,
            _shows(one, found["aware"]),
            found["unaware"],
            found["aware"],
            found.get("reference"),
            found["aware"].stuck is not None,
            found.get("also"),
        )
        for one, verdict in zip(written, verdicts, strict=True)
        if (found := _first(one, verdict.parts)).keys() >= {"unaware", "aware"}
    ]


def _shows(written: Written, part: Part) -> str:
    """Return what the numbers are, with the words of those who play its roles."""
    return written.shows.format(**part.quantity.words)


def _chosen(one: Written, study: StudyClaims) -> Chosen | None:
    """Return the entries that play the roles of a contrast's criteria; None if the study asks not all of these."""
    chosen = [study.claims.get(claim, "") for claim in one.of]
    filled = [each for each in chosen if not isinstance(each, str)]
    return (
        {role: who for each in reversed(filled) for role, who in each.items()} if len(filled) == len(chosen) else None
    )


def _first(one: Written, parts: Iterable[Part]) -> dict[str, Part]:
    """Return the numbers of the first network that has them."""
    tests = dict(zip(one.numbers, one.criterion.tests, strict=True))
    found = {key: [part for part in parts if part.condition is test] for key, test in tests.items()}
    return {key: several[0] for key, several in found.items() if several}
