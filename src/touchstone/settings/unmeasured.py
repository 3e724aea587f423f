"""What a study leaves out of a paper, found before any job: data roles that it does not give, numbers that nothing makes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from touchstone import registry
from touchstone.claims.criteria import COMPLEMENT, Book, Chosen, Condition, Criterion, RowQuery, assignments
from touchstone.settings.files import Place
from touchstone.settings.papers import Paper, criteria_of
from touchstone.settings.roles import mentioned
from touchstone.settings.values import words

Block = Mapping[str, Any]
COMPARED = re.compile(r"_minus_(?:turned_)?\{(\w+)\}")  # the entry that is subtracted, in the name of a metric
NO_ENTRIES = ("use", "system", "question", "seeds")  # settings of an evaluation that name no entry
# Statistics of scores, as in evaluations/statistics/estimators.py, which imports numpy.
STATISTICS = ("auroc", "aupr_ood", "aupr_id", "fpr95_id", "fpr95_ood", "detection_error")
STATISTIC = re.compile("|".join(STATISTICS))


def unmeasured(criterion: Criterion, cast: Chosen, study: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield (keys in claims.yaml, reason) of each number of a claim that no evaluation of the study makes.

    Only settings are compared: an evaluation has to name every entry that the number is about, compare with the entry
    that is subtracted, and measure the statistic.

    Args:
        criterion: of the claim.
        cast: who plays its roles.
        study: its sections, with all settings.
    """
    for place, condition in criterion.conditions.items():
        name = condition.rows.evaluation
        uses = [block for block in study["evaluations"].values() if block["use"] == f"evaluations/{name}"]
        reason = "" if uses else f"no evaluation of this study uses {name}"
        for single in assignments(condition, criterion, cast, "each") if uses else ():
            sets = [single | more for more in assignments(condition, criterion, cast, "mean")]
            found = [_lacking(condition, sets, block, study["defences"]) for block in uses]
            if not reason and all(found):
                reason = min(filter(None, found))[1]  # of the evaluation that lacks least
        if reason and not condition.optional:
            yield ("criteria", criterion.id, *place), reason


def _lacking(
    condition: Condition, sets: list[dict[str, str]], block: Block, defences: Mapping[str, Block]
) -> tuple[int, str] | None:
    """Return how much an evaluation lacks to make a number, and what; None if it lacks nothing."""
    rows, settings = condition.rows, registry.component("evaluations", condition.rows.evaluation).settings
    metric = rows.metric.removeprefix(COMPLEMENT).format(**sets[0])
    none = f"no evaluation that uses {rows.evaluation}"
    named = set(words({key: value for key, value in block.items() if key not in NO_ENTRIES}))
    named |= set(words([each for name, each in defences.items() if name in named]))  # their networks count, too
    absent = sorted({names[role] for names in sets for role in condition.roles} - named)
    if absent:
        return len(absent) + 1, f"{none} names {' and '.join(absent)} (for {metric})"
    if (statistic := STATISTIC.match(metric)) and statistic[0] not in block.get("statistics", STATISTICS):
        return 1, f"{none} measures {statistic[0]}; add it to its statistics"
    other = _subtracted(rows, sets[0]) if "against" in settings else ""
    if other and other not in words({key: block.get(key) for key in settings}):
        return 0, f"{none} makes {metric}; add {other} to its against"
    return None


def _subtracted(rows: RowQuery, names: Mapping[str, str]) -> str:
    match = COMPARED.search(rows.metric)
    return names[match[1]] if match else ""


def untested(papers: Iterable[Paper], book: Book, study: Mapping[str, Any]) -> Iterator[str]:
    """Yield which claims of some papers will have no verdict, and why, unless the paper itself says why."""
    every = [
        (criterion, paper.sections.get("claims") or {}) for paper in papers for criterion in criteria_of(paper, book)
    ]
    for criterion in (criterion for criterion, written in every if not isinstance(written.get(criterion.id), str)):
        cast = study["claims"].get(criterion.id, "the study does not ask for it")
        reasons = [cast] if isinstance(cast, str) else [reason for _, reason in unmeasured(criterion, cast, study)]
        if reasons:
            yield f"{criterion.id} will have no verdict: {'; '.join(dict.fromkeys(reasons))}"


def open_roles(papers: Iterable[Paper], sentences: Mapping[str, str], roles: Collection[str]) -> Iterator[str]:
    """Yield which data roles the evaluations of some papers name and the study does not give."""
    for paper in papers:
        named: dict[str, list[str]] = {}
        for (evaluation, *_), role in mentioned(paper.sections.get("evaluations") or {}):
            named.setdefault(role, []).append(evaluation)
        for role in sorted(named.keys() - set(roles)):
            listed = ", ".join(dict.fromkeys(named[role]))
            what = sentences.get(role, "a group of data roles that it does not give")
            yield f"the study gives no data role {role} ({what}), so {paper.name} asks without it: {listed}"
